/* financial_break_even.c: for which value of a variable is the present value 0? A grid of 200
 * steps, each change of sign closed in on. The unit form needs one division. */
#include "libcommon/base/compat.h"
#include "libcommon/method/financial.h"
#include <math.h>
#include "libcommon/method/root.h"

#define GRID 200
#define TOLERANCE 1e-10

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
    if (financial_evaluate(s->m->formula, s->values, s->amount, NULL) != 0)
        return NAN;
    return flows_npv(&f, s->m->rate);
}

/* A change of sign at a pole is no break-even: there the value grows instead of vanishing. */
static size_t close_in(struct search *s, double a, double fa, double b, double fb, double *root)
{
    double x = root_brent(npv_at, s, a, fa, b, fb, TOLERANCE), fx = npv_at(x, s);

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
    struct search s = {.m = m,
                       .variable = financial_variable(m->formula, json_str(b, "variable", ""))};
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
    f = financial_periodic(m->c, s.amount, (size_t)m->formula->periods + 1);
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

int financial_break_even(struct model *m)
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
