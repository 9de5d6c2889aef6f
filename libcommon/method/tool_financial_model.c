/* tool_financial_model.c: the value of cash flows, of their scenarios, and the break-even points.
 *
 * Whatever the flows were given as (periods, dates, a formula), they become one struct flows; the
 * base and each scenario are measured by the same function, and only the base says the rest. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/cash.h"
#include "libcommon/method/root.h"
#include "libcommon/method/sum.h"
#include "libcommon/method/tool_call.h"

#define VARIABLES_MAX 65 /* those of the schema and t */
#define ROOTS_MAX 600
#define GRID 200
#define BREAK_EVEN_TOLERANCE 1e-10

struct formula {
    struct expr *expr;
    const char *name[VARIABLES_MAX]; /* t is the last */
    double value[VARIABLES_MAX];
    size_t variables;
    int periods;
};

struct model {
    struct tool_call *c;
    double rate;
    struct flows base;
    struct formula *formula; /* NULL when the flows are given */
};

struct measures {
    double npv, mirr, payback;
    double *roots;
    size_t root_count;
    int sign_changes;
    bool payback_falls_again;
};

static const char *irr_status(const struct measures *m)
{
    if (m->sign_changes == 0)
        return "not_applicable";
    return m->root_count == 0 ? "none" : m->root_count == 1 ? "unique" : "multiple";
}

/* ---- reading ---- */

static struct flows periodic(struct tool_call *c, const double *amount, size_t n)
{
    double *t = arena_array(c->a, double, n);

    for (size_t i = 0; i < n; i++)
        t[i] = (double)i;
    return (struct flows){.t = t, .amount = amount, .n = n};
}

static struct flows flows_of_array(struct tool_call *c, const cJSON *array)
{
    size_t n;
    double *amount = tool_numbers(c, array, &n);

    return periodic(c, amount, n);
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 0000-03-01 of the proleptic Gregorian calendar; false when there is no such day. The
 * schema has checked the form. */
static bool read_date(const char *s, double *out)
{
    int year = 0, month = 0, day = 0, y, m;

    if (sscanf(s, "%4d-%2d-%2d", &year, &month, &day) != 3 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month))
        return false;
    y = month < 3 ? year - 1 : year; /* the year starts in March, so the leap day is its last */
    m = month < 3 ? month + 9 : month - 3;
    *out = y * 365.0 + floor(y / 4.0) - floor(y / 100.0) + floor(y / 400.0) + (153 * m + 2) / 5 +
           day - 1;
    return true;
}

struct dated {
    double day, amount;
    int index;
};

static int by_day(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;

    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return x->index - y->index;
}

/* Flows of one day are one flow. */
static int read_dated(struct tool_call *c, const cJSON *array, struct flows *out)
{
    size_t n = (size_t)tool_count(array), k = 0;
    struct dated *d = arena_array(c->a, struct dated, n);
    double *t = arena_array(c->a, double, n), *amount = arena_array(c->a, double, n);
    const cJSON *f;
    int i = 0;

    cJSON_ArrayForEach (f, array) {
        d[i] = (struct dated){.amount = tool_number(f, "amount"), .index = i};
        if (!read_date(json_str(f, "date", ""), &d[i].day))
            return tool_fail(c, "bad_date", tool_path(c, "/dated_flows/%d/date", i),
                             "%s is not a day of the calendar", json_str(f, "date", ""));
        i++;
    }
    qsort(d, n, sizeof(*d), by_day);
    for (size_t j = 0; j < n; j++) {
        if (j > 0 && d[j].day == d[j - 1].day) {
            amount[k - 1] += d[j].amount;
            continue;
        }
        t[k] = (d[j].day - d[0].day) / 365;
        amount[k++] = d[j].amount;
    }
    *out = (struct flows){.t = t, .amount = amount, .n = k, .dated = true};
    return 0;
}

static int read_formula(struct tool_call *c, const cJSON *in, struct formula **out)
{
    struct formula *f = arena_new_of(c->a, struct formula);
    struct expr_names names = {.name = f->name};
    const cJSON *v;

    cJSON_ArrayForEach (v, json_get(in, "variables")) {
        if (strcmp(v->string, "t") == 0)
            return tool_fail(c, "duplicate_name", "/formula/variables/t",
                             "t is the period and cannot be a variable");
        f->name[f->variables] = v->string;
        f->value[f->variables++] = v->valuedouble;
    }
    f->name[f->variables] = "t";
    f->periods = (int)json_i64(in, "periods", 1);
    names.count = f->variables + 1;
    *out = f;
    return tool_expression(c, json_str(in, "expression", ""), &names, "/formula/expression",
                           &f->expr);
}

/* The index of a variable, or -1. */
static int variable(const struct formula *f, const char *name)
{
    for (size_t i = 0; f != NULL && i < f->variables; i++)
        if (strcmp(f->name[i], name) == 0)
            return (int)i;
    return -1;
}

/* The flows of a formula with these values; amount has periods + 1 places. */
static int formula_flows(const struct formula *f, const double *values, double *amount,
                         struct expr_fault *fault)
{
    double all[VARIABLES_MAX];

    memcpy(all, values, f->variables * sizeof(*all));
    for (int t = 0; t <= f->periods; t++) {
        all[f->variables] = t;
        if (expr_eval(f->expr, all, &amount[t], fault) != 0)
            return ERR_INVALID;
    }
    return 0;
}

static int read_formula_flows(struct model *m, const double *values, const char *field,
                              struct flows *out)
{
    size_t n = (size_t)m->formula->periods + 1;
    double *amount = arena_array(m->c->a, double, n);
    struct expr_fault f;

    if (formula_flows(m->formula, values, amount, &f) != 0)
        return tool_fail(m->c, f.reason, field, "%s", f.message);
    *out = periodic(m->c, amount, n);
    return 0;
}

static int read_base(struct model *m)
{
    const cJSON *in = m->c->in, *formula = json_get(in, "formula");
    int rc;

    if (json_get(in, "cash_flows") != NULL)
        m->base = flows_of_array(m->c, json_get(in, "cash_flows"));
    if (json_get(in, "dated_flows") != NULL)
        return read_dated(m->c, json_get(in, "dated_flows"), &m->base);
    if (formula == NULL)
        return 0;
    rc = read_formula(m->c, formula, &m->formula);
    if (rc != 0)
        return rc;
    return read_formula_flows(m, m->formula->value, "/formula/expression", &m->base);
}

/* ---- measuring ---- */

static int measure(struct model *m, const struct flows *f, double rate, const char *field,
                   struct measures *out)
{
    const cJSON *in = m->c->in;
    struct sum all = {0};

    for (size_t i = 0; i < f->n; i++)
        sum_add(&all, fabs(f->amount[i]));
    out->npv = flows_npv(f, rate);
    if (!isfinite(out->npv) || !isfinite(sum_value(&all)))
        return tool_fail(m->c, "not_finite", field, "the present value is out of range");
    out->sign_changes = flows_sign_changes(f);
    out->roots = arena_array(m->c->a, double, ROOTS_MAX);
    out->root_count = flows_irr(f, out->roots, ROOTS_MAX);
    out->mirr =
        flows_mirr(f, json_num(in, "finance_rate", rate), json_num(in, "reinvest_rate", rate));
    out->payback = f->dated ? NAN : flows_payback(f, 0, &out->payback_falls_again);
    return tool_tick(m->c, (unsigned)f->n * (f->dated ? 200 : 16));
}

static double unique_irr(const struct measures *x)
{
    return x->root_count == 1 ? x->roots[0] : NAN;
}

/* at is the JSON Pointer of the object that holds the values. */
static void warn_measures(struct tool_call *c, const struct measures *x, bool dated, const char *at)
{
    if (x->root_count != 1)
        tool_warn(c, "irr_not_unique", tool_path(c, "%s/irr", at),
                  x->sign_changes == 0 ? "the flows never change sign: no internal rate of return"
                  : x->root_count == 0 ? "no rate gives a present value of 0; use mirr"
                                       : "several rates give a present value of 0; use mirr");
    if (isnan(x->mirr))
        tool_warn(c, "mirr_not_applicable", tool_path(c, "%s/mirr", at),
                  dated ? "mirr needs flows by period, not by date"
                        : "mirr needs inflows and outflows, and one period at least");
    if (dated)
        tool_warn(c, "payback_not_applicable", tool_path(c, "%s/payback", at),
                  "payback needs flows by period, not by date");
    else if (isnan(x->payback))
        tool_warn(c, "payback_never", tool_path(c, "%s/payback", at),
                  "the flows given do not pay the outlay back");
    else if (x->payback_falls_again)
        tool_warn(c, "payback_not_final", tool_path(c, "%s/payback", at),
                  "the cumulative sum falls below 0 again after the payback");
}

static void add_irr(cJSON *out, const struct measures *x)
{
    cJSON *irr = json_add_obj(out, "irr");

    json_add_str(irr, "status", irr_status(x));
    json_add_num(irr, "value", unique_irr(x));
    tool_add_numbers(irr, "roots", x->roots, x->root_count);
    json_add_num(irr, "sign_changes", x->sign_changes);
}

static void add_totals(struct tool_call *c, const struct flows *f)
{
    struct sum in = {0}, out = {0};

    for (size_t i = 0; i < f->n; i++) {
        if (f->amount[i] > 0)
            sum_add(&in, f->amount[i]);
        else
            sum_add(&out, -f->amount[i]);
    }
    json_add_num(c->out, "total_inflow", sum_value(&in));
    json_add_num(c->out, "total_outflow", sum_value(&out));
}

static void add_value_over_time(struct model *m)
{
    const struct flows *f = &m->base;
    double discounted, index = flows_profitability(f, m->rate);
    bool falls_again = false;

    discounted = f->dated ? NAN : flows_payback(f, m->rate, &falls_again);
    json_add_num(m->c->out, "discounted_payback", discounted);
    if (isnan(discounted) && !f->dated)
        tool_warn(m->c, "payback_never", "/discounted_payback",
                  "the discounted flows do not pay the outlay back");
    if (f->dated)
        tool_warn(m->c, "payback_not_applicable", "/discounted_payback",
                  "payback needs flows by period, not by date");
    if (falls_again)
        tool_warn(m->c, "payback_not_final", "/discounted_payback",
                  "the cumulative sum falls below 0 again after the payback");
    json_add_num(m->c->out, "profitability_index", index);
    if (isnan(index))
        tool_warn(m->c, "profitability_index_not_applicable", "/profitability_index",
                  "the first flow is not an outlay");
    if (flows_terminal_share(f, m->rate) > 0.5)
        tool_warn(m->c, "terminal_value_share", "/npv",
                  "the last flow is %.0f %% of the present value of all inflows",
                  100 * flows_terminal_share(f, m->rate));
}

static int add_base(struct model *m)
{
    struct tool_call *c = m->c;
    struct measures x = {0};
    int rc = measure(m, &m->base, m->rate, "", &x);

    if (rc != 0)
        return rc;
    json_add_num(c->out, "npv", x.npv);
    tool_add_numbers(c->out, "cash_flows", m->base.amount, m->base.n);
    add_irr(c->out, &x);
    json_add_num(c->out, "mirr", x.mirr);
    json_add_num(c->out, "payback", x.payback);
    warn_measures(c, &x, m->base.dated, "");
    add_value_over_time(m);
    add_totals(c, &m->base);
    return 0;
}

/* break_even alone: there is nothing to value. */
static void add_no_base(struct tool_call *c)
{
    struct measures none = {0};

    json_add_null(c->out, "npv");
    add_irr(c->out, &none);
    json_add_null(c->out, "mirr");
    json_add_null(c->out, "payback");
    json_add_null(c->out, "discounted_payback");
    json_add_null(c->out, "profitability_index");
    tool_warn(c, "no_cash_flows", "/npv", "no cash flows were given: only break-even is computed");
}

/* ---- scenarios ---- */

/* The base's flows with the scenario's variables or cash_flows in their place. */
static int scenario_flows(struct model *m, const cJSON *s, int i, struct flows *out)
{
    const cJSON *given = json_get(s, "cash_flows"), *variables = json_get(s, "variables"), *v;
    double values[VARIABLES_MAX] = {0};

    if (given != NULL && variables != NULL)
        return tool_fail(m->c, "schema", tool_path(m->c, "/scenarios/%d", i),
                         "either cash_flows or variables");
    *out = given != NULL ? flows_of_array(m->c, given) : m->base;
    if (m->formula != NULL)
        memcpy(values, m->formula->value, sizeof(values));
    cJSON_ArrayForEach (v, variables) {
        int at = variable(m->formula, v->string);

        if (at < 0)
            return tool_fail(m->c, "unknown_name",
                             tool_path(m->c, "/scenarios/%d/variables/%s", i, v->string),
                             "the formula has no variable %s", v->string);
        values[at] = v->valuedouble;
    }
    if (variables != NULL && m->formula != NULL)
        return read_formula_flows(m, values, tool_path(m->c, "/scenarios/%d/variables", i), out);
    if (out->n == 0)
        return tool_fail(m->c, "schema", tool_path(m->c, "/scenarios/%d", i),
                         "there are no cash flows");
    return 0;
}

static int add_scenario(struct model *m, const cJSON *s, int i, cJSON *list, double *npv)
{
    const char *at = tool_path(m->c, "/scenarios/%d", i);
    struct measures x = {0};
    struct flows f;
    cJSON *o;
    int rc = scenario_flows(m, s, i, &f);

    if (rc == 0)
        rc = measure(m, &f, json_num(s, "rate", m->rate), at, &x);
    if (rc != 0)
        return rc;
    *npv = x.npv;
    o = tool_push_obj(list);
    json_add_str(o, "name", json_str(s, "name", ""));
    if (json_get(s, "probability") != NULL)
        json_add_num(o, "probability", json_num(s, "probability", 0));
    json_add_num(o, "npv", x.npv);
    json_add_num(o, "irr", unique_irr(&x));
    json_add_num(o, "mirr", x.mirr);
    json_add_num(o, "payback", x.payback);
    warn_measures(m->c, &x, f.dated, at);
    return 0;
}

/* Said only when all probabilities are given and sum to 1. */
static void add_expectation(struct model *m, const cJSON *scenarios, const double *npv)
{
    struct sum all = {0}, expected = {0}, loss = {0};
    const cJSON *s;
    bool complete = true, usable;
    size_t i = 0;

    cJSON_ArrayForEach (s, scenarios) {
        double p = json_num(s, "probability", 0);

        complete = complete && json_get(s, "probability") != NULL;
        sum_add(&all, p);
        sum_add(&expected, p * npv[i]);
        sum_add(&loss, npv[i++] < 0 ? p : 0);
    }
    usable = complete && fabs(sum_value(&all) - 1) <= 1e-6;
    json_add_num(m->c->out, "scenario_expected_npv", usable ? sum_value(&expected) : NAN);
    json_add_num(m->c->out, "scenario_probability_of_loss", usable ? sum_value(&loss) : NAN);
    if (!complete)
        tool_warn(m->c, "probabilities_missing", "/scenario_expected_npv",
                  "not every scenario has a probability");
    else if (!usable)
        tool_warn(m->c, "probabilities_not_one", "/scenario_expected_npv",
                  "the scenarios' probabilities sum to %.6g, not to 1", sum_value(&all));
}

static int add_scenarios(struct model *m)
{
    const cJSON *scenarios = json_get(m->c->in, "scenarios"), *s;
    double *npv = arena_array(m->c->a, double, tool_count(scenarios));
    cJSON *list;
    int i = 0, rc;

    if (scenarios == NULL)
        return 0;
    rc = tool_unique(m->c, scenarios, "name", "/scenarios");
    if (rc != 0)
        return rc;
    list = json_add_arr(m->c->out, "scenarios");
    cJSON_ArrayForEach (s, scenarios) {
        rc = add_scenario(m, s, i, list, &npv[i]);
        if (rc != 0)
            return rc;
        i++;
    }
    add_expectation(m, scenarios, npv);
    return 0;
}

/* ---- break-even ---- */

struct search {
    struct model *m;
    int variable;
    double values[VARIABLES_MAX];
    double *amount, *t; /* periods + 1 */
};

/* NPV with the variable at x; NaN where the formula has no value. */
static double npv_at(double x, void *arg)
{
    struct search *s = arg;
    struct flows f = {.t = s->t, .amount = s->amount, .n = (size_t)s->m->formula->periods + 1};

    s->values[s->variable] = x;
    if (formula_flows(s->m->formula, s->values, s->amount, NULL) != 0)
        return NAN;
    return flows_npv(&f, s->m->rate);
}

/* A change of sign at a pole is no break-even: there the value grows instead of vanishing. */
static size_t close_in(struct search *s, double a, double fa, double b, double fb, double *root)
{
    double x = root_brent(npv_at, s, a, fa, b, fb, BREAK_EVEN_TOLERANCE), fx = npv_at(x, s);

    if (!(fabs(fx) <= fmax(fabs(fa), fabs(fb))))
        return 0;
    *root = x;
    return 1;
}

/* All zeros on a grid of 200 equal steps. *gaps: the formula had no value somewhere. */
static int find_zeros(struct search *s, double low, double high, double *roots, size_t *n,
                      bool *gaps)
{
    unsigned weight =
        (unsigned)((size_t)s->m->formula->periods * expr_size(s->m->formula->expr) / 50);
    double before = NAN, x_before = low;

    for (int i = 0; i <= GRID; i++) {
        double x = i == GRID ? high : low + i * ((high - low) / GRID), v = npv_at(x, s);
        int rc = tool_tick(s->m->c, weight + 1);

        if (rc != 0)
            return rc;
        if (!isfinite(v))
            *gaps = true;
        else if (v == 0)
            roots[(*n)++] = x;
        else if (isfinite(before) && before != 0 && (before < 0) != (v < 0))
            *n += close_in(s, x_before, before, x, v, &roots[*n]);
        before = v;
        x_before = x;
    }
    return 0;
}

static void add_found(struct tool_call *c, cJSON *o, const double *roots, size_t n, double base,
                      const char *at)
{
    double margin = n == 1 ? (base - roots[0]) / base : NAN;

    json_add_str(o, "status", n == 0 ? "none_in_range" : n == 1 ? "found" : "multiple");
    json_add_num(o, "value", n == 1 ? roots[0] : NAN);
    tool_add_numbers(o, "values", roots, n);
    json_add_num(o, "margin_of_safety", margin);
    if (n != 1)
        tool_warn(c, n == 0 ? "break_even_none_in_range" : "break_even_multiple", at,
                  n == 0 ? "no value in the range gives a present value of 0"
                         : "several values give a present value of 0");
    else if (!isfinite(margin))
        tool_warn(c, "margin_not_applicable", tool_path(c, "%s/margin_of_safety", at),
                  "the variable is 0 now, so there is no margin of it");
}

static int add_variable_break_even(struct model *m, const cJSON *b, const char *at, cJSON *o)
{
    struct search s = {.m = m, .variable = variable(m->formula, json_str(b, "variable", ""))};
    double low = tool_number(b, "low"), high = tool_number(b, "high"), roots[GRID + 1];
    struct flows f;
    bool gaps = false;
    size_t n = 0;
    int rc;

    if (s.variable < 0)
        return tool_fail(m->c, "unknown_name", tool_path(m->c, "%s/variable", at),
                         "there is no formula with a variable %s", json_str(b, "variable", ""));
    if (!(low < high))
        return tool_fail(m->c, "bad_order", at, "low must be below high");
    memcpy(s.values, m->formula->value, sizeof(s.values));
    s.amount = arena_array(m->c->a, double, m->formula->periods + 1);
    f = periodic(m->c, s.amount, (size_t)m->formula->periods + 1);
    s.t = (double *)(uintptr_t)f.t;
    rc = find_zeros(&s, low, high, roots, &n, &gaps);
    if (rc != 0)
        return rc;
    json_add_str(o, "variable", json_str(b, "variable", ""));
    add_found(m->c, o, roots, n, m->formula->value[s.variable], at);
    if (gaps)
        tool_warn(m->c, "break_even_gaps", at, "the formula has no value in a part of the range");
    return 0;
}

static void add_unit_break_even(struct model *m, const cJSON *b, const char *at, cJSON *o)
{
    double fixed = tool_number(b, "fixed_cost"), volume = tool_number(b, "volume");
    double margin = tool_number(b, "price") - tool_number(b, "unit_cost");
    double units = margin > 0 ? fixed / margin : NAN;

    json_add_str(o, "status", isfinite(units) ? "found" : "not_applicable");
    json_add_num(o, "value", units);
    if (!isfinite(units))
        tool_warn(m->c, "break_even_not_applicable", at, "the price is not above the unit cost");
    if (isnan(volume))
        return;
    json_add_num(o, "margin_of_safety", (volume - units) / volume);
    if (isfinite(units) && volume == 0)
        tool_warn(m->c, "margin_not_applicable", tool_path(m->c, "%s/margin_of_safety", at),
                  "the volume is 0 now, so there is no margin of it");
}

static int add_break_even(struct model *m)
{
    const cJSON *points = json_get(m->c->in, "break_even"), *b;
    cJSON *list;
    int i = 0, rc;

    if (points == NULL)
        return 0;
    list = json_add_arr(m->c->out, "break_even");
    cJSON_ArrayForEach (b, points) {
        const char *at = tool_path(m->c, "/break_even/%d", i++);

        if (json_get(b, "variable") == NULL) {
            add_unit_break_even(m, b, at, tool_push_obj(list));
            continue;
        }
        rc = add_variable_break_even(m, b, at, tool_push_obj(list));
        if (rc != 0)
            return rc;
    }
    return 0;
}

int tool_financial_model(struct tool_call *c)
{
    struct model m = {.c = c, .rate = tool_number(c->in, "rate")};
    int rc = read_base(&m);

    if (rc != 0)
        return rc;
    if (m.base.n == 0)
        add_no_base(c);
    else if ((rc = add_base(&m)) != 0)
        return rc;
    rc = add_scenarios(&m);
    return rc != 0 ? rc : add_break_even(&m);
}

/* The scan for the internal rate is what costs: 4,000 values of each series. */
int64_t tool_financial_model_cost(const cJSON *in)
{
    int64_t periods = json_i64(json_get(in, "formula"), "periods", 0) + 1;
    int64_t flows = tool_count(json_get(in, "cash_flows")),
            dated = tool_count(json_get(in, "dated_flows"));
    int64_t runs = 1 + tool_count(json_get(in, "scenarios"));

    return 20 + runs * (16 * (flows + periods) + 200 * dated) +
           tool_count(json_get(in, "break_even")) * 100 * periods;
}
