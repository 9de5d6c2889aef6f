/* outcome.h: uncertain values: expectation, certainty equivalent under exponential utility, and the
 * profile of what may come out. docs/decision-method.md, 2.5. Pure. */
#pragma once
#include "libcommon/base/compat.h"

struct outcome {
    double value, p;
};

double outcome_mean(const struct outcome *o, size_t n);
double outcome_sd(const struct outcome *o, size_t n);

/* -R ln sum(p e^(-x/R)), without overflow; R > 0. */
double outcome_certainty(const struct outcome *o, size_t n, double risk_tolerance);

/* Ascending by value; equal values (1e-9) become one, impossible ones go. Returns how many stay. */
size_t outcome_profile(struct outcome *o, size_t n);

/* The index of the largest value, the first one of a tie (1e-12 of it); *tie: there is one. */
size_t outcome_best(const double *value, size_t n, bool *tie);
