/* smoothing.c: the recursions, and their parameters by least squares on a grid that golden section
 * then refines one coordinate at a time. The start depends on the first values only, so one run
 * over a series gives the squared errors of every prefix of it: a backtest with hundreds of origins
 * costs one walk of the grid. */
#include "libcommon/base/compat.h"
#include "libcommon/method/smoothing.h"
#include <math.h>
#include "libcommon/method/sum.h"

#define ROUNDS 3
#define GOLDEN_TOLERANCE 1e-4

/* The grid of each parameter. */
static const struct range {
    double low, step;
    int points;
    double min, max; /* where golden section may go */
} ranges[SMOOTH__MAX] = {
    [SMOOTH_ALPHA] = {0.05, 0.05, 19, 1e-4, 1 - 1e-4},
    [SMOOTH_BETA] = {0.05, 0.05, 19, 1e-4, 1 - 1e-4},
    [SMOOTH_GAMMA] = {0.05, 0.05, 19, 1e-4, 1 - 1e-4},
    [SMOOTH_PHI] = {0.80, 0.02, 10, 0.80, 0.98},
};

static bool has(const struct smoothing *m, int k)
{
    return k == SMOOTH_ALPHA || (k == SMOOTH_BETA && m->trend) ||
           (k == SMOOTH_GAMMA && m->season > 0) || (k == SMOOTH_PHI && m->damped);
}

static bool fits(const struct smoothing *m, int k)
{
    return has(m, k) && isnan(m->given[k]);
}

size_t smoothing_needs(const struct smoothing *m)
{
    if (m->season > 0)
        return 2 * m->season;
    return m->trend ? 2 : 1;
}

int smoothing_fitted(const struct smoothing *m)
{
    int n = 0;

    for (int k = 0; k < SMOOTH__MAX; k++)
        n += fits(m, k);
    return n;
}

static void start(const struct smoothing *m, const double *y, struct smoothed *s)
{
    double first = 0, second = 0;

    if (m->season > 0) {
        first = sum_of(y, m->season) / (double)m->season;
        second = sum_of(y + m->season, m->season) / (double)m->season;
    }
    s->level0 = !isnan(m->level0) ? m->level0 : m->season > 0 ? first : y[0];
    s->trend0 = 0;
    if (m->trend)
        s->trend0 = !isnan(m->trend0) ? m->trend0
                    : m->season > 0   ? (second - first) / (double)m->season
                                      : y[1] - y[0];
    for (size_t i = 0; i < m->season; i++)
        s->seasonal0[i] = m->seasonal0 != NULL ? m->seasonal0[i] : y[i] - s->level0;
    s->level = s->level0;
    s->trend = s->trend0;
    memcpy(s->seasonal, s->seasonal0, m->season * sizeof(*s->seasonal));
}

/* Folds the value at time i; returns the one-step error. */
static double step(const struct smoothing *m, const double *p, double y, size_t i,
                   struct smoothed *s)
{
    double before = s->level, forecast = before + p[SMOOTH_PHI] * s->trend, season = 0;
    double *seasonal = &s->seasonal[m->season > 0 ? i % m->season : 0];

    if (m->season > 0)
        season = *seasonal;
    s->level = p[SMOOTH_ALPHA] * (y - season) + (1 - p[SMOOTH_ALPHA]) * forecast;
    if (m->trend)
        s->trend =
            p[SMOOTH_BETA] * (s->level - before) + (1 - p[SMOOTH_BETA]) * p[SMOOTH_PHI] * s->trend;
    if (m->season > 0)
        *seasonal = p[SMOOTH_GAMMA] * (y - forecast) + (1 - p[SMOOTH_GAMMA]) * season;
    return y - (forecast + season);
}

void smoothing_run(const struct smoothing *m, const double *p, const double *y, size_t n,
                   struct smoothed *out)
{
    struct sum sse = {0};

    memcpy(out->p, p, sizeof(out->p));
    start(m, y, out);
    for (size_t i = 0; i < n; i++) {
        double e = step(m, p, y[i], i, out);

        sum_add(&sse, e * e);
    }
    out->sse = sum_value(&sse);
    out->n = n;
}

double smoothing_ahead(const struct smoothing *m, const struct smoothed *s, size_t h)
{
    double phi = s->p[SMOOTH_PHI], power = 1;
    struct sum damping = {0};

    for (size_t i = 0; i < h && m->trend; i++) {
        power *= phi;
        sum_add(&damping, power);
    }
    return s->level + sum_value(&damping) * s->trend +
           (m->season > 0 ? s->seasonal[(s->n + h - 1) % m->season] : 0);
}

double smoothing_variance(const struct smoothing *m, const double *p, size_t h)
{
    double damping = 0, power = 1;
    struct sum v = {0};

    sum_add(&v, 1);
    for (size_t j = 1; j < h; j++) {
        double c = p[SMOOTH_ALPHA];

        power *= p[SMOOTH_PHI];
        damping += power;
        if (m->trend)
            c += p[SMOOTH_ALPHA] * p[SMOOTH_BETA] * damping;
        if (m->season > 0 && j % m->season == 0)
            c += p[SMOOTH_GAMMA];
        sum_add(&v, c * c);
    }
    return sum_value(&v);
}

struct search {
    const struct smoothing *m;
    const double *y;
    const size_t *length;
    size_t count;
    double *p, *best; /* of each length: parameters and squared errors */
    struct smoothed *state;
    smoothing_tick_fn *tick;
    void *arg;
};

/* One point of the grid, for all lengths. */
static int try_point(struct search *s, const double *p)
{
    struct sum sse = {0};
    size_t i = 0, longest = s->length[s->count - 1];

    start(s->m, s->y, s->state);
    for (size_t k = 0; k < s->count; k++) {
        for (; i < s->length[k]; i++) {
            double e = step(s->m, p, s->y[i], i, s->state);

            sum_add(&sse, e * e);
        }
        if (sum_value(&sse) < s->best[k]) {
            s->best[k] = sum_value(&sse);
            memcpy(s->p + k * SMOOTH__MAX, p, SMOOTH__MAX * sizeof(*p));
        }
    }
    return s->tick(s->arg, (unsigned)(longest / 50) + 1);
}

static int walk_grid(struct search *s, double *p, int k)
{
    if (k == SMOOTH__MAX)
        return try_point(s, p);
    if (!fits(s->m, k))
        return walk_grid(s, p, k + 1);
    for (int i = 0; i < ranges[k].points; i++) {
        int rc;

        p[k] = ranges[k].low + i * ranges[k].step;
        rc = walk_grid(s, p, k + 1);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static double errors_at(struct search *s, size_t n, double *p, int k, double x)
{
    double kept = p[k];

    p[k] = x;
    smoothing_run(s->m, p, s->y, n, s->state);
    p[k] = kept;
    return s->state->sse;
}

/* The lowest errors along coordinate k within one step of the grid around the present point. */
static void golden(struct search *s, size_t n, double *p, double *best, int k)
{
    const double ratio = 0.6180339887498949; /* (sqrt(5) - 1) / 2 */
    double low = fmax(ranges[k].min, p[k] - ranges[k].step);
    double high = fmin(ranges[k].max, p[k] + ranges[k].step);
    double a = high - ratio * (high - low), b = low + ratio * (high - low);
    double fa = errors_at(s, n, p, k, a), fb = errors_at(s, n, p, k, b);

    while (high - low > GOLDEN_TOLERANCE) {
        if (fa <= fb) {
            high = b;
            b = a;
            fb = fa;
            a = high - ratio * (high - low);
            fa = errors_at(s, n, p, k, a);
        } else {
            low = a;
            a = b;
            fa = fb;
            b = low + ratio * (high - low);
            fb = errors_at(s, n, p, k, b);
        }
    }
    if (fmin(fa, fb) < *best) {
        p[k] = fa <= fb ? a : b;
        *best = fmin(fa, fb);
    }
}

static int refine(struct search *s, size_t at)
{
    double *p = s->p + at * SMOOTH__MAX;

    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < SMOOTH__MAX; k++) {
            int rc;

            if (!fits(s->m, k))
                continue;
            golden(s, s->length[at], p, &s->best[at], k);
            rc = s->tick(s->arg, (unsigned)(s->length[at] / 4) + 1);
            if (rc != 0)
                return rc;
        }
    return 0;
}

static int search(struct search *s, double *first)
{
    int rc = walk_grid(s, first, 0);

    for (size_t k = 0; rc == 0 && k < s->count; k++)
        rc = refine(s, k);
    return rc;
}

int smoothing_fit(const struct smoothing *m, const double *y, const size_t *length, size_t count,
                  smoothing_tick_fn *tick, void *arg, double *p)
{
    struct search s = {
        .m = m, .y = y, .length = length, .count = count, .p = p, .tick = tick, .arg = arg};
    double first[SMOOTH__MAX];
    int rc;

    for (int k = 0; k < SMOOTH__MAX; k++)
        first[k] = has(m, k) ? m->given[k] : k == SMOOTH_PHI ? 1 : 0;
    s.best = xcalloc(count, sizeof(*s.best));
    s.state = xcalloc(1, sizeof(*s.state));
    for (size_t k = 0; k < count; k++) {
        s.best[k] = INFINITY;
        memcpy(p + k * SMOOTH__MAX, first, sizeof(first));
    }
    rc = search(&s, first);
    free(s.best);
    free(s.state);
    return rc;
}
