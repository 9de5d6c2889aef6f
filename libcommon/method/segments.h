/* segments.h: a document cut into what can be cited: sentences and table rows. Tables are Markdown
 * (lines of |) or delimited text (comma, semicolon, tab); the lines directly above that speak of
 * units belong to the table. Offsets are bytes of the text given, which should be NFKC. */
#pragma once
#include "libcommon/base/arena.h"

#define TABLE_COLS_MAX 64
#define TABLE_ROWS_MAX 5000

struct table {
    int rows, cols;    /* row 0 is the header */
    struct str *cells; /* rows * cols, trimmed, views into the text; "" where a row is short */
    struct str note;   /* the comment or heading above, "" when none */
};

enum segment_kind { SEGMENT_SENTENCE, SEGMENT_HEADING, SEGMENT_ROW };

struct segment {
    enum segment_kind kind;
    size_t start, end;
    int table, row; /* SEGMENT_ROW */
};

struct segments {
    struct segment *at;
    size_t count;
    struct table *tables;
    int tables_count;
};

struct segments segments_of(struct arena *a, struct str text);

static inline struct str table_cell(const struct table *t, int row, int col)
{
    return t->cells[row * t->cols + col];
}
