/* special.h: the distribution functions that the tools need. Pure functions of doubles; arguments
 * outside the stated range give NaN. */
#pragma once
#include "libcommon/base/compat.h"

/* The standard normal: its distribution function, and the inverse of it by Wichura's AS 241
 * (PPND16, about 16 digits) for 0 < p < 1. */
double normal_cdf(double z);
double normal_inv(double p);

/* The regularised incomplete beta function I_x(a, b), a > 0, b > 0, 0 <= x <= 1. */
double beta_inc(double a, double b, double x);

/* Two-sided p of Student's t with df > 0 degrees of freedom. */
double student_p(double t, double df);

/* The inverse of I_x(a, b) for many p at the same a and b (a sampled PERT distribution): a table
 * of the curve brackets each p, so that Newton's method needs only a few steps to 1e-12. */
#define BETA_INV_KNOTS 256

struct beta_inv {
    double a, b, log_beta;
    double x[BETA_INV_KNOTS + 1]; /* quantiles of i / BETA_INV_KNOTS */
};

void beta_inv_init(struct beta_inv *t, double a, double b);
double beta_inv_at(const struct beta_inv *t, double p); /* 0 < p < 1 */
