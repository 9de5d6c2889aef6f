/* sum.h: sums with Neumaier's compensation (1974), in the order of the index. A plain sum of a
 * thousand cash flows loses digits that a break-even or a rank then shows. */
#pragma once
#include "libcommon/base/compat.h"
#include <math.h>

struct sum {
    double total, lost; /* start with {0} */
};

static inline void sum_add(struct sum *s, double x)
{
    double t = s->total + x;

    s->lost += fabs(s->total) >= fabs(x) ? (s->total - t) + x : (x - t) + s->total;
    s->total = t;
}

static inline double sum_value(const struct sum *s)
{
    return s->total + s->lost;
}

/* Of n values; of the products of pairs. 0 when n is 0. */
double sum_of(const double *x, size_t n);
double sum_dot(const double *x, const double *y, size_t n);
