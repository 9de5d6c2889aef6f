/* expr_functions.h: the functions of the expression language, private to expr.c. */
#pragma once
#include "libcommon/base/str.h"

typedef double expr_function_fn(const double *x, int n);

struct expr_function {
    const char *name;
    int min, max;         /* arguments */
    expr_function_fn *fn; /* NULL: if, which the parser turns into jumps */
};

extern const struct expr_function expr_functions[];

/* The index in the table, or -1. */
int expr_function_find(struct str name);
