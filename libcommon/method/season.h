/* season.h: whether a series has a season, and its multiplicative indices. Pure. */
#pragma once
#include "libcommon/base/compat.h"

/* |r_m| > 1.645 sqrt((1 + 2 sum of r_i^2, i < m) / n), r the autocorrelations; false when n <= m.
 */
bool season_is_significant(const double *y, size_t n, size_t m);

/* Classical decomposition: ratios to the centred moving average, averaged by season, scaled to the
 * mean 1. False when there are fewer than two seasons, or a value that is not positive. */
bool season_indices(const double *y, size_t n, size_t m, double *index);
