/* season.c: autocorrelation and classical decomposition. */
#include "libcommon/base/compat.h"
#include "libcommon/method/season.h"
#include <math.h>
#include "libcommon/method/sum.h"

static double autocovariance(const double *y, size_t n, double mean, size_t lag)
{
    struct sum s = {0};

    for (size_t t = lag; t < n; t++)
        sum_add(&s, (y[t] - mean) * (y[t - lag] - mean));
    return sum_value(&s);
}

bool season_is_significant(const double *y, size_t n, size_t m)
{
    double mean = n == 0 ? 0 : sum_of(y, n) / (double)n, all, r;
    struct sum squares = {0};

    if (n <= m || m < 2)
        return false;
    all = autocovariance(y, n, mean, 0);
    if (!(all > 0))
        return false;
    for (size_t i = 1; i < m; i++) {
        r = autocovariance(y, n, mean, i) / all;
        sum_add(&squares, r * r);
    }
    r = autocovariance(y, n, mean, m) / all;
    return fabs(r) > 1.645 * sqrt((1 + 2 * sum_value(&squares)) / (double)n);
}

/* Of m values around t; for an even m the two at the ends count half. */
static double centred_average(const double *y, size_t t, size_t m)
{
    size_t half = m / 2;
    struct sum s = {0};

    for (size_t k = t - half; k <= t + half; k++)
        sum_add(&s, m % 2 == 0 && (k == t - half || k == t + half) ? y[k] / 2 : y[k]);
    return sum_value(&s) / (double)m;
}

bool season_indices(const double *y, size_t n, size_t m, double *index)
{
    size_t half = m / 2;
    double total;

    if (n < 2 * m || m < 2)
        return false;
    for (size_t t = 0; t < n; t++)
        if (y[t] <= 0)
            return false;
    for (size_t k = 0; k < m; k++) {
        struct sum ratios = {0};
        double count = 0;

        for (size_t t = k; t + half < n; t += m)
            if (t >= half) {
                sum_add(&ratios, y[t] / centred_average(y, t, m));
                count++;
            }
        index[k] = sum_value(&ratios) / count;
    }
    total = sum_of(index, m);
    for (size_t k = 0; k < m; k++)
        index[k] *= (double)m / total;
    return true;
}
