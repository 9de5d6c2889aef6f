/* outcome.c: a few sums over values and their probabilities. */
#include "libcommon/base/compat.h"
#include "libcommon/method/outcome.h"
#include <math.h>
#include "libcommon/method/sum.h"

#define SAME_VALUE 1e-9
#define TIE 1e-12

double outcome_mean(const struct outcome *o, size_t n)
{
    struct sum s = {0};

    for (size_t i = 0; i < n; i++)
        sum_add(&s, o[i].p * o[i].value);
    return sum_value(&s);
}

double outcome_sd(const struct outcome *o, size_t n)
{
    double mean = outcome_mean(o, n);
    struct sum s = {0};

    for (size_t i = 0; i < n; i++)
        sum_add(&s, o[i].p * (o[i].value - mean) * (o[i].value - mean));
    return sqrt(sum_value(&s));
}

double outcome_certainty(const struct outcome *o, size_t n, double risk_tolerance)
{
    double top = -INFINITY;
    struct sum s = {0};

    for (size_t i = 0; i < n; i++)
        if (o[i].p > 0)
            top = fmax(top, -o[i].value / risk_tolerance);
    for (size_t i = 0; i < n; i++)
        if (o[i].p > 0)
            sum_add(&s, o[i].p * exp(-o[i].value / risk_tolerance - top));
    return -risk_tolerance * (top + log(sum_value(&s)));
}

static int by_value(const void *a, const void *b)
{
    const struct outcome *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

size_t outcome_profile(struct outcome *o, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        qsort(o, n, sizeof(*o), by_value);
    for (size_t i = 0; i < n; i++) {
        if (o[i].p <= 0)
            continue;
        if (kept > 0 && o[i].value - o[kept - 1].value <= SAME_VALUE)
            o[kept - 1].p += o[i].p;
        else
            o[kept++] = o[i];
    }
    return kept;
}

size_t outcome_best(const double *value, size_t n, bool *tie)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (value[i] - value[best] > TIE * fmax(1, fabs(value[best])))
            best = i;
    *tie = false;
    for (size_t i = best + 1; i < n; i++)
        *tie = *tie || value[best] - value[i] <= TIE * fmax(1, fabs(value[best]));
    return best;
}
