/* flows.c: what each option costs and brings, by year, from the figures that belong to it. Nothing
 * is filled in: without a horizon or without any inflow an option has no value, and that is said.
 * What is spent already, totals, the allocated part of a cost, and figures that lost a conflict
 * stay out. Costs of units (make or buy) are compared as costs over the same units. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"
#include <math.h>
#include <ctype.h>

#define SAME_AMOUNT 0.02

static bool about_equal(double a, double b)
{
    return fabs(a - b) <= SAME_AMOUNT * MAX(fabs(a), fabs(b));
}

static bool is_recurring(const struct fact *k)
{
    return strcmp(k->f.period, "year") == 0 || strcmp(k->f.period, "month") == 0 ||
           strcmp(k->f.period, "quarter") == 0 || strcmp(k->f.period, "week") == 0 ||
           strcmp(k->f.period, "day") == 0;
}

static double by_year(const struct fact *k, double v)
{
    static const struct {
        const char *period;
        double times;
    } rows[] = {{"month", 12}, {"quarter", 4}, {"week", 52}, {"day", 365}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(k->f.period, rows[i].period) == 0)
            return v * rows[i].times;
    return v;
}

static bool is_money(const struct study *s, const struct fact *k)
{
    if (isnan(k->f.value) || (k->f.unit != FIGURE_CURRENCY && k->f.unit != FIGURE_NUMBER))
        return false;
    if (k->f.unit == FIGURE_NUMBER && k->origin >= 0)
        return false;
    return k->f.currency[0] == '\0' || strcmp(k->f.currency, s->currency) == 0;
}

/* Letters and digits of the label, at most 40; made different from the others of the option. */
static void name_variable(const struct cash *c, struct cash_item *item, const char *fallback)
{
    size_t n = 0;

    for (const char *p = item->label; *p != '\0' && n < 40; p++) {
        if (unicode_alnum((unsigned char)*p))
            item->variable[n++] = (char)tolower((unsigned char)*p);
        else if (n > 0 && item->variable[n - 1] != '_')
            item->variable[n++] = '_';
    }
    while (n > 0 && item->variable[n - 1] == '_')
        n--;
    item->variable[n] = '\0';
    if (n == 0 || unicode_digit((unsigned char)item->variable[0]))
        snprintf(item->variable, sizeof(item->variable), "%s", fallback);
    for (int i = 0; i < c->count; i++) {
        if (strcmp(c->items[i].variable, item->variable) == 0) {
            n = MIN(strlen(item->variable), 40);
            snprintf(item->variable + n, sizeof(item->variable) - n, "_%d", c->count + 1);
        }
    }
}

static struct cash_item *add_item(struct cash *c, const char *label, const char *fallback,
                                  double value, int sign, int fact)
{
    if (c->count >= CASH_ITEMS_MAX)
        return NULL;
    struct cash_item *item = &c->items[c->count];
    *item = (struct cash_item){
        .label = label, .value = fabs(value), .factor = 1, .sign = sign, .fact = fact};
    item->low = item->high = NAN;
    name_variable(c, item, fallback);
    c->count++;
    return item;
}

static const char *label_of(const struct study *s, const struct fact *k)
{
    if (k->label != NULL && k->label[0] != '\0')
        return k->label;
    return s->zh ? measures[k->measure].zh : measures[k->measure].en;
}

static bool has_amount(const struct cash *c, double value)
{
    for (int i = 0; i < c->count; i++)
        if (about_equal(c->items[i].value, fabs(value)))
            return true;
    return false;
}

/* The same amount told by another source, or once in the query and once in the context. Two keys of
 * the context are two amounts, however equal. */
static bool is_retold(const struct study *s, const struct cash *c, const struct fact *k)
{
    for (int i = 0; i < c->count; i++) {
        const struct cash_item *item = &c->items[i];
        bool yearly = item->to < 0 || item->to > item->from;
        bool told = item->fact >= 0 && s->facts[item->fact].origin < 0 && k->origin >= 0 &&
                    s->facts[item->fact].measure == k->measure;
        if (told && yearly == is_recurring(k)) /* the asker's figure stands for it already */
            return true;
        bool own_list = item->fact >= 0 && s->facts[item->fact].origin == FROM_CONTEXT &&
                        k->origin == FROM_CONTEXT;
        if (!own_list && yearly == is_recurring(k) &&
            about_equal(item->value, fabs(by_year(k, k->f.value))))
            return true;
    }
    return false;
}

/* The only option that does something: what names no option belongs to it. */
static int sole_action(const struct study *s)
{
    int found = -1;

    for (int i = 0; i < s->options_count; i++) {
        enum option_kind k = s->options[i].kind;
        bool leaves = lex_has(LEX_EXIT, str_of(s->options[i].name));
        if (!s->options[i].given || k == OPTION_DO_NOTHING || k == OPTION_DELAY || leaves)
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

static bool acquires(const struct option *o)
{
    return o->given && !o->negated && (lex_has(LEX_ACQUIRE, str_of(o->name)) || !isnan(o->share)) &&
           o->kind != OPTION_HYBRID && (!isnan(o->amount) || isnan(o->share) || o->share > 0);
}

static bool acquires_all(const struct option *o)
{
    return acquires(o) && (isnan(o->share) || o->share >= 0.5);
}

static bool acts(const struct option *o)
{
    return o->given && !o->negated && o->kind != OPTION_DO_NOTHING && o->kind != OPTION_DELAY &&
           o->kind != OPTION_HYBRID;
}

/* "savings after migration" belongs to each way to migrate. */
static bool shares_word(const struct study *s, const struct option *o, struct str label)
{
    struct terms t = terms_of(s->a, label, true);

    for (int i = 0; i < t.count; i++)
        if (terms_has(&o->all, t.at[i]))
            return true;
    return false;
}

/* Does a fact without an option of its own fall to option i after all? */
static bool falls_to(const struct study *s, const struct fact *k, int i)
{
    const struct option *o = &s->options[i];
    struct str label = str_of(k->label == NULL ? "" : k->label);

    if (k->options != 0)
        return (k->options & (1u << i)) != 0;
    if (k->origin >= 0)
        return false;
    if (lex_has(LEX_ACQUIRE, label))
        return acquires_all(o);
    if (sole_action(s) == i)
        return true;
    return measures[k->measure].cash == CASH_IN && is_recurring(k) && acts(o) &&
           shares_word(s, o, label);
}

/* What an option earns in a year flows in, when the context says it of the option. */
static enum cash_class class_of(const struct fact *k)
{
    bool earned = k->measure == M_PROFIT || k->measure == M_REVENUE || k->measure == M_EBITDA;

    bool price = k->measure == M_UNIT_PRICE && !k->f.per_unit && !is_recurring(k);

    if (earned && k->origin == FROM_CONTEXT && is_recurring(k))
        return CASH_IN;
    if (price && k->origin == FROM_CONTEXT && k->options != 0) /* of the thing, not of a unit */
        return CASH_OUTLAY;
    return measures[k->measure].cash;
}

static bool is_cash_fact(const struct study *s, const struct fact *k)
{
    return class_of(k) != CASH_NONE && class_of(k) != CASH_TERMINAL && is_money(s, k) && !k->sunk &&
           !k->total && !k->beaten && !k->f.per_unit && !k->allocated && !k->stays &&
           (k->attribute || (k->table < 0 && k->row < 0)) && k->origin != FROM_QUERY;
}

static void set_time(struct cash_item *item, const struct fact *k)
{
    if (is_recurring(k) || k->f.year_to > k->f.year_from ||
        (k->f.year_from > 0 && k->f.year_to == 0)) {
        item->from = MAX(k->f.year_from, 1);
        item->to = k->f.year_to;
        if (k->f.year_to == 0)
            item->to = -1; /* to the horizon */
        item->value = by_year(k, item->value);
        item->low = by_year(k, k->f.low);
        item->high = by_year(k, k->f.high);
        return;
    }
    item->from = item->to = k->f.at_start ? 0 : k->f.year_from;
    item->low = k->f.low;
    item->high = k->f.high;
}

/* "half is spent now, half after one year" in the lines that speak of this figure. */
static bool pays_half_later(const struct study *s, const struct fact *k)
{
    if (lex_has(LEX_HALF_NOW, k->quote))
        return true;
    for (int i = 0; i < s->facts_count; i++) /* an older figure for the same gives the terms */
        if (s->facts[i].beaten && s->facts[i].measure == k->measure &&
            s->facts[i].options == k->options && lex_has(LEX_HALF_NOW, s->facts[i].quote))
            return true;
    return k->origin >= 0 && k->table >= 0 &&
           lex_has(LEX_HALF_NOW, s->sources[k->origin].segs.tables[k->table].note);
}

static void add_fact_items(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;

    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        enum cash_class class = class_of(k);
        bool once = !is_recurring(k) && k->f.year_to <= k->f.year_from;

        if (!is_cash_fact(s, k) || !falls_to(s, k, i) || k->f.value == 0)
            continue;
        if (is_retold(s, c, k) ||
            (once && class != CASH_IN && c->series_years >= 0 && c->series[0] < 0))
            continue;
        struct cash_item *item = add_item(c, label_of(s, k), measures[k->measure].id, k->f.value,
                                          class == CASH_IN ? 1 : -1, n);
        if (item == NULL)
            return;
        set_time(item, k);
        item->half_later = pays_half_later(s, k);
        if (k->f.value < 0)
            item->sign = -item->sign * (class == CASH_IN ? 1 : -1);
    }
}

/* A column or row of amounts by date that belongs to the option: the latest counts. */
static void add_latest(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;
    int best = -1;

    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        if (k->table < 0 || k->measure != M_COMPLETE || !falls_to(s, k, i) || !is_money(s, k) ||
            k->beaten)
            continue;
        if (best < 0 || strcmp(k->f.period, s->facts[best].f.period) > 0)
            best = n;
    }
    if (best < 0)
        return;
    const struct fact *k = &s->facts[best];
    struct cash_item *item = add_item(c, label_of(s, k), "cost_to_complete", k->f.value, -1, best);
    if (item != NULL)
        item->half_later = pays_half_later(s, k);
}

static int year_of_period(const char *period)
{
    int64_t y;

    return strlen(period) == 4 && str_i64((struct str){period, 4}, &y) == 0 ? (int)y : 0;
}

/* A row (or a list in the context) of this option with an amount for each year. */
static void read_series(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;
    int base = 0, line = -1, table = -1, origin = -9;

    c->series_years = -1;
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        int year = year_of_period(k->f.period);
        bool timed = k->f.at_start || k->f.year_from > 0;
        enum cash_class class = measures[k->measure].cash;

        if (k->row < 0 || !falls_to(s, k, i) || !is_money(s, k) || (!timed && year == 0) ||
            k->attribute || (k->table >= 0 && class == CASH_NONE && k->measure != M_NONE) ||
            class == CASH_OUTLAY || (class == CASH_COST && k->table >= 0))
            continue;
        if (line >= 0 && (k->line != line || k->table != table || k->origin != origin))
            continue;
        if (line < 0) {
            line = k->line;
            table = k->table;
            origin = k->origin;
            base = timed ? 0 : year;
            c->series_fact = n;
        }
        int t = timed ? (k->f.at_start ? 0 : k->f.year_from) : year - base;
        if (t < 0 || t > CASH_YEARS_MAX)
            continue;
        c->series[t] = k->f.value;
        c->series_years = MAX(c->series_years, t);
    }
    if (c->series_years < 1)
        c->series_years = -1;
    c->series_share = 1;
}

/* The year that counts as today: the last audited one, else the first of the table. */
static int base_year(const struct study *s, const struct fact *first)
{
    int base = 0;

    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        int y = year_of_period(k->f.period);
        if (k->origin == first->origin && k->table == first->table && k->row == first->row &&
            !k->plan)
            base = MAX(base, y);
    }
    int all_actual = year_of_period(first->f.period);
    bool any_plan = false;
    for (int n = 0; n < s->facts_count; n++)
        any_plan = any_plan || (s->facts[n].origin == first->origin &&
                                s->facts[n].table == first->table && s->facts[n].plan);
    return any_plan ? base : all_actual;
}

/* What is bought brings its free cash flow; a share of it brings the share. */
static void read_target(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;
    const struct fact *first = NULL;

    for (int n = 0; n < s->facts_count && first == NULL; n++) {
        const struct fact *k = &s->facts[n];
        if (k->table >= 0 && k->options == 0 && k->measure == M_FREE_CASH &&
            year_of_period(k->f.period) > 0) {
            first = k;
            c->series_fact = n;
        }
    }
    if (first == NULL)
        return;
    int base = base_year(s, first);
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        int t = year_of_period(k->f.period) - base;
        if (k->origin != first->origin || k->table != first->table || k->row != first->row ||
            t < 1 || t > CASH_YEARS_MAX)
            continue;
        c->series[t] = k->f.value;
        c->series_years = MAX(c->series_years, t);
    }
    c->series_share = isnan(s->options[i].share) ? 1 : s->options[i].share;
}

static int horizon_of(const struct study *s, int i, bool any)
{
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        bool mine = (k->options & (1u << i)) != 0 || (any && k->options == 0);
        if (k->measure != M_LIFE || k->origin >= 0 || !mine)
            continue;
        if (k->f.unit == FIGURE_YEARS || (k->f.unit == FIGURE_NUMBER && k->f.value >= 1))
            return (int)MIN(MAX(ceil(k->f.value - 1e-9), 1), CASH_YEARS_MAX);
    }
    return 0;
}

/* When a terminal amount comes: as said, else at the end of the series or of the horizon. */
static int last_year(const struct study *s, int i, const struct fact *k)
{
    const struct cash *c = &s->options[i].cash;
    int years = horizon_of(s, i, false);

    if (k->f.year_from > 0)
        return MIN(k->f.year_from, CASH_YEARS_MAX);
    if (c->series_years >= 1)
        return c->series_years;
    return years > 0 ? years : horizon_of(s, i, true);
}

/* "5 x free cash flow of 2030" or an amount. */
static void read_terminal(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;

    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        size_t at;

        if (k->measure != M_TERMINAL || k->origin == FROM_QUERY)
            continue;
        if (k->options != 0 ? (k->options & (1u << i)) == 0 : k->origin >= 0 && sole_action(s) != i)
            continue;
        bool multiple = k->f.unit == FIGURE_MULTIPLE ||
                        (k->f.unit == FIGURE_NUMBER && k->f.value <= 50 &&
                         measure_of(k->text, k->f.end, &at) != M_NONE && k->origin == FROM_CONTEXT);
        if (multiple && c->series_years >= 1) {
            c->terminal = k->f.value * c->series[c->series_years];
            c->terminal_multiple = k->f.value;
        } else if (!multiple && (is_money(s, k) || k->table < 0) && last_year(s, i, k) > 0) {
            struct cash_item *item =
                add_item(c, tr(s, "terminal value", "终值"), "terminal_value", k->f.value, 1, n);
            if (item != NULL)
                item->from = item->to = last_year(s, i, k);
        }
        return;
    }
}

/* Synergies are claimed, not shown: they stand as an upside that the base case leaves out. */
static void read_upside(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;

    if (!acquires_all(&s->options[i]) || c->series_years < 1)
        return;
    int n = fact_best(s, M_SYNERGY, -1);
    if (n < 0 || !is_money(s, &s->facts[n]) || s->facts[n].beaten)
        return;
    struct cash_item *item =
        add_item(c, s->zh ? "协同效益" : "synergies", "synergies", s->facts[n].f.value, 1, n);
    if (item == NULL)
        return;
    item->value = by_year(&s->facts[n], item->value);
    item->from = MAX(s->facts[n].f.year_from, 1);
    item->to = -1;
    item->upside = true;
    snprintf(item->variable, sizeof(item->variable), "synergy_share");
}

static void add_price(struct study *s, int i)
{
    const struct option *o = &s->options[i];
    struct cash *c = &s->options[i].cash;
    bool outlay = c->series_years >= 0 && c->series[0] < 0;

    if (isnan(o->amount) || has_amount(c, o->amount) || outlay)
        return;
    int sign = lex_has(LEX_SELLS, str_of(o->name)) ? 1 : -1; /* "Sell it for EUR 4M" */
    struct cash_item *item = add_item(c, s->zh ? "对价" : "price", "price", o->amount, sign, -1);
    (void)item;
    for (int n = 0; n < s->facts_count; n++)
        if (item != NULL && item->fact < 0 && about_equal(s->facts[n].f.value, o->amount) &&
            is_money(s, &s->facts[n]))
            item->fact = n;
}

static void set_horizon(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;
    int years = horizon_of(s, i, false), last = MAX(c->series_years, 0);

    if (years == 0)
        years = s->options[i].years;

    for (int k = 0; k < c->count; k++)
        last = MAX(last, c->items[k].to);
    if (years == 0 && last > 1)
        years = last;
    if (years == 0)
        years = horizon_of(s, i, true);
    c->years = MIN(MAX(years, last), CASH_YEARS_MAX);
}

/* The horizon of the longest other option, for yearly amounts that say no end. */
static int common_horizon(const struct study *s)
{
    int years = 0;

    for (int i = 0; i < s->options_count; i++)
        years = MAX(years, s->options[i].cash.years);
    return years;
}

static void settle(struct study *s, int i, int common)
{
    struct option *o = &s->options[i];
    struct cash *c = &o->cash;
    bool open = false, in = c->series_years >= 1;

    for (int k = 0; k < c->count; k++) {
        struct cash_item *item = &c->items[k];
        open = open || item->to < 0;
        in = in || (item->sign > 0 && !item->upside);
        if (item->sign < 0 && item->from == 0)
            c->outlay += item->value * item->factor;
    }
    if (c->series_years >= 0 && c->series[0] < 0)
        c->outlay -= c->series[0];
    if (c->years == 0)
        c->years = common;
    for (int k = 0; k < c->count; k++)
        if (c->items[k].to < 0)
            c->items[k].to = c->years;
    if (c->count == 0 && c->series_years < 0) {
        c->baseline = o->kind == OPTION_DO_NOTHING || o->kind == OPTION_DELAY;
        c->gap = s->zh ? "没有现金流数据" : "no cash flow was given";
    } else if (open && c->years == 0) {
        c->gap = s->zh ? "没有给出年限" : "no horizon was given for its yearly amounts";
    } else if (!in && !c->per_unit && o->kind != OPTION_DO_NOTHING &&
               !lex_has(LEX_EXIT, str_of(o->name))) {
        c->gap = s->zh ? "只有支出，没有收益数据" : "only costs were given, no inflow";
    } else {
        c->known = true;
    }
    c->years = MAX(c->years, 1);
}

static bool brings_in(const struct cash *c)
{
    for (int k = 0; k < c->count; k++)
        if (c->items[k].sign > 0 && !c->items[k].upside)
            return true;
    for (int t = 1; t <= c->series_years; t++)
        if (c->series[t] > 0)
            return true;
    return false;
}

/* Where nobody speaks of income, two ways or more to the same end are compared by what they cost.
 */
static void compare_costs(struct study *s)
{
    int costs = 0;

    for (int i = 0; i < s->options_count; i++) {
        const struct option *o = &s->options[i];
        if (o->given && brings_in(&o->cash))
            return;
        costs += o->given && o->cash.count > 0;
    }
    s->costs_only = costs >= 2;
    for (int i = 0; i < s->options_count && costs >= 2; i++)
        if (s->options[i].given && s->options[i].cash.count > 0)
            s->options[i].cash.per_unit = true;
}

/* Staying as one is counts as zero only where nobody says what staying costs. */
static void drop_baselines(struct study *s)
{
    bool known = false;

    for (int i = 0; i < s->options_count; i++)
        known = known || (s->options[i].given && s->options[i].kind == OPTION_DO_NOTHING &&
                          s->options[i].cash.known);
    for (int i = 0; i < s->options_count; i++)
        if (known || s->costs_only || s->states.count > 0)
            s->options[i].cash.baseline = false;
}

static double yearly_units(const struct study *s)
{
    int n = fact_best(s, M_QUANTITY, -1);

    if (n < 0 || s->facts[n].f.value <= 0 || s->facts[n].f.unit != FIGURE_NUMBER)
        return NAN;
    const struct fact *k = &s->facts[n];
    return is_recurring(k) ? by_year(k, k->f.value) : k->f.value;
}

static bool is_unit_cost(const struct study *s, const struct fact *k)
{
    bool table_of_one = false;

    if (k->f.unit != FIGURE_CURRENCY && !(k->origin == FROM_CONTEXT && k->f.unit == FIGURE_NUMBER))
        return false;
    if (k->table >= 0 && k->origin >= 0)
        table_of_one = measure_named(M_UNIT_COST, s->sources[k->origin].segs.tables[k->table].note);
    return (k->f.per_unit || table_of_one || k->measure == M_UNIT_COST) && !k->total &&
           !k->beaten && !k->sunk && k->measure != M_QUANTITY && k->measure != M_MINIMUM_ORDER &&
           k->measure != M_BENEFIT;
}

/* A table of one unit's cost that names no option is today's way: it belongs to the option that
 * keeps things as they are. */
static bool unit_cost_falls_to(const struct study *s, const struct fact *k, int i)
{
    const struct option *o = &s->options[i];

    if (k->options != 0)
        return (k->options & (1u << i)) != 0;
    if (k->table >= 0)
        return o->kind == OPTION_DO_NOTHING && o->given;
    return k->origin == FROM_CONTEXT && k->inbound && o->buys_in;
}

/* Of an allocated cost only what would end counts. */
static double avoidable_part(const struct study *s, const struct fact *k, int *fact)
{
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *part = &s->facts[n];
        if (part->avoidable && !part->stays && part->f.unit == FIGURE_CURRENCY &&
            part->f.value < k->f.value) {
            *fact = n;
            return part->f.value;
        }
    }
    return 0;
}

/* One price buys one unit; a second source of it is the same price told again. */
static bool has_price(const struct study *s, const struct cash *c)
{
    for (int i = 0; i < c->count; i++)
        if (c->items[i].fact >= 0 && s->facts[c->items[i].fact].measure == M_UNIT_PRICE)
            return true;
    return false;
}

static void add_unit_items(struct study *s, int i, double units)
{
    struct cash *c = &s->options[i].cash;

    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        int fact = n;
        double value = k->f.value;

        if (!is_unit_cost(s, k) || !unit_cost_falls_to(s, k, i) || (k->allocated && k->table < 0))
            continue;
        if (k->allocated)
            value = avoidable_part(s, k, &fact);
        if (value <= 0 || (k->measure == M_UNIT_PRICE && has_price(s, c)))
            continue;
        struct cash_item *item =
            add_item(c, label_of(s, k), measures[k->measure].id, value, -1, fact);
        if (item == NULL)
            return;
        item->factor = units;
        item->from = 1;
        item->to = -1;
        c->per_unit = true;
    }
    c->units = units;
}

/* Room or people set free bring something only where the work leaves the house. */
static void add_freed(struct study *s, int i)
{
    struct cash *c = &s->options[i].cash;

    if (!c->per_unit || !s->options[i].buys_in)
        return;
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        if (!k->freed || !is_money(s, k) || !is_recurring(k) || k->origin == FROM_QUERY)
            continue;
        struct cash_item *item = add_item(c, label_of(s, k), "freed", k->f.value, 1, n);
        if (item == NULL)
            return;
        set_time(item, k);
    }
}

/* Half of each way's unit cost; both ways' single outlays; nothing is set free. */
static void mix(struct study *s, int i)
{
    struct option *o = &s->options[i];
    struct cash *c = &o->cash;

    for (int p = 0; p < 2; p++) {
        if (o->part_of[p] < 0)
            return;
        const struct cash *part = &s->options[o->part_of[p]].cash;
        for (int k = 0; k < part->count && c->count < CASH_ITEMS_MAX; k++) {
            struct cash_item item = part->items[k];
            bool once = item.from == 0 && item.to == 0;
            if (item.sign > 0 && !once)
                continue;
            item.factor *= once ? 1 : 0.5;
            name_variable(c, &item, "cost");
            c->items[c->count++] = item;
        }
        c->per_unit = c->per_unit || part->per_unit;
        c->units = part->units;
    }
}

void cash_build(struct study *s)
{
    double units = yearly_units(s);

    for (int i = 0; i < s->options_count; i++) {
        struct option *o = &s->options[i];

        read_series(s, i);
        o->cash.units = NAN;
        if (o->kind == OPTION_HYBRID || !o->given)
            continue;
        if (acquires(o) && o->cash.series_years < 0)
            read_target(s, i);
        read_terminal(s, i);
        if (!isnan(units))
            add_unit_items(s, i, units);
        add_latest(s, i);
        add_fact_items(s, i);
        add_price(s, i);
        read_upside(s, i);
        add_freed(s, i);
        set_horizon(s, i);
    }
    for (int i = 0; i < s->options_count; i++)
        if (s->options[i].kind == OPTION_HYBRID && s->options[i].given) {
            mix(s, i);
            set_horizon(s, i);
        }
    compare_costs(s);
    int common = common_horizon(s);
    for (int i = 0; i < s->options_count; i++)
        settle(s, i, common);
    drop_baselines(s);
}

static int best_unbeaten(const struct study *s, enum measure m)
{
    int best = -1;

    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if (k->measure != m || k->beaten || isnan(k->f.value) || k->f.value <= 0 ||
            (k->f.unit != FIGURE_NUMBER && k->f.unit != FIGURE_CURRENCY))
            continue;
        if (best < 0 || k->rank > s->facts[best].rank ||
            (k->rank == s->facts[best].rank && strcmp(k->f.period, s->facts[best].f.period) > 0))
            best = i;
    }
    return best;
}

/* "loses 8 % of customers" */
static int claimed_loss(const struct study *s)
{
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        size_t from = k->f.start > 24 ? k->f.start - 24 : 0;
        while (from < k->f.start && from < k->text.n &&
               ((unsigned char)k->text.p[from] & 0xC0) == 0x80)
            from++;
        if (k->origin < 0 || k->table >= 0 || k->f.unit != FIGURE_RATIO || k->f.value <= 0 ||
            k->f.value >= 0.5)
            continue;
        if (lex_has(LEX_LOSES, (struct str){k->text.p + from, k->f.start - from}))
            return i;
    }
    return -1;
}

bool price_case_of(const struct study *s, struct price_case *out)
{
    int customers = -1;

    *out = (struct price_case){.change = NAN, .customers = NAN, .loss = NAN, .periods = 1};
    for (int i = 0; i < s->options_count && isnan(out->change); i++)
        out->change = s->options[i].given ? s->options[i].change : NAN;
    out->price_fact = best_unbeaten(s, M_UNIT_PRICE);
    out->cost_fact = best_unbeaten(s, M_UNIT_COST);
    out->loss_fact = claimed_loss(s);
    if (isnan(out->change) || out->price_fact < 0 || out->cost_fact < 0)
        return false;
    const struct fact *p = &s->facts[out->price_fact];
    out->price = p->f.value;
    out->unit_cost = s->facts[out->cost_fact].f.value;
    out->periods = by_year(p, 1);
    for (int i = 0; i < s->facts_count && customers < 0; i++)
        if (s->facts[i].measure == M_CUSTOMERS && s->facts[i].origin == FROM_CONTEXT &&
            s->facts[i].f.unit == FIGURE_NUMBER)
            customers = i;
    if (customers >= 0)
        out->customers = s->facts[customers].f.value;
    if (out->loss_fact >= 0)
        out->loss = s->facts[out->loss_fact].f.value;
    return out->price * (1 + out->change) > out->unit_cost && out->price > out->unit_cost;
}
