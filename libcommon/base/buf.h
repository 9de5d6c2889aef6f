/* buf.h: a growing byte buffer with a maximum. There is no variant without one. Adding beyond the
 * maximum adds nothing and sets `overflow`, which stays set until buf_clear; so a writer may add
 * freely and ask once at the end. The bytes are always followed by a NUL that does not count.
 * See DYNBUF.md in curl for the idea. */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/err.h"
#include "libcommon/base/str.h"

struct buf {
    char *p; /* NULL until the first byte */
    size_t n, cap, max;
    bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* frees; NULL is fine; usable again after buf_init */
void buf_clear(struct buf *b); /* n = 0, overflow = false, memory kept */

void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *z);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops the first n bytes (n <= b->n). */
void buf_consume(struct buf *b, size_t n);

/* 0, or ERR_TOOBIG once anything did not fit. */
int buf_check(const struct buf *b, struct err *err) MUST_CHECK;

static inline struct str buf_view(const struct buf *b)
{
    return (struct str){b->p == NULL ? "" : b->p, b->n};
}
