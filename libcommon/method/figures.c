/* figures.c: a text is cut into sentences and table rows (figures_table.c); within each, a scanner
 * steps from word to word, sets dates and ordinals aside, and reads a figure where sign, currency,
 * number, scale and unit fit together. What a figure cannot know from its own words (period,
 * timing, the unit of its column) is added afterwards from what stands around it. */
#include "libcommon/base/compat.h"
#include "libcommon/method/figures.h"
#include <math.h>
#include <strings.h>
#include "libcommon/method/dates.h"
#include "libcommon/method/figures_scan.h"
#include "libcommon/method/numbers.h"
#include "libcommon/method/segments.h"
#include "libcommon/method/unicode.h"
#include "libcommon/method/units.h"

#define FIGURES_TEXT_MAX (1u << 20)
#define FIGURES_MAX 20000
#define LOOK_BACK 48

/* A figure being read: the number apart from what multiplies it, since a range shares that. */
struct raw {
    struct figure f;
    double number, scale, factor;
};

static const char *const unit_names[FIGURE_UNIT__MAX] = {
    "number", "currency", "ratio", "ratio_points", "years", "multiple", "date", "unknown"};

const char *figure_unit_name(enum figure_unit unit)
{
    return unit < FIGURE_UNIT__MAX ? unit_names[unit] : "unknown";
}

static void push(struct scan *sc, const struct figure *f)
{
    if (sc->count == sc->cap) {
        size_t cap = sc->cap == 0 ? 32 : sc->cap * 2;
        struct figure *out = arena_array(sc->a, struct figure, cap);
        if (sc->cap > 0)
            memcpy(out, sc->out, sc->cap * sizeof(*out));
        sc->out = out;
        sc->cap = cap;
    }
    if (sc->count < FIGURES_MAX)
        sc->out[sc->count++] = *f;
}

static void set_currency(struct raw *r, const char *code)
{
    r->f.unit = FIGURE_CURRENCY;
    snprintf(r->f.currency, sizeof(r->f.currency), "%s", code);
    r->f.ambiguous = r->f.ambiguous || code[0] == '\0';
}

static size_t minus_at(struct str s, size_t p)
{
    static const char *const signs[] = {"-", "−", "–", "负", "minus ", "negative "};

    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (text_at(s, p, signs[i]))
            return strlen(signs[i]);
    return 0;
}

/* Only where no word stands directly before, or "Q3-5" would be negative. */
static bool may_be_signed(struct str s, size_t from, size_t pos)
{
    return pos == from || strchr(" (|,:;=\t\n[\"", s.p[pos - 1]) != NULL ||
           (unsigned char)s.p[pos - 1] >= 0x80;
}

/* Accountants' brackets stand alone in a cell or behind a sign, not behind a word. */
static bool may_be_bracketed(struct str s, size_t from, size_t pos)
{
    size_t p = pos;

    while (p > from && (s.p[p - 1] == ' ' || s.p[p - 1] == '\t'))
        p--;
    return p == from || strchr("|,:;=\n", s.p[p - 1]) != NULL;
}

struct head {
    size_t number; /* where the number begins */
    bool negative, bracket, has_currency;
    const char *currency;
};

/* Bracket, sign, currency, sign. */
static struct head read_head(const struct scan *sc, size_t from, size_t pos)
{
    struct head h = {.number = pos, .currency = ""};
    struct str s = sc->s;
    size_t end, p = pos, minus;

    if (text_at(s, p, "(") && may_be_bracketed(s, from, p)) {
        h.bracket = true;
        p++;
    }
    if (may_be_signed(s, from, p) && (minus = minus_at(s, p)) > 0) {
        h.negative = true;
        p += minus;
    } else if (text_at(s, p, "+")) {
        p++;
    }
    if (units_currency(s, p, sc->zh, &end, &h.currency)) {
        h.has_currency = true;
        p = skip_blank(s, end);
        minus = minus_at(s, p);
        if (!h.negative && minus > 0) {
            h.negative = true;
            p += minus;
        } else if (!h.bracket && text_at(s, p, "(")) { /* $(4.2)m */
            h.bracket = true;
            p++;
        }
    }
    h.number = p;
    return h;
}

/* 百分之八点五 */
static bool read_hundredths(struct str s, size_t pos, struct number *n)
{
    return text_at(s, pos, "百分之") &&
           (number_digits(s, pos + 9, n) || number_chinese(s, pos + 9, n));
}

static bool tenths_at(struct str s, size_t p)
{
    static const char *const not_tenths[] = {"本", "为", "立", "功", "员", "交", "果", "长", "都",
                                             "分", "绩", "就", "品", "型", "熟", "效", "千", "百"};

    if (!text_at(s, p, "成"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(not_tenths); i++)
        if (text_at(s, p + 3, not_tenths[i]))
            return false;
    return true;
}

/* 三成, 三成五 */
static bool read_tenths(struct str s, struct raw *r, size_t *p)
{
    struct number half;

    if (!tenths_at(s, *p) || r->number > 10)
        return false;
    *p += 3;
    r->number /= 10;
    if (number_chinese(s, *p, &half) && half.bare) {
        r->number += half.value / 100;
        *p = half.end;
    } else if (text_at(s, *p, "半")) {
        r->number += 0.05;
        *p += 3;
    }
    r->f.unit = FIGURE_RATIO;
    return true;
}

static const char *const measure_words[] = {
    "家", "人", "名", "位", "台", "件", "次", "项", "户", "吨", "套", "份",     "亩",   "笔", "间",
    "辆", "部", "条", "座", "个", "种", "款", "轮", "组", "批", "只", "平方米", "公里", "万",
};

/* A Chinese numeral in running text counts only with a unit, or 一 in 一定 would be 1. */
static bool chinese_counts(struct str s, const struct number *n, bool has_unit)
{
    if (has_unit)
        return true;
    if (n->chinese_unit && n->value > 10)
        return true;
    if (n->value < 2)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(measure_words); i++)
        if (text_at(s, n->end, measure_words[i]))
            return true;
    return n->end >= s.n;
}

/* Digit groups with Chinese scales go on: 1亿2000万. */
static double more_chinese(struct str s, size_t *p, double scale)
{
    struct number n;
    size_t end;
    double more = 0;

    while (scale >= 1e4 && number_digits(s, *p, &n)) {
        double next = number_scale(s, n.end, &end);
        if (next <= 1 || next >= scale || n.end == end)
            break;
        more += n.value * next;
        scale = next;
        *p = end;
    }
    return more;
}

static bool years_number(const struct scan *sc, size_t from, size_t pos, const struct number *n)
{
    static const char *const counted[] = {"units",    "customers", "people", "employees", "users",
                                          "accounts", "items",     "pieces", "orders",    "stores",
                                          "staff",    "hours",     "sites",  "tonnes",    "trial",
                                          "jobs",     "households"};
    static const char *const dated[] = {"自", "从", "至", "在", "于", "到", "年", "、"};

    if (sc->cell || !n->bare || n->words || n->value < 1900 || n->value > 2100 ||
        n->value != floor(n->value))
        return false;
    size_t p = skip_blank(sc->s, n->end);
    for (size_t i = 0; i < ARRAY_LEN(counted); i++)
        if (word_at(sc->s, p, counted[i]))
            return false;
    bool han_before = pos >= from + 3 && (unsigned char)sc->s.p[pos - 1] >= 0x80;
    for (size_t i = 0; han_before && i < ARRAY_LEN(dated); i++)
        if (text_at(sc->s, pos - 3, dated[i]))
            return true;
    return !han_before;
}

/* "one" and "a" are seldom figures. */
static bool small_word(const struct number *n, bool has_unit)
{
    return n->words && n->value < 2 && !has_unit;
}

static bool half_year_at(struct str s, size_t pos)
{
    return text_at(s, pos, "半年") && !text_at(s, pos + 6, "报") && !text_at(s, pos + 6, "度");
}

/* "数十亿" is no number. */
static bool is_vague(struct str s, size_t from, size_t pos)
{
    return pos >= from + 3 && (text_at(s, pos - 3, "数") || text_at(s, pos - 3, "几"));
}

/* What needs no number or unit behind it: 半年, 百分之八点五. */
static bool read_special(struct str s, const struct head *h, struct raw *r, size_t *p)
{
    struct number n;

    if (half_year_at(s, h->number)) {
        *r = (struct raw){.number = 0.5, .scale = 1, .factor = 1};
        r->f.unit = FIGURE_YEARS;
        *p = h->number + 6;
        return true;
    }
    if (!read_hundredths(s, h->number, &n))
        return false;
    *r = (struct raw){.number = n.value, .scale = 1, .factor = 0.01};
    r->f.unit = FIGURE_RATIO;
    r->f.ambiguous = n.ambiguous;
    *p = n.end;
    return true;
}

static bool read_close(struct str s, const struct head *h, bool closed, size_t *p)
{
    if (!h->bracket || closed || !text_at(s, *p, ")"))
        return closed;
    *p += 1;
    return true;
}

static void read_currency(const struct scan *sc, struct head *h, const struct number *n,
                          struct raw *r, size_t *p)
{
    size_t end;
    const char *code;

    if (h->has_currency)
        set_currency(r, h->currency);
    if (!units_currency_behind(sc->s, skip_blank(sc->s, *p), sc->zh, &end, &code))
        return;
    if (!h->has_currency || h->currency[0] == '\0') { /* what stands behind says it better */
        r->f.ambiguous = n->ambiguous;
        set_currency(r, code);
    }
    h->has_currency = true;
    *p = end;
}

static bool read_unit(struct str s, struct raw *r, size_t *p)
{
    size_t end;
    const struct unit_word *u = units_behind(s, *p, &end);

    if (u == NULL)
        return read_tenths(s, r, p);
    r->f.unit = u->unit;
    r->factor = u->factor;
    *p = end;
    if (u->unit == FIGURE_YEARS && text_at(s, *p, "半")) { /* 两年半 */
        r->number += 0.5;
        *p += 3;
    }
    return true;
}

/* Is what was read a figure, or a word, a year, an id that looks like one? */
static bool counts(const struct scan *sc, size_t from, const struct head *h, const struct number *n,
                   bool has_unit, size_t p)
{
    struct str s = sc->s;
    bool chinese = n->words && (unsigned char)s.p[h->number] >= 0x80;

    if (!n->words && p < s.n && unicode_alpha((unsigned char)s.p[p]) && p == n->end)
        return false; /* "5G", "2nd" */
    if (chinese && (!chinese_counts(s, n, has_unit) || is_vague(s, from, h->number)))
        return false;
    if (chinese && text_at(s, p, "个") && n->value < 2)
        return false;
    if (small_word(n, has_unit) || (n->leading0 && !has_unit && n->value != 0))
        return false;
    return has_unit || !years_number(sc, from, h->number, n);
}

/* Number, scale, currency, unit; the end is *p. False when it is no figure after all. */
static bool read_body(const struct scan *sc, size_t from, struct head *h, struct raw *r, size_t *p)
{
    struct str s = sc->s;
    struct number n;
    size_t end;

    if (read_special(s, h, r, p))
        return true;
    if (!number_digits(s, h->number, &n) && !number_english(s, h->number, &n) &&
        !number_chinese(s, h->number, &n))
        return false;
    *r = (struct raw){.number = n.value, .scale = 1, .factor = 1};
    r->f.ambiguous = n.ambiguous;
    *p = n.end;
    bool closed = read_close(s, h, false, p);
    r->scale = number_scale(s, *p, &end);
    bool scaled = end != *p;
    *p = end;
    if (scaled && !n.words)
        r->number += more_chinese(s, p, r->scale) / r->scale;
    read_currency(sc, h, &n, r, p);
    closed = read_close(s, h, closed, p);
    bool has_unit = h->has_currency || read_unit(s, r, p) || scaled;
    closed = read_close(s, h, closed, p); /* (12.5%) */
    if (h->bracket && !closed)
        return false;
    h->negative = h->negative || h->bracket;
    return counts(sc, from, h, &n, has_unit, *p);
}

static bool contains_before(struct str s, size_t from, size_t pos, const char *const *words,
                            size_t n)
{
    size_t start = pos > from + LOOK_BACK ? pos - LOOK_BACK : from;

    for (size_t p = start; p < pos; p++)
        for (size_t i = 0; i < n; i++)
            if ((p == start || !unicode_alpha((unsigned char)s.p[p - 1])) &&
                text_at(s, p, words[i]))
                return true;
    return false;
}

/* The words directly before, within a few bytes and the same clause. */
static bool just_before(struct str s, size_t from, size_t pos, const char *const *words, size_t n,
                        size_t reach)
{
    size_t start = pos > from + reach ? pos - reach : from;

    for (size_t p = pos; p > start; p--)
        if (strchr(",.;|\n", s.p[p - 1]) != NULL) {
            start = p;
            break;
        }
    return contains_before(s, start, pos, words, n);
}

static void read_manner(const struct scan *sc, size_t from, size_t pos, size_t *p, struct figure *f)
{
    static const char *const about[] = {"about ", "around ", "roughly ", "approximately ",
                                        "circa ", "some ",   "~",        "约",
                                        "大约",   "近",      "将近"};
    static const char *const most[] = {"up to ",   "at most ", "as much as ", "under ", "below ",
                                       "maximum ", "不超过",   "最多",        "至多"};

    f->about = just_before(sc->s, from, pos, about, ARRAY_LEN(about), 16);
    f->at_most = just_before(sc->s, from, pos, most, ARRAY_LEN(most), 16);
    size_t q = skip_blank(sc->s, *p);
    if (text_at(sc->s, q, "左右")) {
        f->about = true;
        *p = q + 6;
    }
}

/* 每吨480元, 每百件4930元: the unit stands before. */
static void read_per_before(struct str s, size_t from, size_t pos, struct figure *f)
{
    static const char *const nouns[] = {"吨", "件",   "台",   "套", "个", "人", "户", "箱",
                                        "只", "公斤", "千克", "单", "份", "餐", "辆", "米"};
    static const struct {
        const char *word;
        double count;
    } counts[] = {{"每百", 100}, {"每千", 1000}, {"每万", 1e4}, {"每打", 12}, {"每", 1}};

    while (pos > from && s.p[pos - 1] == ' ')
        pos--;
    for (size_t i = 0; i < ARRAY_LEN(nouns); i++) {
        size_t n = strlen(nouns[i]);
        if (pos < from + n || !text_at(s, pos - n, nouns[i]))
            continue;
        for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
            size_t m = strlen(counts[k].word);
            if (pos < from + n + m || !text_at(s, pos - n - m, counts[k].word))
                continue;
            f->per = counts[k].count;
            f->per_unit = true;
            return;
        }
    }
}

static void read_rest(const struct scan *sc, size_t from, size_t pos, size_t *p, struct figure *f)
{
    static const char *const monthly[] = {"monthly ", "每月",   "月均", "每个月", "月租",    "月费",
                                          "月收入",   "月成本", "月薪", "月供",   "月流失率"};
    static const char *const yearly[] = {"yearly ", "annual ", "annually ", "每年",     "年均",
                                         "年度",    "年收益",  "年节省",    "年租金",   "年费",
                                         "年利润",  "年成本",  "年收入",    "年销售",   "年薪",
                                         "年维护",  "年运营",  "年流失率",  "年增长率", "年化"};
    size_t end;
    double per;
    const char *period;

    read_manner(sc, from, pos, p, f);
    f->per = 1;
    read_per_before(sc->s, from, pos, f);
    if ((per = units_per(sc->s, *p, &end)) > 0 && f->unit != FIGURE_YEARS) {
        f->per = per;
        f->per_unit = true;
        period = units_period_behind(sc->s, *p, &end);
        if (period == NULL) {
            units_per(sc->s, *p, &end);
            *p = end;
            period = units_period_behind(sc->s, *p, &end);
        }
    } else {
        period = units_period_behind(sc->s, *p, &end);
    }
    if (period != NULL) {
        *p = end;
    } else if (f->unit == FIGURE_YEARS) {
        period = NULL;
    } else if (just_before(sc->s, from, pos, monthly, ARRAY_LEN(monthly), 24)) {
        period = "month";
    } else if (just_before(sc->s, from, pos, yearly, ARRAY_LEN(yearly), 24)) {
        period = "year";
    }
    if (period != NULL)
        snprintf(f->period, sizeof(f->period), "%s", period);
}

static double raw_value(const struct raw *r, bool negative)
{
    double v = r->number * r->scale;

    /* 8.5 / 100 is nearer to 0.085 than 8.5 * 0.01. */
    if (r->factor != 1)
        v = r->factor < 1 ? v / round(1 / r->factor) : v * r->factor;
    return negative ? -v : v;
}

static bool read_one(const struct scan *sc, size_t from, size_t pos, struct raw *r, bool *negative,
                     size_t *p)
{
    struct head h = read_head(sc, from, pos);

    if (!read_body(sc, from, &h, r, p))
        return false;
    *negative = h.negative;
    return true;
}

static size_t range_mark(const struct scan *sc, size_t from, size_t pos, size_t p)
{
    static const char *const seps[] = {"-", "–", "—", "~", "至", "到", "to "};
    static const char *const changes[] = {"from ",     "grew", "rose",    "fell",     "increased",
                                          "decreased", "went", "dropped", "declined", "moved"};
    static const char *const ranges[] = {"range", "between", "ranging"};
    static const char *const between[] = {"between ", "介于", "在"};
    size_t q = skip_blank(sc->s, p);

    if (text_at(sc->s, q, "and ") || text_at(sc->s, q, "和") || text_at(sc->s, q, "与"))
        if (just_before(sc->s, from, pos, between, ARRAY_LEN(between), 12))
            return q + (text_at(sc->s, q, "and ") ? 4 : 3);
    for (size_t i = 0; i < ARRAY_LEN(seps); i++) {
        if (!text_at(sc->s, q, seps[i]))
            continue;
        bool moved = contains_before(sc->s, from, pos, changes + 1, ARRAY_LEN(changes) - 1) &&
                     just_before(sc->s, from, pos, changes, 1, 8) &&
                     !contains_before(sc->s, from, pos, ranges, ARRAY_LEN(ranges));
        if (moved)
            return 0;
        return q + strlen(seps[i]);
    }
    return 0;
}

static bool same_family(const struct raw *a, const struct raw *b)
{
    return a->f.unit == b->f.unit || a->f.unit == FIGURE_NUMBER || b->f.unit == FIGURE_NUMBER;
}

/* "3–5M": the first takes scale and unit of the second when it has none of its own. */
static bool read_range(const struct scan *sc, size_t from, size_t pos, struct raw *r, bool negative,
                       size_t *p)
{
    struct raw second;
    bool negative2;
    size_t end, at = range_mark(sc, from, pos, *p);

    if (at == 0)
        return false;
    at = skip_blank(sc->s, at);
    if (!read_one(sc, at, at, &second, &negative2, &end) || !same_family(r, &second))
        return false;
    if (r->scale == 1 && second.scale != 1 &&
        r->number * second.scale <= second.number * second.scale)
        r->scale = second.scale;
    if (r->f.unit == FIGURE_NUMBER) {
        r->factor = second.factor;
        r->f.unit = second.f.unit;
    } else if (second.f.unit == FIGURE_NUMBER) {
        second.factor = r->factor;
        second.scale = second.scale == 1 && second.number < r->number ? r->scale : second.scale;
    }
    if (second.f.currency[0] != '\0')
        memcpy(r->f.currency, second.f.currency, sizeof(r->f.currency));
    double lo = raw_value(r, negative), hi = raw_value(&second, negative2);
    r->f.low = MIN(lo, hi);
    r->f.high = MAX(lo, hi);
    r->f.value = (r->f.low + r->f.high) / 2;
    r->f.ambiguous = (r->f.ambiguous || second.f.ambiguous) &&
                     !(r->f.unit == FIGURE_CURRENCY && r->f.currency[0] != '\0');
    *p = end;
    return true;
}

static bool figure_at(struct scan *sc, size_t from, size_t pos, struct figure *f)
{
    struct raw r;
    bool negative;
    size_t p;

    if (!read_one(sc, from, pos, &r, &negative, &p))
        return false;
    r.f.low = r.f.high = NAN;
    r.f.value = raw_value(&r, negative);
    (void)read_range(sc, from, pos, &r, negative, &p);
    size_t end = p;
    read_rest(sc, from, pos, &p, &r.f);
    r.f.start = pos;
    r.f.end = MAX(p, end);
    *f = r.f;
    return true;
}

static void add_mark(struct scan *sc, struct mark m)
{
    if (sc->marks_count < MARKS_MAX)
        sc->marks[sc->marks_count++] = m;
}

/* The nearest mark: behind the figure up to the next one, else before it. */
static const struct mark *nearest_mark(const struct scan *sc, const struct figure *f, size_t next,
                                       bool timing)
{
    const struct mark *before = NULL;

    for (size_t i = 0; i < sc->marks_count; i++) {
        const struct mark *m = &sc->marks[i];
        if (m->is_timing != timing)
            continue;
        if (m->at >= f->end && m->at < next && (timing || before == NULL))
            return m;
        if (m->at < f->start)
            before = m;
    }
    return before;
}

/* Periods and timing of the figures from `first` on, all of one sentence. */
static void apply_marks(struct scan *sc, size_t first, size_t from, size_t to)
{
    static const char *const starts[] = {"now",      "once",  "one-off",    "upfront",
                                         "up front", "today", "at closing", "immediately",
                                         "一次性",   "现在",  "首期",       "当期"};

    for (size_t i = first; i < sc->count; i++) {
        struct figure *f = &sc->out[i];
        size_t next = i + 1 < sc->count ? sc->out[i + 1].start : to;
        size_t before = i > first ? sc->out[i - 1].end : from;
        const struct mark *m = nearest_mark(sc, f, next, true);

        if (m != NULL && (m->at >= f->end || m->at >= before)) {
            f->year_from = m->timing.from;
            f->year_to = m->timing.to;
        }
        m = nearest_mark(sc, f, next, false);
        if (m != NULL && f->period[0] == '\0' && f->unit != FIGURE_YEARS)
            memcpy(f->period, m->period, sizeof(f->period));
        size_t reach = MIN(next, f->end + 40);
        f->at_start = contains_before(sc->s, f->end, reach, starts, ARRAY_LEN(starts)) ||
                      just_before(sc->s, before, f->start, starts, ARRAY_LEN(starts), 16);
    }
}

/* A word with its digits: "ABC-123", "v2.1", "cost_2". */
static size_t skip_token(struct str s, size_t pos, size_t to)
{
    size_t p = pos;
    bool digit = false;

    if (!unicode_alnum((unsigned char)s.p[p])) {
        utf8_next(s, &p);
        return p;
    }
    while (p < to) {
        bool more = p + 1 < to && unicode_digit((unsigned char)s.p[p + 1]);
        bool joint = s.p[p] == '_' || (s.p[p] == '-' && more) || (s.p[p] == '.' && digit && more);

        if (!unicode_alnum((unsigned char)s.p[p]) && !joint)
            break;
        digit = digit || unicode_digit((unsigned char)s.p[p]);
        p++;
    }
    return p;
}

static bool is_from_on(struct str s, size_t from, size_t pos)
{
    static const char *const words[] = {"from ", "since ", "starting ", "从", "自"};

    return just_before(s, from, pos, words, ARRAY_LEN(words), 14);
}

void figures_scan_prose(struct scan *sc, size_t from, size_t to)
{
    struct str whole = sc->s;
    size_t first = sc->count, pos = from, end;

    sc->s.n = to;
    sc->marks_count = 0;
    while (pos < to) {
        struct mark m = {.at = pos};
        struct figure f;

        if (date_at(sc->s, pos, &end, m.period)) {
            if (m.period[0] != '\0')
                add_mark(sc, m);
            pos = end;
        } else if (timing_at(sc->s, pos, &end, &m.timing)) {
            m.is_timing = true;
            if (m.timing.to == m.timing.from && is_from_on(sc->s, from, pos))
                m.timing.to = 0;
            add_mark(sc, m);
            pos = end;
        } else if (not_figure_at(sc->s, pos, pos == from, &end)) {
            pos = end;
        } else if (figure_at(sc, from, pos, &f)) {
            push(sc, &f);
            pos = f.end;
        } else {
            size_t next = skip_token(sc->s, pos, to);
            struct number n;
            if (!sc->cell && number_digits(sc->s, pos, &n) && n.bare && n.value >= 1900 &&
                n.value <= 2100) {
                snprintf(m.period, sizeof(m.period), "%.4s", sc->s.p + pos);
                add_mark(sc, m);
            }
            pos = next;
        }
    }
    apply_marks(sc, first, from, to);
    sc->s = whole;
}

size_t figures_scan_segmented(struct arena *a, struct str text, const struct segments *segs,
                              bool zh, struct figure **out)
{
    struct scan sc = {.a = a, .zh = zh, .s = text};

    *out = NULL;
    if (text.n > FIGURES_TEXT_MAX)
        return 0;
    figures_scan_segments(&sc, segs);
    *out = sc.out;
    return sc.count;
}

size_t figures_scan(struct arena *a, struct str text, const char *lang, struct figure **out)
{
    *out = NULL;
    if (text.n > FIGURES_TEXT_MAX)
        return 0;
    struct norm n = unicode_nfkc(a, text);
    struct segments segs = segments_of(a, n.text);
    size_t count =
        figures_scan_segmented(a, n.text, &segs, lang != NULL && strcmp(lang, "zh") == 0, out);
    for (size_t i = 0; i < count; i++) {
        (*out)[i].start = n.src[(*out)[i].start];
        (*out)[i].end = n.src[(*out)[i].end];
    }
    return count;
}

cJSON *figure_json(const struct figure *f, struct str text, const char *path)
{
    cJSON *o = cJSON_CreateObject();

    json_add_num(o, "value", f->value);
    json_add_str(o, "unit", figure_unit_name(f->unit));
    json_add_str(o, "currency", f->currency[0] == '\0' ? NULL : f->currency);
    json_add_bool(o, "ambiguous", f->ambiguous);
    json_add_str(o, "period", f->period[0] == '\0' ? NULL : f->period);
    if (f->end <= text.n && f->start <= f->end)
        json_add_strn(o, "text", (struct str){text.p + f->start, f->end - f->start});
    if (path != NULL)
        json_add_str(o, "path", path);
    json_add_num(o, "low", f->low);
    json_add_num(o, "high", f->high);
    return o;
}

int figures_read(struct str text, const char *lang, struct arena *a, cJSON **array)
{
    struct figure *f;

    if (!utf8_valid(text))
        return ERR_INVALID;
    cJSON *arr = json_arr(a);
    size_t n = figures_scan(a, text, lang, &f);
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(arr, figure_json(&f[i], text, NULL));
    *array = arr;
    return 0;
}
