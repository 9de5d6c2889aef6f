/* tool_data_analysis.c: what series of numbers look like: robust location and spread, outliers
 * (reported, never dropped), a robust trend, correlations. Missing values are null in the input;
 * a correlation uses the positions that both series have. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/special.h"
#include "libcommon/method/stat.h"
#include "libcommon/method/sum.h"
#include "libcommon/method/tool_call.h"
#include "libcommon/method/trend.h"

struct series {
    const char *name;
    double *raw; /* NaN where missing */
    size_t length;
    double *value, *time; /* what is there; the rest is as long as n */
    size_t *index, n;
    double *sorted;
};

struct analysis {
    struct tool_call *c;
    struct series *s;
    size_t count;
};

static int read_times(struct tool_call *c, const cJSON *in, size_t k, const struct series *s,
                      double **out)
{
    const cJSON *times = json_get(in, "times");
    size_t n;

    *out = NULL;
    if (times == NULL)
        return 0;
    *out = tool_numbers(c, times, &n);
    if (n == s->length)
        return 0;
    return tool_fail(c, "dimension_mismatch", tool_path(c, "/series/%zu/times", k),
                     "%zu times for %zu values", n, s->length);
}

static int read_series(struct tool_call *c, const cJSON *in, size_t k, struct series *s)
{
    const cJSON *values = json_get(in, "values"), *v;
    size_t most = (size_t)tool_count(values);
    double *times;
    int rc;

    s->name = json_str(in, "name", "");
    s->raw = arena_array(c->a, double, most);
    s->value = arena_array(c->a, double, most);
    s->time = arena_array(c->a, double, most);
    s->index = arena_array(c->a, size_t, most);
    cJSON_ArrayForEach (v, values)
        s->raw[s->length++] = cJSON_IsNumber(v) ? v->valuedouble : NAN;
    rc = read_times(c, in, k, s, &times);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < s->length; i++) {
        if (isnan(s->raw[i]))
            continue;
        s->value[s->n] = s->raw[i];
        s->time[s->n] = times == NULL ? (double)i : times[i];
        s->index[s->n++] = i;
    }
    s->sorted = arena_memdup(c->a, s->value, s->n * sizeof(*s->value));
    stat_sort(s->sorted, s->n);
    return tool_tick(c, (unsigned)(s->n / 5) + 1);
}

/* The median of the distances to x. */
static double median_distance(struct tool_call *c, const struct series *s, double x)
{
    double *d = arena_array(c->a, double, s->n);

    for (size_t i = 0; i < s->n; i++)
        d[i] = fabs(s->value[i] - x);
    stat_sort(d, s->n);
    return stat_quantile(d, s->n, 0.5);
}

static double mean_distance(const struct series *s, double x)
{
    struct sum d = {0};

    for (size_t i = 0; i < s->n; i++)
        sum_add(&d, fabs(s->value[i] - x));
    return sum_value(&d) / (double)s->n;
}

static void add_outlier(const struct series *s, size_t i, double score, cJSON *list)
{
    cJSON *o = tool_push_obj(list);

    json_add_num(o, "index", (double)s->index[i]);
    json_add_num(o, "value", s->value[i]);
    json_add_num(o, "score", score);
}

/* The modified z-score of Iglewicz and Hoaglin; without a MAD, by the mean distance. */
static void outliers_by_mad(struct tool_call *c, const struct series *s, double limit, cJSON *list)
{
    double median = stat_quantile(s->sorted, s->n, 0.5), mad = median_distance(c, s, median);
    double scale = mad > 0 ? mad / 0.6745 : 1.253314 * mean_distance(s, median);

    for (size_t i = 0; i < s->n && scale > 0; i++) {
        double score =
            mad > 0 ? 0.6745 * (s->value[i] - median) / mad : (s->value[i] - median) / scale;

        if (fabs(score) > limit)
            add_outlier(s, i, score, list);
    }
}

/* The score counts ranges between the quartiles, from the nearer one; null when they are equal. */
static void outliers_by_iqr(const struct series *s, double limit, cJSON *list)
{
    double q1 = stat_quantile(s->sorted, s->n, 0.25), q3 = stat_quantile(s->sorted, s->n, 0.75);
    double range = q3 - q1;

    for (size_t i = 0; i < s->n; i++) {
        double beyond = s->value[i] > q3 ? s->value[i] - q3 : fmin(0, s->value[i] - q1);

        if (fabs(beyond) > limit * range)
            add_outlier(s, i, range > 0 ? beyond / range : NAN, list);
    }
}

static void add_outliers(struct analysis *x, const struct series *s, size_t k, cJSON *o)
{
    const cJSON *asked = json_get(x->c->in, "outliers");
    const cJSON *first;
    cJSON *list;

    if (asked == NULL)
        return;
    list = json_add_arr(o, "outliers");
    if (strcmp(json_str(asked, "method", ""), "mad") == 0)
        outliers_by_mad(x->c, s, json_num(asked, "threshold", 3.5), list);
    else
        outliers_by_iqr(s, json_num(asked, "threshold", 1.5), list);
    first = list->child;
    if (first != NULL && cJSON_IsNull(json_get(first, "score")))
        tool_warn(
            x->c, "no_spread", tool_path(x->c, "/series/%zu/outliers", k),
            "half of the values of \"%s\" are equal: how far the others are out cannot be said",
            s->name);
}

static int on_tick(void *arg, unsigned microseconds)
{
    return tool_tick(arg, microseconds);
}

static int add_trend(struct analysis *x, const struct series *s, size_t k, cJSON *o)
{
    const char *at = tool_path(x->c, "/series/%zu/trend", k);
    struct trend t;
    int rc;

    if (!json_bool(x->c->in, "trend", false))
        return 0;
    rc = trend_fit(s->time, s->value, s->n, on_tick, x->c, &t);
    if (rc == ERR_INVALID) {
        tool_warn(x->c, "too_few", at, "a trend of \"%s\" needs values at two times", s->name);
        return 0;
    }
    if (rc != 0)
        return rc;
    if (!isfinite(t.slope) || !isfinite(t.intercept))
        return tool_fail(x->c, "not_finite", tool_path(x->c, "/series/%zu", k),
                         "the values are out of range");
    o = json_add_obj(o, "trend");
    json_add_num(o, "slope", t.slope);
    json_add_num(o, "intercept", t.intercept);
    json_add_num(o, "slope_low", t.low);
    json_add_num(o, "slope_high", t.high);
    json_add_num(o, "mann_kendall_p", t.p);
    if (isnan(t.p))
        tool_warn(x->c, "no_variance", tool_path(x->c, "%s/mann_kendall_p", at),
                  "\"%s\" does not vary", s->name);
    return 0;
}

static void warn_few(struct analysis *x, const struct series *s, size_t k)
{
    if (s->n == 0)
        tool_warn(x->c, "too_few", tool_path(x->c, "/series/%zu/mean", k), "\"%s\" has no values",
                  s->name);
    else if (s->n == 1)
        tool_warn(x->c, "too_few", tool_path(x->c, "/series/%zu/sd", k),
                  "\"%s\" has one value, which has no spread", s->name);
}

static int add_series(struct analysis *x, size_t k, cJSON *list)
{
    const struct series *s = &x->s[k];
    double median = stat_quantile(s->sorted, s->n, 0.5);
    cJSON *o = tool_push_obj(list);

    json_add_str(o, "name", s->name);
    json_add_num(o, "n", (double)s->n);
    json_add_num(o, "missing", (double)(s->length - s->n));
    json_add_num(o, "mean", stat_mean(s->value, s->n));
    json_add_num(o, "sd", stat_sd(s->value, s->n));
    json_add_num(o, "median", median);
    json_add_num(o, "mad", median_distance(x->c, s, median));
    json_add_num(o, "min", s->n == 0 ? NAN : s->sorted[0]);
    json_add_num(o, "max", s->n == 0 ? NAN : s->sorted[s->n - 1]);
    json_add_num(o, "q1", stat_quantile(s->sorted, s->n, 0.25));
    json_add_num(o, "q3", stat_quantile(s->sorted, s->n, 0.75));
    warn_few(x, s, k);
    add_outliers(x, s, k, o);
    return add_trend(x, s, k, o);
}

struct pairs {
    double *x, *y, *ranks;
    struct stat_pair *order;
    bool spearman;
    size_t number; /* of the pair of series */
};

static size_t complete(const struct series *a, const struct series *b, struct pairs *p)
{
    size_t n = 0;

    for (size_t i = 0; i < a->length; i++)
        if (!isnan(a->raw[i]) && !isnan(b->raw[i])) {
            p->x[n] = a->raw[i];
            p->y[n++] = b->raw[i];
        }
    return n;
}

static void to_ranks(struct pairs *p, double *x, size_t n)
{
    stat_ranks(x, n, p->order, p->ranks);
    memcpy(x, p->ranks, n * sizeof(*x));
}

static double p_of(double r, size_t n)
{
    double df = (double)n - 2;

    return fabs(r) >= 1 ? 0 : student_p(r * sqrt(df / (1 - r * r)), df);
}

static int add_pair(struct analysis *x, size_t a, size_t b, struct pairs *p, cJSON *list)
{
    size_t n = complete(&x->s[a], &x->s[b], p);
    cJSON *o = tool_push_obj(list);
    double r;

    if (p->spearman) {
        to_ranks(p, p->x, n);
        to_ranks(p, p->y, n);
    }
    r = n < 3 ? NAN : stat_correlation(p->x, p->y, n);
    json_add_str(o, "a", x->s[a].name);
    json_add_str(o, "b", x->s[b].name);
    json_add_str(o, "method", p->spearman ? "spearman" : "pearson");
    json_add_num(o, "r", r);
    json_add_num(o, "n", (double)n);
    json_add_num(o, "p", isnan(r) ? NAN : p_of(r, n));
    if (isnan(r))
        tool_warn(x->c, n < 3 ? "too_few" : "no_variance",
                  tool_path(x->c, "/correlations/%zu/r", p->number),
                  n < 3 ? "\"%s\" and \"%s\" have fewer than three values in common"
                        : "\"%s\" or \"%s\" does not vary",
                  x->s[a].name, x->s[b].name);
    p->number++;
    return tool_tick(x->c, (unsigned)(n / (p->spearman ? 3 : 50)) + 1);
}

static int add_correlations(struct analysis *x)
{
    const cJSON *asked = json_get(x->c->in, "correlation");
    size_t length = x->s[0].length;
    struct pairs p = {.spearman = strcmp(json_str(asked, "method", ""), "spearman") == 0};
    cJSON *list;
    int rc;

    if (asked == NULL)
        return 0;
    for (size_t k = 1; k < x->count; k++)
        if (x->s[k].length != length)
            return tool_fail(x->c, "dimension_mismatch", tool_path(x->c, "/series/%zu/values", k),
                             "%zu values, but the first series has %zu", x->s[k].length, length);
    p.x = arena_array(x->c->a, double, length);
    p.y = arena_array(x->c->a, double, length);
    p.ranks = arena_array(x->c->a, double, length);
    p.order = arena_array(x->c->a, struct stat_pair, length);
    list = json_add_arr(x->c->out, "correlations");
    for (size_t a = 0; a < x->count; a++)
        for (size_t b = a + 1; b < x->count; b++) {
            rc = add_pair(x, a, b, &p, list);
            if (rc != 0)
                return rc;
        }
    if (p.number > 1)
        tool_warn(x->c, "many_comparisons", "/correlations",
                  "%zu pairs were compared: some will look related by chance", p.number);
    return 0;
}

int tool_data_analysis(struct tool_call *c)
{
    const cJSON *list = json_get(c->in, "series"), *in;
    struct analysis x = {.c = c};
    cJSON *out = json_add_arr(c->out, "series");
    int rc = tool_unique(c, list, "name", "/series");

    x.s = arena_array(c->a, struct series, tool_count(list));
    cJSON_ArrayForEach (in, list) {
        if (rc == 0)
            rc = read_series(c, in, x.count, &x.s[x.count]);
        x.count++;
    }
    for (size_t k = 0; rc == 0 && k < x.count; k++)
        rc = add_series(&x, k, out);
    return rc != 0 ? rc : add_correlations(&x);
}

int64_t tool_data_analysis_cost(const cJSON *in)
{
    bool trend = json_bool(in, "trend", false);
    int64_t total = 0, count = tool_count(json_get(in, "series"));
    const cJSON *s;

    cJSON_ArrayForEach (s, json_get(in, "series")) {
        int64_t n = tool_count(json_get(s, "values"));

        total += n + (trend ? n * n / 8 : 0);
    }
    return 20 + total * (json_get(in, "correlation") != NULL ? count : 1);
}
