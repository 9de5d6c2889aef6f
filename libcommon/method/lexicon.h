/* lexicon.h: the words that the rules of the offline analyst look for, English and Chinese, as
 * data. A Latin entry matches whole words without case; a trailing * takes any ending; a space
 * matches any white space. */
#pragma once
#include "libcommon/base/str.h"

enum lex {
    LEX_DO_NOTHING,
    LEX_DELAY,
    LEX_STAGED,
    LEX_HYBRID,
    LEX_NEGATION,
    LEX_SUNK,
    LEX_ALLOCATED,
    LEX_AVOIDABLE,
    LEX_STAYS,
    LEX_TOTAL,
    LEX_FREED,
    LEX_INBOUND,
    LEX_SELLER,
    LEX_AUDITED,
    LEX_OWN,
    LEX_THIRD,
    LEX_PLAN,
    LEX_SUPERLATIVE,
    LEX_INSTRUCTION,
    LEX_RISK,
    LEX_POSITIVE,
    LEX_NEGATIVE,
    LEX_CLAIM,
    LEX_PRESSURE,
    LEX_UNREVIEWED,
    LEX_SAMPLE,
    LEX_CAUTIOUS,
    LEX_BOLD,
    LEX_HALF_NOW,
    LEX_IRREVERSIBLE,
    LEX_REVERSIBLE,
    LEX_AT_MOST,
    LEX_AT_LEAST,
    LEX_ACQUIRE,
    LEX_BUY_IN,
    LEX_IF_NOT,
    LEX_CONCENTRATED,
    LEX_SELLS,
    LEX_PREPARED,
    LEX_ONE_YEAR,
    LEX_LOSS,
    LEX_TIMELINE,
    LEX_EXIT,
    LEX_LOSES,
    LEX_DELTA,
    LEX_LOST,
    LEX_AT_START,
    LEX_WHOLE,
    LEX_GOAL,
    LEX_BANNED,
    LEX__MAX
};

/* The first match at or behind `from`: its place and length. False when there is none. */
bool lex_find(enum lex which, struct str text, size_t from, size_t *at, size_t *len);

static inline bool lex_has(enum lex which, struct str text)
{
    size_t at, len;

    return lex_find(which, text, 0, &at, &len);
}

/* Text that speaks to a program: a word of LEX_INSTRUCTION, or a role ("system:") that opens it. */
bool lex_instructs(struct str text);

/* How many matches there are; negated ones (a negation within three words before) count in *turned
 * instead when it is given. */
int lex_count(enum lex which, struct str text, int *turned);

/* One entry against the text at pos: the length of the match, 0 for none. */
size_t lex_match(const char *entry, struct str text, size_t pos);
