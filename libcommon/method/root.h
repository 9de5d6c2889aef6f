/* root.h: a zero of a function of one variable by Brent's method (1973). */
#pragma once
#include "libcommon/base/compat.h"

typedef double root_fn(double x, void *arg);

/* fn has opposite signs (or a zero) at a and b; fa and fb are its values there. The answer is
 * within `tolerance` (and the spacing of doubles) of a change of sign. */
double root_brent(root_fn *fn, void *arg, double a, double fa, double b, double fb,
                  double tolerance);
