/* str.h: a view of bytes owned by somebody else. Never NUL-terminated by promise. */
#pragma once
#include "libcommon/base/compat.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).n, (s).p /* for "%.*s"; evaluates s twice */

static inline struct str str_of(const char *z)
{
    return (struct str){z, z == NULL ? 0 : strlen(z)};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_eqz(struct str a, const char *z)
{
    return str_eq(a, str_of(z));
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* ASCII case only. */
bool str_ieq(struct str a, struct str b);

/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);

/* The part before the first `sep`, which is removed from *rest together with `sep`. When there is
 * no `sep`, all of *rest, and *rest becomes empty with p == NULL. */
struct str str_split(struct str *rest, char sep);

/* Index of the first occurrence, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);

/* Reads all of s as a decimal integer. ERR_INVALID leaves *out untouched. */
int str_i64(struct str s, int64_t *out) MUST_CHECK;
int str_f64(struct str s, double *out) MUST_CHECK;

/* UTF-8 (RFC 3629). utf8_valid: no overlong form, surrogate, or value over U+10FFFF.
 * utf8_chars counts code points of valid text. utf8_next decodes one code point at *pos and
 * advances; invalid bytes give U+FFFD and advance by one. utf8_cut: the longest prefix of at most
 * `chars` code points. utf8_put writes 1 to 4 bytes and returns their number. */
bool utf8_valid(struct str s);
size_t utf8_chars(struct str s);
uint32_t utf8_next(struct str s, size_t *pos);
struct str utf8_cut(struct str s, size_t chars);
size_t utf8_put(char out[4], uint32_t cp);
