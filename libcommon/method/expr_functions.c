/* expr_functions.c: a table of functions of numbers. What has no value is NaN, which ends the
 * evaluation. */
#include "libcommon/base/compat.h"
#include "libcommon/method/expr_functions.h"
#include <math.h>
#include "libcommon/method/expr.h"
#include "libcommon/method/sum.h"

static double f_min(const double *x, int n)
{
    double m = x[0];

    for (int i = 1; i < n; i++)
        m = MIN(m, x[i]);
    return m;
}

static double f_max(const double *x, int n)
{
    double m = x[0];

    for (int i = 1; i < n; i++)
        m = MAX(m, x[i]);
    return m;
}

#define UNARY(name, function)                         \
    static double name(const double *x, int n UNUSED) \
    {                                                 \
        return function(x[0]);                        \
    }
UNARY(f_abs, fabs)
UNARY(f_floor, floor)
UNARY(f_ceil, ceil)
UNARY(f_round, round) /* half away from zero */
UNARY(f_sqrt, sqrt)
UNARY(f_exp, exp)
UNARY(f_log, log)
UNARY(f_log10, log10)

static double f_pow(const double *x, int n UNUSED)
{
    return pow(x[0], x[1]);
}

/* low over high is a mistake of the caller, so no number. */
static double f_clamp(const double *x, int n UNUSED)
{
    return x[1] > x[2] ? NAN : MIN(MAX(x[0], x[1]), x[2]);
}

static double f_npv(const double *x, int n)
{
    struct sum s = {0};

    if (x[0] <= -1)
        return NAN;
    for (int i = 1; i < n; i++)
        sum_add(&s, x[i] / pow(1 + x[0], i - 1));
    return sum_value(&s);
}

static double f_annuity(const double *x, int n UNUSED)
{
    if (x[0] <= -1)
        return NAN;
    return x[0] == 0 ? x[1] : -expm1(-x[1] * log1p(x[0])) / x[0];
}

const struct expr_function expr_functions[] = {
    {"abs", 1, 1, f_abs},     {"annuity", 2, 2, f_annuity}, {"ceil", 1, 1, f_ceil},
    {"clamp", 3, 3, f_clamp}, {"exp", 1, 1, f_exp},         {"floor", 1, 1, f_floor},
    {"if", 3, 3, NULL},       {"log", 1, 1, f_log},         {"log10", 1, 1, f_log10},
    {"max", 1, 16, f_max},    {"min", 1, 16, f_min},        {"npv", 2, EXPR_NODES_MAX, f_npv},
    {"pow", 2, 2, f_pow},     {"round", 1, 1, f_round},     {"sqrt", 1, 1, f_sqrt},
};

int expr_function_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(expr_functions); i++)
        if (str_eqz(name, expr_functions[i].name))
            return (int)i;
    return -1;
}
