/* tool_forecast.c: a series continued, with intervals, a backtest from rolling origins, and a
 * choice of the method by it. A method is backtested as it is used: fitted anew at each origin, to
 * what was known there. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/projection.h"
#include "libcommon/method/special.h"
#include "libcommon/method/sum.h"
#include "libcommon/method/tool_call.h"

#define SHORT_SERIES 20
#define AUTO_LENGTH 8
#define AUTO_ORIGINS 50 /* of the backtest that nobody asked for */
#define SIMPLER_WITHIN 1.05

struct backtest {
    size_t min_train, horizon, origins;
    double mae, rmse, mase, coverage;
};

struct forecast {
    struct tool_call *c;
    struct series_in in;
    size_t horizon;
    const double *level;
    size_t levels;
    double scale; /* of MASE; NaN when it is 0 or not known */
    bool backtest_asked;
    size_t min_train, test_horizon;
};

static int on_tick(void *arg, unsigned microseconds)
{
    return tool_tick(arg, microseconds);
}

/* A parameter's name and bounds. */
static const struct parameter {
    const char *name;
    double min, max;
} parameters[SMOOTH__MAX] = {
    [SMOOTH_ALPHA] = {"alpha", 0, 1},
    [SMOOTH_BETA] = {"beta", 0, 1},
    [SMOOTH_GAMMA] = {"gamma", 0, 1},
    [SMOOTH_PHI] = {"phi", 0, 1},
};

static int read_parameters(struct forecast *f)
{
    const cJSON *in = json_get(f->c->in, "parameters"), *seasonal = json_get(in, "seasonal0");
    size_t n;

    f->in.level0 = tool_number(in, "level0");
    f->in.trend0 = tool_number(in, "trend0");
    for (int k = 0; k < SMOOTH__MAX; k++) {
        const struct parameter *p = &parameters[k];

        f->in.given[k] = tool_number(in, p->name);
        if (f->in.given[k] < p->min || f->in.given[k] > p->max)
            return tool_fail(f->c, "schema", tool_path(f->c, "/parameters/%s", p->name),
                             "%s lies between %g and %g", p->name, p->min, p->max);
    }
    if (seasonal == NULL)
        return 0;
    f->in.seasonal0 = tool_numbers(f->c, seasonal, &n);
    if (n != f->in.season)
        return tool_fail(f->c, "dimension_mismatch", "/parameters/seasonal0",
                         "%zu values for a frequency of %zu", n, f->in.season);
    return 0;
}

static double scale_of(const struct series_in *in)
{
    struct sum s = {0};

    for (size_t t = in->season; t < in->n; t++)
        sum_add(&s, fabs(in->y[t] - in->y[t - in->season]));
    if (in->n <= in->season || !(sum_value(&s) > 0))
        return NAN;
    return sum_value(&s) / (double)(in->n - in->season);
}

static int read_forecast(struct forecast *f)
{
    static const double usual[] = {0.8, 0.95};
    const cJSON *in = f->c->in, *backtest = json_get(in, "backtest");

    f->in.y = tool_numbers(f->c, json_get(in, "series"), &f->in.n);
    f->in.season = (size_t)json_i64(in, "frequency", 1);
    f->in.tick = on_tick;
    f->in.arg = f->c;
    f->horizon = (size_t)json_i64(in, "horizon", 1);
    f->level = tool_numbers(f->c, json_get(in, "intervals"), &f->levels);
    if (f->levels == 0) {
        f->level = usual;
        f->levels = ARRAY_LEN(usual);
    }
    f->scale = scale_of(&f->in);
    f->backtest_asked = backtest != NULL;
    f->min_train = (size_t)json_i64(backtest, "min_train", 0);
    f->test_horizon = (size_t)json_i64(backtest, "horizon", 0);
    if (f->backtest_asked && f->min_train + f->test_horizon > f->in.n)
        return tool_fail(f->c, "too_short", "/backtest",
                         "min_train and horizon are more than the %zu values", f->in.n);
    return read_parameters(f);
}

/* The parameters of a smoothing method for lengths first .. last, one after the other. */
static int fit(struct forecast *f, enum projection_method how, size_t first, size_t last,
               double **out)
{
    size_t count = last - first + 1, *length = arena_array(f->c->a, size_t, count);
    struct smoothing m;

    *out = arena_array(f->c->a, double, count *SMOOTH__MAX);
    for (size_t k = 0; k < count; k++)
        length[k] = first + k;
    if (!projection_smoothing(&f->in, how, &m))
        return 0;
    return smoothing_fit(&m, f->in.y, length, count, on_tick, f->c, *out);
}

struct errors {
    struct sum abs, square;
    double n, inside;
    bool has_interval;
};

static void add_errors(const struct forecast *f, const struct projection *p, size_t n,
                       size_t horizon, struct errors *e)
{
    double z = normal_inv((1 + f->level[0]) / 2);

    e->has_interval = e->has_interval && !isnan(p->sd);
    for (size_t h = 0; h < horizon; h++) {
        double miss = f->in.y[n + h] - p->mean[h];

        sum_add(&e->abs, fabs(miss));
        sum_add(&e->square, miss * miss);
        e->inside += fabs(miss) <= z * p->sd * sqrt(p->variance[h]);
        e->n++;
    }
}

static int test(struct forecast *f, enum projection_method how, struct backtest *b)
{
    struct arena *scratch = arena_new();
    struct errors e = {.has_interval = true};
    size_t last = f->in.n - b->horizon;
    double *fitted;
    int rc = fit(f, how, b->min_train, last, &fitted);

    for (size_t n = b->min_train; rc == 0 && n <= last; n++) {
        struct projection p;

        rc = projection_make(&f->in, how, n, b->horizon, fitted + (n - b->min_train) * SMOOTH__MAX,
                             scratch, &p);
        if (rc == 0)
            rc = tool_tick(f->c, (unsigned)(n / 50) + 1);
        if (rc == 0)
            add_errors(f, &p, n, b->horizon, &e);
        arena_reset(scratch);
    }
    arena_free(scratch);
    b->origins = last - b->min_train + 1;
    b->mae = sum_value(&e.abs) / e.n;
    b->rmse = sqrt(sum_value(&e.square) / e.n);
    b->mase = b->mae / f->scale;
    b->coverage = e.has_interval ? e.inside / e.n : NAN;
    return rc;
}

static bool considered(const struct forecast *f, enum projection_method how)
{
    bool seasonal = how == PROJECT_SEASONAL_NAIVE || how == PROJECT_HOLT_WINTERS;

    if (seasonal && f->in.season < 2)
        return false;
    if (how == PROJECT_HOLT_WINTERS)
        return f->in.n >= 2 * f->in.season + 3;
    return how == PROJECT_NAIVE || f->in.n >= AUTO_LENGTH;
}

/* What was asked for; else up to 50 origins in the later half of the series, after what the
 * methods need. */
static void plan(const struct forecast *f, struct backtest *b)
{
    size_t n = f->in.n, fifth = MAX(1, n / 5);

    *b = (struct backtest){.min_train = f->min_train, .horizon = f->test_horizon};
    if (f->backtest_asked)
        return;
    b->horizon = MIN(f->horizon, fifth);
    b->min_train = n / 2;
    if (n - b->horizon > b->min_train + AUTO_ORIGINS)
        b->min_train = n - b->horizon - AUTO_ORIGINS + 1;
    for (int how = 0; how < PROJECT__MAX; how++) {
        size_t needs = projection_needs(&f->in, (enum projection_method)how);

        if (considered(f, (enum projection_method)how) && needs < n)
            b->min_train = MAX(b->min_train, needs);
    }
    b->horizon = MIN(b->horizon, n - b->min_train);
}

struct contest {
    struct backtest result[PROJECT__MAX];
    bool ran[PROJECT__MAX];
};

static int run_contest(struct forecast *f, struct contest *k, enum projection_method *winner)
{
    double best = INFINITY;
    struct backtest b;

    plan(f, &b);
    for (int how = 0; how < PROJECT__MAX; how++) {
        int rc;

        if (!considered(f, (enum projection_method)how) ||
            projection_needs(&f->in, (enum projection_method)how) > b.min_train)
            continue;
        k->result[how] = b;
        rc = test(f, (enum projection_method)how, &k->result[how]);
        if (rc != 0)
            return rc;
        k->ran[how] = true;
        best = fmin(best, k->result[how].mae);
    }
    *winner = PROJECT_NAIVE;
    for (int how = PROJECT__MAX - 1; how >= 0; how--)
        if (k->ran[how] && k->result[how].mae <= SIMPLER_WITHIN * best)
            *winner = (enum projection_method)how;
    return 0;
}

/* A series of less than 8 is not worth a contest: naive. */
static int choose(struct forecast *f, struct contest *k, enum projection_method *how,
                  bool *contested)
{
    const char *asked = json_str(f->c->in, "method", "auto");
    size_t needs;

    *contested = strcmp(asked, "auto") == 0 && f->in.n >= AUTO_LENGTH;
    if (*contested)
        return run_contest(f, k, how);
    *how = PROJECT_NAIVE;
    if (strcmp(asked, "auto") != 0)
        *how = (enum projection_method)projection_find(asked);
    needs = projection_needs(&f->in, *how);
    if (*how == PROJECT_HOLT_WINTERS && f->in.season < 2)
        return tool_fail(f->c, "schema", "/frequency", "holt_winters needs a frequency above 1");
    if (f->in.n < needs)
        return tool_fail(f->c, "too_short", "/series", "%s needs %zu values, not %zu", asked, needs,
                         f->in.n);
    if (f->backtest_asked && f->min_train < needs)
        return tool_fail(f->c, "too_short", "/backtest/min_train", "%s needs %zu values", asked,
                         needs);
    return 0;
}

static void add_parameters(struct forecast *f, enum projection_method how,
                           const struct projection *p)
{
    cJSON *o = json_add_obj(f->c->out, "parameters");
    struct smoothing m;
    bool is[SMOOTH__MAX];

    projection_smoothing(&f->in, how, &m);
    is[SMOOTH_ALPHA] = p->state != NULL;
    is[SMOOTH_BETA] = m.trend;
    is[SMOOTH_GAMMA] = p->state != NULL && m.season > 0;
    is[SMOOTH_PHI] = m.damped;
    for (int k = 0; k < SMOOTH__MAX; k++)
        if (is[k])
            json_add_num(o, parameters[k].name, p->state->p[k]);
    if (p->state != NULL)
        json_add_num(o, "level0", p->state->level0);
    if (m.trend)
        json_add_num(o, "trend0", p->state->trend0);
    if (is[SMOOTH_GAMMA])
        tool_add_numbers(o, "seasonal0", p->state->seasonal0, m.season);
    if (!isnan(p->drift))
        json_add_num(o, "drift", p->drift);
    if (how == PROJECT_THETA)
        json_add_bool(o, "seasonal", p->seasonal);
}

static int add_step(struct forecast *f, const struct projection *p, size_t h, cJSON *list)
{
    cJSON *o = tool_push_obj(list), *intervals;
    double half = p->sd * sqrt(p->variance[h]);

    if (!isfinite(p->mean[h]) || (!isnan(p->sd) && !isfinite(half)))
        return tool_fail(f->c, "not_finite", "/series", "the forecast is out of range");
    json_add_num(o, "h", (double)(h + 1));
    json_add_num(o, "mean", p->mean[h]);
    intervals = json_add_arr(o, "intervals");
    for (size_t k = 0; !isnan(p->sd) && k < f->levels; k++) {
        double z = normal_inv((1 + f->level[k]) / 2);
        cJSON *i = tool_push_obj(intervals);

        json_add_num(i, "level", f->level[k]);
        json_add_num(i, "lower", p->mean[h] - z * half);
        json_add_num(i, "upper", p->mean[h] + z * half);
    }
    return 0;
}

static int add_forecasts(struct forecast *f, enum projection_method how)
{
    struct projection p;
    double *fitted;
    cJSON *list;
    int rc = fit(f, how, f->in.n, f->in.n, &fitted);

    if (rc == 0)
        rc = projection_make(&f->in, how, f->in.n, f->horizon, fitted, f->c->a, &p);
    if (rc != 0)
        return rc;
    json_add_str(f->c->out, "method", projection_name(how));
    add_parameters(f, how, &p);
    json_add_num(f->c->out, "residual_sd", p.sd);
    list = json_add_arr(f->c->out, "forecasts");
    for (size_t h = 0; h < f->horizon; h++)
        if (add_step(f, &p, h, list) != 0)
            return ERR_INVALID;
    if (isnan(p.sd))
        tool_warn(f->c, "too_few_residuals", "/residual_sd",
                  "too few values to say how wide an interval must be");
    else
        tool_warn(f->c, "interval_assumes_stability", "/forecasts",
                  "the intervals assume that the future varies as the past did");
    if (f->in.n < SHORT_SERIES)
        tool_warn(f->c, "short_series", "/forecasts", "fewer than %d values", SHORT_SERIES);
    return 0;
}

static void add_backtest(struct forecast *f, const struct backtest *b, const struct contest *k)
{
    cJSON *o = json_add_obj(f->c->out, "backtest"), *list;

    json_add_num(o, "mae", b->mae);
    json_add_num(o, "rmse", b->rmse);
    json_add_num(o, "scale", f->scale);
    json_add_num(o, "mase", b->mase);
    json_add_num(o, "coverage", b->coverage);
    json_add_num(o, "origins", (double)b->origins);
    if (isnan(f->scale))
        tool_warn(f->c, "scale_zero", "/backtest/mase",
                  "the naive method makes no error on this series, so there is no scale");
    if (isnan(b->coverage))
        tool_warn(f->c, "too_few_residuals", "/backtest/coverage",
                  "the first origins have too few values for an interval");
    if (b->mase >= 1)
        tool_warn(f->c, "no_better_than_naive", "/backtest/mase",
                  "the error is not below that of repeating the last season");
    if (k == NULL)
        return;
    list = json_add_arr(o, "by_method");
    for (int how = 0; how < PROJECT__MAX; how++) {
        cJSON *m = k->ran[how] ? tool_push_obj(list) : NULL;

        if (m == NULL)
            continue;
        json_add_str(m, "method", projection_name((enum projection_method)how));
        json_add_num(m, "mase", k->result[how].mase);
    }
}

int tool_forecast(struct tool_call *c)
{
    struct forecast f = {.c = c};
    struct contest contest = {0};
    enum projection_method how = PROJECT_NAIVE; /* always chosen below; gcc does not see it */
    struct backtest b;
    bool contested;
    int rc = read_forecast(&f);

    if (rc == 0)
        rc = choose(&f, &contest, &how, &contested);
    if (rc == 0)
        rc = add_forecasts(&f, how);
    if (rc != 0 || (!contested && !f.backtest_asked))
        return rc;
    plan(&f, &b);
    if (contested)
        b = contest.result[how];
    else
        rc = test(&f, how, &b);
    if (rc == 0)
        add_backtest(&f, &b, contested ? &contest : NULL);
    return rc;
}

int64_t tool_forecast_cost(const cJSON *in)
{
    return 1000 + 500 * tool_count(json_get(in, "series"));
}
