/* texts.c: numbers and sentences as people read them. Three significant digits; English groups by
 * thousands and names millions, Chinese counts in 万 and 亿. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"
#include <math.h>

const char *say(const struct study *s, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    struct str t = str_of(text);
    while (t.n > 0 && !utf8_valid(t)) /* cut in a character */
        t.n--;
    return arena_strndup(s->a, t.p, t.n);
}

/* Line breaks of a source are blanks in a sentence. */
static struct str one_line(struct arena *a, const char *text)
{
    struct str t = str_trim(str_of(text));
    char *out = arena_strndup(a, t.p, t.n);
    size_t n = 0;

    for (size_t i = 0; i < t.n; i++) {
        bool gap = out[i] == '\n' || out[i] == '\r' || out[i] == '\t';
        char c = gap ? ' ' : out[i];
        if (c == ' ' && n > 0 && out[n - 1] == ' ')
            continue;
        out[n++] = c;
    }
    out[n] = '\0';
    return (struct str){out, n};
}

const char *text_cut(struct arena *a, const char *text, size_t chars)
{
    struct str t = one_line(a, text);

    if (utf8_chars(t) <= chars)
        return arena_strndup(a, t.p, t.n);
    struct str cut = utf8_cut(t, chars - 1);
    size_t n = cut.n;
    while (n > cut.n * 2 / 3 && cut.p[n - 1] != ' ' && (unsigned char)cut.p[n - 1] < 0x80)
        n--;
    if (n > cut.n * 2 / 3)
        cut.n = n;
    cut = str_trim(cut);
    return arena_printf(a, "%.*s…", STR_ARG(cut));
}

/* Three significant digits without trailing zeros: 8.47, 49.3, 0.125. */
static void three_digits(char out[32], double v)
{
    int places = 2;

    for (double m = fabs(v); m >= 10 && places > 0; m /= 10)
        places--;
    if (v != 0)
        for (double m = fabs(v); m < 1 && places < 6; m *= 10)
            places++;
    snprintf(out, 32, "%.*f", places, v);
    if (strchr(out, '.') != NULL) {
        size_t n = strlen(out);
        while (out[n - 1] == '0')
            out[--n] = '\0';
        if (out[n - 1] == '.')
            out[n - 1] = '\0';
    }
    if (strcmp(out, "-0") == 0)
        snprintf(out, 32, "0");
}

static void grouped(char out[32], double v)
{
    char digits[32];
    double unit = pow(10, floor(log10(fabs(v))) - 3); /* four digits: 12,500 stays */
    size_t n, len = 0;

    snprintf(digits, sizeof(digits), "%.0f", round(fabs(v) / unit) * unit);
    n = strlen(digits);
    if (v < 0)
        out[len++] = '-';
    for (size_t i = 0; i < n && len + 2 < 32; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out[len++] = ',';
        out[len++] = digits[i];
    }
    out[len] = '\0';
}

static void plain_number(char out[64], double v, bool zh)
{
    static const struct {
        double from;
        const char *unit;
    } en[] = {{1e9, "bn"}, {1e6, "M"}}, han[] = {{1e8, "亿"}, {1e4, "万"}};
    char digits[32];

    for (size_t i = 0; i < 2; i++) {
        double from = zh ? han[i].from : en[i].from;
        if (fabs(v) < from * 0.9995)
            continue;
        three_digits(digits, v / from);
        if (fabs(v / from) >= 1000)
            grouped(digits, v / from);
        snprintf(out, 64, "%s%s", digits, zh ? han[i].unit : en[i].unit);
        return;
    }
    if (fabs(v) >= 1000)
        grouped(digits, v);
    else
        three_digits(digits, v);
    snprintf(out, 64, "%s", digits);
}

static const char *currency_name(const char *code)
{
    static const char *const names[][2] = {{"CNY", "元"},   {"USD", "美元"}, {"EUR", "欧元"},
                                           {"GBP", "英镑"}, {"HKD", "港元"}, {"JPY", "日元"},
                                           {"CHF", "瑞郎"}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i][0], code) == 0)
            return names[i][1];
    return code;
}

static const char *duration_text(const struct study *s, double years)
{
    char digits[32];
    double months = years * 12, weeks = years * 52;

    if (fabs(years - round(years)) < 1e-6 || years > 2) {
        three_digits(digits, years);
        return say(s, "%s %s", digits, s->zh ? "年" : years == 1 ? "year" : "years");
    }
    if (fabs(months - round(months)) < 1e-6) {
        three_digits(digits, months);
        return say(s, "%s %s", digits, s->zh ? "个月" : "months");
    }
    three_digits(digits, weeks);
    return say(s, "%s %s", digits, s->zh ? "周" : "weeks");
}

const char *study_amount(const struct study *s, double v, enum figure_unit unit,
                         const char *currency)
{
    char number[64], digits[32];

    if (isnan(v))
        return s->zh ? "无数据" : "no figure";
    switch (unit) {
    case FIGURE_RATIO:
        three_digits(digits, v * 100);
        return say(s, "%s%%", digits);
    case FIGURE_RATIO_POINTS:
        three_digits(digits, v * 100);
        return say(s, "%s%s", digits, s->zh ? "个百分点" : " percentage points");
    case FIGURE_YEARS:
        return duration_text(s, v);
    case FIGURE_MULTIPLE:
        three_digits(digits, v);
        return say(s, "%s%s", digits, s->zh ? "倍" : "x");
    case FIGURE_CURRENCY:
    case FIGURE_NUMBER:
    case FIGURE_DATE:
    case FIGURE_UNKNOWN:
    case FIGURE_UNIT__MAX:
        break;
    }
    plain_number(number, v, s->zh);
    if (unit != FIGURE_CURRENCY || currency == NULL || currency[0] == '\0')
        return say(s, "%s", number);
    return s->zh ? say(s, "%s%s", number, currency_name(currency))
                 : say(s, "%s %s", currency, number);
}

static bool counts_money(enum measure m)
{
    return measures[m].cash != CASH_NONE || m == M_BUDGET || m == M_SPENT || m == M_REVENUE ||
           m == M_PROFIT || m == M_EBITDA || m == M_MARKET || m == M_SYNERGY;
}

const char *fact_value_text(const struct study *s, const struct fact *f)
{
    const char *currency = f->f.currency[0] != '\0' ? f->f.currency : s->currency;
    enum figure_unit unit = f->f.unit;
    const char *value;

    if (unit == FIGURE_NUMBER && counts_money(f->measure) && fabs(f->f.value) >= 1000)
        unit = FIGURE_CURRENCY;
    if (!isnan(f->f.low))
        value = say(s, "%s–%s", study_amount(s, f->f.low, unit, currency),
                    study_amount(s, f->f.high, unit, currency));
    else
        value = study_amount(s, f->f.value, unit, currency);
    if (strcmp(f->f.period, "month") == 0)
        return say(s, s->zh ? "每月%s" : "%s a month", value);
    if (strcmp(f->f.period, "year") == 0)
        return say(s, s->zh ? "每年%s" : "%s a year", value);
    return value;
}
