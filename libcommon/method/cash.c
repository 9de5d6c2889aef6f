/* cash.c: discounting and what follows from it. */
#include "libcommon/base/compat.h"
#include "libcommon/method/cash.h"
#include <math.h>
#include "libcommon/method/sum.h"

static double present(const struct flows *f, size_t i, double rate)
{
    return f->amount[i] / pow(1 + rate, f->t[i]);
}

double flows_npv(const struct flows *f, double rate)
{
    struct sum s = {0};

    for (size_t i = 0; i < f->n; i++)
        sum_add(&s, present(f, i, rate));
    return sum_value(&s);
}

double flows_mirr(const struct flows *f, double finance_rate, double reinvest_rate)
{
    double last = f->n == 0 ? 0 : f->t[f->n - 1];
    struct sum in = {0}, out = {0};

    if (f->dated || last < 1)
        return NAN;
    for (size_t i = 0; i < f->n; i++) {
        if (f->amount[i] > 0)
            sum_add(&in, f->amount[i] * pow(1 + reinvest_rate, last - f->t[i]));
        else
            sum_add(&out, -present(f, i, finance_rate));
    }
    if (!(sum_value(&in) > 0 && sum_value(&out) > 0))
        return NAN;
    return pow(sum_value(&in) / sum_value(&out), 1 / last) - 1;
}

/* A sum that should be 0 is off by rounding: what is below this counts as 0. */
static double rounding(const struct flows *f)
{
    struct sum s = {0};

    for (size_t i = 0; i < f->n; i++)
        sum_add(&s, fabs(f->amount[i]));
    return 1e-12 * sum_value(&s);
}

double flows_payback(const struct flows *f, double rate, bool *falls_again)
{
    double tiny = rounding(f), before = 0, at = NAN;
    bool was_negative = false;
    struct sum s = {0};

    *falls_again = false;
    for (size_t i = 0; i < f->n; i++) {
        double flow = present(f, i, rate), now;

        sum_add(&s, flow);
        now = sum_value(&s);
        if (now < -tiny) {
            *falls_again = !isnan(at);
            was_negative = true;
        } else if (was_negative && isnan(at)) {
            at = f->t[i - 1] + (f->t[i] - f->t[i - 1]) * fmin(1, -before / flow);
        }
        before = now;
        if (*falls_again)
            break;
    }
    return was_negative ? at : 0;
}

double flows_profitability(const struct flows *f, double rate)
{
    struct sum later = {0};

    if (f->n == 0 || f->amount[0] >= 0)
        return NAN;
    for (size_t i = 1; i < f->n; i++)
        sum_add(&later, present(f, i, rate));
    return sum_value(&later) / -f->amount[0];
}

double flows_terminal_share(const struct flows *f, double rate)
{
    struct sum in = {0};

    for (size_t i = 0; i < f->n; i++)
        if (f->amount[i] > 0)
            sum_add(&in, present(f, i, rate));
    if (f->n == 0 || !(sum_value(&in) > 0))
        return NAN;
    return present(f, f->n - 1, rate) / sum_value(&in);
}

int flows_sign_changes(const struct flows *f)
{
    double last = 0;
    int changes = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (f->amount[i] == 0)
            continue;
        changes += last != 0 && (last < 0) != (f->amount[i] < 0);
        last = f->amount[i];
    }
    return changes;
}
