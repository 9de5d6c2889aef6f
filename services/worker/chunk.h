/* chunk.h: cuts a text into parts for search and citation. A part is a range of bytes of the
 * original, so that a quote can always be shown in its place. Pure. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/err.h"

#define CHUNK_GOAL 1200 /* bytes: parts are filled up to here */
#define CHUNK_MAX 2400  /* bytes: and never longer */
#define CHUNKS_MAX 50000

struct chunk_part {
    size_t start, end;   /* text[start, end); ends are at whole characters */
    const char *heading; /* NULL: none. Markdown: "A > B"; CSV: the line of names */
};

enum chunk_kind { CHUNK_TEXT, CHUNK_MARKDOWN, CHUNK_CSV };

/* Of a content type (parameters allowed). ERR_INVALID: a type that is not read. */
int chunk_kind_of(struct str content_type, enum chunk_kind *out) MUST_CHECK;

/* ERR_INVALID: not UTF-8, or holds NUL. ERR_TOOBIG: too many parts. White space alone gives none.
 */
int chunk_split(struct arena *a, struct str text, enum chunk_kind kind, struct chunk_part **out,
                size_t *count, struct err *err) MUST_CHECK;
