/* detectors.h: what a careful reader notices in the request and its documents: figures that
 * disagree, units that cannot be right, outlays over a limit, sunk and allocated cost, claims
 * without a count, interested sources, instructions to a program (docs/decision-method.md, 3.4).
 * The findings are given to a model too. */
#pragma once
#include "libcommon/base/json.h"

/* [{code, message, document?, chunk_id?, quote?, option?, values?, used?, why?}] in the order of
 * the codes, then of the text. message is in the language of the query. request and material as in
 * analyst.h. Never fails; unreadable parts are left out. */
cJSON *detectors_run(const cJSON *request, const cJSON *material, struct arena *a);
