/* tool_monte_carlo.c: a formula of uncertain inputs, sampled, and what is said of the sample. The
 * rank correlations of many inputs over a million iterations need no memory for all of them: the
 * inputs are kept in blocks of columns, each block from a replay of the stream. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/simulation.h"
#include "libcommon/method/stat.h"

#define BLOCK_MAX (1 << 22) /* numbers kept at once for rank correlation: 32 MiB */

/* The spread so far, by Welford's update: it only decides when to stop. */
struct running {
    double n, mean, square;
};

static void running_add(struct running *r, double y)
{
    double d = y - r->mean;

    r->n++;
    r->mean += d / r->n;
    r->square += d * (y - r->mean);
}

static bool precise_enough(const struct running *r, double relative_error)
{
    double sd = sqrt(r->square / (r->n - 1));

    return 1.96 * sd / sqrt(r->n) <= relative_error * fmax(fabs(r->mean), sd);
}

static int sample(struct simulation *s)
{
    const cJSON *convergence = json_get(s->c->in, "convergence");
    double wanted = json_num(convergence, "relative_error", 0);
    int64_t first = json_i64(convergence, "minimum", 2000);
    unsigned weight = (unsigned)(s->inputs / 8 + expr_size(s->expr) / 64 + 1);
    struct running so_far = {0};

    simulation_rewind(s);
    s->y = xcalloc(s->most, sizeof(*s->y));
    s->converged = convergence == NULL ? -1 : 0;
    while (s->n < s->most && s->converged != 1) {
        int rc;

        simulation_draw(s);
        rc = simulation_evaluate(s, &s->y[s->n]);
        if (rc == 0)
            rc = tool_tick(s->c, weight);
        if (rc != 0)
            return rc;
        running_add(&so_far, s->y[s->n++]);
        if (s->converged == 0 && (int64_t)s->n >= first && ((int64_t)s->n - first) % 1000 == 0)
            s->converged = precise_enough(&so_far, wanted);
    }
    return 0;
}

static void add_quantiles(struct simulation *s, const double *sorted)
{
    static const double usual[] = {0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95};
    const cJSON *asked = json_get(s->c->in, "quantiles");
    cJSON *list = json_add_arr(s->c->out, "quantiles");
    size_t n;
    const double *p = tool_numbers(s->c, asked, &n);

    if (asked == NULL) {
        p = usual;
        n = ARRAY_LEN(usual);
    }
    for (size_t i = 0; i < n; i++) {
        cJSON *q = tool_push_obj(list);

        json_add_num(q, "p", p[i]);
        json_add_num(q, "value", stat_quantile(sorted, s->n, p[i]));
    }
}

static void add_losses(struct simulation *s, const double *sorted)
{
    double threshold = json_num(s->c->in, "loss_threshold", 0);
    double alpha = json_num(s->c->in, "cvar_alpha", 0.05);
    size_t worst = (size_t)ceil(alpha * (double)s->n - 1e-9), losses = 0;
    cJSON *cvar;

    worst = MAX(worst, 1);
    for (size_t i = 0; i < s->n; i++)
        losses += s->lower_is_better ? sorted[i] > threshold : sorted[i] < threshold;
    json_add_num(s->c->out, "probability_of_loss", (double)losses / (double)s->n);
    cvar = json_add_obj(s->c->out, "cvar");
    json_add_num(cvar, "alpha", alpha);
    json_add_num(cvar, "value",
                 stat_mean(s->lower_is_better ? sorted + s->n - worst : sorted, worst));
}

static int add_summary(struct simulation *s)
{
    double *sorted = xcalloc(s->n, sizeof(*sorted)), sd = stat_sd(s->y, s->n);
    double mean = stat_mean(s->y, s->n);
    cJSON *out = s->c->out;

    memcpy(sorted, s->y, s->n * sizeof(*sorted));
    stat_sort(sorted, s->n);
    json_add_num(out, "iterations", (double)s->n);
    if (s->converged < 0)
        json_add_null(out, "converged");
    else
        json_add_bool(out, "converged", s->converged == 1);
    json_add_num(out, "mean", mean);
    json_add_num(out, "sd", sd);
    json_add_num(out, "standard_error", sd / sqrt((double)s->n));
    json_add_num(out, "min", sorted[0]);
    json_add_num(out, "max", sorted[s->n - 1]);
    add_quantiles(s, sorted);
    add_losses(s, sorted);
    json_add_num(out, "seed", (double)s->seed);
    json_add_str(out, "prng", "xoshiro256**");
    free(sorted);
    if (s->converged == 0)
        tool_warn(s->c, "not_converged", "/converged",
                  "the relative error asked for was not reached in %zu iterations", s->n);
    if (!isfinite(mean) || !isfinite(sd))
        return tool_fail(s->c, "not_finite", "/expression", "the samples are out of range");
    return tool_tick(s->c, (unsigned)(s->n / 5));
}

struct bar {
    size_t input;
    double low, high, size; /* size sorts: the swing, or |rho| (below 0 when not known) */
};

static int by_size(const void *a, const void *b)
{
    const struct bar *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x->input > y->input) - (x->input < y->input);
}

/* The output with one input at a quantile and the others at their medians. */
static int output_at(struct simulation *s, size_t input, double u, double *y)
{
    for (size_t i = 0; i < s->inputs; i++)
        s->value[i] = distribution_at(&s->dist[i], i == input ? u : 0.5);
    return simulation_evaluate(s, y);
}

static int add_one_at_a_time(struct simulation *s, cJSON *tornado)
{
    cJSON *list = json_add_arr(tornado, "one_at_a_time");
    struct bar bars[INPUTS_MAX];

    for (size_t i = 0; i < s->inputs; i++) {
        struct bar *b = &bars[i];

        b->input = i;
        if (output_at(s, i, 0.1, &b->low) != 0 || output_at(s, i, 0.9, &b->high) != 0)
            return ERR_INVALID;
        b->size = fabs(b->high - b->low);
    }
    qsort(bars, s->inputs, sizeof(*bars), by_size);
    for (size_t i = 0; i < s->inputs; i++) {
        cJSON *o = tool_push_obj(list);

        json_add_str(o, "name", s->name[bars[i].input]);
        json_add_num(o, "low", bars[i].low);
        json_add_num(o, "high", bars[i].high);
        json_add_num(o, "swing", bars[i].size);
    }
    return 0;
}

struct ranking {
    double *columns; /* `width` columns of n */
    double *ranks, *y_ranks;
    struct stat_pair *order;
    size_t width;
};

/* Draws the sample again and keeps the columns first .. first + width - 1. */
static int replay(struct simulation *s, struct ranking *r, size_t first, size_t width)
{
    simulation_rewind(s);
    for (size_t i = 0; i < s->n; i++) {
        int rc = tool_tick(s->c, (unsigned)(s->inputs / 8) + 1);

        if (rc != 0)
            return rc;
        simulation_draw(s);
        for (size_t k = 0; k < width; k++)
            r->columns[k * s->n + i] = s->value[first + k];
    }
    return 0;
}

static int rank_block(struct simulation *s, struct ranking *r, size_t first, struct bar *bars)
{
    size_t width = MIN(r->width, s->inputs - first);
    int rc = replay(s, r, first, width);

    for (size_t k = 0; rc == 0 && k < width; k++) {
        struct bar *b = &bars[first + k];

        stat_ranks(r->columns + k * s->n, s->n, r->order, r->ranks);
        b->input = first + k;
        b->low = stat_correlation(r->ranks, r->y_ranks, s->n);
        b->size = isnan(b->low) ? -1 : fabs(b->low);
        rc = tool_tick(s->c, (unsigned)(s->n / 5));
    }
    return rc;
}

static int rank_correlations(struct simulation *s, struct bar *bars)
{
    struct ranking r = {.width = MIN(s->inputs, MAX(1, BLOCK_MAX / s->n))};
    int rc = 0;

    r.columns = xcalloc(r.width * s->n, sizeof(double));
    r.ranks = xcalloc(s->n, sizeof(double));
    r.y_ranks = xcalloc(s->n, sizeof(double));
    r.order = xcalloc(s->n, sizeof(*r.order));
    stat_ranks(s->y, s->n, r.order, r.y_ranks);
    for (size_t first = 0; rc == 0 && first < s->inputs; first += r.width)
        rc = rank_block(s, &r, first, bars);
    free(r.columns);
    free(r.ranks);
    free(r.y_ranks);
    free(r.order);
    return rc;
}

static int add_rank_correlation(struct simulation *s, cJSON *tornado)
{
    cJSON *list = json_add_arr(tornado, "rank_correlation");
    struct bar bars[INPUTS_MAX];
    int rc = rank_correlations(s, bars);

    if (rc != 0)
        return rc;
    qsort(bars, s->inputs, sizeof(*bars), by_size);
    for (size_t i = 0; i < s->inputs; i++) {
        cJSON *o = tool_push_obj(list);

        json_add_str(o, "name", s->name[bars[i].input]);
        json_add_num(o, "rho", bars[i].low);
        if (isnan(bars[i].low))
            tool_warn(s->c, "no_variance", tool_path(s->c, "/tornado/rank_correlation/%zu/rho", i),
                      "%s or the output does not vary", s->name[bars[i].input]);
    }
    return 0;
}

static int add_tornado(struct simulation *s)
{
    cJSON *tornado;
    int rc;

    if (!json_bool(s->c->in, "tornado", false))
        return 0;
    tornado = json_add_obj(s->c->out, "tornado");
    rc = add_one_at_a_time(s, tornado);
    return rc != 0 ? rc : add_rank_correlation(s, tornado);
}

int tool_monte_carlo(struct tool_call *c)
{
    struct simulation *s = arena_new_of(c->a, struct simulation);
    int rc;

    s->c = c;
    rc = simulation_read(s);
    if (rc == 0)
        rc = sample(s);
    if (rc == 0)
        rc = add_summary(s);
    if (rc == 0)
        rc = add_tornado(s);
    free(s->y);
    return rc;
}

int64_t tool_monte_carlo_cost(const cJSON *in)
{
    int64_t n = json_i64(in, "iterations", 10000), inputs = tool_count(json_get(in, "inputs"));

    return 1000 + n * (1 + inputs / 8) * (json_bool(in, "tornado", false) ? 2 : 1);
}
