/* figures_scan.h: what figures.c and figures_table.c share, and the scan of a text that is cut
 * already. Not for others. */
#pragma once
#include "libcommon/method/dates.h"
#include "libcommon/method/figures.h"
#include "libcommon/method/segments.h"

#define MARKS_MAX 64

/* A date or timing in the sentence at hand. */
struct mark {
    size_t at;
    char period[16];
    struct timing timing;
    bool is_timing;
};

struct scan {
    struct arena *a;
    struct str s;  /* normalised */
    bool zh, cell; /* cell: a bare year is a number */
    struct figure *out;
    size_t count, cap;
    struct mark marks[MARKS_MAX];
    size_t marks_count;
};

/* The figures of one sentence or cell, [from, to) of sc->s. */
void figures_scan_prose(struct scan *sc, size_t from, size_t to);

/* Every segment in order; cells take unit, scale and period from their column, row and table. */
void figures_scan_segments(struct scan *sc, const struct segments *segs);

/* figures_scan for a normalised text that is cut already: offsets are those of the text. */
size_t figures_scan_segmented(struct arena *a, struct str text, const struct segments *segs,
                              bool zh, struct figure **out);
