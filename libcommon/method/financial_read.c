/* financial_read.c: cash flows from JSON: by period, by date, or by a formula of t. */
#include "libcommon/base/compat.h"
#include "libcommon/method/financial.h"
#include <math.h>

struct flows financial_periodic(struct tool_call *c, const double *amount, size_t n)
{
    double *t = arena_array(c->a, double, n);

    for (size_t i = 0; i < n; i++)
        t[i] = (double)i;
    return (struct flows){.t = t, .amount = amount, .n = n};
}

struct flows financial_flows(struct tool_call *c, const cJSON *array)
{
    size_t n;
    double *amount = tool_numbers(c, array, &n);

    return financial_periodic(c, amount, n);
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

int financial_variable(const struct formula *f, const char *name)
{
    for (size_t i = 0; f != NULL && i < f->variables; i++)
        if (strcmp(f->name[i], name) == 0)
            return (int)i;
    return -1;
}

int financial_evaluate(const struct formula *f, const double *values, double *amount,
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

int financial_formula_flows(struct model *m, const double *values, const char *field,
                            struct flows *out)
{
    size_t n = (size_t)m->formula->periods + 1;
    double *amount = arena_array(m->c->a, double, n);
    struct expr_fault f;

    if (financial_evaluate(m->formula, values, amount, &f) != 0)
        return tool_fail(m->c, f.reason, field, "%s", f.message);
    *out = financial_periodic(m->c, amount, n);
    return 0;
}

int financial_read(struct model *m)
{
    const cJSON *in = m->c->in, *formula = json_get(in, "formula");
    int rc;

    if (json_get(in, "cash_flows") != NULL)
        m->base = financial_flows(m->c, json_get(in, "cash_flows"));
    if (json_get(in, "dated_flows") != NULL)
        return read_dated(m->c, json_get(in, "dated_flows"), &m->base);
    if (formula == NULL)
        return 0;
    rc = read_formula(m->c, formula, &m->formula);
    if (rc != 0)
        return rc;
    return financial_formula_flows(m, m->formula->value, "/formula/expression", &m->base);
}
