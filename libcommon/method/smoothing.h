/* smoothing.h: exponential smoothing with a level, and perhaps a (damped) trend and an additive
 * season. docs/decision-method.md, 2.7. Pure.
 *
 * The starting state stands before the first value, so the first value has an error as well. */
#pragma once
#include "libcommon/base/compat.h"

#define SEASON_MAX 366

enum { SMOOTH_ALPHA, SMOOTH_BETA, SMOOTH_GAMMA, SMOOTH_PHI, SMOOTH__MAX };

struct smoothing {
    bool trend, damped;
    size_t season;             /* 0: none */
    double given[SMOOTH__MAX]; /* NaN: to be fitted. Those that the model has not are ignored. */
    double level0, trend0;     /* the start; NaN: from the first values */
    const double *seasonal0;   /* `season` values; NULL: from the first values */
};

/* The state after n values. */
struct smoothed {
    double p[SMOOTH__MAX]; /* 0 for those that the model has not; phi is 1 without damping */
    double level0, trend0, level, trend;
    double seasonal0[SEASON_MAX], seasonal[SEASON_MAX]; /* of the times 0, 1, ... modulo season */
    double sse;                                         /* of the one-step errors */
    size_t n;
};

/* How many values the start needs: 1, 2, or two seasons; and how many parameters are fitted. */
size_t smoothing_needs(const struct smoothing *m);
int smoothing_fitted(const struct smoothing *m);

/* Least squares of the one-step errors for each of the `count` lengths (ascending) of y at once:
 * the grid is walked once for all of them. p has count x SMOOTH__MAX places. tick is called now
 * and then; what it gives other than 0 ends the work. */
typedef int smoothing_tick_fn(void *arg, unsigned microseconds);
int smoothing_fit(const struct smoothing *m, const double *y, const size_t *length, size_t count,
                  smoothing_tick_fn *tick, void *arg, double *p) MUST_CHECK;

/* Runs over n values with these parameters. */
void smoothing_run(const struct smoothing *m, const double *p, const double *y, size_t n,
                   struct smoothed *out);

/* The forecast h steps ahead (h >= 1), and v_h, its variance in units of the one-step variance. */
double smoothing_ahead(const struct smoothing *m, const struct smoothed *s, size_t h);
double smoothing_variance(const struct smoothing *m, const double *p, size_t h);
