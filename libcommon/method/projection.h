/* projection.h: the forecasting methods, each as a function from the first n values of a series to
 * means and spreads ahead of them. docs/decision-method.md, 2.7. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/method/smoothing.h"

/* In the order of simplicity: of two that are equally good the earlier one is taken. */
enum projection_method {
    PROJECT_NAIVE,
    PROJECT_DRIFT,
    PROJECT_SEASONAL_NAIVE,
    PROJECT_SES,
    PROJECT_THETA,
    PROJECT_HOLT,
    PROJECT_HOLT_DAMPED,
    PROJECT_HOLT_WINTERS,
    PROJECT__MAX
};

struct series_in {
    const double *y;
    size_t n, season;          /* season 1: none */
    double given[SMOOTH__MAX]; /* NaN: to be fitted */
    double level0, trend0;     /* NaN: from the first values */
    const double *seasonal0;   /* NULL: from the first values */
    smoothing_tick_fn *tick;
    void *arg;
};

struct projection {
    double *mean, *variance; /* of h = 1, 2, ...; variance in units of sd^2 */
    double sd;               /* of the one-step errors; NaN when there are too few */
    struct smoothed *state;  /* of the smoothing methods, else NULL */
    double drift;            /* a step of the line that was added; NaN when there is none */
    bool seasonal;           /* theta: the season was taken out first */
};

const char *projection_name(enum projection_method how);
int projection_find(const char *name); /* -1: unknown */

/* How many values it needs to forecast at all. */
size_t projection_needs(const struct series_in *in, enum projection_method how);

/* The shape of a smoothing method. False for the others. */
bool projection_smoothing(const struct series_in *in, enum projection_method how,
                          struct smoothing *out);

/* Forecasts `horizon` steps from the first n values; fitted has the SMOOTH__MAX parameters of a
 * smoothing method for this n (theta fits its own and ignores it). 0, or what tick gave. */
int projection_make(const struct series_in *in, enum projection_method how, size_t n,
                    size_t horizon, const double *fitted, struct arena *a,
                    struct projection *out) MUST_CHECK;
