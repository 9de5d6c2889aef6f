/* dates.h: what looks like a figure and is none: dates, years, versions, clause and list numbers,
 * ids, phone numbers. Dates are kept as periods; "in years 2 to 6" as timing. */
#pragma once
#include "libcommon/base/str.h"

/* A date or a named period at pos. period: "2025", "FY26", "2026Q3", "2026-04", or "" for a day. */
bool date_at(struct str s, size_t pos, size_t *end, char period[16]);

/* "years 2 to 6", "year 3", "the second year", "第2至6年", "第3年". from_on: "from year 3 (on)". */
struct timing {
    int from, to; /* to 0: open end */
};
bool timing_at(struct str s, size_t pos, size_t *end, struct timing *out);

/* Anything else with digits that is no figure: "v2.1", "clause 4.2", "#12", "10:30", "1.2.3",
 * "[3]", "+86 138 0013 8000", addresses of the web, ids. line_start: pos begins a line. */
bool not_figure_at(struct str s, size_t pos, bool line_start, size_t *end);
