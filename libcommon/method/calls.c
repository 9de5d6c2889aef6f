/* calls.c: the tools that the analyst asks for. Each driver of an option is a variable of one
 * formula, so that one call gives the value and the break-even of every driver. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analysis.h"
#include <math.h>
#include "libcommon/method/sha256.h"

#define EXPRESSION_MAX 1900
#define BREAK_EVENS_MAX 8
#define SMAA_SAMPLES 10000
#define RUNS 10000

int64_t calls_seed(const struct study *s, struct arena *a)
{
    static const char *const keys[] = {"context", "decision_type", "options", "query"};
    cJSON *o = json_obj(a);
    struct buf b;
    uint8_t hash[32];
    uint64_t seed = 0;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (json_get(s->request, keys[i]) != NULL)
            json_add_copy(o, keys[i], json_get(s->request, keys[i]));
    buf_init(&b, 8u << 20);
    buf_str(&b, json_canon(a, o));
    for (int i = 0; i < s->sources_count; i++) {
        if (s->sources[i].sha256[0] != '\0')
            buf_puts(&b, s->sources[i].sha256);
        else
            buf_str(&b, s->sources[i].raw);
    }
    seed_sha256(buf_view(&b), hash);
    buf_done(&b);
    for (int i = 0; i < 7; i++)
        seed = seed << 8 | hash[i];
    return (int64_t)(seed >> 3);
}

static cJSON *add_call(cJSON *calls, const char *id, const char *name)
{
    cJSON *call = cJSON_CreateObject();

    json_add_str(call, "id", id);
    json_add_str(call, "name", name);
    cJSON_AddItemToArray(calls, call);
    return json_add_obj(call, "input");
}

static void put_number(struct buf *b, double v)
{
    buf_printf(b, "%.10g", v);
}

/* +v or -v times the factor, as a term of the cash of one year. */
static void put_amount(struct buf *b, const struct cash_item *item, const char *prefix,
                       double times)
{
    buf_printf(b, "%s%s%s", item->sign > 0 ? "" : "-", prefix, item->variable);
    if (item->factor * times != 1) {
        buf_putc(b, '*');
        put_number(b, item->factor * times);
    }
}

static void put_item(struct buf *b, const struct cash_item *item, const char *prefix)
{
    if (item->half_later) {
        buf_puts(b, "+if(t<=1,");
        put_amount(b, item, prefix, 0.5);
    } else if (item->from == item->to) {
        buf_printf(b, "+if(t==%d,", item->from);
        put_amount(b, item, prefix, 1);
    } else {
        buf_printf(b, "+if(t>=%d&&t<=%d,", item->from, item->to);
        put_amount(b, item, prefix, 1);
    }
    buf_puts(b, ",0)");
}

/* Yearly flows behind year 0, with one variable for their level. */
static void put_series(struct buf *b, const struct cash *c, const char *prefix)
{
    int open = 0;

    if (c->series[0] < 0)
        buf_printf(b, "+if(t==0,-%soutlay,0)", prefix);
    else if (c->series[0] > 0)
        buf_printf(b, "+if(t==0,%.10g,0)", c->series[0] * c->series_share);
    buf_printf(b, "+%scash_flow_level*(", prefix);
    for (int t = 1; t <= c->series_years; t++) {
        double v = c->series[t] + (t == c->series_years ? c->terminal : 0);
        if (v == 0)
            continue;
        buf_printf(b, "if(t==%d,%.10g,", t, v * c->series_share);
        open++;
    }
    buf_putc(b, '0');
    for (int i = 0; i < open; i++)
        buf_putc(b, ')');
    buf_putc(b, ')');
}

/* The claimed upside: its yearly amount and what it adds to the terminal value. */
static void put_upside(struct buf *b, const struct cash *c, const struct cash_item *item,
                       const char *prefix)
{
    buf_printf(b, "+%s%s*%.10g*(if(t>=%d&&t<=%d,1,0)", prefix, item->variable,
               item->value * c->series_share, item->from, item->to);
    if (c->terminal_multiple > 0)
        buf_printf(b, "+if(t==%d,%.10g,0)", c->series_years, c->terminal_multiple);
    buf_putc(b, ')');
}

static void put_option(struct buf *b, const struct cash *c, const char *prefix)
{
    buf_puts(b, "0");
    if (c->series_years >= 1)
        put_series(b, c, prefix);
    for (int i = 0; i < c->count; i++) {
        if (c->items[i].upside)
            put_upside(b, c, &c->items[i], prefix);
        else
            put_item(b, &c->items[i], prefix);
    }
}

static void put_variables(cJSON *vars, const struct cash *c, const char *prefix, struct arena *a)
{
    if (c->series_years >= 1) {
        if (c->series[0] < 0)
            json_add_num(vars, arena_printf(a, "%soutlay", prefix),
                         -c->series[0] * c->series_share);
        json_add_num(vars, arena_printf(a, "%scash_flow_level", prefix), 1);
    }
    for (int i = 0; i < c->count; i++)
        json_add_num(vars, arena_printf(a, "%s%s", prefix, c->items[i].variable),
                     c->items[i].upside ? 0 : c->items[i].value);
}

static void put_break_even(cJSON *list, const char *variable, double high)
{
    if (cJSON_GetArraySize(list) >= BREAK_EVENS_MAX || high <= 0)
        return;
    cJSON *o = cJSON_CreateObject();
    json_add_str(o, "variable", variable);
    json_add_num(o, "low", 0);
    json_add_num(o, "high", high);
    cJSON_AddItemToArray(list, o);
}

static void put_break_evens(cJSON *input, const struct cash *c, const char *prefix, struct arena *a)
{
    cJSON *list = json_add_arr(input, "break_even");

    if (c->series_years >= 1) {
        put_break_even(list, arena_printf(a, "%scash_flow_level", prefix), 3);
        put_break_even(list, arena_printf(a, "%soutlay", prefix),
                       c->series[0] < 0 ? -3 * c->series[0] * c->series_share : 0);
    }
    for (int i = 0; i < c->count; i++)
        put_break_even(list, arena_printf(a, "%s%s", prefix, c->items[i].variable),
                       c->items[i].upside ? 5 : 3 * c->items[i].value);
    if (list->child == NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(input, "break_even");
}

static void scenario(cJSON *list, const char *name, cJSON *vars)
{
    cJSON *o = cJSON_CreateObject();

    json_add_str(o, "name", name);
    cJSON_AddItemToObject(o, "variables", vars);
    cJSON_AddItemToArray(list, o);
}

/* One-time costs a fifth higher, inflows a fifth lower, the claimed upside in full. */
static void put_scenarios(struct analysis *an, cJSON *input, const struct cash *c)
{
    cJSON *list = json_add_arr(input, "scenarios"), *cost = cJSON_CreateObject(),
          *flow = cJSON_CreateObject();
    const struct study *s = an->s;

    for (int i = 0; i < c->count; i++) {
        const struct cash_item *item = &c->items[i];
        if (item->upside) {
            cJSON *all = cJSON_CreateObject();
            json_add_num(all, item->variable, 1);
            scenario(list, tr(s, "all claimed synergies", "全部协同效益"), all);
        } else if (item->sign < 0 && item->from == 0) {
            json_add_num(cost, item->variable, item->value * 1.2);
        } else if (item->sign > 0) {
            json_add_num(flow, item->variable, item->value * 0.8);
        }
    }
    if (c->series_years >= 1) {
        double sum = c->terminal;
        for (int t = 1; t <= c->series_years; t++)
            sum += c->series[t];
        json_add_num(sum >= 0 ? flow : cost, "cash_flow_level", sum >= 0 ? 0.8 : 1.2);
        if (c->series[0] < 0)
            json_add_num(cost, "outlay", -c->series[0] * c->series_share * 1.2);
    }
    if (cost->child != NULL)
        scenario(list, tr(s, "costs +20%", "支出增加20%"), cost);
    else
        cJSON_Delete(cost);
    if (flow->child != NULL)
        scenario(list, tr(s, "inflows -20%", "流入减少20%"), flow);
    else
        cJSON_Delete(flow);
    if (list->child == NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(input, "scenarios");
}

static void put_currency(const struct study *s, cJSON *input)
{
    if (strlen(s->currency) == 3)
        json_add_str(input, "currency", s->currency);
}

static void call_value(struct analysis *an, cJSON *calls, int i)
{
    const struct study *s = an->s;
    const struct cash *c = &s->options[i].cash;
    cJSON *input = add_call(calls, arena_printf(an->a, "value_%d", i + 1), "financial_model");
    struct buf b;

    json_add_num(input, "rate", s->rate);
    put_currency(s, input);
    if (c->baseline) {
        json_push_num(json_add_arr(input, "cash_flows"), 0);
        return;
    }
    buf_init(&b, EXPRESSION_MAX);
    put_option(&b, c, "");
    cJSON *f = json_add_obj(input, "formula");
    json_add_strn(f, "expression", buf_view(&b));
    put_variables(json_add_obj(f, "variables"), c, "", an->a);
    json_add_num(f, "periods", c->years);
    put_scenarios(an, input, c);
    put_break_evens(input, c, "", an->a);
    buf_done(&b);
}

/* With the claimed upside in full: what may then be paid at most. */
static void call_upside(struct analysis *an, cJSON *calls, int i)
{
    const struct cash *c = &an->s->options[i].cash;
    struct buf b;

    buf_init(&b, EXPRESSION_MAX);
    put_option(&b, c, "");
    cJSON *input = add_call(calls, arena_printf(an->a, "upside_%d", i + 1), "financial_model");
    json_add_num(input, "rate", an->s->rate);
    put_currency(an->s, input);
    cJSON *f = json_add_obj(input, "formula"), *vars = cJSON_CreateObject();
    json_add_strn(f, "expression", buf_view(&b));
    put_variables(vars, c, "", an->a);
    for (int k = 0; k < c->count; k++)
        if (c->items[k].upside)
            cJSON_ReplaceItemInObjectCaseSensitive(vars, c->items[k].variable,
                                                   cJSON_CreateNumber(1));
    cJSON_AddItemToObject(f, "variables", vars);
    json_add_num(f, "periods", c->years);
    put_break_evens(input, c, "", an->a);
    buf_done(&b);
}

static bool has_upside(const struct cash *c)
{
    for (int i = 0; i < c->count; i++)
        if (c->items[i].upside)
            return true;
    return false;
}

static bool fits(const struct cash *c)
{
    struct buf b;

    buf_init(&b, EXPRESSION_MAX);
    put_option(&b, c, "xx");
    bool ok = !b.overflow;
    buf_done(&b);
    return ok;
}

static bool has_range(const struct cash *c)
{
    for (int i = 0; i < c->count; i++)
        if (!isnan(c->items[i].low) && c->items[i].low < c->items[i].high)
            return true;
    return false;
}

/* npv(r, c0, c1, …) with the ranges as PERT inputs. */
static void put_year(struct buf *b, const struct cash *c, int t)
{
    buf_putc(b, '0');
    if (c->series_years >= 1 && t <= c->series_years) {
        double v = c->series[t] + (t == c->series_years ? c->terminal : 0);
        buf_printf(b, "+%.10g", v * c->series_share);
    }
    for (int i = 0; i < c->count; i++) {
        const struct cash_item *item = &c->items[i];
        bool active = item->half_later ? t <= 1 : t >= item->from && t <= item->to;
        if (!active || item->upside)
            continue;
        buf_putc(b, item->sign > 0 ? '+' : '-');
        buf_printf(b, "%s*%.10g", item->variable, item->factor * (item->half_later ? 0.5 : 1));
    }
}

static void call_range(struct analysis *an, cJSON *calls, int i)
{
    const struct cash *c = &an->s->options[i].cash;
    struct buf b;

    buf_init(&b, EXPRESSION_MAX);
    buf_printf(&b, "npv(%.10g", an->s->rate);
    for (int t = 0; t <= c->years; t++) {
        buf_putc(&b, ',');
        put_year(&b, c, t);
    }
    buf_putc(&b, ')');
    if (!b.overflow) {
        cJSON *input = add_call(calls, arena_printf(an->a, "range_%d", i + 1), "monte_carlo");
        cJSON *inputs = json_add_arr(input, "inputs"), *constants = cJSON_CreateObject();
        for (int k = 0; k < c->count; k++) {
            const struct cash_item *item = &c->items[k];
            if (item->upside)
                continue;
            if (isnan(item->low) || !(item->low < item->high)) {
                json_add_num(constants, item->variable, item->value);
                continue;
            }
            cJSON *in = cJSON_CreateObject();
            json_add_str(in, "name", item->variable);
            cJSON *d = json_add_obj(in, "distribution");
            json_add_str(d, "type", "pert");
            json_add_num(d, "min", item->low);
            json_add_num(d, "mode", MIN(MAX(item->value, item->low), item->high));
            json_add_num(d, "max", item->high);
            cJSON_AddItemToArray(inputs, in);
        }
        cJSON_AddItemToObject(input, "constants", constants);
        json_add_strn(input, "expression", buf_view(&b));
        json_add_num(input, "iterations", RUNS);
        json_add_num(input, "seed", (double)an->seed);
        json_add_bool(input, "tornado", true);
    }
    buf_done(&b);
}

static cJSON *add_calculation(cJSON *calls, const char *id, const char *expression)
{
    cJSON *input = add_call(calls, id, "calculator");

    json_add_str(input, "expression", expression);
    return json_add_obj(input, "variables");
}

/* The cost of one unit with one-time costs spread over all units. */
static void call_unit(struct analysis *an, cJSON *calls, int i)
{
    const struct option *o = &an->s->options[i];
    const struct cash *c = &o->cash;
    struct buf b;

    if (!c->per_unit || isnan(c->units) || c->units <= 0)
        return;
    buf_init(&b, EXPRESSION_MAX);
    buf_puts(&b, "0");
    for (int k = 0; k < c->count; k++) {
        const struct cash_item *item = &c->items[k];
        if (item->sign > 0)
            continue;
        if (item->from == 0)
            buf_printf(&b, "+%s/(%.10g*%d)", item->variable, c->units, c->years);
        else
            buf_printf(&b, "+%s*%.10g", item->variable, item->factor / c->units);
    }
    if (!b.overflow) {
        cJSON *vars = add_calculation(calls, arena_printf(an->a, "unit_%d", i + 1), b.p);
        for (int k = 0; k < c->count; k++)
            if (c->items[k].sign < 0)
                json_add_num(vars, c->items[k].variable, c->items[k].value);
    }
    buf_done(&b);
}

static void call_freed(struct analysis *an, cJSON *calls)
{
    const struct study *s = an->s;

    for (int i = 0; i < s->options_count; i++) {
        const struct cash *c = &s->options[i].cash;
        for (int k = 0; k < c->count; k++) {
            if (!c->per_unit || c->items[k].sign < 0 || isnan(c->units) || c->items[k].factor != 1)
                continue;
            cJSON *vars = add_calculation(calls, "freed_per_unit", "freed/units");
            json_add_num(vars, "freed", c->items[k].value);
            json_add_num(vars, "units", c->units);
            return;
        }
    }
}

/* A change of price: how many customers may leave before it stops paying, and what it is worth at
 * the loss that is claimed and at twice that. */
static void call_prices(struct analysis *an, cJSON *calls)
{
    const struct study *s = an->s;
    struct price_case p;

    if (!price_case_of(s, &p))
        return;
    cJSON *vars = add_calculation(calls, "break_even_loss",
                                  "1-(price-unit_cost)/(price*(1+change)-unit_cost)");
    json_add_num(vars, "price", p.price);
    json_add_num(vars, "unit_cost", p.unit_cost);
    json_add_num(vars, "change", p.change);
    if (isnan(p.customers))
        return;
    vars = add_calculation(calls, "contribution_now", "(price-unit_cost)*customers*periods");
    json_add_num(vars, "price", p.price);
    json_add_num(vars, "unit_cost", p.unit_cost);
    json_add_num(vars, "customers", p.customers);
    json_add_num(vars, "periods", p.periods);
    for (int n = 1; n <= 2 && !isnan(p.loss); n++) {
        vars = add_calculation(
            calls, n == 1 ? "gain_at_claimed_loss" : "gain_at_twice_the_loss",
            "customers*periods*((1-loss)*(price*(1+change)-unit_cost)-(price-unit_cost))");
        json_add_num(vars, "price", p.price);
        json_add_num(vars, "unit_cost", p.unit_cost);
        json_add_num(vars, "customers", p.customers);
        json_add_num(vars, "periods", p.periods);
        json_add_num(vars, "change", p.change);
        json_add_num(vars, "loss", n * p.loss);
    }
}

/* The options that have a value in every state, against the states. */
static void call_states(struct analysis *an, cJSON *calls)
{
    const struct study *s = an->s;
    const struct states *st = &s->states;

    if (st->count == 0)
        return;
    cJSON *table = json_add_obj(add_call(calls, "states", "decision_tree"), "table");
    cJSON *states = json_add_arr(table, "states"), *actions = json_add_arr(table, "actions");
    for (int k = 0; k < st->count; k++) {
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "name", text_cut(an->a, st->name[k], 190));
        json_add_num(o, "probability", st->p[k]);
        cJSON_AddItemToArray(states, o);
    }
    for (int i = 0; i < s->options_count; i++) {
        if (!st->has[i])
            continue;
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "name", text_cut(an->a, s->options[i].name, 190));
        cJSON *payoffs = json_add_arr(o, "payoffs");
        for (int k = 0; k < st->count; k++)
            json_push_num(payoffs, st->pay[i][k]);
        cJSON_AddItemToArray(actions, o);
    }
}

static void call_forecast(struct analysis *an, cJSON *calls, int i)
{
    const struct series *x = &an->s->series[i];
    cJSON *input = add_call(calls, arena_printf(an->a, "forecast_%d", i + 1), "forecast");
    cJSON *list = json_add_arr(input, "series"), *backtest;

    for (int k = 0; k < x->count; k++)
        json_push_num(list, x->value[k]);
    json_add_num(input, "frequency", x->count >= 2 * x->frequency + 3 ? x->frequency : 1);
    json_add_num(input, "horizon", MAX(x->frequency, 3));
    json_add_str(input, "method", "auto");
    json_push_num(json_add_arr(input, "intervals"), 0.8);
    backtest = json_add_obj(input, "backtest");
    json_add_num(backtest, "min_train", MAX(x->count / 2, 4));
    json_add_num(backtest, "horizon", 1);
}

/* The most telling first, since an engine may answer only so many in one turn. */
void calls_values(struct analysis *an, cJSON *calls)
{
    const struct study *s = an->s;

    for (int i = 0; i < s->options_count; i++) {
        const struct cash *c = &s->options[i].cash;
        if ((c->baseline && is_compared(an, i)) || (c->known && fits(c)))
            call_value(an, calls, i);
    }
    call_states(an, calls);
    call_prices(an, calls);
    for (int i = 0; i < s->options_count; i++)
        if (s->options[i].cash.known && has_range(&s->options[i].cash))
            call_range(an, calls, i);
    for (int i = 0; i < s->options_count; i++)
        if (s->options[i].cash.known && has_upside(&s->options[i].cash) &&
            fits(&s->options[i].cash))
            call_upside(an, calls, i);
    for (int i = 0; i < s->options_count; i++)
        call_unit(an, calls, i);
    call_freed(an, calls);
    for (int i = 0; i < s->series_count; i++)
        call_forecast(an, calls, i);
}

/* Scores, or the figures that the tool scores by itself. */
static void push_risk(cJSON *list, const char *name, int p, int i, double chance, double loss)
{
    cJSON *o = cJSON_CreateObject();

    json_add_str(o, "name", name);
    if (isnan(chance))
        json_add_num(o, "probability_score", p);
    else
        json_add_num(o, "probability", chance);
    if (isnan(loss))
        json_add_num(o, "impact_score", i);
    else
        json_add_num(o, "loss", loss);
    cJSON_AddItemToArray(list, o);
}

static int probability_of_margin(double margin)
{
    static const double bands[] = {0.05, 0.12, 0.22, 0.40};
    int p = 5;

    for (size_t i = 0; i < ARRAY_LEN(bands) && margin >= bands[i]; i++)
        p--;
    return p;
}

/* What a lost outlay is measured against: the limit, else twice the largest outlay, else the
 * revenue. */
static double reference_amount(const struct study *s)
{
    double most = 0;
    int n = fact_best(s, M_BUDGET, -1);

    for (int i = 0; i < s->options_count; i++)
        most = MAX(most, s->options[i].cash.outlay);
    if (n >= 0 && s->facts[n].f.value > 0 && s->facts[n].f.unit != FIGURE_RATIO)
        return s->facts[n].f.value;
    if (most <= 0 && (n = fact_best(s, M_REVENUE, -1)) >= 0 && s->facts[n].f.value > 0 &&
        s->facts[n].f.unit == FIGURE_CURRENCY)
        return s->facts[n].f.value;
    return 2 * most;
}

static bool acts(const struct option *o)
{
    return o->kind == OPTION_GIVEN || o->kind == OPTION_STAGED || o->kind == OPTION_HYBRID;
}

/* A step that can be stopped early risks less; one that touches everybody risks more. */
static int impact_for(const struct option *o, int impact)
{
    if (o->kind == OPTION_STAGED)
        impact--;
    else if (lex_has(LEX_WHOLE, str_of(o->name)))
        impact++;
    return MIN(MAX(impact, 1), 5);
}

/* What staying as one is is worth, when that was said: 0 else. */
static double worth_of_staying(const struct analysis *an)
{
    for (int i = 0; i < an->s->options_count; i++) {
        const struct option *o = &an->s->options[i];
        if (o->given && o->kind == OPTION_DO_NOTHING && o->cash.known && !isnan(an->value[i].npv))
            return an->value[i].npv;
    }
    return 0;
}

/* How likely the outlay is lost: by the nearest break-even, or by the gain over staying. */
static int probability_of_loss(const struct analysis *an, int i)
{
    const struct valued *v = &an->value[i];
    double stay = worth_of_staying(an), outlay = an->s->options[i].cash.outlay;

    if (isnan(v->npv))
        return 3;
    if (v->npv < stay)
        return 5;
    if (stay != 0)
        return probability_of_margin((v->npv - stay) / outlay);
    return isnan(v->margin) ? 3 : probability_of_margin(v->margin);
}

static void own_risks(struct analysis *an, cJSON *list, int i)
{
    const struct study *s = an->s;
    const struct option *o = &s->options[i];
    double reference = reference_amount(s), npv = an->value[i].npv;
    bool units = o->cash.per_unit;

    if (o->infeasible)
        push_risk(list, tr(s, "over the limit", "超出限额"), 5, 4, NAN, NAN);
    if (acts(o) && o->cash.known && !units && o->cash.outlay > 0 && reference > 0)
        push_risk(list, tr(s, "the outlay is not earned back", "投入无法收回"),
                  probability_of_loss(an, i), 3, NAN, o->cash.outlay);
    if (!acts(o) && o->cash.known && !units && npv < 0 && reference > 0)
        push_risk(list, tr(s, "staying costs money", "维持现状持续亏损"), 5, 3, NAN, -npv);
    for (int k = 0; k < an->risks_count && acts(o); k++) {
        const struct risk *r = &an->risks[k];
        if (r->options == 0 || (r->options & (1u << i)) != 0)
            push_risk(list, r->name, r->probability, impact_for(o, r->impact), r->chance, NAN);
    }
    if (!acts(o))
        push_risk(list, tr(s, "what led to the question remains", "引发问题的情形依旧存在"), 3, 2,
                  NAN, NAN);
    if (list->child == NULL)
        push_risk(list, tr(s, "unknown risks", "未知风险"), 3, impact_for(o, 3), NAN, NAN);
}

void calls_risks(struct analysis *an, cJSON *calls)
{
    double reference = reference_amount(an->s);
    cJSON *input = add_call(calls, "risk_all", "risk_assessment"),
          *list = json_add_arr(input, "risks");

    for (int k = 0; k < an->risks_count; k++)
        push_risk(list, an->risks[k].name, an->risks[k].probability, an->risks[k].impact,
                  an->risks[k].chance, reference > 0 ? an->risks[k].loss : NAN);
    if (reference > 0)
        json_add_num(input, "reference_amount", reference);
    for (int i = 0; i < an->s->options_count; i++) {
        input = add_call(calls, arena_printf(an->a, "risk_%d", i + 1), "risk_assessment");
        own_risks(an, json_add_arr(input, "risks"), i);
        if (reference > 0)
            json_add_num(input, "reference_amount", reference);
    }
}

bool is_compared(const struct analysis *an, int i)
{
    bool units = false;

    for (int k = 0; k < an->s->options_count; k++)
        units = units || an->s->options[k].cash.per_unit;
    return an->s->options[i].given || !units;
}

/* One option alone is compared with those that nobody gave. */
bool decides(const struct analysis *an, int i)
{
    return an->s->options[i].given || an->s->given_count < 2;
}

static void call_matrix(struct analysis *an, cJSON *calls, bool all)
{
    const struct study *s = an->s;
    cJSON *input = add_call(calls, all ? "compare_all" : "compare", "decision_matrix");
    cJSON *names = json_add_arr(input, "alternatives"), *criteria = json_add_arr(input, "criteria");
    cJSON *scores = json_add_arr(input, "scores");

    for (int c = 0; c < an->criteria_count; c++) {
        if (an->criteria[c].dropped)
            continue;
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "name", an->criteria[c].name);
        json_add_str(o, "direction", "benefit");
        json_add_num(o, "weight", an->criteria[c].weight);
        json_add_num(o, "low", 0);
        json_add_num(o, "high", 100);
        cJSON_AddItemToArray(criteria, o);
    }
    for (int i = 0; i < s->options_count; i++) {
        if (all ? !is_compared(an, i) : !decides(an, i))
            continue;
        cJSON *row = cJSON_CreateArray();
        json_push_str(names, text_cut(an->a, s->options[i].name, 190));
        for (int c = 0; c < an->criteria_count; c++)
            if (!an->criteria[c].dropped)
                json_push_num(row, an->cells[i][c].score);
        cJSON_AddItemToArray(scores, row);
    }
    json_add_str(json_add_obj(input, "weighting"), "method", "direct");
    json_add_str(input, "normalisation", "range");
    json_add_str(input, "method", "weighted_sum");
    if (all)
        return;
    json_add_bool(input, "sensitivity", true);
    cJSON *smaa = json_add_obj(input, "smaa");
    json_add_num(smaa, "samples", SMAA_SAMPLES);
    json_add_num(smaa, "seed", (double)an->seed);
}

void calls_matrix(struct analysis *an, cJSON *calls)
{
    int others = 0;

    for (int i = 0; i < an->s->options_count; i++)
        others += !an->s->options[i].given && is_compared(an, i);
    call_matrix(an, calls, false);
    if (others > 0 && an->s->given_count >= 2)
        call_matrix(an, calls, true);
}

/* Where the choice and the option that comes nearest to it in value are worth the same. */
void calls_flips(struct analysis *an, cJSON *calls)
{
    const struct study *s = an->s;
    struct buf b;

    if (an->choice < 0 || an->rival < 0)
        return;
    const struct cash *x = &s->options[an->choice].cash, *y = &s->options[an->rival].cash;
    if ((!x->known && !x->baseline) || (!y->known && !y->baseline) || (x->baseline && y->baseline))
        return;
    buf_init(&b, EXPRESSION_MAX);
    buf_putc(&b, '(');
    put_option(&b, x, "c_");
    buf_puts(&b, ")-(");
    put_option(&b, y, "r_");
    buf_putc(&b, ')');
    if (!b.overflow) {
        cJSON *input = add_call(calls, "flip", "financial_model");
        json_add_num(input, "rate", s->rate);
        put_currency(s, input);
        cJSON *f = json_add_obj(input, "formula");
        json_add_strn(f, "expression", buf_view(&b));
        cJSON *vars = json_add_obj(f, "variables");
        put_variables(vars, x, "c_", an->a);
        put_variables(vars, y, "r_", an->a);
        json_add_num(f, "periods", MAX(x->years, y->years));
        cJSON *list = json_add_arr(input, "break_even");
        cJSON *both[] = {cJSON_CreateObject(), cJSON_CreateObject()};
        put_break_evens(both[0], x, "c_", an->a);
        put_break_evens(both[1], y, "r_", an->a);
        for (int i = 0; i < 2; i++) {
            cJSON *from = json_get(both[i], "break_even"), *item;
            while (from != NULL && (item = from->child) != NULL)
                cJSON_AddItemToArray(list, cJSON_DetachItemViaPointer(from, item));
            cJSON_Delete(both[i]);
        }
        if (list->child == NULL)
            cJSON_DeleteItemFromObjectCaseSensitive(input, "break_even");
    }
    buf_done(&b);
}
