/* preference.c: normalisation, scores, dominance and flip points. For a weighted sum the flip
 * follows from a formula; the closeness of TOPSIS is not linear in a weight, so there the weights
 * are walked in steps of 0.001, outwards from the present one, and the first change is narrowed by
 * bisection. */
#include "libcommon/base/compat.h"
#include "libcommon/method/preference.h"
#include <math.h>
#include "libcommon/method/sum.h"

#define SAME_SCORE 1e-12
#define WALK_STEPS 1000
#define WALK_TOLERANCE 1e-6

struct column {
    double low, high, total, length, inverse; /* of the raw values */
};

static struct column describe(const struct preference *p, size_t j)
{
    struct column c = {.low = INFINITY, .high = -INFINITY};
    struct sum total = {0}, squares = {0}, inverse = {0};

    for (size_t i = 0; i < p->n; i++) {
        double x = p->raw[i * p->m + j];

        c.low = fmin(c.low, x);
        c.high = fmax(c.high, x);
        sum_add(&total, x);
        sum_add(&squares, x * x);
        sum_add(&inverse, 1 / x);
    }
    c.total = sum_value(&total);
    c.length = sqrt(sum_value(&squares));
    c.inverse = sum_value(&inverse);
    return c;
}

static double clamp01(double x)
{
    return fmin(1, fmax(0, x));
}

static double normal(double x, const struct column *c, enum normalisation how, bool cost)
{
    switch (how) {
    case NORM_MINMAX:
    case NORM_RANGE:
        x = (x - c->low) / (c->high - c->low);
        if (how == NORM_RANGE)
            x = clamp01(x);
        return cost ? 1 - x : x;
    case NORM_MAX:
        return cost ? c->low / x : x / c->high;
    case NORM_SUM:
        return cost ? 1 / x / c->inverse : x / c->total;
    case NORM_VECTOR:
        return cost ? 1 - x / c->length : x / c->length;
    default:
        return cost ? -x : x;
    }
}

bool preference_normalise(struct preference *p, size_t column, enum normalisation how, double low,
                          double high)
{
    struct column c = describe(p, column);
    bool constant =
        (how == NORM_MINMAX && c.low == c.high) || (how == NORM_VECTOR && c.length == 0);

    if (how == NORM_RANGE) {
        c.low = low;
        c.high = high;
    }
    for (size_t i = 0; i < p->n; i++) {
        size_t at = i * p->m + column;

        p->norm[at] = constant ? 1 : normal(p->raw[at], &c, how, p->cost[column]);
    }
    return !constant;
}

bool preference_vector(struct preference *p, size_t column)
{
    struct column c = describe(p, column);

    for (size_t i = 0; i < p->n; i++) {
        size_t at = i * p->m + column;

        p->norm[at] = c.length == 0 ? 0 : p->raw[at] / c.length;
    }
    return c.length > 0;
}

/* The distance of each weighted row to the best and to the worst that any row offers. */
static void topsis_scores(const struct preference *p, const double *weight, double *score)
{
    double best[PREFERENCE_MAX], worst[PREFERENCE_MAX];

    for (size_t j = 0; j < p->m; j++) {
        double high = -INFINITY, low = INFINITY;

        for (size_t i = 0; i < p->n; i++) {
            high = fmax(high, weight[j] * p->norm[i * p->m + j]);
            low = fmin(low, weight[j] * p->norm[i * p->m + j]);
        }
        best[j] = p->cost[j] ? low : high;
        worst[j] = p->cost[j] ? high : low;
    }
    for (size_t i = 0; i < p->n; i++) {
        struct sum up = {0}, down = {0};
        double to_best, to_worst;

        for (size_t j = 0; j < p->m; j++) {
            double v = weight[j] * p->norm[i * p->m + j];

            sum_add(&up, (v - best[j]) * (v - best[j]));
            sum_add(&down, (v - worst[j]) * (v - worst[j]));
        }
        to_best = sqrt(sum_value(&up));
        to_worst = sqrt(sum_value(&down));
        score[i] = to_best + to_worst > 0 ? to_worst / (to_best + to_worst) : 1;
    }
}

void preference_scores(const struct preference *p, const double *weight, double *score)
{
    if (p->topsis) {
        topsis_scores(p, weight, score);
        return;
    }
    for (size_t i = 0; i < p->n; i++)
        score[i] = sum_dot(weight, p->norm + i * p->m, p->m);
}

void preference_ranks(const double *score, size_t n, int *rank)
{
    for (size_t i = 0; i < n; i++) {
        rank[i] = 1;
        for (size_t k = 0; k < n; k++)
            rank[i] += score[k] > score[i] + SAME_SCORE;
    }
}

bool preference_dominates(const struct preference *p, size_t a, size_t b)
{
    bool better = false;

    for (size_t j = 0; j < p->m; j++) {
        double gain = p->raw[a * p->m + j] - p->raw[b * p->m + j];

        if (p->cost[j])
            gain = -gain;
        if (gain < 0)
            return false;
        better = better || gain > 0;
    }
    return better;
}

/* p's weights with criterion j at w. */
static void moved(const struct preference *p, size_t j, double w, double *weight)
{
    for (size_t k = 0; k < p->m; k++)
        weight[k] = k == j ? w : p->weight[k] * (1 - w) / (1 - p->weight[j]);
}

static bool flip_of_sum(const struct preference *p, size_t winner, size_t j, double *at,
                        size_t *new_winner)
{
    double nearest = INFINITY;

    for (size_t b = 0; b < p->n; b++) {
        double d = p->norm[winner * p->m + j] - p->norm[b * p->m + j], s, w;
        struct sum rest = {0};

        for (size_t k = 0; k < p->m; k++)
            if (k != j)
                sum_add(&rest, p->weight[k] * (p->norm[winner * p->m + k] - p->norm[b * p->m + k]));
        s = sum_value(&rest) / (1 - p->weight[j]);
        if (b == winner || !((d < 0 && s > 0) || (d > 0 && s < 0)))
            continue;
        w = s / (s - d);
        if (fabs(w - p->weight[j]) < nearest) {
            nearest = fabs(w - p->weight[j]);
            *at = w;
            *new_winner = b;
        }
    }
    return nearest < INFINITY;
}

/* The best at this weight of j; the present winner keeps its place in a tie. */
static size_t best_at(const struct preference *p, size_t winner, size_t j, double w)
{
    double weight[PREFERENCE_MAX], score[PREFERENCE_MAX];
    size_t best = winner;

    moved(p, j, w, weight);
    preference_scores(p, weight, score);
    for (size_t i = 0; i < p->n; i++)
        if (score[i] > score[best] + SAME_SCORE)
            best = i;
    return best;
}

/* Walks from the present weight to 0 or 1 (direction -1 or 1). */
static bool walk(const struct preference *p, size_t winner, size_t j, int direction, double *at,
                 size_t *new_winner)
{
    double now = p->weight[j], same = now;
    int i = direction > 0 ? (int)floor(now * WALK_STEPS) + 1 : (int)ceil(now * WALK_STEPS) - 1;

    for (; i >= 0 && i <= WALK_STEPS; i += direction) {
        double other = (double)i / WALK_STEPS;

        if (best_at(p, winner, j, other) == winner) {
            same = other;
            continue;
        }
        while (fabs(other - same) > WALK_TOLERANCE) {
            double middle = 0.5 * (other + same);

            *(best_at(p, winner, j, middle) == winner ? &same : &other) = middle;
        }
        *at = other;
        *new_winner = best_at(p, winner, j, other);
        return true;
    }
    return false;
}

static bool flip_of_topsis(const struct preference *p, size_t winner, size_t j, double *at,
                           size_t *new_winner)
{
    double up = 0, down = 0, now = p->weight[j];
    size_t up_winner = 0, down_winner = 0;
    bool is_up = walk(p, winner, j, 1, &up, &up_winner);
    bool is_down = walk(p, winner, j, -1, &down, &down_winner);
    bool take_up = is_up && (!is_down || up - now < now - down);

    *at = take_up ? up : down;
    *new_winner = take_up ? up_winner : down_winner;
    return is_up || is_down;
}

bool preference_flip(const struct preference *p, size_t winner, size_t j, double *at,
                     size_t *new_winner)
{
    if (p->weight[j] >= 1) /* the others have no proportions to keep */
        return false;
    return p->topsis ? flip_of_topsis(p, winner, j, at, new_winner)
                     : flip_of_sum(p, winner, j, at, new_winner);
}
