/* figures.h: reads the figures of a text, English or Chinese, without guessing: what cannot be
 * said is null or ambiguous. The rules are those of docs/decision-method.md, section 3.2. */
#pragma once
#include "libcommon/base/json.h"

enum figure_unit {
    FIGURE_NUMBER,
    FIGURE_CURRENCY,
    FIGURE_RATIO,
    FIGURE_RATIO_POINTS,
    FIGURE_YEARS,
    FIGURE_MULTIPLE,
    FIGURE_DATE,
    FIGURE_UNKNOWN,
    FIGURE_UNIT__MAX
};

/* One figure. Everything below `period` is what the analyst needs beyond the schema's object. */
struct figure {
    double value, low, high; /* in whole units; a ratio is 0.08; NAN: null */
    enum figure_unit unit;
    char currency[4]; /* "" when there is none or it is not known */
    bool ambiguous;
    char period[16];        /* "month", "year", "2025", "FY26", "2026Q3", "2026-04", or "" */
    size_t start, end;      /* bytes of the text as it was given */
    double per;             /* "per 100 units", "per dozen": 100, 12; else 1 */
    bool per_unit;          /* "per unit", "a piece", "per customer" */
    int year_from, year_to; /* "in years 2 to 6": 2, 6; "from year 3": 3, 0; 0, 0 when not said */
    bool at_start;          /* "now", "once", "paid at closing" */
    bool about;             /* "about", "around" */
    bool at_most;           /* "up to", "at most", "at best" */
};

/* "number", "currency", ... as in the schema. */
const char *figure_unit_name(enum figure_unit unit);

/* All figures of the text in order. lang is "en" or "zh" (NULL is "en"). The array is the arena's.
 * Text over 1 MiB is not read (0 figures). */
size_t figures_scan(struct arena *a, struct str text, const char *lang, struct figure **out);

/* The same as `figure` objects of decision-tools.schema.json in an array. 0 or ERR_INVALID when the
 * text is not UTF-8. */
int figures_read(struct str text, const char *lang, struct arena *a, cJSON **array) MUST_CHECK;

/* One figure as an object of the schema; text is what figures_scan read; path may be NULL. */
cJSON *figure_json(const struct figure *f, struct str text, const char *path);
