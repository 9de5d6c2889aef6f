/* distribution.c: six inverse distribution functions. */
#include "libcommon/base/compat.h"
#include "libcommon/method/distribution.h"
#include <math.h>

static double triangular(const struct distribution *d, double u)
{
    double low = d->a, mode = d->b, high = d->c, split = (mode - low) / (high - low);

    if (u < split)
        return low + sqrt(u * (high - low) * (mode - low));
    return high - sqrt((1 - u) * (high - low) * (high - mode));
}

/* The first value whose cumulated probability reaches u; rounding may leave the last one below. */
static double discrete(const struct distribution *d, double u)
{
    size_t i = 0;

    while (i + 1 < d->n && d->until[i] < u)
        i++;
    return d->value[i];
}

double distribution_at(const struct distribution *d, double u)
{
    switch (d->kind) {
    case DIST_NORMAL:
        return d->a + d->b * normal_inv(u);
    case DIST_LOGNORMAL:
        return exp(d->a + d->b * normal_inv(u));
    case DIST_TRIANGULAR:
        return triangular(d, u);
    case DIST_PERT:
        return d->a + (d->c - d->a) * beta_inv_at(d->beta, u);
    case DIST_UNIFORM:
        return d->a + (d->c - d->a) * u;
    default:
        return discrete(d, u);
    }
}

double distribution_at_normal(const struct distribution *d, double z)
{
    if (d->kind == DIST_NORMAL)
        return d->a + d->b * z;
    if (d->kind == DIST_LOGNORMAL)
        return exp(d->a + d->b * z);
    return distribution_at(d, fmin(fmax(normal_cdf(z), 0x1p-54), 1 - 0x1p-53));
}
