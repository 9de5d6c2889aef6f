/* projection.c: naive, drift, seasonal naive, theta (Assimakopoulos and Nikolopoulos in the form of
 * Hyndman and Billah: smoothing of the series plus half of its line) and the smoothing family. */
#include "libcommon/base/compat.h"
#include "libcommon/method/projection.h"
#include <math.h>
#include "libcommon/method/season.h"
#include "libcommon/method/sum.h"

static const struct shape {
    const char *name;
    bool smoothing, trend, damped, season;
} shapes[PROJECT__MAX] = {
    [PROJECT_NAIVE] = {"naive", false, false, false, false},
    [PROJECT_DRIFT] = {"drift", false, false, false, false},
    [PROJECT_SEASONAL_NAIVE] = {"seasonal_naive", false, false, false, true},
    [PROJECT_SES] = {"ses", true, false, false, false},
    [PROJECT_THETA] = {"theta", false, false, false, false},
    [PROJECT_HOLT] = {"holt", true, true, false, false},
    [PROJECT_HOLT_DAMPED] = {"holt_damped", true, true, true, false},
    [PROJECT_HOLT_WINTERS] = {"holt_winters", true, true, false, true},
};

const char *projection_name(enum projection_method how)
{
    return shapes[how].name;
}

int projection_find(const char *name)
{
    for (int i = 0; i < PROJECT__MAX; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return i;
    return -1;
}

size_t projection_needs(const struct series_in *in, enum projection_method how)
{
    struct smoothing m;

    if (projection_smoothing(in, how, &m))
        return smoothing_needs(&m);
    if (how == PROJECT_SEASONAL_NAIVE)
        return in->season;
    return how == PROJECT_NAIVE ? 1 : 2;
}

bool projection_smoothing(const struct series_in *in, enum projection_method how,
                          struct smoothing *out)
{
    const struct shape *s = &shapes[how];

    *out = (struct smoothing){.trend = s->trend,
                              .damped = s->damped,
                              .season = s->season ? in->season : 0,
                              .level0 = in->level0,
                              .trend0 = in->trend0,
                              .seasonal0 = in->seasonal0};
    memcpy(out->given, in->given, sizeof(out->given));
    return s->smoothing;
}

static double spread(double sse, double residuals, double parameters)
{
    return residuals > parameters ? sqrt(sse / (residuals - parameters)) : NAN;
}

/* The value one season, or with lag 1 one step, before; drift is added at each step. */
static void repeat(const struct series_in *in, size_t n, size_t horizon, size_t lag, double drift,
                   double parameters, struct projection *out)
{
    struct sum sse = {0};

    for (size_t t = lag; t < n; t++) {
        double e = in->y[t] - in->y[t - lag] - drift;

        sum_add(&sse, e * e);
    }
    out->sd = spread(sum_value(&sse), (double)(n - MIN(n, lag)), parameters);
    for (size_t h = 1; h <= horizon; h++) {
        out->mean[h - 1] = in->y[n - lag + (h - 1) % lag] + (double)h * drift;
        out->variance[h - 1] = (double)((h - 1) / lag + 1);
    }
}

static void drift(const struct series_in *in, size_t n, size_t horizon, struct projection *out)
{
    double steps = (double)(n - 1);

    out->drift = (in->y[n - 1] - in->y[0]) / steps;
    repeat(in, n, horizon, 1, out->drift, 1, out);
    for (size_t h = 1; h <= horizon; h++)
        out->variance[h - 1] = (double)h * (1 + (double)h / steps);
}

static void smooth(const struct series_in *in, enum projection_method how, size_t n, size_t horizon,
                   const double *fitted, struct arena *a, struct projection *out)
{
    struct smoothing m;

    projection_smoothing(in, how, &m);
    out->state = arena_new_of(a, struct smoothed);
    smoothing_run(&m, fitted, in->y, n, out->state);
    out->sd = spread(out->state->sse, (double)n, smoothing_fitted(&m));
    for (size_t h = 1; h <= horizon; h++) {
        out->mean[h - 1] = smoothing_ahead(&m, out->state, h);
        out->variance[h - 1] = smoothing_variance(&m, fitted, h);
    }
}

/* The least-squares slope over the times 1 .. n. */
static double slope_of(const double *y, size_t n)
{
    double middle = ((double)n - 1) / 2, mean = sum_of(y, n) / (double)n;
    struct sum xy = {0}, xx = {0};

    for (size_t t = 0; t < n; t++) {
        sum_add(&xy, ((double)t - middle) * (y[t] - mean));
        sum_add(&xx, ((double)t - middle) * ((double)t - middle));
    }
    return sum_value(&xy) / sum_value(&xx);
}

/* 1/alpha - (1 - alpha)^n / alpha, which is n when alpha is 0: how much of the line the level of n
 * values lags behind. */
static double lag_of(double alpha, size_t n)
{
    return alpha > 0 ? (1 - pow(1 - alpha, (double)n)) / alpha : (double)n;
}

/* One-step errors of theta's own forecasts, on the scale of y. */
static double theta_errors(const struct series_in *in, const double *x, size_t n,
                           const double *index, double alpha, double level, double half_slope)
{
    struct sum sse = {0};

    for (size_t t = 0; t < n; t++) {
        double e = in->y[t] - (level + half_slope * lag_of(alpha, t)) * index[t % in->season];

        sum_add(&sse, e * e);
        level = alpha * x[t] + (1 - alpha) * level;
    }
    return sum_value(&sse);
}

static int theta(const struct series_in *in, size_t n, size_t horizon, struct arena *a,
                 struct projection *out)
{
    double *index = arena_array(a, double, in->season), *x = arena_array(a, double, n);
    double p[SMOOTH__MAX], alpha, half, level0 = in->level0;
    struct smoothing m;
    int rc;

    projection_smoothing(in, PROJECT_SES, &m);
    out->seasonal =
        season_is_significant(in->y, n, in->season) && season_indices(in->y, n, in->season, index);
    for (size_t k = 0; !out->seasonal && k < in->season; k++)
        index[k] = 1;
    for (size_t t = 0; t < n; t++)
        x[t] = in->y[t] / index[t % in->season];
    rc = smoothing_fit(&m, x, &n, 1, in->tick, in->arg, p);
    if (rc != 0)
        return rc;
    out->state = arena_new_of(a, struct smoothed);
    smoothing_run(&m, p, x, n, out->state);
    alpha = p[SMOOTH_ALPHA];
    half = slope_of(x, n) / 2;
    level0 = out->state->level0;
    out->drift = half;
    out->sd = spread(theta_errors(in, x, n, index, alpha, level0, half), (double)n,
                     smoothing_fitted(&m) + 1);
    for (size_t h = 1; h <= horizon; h++) {
        out->mean[h - 1] = (out->state->level + half * ((double)h - 1 + lag_of(alpha, n))) *
                           index[(n + h - 1) % in->season];
        out->variance[h - 1] = smoothing_variance(&m, p, h);
    }
    return 0;
}

int projection_make(const struct series_in *in, enum projection_method how, size_t n,
                    size_t horizon, const double *fitted, struct arena *a, struct projection *out)
{
    *out = (struct projection){.mean = arena_array(a, double, horizon),
                               .variance = arena_array(a, double, horizon),
                               .drift = NAN};
    switch (how) {
    case PROJECT_NAIVE:
        repeat(in, n, horizon, 1, 0, 0, out);
        return 0;
    case PROJECT_SEASONAL_NAIVE:
        repeat(in, n, horizon, in->season, 0, 0, out);
        return 0;
    case PROJECT_DRIFT:
        drift(in, n, horizon, out);
        return 0;
    case PROJECT_THETA:
        return theta(in, n, horizon, a, out);
    default:
        smooth(in, how, n, horizon, fitted, a, out);
        return 0;
    }
}
