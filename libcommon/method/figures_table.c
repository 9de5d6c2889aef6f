/* figures_table.c: the figures of tables. A cell says little by itself: the header gives currency,
 * scale and period, a basis column divides the prices of its row, the line above scales all. */
#include "libcommon/base/compat.h"
#include "libcommon/method/figures_scan.h"
#include <math.h>
#include "libcommon/method/numbers.h"
#include "libcommon/method/unicode.h"
#include "libcommon/method/units.h"

struct column {
    struct unit_phrase unit;
    char period[16];
    int year;   /* "year 3": 3; -1 none */
    bool skip;  /* dates, ids */
    bool money; /* a price or cost: the basis of a row divides it */
    bool basis;
    bool plain; /* counts: the scale of the table does not apply */
};

static bool has_word(struct arena *a, struct str text, const char *const *words, size_t n)
{
    struct str folded = unicode_fold(a, text);

    for (size_t i = 0; i < n; i++) {
        ptrdiff_t at = str_find(folded, str_of(words[i]));
        bool latin = unicode_alpha((unsigned char)words[i][0]);
        while (at >= 0) {
            size_t e = (size_t)at + strlen(words[i]);
            if (!latin || ((at == 0 || !unicode_alpha((unsigned char)folded.p[at - 1])) &&
                           (e >= folded.n || !unicode_alpha((unsigned char)folded.p[e]))))
                return true;
            ptrdiff_t more = str_find((struct str){folded.p + e, folded.n - e}, str_of(words[i]));
            at = more < 0 ? -1 : (ptrdiff_t)e + more;
        }
    }
    return false;
}

static struct column read_column(struct arena *a, struct str head, const struct unit_phrase *all,
                                 bool zh)
{
    static const char *const dates[] = {"year", "date", "month", "period", "quarter",
                                        "年份", "年度", "日期",  "月份",   "时间",
                                        "季度", "期间", "week",  "go_live"};
    static const char *const ids[] = {"id",   "no",  "#",   "编号", "序号",
                                      "code", "sku", "ref", "phone"};
    static const char *const money[] = {"price", "cost", "quote",  "fee", "价",
                                        "费",    "报价", "amount", "金额"};
    static const char *const fixed[] = {"setup",   "set-up", "fee",     "deposit", "once",
                                        "tooling", "fixed",  "minimum", "安装费",  "押金"};
    static const char *const basis[] = {"basis", "计价单位", "计价方式"};
    static const char *const counts[] = {"customers",      "customers_start",
                                         "customers_lost", "headcount",
                                         "employees",      "units",
                                         "users",          "count",
                                         "人数",           "数量",
                                         "台数",           "户数",
                                         "stores",         "ppm",
                                         "orders",         "volume",
                                         "churned"};
    struct column c = {.unit = units_phrase(head, zh, false), .year = -1};
    struct timing t;
    size_t end;

    for (size_t p = 0; p < head.n && c.year < 0; p++)
        if ((p == 0 || !unicode_alpha((unsigned char)head.p[p - 1])) &&
            timing_at(head, p, &end, &t))
            c.year = t.from;
    for (size_t p = 0; p < head.n && c.period[0] == '\0'; p++)
        if (p == 0 || !unicode_alnum((unsigned char)head.p[p - 1]))
            if (!date_at(head, p, &end, c.period) && head.n - p >= 4 && p == 0) {
                int64_t y = 0;
                if (str_i64((struct str){head.p, 4}, &y) == 0 && y >= 1900 && y <= 2100)
                    snprintf(c.period, sizeof(c.period), "%.4s", head.p);
            }
    c.skip =
        c.period[0] == '\0' && c.year < 0 &&
        (has_word(a, head, dates, ARRAY_LEN(dates)) || has_word(a, head, ids, ARRAY_LEN(ids))) &&
        c.unit.currency[0] == '\0' && c.unit.duration == 0;
    c.money = (has_word(a, head, money, ARRAY_LEN(money)) || c.unit.currency[0] != '\0') &&
              !has_word(a, head, fixed, ARRAY_LEN(fixed));
    c.basis = has_word(a, head, basis, ARRAY_LEN(basis)) || str_ieq(head, STR("per")) ||
              str_ieq(head, STR("price_basis")) || str_ieq(head, STR("unit_basis")) ||
              str_ieq(head, STR("unit"));
    c.plain = has_word(a, head, counts, ARRAY_LEN(counts));
    if (c.unit.currency[0] == '\0')
        c.unit.currency = all->currency;
    if (c.unit.scale == 1 && !c.unit.ratio && !c.plain && c.unit.duration == 0)
        c.unit.scale = all->scale;
    return c;
}

/* A cell inherits what its own text leaves open. */
static void apply_column(struct figure *f, const struct column *c, double basis, struct str text)
{
    size_t p = 0;

    while (p < text.n && unicode_alpha((unsigned char)text.p[text.n - 1 - p]))
        p++;
    bool own_scale = p > 0 || (text.n > 0 && (unsigned char)text.p[text.n - 1] >= 0x80);
    if (f->unit == FIGURE_NUMBER && c->unit.ratio) {
        f->value /= 100;
        f->unit = FIGURE_RATIO;
    } else if (f->unit == FIGURE_NUMBER && c->unit.duration > 0) {
        f->value = c->unit.duration < 1 ? f->value / round(1 / c->unit.duration) : f->value;
        f->unit = FIGURE_YEARS;
    } else if (f->unit == FIGURE_NUMBER || f->unit == FIGURE_CURRENCY) {
        double scale = own_scale ? 1 : c->unit.scale;
        if (f->unit == FIGURE_NUMBER && c->unit.currency[0] != '\0' && !c->plain) {
            f->unit = FIGURE_CURRENCY;
            snprintf(f->currency, sizeof(f->currency), "%s", c->unit.currency);
        }
        if (c->money && basis > 0) {
            scale /= basis;
            f->per_unit = true;
        }
        f->value = scale < 1 && scale > 0 ? f->value / (1 / scale) : f->value * scale;
        f->low *= scale;
        f->high *= scale;
    }
    if (f->period[0] == '\0')
        memcpy(f->period, c->period, sizeof(f->period));
    if (c->year >= 0) {
        f->year_from = f->year_to = c->year;
        f->at_start = c->year == 0;
    }
}

static double row_basis(const struct table *t, const struct column *cols, int row, double *of_row)
{
    size_t end;

    *of_row = 0;
    for (int k = 0; k < t->cols; k++)
        if (cols[k].basis && (*of_row = units_per(table_cell(t, row, k), 0, &end)) > 0)
            return *of_row;
    return 0;
}

/* The period that a row's own date cell gives. */
static void row_period(const struct table *t, int row, char period[16])
{
    size_t end;
    struct str c = table_cell(t, row, 0);
    int64_t y;

    period[0] = '\0';
    if (c.n > 0 && !date_at(c, 0, &end, period) && c.n == 4 && str_i64(c, &y) == 0 && y >= 1900 &&
        y <= 2100)
        snprintf(period, 16, "%.4s", c.p);
}

static void scan_cell(struct scan *sc, const struct column *c, double basis, const char *period,
                      struct str cell)
{
    size_t first = sc->count, start = (size_t)(cell.p - sc->s.p);

    sc->cell = cell.n < 40;
    figures_scan_prose(sc, start, start + cell.n);
    sc->cell = false;
    if (cell.n >= 40 || sc->count == first)
        return;
    /* In a short cell the figure stands first: "per 100 units" and "Plan 2" are labels. */
    struct figure *f = &sc->out[first];
    if (f->start > start + 1 && !units_phrase(cell, sc->zh, false).currency[0]) {
        sc->count = first;
        return;
    }
    sc->count = first + 1;
    apply_column(f, c, basis, cell);
    if (f->period[0] == '\0')
        snprintf(f->period, sizeof(f->period), "%s", period);
}

static void scan_row(struct scan *sc, const struct table *t, const struct column *cols, int row)
{
    double basis;
    char period[16];

    row_basis(t, cols, row, &basis);
    row_period(t, row, period);
    for (int k = 0; k < t->cols; k++) {
        struct str cell = table_cell(t, row, k);
        bool label = k == 0 && (period[0] != '\0' || cols[0].skip);

        if (cell.n > 0 && !cols[k].skip && !cols[k].basis && !label)
            scan_cell(sc, &cols[k], basis, period, cell);
    }
}

static struct column *read_columns(struct scan *sc, const struct table *t)
{
    struct unit_phrase all = units_phrase(t->note, sc->zh, true);
    struct column *cols = arena_array(sc->a, struct column, t->cols);

    for (int k = 0; k < t->cols; k++)
        cols[k] = read_column(sc->a, table_cell(t, 0, k), &all, sc->zh);
    return cols;
}

/* "单位:万元; residual value 2000": a bare number in the line that gives the unit has that unit. */
static void scan_note(struct scan *sc, const struct segment *g)
{
    struct str note = {sc->s.p + g->start, g->end - g->start};
    struct unit_phrase u = units_phrase(note, sc->zh, true);
    size_t first = sc->count;

    figures_scan_prose(sc, g->start, g->end);
    for (size_t i = first; u.scale > 1 && i < sc->count; i++) {
        struct figure *f = &sc->out[i];

        if (f->unit != FIGURE_NUMBER || !unicode_digit((unsigned char)sc->s.p[f->end - 1]))
            continue;
        f->value *= u.scale;
        if (u.currency[0] != '\0') {
            f->unit = FIGURE_CURRENCY;
            snprintf(f->currency, sizeof(f->currency), "%s", u.currency);
        }
    }
}

void figures_scan_segments(struct scan *sc, const struct segments *segs)
{
    struct column *cols = NULL;
    int table = -1;

    for (size_t i = 0; i < segs->count; i++) {
        const struct segment *g = &segs->at[i];

        if (g->kind == SEGMENT_HEADING) {
            scan_note(sc, g);
            continue;
        }
        if (g->kind != SEGMENT_ROW) {
            figures_scan_prose(sc, g->start, g->end);
            continue;
        }
        if (g->table != table) {
            table = g->table;
            cols = read_columns(sc, &segs->tables[table]);
        }
        if (g->row > 0)
            scan_row(sc, &segs->tables[table], cols, g->row);
    }
}
