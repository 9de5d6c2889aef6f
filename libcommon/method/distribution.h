/* distribution.h: the uncertain inputs of a simulation: their inverse distribution functions, one
 * uniform number a value, whatever the distribution; so streams stay aligned when an input changes.
 * docs/decision-method.md, 2.3. */
#pragma once
#include "libcommon/method/special.h"

enum distribution_kind {
    DIST_NORMAL,
    DIST_LOGNORMAL,
    DIST_TRIANGULAR,
    DIST_PERT,
    DIST_UNIFORM,
    DIST_DISCRETE,
};

struct distribution {
    enum distribution_kind kind;
    double a, b, c;              /* mean, sd; mu, sigma; min, mode, max; min, -, max */
    struct beta_inv *beta;       /* PERT */
    const double *value, *until; /* discrete: values and cumulated probabilities */
    size_t n;
};

/* The value below which a share u lies, 0 < u < 1. */
double distribution_at(const struct distribution *d, double u);

/* The same from a standard normal z, u = Phi(z): what a Gaussian copula gives. Normal and lognormal
 * take z itself, which keeps the digits of the tails. */
double distribution_at_normal(const struct distribution *d, double z);
