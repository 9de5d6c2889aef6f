/* root.c: bisection that takes secant and inverse quadratic steps where they are safe. */
#include "libcommon/base/compat.h"
#include "libcommon/method/root.h"
#include <float.h>
#include <math.h>

struct bracket {
    double a, b, c, fa, fb, fc; /* b is the best guess, c brackets it, a is the guess before */
    double step, last;
};

/* The side of b where the sign changes is c; the smaller of both values is b. */
static void order(struct bracket *k)
{
    if ((k->fb > 0) == (k->fc > 0)) {
        k->c = k->a;
        k->fc = k->fa;
        k->step = k->last = k->b - k->a;
    }
    if (fabs(k->fc) < fabs(k->fb)) {
        k->a = k->b;
        k->b = k->c;
        k->c = k->a;
        k->fa = k->fb;
        k->fb = k->fc;
        k->fc = k->fa;
    }
}

/* Interpolates; falls back on halving (half) when that would leave the bracket or stall. */
static void choose_step(struct bracket *k, double half, double tol)
{
    double s = k->fb / k->fa, p, q;

    if (fabs(k->last) < tol || fabs(k->fa) <= fabs(k->fb)) {
        k->step = k->last = half;
        return;
    }
    if (k->a == k->c) {
        p = 2 * half * s;
        q = 1 - s;
    } else {
        double r = k->fb / k->fc, t = k->fa / k->fc;

        p = s * (2 * half * t * (t - r) - (k->b - k->a) * (r - 1));
        q = (t - 1) * (r - 1) * (s - 1);
    }
    if (p > 0)
        q = -q;
    p = fabs(p);
    if (2 * p < MIN(3 * half * q - fabs(tol * q), fabs(k->last * q))) {
        k->last = k->step;
        k->step = p / q;
    } else {
        k->step = k->last = half;
    }
}

double root_brent(root_fn *fn, void *arg, double a, double fa, double b, double fb,
                  double tolerance)
{
    struct bracket k = {.a = a, .b = b, .c = a, .fa = fa, .fb = fb, .fc = fa};

    k.step = k.last = b - a;
    for (int i = 0; i < 300; i++) {
        double tol, half;

        order(&k);
        tol = 2 * DBL_EPSILON * fabs(k.b) + 0.5 * tolerance;
        half = 0.5 * (k.c - k.b);
        if (fabs(half) <= tol || k.fb == 0)
            break;
        choose_step(&k, half, tol);
        k.a = k.b;
        k.fa = k.fb;
        k.b += fabs(k.step) > tol ? k.step : copysign(tol, half);
        k.fb = fn(k.b, arg);
    }
    return k.b;
}
