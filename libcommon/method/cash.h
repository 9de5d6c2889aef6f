/* cash.h: what a series of cash flows is worth. Pure formulas; docs/decision-method.md, 2.2.
 * Flows are in order of time; t[0] is the date that values are discounted to. A value that cannot
 * be said is NaN. */
#pragma once
#include "libcommon/base/compat.h"

struct flows {
    const double *t; /* in periods or years, ascending, t[0] == 0 */
    const double *amount;
    size_t n;
    bool dated; /* t is not 0, 1, 2, ... */
};

/* Rates are above -1. */
double flows_npv(const struct flows *f, double rate);

/* Modified internal rate of return; needs both signs and whole periods. */
double flows_mirr(const struct flows *f, double finance_rate, double reinvest_rate);

/* Periods until the sum of the flows, discounted at the rate (0: as they are), is 0 again; never:
 * NaN. *falls_again: it is negative once more after that. */
double flows_payback(const struct flows *f, double rate, bool *falls_again);

/* Present value of what comes after t = 0 for each unit laid out at 0. */
double flows_profitability(const struct flows *f, double rate);

/* The last flow's part of the present value of all inflows. */
double flows_terminal_share(const struct flows *f, double rate);

/* Changes of sign among the flows that are not 0. */
int flows_sign_changes(const struct flows *f);

/* All internal rates of return in (-0.99, 1000), ascending; at most max are written. */
size_t flows_irr(const struct flows *f, double *roots, size_t max);
