/* buf.c: growth by doubling up to the maximum. */
#include "libcommon/base/compat.h"
#include "libcommon/base/buf.h"

#define BUF_CAP_MIN 64u

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    if (b == NULL)
        return;
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
    if (b->p != NULL)
        b->p[0] = '\0';
}

/* Room for n more bytes and the NUL; false when the maximum forbids it, now or before. */
static bool buf_room(struct buf *b, size_t n)
{
    size_t cap;

    if (b->overflow || n > b->max - b->n) {
        b->overflow = true;
        return false;
    }
    if (b->n + n + 1 <= b->cap)
        return true;
    cap = MAX(b->n + n + 1, MAX(b->cap * 2, BUF_CAP_MIN));
    if (b->max < SIZE_MAX / 4)
        cap = MIN(cap, b->max + 1);
    b->p = xrealloc(b->p, cap);
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || !buf_room(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_puts(struct buf *b, const char *z)
{
    buf_add(b, z, strlen(z));
}

void buf_putc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(small, sizeof small, fmt, ap);
    assert(n >= 0);
    if ((size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
    } else if (buf_room(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}

int buf_check(const struct buf *b, struct err *err)
{
    if (!b->overflow)
        return 0;
    return err_set(err, ERR_TOOBIG, "more than %zu bytes", b->max);
}
