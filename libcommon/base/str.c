/* str.c: views of bytes; numbers and UTF-8 in them. */
#include "libcommon/base/compat.h"
#include "libcommon/base/str.h"
#include "libcommon/base/err.h"
#include <errno.h>
#include <math.h>
#include <strings.h>

#define NUMBER_LEN_MAX 400 /* DBL_MAX has 309 digits */

bool str_ieq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct str str_split(struct str *rest, char sep)
{
    const char *at = rest->n == 0 ? NULL : memchr(rest->p, sep, rest->n);
    struct str part = *rest;

    if (at == NULL) {
        *rest = (struct str){NULL, 0};
        return part;
    }
    part.n = (size_t)(at - part.p);
    rest->p = at + 1;
    rest->n -= part.n + 1;
    return part;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    const char *at;

    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return -1;
    at = memmem(s.p, s.n, needle.p, needle.n);
    return at == NULL ? -1 : at - s.p;
}

int str_i64(struct str s, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t v = 0;

    if (i == s.n)
        return ERR_INVALID;
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';

        if (digit < 0 || digit > 9)
            return ERR_INVALID;
        /* Built up as a negative number, so that INT64_MIN fits. */
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
            return ERR_INVALID;
    }
    if (!negative && __builtin_sub_overflow(0, v, &v))
        return ERR_INVALID;
    *out = v;
    return 0;
}

int str_f64(struct str s, double *out)
{
    char z[NUMBER_LEN_MAX + 1];
    char *end;
    double v;

    if (s.n == 0 || s.n > NUMBER_LEN_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < s.n; i++) /* strtod also reads hex, inf, nan and leading space */
        if (s.p[i] == '\0' || strchr("0123456789+-.eE", s.p[i]) == NULL)
            return ERR_INVALID;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    v = strtod(z, &end);
    if (end != z + s.n || !isfinite(v))
        return ERR_INVALID;
    *out = v;
    return 0;
}

/* Bytes of the sequence that starts at s.p[pos] and its code point, or 0 when it is not valid. The
 * ranges of the second byte keep out overlong forms, surrogates and values over U+10FFFF. */
static size_t utf8_decode(struct str s, size_t pos, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)s.p + pos;
    size_t left = s.n - pos, len;
    unsigned lo = 0x80, hi = 0xBF;

    if (p[0] < 0x80) {
        *cp = p[0];
        return 1;
    }
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (left < len)
        return 0;
    if (p[0] == 0xE0)
        lo = 0xA0;
    else if (p[0] == 0xED)
        hi = 0x9F;
    else if (p[0] == 0xF0)
        lo = 0x90;
    else if (p[0] == 0xF4)
        hi = 0x8F;
    if (p[1] < lo || p[1] > hi)
        return 0;
    *cp = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        *cp = *cp << 6 | (p[i] & 0x3Fu);
    }
    return len;
}

bool utf8_valid(struct str s)
{
    uint32_t cp;

    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_decode(s, i, &cp);

        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t utf8_chars(struct str s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.n; i++)
        count += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return count;
}

uint32_t utf8_next(struct str s, size_t *pos)
{
    uint32_t cp;
    size_t len = utf8_decode(s, *pos, &cp);

    *pos += len == 0 ? 1 : len;
    return len == 0 ? 0xFFFD : cp;
}

struct str utf8_cut(struct str s, size_t chars)
{
    size_t pos = 0;

    while (pos < s.n && chars-- > 0)
        utf8_next(s, &pos);
    return (struct str){s.p, pos};
}

size_t utf8_put(char out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        cp = 0xFFFD;
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}
