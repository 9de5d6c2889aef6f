/* dates.c: each kind is one small reader that either takes the text at pos or leaves it. */
#include "libcommon/base/compat.h"
#include "libcommon/method/dates.h"
#include <strings.h>
#include "libcommon/method/numbers.h"
#include "libcommon/method/unicode.h"

#define YEAR_MIN 1900
#define YEAR_MAX 2100

static size_t run(struct str s, size_t pos)
{
    size_t n = 0;

    while (pos + n < s.n && unicode_digit((unsigned char)s.p[pos + n]))
        n++;
    return n;
}

static int small_int(struct str s, size_t pos, size_t n)
{
    int v = 0;

    for (size_t i = 0; i < n && i < 6; i++)
        v = v * 10 + (s.p[pos + i] - '0');
    return v;
}

static bool is_year(struct str s, size_t pos)
{
    if (run(s, pos) != 4)
        return false;
    int y = small_int(s, pos, 4);
    return y >= YEAR_MIN && y <= YEAR_MAX;
}

static bool ends_word(struct str s, size_t p)
{
    return p >= s.n || !unicode_alnum((unsigned char)s.p[p]);
}

static const char *const months[] = {
    "january", "february", "march",    "april", "may", "june", "july", "august", "september",
    "october", "november", "december", "jan",   "feb", "mar",  "apr",  "may",    "jun",
    "jul",     "aug",      "sep",      "oct",   "nov", "dec",  "sept"};

static int month_at(struct str s, size_t pos, size_t *end)
{
    for (size_t i = 0; i < ARRAY_LEN(months); i++) {
        if (!word_at(s, pos, months[i]))
            continue;
        *end = pos + strlen(months[i]);
        if (*end < s.n && s.p[*end] == '.')
            *end += 1;
        return i == 24 ? 9 : (int)(i % 12) + 1;
    }
    return 0;
}

static void set_month(char period[16], int year, int month)
{
    snprintf(period, 16, "%04d-%02d", year % 10000, month % 100);
}

/* 2026-04, 2026-04-15, 2026/4/15, 2025-2027 */
static bool date_numeric(struct str s, size_t pos, size_t *end, char period[16])
{
    if (!is_year(s, pos) || pos + 5 >= s.n || (s.p[pos + 4] != '-' && s.p[pos + 4] != '/'))
        return false;
    char sep = s.p[pos + 4];
    size_t n = run(s, pos + 5), p = pos + 5 + n;
    int month = small_int(s, pos + 5, n);

    if (n == 4 && is_year(s, pos + 5)) {
        *end = p;
        return ends_word(s, p);
    }
    if (n < 1 || n > 2 || month < 1 || month > 12)
        return false;
    if (p < s.n && s.p[p] == sep && run(s, p + 1) >= 1 && run(s, p + 1) <= 2) {
        p += 1 + run(s, p + 1);
        if (p < s.n && s.p[p] == 'T' && run(s, p + 1) == 2) /* a time of day behind it */
            while (p < s.n && (unicode_alnum((unsigned char)s.p[p]) || strchr(":.+-", s.p[p])))
                p++;
    } else {
        set_month(period, small_int(s, pos, 4), month);
    }
    *end = p;
    return ends_word(s, p);
}

/* 15/04/2026, 15.04.2026, 4/15/2026 */
static bool date_day_first(struct str s, size_t pos, size_t *end)
{
    size_t a = run(s, pos), b;

    if (a < 1 || a > 2 || pos + a >= s.n || strchr("/.-", s.p[pos + a]) == NULL)
        return false;
    b = run(s, pos + a + 1);
    size_t p = pos + a + 1 + b;
    if (b < 1 || b > 2 || p >= s.n || s.p[p] != s.p[pos + a] || !is_year(s, p + 1))
        return false;
    *end = p + 5;
    return true;
}

/* 2025年, 2026年4月, 2026年4月15日, 2026年第三季度, 4月15日, 4月 */
static bool date_chinese(struct str s, size_t pos, size_t *end, char period[16])
{
    static const char *const quarters[][2] = {
        {"一季度", "1"}, {"二季度", "2"}, {"三季度", "3"}, {"四季度", "4"},
        {"1季度", "1"},  {"2季度", "2"},  {"3季度", "3"},  {"4季度", "4"},
    };
    size_t n = run(s, pos), p = pos + n;

    if (n == 4 && is_year(s, pos) && text_at(s, p, "年")) {
        int year = small_int(s, pos, 4);
        snprintf(period, 16, "%04d", year % 10000);
        p += text_at(s, p, "年度") ? 6 : 3;
        *end = p;
        size_t q = text_at(s, p, "第") ? p + 3 : p;
        for (size_t i = 0; i < ARRAY_LEN(quarters); i++) {
            if (text_at(s, q, quarters[i][0])) {
                snprintf(period, 16, "%04dQ%s", year % 10000, quarters[i][1]);
                *end = q + strlen(quarters[i][0]);
            }
        }
        size_t m = run(s, p);
        if (m < 1 || m > 2 || !text_at(s, p + m, "月"))
            return true;
        set_month(period, year, small_int(s, p, m));
        *end = p = p + m + 3;
        m = run(s, p);
        if (m >= 1 && m <= 2 && (text_at(s, p + m, "日") || text_at(s, p + m, "号"))) {
            period[0] = '\0';
            *end = p + m + 3;
        }
        return true;
    }
    if (n >= 1 && n <= 2 && text_at(s, p, "月") && !text_at(s, p, "月份的")) {
        size_t m = run(s, p + 3);
        *end = p + 3;
        if (m >= 1 && m <= 2 && text_at(s, p + 3 + m, "日"))
            *end = p + 3 + m + 3;
        return true;
    }
    return false;
}

/* April 2026, 15 April 2026, April 15, 2026, 1 March */
static bool date_named(struct str s, size_t pos, size_t *end, char period[16])
{
    size_t p = pos, n = run(s, pos);
    bool day = n >= 1 && n <= 2 && small_int(s, pos, n) <= 31;

    if (n > 0 && !day)
        return false;
    if (day) {
        p += n;
        if (word_at(s, p, "st") || word_at(s, p, "nd") || word_at(s, p, "rd") ||
            word_at(s, p, "th"))
            p += 2;
        p = skip_blank(s, p);
        if (p == pos + n)
            return false;
    }
    int month = month_at(s, p, &p);
    if (month == 0)
        return false;
    size_t q = skip_blank(s, p);
    n = run(s, q);
    if (!day && n >= 1 && n <= 2 && ends_word(s, q + n)) {
        day = true;
        p = q + n;
        q = skip_blank(s, p < s.n && s.p[p] == ',' ? p + 1 : p);
    }
    if (is_year(s, q) && ends_word(s, q + 4)) {
        if (!day)
            set_month(period, small_int(s, q, 4), month);
        p = q + 4;
    } else if (!day) {
        return false; /* "may", "march": a word */
    }
    *end = p;
    return true;
}

/* FY26, FY2026, 2026Q3, Q3 2026, Q3, H1 2026 */
static bool date_fiscal(struct str s, size_t pos, size_t *end, char period[16])
{
    size_t n;

    if (word_at(s, pos, "FY") || (s.n - pos > 4 && strncasecmp(s.p + pos, "FY", 2) == 0)) {
        size_t p = pos + 2;
        if (p < s.n && (s.p[p] == ' ' || s.p[p] == '-'))
            p++;
        n = run(s, p);
        if ((n != 2 && n != 4) || !ends_word(s, p + n))
            return false;
        snprintf(period, 16, "FY%.2s", s.p + p + n - 2);
        *end = p + n;
        return true;
    }
    if (is_year(s, pos)) {
        size_t p = pos + 4;
        if (p < s.n && (s.p[p] == ' ' || s.p[p] == '-'))
            p++;
        if (p + 1 < s.n && strchr("QqH", s.p[p]) != NULL && s.p[p + 1] >= '1' &&
            s.p[p + 1] <= '4' && ends_word(s, p + 2)) {
            snprintf(period, 16, "%.4s%c%c", s.p + pos, s.p[p] == 'q' ? 'Q' : s.p[p], s.p[p + 1]);
            *end = p + 2;
            return true;
        }
        return false;
    }
    if (pos + 1 < s.n && strchr("QH", s.p[pos]) != NULL && s.p[pos + 1] >= '1' &&
        s.p[pos + 1] <= '4' && ends_word(s, pos + 2)) {
        size_t p = skip_blank(s, pos + 2);
        *end = pos + 2;
        if (is_year(s, p) && ends_word(s, p + 4)) {
            snprintf(period, 16, "%.4s%.2s", s.p + p, s.p + pos);
            *end = p + 4;
        }
        return true;
    }
    return false;
}

/* 二〇二五年 */
static bool date_han_digits(struct str s, size_t pos, size_t *end, char period[16])
{
    struct number n;

    if (!number_chinese(s, pos, &n) || n.chinese_unit || n.end - pos != 12 ||
        !text_at(s, n.end, "年"))
        return false;
    snprintf(period, 16, "%.0f", n.value);
    *end = n.end + 3;
    return true;
}

bool date_at(struct str s, size_t pos, size_t *end, char period[16])
{
    period[0] = '\0';
    return date_numeric(s, pos, end, period) || date_day_first(s, pos, end) ||
           date_chinese(s, pos, end, period) || date_han_digits(s, pos, end, period) ||
           date_named(s, pos, end, period) || date_fiscal(s, pos, end, period);
}

static const char *const ordinals[] = {"first", "second",  "third",  "fourth", "fifth",
                                       "sixth", "seventh", "eighth", "ninth",  "tenth"};

static bool timing_ordinal(struct str s, size_t pos, size_t *end, struct timing *out)
{
    for (size_t i = 0; i < ARRAY_LEN(ordinals); i++) {
        if (!word_at(s, pos, ordinals[i]))
            continue;
        size_t p = skip_blank(s, pos + strlen(ordinals[i]));
        if (!word_at(s, p, "year"))
            return false;
        *end = p + 4;
        *out = (struct timing){(int)i + 1, (int)i + 1};
        return true;
    }
    return false;
}

static size_t range_sep(struct str s, size_t p)
{
    static const char *const seps[] = {"to ", "-",  "–",        "—",    "~",
                                       "至",  "到", "through ", "and ", "until "};

    p = skip_blank(s, p);
    for (size_t i = 0; i < ARRAY_LEN(seps); i++)
        if (text_at(s, p, seps[i]))
            return skip_blank(s, p + strlen(seps[i]));
    return 0;
}

static bool timing_number(struct str s, size_t *pos, int *out)
{
    struct number n;
    size_t d = run(s, *pos);

    if (d >= 1 && d <= 2) {
        *out = small_int(s, *pos, d);
        *pos += d;
        return true;
    }
    if (d == 0 && number_chinese(s, *pos, &n) && n.value < 100) {
        *out = (int)n.value;
        *pos = n.end;
        return true;
    }
    return false;
}

bool timing_at(struct str s, size_t pos, size_t *end, struct timing *out)
{
    static const char *const heads[] = {"years", "year", "yr", "months", "month", "第"};
    size_t p = pos;
    int from, to;

    if (timing_ordinal(s, pos, end, out))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        bool han = i == ARRAY_LEN(heads) - 1;
        if (!(han ? text_at(s, pos, heads[i]) : word_at(s, pos, heads[i])))
            continue;
        p = skip_blank(s, pos + strlen(heads[i]));
        if (!timing_number(s, &p, &from))
            return false;
        to = from;
        size_t q = range_sep(s, p);
        if (q > 0 && text_at(s, q, "第"))
            q += 3;
        if (q > 0 && timing_number(s, &q, &to) && to >= from)
            p = q;
        else
            to = from;
        if (han && !text_at(s, p, "年"))
            return false;
        p += han ? 3 : 0;
        if (text_at(s, p, "起") || text_at(s, p, "开始") || text_at(s, p, " on") ||
            text_at(s, p, " onward"))
            to = 0;
        if (strncmp(heads[i], "month", 5) == 0) /* the analyst counts in years */
            from = (from + 11) / 12, to = (to + 11) / 12;
        *end = p;
        *out = (struct timing){from, to};
        return true;
    }
    return false;
}

static const char *const numbered[] = {
    "version", "clause",   "section", "article",  "chapter", "paragraph", "page",  "item",
    "step",    "appendix", "annex",   "figure",   "table",   "phase",     "stage", "no.",
    "nr.",     "note",     "exhibit", "schedule", "room",    "rule",      "line",  "part",
    "option",  "release",  "level",   "p.",       "pp.",     "art.",      "sec.",  "number",
    "week",    "day",      "quarter", "plan",
};

/* "clause 4.2", "Version 3": the word and its number. */
static bool numbered_at(struct str s, size_t pos, size_t *end)
{
    for (size_t i = 0; i < ARRAY_LEN(numbered); i++) {
        size_t n = strlen(numbered[i]);
        bool point = numbered[i][n - 1] == '.';
        if (!(point ? s.n - pos >= n && strncasecmp(s.p + pos, numbered[i], n) == 0
                    : word_at(s, pos, numbered[i])))
            continue;
        size_t p = skip_blank(s, pos + n);
        size_t start = p;
        while (p < s.n &&
               (unicode_digit((unsigned char)s.p[p]) || (s.p[p] == '.' && run(s, p + 1))))
            p++;
        /* "part 40 %" and "step 3M": a unit behind makes it a figure after all. */
        size_t behind;
        if (p == start || !ends_word(s, p) || text_at(s, skip_blank(s, p), "%") ||
            number_scale(s, p, &behind) != 1)
            return false;
        *end = p;
        return true;
    }
    return false;
}

static bool ordinal_han(struct str s, size_t pos, size_t *end)
{
    struct number n;
    size_t p = pos + 3;

    if (!text_at(s, pos, "第"))
        return false;
    *end = p;
    if (number_digits(s, p, &n) || number_chinese(s, p, &n))
        *end = n.end;
    return true;
}

static bool web_at(struct str s, size_t pos, size_t *end)
{
    if (!text_at(s, pos, "http://") && !text_at(s, pos, "https://") && !text_at(s, pos, "www."))
        return false;
    while (pos < s.n && (unsigned char)s.p[pos] > ' ' && (unsigned char)s.p[pos] < 0x80)
        pos++;
    *end = pos;
    return true;
}

/* +86 138 0013 8000, 555-123-4567, (020) 7946 0123 */
static bool phone_at(struct str s, size_t pos, size_t *end)
{
    size_t p = pos, digits = 0;
    int hyphens = 0;
    bool plus = p < s.n && s.p[p] == '+';

    p += plus;
    while (p < s.n && (unicode_digit((unsigned char)s.p[p]) ||
                       (strchr(plus ? " -()" : "-", s.p[p]) != NULL && run(s, p + 1) > 0))) {
        digits += unicode_digit((unsigned char)s.p[p]);
        hyphens += s.p[p] == '-';
        p++;
    }
    if (!(plus ? digits >= 8 : hyphens >= 2 && digits >= 7) || digits > 15)
        return false;
    *end = p;
    return true;
}

/* "tel. 020 7946 0958": the word and all digits behind it. */
static bool called_at(struct str s, size_t pos, size_t *end)
{
    static const char *const words[] = {"tel", "phone", "fax", "mobile", "电话", "手机", "传真"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t p = pos + strlen(words[i]);
        bool here = (unsigned char)words[i][0] < 0x80 ? word_at(s, pos, words[i])
                                                      : text_at(s, pos, words[i]);
        if (!here)
            continue;
        while (p < s.n && strchr(".: ", s.p[p]) != NULL)
            p++;
        size_t first = p;
        while (p < s.n && (unicode_digit((unsigned char)s.p[p]) || strchr("+-() ", s.p[p]) != NULL))
            p++;
        *end = p;
        return p >= first + 5;
    }
    return false;
}

/* 1.2.3, 10:30, 24/7, 1st, 5G, 007-A */
static bool compound_at(struct str s, size_t pos, size_t *end)
{
    size_t n = run(s, pos), p = pos + n;

    if (n == 0 || p >= s.n)
        return false;
    if ((s.p[p] == ':' || s.p[p] == '/') && run(s, p + 1) > 0 && n <= 4) {
        p += 1 + run(s, p + 1);
        while (p < s.n && (s.p[p] == ':' || s.p[p] == '/') && run(s, p + 1) > 0)
            p += 1 + run(s, p + 1);
        *end = p;
        return true;
    }
    int points = 0;
    bool grouped = true;
    size_t q = p;
    while (q < s.n && s.p[q] == '.' && run(s, q + 1) > 0) {
        points++;
        grouped = grouped && run(s, q + 1) == 3;
        q += 1 + run(s, q + 1);
    }
    if (points >= 2 && !(grouped && n <= 3)) {
        *end = q;
        return true;
    }
    return false;
}

/* Nothing, or a blank, or a word: but no scale or currency, which make "(200)万元" a figure. */
static bool ends_list_number(struct str s, size_t p)
{
    size_t end;

    if (p >= s.n)
        return false;
    return strchr(" \t", s.p[p]) != NULL ||
           ((unsigned char)s.p[p] >= 0x80 && number_scale(s, p, &end) == 1 && !text_at(s, p, "元"));
}

static bool list_number_at(struct str s, size_t pos, size_t *end)
{
    size_t open = text_at(s, pos, "(") ? 1 : 0;
    size_t n = run(s, pos + open), p = pos + open + n;

    if (n < 1 || n > 3 || p >= s.n)
        return false;
    bool closed = open == 1 && n <= 2 && s.p[p] == ')' && ends_list_number(s, p + 1);
    bool mark =
        open == 0 && ((strchr(".)", s.p[p]) != NULL && (p + 1 == s.n || s.p[p + 1] == ' ')) ||
                      text_at(s, p, "、"));
    if (!closed && !mark)
        return false;
    *end = p + 1;
    return true;
}

/* 版本2.1, 附件3 */
static bool numbered_han(struct str s, size_t pos, size_t *end)
{
    static const char *const words[] = {"版本", "条款", "附录", "附件", "编号",
                                        "章节", "图表", "步骤", "表",   "图"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t p = pos + strlen(words[i]);
        if (!text_at(s, pos, words[i]) || run(s, p) == 0)
            continue;
        while (p < s.n &&
               (unicode_digit((unsigned char)s.p[p]) || (s.p[p] == '.' && run(s, p + 1))))
            p++;
        *end = p;
        return true;
    }
    return false;
}

bool not_figure_at(struct str s, size_t pos, bool line_start, size_t *end)
{
    if (line_start && list_number_at(s, pos, end))
        return true;
    if (text_at(s, pos, "#") || text_at(s, pos, "§")) {
        size_t p = skip_blank(s, pos + (s.p[pos] == '#' ? 1 : 2));
        size_t n = run(s, p);
        *end = p + n;
        return n > 0;
    }
    if (text_at(s, pos, "[") && run(s, pos + 1) > 0 && text_at(s, pos + 1 + run(s, pos + 1), "]")) {
        *end = pos + 2 + run(s, pos + 1);
        return true;
    }
    return web_at(s, pos, end) || called_at(s, pos, end) || phone_at(s, pos, end) ||
           numbered_at(s, pos, end) || numbered_han(s, pos, end) || ordinal_han(s, pos, end) ||
           compound_at(s, pos, end);
}
