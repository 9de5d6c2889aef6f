/* stat.h: the plain statistics that several tools share. Arrays are doubles, finite. */
#pragma once
#include "libcommon/base/compat.h"

double stat_mean(const double *x, size_t n);                    /* NaN when n is 0 */
double stat_sd(const double *x, size_t n);                      /* n - 1 below; NaN when n < 2 */
void stat_sort(double *x, size_t n);                            /* ascending */
double stat_quantile(const double *sorted, size_t n, double p); /* type 7; NaN when n is 0 */

/* Ranks from 1; equal values share the mean of theirs. order is scratch of n. */
struct stat_pair {
    double value;
    size_t index;
};
void stat_ranks(const double *x, size_t n, struct stat_pair *order, double *ranks);

/* Pearson's correlation; NaN when n < 2 or one side does not vary. */
double stat_correlation(const double *x, const double *y, size_t n);
