/* simulation.c: distributions, names, the formula and the copula from JSON; then one iteration
 * after the other. Everything that can be wrong with the input is found before the first draw. */
#include "libcommon/base/compat.h"
#include "libcommon/method/simulation.h"
#include <math.h>
#include "libcommon/method/matrix.h"
#include "libcommon/method/sum.h"

#define PROBABILITY_SLACK 1e-6

static int need_order(struct tool_call *c, bool ordered, const char *at, const char *what)
{
    return ordered ? 0 : tool_fail(c, "bad_order", at, "%s", what);
}

static int read_discrete(struct tool_call *c, const cJSON *in, const char *at,
                         struct distribution *d)
{
    size_t np;
    double *p = tool_numbers(c, json_get(in, "probabilities"), &np);
    struct sum s = {0};

    d->value = tool_numbers(c, json_get(in, "values"), &d->n);
    if (np != d->n)
        return tool_fail(c, "dimension_mismatch", tool_path(c, "%s/probabilities", at),
                         "%zu values but %zu probabilities", d->n, np);
    for (size_t i = 0; i < np; i++) {
        sum_add(&s, p[i]);
        p[i] = sum_value(&s);
    }
    d->until = p;
    if (fabs(sum_value(&s) - 1) > PROBABILITY_SLACK)
        return tool_fail(c, "probabilities_not_one", tool_path(c, "%s/probabilities", at),
                         "the probabilities sum to %.9g, not to 1", sum_value(&s));
    return 0;
}

static void read_lognormal(const cJSON *in, struct distribution *d)
{
    double mean = tool_number(in, "mean"), sd = tool_number(in, "sd"), variance;

    d->a = tool_number(in, "mu");
    d->b = tool_number(in, "sigma");
    if (isnan(mean))
        return;
    variance = log1p((sd / mean) * (sd / mean));
    d->a = log(mean) - variance / 2;
    d->b = sqrt(variance);
}

static int read_range(struct tool_call *c, const cJSON *in, const char *at, struct distribution *d)
{
    double lambda = json_num(in, "lambda", 4), width;
    int rc;

    d->a = tool_number(in, "min");
    d->c = tool_number(in, "max");
    d->b = json_num(in, "mode", d->a);
    width = d->c - d->a;
    rc = need_order(c, d->a < d->c && d->a <= d->b && d->b <= d->c, at,
                    d->kind == DIST_UNIFORM ? "min must be below max"
                                            : "min <= mode <= max, and min below max");
    if (rc == 0 && !isfinite(width))
        rc = tool_fail(c, "not_finite", at, "the range is too wide");
    if (rc != 0 || d->kind != DIST_PERT)
        return rc;
    d->beta = arena_new_of(c->a, struct beta_inv);
    beta_inv_init(d->beta, 1 + lambda * (d->b - d->a) / width, 1 + lambda * (d->c - d->b) / width);
    return 0;
}

static int read_distribution(struct tool_call *c, const cJSON *in, const char *at,
                             struct distribution *d)
{
    static const char *const kinds[] = {"normal", "lognormal", "triangular",
                                        "pert",   "uniform",   "discrete"};
    const char *type = json_str(in, "type", "");

    while (strcmp(kinds[d->kind], type) != 0) /* the schema knows no other */
        d->kind++;
    if (d->kind == DIST_DISCRETE)
        return read_discrete(c, in, at, d);
    if (d->kind != DIST_NORMAL && d->kind != DIST_LOGNORMAL)
        return read_range(c, in, at, d);
    if (d->kind == DIST_LOGNORMAL) {
        read_lognormal(in, d);
        return 0;
    }
    d->a = tool_number(in, "mean");
    d->b = tool_number(in, "sd");
    return 0;
}

static int read_inputs(struct simulation *s)
{
    const cJSON *inputs = json_get(s->c->in, "inputs"), *in;
    int rc = tool_unique(s->c, inputs, "name", "/inputs");

    if (rc != 0)
        return rc;
    cJSON_ArrayForEach (in, inputs) {
        size_t i = s->inputs++;

        s->name[i] = json_str(in, "name", "");
        rc = read_distribution(s->c, json_get(in, "distribution"),
                               tool_path(s->c, "/inputs/%zu/distribution", i), &s->dist[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The index of an input, or -1. */
static int input_named(const struct simulation *s, const char *name)
{
    for (size_t i = 0; i < s->inputs; i++)
        if (strcmp(s->name[i], name) == 0)
            return (int)i;
    return -1;
}

static int read_expression(struct simulation *s)
{
    struct expr_names names = {.name = s->name, .count = s->inputs};
    const cJSON *v;

    cJSON_ArrayForEach (v, json_get(s->c->in, "constants")) {
        if (input_named(s, v->string) >= 0)
            return tool_fail(s->c, "duplicate_name", tool_path(s->c, "/constants/%s", v->string),
                             "%s is an input as well", v->string);
        s->name[names.count] = v->string;
        s->value[names.count++] = v->valuedouble;
    }
    return tool_expression(s->c, json_str(s->c->in, "expression", ""), &names, "/expression",
                           &s->expr);
}

/* One pair of the list, into the symmetric matrix r. */
static int read_pair(struct simulation *s, const cJSON *pair, int index, double *r)
{
    int a = input_named(s, json_str(pair, "a", "")), b = input_named(s, json_str(pair, "b", ""));
    const char *at = tool_path(s->c, "/correlations/%d", index);
    size_t n = s->inputs;

    if (a < 0 || b < 0)
        return tool_fail(s->c, "unknown_name", tool_path(s->c, "%s/%s", at, a < 0 ? "a" : "b"),
                         "there is no input %s", json_str(pair, a < 0 ? "a" : "b", ""));
    if (a == b || r[(size_t)a * n + (size_t)b] != 0)
        return tool_fail(s->c, "duplicate_name", at,
                         a == b ? "an input cannot be paired with itself"
                                : "the pair is there twice");
    r[(size_t)a * n + (size_t)b] = r[(size_t)b * n + (size_t)a] =
        2 * sin(M_PI * tool_number(pair, "rho") / 6);
    return 0;
}

static int read_correlations(struct simulation *s)
{
    const cJSON *pairs = json_get(s->c->in, "correlations"), *pair;
    size_t n = s->inputs;
    double *r;
    int i = 0;

    if (pairs == NULL)
        return 0;
    r = arena_array(s->c->a, double, n *n);
    cJSON_ArrayForEach (pair, pairs)
        if (read_pair(s, pair, i++, r) != 0)
            return ERR_INVALID;
    for (size_t k = 0; k < n; k++)
        r[k * n + k] = 1;
    s->cholesky = arena_array(s->c->a, double, n *n);
    if (matrix_cholesky(r, n, s->cholesky))
        return 0;
    return tool_fail(s->c, "correlation_not_psd", "/correlations",
                     "these correlations cannot hold together: the smallest eigenvalue of their "
                     "matrix is %.6g",
                     matrix_smallest_eigenvalue(r, n));
}

int simulation_read(struct simulation *s)
{
    const cJSON *in = s->c->in;
    int rc = read_inputs(s);

    if (rc == 0)
        rc = read_expression(s);
    if (rc == 0)
        rc = read_correlations(s);
    s->most = (size_t)json_i64(in, "iterations", 10000);
    s->seed = (uint64_t)json_i64(in, "seed", 1);
    s->lower_is_better = strcmp(json_str(in, "direction", ""), "lower_is_better") == 0;
    s->converged = -1;
    return rc;
}

void simulation_rewind(struct simulation *s)
{
    prng_seed(&s->prng, s->seed);
}

void simulation_draw(struct simulation *s)
{
    double z[INPUTS_MAX];

    for (size_t i = 0; i < s->inputs; i++) {
        double u = prng_uniform(&s->prng);

        if (s->cholesky == NULL) {
            s->value[i] = distribution_at(&s->dist[i], u);
            continue;
        }
        z[i] = normal_inv(u);
        s->value[i] =
            distribution_at_normal(&s->dist[i], sum_dot(s->cholesky + i * s->inputs, z, i + 1));
    }
}

int simulation_evaluate(struct simulation *s, double *y)
{
    struct expr_fault f;

    if (expr_eval(s->expr, s->value, y, &f) != 0)
        return tool_fail(s->c, f.reason, "/expression", "iteration %zu: %s", s->n + 1, f.message);
    return 0;
}
