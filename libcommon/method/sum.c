/* sum.c: the two sums that most formulas are made of. */
#include "libcommon/base/compat.h"
#include "libcommon/method/sum.h"

double sum_of(const double *x, size_t n)
{
    struct sum s = {0};

    for (size_t i = 0; i < n; i++)
        sum_add(&s, x[i]);
    return sum_value(&s);
}

double sum_dot(const double *x, const double *y, size_t n)
{
    struct sum s = {0};

    for (size_t i = 0; i < n; i++)
        sum_add(&s, x[i] * y[i]);
    return sum_value(&s);
}
