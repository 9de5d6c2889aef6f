/* numbers.h: the number itself, as digits, English words or Chinese numerals, and the words that
 * scale it. Texts are NFKC (unicode.h). No sign, currency or unit: that is figures.c. */
#pragma once
#include "libcommon/base/str.h"

struct number {
    double value;
    size_t end;        /* behind the number */
    bool ambiguous;    /* "1.200" */
    bool words;        /* written in words or Chinese numerals */
    bool bare;         /* 1 to 4 digits and nothing else: it may be a year or a list number */
    bool leading0;     /* "007" */
    bool chinese_unit; /* has one of the numerals for ten and above */
};

/* A number that starts exactly at pos; false when there is none. */
bool number_digits(struct str s, size_t pos, struct number *out);
bool number_english(struct str s, size_t pos, struct number *out);
bool number_chinese(struct str s, size_t pos, struct number *out);

/* The scale at pos ("M", " million", "k", "lakh", Chinese scales), 1 and *end = pos when none. */
double number_scale(struct str s, size_t pos, size_t *end);

/* True when the ASCII word w (any case) stands at pos with no letter or digit behind it. */
bool word_at(struct str s, size_t pos, const char *w);
/* True when the bytes of z stand at pos. */
bool text_at(struct str s, size_t pos, const char *z);
/* Behind spaces and tabs. */
size_t skip_blank(struct str s, size_t pos);
