/* facts.c: every figure of the request and of the sources with what it measures, for which option,
 * and who says so. In the context the keys are the words; in a table the header and the first
 * cell; in prose the words between this figure and the last one. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"
#include <math.h>
#include "libcommon/method/dates.h"
#include "libcommon/method/figures_scan.h"
#include "libcommon/method/numbers.h"
#include "libcommon/method/units.h"

#define WINDOW 160
#define CONTEXT_DEPTH 8

static struct fact *add_fact(struct study *s, const struct figure *f)
{
    struct fact *k;

    if (s->facts_count >= STUDY_FACTS_MAX)
        return NULL;
    k = &s->facts[s->facts_count++];
    *k = (struct fact){
        .f = *f, .segment = -1, .table = -1, .row = -1, .col = -1, .line = -1, .rank = RANK_OWN};
    if (k->f.per > 1 && k->f.unit != FIGURE_RATIO) {
        k->f.value /= k->f.per;
        k->f.per = 1;
    }
    return k;
}

/* "annual_cashFlow" becomes "annual cash flow". */
static const char *key_words(struct arena *a, const char *key)
{
    size_t n = strlen(key), len = 0;
    char *out = arena_alloc(a, n * 2 + 1);

    for (size_t i = 0; i < n; i++) {
        char c = key[i];
        bool hump = i > 0 && c >= 'A' && c <= 'Z' && key[i - 1] >= 'a' && key[i - 1] <= 'z';
        if (hump)
            out[len++] = ' ';
        if (c == '_' || c == '-')
            c = ' ';
        out[len++] = hump ? (char)(c - 'A' + 'a') : c;
    }
    out[len] = '\0';
    return out;
}

static void label_period(struct figure *f, struct str label)
{
    static const struct {
        const char *word, *period;
    } words[] = {
        {"per month", "month"}, {"a month", "month"}, {"monthly", "month"}, {"per year", "year"},
        {"a year", "year"},     {"yearly", "year"},   {"annual", "year"},   {"per annum", "year"},
        {"每月", "month"},      {"月均", "month"},    {"月", "month"},      {"每年", "year"},
        {"年均", "year"},       {"年", "year"},
    };

    if (f->period[0] != '\0' || f->unit == FIGURE_YEARS)
        return;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        for (size_t p = 0; p < label.n; p++) {
            if (lex_match(words[i].word, label, p) == 0)
                continue;
            snprintf(f->period, sizeof(f->period), "%s", words[i].period);
            return;
        }
    }
}

static void label_timing(struct figure *f, struct str label)
{
    struct timing t;
    size_t end;

    for (size_t p = 0; p < label.n && f->year_from == 0 && !f->at_start; p++) {
        if (p > 0 && unicode_alnum((unsigned char)label.p[p - 1]))
            continue;
        if (!timing_at(label, p, &end, &t))
            continue;
        bool on = p >= 5 && strncmp(label.p + p - 5, "from ", 5) == 0;
        f->year_from = t.from;
        f->year_to = on && t.to == t.from ? 0 : t.to;
        f->at_start = t.from == 0 && t.to == 0;
        if (f->at_start)
            f->year_from = f->year_to = 0;
    }
}

/* What the keys say of the figure that stands behind them. */
static void apply_label(const struct study *s, struct figure *f, struct str label)
{
    struct unit_phrase u = units_phrase(label, s->zh, false);
    size_t end;

    if (f->unit == FIGURE_NUMBER && u.ratio) {
        f->value /= fabs(f->value) > 1 ? 100 : 1;
        f->unit = FIGURE_RATIO;
    } else if (f->unit == FIGURE_NUMBER && u.duration > 0) {
        f->value = u.duration < 1 ? f->value / round(1 / u.duration) : f->value;
        f->unit = FIGURE_YEARS;
    } else if (f->unit == FIGURE_NUMBER && u.currency[0] != '\0') {
        f->unit = FIGURE_CURRENCY;
        snprintf(f->currency, sizeof(f->currency), "%s", u.currency);
    }
    label_period(f, label);
    label_timing(f, label);
    for (size_t p = 0; p < label.n && !f->per_unit; p++)
        if ((p == 0 || label.p[p - 1] == ' ') &&
            (text_at(label, p, "per ") || text_at(label, p, "每")) && units_per(label, p, &end) > 0)
            f->per_unit = true;
}

static void classify(struct study *s, struct fact *k, struct str label, size_t near)
{
    size_t at;

    k->measure = measure_of(label, near, &at);
    k->freed = lex_has(LEX_FREED, label);
    k->inbound = lex_has(LEX_INBOUND, label);
    k->allocated = lex_has(LEX_ALLOCATED, label);
    k->total = lex_has(LEX_TOTAL, label);
    k->sunk = k->measure == M_SPENT;
    (void)s;
}

/* "savings after migration" are savings: what stands behind the small word says of what. */
static struct str head_of_label(struct str label)
{
    static const char *const small[] = {"after", "if", "when", "from", "for", "of"};

    for (size_t p = 1; p < label.n; p++)
        for (size_t i = 0; i < ARRAY_LEN(small); i++)
            if (label.p[p - 1] == ' ' && lex_match(small[i], label, p) > 0)
                return (struct str){label.p, p - 1};
    return label;
}

struct walk {
    struct study *s;
    char path[512];
    const char *label; /* all keys, outermost first */
};

static void walk_node(struct walk *w, const cJSON *node, int depth);

static void finish_context_fact(struct walk *w, struct fact *k, struct str value)
{
    struct study *s = w->s;
    struct str label = str_of(w->label);
    struct str both = str_of(arena_printf(s->a, "%s: %.*s", w->label, STR_ARG(value)));

    k->origin = FROM_CONTEXT;
    k->path = arena_strdup(s->a, w->path);
    k->label = w->label;
    k->text = k->quote = value;
    apply_label(s, &k->f, label);
    struct str head = head_of_label(label);
    size_t at;
    classify(s, k, label, label.n);
    enum measure by_head = measure_of(head, head.n, &at);
    if (by_head != M_NONE) {
        k->measure = by_head;
        k->sunk = k->measure == M_SPENT;
    }
    if (k->measure == M_NONE)
        classify(s, k, value, k->f.start);
    if (k->measure == M_NONE && k->f.unit == FIGURE_NUMBER && k->f.value >= 10 &&
        (str_find(label, STR("per year")) >= 0 || str_find(label, STR("a year")) >= 0))
        k->measure = M_QUANTITY; /* "meals per year" */
    k->sunk = k->sunk || lex_has(LEX_SUNK, both);
    bool others;
    k->options = options_named(s, both, &others);
    if (!others && (k->options & (k->options - 1)) != 0) /* the keys say more than the value */
        k->options = options_named(s, label, NULL);
}

/* "5.5M a year for 6 years": the amount flows in years 1 to 6. */
static void spread_years(struct figure *f, size_t count)
{
    double years = 0;

    for (size_t i = 0; i < count; i++)
        if (f[i].unit == FIGURE_YEARS && f[i].value >= 1 && f[i].value <= 40)
            years = f[i].value;
    for (size_t i = 0; i < count && years > 0; i++) {
        if (f[i].unit == FIGURE_YEARS || f[i].period[0] == '\0' || f[i].year_from != 0 ||
            unicode_digit((unsigned char)f[i].period[0]))
            continue;
        f[i].year_from = 1;
        f[i].year_to = (int)ceil(years - 1e-9);
    }
}

static void add_text(struct walk *w, const char *text)
{
    struct study *s = w->s;
    struct figure *f;
    struct norm n = unicode_nfkc(s->a, str_of(text));

    if (memchr(n.text.p, ' ', n.text.n) == NULL) /* "12_months" */
        n.text = str_of(key_words(s->a, n.text.p));
    size_t count = figures_scan(s->a, n.text, s->lang, &f);

    spread_years(f, count);
    for (size_t i = 0; i < count; i++) {
        struct fact *k = add_fact(s, &f[i]);
        if (k != NULL)
            finish_context_fact(w, k, n.text);
    }
}

static struct figure plain_figure(double v)
{
    return (struct figure){.value = v, .low = NAN, .high = NAN, .unit = FIGURE_NUMBER, .per = 1};
}

static void add_number(struct walk *w, double v, int index)
{
    struct study *s = w->s;
    struct figure f = plain_figure(v);
    struct fact *k = add_fact(s, &f);

    if (k == NULL)
        return;
    struct str value = json_print(s->a, json_own(s->a, cJSON_CreateNumber(v)));
    finish_context_fact(w, k, value);
    if (index >= 0 && measures[k->measure].cash != CASH_NONE) { /* a list of flows by period */
        k->f.year_from = k->f.year_to = index;
        k->f.at_start = index == 0;
        k->row = k->line = 0;
        k->col = index;
        k->measure = M_FREE_CASH;
    }
}

/* {"low": 1, "base": 2, "high": 4}: one figure with its range. */
static bool add_range(struct walk *w, const cJSON *node)
{
    static const char *const lows[] = {"low",  "min",  "worst", "pessimistic",
                                       "下限", "最低", "悲观"};
    static const char *const bases[] = {"base",     "mode", "likely", "most_likely",
                                        "expected", "基准", "中性"};
    static const char *const highs[] = {"high", "max",  "best", "optimistic",
                                        "上限", "最高", "乐观"};
    const char *const *keys[] = {lows, bases, highs};
    double v[3] = {NAN, NAN, NAN};
    struct figure shape = plain_figure(0);

    if (!cJSON_IsObject(node))
        return false;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 7; k++) {
            const cJSON *item = json_get(node, keys[i][k]);
            struct figure *f;
            if (cJSON_IsNumber(item)) {
                v[i] = item->valuedouble;
            } else if (cJSON_IsString(item) &&
                       figures_scan(w->s->a, str_of(item->valuestring), w->s->lang, &f) == 1) {
                v[i] = f->value;
                shape = *f;
            }
        }
    }
    if (isnan(v[0]) || isnan(v[2]) || v[0] >= v[2])
        return false;
    shape.low = v[0];
    shape.high = v[2];
    shape.value = isnan(v[1]) ? (v[0] + v[2]) / 2 : v[1];
    struct fact *k = add_fact(w->s, &shape);
    if (k != NULL)
        finish_context_fact(w, k, json_print(w->s->a, node));
    return true;
}

/* "lease" and "lease rate" are "lease rate". */
static const char *joined(struct arena *a, const char *label, const char *words)
{
    const char *last = strrchr(label, ' ');
    size_t n;

    last = last == NULL ? label : last + 1;
    n = strlen(last);
    if (strncmp(words, last, n) == 0 && (words[n] == ' ' || words[n] == '\0'))
        return arena_printf(a, "%.*s%s", (int)(last - label), label, words);
    return arena_printf(a, "%s %s", label, words);
}

static void walk_child(struct walk *w, const cJSON *child, const char *key, int depth)
{
    size_t n = strlen(w->path);
    const char *label = w->label;
    const char *words = key_words(w->s->a, key);

    snprintf(w->path + n, sizeof(w->path) - n, "/%s", key);
    w->label = label[0] == '\0' ? words : joined(w->s->a, label, words);
    walk_node(w, child, depth + 1);
    w->path[n] = '\0';
    w->label = label;
}

static void walk_array(struct walk *w, const cJSON *node, int depth)
{
    size_t n = strlen(w->path);
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach (item, node) {
        snprintf(w->path + n, sizeof(w->path) - n, "/%d", i);
        if (cJSON_IsNumber(item))
            add_number(w, item->valuedouble, i);
        else
            walk_node(w, item, depth + 1);
        w->path[n] = '\0';
        i++;
    }
}

static void walk_node(struct walk *w, const cJSON *node, int depth)
{
    const cJSON *child;

    if (depth > CONTEXT_DEPTH)
        return;
    if (cJSON_IsString(node)) {
        add_text(w, node->valuestring);
    } else if (cJSON_IsNumber(node)) {
        add_number(w, node->valuedouble, -1);
    } else if (cJSON_IsArray(node)) {
        walk_array(w, node, depth);
    } else if (cJSON_IsObject(node) && !add_range(w, node)) {
        cJSON_ArrayForEach (child, node) {
            if (depth == 0 && child->string != NULL && strcmp(child->string, "criteria") == 0)
                continue;
            walk_child(w, child, child->string, depth);
        }
    }
}

/* The part of a sentence that speaks of this figure: between ; or the ends. */
static struct str clause_of(struct str text, const struct segment *g, const struct figure *f)
{
    size_t start = f->start, end = f->end;

    while (start > g->start && text.p[start - 1] != ';' && !text_at(text, start - 3, "；"))
        start--;
    while (end < g->end && text.p[end] != ';')
        end++;
    return (struct str){text.p + start, end - start};
}

static struct str window_before(struct str text, size_t from, size_t to)
{
    if (to - from > WINDOW)
        from = to - WINDOW;
    while (from < to && ((unsigned char)text.p[from] & 0xC0) == 0x80)
        from++;
    return (struct str){text.p + from, to - from};
}

static void prose_fact(struct study *s, struct fact *k, const struct source *src,
                       const struct segment *g, size_t last_end, size_t next_start)
{
    struct str text = src->n.text;
    struct str clause = clause_of(text, g, &k->f);
    size_t clause_start = (size_t)(clause.p - text.p);
    struct str before = window_before(text, MAX(last_end, clause_start), k->f.start);
    struct str sentence = {text.p + g->start, g->end - g->start};
    size_t at;

    k->measure = measure_of(before, before.n, &at);
    if (k->measure == M_NONE) {
        size_t end = MIN(MIN(next_start, clause_start + clause.n), k->f.end + WINDOW);
        while (end < text.n && ((unsigned char)text.p[end] & 0xC0) == 0x80)
            end++;
        k->measure = measure_of((struct str){text.p + k->f.end, end - k->f.end}, 0, &at);
    }
    if (k->measure == M_NONE)
        k->measure = measure_of(window_before(text, g->start, k->f.start), WINDOW, &at);
    if (lex_has(LEX_DELTA, before)) /* what is added to a measure is not the measure */
        k->measure = M_NONE;
    bool money = k->f.unit == FIGURE_CURRENCY || k->f.unit == FIGURE_NUMBER;
    k->sunk =
        money && (k->measure == M_SPENT || (k->measure == M_NONE && lex_has(LEX_SUNK, before)));
    k->allocated = lex_has(LEX_ALLOCATED, clause) || lex_has(LEX_ALLOCATED, sentence);
    k->avoidable = lex_has(LEX_AVOIDABLE, clause);
    k->stays = lex_has(LEX_STAYS, clause);
    k->freed = lex_has(LEX_FREED, clause);
    k->inbound = lex_has(LEX_INBOUND, before);
    k->plan = lex_has(LEX_PLAN, sentence);
    k->options = options_named(s, clause, NULL);
    if (k->options == 0)
        k->options = options_named(s, sentence, NULL);
    if ((k->options & (k->options - 1)) != 0 && str_find(clause, STR("if ")) < 0)
        k->options = 0; /* of several, nobody says which */
}

/* The year up to which figures are audited or actual; what comes later is a plan. */
static int64_t actual_year(const struct table *t)
{
    size_t at, len;
    int64_t year = 0;

    if (!lex_find(LEX_AUDITED, t->note, 0, &at, &len))
        return 0;
    for (size_t p = at; p + 4 <= t->note.n && p < at + 24; p++)
        if (str_i64((struct str){t->note.p + p, 4}, &year) == 0 && year > 1900 && year < 2100)
            return year;
    return 0;
}

static void cell_of(const struct table *t, int row, const char *p, int *col)
{
    for (int k = 0; k < t->cols; k++) {
        struct str c = table_cell(t, row, k);
        if (p >= c.p && p < c.p + MAX(c.n, 1))
            *col = k;
    }
}

/* A table that runs down the years has its series in the columns: "year, option A, option B". */
static void place_in_series(struct fact *k, const struct table *t, struct str first)
{
    struct str corner = table_cell(t, 0, 0);
    int64_t year = -1;
    char period[16];
    size_t end;

    k->line = k->row;
    if (k->col < 1)
        return;
    if (lex_has(LEX_TIMELINE, corner) && str_i64(first, &year) == 0 && year >= 0 && year <= 60) {
        k->f.year_from = k->f.year_to = (int)year;
        k->f.at_start = year == 0;
        k->line = 10000 + k->col;
    } else if (date_at(first, 0, &end, period) ||
               (lex_has(LEX_TIMELINE, corner) && str_i64(first, &year) == 0)) {
        k->line = 10000 + k->col;
    }
}

static void table_fact(struct study *s, struct fact *k, const struct source *src,
                       const struct segment *g)
{
    const struct table *t = &src->segs.tables[g->table];
    size_t at;
    int64_t year = 0;

    k->table = g->table;
    k->row = g->row;
    cell_of(t, g->row, src->n.text.p + k->f.start, &k->col);
    struct str first = table_cell(t, g->row, 0), head = table_cell(t, 0, MAX(k->col, 0));
    const char *words = key_words(s->a, arena_strndup(s->a, head.p, head.n));
    struct str head_words = str_of(words);

    k->measure = k->col == 0 ? M_NONE : measure_of(head_words, head_words.n, &at);
    enum measure by_row = measure_of(first, first.n, &at);
    bool dated = k->f.period[0] != '\0' &&
                 str_find(head, (struct str){k->f.period, strlen(k->f.period)}) >= 0;
    bool by_column = k->measure != M_NONE && !dated;
    if (!by_column)
        k->measure = by_row;
    static const enum measure of_notes[] = {M_UNIT_COST, M_FREE_CASH, M_COMPLETE};
    for (size_t i = 0; i < ARRAY_LEN(of_notes) && k->measure == M_NONE; i++)
        if (measure_named(of_notes[i], t->note))
            k->measure = of_notes[i];
    k->label = by_column ? words : arena_strndup(s->a, first.p, first.n);
    k->allocated = lex_has(LEX_ALLOCATED, first) || lex_has(LEX_ALLOCATED, head_words);
    k->total = lex_has(LEX_TOTAL, first);
    if (!k->f.at_start && k->f.year_from == 0)
        label_period(&k->f, head_words);
    k->options = options_named(s, first, NULL);
    if (k->options == 0 && k->col > 0)
        k->options = options_named(s, head_words, NULL);
    if (k->options == 0 && !dated)
        k->options =
            options_named(s, (struct str){src->n.text.p + g->start, g->end - g->start}, NULL);
    place_in_series(k, t, first);
    bool alone = k->options != 0 && (k->options & (k->options - 1)) == 0;
    k->attribute = by_column && alone && !k->f.at_start && k->f.year_from == 0 &&
                   !unicode_digit((unsigned char)k->f.period[0]);
    int64_t actual = actual_year(t);
    if (actual > 0 && str_i64((struct str){k->f.period, MIN(strlen(k->f.period), 4)}, &year) == 0 &&
        year > actual) {
        k->plan = true;
        k->rank = MIN(k->rank, RANK_PLAN);
    }
}

static void source_facts(struct study *s, int index)
{
    const struct source *src = &s->sources[index];
    struct figure *f;
    size_t count = figures_scan_segmented(s->a, src->n.text, &src->segs, s->zh, &f), g = 0,
           last_end = 0;

    for (size_t i = 0; i < count; i++) {
        while (g < src->segs.count && src->segs.at[g].end < f[i].end) {
            g++;
            last_end = 0;
        }
        struct fact *k = g < src->segs.count ? add_fact(s, &f[i]) : NULL;
        if (k == NULL)
            return;
        const struct segment *seg = &src->segs.at[g];
        size_t next = i + 1 < count ? f[i + 1].start : src->n.text.n;
        k->origin = index;
        k->segment = (int)g;
        k->rank = src->rank;
        k->text = src->n.text;
        k->quote = (struct str){src->n.text.p + seg->start, seg->end - seg->start};
        if (seg->kind == SEGMENT_ROW)
            table_fact(s, k, src, seg);
        else
            prose_fact(s, k, src, seg, MAX(last_end, seg->start), next);
        last_end = f[i].end;
    }
}

static bool in_table(const struct fact *k, int origin, int table)
{
    return k->origin == origin && k->table == table && k->f.unit == FIGURE_NUMBER &&
           k->label != NULL && !k->plan;
}

/* Customers lost over customers at the start of each row: a rate of churn that nobody wrote down.
 */
static void derive_churn(struct study *s, int origin, int table)
{
    double lost = 0, start = 0;
    int last = -1;

    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if (!in_table(k, origin, table))
            continue;
        struct str label = str_of(k->label);
        if (lex_has(LEX_LOST, label)) {
            lost += k->f.value;
            last = i;
        } else if (lex_has(LEX_AT_START, label)) {
            start += k->f.value;
        }
    }
    if (last < 0 || start <= 0 || lost <= 0 || lost >= start)
        return;
    struct figure f = s->facts[last].f;
    struct fact *k = add_fact(s, &f);
    if (k == NULL)
        return;
    int row = s->facts[last].row;
    *k = s->facts[last];
    k->f.value = lost / start;
    k->f.unit = FIGURE_RATIO;
    snprintf(k->f.period, sizeof(k->f.period), "%s", strlen(f.period) > 4 ? "month" : "year");
    k->measure = M_CHURN;
    k->row = row;
    k->label = tr(s, "lost over start, all rows", "流失数除以期初数，全部行");
    k->derived = true;
}

static void derive(struct study *s)
{
    for (int i = 0; i < s->sources_count; i++)
        for (int t = 0; t < s->sources[i].segs.tables_count; t++)
            derive_churn(s, i, t);
}

static void query_facts(struct study *s)
{
    struct source q = {.n = unicode_nfkc(s->a, str_of(s->query))};
    struct figure *f;

    q.segs = segments_of(s->a, q.n.text);
    size_t count = figures_scan_segmented(s->a, q.n.text, &q.segs, s->zh, &f), g = 0, last_end = 0;
    for (size_t i = 0; i < count; i++) {
        while (g < q.segs.count && q.segs.at[g].end < f[i].end) {
            g++;
            last_end = 0;
        }
        struct fact *k = g < q.segs.count ? add_fact(s, &f[i]) : NULL;
        if (k == NULL)
            return;
        k->origin = FROM_QUERY;
        k->path = "/query";
        k->text = q.n.text;
        k->quote = q.n.text;
        prose_fact(s, k, &q, &q.segs.at[g], MAX(last_end, q.segs.at[g].start),
                   i + 1 < count ? f[i + 1].start : q.n.text.n);
        last_end = f[i].end;
    }
}

static bool later(const struct fact *a, const struct fact *b)
{
    return strcmp(a->f.period, b->f.period) > 0;
}

int fact_best(const struct study *s, enum measure m, int option)
{
    int best = -1;

    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];

        if (k->measure != m || isnan(k->f.value) ||
            (option >= 0 && (k->options & (1u << option)) == 0))
            continue;
        if (best < 0 || k->rank > s->facts[best].rank ||
            (k->rank == s->facts[best].rank && later(k, &s->facts[best])))
            best = i;
    }
    return best;
}

struct tally {
    const char *code;
    int n;
};

/* The currency of the context, else the one most figures have. */
static void find_currency(struct study *s)
{
    const char *said = json_str(s->context, "currency", json_str(s->context, "币种", NULL));
    const char *code = "";
    struct tally seen[40];
    int count = 0, best = 0;
    size_t end;

    if (said != NULL && units_currency_behind(str_of(said), 0, s->zh, &end, &code) &&
        code[0] != '\0') {
        snprintf(s->currency, sizeof(s->currency), "%s", code);
        return;
    }
    for (int i = 0; i < s->facts_count; i++) {
        int k = 0;
        if (s->facts[i].f.currency[0] == '\0')
            continue;
        while (k < count && strcmp(seen[k].code, s->facts[i].f.currency) != 0)
            k++;
        if (k == count && count < (int)ARRAY_LEN(seen))
            seen[count++] = (struct tally){s->facts[i].f.currency, 0};
        if (k < count)
            seen[k].n++;
    }
    for (int k = 1; k < count; k++)
        best = seen[k].n > seen[best].n ? k : best;
    if (count > 0)
        snprintf(s->currency, sizeof(s->currency), "%s", seen[best].code);
}

/* "1美元=7.2元": what one unit of `code` is worth in the study's currency; NAN when nobody says. */
static double exchange_rate(const struct study *s, const char *code)
{
    for (int i = 0; i + 1 < s->facts_count; i++) {
        const struct fact *a = &s->facts[i], *b = &s->facts[i + 1];
        bool pair = a->measure == M_EXCHANGE && b->measure == M_EXCHANGE && a->origin < 0 &&
                    a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;

        if (!pair || a->f.value <= 0 || b->f.value <= 0)
            continue;
        if (strcmp(a->f.currency, code) == 0 && strcmp(b->f.currency, s->currency) == 0)
            return b->f.value / a->f.value;
        if (strcmp(b->f.currency, code) == 0 && strcmp(a->f.currency, s->currency) == 0)
            return a->f.value / b->f.value;
    }
    return NAN;
}

/* Amounts that flow are brought to one currency; what is only reported keeps its own. */
static void convert(struct study *s)
{
    for (int i = 0; i < s->facts_count; i++) {
        struct fact *k = &s->facts[i];
        bool flows = measures[k->measure].cash != CASH_NONE || k->measure == M_BUDGET ||
                     (k->table >= 0 && k->options != 0);
        double rate;

        if (k->f.unit != FIGURE_CURRENCY || k->f.currency[0] == '\0' || !flows ||
            strcmp(k->f.currency, s->currency) == 0 ||
            isnan(rate = exchange_rate(s, k->f.currency)))
            continue;
        k->f.value *= rate;
        k->f.low *= rate;
        k->f.high *= rate;
        snprintf(k->f.currency, sizeof(k->f.currency), "%s", s->currency);
        s->converted_at = rate;
    }
}

static void find_rate(struct study *s)
{
    s->rate_fact = -1;
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        double v = k->f.unit == FIGURE_NUMBER && k->f.value >= 1 ? k->f.value / 100 : k->f.value;
        bool from_asker = k->origin < 0 && (s->rate_fact < 0 || s->facts[s->rate_fact].origin >= 0);

        if (k->measure != M_DISCOUNT_RATE || v < 0 || v > 1 || (s->rate_fact >= 0 && !from_asker))
            continue;
        s->rate = v;
        s->rate_fact = i;
        s->rate_given = true;
    }
    if (!s->rate_given)
        s->rate = 0.1;
}

void facts_read(struct study *s)
{
    struct walk w = {.s = s, .path = "/context", .label = ""};

    s->facts = arena_array(s->a, struct fact, STUDY_FACTS_MAX);
    query_facts(s);
    walk_node(&w, s->context, 0);
    for (int i = 0; i < s->sources_count; i++)
        source_facts(s, i);
    derive(s);
    find_currency(s);
    s->converted_at = NAN;
    convert(s);
    find_rate(s);
}
