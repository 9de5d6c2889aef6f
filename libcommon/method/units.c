/* units.c: tables of the words that stand around a number, longest first where one begins another.
 */
#include "libcommon/base/compat.h"
#include "libcommon/method/units.h"
#include <strings.h>
#include "libcommon/method/numbers.h"
#include "libcommon/method/unicode.h"

static const struct currency {
    const char *text, *code; /* code "*": the sign of CNY and JPY */
} signs[] = {
    {"HK$", "HKD"}, {"US$", "USD"}, {"NZ$", "NZD"}, {"NT$", "TWD"}, {"CN¥", "CNY"}, {"JP¥", "JPY"},
    {"A$", "AUD"},  {"C$", "CAD"},  {"S$", "SGD"},  {"R$", "BRL"},  {"$", "USD"},   {"€", "EUR"},
    {"£", "GBP"},   {"¥", "*"},     {"₹", "INR"},   {"₩", "KRW"},   {"₽", "RUB"}, {"₫", "VND"},
};
static const struct currency han_names[] = {
    {"人民币", "CNY"}, {"美元", "USD"}, {"美金", "USD"}, {"欧元", "EUR"}, {"英镑", "GBP"},
    {"港元", "HKD"},   {"港币", "HKD"}, {"日元", "JPY"}, {"日圆", "JPY"}, {"韩元", "KRW"},
    {"新元", "SGD"},   {"澳元", "AUD"}, {"加元", "CAD"}, {"瑞郎", "CHF"}, {"元", "CNY"},
};
static const struct currency latin_names[] = {
    {"euros", "EUR"},    {"euro", "EUR"},     {"dollars", "USD"}, {"dollar", "USD"},
    {"pounds", "GBP"},   {"sterling", "GBP"}, {"yen", "JPY"},     {"yuan", "CNY"},
    {"renminbi", "CNY"}, {"RMB", "CNY"},      {"francs", "CHF"},  {"rupees", "INR"},
};
static const char *const iso_codes[] = {
    "EUR", "USD", "GBP", "CHF", "CNY", "JPY", "HKD", "AUD", "CAD", "SGD", "NZD", "SEK",
    "NOK", "DKK", "PLN", "CZK", "HUF", "INR", "KRW", "TWD", "THB", "VND", "IDR", "MYR",
    "PHP", "BRL", "MXN", "ZAR", "TRY", "AED", "SAR", "ILS", "RUB", "RON",
};

static bool iso_at(struct str s, size_t pos, size_t *end, const char **code)
{
    for (size_t i = 0; i < ARRAY_LEN(iso_codes); i++) {
        if (!text_at(s, pos, iso_codes[i]))
            continue;
        if (pos + 3 < s.n && unicode_alpha((unsigned char)s.p[pos + 3]))
            continue;
        *end = pos + 3;
        *code = iso_codes[i];
        return true;
    }
    return false;
}

static bool sign_at(struct str s, size_t pos, bool zh, size_t *end, const char **code)
{
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (!text_at(s, pos, signs[i].text))
            continue;
        *end = pos + strlen(signs[i].text);
        *code = signs[i].code[0] != '*' ? signs[i].code : zh ? "CNY" : "";
        return true;
    }
    return false;
}

static bool name_at(const struct currency *rows, size_t n, struct str s, size_t pos, size_t *end,
                    const char **code)
{
    for (size_t i = 0; i < n; i++) {
        bool latin = unicode_alpha((unsigned char)rows[i].text[0]);
        if (!(latin ? word_at(s, pos, rows[i].text) : text_at(s, pos, rows[i].text)))
            continue;
        *end = pos + strlen(rows[i].text);
        *code = rows[i].code;
        return true;
    }
    return false;
}

bool units_currency(struct str s, size_t pos, bool zh, size_t *end, const char **code)
{
    if (sign_at(s, pos, zh, end, code) || iso_at(s, pos, end, code))
        return true;
    if (text_at(s, pos, "RMB")) {
        *end = pos + 3;
        *code = "CNY";
        return true;
    }
    return name_at(han_names, ARRAY_LEN(han_names) - 1, s, pos, end, code);
}

bool units_currency_behind(struct str s, size_t pos, bool zh, size_t *end, const char **code)
{
    if (units_currency(s, pos, zh, end, code)) {
        if (strcmp(*code, "CNY") == 0 && text_at(s, *end, "元")) /* 万人民币元 */
            *end += 3;
        return true;
    }
    return name_at(latin_names, ARRAY_LEN(latin_names), s, pos, end, code) ||
           name_at(han_names, ARRAY_LEN(han_names), s, pos, end, code);
}

#define YEARS(word, factor)        \
    {                              \
        word, FIGURE_YEARS, factor \
    }
static const struct unit_word unit_words[] = {
    {"percentage points", FIGURE_RATIO_POINTS, 0.01},
    {"percentage point", FIGURE_RATIO_POINTS, 0.01},
    {"percent points", FIGURE_RATIO_POINTS, 0.01},
    {"% points", FIGURE_RATIO_POINTS, 0.01},
    {"%-points", FIGURE_RATIO_POINTS, 0.01},
    {"个百分点", FIGURE_RATIO_POINTS, 0.01},
    {"百分点", FIGURE_RATIO_POINTS, 0.01},
    {"pp", FIGURE_RATIO_POINTS, 0.01},
    {"basis points", FIGURE_RATIO, 1e-4},
    {"basis point", FIGURE_RATIO, 1e-4},
    {"个基点", FIGURE_RATIO, 1e-4},
    {"基点", FIGURE_RATIO, 1e-4},
    {"bps", FIGURE_RATIO, 1e-4},
    {"bp", FIGURE_RATIO, 1e-4},
    {"percent", FIGURE_RATIO, 0.01},
    {"per cent", FIGURE_RATIO, 0.01},
    {"pct", FIGURE_RATIO, 0.01},
    {"%", FIGURE_RATIO, 0.01},
    {"times", FIGURE_MULTIPLE, 1},
    {"x", FIGURE_MULTIPLE, 1},
    {"倍", FIGURE_MULTIPLE, 1},
    YEARS("years", 1),
    YEARS("year", 1),
    YEARS("yrs", 1),
    YEARS("yr", 1),
    YEARS("个年", 1),
    YEARS("quarters", 0.25),
    YEARS("个季度", 0.25),
    YEARS("季度", 0.25),
    YEARS("months", 1.0 / 12),
    YEARS("month", 1.0 / 12),
    YEARS("mths", 1.0 / 12),
    YEARS("mos", 1.0 / 12),
    YEARS("个月", 1.0 / 12),
    YEARS("weeks", 1.0 / 52),
    YEARS("week", 1.0 / 52),
    YEARS("wks", 1.0 / 52),
    YEARS("星期", 1.0 / 52),
    YEARS("周", 1.0 / 52),
    YEARS("个星期", 1.0 / 52),
    YEARS("days", 1.0 / 365),
    YEARS("day", 1.0 / 365),
    YEARS("天", 1.0 / 365),
    YEARS("年", 1),
};

const struct unit_word *units_behind(struct str s, size_t pos, size_t *end)
{
    size_t p = pos;

    if (p < s.n && (s.p[p] == ' ' ||
                    (s.p[p] == '-' && p + 1 < s.n && unicode_alpha((unsigned char)s.p[p + 1]))))
        p++;
    for (size_t i = 0; i < ARRAY_LEN(unit_words); i++) {
        const struct unit_word *u = &unit_words[i];
        size_t n = strlen(u->word);
        bool latin = unicode_alpha((unsigned char)u->word[n - 1]);

        if (!(latin ? word_at(s, p, u->word) : text_at(s, p, u->word)))
            continue;
        if (strcmp(u->word, "x") == 0 && p != pos)
            continue; /* "5 x 3" multiplies */
        *end = p + n;
        return u;
    }
    return NULL;
}

static const struct period_word {
    const char *word, *period;
} periods[] = {
    {"per calendar month", "month"},
    {"per month", "month"},
    {"a month", "month"},
    {"each month", "month"},
    {"every month", "month"},
    {"monthly", "month"},
    {"/month", "month"},
    {"/mo", "month"},
    {"p.m.", "month"},
    {"/ month", "month"},
    {"and month", "month"},
    {"per year", "year"},
    {"a year", "year"},
    {"each year", "year"},
    {"every year", "year"},
    {"per annum", "year"},
    {"p.a.", "year"},
    {"pa", "year"},
    {"yearly", "year"},
    {"annually", "year"},
    {"/year", "year"},
    {"/yr", "year"},
    {"/ year", "year"},
    {"and year", "year"},
    {"a quarter", "quarter"},
    {"per quarter", "quarter"},
    {"quarterly", "quarter"},
    {"per week", "week"},
    {"a week", "week"},
    {"weekly", "week"},
    {"/week", "week"},
    {"per day", "day"},
    {"a day", "day"},
    {"daily", "day"},
    {"/day", "day"},
    {"/月", "month"},
    {"每月", "month"},
    {"/年", "year"},
    {"每年", "year"},
    {"/季度", "quarter"},
    {"/周", "week"},
    {"/天", "day"},
    {"/日", "day"},
};

static const char *period_at(struct str s, size_t p, size_t *end)
{
    for (size_t i = 0; i < ARRAY_LEN(periods); i++) {
        const char *w = periods[i].word;
        size_t n = strlen(w);
        bool latin = unicode_alpha((unsigned char)w[n - 1]);

        if (!(latin ? word_at(s, p, w) : s.n - p >= n && strncasecmp(s.p + p, w, n) == 0))
            continue;
        *end = p + n;
        return periods[i].period;
    }
    return NULL;
}

static size_t skip_word(struct str s, size_t p)
{
    while (p < s.n && unicode_alpha((unsigned char)s.p[p]))
        p++;
    return p;
}

const char *units_period_behind(struct str s, size_t pos, size_t *end)
{
    size_t p = skip_blank(s, pos);
    const char *found;

    if (p >= s.n)
        return NULL;
    if ((found = period_at(s, p, end)) != NULL)
        return found;
    /* "per customer and month", "per customer per month", "a unit a year" */
    bool per = word_at(s, p, "per") || word_at(s, p, "a");
    if (!per)
        return NULL;
    size_t word = skip_blank(s, skip_word(s, p));
    size_t next = skip_blank(s, skip_word(s, word));
    return next > word && next < s.n ? period_at(s, next, end) : NULL;
}

static const struct per_word {
    const char *word;
    double count;
} per_words[] = {
    {"per hundred", 100}, {"per thousand", 1000}, {"per million", 1e6},
    {"per dozen", 12},    {"a dozen", 12},        {"每百", 100},
    {"每千", 1000},       {"每万", 1e4},          {"每打", 12},
    {"/打", 12},
};
static const char *const unit_nouns[] = {
    "unit",     "units",     "piece", "pieces", "pcs",    "pc",      "item",     "items",
    "customer", "customers", "user",  "users",  "seat",   "seats",   "employee", "head",
    "housing",  "part",      "parts", "order",  "parcel", "account", "store",    "site",
    "tonne",    "ton",       "kg",    "litre",  "hour",   "set",
};

double units_per(struct str s, size_t pos, size_t *end)
{
    size_t p = skip_blank(s, pos);
    struct number n;

    for (size_t i = 0; i < ARRAY_LEN(per_words); i++) {
        if (s.n - p >= strlen(per_words[i].word) &&
            strncasecmp(s.p + p, per_words[i].word, strlen(per_words[i].word)) == 0) {
            *end = p + strlen(per_words[i].word);
            return per_words[i].count;
        }
    }
    if (word_at(s, p, "each") || text_at(s, p, "每件") || text_at(s, p, "/件") ||
        text_at(s, p, "每台")) {
        *end = p + (text_at(s, p, "/") ? 4 : text_at(s, p, "each") ? 4 : 6);
        return 1;
    }
    bool slash = text_at(s, p, "/");
    bool per = word_at(s, p, "per"), each = word_at(s, p, "a") || word_at(s, p, "an");
    if (!slash && !per && !each)
        return 0;
    p = skip_blank(s, p + (slash ? 1 : per ? 3 : word_at(s, p, "an") ? 2 : 1));
    double count = 1;
    if (!each && number_digits(s, p, &n)) {
        count = n.value;
        p = skip_blank(s, n.end);
    }
    for (size_t i = 0; i < ARRAY_LEN(unit_nouns); i++) {
        if (word_at(s, p, unit_nouns[i])) {
            *end = p + strlen(unit_nouns[i]);
            return count;
        }
    }
    *end = p;
    return count != 1 && count > 0 ? count : 0;
}

static const struct scale_word {
    const char *word;
    double scale;
} scale_words[] = {
    {"thousands", 1e3}, {"thousand", 1e3}, {"millions", 1e6}, {"million", 1e6}, {"billions", 1e9},
    {"billion", 1e9},   {"crore", 1e7},    {"lakh", 1e5},     {"'000", 1e3},    {"000s", 1e3},
};
static const struct scale_word han_scales[] = {
    {"千亿", 1e11}, {"百亿", 1e10}, {"十亿", 1e9}, {"千万", 1e7}, {"百万", 1e6},
    {"十万", 1e5},  {"万", 1e4},    {"亿", 1e8},   {"千", 1e3},
};
static const struct scale_word letter_scales[] = {
    {"k", 1e3},   {"m", 1e6},  {"mn", 1e6}, {"mm", 1e6},
    {"mio", 1e6}, {"bn", 1e9}, {"b", 1e9},  {"000", 1e3},
};

/* A word of a header is a run of letters: "cost_kchf" has "cost" and "kchf". */
static bool header_word(struct str s, size_t *pos, struct str *word)
{
    size_t p = *pos;

    while (p < s.n && !unicode_alnum((unsigned char)s.p[p]))
        p++;
    size_t start = p;
    while (p < s.n && unicode_alnum((unsigned char)s.p[p]))
        p++;
    *word = (struct str){s.p + start, p - start};
    *pos = p;
    return p > start;
}

static const char *iso_of(struct str w, bool any_case)
{
    for (size_t i = 0; i < ARRAY_LEN(iso_codes); i++)
        if (w.n == 3 &&
            (any_case ? strncasecmp(w.p, iso_codes[i], 3) : memcmp(w.p, iso_codes[i], 3)) == 0)
            return iso_codes[i];
    return w.n == 3 && strncasecmp(w.p, "RMB", 3) == 0 ? "CNY" : NULL;
}

static double letter_scale(struct str w)
{
    for (size_t i = 0; i < ARRAY_LEN(letter_scales); i++)
        if (w.n == strlen(letter_scales[i].word) &&
            strncasecmp(w.p, letter_scales[i].word, w.n) == 0)
            return letter_scales[i].scale;
    return 0;
}

static void phrase_word(struct unit_phrase *u, struct str w, struct str before, bool comment)
{
    const char *code = iso_of(w, !comment);
    double letter = letter_scale(w);

    if (code != NULL) {
        u->currency = code;
        if (letter_scale(before) > 1 && u->scale == 1)
            u->scale = letter_scale(before);
    } else if (w.n >= 4 && w.n <= 5 && iso_of((struct str){w.p + w.n - 3, 3}, true) != NULL &&
               letter_scale((struct str){w.p, w.n - 3}) > 1) { /* kchf, mnEUR */
        u->currency = iso_of((struct str){w.p + w.n - 3, 3}, true);
        u->scale = letter_scale((struct str){w.p, w.n - 3});
    } else if (letter > 1 && iso_of(before, !comment) != NULL) { /* EUR m, usd_k */
        u->scale = letter;
    } else if (w.n >= 4 && w.n <= 5 && iso_of((struct str){w.p, 3}, false) != NULL &&
               letter_scale((struct str){w.p + 3, w.n - 3}) > 1) { /* EURk */
        u->currency = iso_of((struct str){w.p, 3}, false);
        u->scale = letter_scale((struct str){w.p + 3, w.n - 3});
    }
    for (size_t i = 0; i < ARRAY_LEN(scale_words); i++)
        if (w.n == strlen(scale_words[i].word) && strncasecmp(w.p, scale_words[i].word, w.n) == 0)
            u->scale = scale_words[i].scale;
    u->ratio |= !comment && (str_ieq(w, STR("pct")) || str_ieq(w, STR("percent")));
    for (size_t i = 0; !comment && i < ARRAY_LEN(unit_words); i++)
        if (unit_words[i].unit == FIGURE_YEARS && w.n == strlen(unit_words[i].word) && w.n > 2 &&
            w.p[w.n - 1] == 's' && strncasecmp(w.p, unit_words[i].word, w.n) == 0)
            u->duration = unit_words[i].factor;
}

/* Chinese: the scale directly before a currency, or behind 单位. */
static void phrase_han(struct unit_phrase *u, struct str s, bool zh)
{
    ptrdiff_t unit = str_find(s, STR("单位"));

    for (size_t p = 0; p < s.n; p++) {
        size_t end;
        const char *code;

        for (size_t i = 0; i < ARRAY_LEN(han_scales); i++) {
            if (!text_at(s, p, han_scales[i].word))
                continue;
            size_t behind = p + strlen(han_scales[i].word);
            bool money = units_currency_behind(s, behind, zh, &end, &code);
            bool closed = behind >= s.n || strchr(") ,;]|", s.p[behind]) != NULL;
            if (!money && !(unit >= 0 && p > (size_t)unit) && !closed)
                break;
            u->scale = han_scales[i].scale;
            if (money)
                u->currency = code;
            return;
        }
    }
    if (unit < 0 && str_find(s, STR("元")) < 0)
        return;
    for (size_t p = unit < 0 ? 0 : (size_t)unit; p < s.n; p++) {
        size_t end;
        const char *code;
        if (units_currency_behind(s, p, zh, &end, &code) && code[0] != '\0') {
            u->currency = code;
            return;
        }
    }
}

struct unit_phrase units_phrase(struct str s, bool zh, bool comment)
{
    struct unit_phrase u = {.scale = 1, .currency = ""};
    struct str word, before = {NULL, 0};
    size_t pos = 0;

    while (header_word(s, &pos, &word)) {
        phrase_word(&u, word, before, comment);
        before = word;
    }
    for (size_t i = 0; i < ARRAY_LEN(signs) && u.currency[0] == '\0'; i++) {
        ptrdiff_t at = str_find(s, str_of(signs[i].text));
        bool amount = at >= 0 && (size_t)at + strlen(signs[i].text) < s.n &&
                      unicode_digit((unsigned char)s.p[(size_t)at + strlen(signs[i].text)]);
        if (at >= 0 && !amount && signs[i].code[0] != '*')
            u.currency = signs[i].code;
        size_t letter = (size_t)at + strlen(signs[i].text);
        struct str one = {s.p + letter, 1};
        if (at >= 0 && !amount && u.scale == 1 && letter < s.n && letter_scale(one) > 1)
            u.scale = letter_scale(one);
    }
    u.ratio |= !comment && str_find(s, STR("%")) >= 0;
    phrase_han(&u, s, zh);
    return u;
}
