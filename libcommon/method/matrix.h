/* matrix.h: the little linear algebra of the tools, on n x n matrices by rows. */
#pragma once
#include "libcommon/base/compat.h"

/* The lower triangle L of a symmetric positive definite a = L L'; the rest of l is 0. False when a
 * is not positive definite. */
bool matrix_cholesky(const double *a, size_t n, double *l);

/* The smallest eigenvalue of a symmetric matrix; a is destroyed. */
double matrix_smallest_eigenvalue(double *a, size_t n);

/* The principal eigenvector of a positive matrix, scaled to the sum 1, by power iteration to
 * 1e-12; the answer is the mean of (Aw)_i / w_i. next is scratch of n. */
double matrix_principal(const double *a, size_t n, double *w, double *next);
