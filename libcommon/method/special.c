/* special.c: the normal inverse is AS 241 because it is exact to the last digits and costs one
 * uniform a variate, which keeps the streams of simulations aligned. The incomplete beta function
 * is Lentz's continued fraction, used on the side of the mean where it converges fast. */
#include "libcommon/base/compat.h"
#include "libcommon/method/special.h"
#include <math.h>

double normal_cdf(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

static double ratio7(const double num[8], const double den[8], double r)
{
    double p = num[7], q = den[7];

    for (int i = 6; i >= 0; i--) {
        p = p * r + num[i];
        q = q * r + den[i];
    }
    return p / q;
}

/* M. J. Wichura, Algorithm AS 241, Applied Statistics 37 (1988), 477-484. */
double normal_inv(double p)
{
    static const double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e2,
                                1.9715909503065514427e3, 1.3731693765509461125e4,
                                4.5921953931549871457e4, 6.7265770927008700853e4,
                                3.3430575583588128105e4, 2.5090809287301226727e3};
    static const double b[8] = {1.0,
                                4.2313330701600911252e1,
                                6.8718700749205790830e2,
                                5.3941960214247511077e3,
                                2.1213794301586595867e4,
                                3.9307895800092710610e4,
                                2.8729085735721942674e4,
                                5.2264952788528545610e3};
    static const double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                5.76949722146069140550e0,  3.64784832476320460504e0,
                                1.27045825245236838258e0,  2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1.0,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                1.78482653991729133580e0,  2.96560571828504891230e-1,
                                2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1.0,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};
    double q = p - 0.5, r, z;

    if (!(p > 0 && p < 1))
        return NAN;
    if (fabs(q) <= 0.425)
        return q * ratio7(a, b, 0.180625 - q * q);
    r = sqrt(-log(q < 0 ? p : 1 - p));
    z = r <= 5 ? ratio7(c, d, r - 1.6) : ratio7(e, f, r - 5);
    return q < 0 ? -z : z;
}

static double log_beta(double a, double b)
{
    return lgamma(a) + lgamma(b) - lgamma(a + b);
}

/* The continued fraction of I_x(a, b), by Lentz's method (Numerical Recipes 6.4 has the form). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1), h;

    d = 1 / (fabs(d) < tiny ? tiny : d);
    h = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double delta;

        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        delta = d * c;
        h *= delta;
        if (fabs(delta - 1) < 1e-16)
            break;
    }
    return h;
}

static double beta_inc_with(double a, double b, double lb, double x)
{
    double front;

    if (x <= 0 || x >= 1)
        return x >= 1 ? 1 : 0;
    front = exp(a * log(x) + b * log1p(-x) - lb);
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double beta_inc(double a, double b, double x)
{
    if (!(a > 0 && b > 0 && x >= 0 && x <= 1))
        return NAN;
    return beta_inc_with(a, b, log_beta(a, b), x);
}

double student_p(double t, double df)
{
    if (!(df > 0) || isnan(t))
        return NAN;
    if (isinf(t))
        return 0;
    return beta_inc(df / 2, 0.5, df / (df + t * t));
}

/* Newton's method inside a bracket that each step narrows; a step that leaves it halves it. */
static double beta_solve(const struct beta_inv *t, double p, double lo, double hi, double x)
{
    for (int i = 0; i < 200; i++) {
        double f = beta_inc_with(t->a, t->b, t->log_beta, x) - p;
        double slope = exp((t->a - 1) * log(x) + (t->b - 1) * log1p(-x) - t->log_beta);
        double next = x - f / slope;

        if (f > 0)
            hi = x;
        else
            lo = x;
        if (!(next > lo && next < hi))
            next = 0.5 * (lo + hi);
        if (f == 0 || fabs(next - x) <= 1e-12 * (x < 1e-3 ? x : 1))
            return f == 0 ? x : next;
        x = next;
    }
    return x;
}

void beta_inv_init(struct beta_inv *t, double a, double b)
{
    t->a = a;
    t->b = b;
    t->log_beta = log_beta(a, b);
    t->x[0] = 0;
    t->x[BETA_INV_KNOTS] = 1;
    for (int i = 1; i < BETA_INV_KNOTS; i++)
        t->x[i] =
            beta_solve(t, (double)i / BETA_INV_KNOTS, t->x[i - 1], 1, 0.5 * (t->x[i - 1] + 1));
}

double beta_inv_at(const struct beta_inv *t, double p)
{
    double at = p * BETA_INV_KNOTS;
    int i = (int)at;

    if (!(p > 0 && p < 1))
        return NAN;
    return beta_solve(t, p, t->x[i], t->x[i + 1], t->x[i] + (at - i) * (t->x[i + 1] - t->x[i]));
}
