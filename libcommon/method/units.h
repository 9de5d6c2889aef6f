/* units.h: the words around a number that say what it counts: currencies, ratios, durations,
 * multiples, periods. One table each; figures.c puts them together. */
#pragma once
#include "libcommon/method/figures.h"

/* A currency that starts at pos ("€", "HK$", "EUR", "人民币"); *end behind it. code is "" when the
 * sign alone does not tell ("¥" outside Chinese). */
bool units_currency(struct str s, size_t pos, bool zh, size_t *end, const char **code);
/* The same behind a number: also "dollars", "euros", "元", "美元". */
bool units_currency_behind(struct str s, size_t pos, bool zh, size_t *end, const char **code);

struct unit_word {
    const char *word;
    enum figure_unit unit;
    double factor; /* the value is multiplied by it */
};
/* "%", "bps", "years", "个月", "x", "倍" behind a number (after at most one space or hyphen). */
const struct unit_word *units_behind(struct str s, size_t pos, size_t *end);

/* "a year", "per month", "/月" at pos: "year", "month", "quarter", "week", "day" or NULL. */
const char *units_period_behind(struct str s, size_t pos, size_t *end);

/* "per 100 units", "per dozen", "each", "每百件" at pos: how many; 0 when there is none. */
double units_per(struct str s, size_t pos, size_t *end);

/* What a header or comment line says of all figures below it: scale and currency. */
struct unit_phrase {
    double scale;         /* 1 when it says none */
    const char *currency; /* "" when it says none */
    bool ratio;           /* "%" */
    double duration;      /* "lead_time_weeks": 1/52; 0 when it says none */
};
/* "in thousands of EUR", "EUR m", "单位：万元", "cost_kchf". comment: only explicit words count. */
struct unit_phrase units_phrase(struct str s, bool zh, bool comment);
