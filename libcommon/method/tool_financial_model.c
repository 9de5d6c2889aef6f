/* tool_financial_model.c: the value of cash flows and of their scenarios. The base and each
 * scenario are measured by the same function, and only the base says the rest. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/financial.h"
#include "libcommon/method/sum.h"

#define ROOTS_MAX 600

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

/* The base's flows with the scenario's variables or cash_flows in their place. */
static int scenario_flows(struct model *m, const cJSON *s, int i, struct flows *out)
{
    const cJSON *given = json_get(s, "cash_flows"), *variables = json_get(s, "variables"), *v;
    double values[VARIABLES_MAX] = {0};

    if (given != NULL && variables != NULL)
        return tool_fail(m->c, "schema", tool_path(m->c, "/scenarios/%d", i),
                         "either cash_flows or variables");
    *out = given != NULL ? financial_flows(m->c, given) : m->base;
    if (m->formula != NULL)
        memcpy(values, m->formula->value, sizeof(values));
    cJSON_ArrayForEach (v, variables) {
        int at = financial_variable(m->formula, v->string);

        if (at < 0)
            return tool_fail(m->c, "unknown_name",
                             tool_path(m->c, "/scenarios/%d/variables/%s", i, v->string),
                             "the formula has no variable %s", v->string);
        values[at] = v->valuedouble;
    }
    if (variables != NULL && m->formula != NULL)
        return financial_formula_flows(m, values, tool_path(m->c, "/scenarios/%d/variables", i),
                                       out);
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

int tool_financial_model(struct tool_call *c)
{
    struct model m = {.c = c, .rate = tool_number(c->in, "rate")};
    int rc = financial_read(&m);

    if (rc != 0)
        return rc;
    if (m.base.n == 0)
        add_no_base(c);
    else if ((rc = add_base(&m)) != 0)
        return rc;
    rc = add_scenarios(&m);
    return rc != 0 ? rc : financial_break_even(&m);
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
