/* extract.h: the text of a document's bytes. Plain texts are themselves, so that offsets of their
 * parts are offsets in the original; of HTML and DOCX a text is made (Markdown headings, a line a
 * paragraph, table cells between bars) and the parts' offsets are offsets in that. Scripts, styles,
 * comments and what a document deletes or hides from readers as markup do not come along. Runs in a
 * child, since the bytes are anybody's; memory is bounded by the limits below. Pure. */
#pragma once
#include "libcommon/base/buf.h"
#include "services/worker/chunk.h"

#define EXTRACT_TEXT_MAX (10u << 20) /* bytes of the text */
#define EXTRACT_PART_MAX (64u << 20) /* bytes that a part of an archive may expand to */
#define EXTRACT_RATIO_MAX 200        /* and how many times its packed size, above 1 MiB */
#define EXTRACT_ENTRIES_MAX 4096     /* files in an archive */

struct extract {
    struct str text; /* UTF-8 without NUL; the input itself when `original` */
    enum chunk_kind kind;
    bool original;
};

/* ERR_INVALID: a type that is not read, or bytes that are not of it (the message says how);
 * ERR_TOOBIG: over a limit. */
int extract(struct arena *a, struct str content_type, struct str bytes, struct extract *out,
            struct err *err) MUST_CHECK;

/* The formats, each bytes to text. */
typedef int extract_fn(struct arena *a, struct str bytes, struct str *text, struct err *err);
extract_fn extract_html; /* html.c */
extract_fn extract_docx; /* docx.c */

/* What the formats write with: white space is put together, paragraphs are a blank line apart. */
struct writer {
    struct buf b;
    int breaks; /* line feeds before the next character */
    bool space; /* a blank before the next character */
    int rows;   /* nesting of table rows, where a paragraph is no new line */
    int cells;  /* of the innermost row so far */
};
void writer_init(struct writer *w);
void writer_text(struct writer *w, struct str s);
void writer_char(struct writer *w, uint32_t cp);
void writer_break(struct writer *w, int n);
void writer_heading(struct writer *w, int level); /* 1 to 6; begins a line */
void writer_row(struct writer *w, bool begin);
void writer_cell(struct writer *w);
/* Frees; the text lies in the arena. ERR_TOOBIG. */
int writer_end(struct writer *w, struct arena *a, struct str *text, struct err *err) MUST_CHECK;

/* An entity at text[*at] == '&', terminated by ';': its character, *at behind it; 0: none, *at
 * unchanged. */
uint32_t extract_entity(struct str text, size_t *at);
