/* numbers.c: digits with their groups, then two small grammars. English cardinals add up between
 * the scale words; Chinese numerals add up between 万 and 亿. Both stop at the first word that does
 * not fit, so "two and the rest" is 2. */
#include "libcommon/base/compat.h"
#include "libcommon/method/numbers.h"
#include <math.h>
#include <strings.h>
#include "libcommon/method/unicode.h"

#define DIGITS_MAX 40

bool text_at(struct str s, size_t pos, const char *z)
{
    size_t n;

    if (pos >= s.n || s.p[pos] != z[0])
        return false;
    n = strlen(z);
    return pos <= s.n && s.n - pos >= n && memcmp(s.p + pos, z, n) == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool word_at(struct str s, size_t pos, const char *w)
{
    size_t n;

    if (pos >= s.n || lower(s.p[pos]) != lower(w[0])) /* nearly always */
        return false;
    n = strlen(w);
    if (s.n - pos < n || strncasecmp(s.p + pos, w, n) != 0)
        return false;
    return pos + n == s.n || !unicode_alnum((unsigned char)s.p[pos + n]);
}

size_t skip_blank(struct str s, size_t pos)
{
    while (pos < s.n && (s.p[pos] == ' ' || s.p[pos] == '\t'))
        pos++;
    return pos;
}

static size_t digit_run(struct str s, size_t pos)
{
    size_t n = 0;

    while (pos + n < s.n && unicode_digit((unsigned char)s.p[pos + n]))
        n++;
    return n;
}

/* "," "'" or a space, before exactly three digits. */
static bool is_group(struct str s, size_t pos, char sep)
{
    return pos < s.n && s.p[pos] == sep && digit_run(s, pos + 1) == 3;
}

struct digits {
    char text[DIGITS_MAX];
    size_t n;
};

static bool put_digits(struct digits *d, struct str s, size_t pos, size_t n)
{
    if (d->n + n + 2 >= DIGITS_MAX)
        return false;
    memcpy(d->text + d->n, s.p + pos, n);
    d->n += n;
    return true;
}

/* Groups of one separator behind the first run. Returns the end, or 0 when there is no group. */
static size_t read_groups(struct str s, size_t pos, char sep, struct digits *d, int *groups)
{
    *groups = 0;
    while (is_group(s, pos, sep)) {
        if (!put_digits(d, s, pos + 1, 3))
            return 0;
        pos += 4;
        *groups += 1;
    }
    return pos;
}

static size_t read_integer_part(struct str s, size_t pos, size_t first, struct digits *d, char *sep)
{
    static const char seps[] = {',', '\'', ' ', '.'};
    bool zero = s.p[pos - first] == '0';

    *sep = 0;
    if (first > 3 || zero)
        return pos;
    for (size_t i = 0; i < sizeof(seps); i++) {
        struct digits trial = *d;
        int groups;
        size_t end = read_groups(s, pos, seps[i], &trial, &groups);

        if (end == 0 || groups == 0)
            continue;
        /* A lone point is the decimal; several group. A point before and a comma behind groups. */
        if (seps[i] == '.' && groups == 1 &&
            !(end < s.n && s.p[end] == ',' && digit_run(s, end + 1)))
            continue;
        *d = trial;
        *sep = seps[i];
        return end;
    }
    return pos;
}

bool number_digits(struct str s, size_t pos, struct number *out)
{
    struct digits d = {.n = 0};
    size_t first = digit_run(s, pos), p = pos + first, fraction = 0;
    bool point_first = first == 0 && text_at(s, pos, ".") && digit_run(s, pos + 1) > 0;
    char sep = 0;

    if ((first == 0 && !point_first) || !put_digits(&d, s, pos, first))
        return false;
    if (first > 0)
        p = read_integer_part(s, p, first, &d, &sep);
    bool decimal = p < s.n && (s.p[p] == '.' || s.p[p] == ',') && s.p[p] != sep;
    if (decimal)
        fraction = digit_run(s, p + 1);
    /* "1,2,3" is a list; so is a comma behind a point. */
    bool listed = fraction > 0 && s.p[p] == ',' && p + 1 + fraction < s.n &&
                  s.p[p + 1 + fraction] == ',' && digit_run(s, p + 2 + fraction) > 0;
    if (fraction > 0 && !listed) {
        d.text[d.n++] = '.';
        if (!put_digits(&d, s, p + 1, fraction))
            return false;
    }
    char clean[DIGITS_MAX + 2] = "0";
    memcpy(clean + 1, d.text, d.n);
    *out = (struct number){.value = strtod(clean, NULL)};
    out->ambiguous = !listed && fraction == 3 && s.p[p] == '.' && sep == 0 && first > 0;
    out->end = fraction > 0 && !listed ? p + 1 + fraction : p;
    out->bare = out->end - pos <= 4 && out->end == pos + first;
    out->leading0 = first > 1 && s.p[pos] == '0';
    return true;
}

static const struct numeral {
    const char *word;
    double value;
} cardinals[] = {
    {"zero", 0},     {"one", 1},      {"two", 2},        {"three", 3},     {"four", 4},
    {"five", 5},     {"six", 6},      {"seven", 7},      {"eight", 8},     {"nine", 9},
    {"ten", 10},     {"eleven", 11},  {"twelve", 12},    {"thirteen", 13}, {"fourteen", 14},
    {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19},
    {"twenty", 20},  {"thirty", 30},  {"forty", 40},     {"fifty", 50},    {"sixty", 60},
    {"seventy", 70}, {"eighty", 80},  {"ninety", 90},
};

static const struct numeral english_scales[] = {
    {"dozen", 12},      {"thousand", 1e3}, {"million", 1e6}, {"billion", 1e9},
    {"trillion", 1e12}, {"lakh", 1e5},     {"crore", 1e7},
};

static const struct numeral *numeral_at(const struct numeral *rows, size_t n, struct str s,
                                        size_t pos)
{
    for (size_t i = 0; i < n; i++)
        if (word_at(s, pos, rows[i].word))
            return &rows[i];
    return NULL;
}

/* Over one space or hyphen. */
static size_t next_word(struct str s, size_t pos)
{
    if (pos < s.n && (s.p[pos] == ' ' || s.p[pos] == '-'))
        pos++;
    return pos;
}

/* "half", "a half", "a quarter": *value and the end; pos when it is none. */
static size_t fraction_at(struct str s, size_t pos, double *value)
{
    size_t p = word_at(s, pos, "a") ? next_word(s, pos + 1) : pos;

    *value = word_at(s, p, "half") ? 0.5 : word_at(s, p, "quarter") ? 0.25 : 0;
    return *value == 0.5 ? p + 4 : *value == 0.25 ? p + 7 : pos;
}

struct english {
    double total, part;
    bool any, scaled;
    size_t end;
};

static bool english_step(struct english *e, struct str s, size_t *pos)
{
    const struct numeral *n = numeral_at(cardinals, ARRAY_LEN(cardinals), s, *pos);
    double f;

    if (n != NULL) {
        bool fits = !e->any || e->part == 0 || (e->part >= 100 && fmod(e->part, 100) == 0) ||
                    (fmod(e->part, 10) == 0 && fmod(e->part, 100) >= 20 && n->value < 10);
        if (!fits)
            return false;
        e->part += n->value;
    } else if (word_at(s, *pos, "hundred") && e->part > 0 && e->part < 100) {
        e->part *= 100;
        *pos += 7;
        e->any = true;
        return true;
    } else if (e->any && (n = numeral_at(english_scales, ARRAY_LEN(english_scales), s, *pos))) {
        e->total += (e->part == 0 ? 1 : e->part) * n->value;
        e->part = 0;
        e->scaled = true;
    } else if (e->any && word_at(s, *pos, "and")) {
        size_t next = next_word(s, *pos + 3);
        size_t end = fraction_at(s, next, &f);

        if (end != next) { /* "two and a half" */
            e->part += f;
            *pos = end;
            return true;
        }
        bool goes_on = numeral_at(cardinals, ARRAY_LEN(cardinals), s, next) != NULL &&
                       (e->scaled || e->part >= 100);
        *pos = next;
        return goes_on;
    } else {
        return false;
    }
    *pos += strlen(n->word);
    e->any = true;
    return true;
}

/* "half a million", "a quarter of a million", "a hundred", "a dozen". */
static bool english_opening(struct english *e, struct str s, size_t *pos)
{
    double f;
    size_t end = fraction_at(s, *pos, &f);

    if (end != *pos) {
        size_t p = next_word(s, end);
        if (word_at(s, p, "of"))
            p = next_word(s, p + 2);
        if (word_at(s, p, "a"))
            p = next_word(s, p + 1);
        if (numeral_at(english_scales, ARRAY_LEN(english_scales), s, p) == NULL)
            return false;
        *e = (struct english){.part = f, .any = true};
        *pos = p;
        return true;
    }
    if (!word_at(s, *pos, "a"))
        return true;
    size_t p = next_word(s, *pos + 1);
    if (!word_at(s, p, "hundred") &&
        numeral_at(english_scales, ARRAY_LEN(english_scales), s, p) == NULL)
        return false;
    *e = (struct english){.part = 1, .any = true};
    *pos = p;
    return true;
}

bool number_english(struct str s, size_t pos, struct number *out)
{
    struct english e = {0};
    size_t p = pos;

    if (!english_opening(&e, s, &p))
        return false;
    e.end = pos;
    while (english_step(&e, s, &p)) {
        e.end = p;
        p = next_word(s, p);
    }
    if (!e.any || e.end == pos)
        return false;
    *out = (struct number){.value = e.total + e.part, .end = e.end, .words = true};
    return true;
}

static const struct numeral chinese_digits[] = {
    {"零", 0}, {"〇", 0}, {"一", 1}, {"二", 2}, {"两", 2}, {"三", 3}, {"四", 4},
    {"五", 5}, {"六", 6}, {"七", 7}, {"八", 8}, {"九", 9}, {"壹", 1}, {"贰", 2},
    {"叁", 3}, {"肆", 4}, {"伍", 5}, {"陆", 6}, {"柒", 7}, {"捌", 8}, {"玖", 9},
};
static const struct numeral chinese_units[] = {
    {"十", 10}, {"百", 100}, {"千", 1000}, {"拾", 10}, {"佰", 100}, {"仟", 1000},
};
static const struct numeral chinese_myriads[] = {{"万", 1e4}, {"亿", 1e8}};

static const struct numeral *han_at(const struct numeral *rows, size_t n, struct str s, size_t pos)
{
    for (size_t i = 0; i < n; i++)
        if (text_at(s, pos, rows[i].word))
            return &rows[i];
    return NULL;
}

#define HAN_AT(rows, s, pos) han_at(rows, ARRAY_LEN(rows), s, pos)
#define HAN_BYTES 3

struct chinese {
    double total, section, digit; /* below: 亿 and 万 summed, since the last of them, pending */
    double last_unit;             /* of the last unit: 三千五 is 3500 */
    bool pending, units, zero;
    int digits;
};

/* 亿 takes all before it, 万 only what stands since the last 亿. */
static void chinese_myriad(struct chinese *c, double unit)
{
    double part = c->section + (c->pending ? c->digit : 0);

    if (unit == 1e8) {
        c->total = (c->total + part) * unit;
        if (c->total == 0)
            c->total = unit;
    } else {
        double high = floor(c->total / 1e8) * 1e8;
        c->total = high + (c->total - high + part) * unit;
    }
    c->section = c->digit = 0;
    c->pending = false;
    c->units = true;
    c->last_unit = unit;
    c->zero = false;
}

static double chinese_value(const struct chinese *c)
{
    double tail = c->pending ? c->digit : 0;

    /* 三千五: the digit counts tenths of the unit before it, unless 零 stands between. */
    if (tail > 0 && c->units && !c->zero && c->last_unit >= 100 && c->digits == 1)
        tail *= c->last_unit / 10;
    return c->total + c->section + tail;
}

static bool chinese_fraction(struct str s, size_t *pos, double *value)
{
    double unit = 0.1;
    size_t p = *pos + HAN_BYTES;
    const struct numeral *n;

    if (HAN_AT(chinese_digits, s, p) == NULL)
        return false;
    for (*value = 0; (n = HAN_AT(chinese_digits, s, p)) != NULL && unit > 1e-9; p += HAN_BYTES) {
        *value += n->value * unit;
        unit /= 10;
    }
    *pos = p;
    return true;
}

static bool chinese_step(struct chinese *c, struct str s, size_t *pos)
{
    const struct numeral *n = HAN_AT(chinese_digits, s, *pos);
    double f;

    if (n != NULL) {
        c->zero = c->zero || n->value == 0;
        c->digit = c->pending && c->digits > 0 ? c->digit * 10 + n->value : n->value;
        c->digits++;
        c->pending = true;
    } else if ((n = HAN_AT(chinese_units, s, *pos)) != NULL) {
        if (!c->pending && n->value != 10) /* 百 without a digit before it is no number */
            return false;
        c->section += (c->pending ? c->digit : 1) * n->value;
        c->last_unit = n->value;
        c->pending = c->zero = false;
        c->units = true;
        c->digits = 0;
    } else if ((n = HAN_AT(chinese_myriads, s, *pos)) != NULL) {
        if (c->section == 0 && c->total == 0 && !c->pending)
            return false;
        chinese_myriad(c, n->value);
        c->digits = 0;
    } else if (text_at(s, *pos, "点") && (c->pending || c->units) && chinese_fraction(s, pos, &f)) {
        c->digit = (c->pending ? c->digit : 0) + f;
        c->pending = true;
        c->digits = 2;
        return true;
    } else if (text_at(s, *pos, "半") && c->units && !c->pending && c->last_unit >= 1e4) {
        c->total += c->last_unit / 2; /* 三万半 */
        *pos += HAN_BYTES;
        return true;
    } else {
        return false;
    }
    *pos += HAN_BYTES;
    return true;
}

bool number_chinese(struct str s, size_t pos, struct number *out)
{
    struct chinese c = {0};
    size_t p = pos;

    /* "百万" and "千万" alone count something else: 数百万. 百 needs its digit. */
    if (HAN_AT(chinese_digits, s, p) == NULL && !text_at(s, p, "十") && !text_at(s, p, "拾"))
        return false;
    while (p < s.n && p - pos < 60 && chinese_step(&c, s, &p))
        ;
    if (p == pos)
        return false;
    *out = (struct number){.value = chinese_value(&c), .end = p, .words = true};
    out->chinese_unit = c.units;
    out->bare = !c.units && p - pos == HAN_BYTES;
    return true;
}

static const struct numeral latin_scales[] = {
    {"thousand", 1e3},  {"k", 1e3},      {"million", 1e6},  {"mio", 1e6},      {"mm", 1e6},
    {"mn", 1e6},        {"m", 1e6},      {"billion", 1e9},  {"bn", 1e9},       {"b", 1e9},
    {"trillion", 1e12}, {"tn", 1e12},    {"t", 1e12},       {"lakh", 1e5},     {"lakhs", 1e5},
    {"crore", 1e7},     {"crores", 1e7}, {"millions", 1e6}, {"billions", 1e9}, {"thousands", 1e3},
    {"dozen", 12},      {"mrd", 1e9},
};

/* 千 百 十 before 万 or 亿 multiply: 千万, 百亿, 万亿. */
static double chinese_scale(struct str s, size_t pos, size_t *end)
{
    double scale = 1;
    const struct numeral *n;

    *end = pos;
    while ((n = HAN_AT(chinese_units, s, *end)) != NULL ||
           (n = HAN_AT(chinese_myriads, s, *end)) != NULL) {
        if (scale * n->value > 1e13)
            break;
        scale *= n->value;
        *end += HAN_BYTES;
    }
    return scale;
}

double number_scale(struct str s, size_t pos, size_t *end)
{
    size_t p = skip_blank(s, pos);
    double scale = chinese_scale(s, p, end);

    if (*end != p)
        return scale;
    for (size_t i = 0; p <= pos + 1 && i < ARRAY_LEN(latin_scales); i++) {
        if (word_at(s, p, latin_scales[i].word)) {
            *end = p + strlen(latin_scales[i].word);
            return latin_scales[i].value;
        }
    }
    if (p == pos + 1 || !text_at(s, p, "-")) { /* "a 5-million loan" */
        *end = pos;
        return 1;
    }
    for (size_t i = 0; i < ARRAY_LEN(latin_scales); i++) {
        size_t n = strlen(latin_scales[i].word);
        if (n > 4 && word_at(s, p + 1, latin_scales[i].word)) {
            *end = p + 1 + n;
            return latin_scales[i].value;
        }
    }
    *end = pos;
    return 1;
}
