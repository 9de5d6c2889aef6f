/* trend.h: a robust line through points in time: Theil-Sen's slope with Sen's limits, and the
 * Mann-Kendall test. docs/decision-method.md, 2.8. */
#pragma once
#include "libcommon/base/compat.h"

struct trend {
    double slope, intercept;
    double low, high; /* 95 % limits of the slope; NaN when they cannot be said */
    double p;         /* two-sided, that there is no trend; NaN when nothing varies */
};

/* Called now and then; anything but 0 ends the work and is returned. */
typedef int trend_tick_fn(void *arg, unsigned microseconds);

/* n points in any order. 0, ERR_INVALID when fewer than two times differ, or what tick gave. Memory
 * grows with n, not with the number of pairs. */
int trend_fit(const double *t, const double *y, size_t n, trend_tick_fn *tick, void *arg,
              struct trend *out) MUST_CHECK;
