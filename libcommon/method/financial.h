/* financial.h: the parts of financial_model: reading what is to be valued, and break-even points.
 * Whatever the flows were given as (periods, dates, a formula), they become one struct flows. */
#pragma once
#include "libcommon/method/cash.h"
#include "libcommon/method/tool_call.h"

#define VARIABLES_MAX 65 /* those of the schema and t */

struct formula {
    struct expr *expr;
    const char *name[VARIABLES_MAX]; /* t is the last */
    double value[VARIABLES_MAX];
    size_t variables;
    int periods;
};

struct model {
    struct tool_call *c;
    double rate;
    struct flows base;
    struct formula *formula; /* NULL when the flows are given */
};

/* The base and the formula from c->in; base.n is 0 when there are no flows. 0, or ERR_INVALID with
 * the fault filled. */
int financial_read(struct model *m) MUST_CHECK;

/* Flows at the periods 0, 1, ...; of an array of JSON numbers. The call's. */
struct flows financial_periodic(struct tool_call *c, const double *amount, size_t n);
struct flows financial_flows(struct tool_call *c, const cJSON *array);

/* The index of a variable of the formula (which may be NULL), or -1. */
int financial_variable(const struct formula *f, const char *name);

/* The flows of a formula with these values; amount has periods + 1 places. fault may be NULL. */
int financial_evaluate(const struct formula *f, const double *values, double *amount,
                       struct expr_fault *fault) MUST_CHECK;

/* The same as struct flows; a fault is said to be at `field`. */
int financial_formula_flows(struct model *m, const double *values, const char *field,
                            struct flows *out) MUST_CHECK;

/* Adds break_even to the output when it was asked for. 0, ERR_INVALID or ERR_TIMEOUT. */
int financial_break_even(struct model *m) MUST_CHECK;
