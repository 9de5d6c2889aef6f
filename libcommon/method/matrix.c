/* matrix.c: Cholesky, Jacobi and power iteration; matrices have at most 50 rows, so the plainest
 * form of each will do. */
#include "libcommon/base/compat.h"
#include "libcommon/method/matrix.h"
#include <math.h>
#include "libcommon/method/sum.h"

/* A pivot below this is rounding: the matrix is singular. */
#define PIVOT_MIN 1e-12

bool matrix_cholesky(const double *a, size_t n, double *l)
{
    memset(l, 0, n * n * sizeof(*l));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double rest = a[i * n + j] - sum_dot(l + i * n, l + j * n, j);

            if (i == j && rest < PIVOT_MIN)
                return false;
            l[i * n + j] = i == j ? sqrt(rest) : rest / l[j * n + j];
        }
    return true;
}

/* Turns rows and columns p and q so that a[p][q] becomes 0. */
static void rotate(double *a, size_t n, size_t p, size_t q)
{
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    double t = copysign(1, theta) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;

    for (size_t k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];

        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (size_t k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];

        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
    }
}

double matrix_smallest_eigenvalue(double *a, size_t n)
{
    double least = INFINITY;

    for (int sweep = 0; sweep < 100; sweep++) {
        double off = 0;

        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                off += fabs(a[p * n + q]);
                if (fabs(a[p * n + q]) > 1e-300)
                    rotate(a, n, p, q);
            }
        if (off < 1e-14)
            break;
    }
    for (size_t i = 0; i < n; i++)
        least = fmin(least, a[i * n + i]);
    return least;
}

static void multiply(const double *a, size_t n, const double *w, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = sum_dot(a + i * n, w, n);
}

double matrix_principal(const double *a, size_t n, double *w, double *next)
{
    struct sum lambda = {0};

    for (size_t i = 0; i < n; i++)
        w[i] = 1.0 / (double)n;
    for (int round = 0; round < 10000; round++) {
        double change = 0, total;

        multiply(a, n, w, next);
        total = sum_of(next, n);
        for (size_t i = 0; i < n; i++) {
            change = fmax(change, fabs(next[i] / total - w[i]));
            w[i] = next[i] / total;
        }
        if (change < 1e-12)
            break;
    }
    multiply(a, n, w, next);
    for (size_t i = 0; i < n; i++)
        sum_add(&lambda, next[i] / w[i]);
    return sum_value(&lambda) / (double)n;
}
