/* stat.c: two passes everywhere: the mean first, then sums of deviations, each compensated. */
#include "libcommon/base/compat.h"
#include "libcommon/method/stat.h"
#include <math.h>
#include "libcommon/method/sum.h"

double stat_mean(const double *x, size_t n)
{
    return n == 0 ? NAN : sum_of(x, n) / (double)n;
}

double stat_sd(const double *x, size_t n)
{
    double mean = stat_mean(x, n);
    struct sum s = {0};

    if (n < 2)
        return NAN;
    for (size_t i = 0; i < n; i++)
        sum_add(&s, (x[i] - mean) * (x[i] - mean));
    return sqrt(sum_value(&s) / (double)(n - 1));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void stat_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof(*x), by_value);
}

double stat_quantile(const double *sorted, size_t n, double p)
{
    double at = p * (double)(n - 1);
    size_t i;

    if (n == 0)
        return NAN;
    i = (size_t)at;
    if (i + 1 >= n)
        return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

static int by_pair(const void *a, const void *b)
{
    const struct stat_pair *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void stat_ranks(const double *x, size_t n, struct stat_pair *order, double *ranks)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (struct stat_pair){x[i], i};
    if (n > 1)
        qsort(order, n, sizeof(*order), by_pair);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && order[end].value == order[i].value;)
            end++;
        for (size_t k = i; k < end; k++)
            ranks[order[k].index] = 0.5 * (double)(i + 1 + end);
    }
}

double stat_correlation(const double *x, const double *y, size_t n)
{
    double mx = stat_mean(x, n), my = stat_mean(y, n), r;
    struct sum xx = {0}, yy = {0}, xy = {0};

    for (size_t i = 0; i < n; i++) {
        sum_add(&xx, (x[i] - mx) * (x[i] - mx));
        sum_add(&yy, (y[i] - my) * (y[i] - my));
        sum_add(&xy, (x[i] - mx) * (y[i] - my));
    }
    if (n < 2 || sum_value(&xx) <= 0 || sum_value(&yy) <= 0)
        return NAN;
    r = sum_value(&xy) / (sqrt(sum_value(&xx)) * sqrt(sum_value(&yy)));
    return fmax(-1, fmin(1, r));
}
