/* report.h: a decision written for people: what was chosen and why, the alternatives, risks,
 * assumptions, what was missing, and the sources. Pure. Every text of the decision is encoded for
 * its format. */
#pragma once
#include "libcommon/base/buf.h"
#include "libcommon/base/json.h"

enum report_format { REPORT_MARKDOWN, REPORT_HTML };

/* decision: the API's object (decision_json.h) with its result. */
void report_write(const cJSON *decision, enum report_format format, struct buf *out);
