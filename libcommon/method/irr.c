/* irr.c: all internal rates of return, found by scanning 4,000 equal steps of ln(1 + r) and closing
 * in on each change of sign; a minimum of |NPV| that touches 0 between two grid points is a double
 * root. Over this range (1 + r)^-t runs from 1e1200 to 0 at 600 periods, so the sum is taken from
 * the side where its terms shrink: as it is for r >= 0, multiplied by (1 + r)^span for r < 0, which
 * moves no zero and changes no sign. Flows of 0 at both ends are left out for the same reason. */
#include "libcommon/base/compat.h"
#include "libcommon/method/cash.h"
#include <math.h>
#include "libcommon/method/root.h"
#include "libcommon/method/sum.h"

#define STEPS 4000
#define RATE_LOW -0.99
#define RATE_HIGH 1000.0
#define TOLERANCE 1e-12
#define TOUCHES 1e-9 /* of the sum of all amounts */

struct curve {
    const double *t, *amount;
    size_t n;
    double start, span; /* of the flows that are not 0 */
    bool dated, slope;  /* slope: of sum(t * amount * (1 + r)^-t), whose zeros are the extrema */
};

static double term(const struct curve *c, size_t i)
{
    return c->slope ? -(c->t[i] - c->start) * c->amount[i] : c->amount[i];
}

/* NPV at r, times (1 + r)^span when r < 0. */
static double scaled(double r, void *arg)
{
    const struct curve *c = arg;
    double s = 0, v = 1 / (1 + r), log_growth;

    if (!c->dated && r >= 0)
        for (size_t i = c->n; i-- > 0;)
            s = s * v + term(c, i);
    else if (!c->dated)
        for (size_t i = 0; i < c->n; i++)
            s = s * (1 + r) + term(c, i);
    else {
        log_growth = log1p(r);
        for (size_t i = 0; i < c->n; i++)
            s += term(c, i) * exp(log_growth * ((r < 0 ? c->span : 0) - (c->t[i] - c->start)));
    }
    return s;
}

static double size_at(double r, double scaled_value, const struct curve *c)
{
    if (r >= 0 || scaled_value == 0)
        return fabs(scaled_value);
    return fabs(scaled_value) * exp(-c->span * log1p(r));
}

struct roots {
    double *r;
    size_t n, max;
};

static void found(struct roots *out, double r)
{
    if (out->n > 0 && fabs(out->r[out->n - 1] - r) <= 1e-9 * (1 + fabs(r)))
        return;
    if (out->n < out->max)
        out->r[out->n++] = r;
}

/* Three neighbours of one sign, the middle one nearest to 0: the curve turns between them. */
static void look_at_turn(struct curve *c, const double r[3], const double v[3], struct roots *out)
{
    struct curve slope = *c;
    double left, right, turn, at_turn;
    struct sum all = {0};

    slope.slope = true;
    left = scaled(r[0], &slope);
    right = scaled(r[2], &slope);
    if ((left < 0) == (right < 0))
        return;
    turn = root_brent(scaled, &slope, r[0], left, r[2], right, TOLERANCE);
    at_turn = scaled(turn, c);
    for (size_t i = 0; i < c->n; i++)
        sum_add(&all, fabs(c->amount[i]));
    if (size_at(turn, at_turn, c) < TOUCHES * sum_value(&all)) {
        found(out, turn);
    } else if ((at_turn < 0) != (v[1] < 0)) {
        found(out, root_brent(scaled, c, r[0], v[0], turn, at_turn, TOLERANCE));
        found(out, root_brent(scaled, c, turn, at_turn, r[2], v[2], TOLERANCE));
    }
}

static bool turns(const struct curve *c, const double r[3], const double v[3])
{
    double middle = size_at(r[1], v[1], c);

    return v[0] != 0 && v[1] != 0 && v[2] != 0 && (v[0] < 0) == (v[1] < 0) &&
           (v[1] < 0) == (v[2] < 0) && middle < size_at(r[0], v[0], c) &&
           middle <= size_at(r[2], v[2], c);
}

static void scan(struct curve *c, struct roots *out)
{
    double low = log1p(RATE_LOW), step = (log1p(RATE_HIGH) - low) / STEPS;
    double r[3] = {0}, v[3] = {0}; /* the last three points of the grid */

    for (int i = 0; i <= STEPS; i++) {
        memmove(r, r + 1, 2 * sizeof(*r));
        memmove(v, v + 1, 2 * sizeof(*v));
        r[2] = expm1(low + i * step);
        v[2] = scaled(r[2], c);
        if (i >= 2 && turns(c, r, v))
            look_at_turn(c, r, v, out);
        if (v[2] == 0)
            found(out, r[2]);
        else if (i >= 1 && v[1] != 0 && (v[1] < 0) != (v[2] < 0))
            found(out, root_brent(scaled, c, r[1], v[1], r[2], v[2], TOLERANCE));
    }
}

size_t flows_irr(const struct flows *f, double *roots, size_t max)
{
    struct roots out = {.r = roots, .max = max};
    size_t first = 0, end = f->n;
    struct curve c;

    if (flows_sign_changes(f) == 0)
        return 0;
    while (f->amount[first] == 0)
        first++;
    while (f->amount[end - 1] == 0)
        end--;
    c = (struct curve){.t = f->t + first,
                       .amount = f->amount + first,
                       .n = end - first,
                       .start = f->t[first],
                       .span = f->t[end - 1] - f->t[first],
                       .dated = f->dated};
    scan(&c, &out);
    return out.n;
}
