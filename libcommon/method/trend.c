/* trend.c: the median of all pairwise slopes, without keeping all pairs.
 *
 * Up to two million pairs the slopes are listed and sorted. Beyond that the k-th slope is found by
 * bisection over the doubles: a slope is at most s when y - s t does not rise between the two
 * points, so the slopes up to s are the inversions of y - s t, which merge sort counts in n log n.
 * The slopes lie between those of neighbours in time, which bounds the search. */
#include "libcommon/base/compat.h"
#include "libcommon/method/trend.h"
#include <math.h>
#include "libcommon/base/err.h"
#include "libcommon/method/special.h"
#include "libcommon/method/stat.h"

#define LISTED_MAX (1u << 21)

struct point {
    double t, y;
};

struct points {
    struct point *at; /* by time, then by value */
    size_t n;
    double pairs;      /* of different times */
    double same_pairs; /* of the same time and the same value */
    double *slopes;    /* sorted; NULL when there are too many */
    double *value, *scratch;
    double low, high; /* of all slopes */
    trend_tick_fn *tick;
    void *arg;
};

static int by_time(const void *a, const void *b)
{
    const struct point *x = a, *y = b;

    if (x->t != y->t)
        return x->t < y->t ? -1 : 1;
    return (x->y > y->y) - (x->y < y->y);
}

/* Pairs i < j of value with value[j] < value[i] (or equal, unless strict); sorts value. */
static double inversions(double *value, double *scratch, size_t n, bool strict)
{
    size_t half = n / 2, i = 0, j = half, k = 0;
    double count;

    if (n < 2)
        return 0;
    count = inversions(value, scratch, half, strict) +
            inversions(value + half, scratch, n - half, strict);
    while (i < half && j < n) {
        bool left = strict ? value[i] <= value[j] : value[i] < value[j];

        if (!left)
            count += (double)(half - i);
        scratch[k++] = left ? value[i++] : value[j++];
    }
    memcpy(scratch + k, value + i, (half - i) * sizeof(*value));
    memcpy(value, scratch, (k + half - i) * sizeof(*value));
    return count;
}

/* How many slopes are at most s (strict: below s). */
static double count_slopes(struct points *p, double s, bool strict)
{
    for (size_t i = 0; i < p->n; i++)
        p->value[i] = p->at[i].y - s * p->at[i].t;
    return inversions(p->value, p->scratch, p->n, strict) - (strict ? 0 : p->same_pairs);
}

/* A number that grows with the double, so that halving it reaches every double. */
static int64_t order_of(double x)
{
    int64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return bits < 0 ? INT64_MIN - bits : bits;
}

static double of_order(int64_t order)
{
    int64_t bits = order < 0 ? INT64_MIN - order : order;
    double x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* The k-th smallest slope, k from 0. */
static int slope_at(struct points *p, double k, double *out)
{
    int64_t low = order_of(p->low), high = order_of(p->high);

    if (p->slopes != NULL) {
        *out = p->slopes[(size_t)k];
        return 0;
    }
    while (low < high) {
        int64_t middle = (low & high) + ((low ^ high) >> 1); /* rounds down, cannot overflow */
        int rc = p->tick(p->arg, (unsigned)(p->n / 8));

        if (rc != 0)
            return rc;
        if (count_slopes(p, of_order(middle), false) > k)
            high = middle;
        else
            low = middle + 1;
    }
    *out = of_order(low);
    return 0;
}

static int list_slopes(struct points *p)
{
    size_t k = 0;

    if (p->pairs > LISTED_MAX)
        return 0;
    p->slopes = xcalloc((size_t)p->pairs, sizeof(*p->slopes));
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = i + 1; j < p->n; j++)
            if (p->at[j].t > p->at[i].t)
                p->slopes[k++] = (p->at[j].y - p->at[i].y) / (p->at[j].t - p->at[i].t);
    stat_sort(p->slopes, k);
    return p->tick(p->arg, (unsigned)(k / 8));
}

/* Groups of one time are blocks of the sorted points; the steepest slopes join neighbours. */
static void look_at_times(struct points *p)
{
    size_t before = 0, start = 0;

    p->pairs = 0.5 * (double)p->n * (double)(p->n - 1);
    p->low = INFINITY;
    p->high = -INFINITY;
    for (size_t end; start < p->n; start = end) {
        size_t same = 1;

        for (end = start + 1; end < p->n && p->at[end].t == p->at[start].t; end++) {
            same = p->at[end].y == p->at[end - 1].y ? same + 1 : 1;
            p->same_pairs += (double)(same - 1);
        }
        p->pairs -= 0.5 * (double)(end - start) * (double)(end - start - 1);
        if (start > 0) {
            double step = p->at[start].t - p->at[start - 1].t;

            p->low = fmin(p->low, (p->at[start].y - p->at[start - 1].y) / step);
            p->high = fmax(p->high, (p->at[end - 1].y - p->at[before].y) / step);
        }
        before = start;
    }
}

static double tie_terms(const double *sorted, size_t n)
{
    double sum = 0;

    for (size_t i = 0, end; i < n; i = end) {
        double k;

        for (end = i + 1; end < n && sorted[end] == sorted[i];)
            end++;
        k = (double)(end - i);
        sum += k * (k - 1) * (2 * k + 5);
    }
    return sum;
}

/* The standard deviation of Kendall's S, with ties; also sorts value into the values of y. */
static double sigma_of_s(struct points *p)
{
    double n = (double)p->n, variance = n * (n - 1) * (2 * n + 5);

    for (size_t i = 0; i < p->n; i++)
        p->value[i] = p->at[i].t;
    variance -= tie_terms(p->value, p->n);
    for (size_t i = 0; i < p->n; i++)
        p->value[i] = p->at[i].y;
    stat_sort(p->value, p->n);
    variance -= tie_terms(p->value, p->n);
    return sqrt(fmax(0, variance) / 18);
}

/* With the correction of 1 for continuity. */
static double mann_kendall(struct points *p, double sigma)
{
    double falling = count_slopes(p, 0, true), rising = p->pairs - count_slopes(p, 0, false);
    double s = rising - falling;

    if (sigma == 0)
        return NAN;
    return s == 0 ? 1 : 2 * normal_cdf(-(fabs(s) - 1) / sigma);
}

static int median_slope(struct points *p, double *out)
{
    double middle = floor((p->pairs - 1) / 2), upper = floor(p->pairs / 2), other;
    int rc = slope_at(p, middle, out);

    if (rc != 0 || upper == middle)
        return rc;
    rc = slope_at(p, upper, &other);
    *out = 0.5 * (*out + other);
    return rc;
}

/* Sen (1968), (2.6): the slopes whose ranks are that far from the middle. */
static int limits(struct points *p, double sigma, struct trend *out)
{
    double reach = normal_inv(0.975) * sigma;
    double low = fmax(rint((p->pairs - reach) / 2) - 1, 0);
    double high = fmin(rint((p->pairs + reach) / 2), p->pairs - 1);
    int rc = slope_at(p, low, &out->low);

    return rc != 0 ? rc : slope_at(p, high, &out->high);
}

static double median_of(struct points *p, bool of_time)
{
    for (size_t i = 0; i < p->n; i++)
        p->value[i] = of_time ? p->at[i].t : p->at[i].y;
    stat_sort(p->value, p->n);
    return stat_quantile(p->value, p->n, 0.5);
}

static int fit(struct points *p, struct trend *out)
{
    double sigma;
    int rc;

    look_at_times(p);
    if (p->pairs < 1)
        return ERR_INVALID;
    rc = list_slopes(p);
    if (rc == 0)
        rc = median_slope(p, &out->slope);
    if (rc != 0)
        return rc;
    sigma = sigma_of_s(p);
    out->p = mann_kendall(p, sigma);
    out->intercept = median_of(p, false) - out->slope * median_of(p, true);
    return limits(p, sigma, out);
}

int trend_fit(const double *t, const double *y, size_t n, trend_tick_fn *tick, void *arg,
              struct trend *out)
{
    struct points p = {.n = n, .tick = tick, .arg = arg};
    int rc;

    p.at = xcalloc(n, sizeof(*p.at));
    p.value = xcalloc(n, sizeof(*p.value));
    p.scratch = xcalloc(n, sizeof(*p.scratch));
    for (size_t i = 0; i < n; i++)
        p.at[i] = (struct point){t[i], y[i]};
    if (n > 1)
        qsort(p.at, n, sizeof(*p.at), by_time);
    rc = fit(&p, out);
    free(p.at);
    free(p.value);
    free(p.scratch);
    free(p.slopes);
    return rc;
}
