/* unicode.h: normal forms, letter classes and words for the readers of this room. The only file
 * that knows utf8proc. Offsets into a normalised text are mapped back to the text as given, since
 * quotes must be exact. */
#pragma once
#include "libcommon/base/arena.h"

struct norm {
    struct str text; /* NFKC, valid UTF-8, a NUL behind it */
    uint32_t *src;   /* for each byte of text and its end: the offset in the given text */
};

/* Invalid bytes become U+FFFD. At most 16 MiB are read; what is beyond is left out. */
struct norm unicode_nfkc(struct arena *a, struct str s);

/* NFKC, lower case, white space folded to one space and trimmed: for comparing quotes and names. */
struct str unicode_fold(struct arena *a, struct str s);

bool unicode_is_letter(uint32_t cp);
bool unicode_is_han(uint32_t cp);
bool unicode_is_kana(uint32_t cp);
/* Han, kana and hangul: written without spaces between words. */
bool unicode_is_cjk(uint32_t cp);

/* Calls fn for each term of a text: lower-case words with a plain plural or verb ending taken off
 * (en), bigrams of CJK runs (one character alone stands for itself). [start, end) lies in s. s
 * should be normalised. */
typedef void unicode_term_fn(void *arg, struct str term, size_t start, size_t end);
void unicode_terms(struct str s, unicode_term_fn *fn, void *arg);

/* The stem of one lower-case ASCII word, in place; returns the new length. */
size_t unicode_stem(char *word, size_t n);

/* ASCII letter or digit. */
static inline bool unicode_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool unicode_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}
static inline bool unicode_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
