/* tool_decision_matrix.c: alternatives compared on weighted criteria; what dominates what, which
 * weight would change the winner, and how often each wins when nothing is known of the weights. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/matrix.h"
#include "libcommon/method/preference.h"
#include "libcommon/method/prng.h"
#include "libcommon/method/sum.h"
#include "libcommon/method/tool_call.h"

#define AHP_MAX 15
#define RECIPROCAL_SLACK 1e-6
#define CONSISTENT_BELOW 0.10

struct comparison {
    struct tool_call *c;
    struct preference p;
    const char *alternative[PREFERENCE_MAX], *criterion[PREFERENCE_MAX];
    enum normalisation how;
};

static int read_scores(struct comparison *x)
{
    const cJSON *rows = json_get(x->c->in, "scores"), *row;
    size_t i = 0, n;

    if ((size_t)tool_count(rows) != x->p.n)
        return tool_fail(x->c, "dimension_mismatch", "/scores", "%d rows for %zu alternatives",
                         (int)tool_count(rows), x->p.n);
    cJSON_ArrayForEach (row, rows) {
        double *v = tool_numbers(x->c, row, &n);

        if (n != x->p.m)
            return tool_fail(x->c, "dimension_mismatch", tool_path(x->c, "/scores/%zu", i),
                             "%zu scores for %zu criteria", n, x->p.m);
        memcpy(x->p.raw + i++ * x->p.m, v, n * sizeof(*v));
    }
    return 0;
}

static int read_names(struct comparison *x)
{
    const cJSON *in = x->c->in, *v;
    int rc = tool_unique(x->c, json_get(in, "alternatives"), NULL, "/alternatives");

    if (rc == 0)
        rc = tool_unique(x->c, json_get(in, "criteria"), "name", "/criteria");
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach (v, json_get(in, "alternatives"))
        x->alternative[x->p.n++] = v->valuestring;
    cJSON_ArrayForEach (v, json_get(in, "criteria")) {
        x->p.cost[x->p.m] = strcmp(json_str(v, "direction", ""), "cost") == 0;
        x->criterion[x->p.m++] = json_str(v, "name", "");
    }
    return 0;
}

static int scale_weights(struct comparison *x, const double *points, const char *field)
{
    double total = sum_of(points, x->p.m);

    if (!(total > 0) || !isfinite(total))
        return tool_fail(x->c, "weights_zero", field, "the weights must have a positive sum");
    for (size_t j = 0; j < x->p.m; j++)
        x->p.weight[j] = points[j] / total;
    return 0;
}

static int weigh_direct(struct comparison *x, const cJSON *weighting UNUSED)
{
    double points[PREFERENCE_MAX];
    const cJSON *v;
    size_t j = 0;

    cJSON_ArrayForEach (v, json_get(x->c->in, "criteria")) {
        points[j] = tool_number(v, "weight");
        if (isnan(points[j]))
            return tool_fail(x->c, "schema", tool_path(x->c, "/criteria/%zu/weight", j),
                             "direct weighting needs a weight of every criterion");
        j++;
    }
    return scale_weights(x, points, "/criteria");
}

static int weigh_equal(struct comparison *x, const cJSON *weighting UNUSED)
{
    for (size_t j = 0; j < x->p.m; j++)
        x->p.weight[j] = 1.0 / (double)x->p.m;
    return 0;
}

static int weigh_swing(struct comparison *x, const cJSON *weighting)
{
    const cJSON *given = json_get(weighting, "swing");
    size_t n;
    double *points = tool_numbers(x->c, given, &n);

    if (given == NULL)
        return tool_fail(x->c, "schema", "/weighting/swing", "swing weighting needs swing points");
    if (n != x->p.m)
        return tool_fail(x->c, "dimension_mismatch", "/weighting/swing",
                         "%zu swing points for %zu criteria", n, x->p.m);
    return scale_weights(x, points, "/weighting/swing");
}

static int read_pairwise(struct comparison *x, const cJSON *rows, double *a)
{
    const cJSON *row;
    size_t i = 0, n, m = x->p.m;

    if (rows == NULL)
        return tool_fail(x->c, "schema", "/weighting/pairwise", "ahp needs pairwise comparisons");
    if ((size_t)tool_count(rows) != m)
        return tool_fail(x->c, "dimension_mismatch", "/weighting/pairwise",
                         "%d rows for %zu criteria", (int)tool_count(rows), m);
    cJSON_ArrayForEach (row, rows) {
        double *v = tool_numbers(x->c, row, &n);

        if (n != m)
            return tool_fail(x->c, "dimension_mismatch",
                             tool_path(x->c, "/weighting/pairwise/%zu", i),
                             "%zu comparisons for %zu criteria", n, m);
        memcpy(a + i++ * m, v, m * sizeof(*v));
    }
    for (i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++)
            if (fabs(a[i * m + j] * a[j * m + i] - 1) > RECIPROCAL_SLACK)
                return tool_fail(x->c, "pairwise_not_reciprocal",
                                 tool_path(x->c, "/weighting/pairwise/%zu/%zu", i, j),
                                 "must be 1 / %.17g", a[j * m + i]);
    return 0;
}

static int weigh_ahp(struct comparison *x, const cJSON *weighting)
{
    static const double random_index[AHP_MAX + 1] = {
        0, 0, 0, .58, .90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59};
    double a[AHP_MAX * AHP_MAX], next[AHP_MAX], lambda, ci, ri, cr;
    size_t n = x->p.m;
    cJSON *ahp;
    int rc = read_pairwise(x, json_get(weighting, "pairwise"), a);

    if (rc != 0)
        return rc;
    lambda = matrix_principal(a, n, x->p.weight, next);
    ci = n < 2 ? 0 : (lambda - (double)n) / ((double)n - 1);
    ri = random_index[n];
    cr = n <= 2 ? 0 : ci / ri;
    ahp = json_add_obj(x->c->out, "ahp");
    json_add_num(ahp, "lambda_max", lambda);
    json_add_num(ahp, "ci", ci);
    json_add_num(ahp, "ri", ri);
    json_add_num(ahp, "cr", cr);
    json_add_bool(ahp, "consistent", cr <= CONSISTENT_BELOW);
    if (cr > CONSISTENT_BELOW)
        tool_warn(x->c, "ahp_inconsistent", "/ahp/cr",
                  "the comparisons contradict each other (consistency ratio %.3g, at most 0.10)",
                  cr);
    return 0;
}

static int add_weights(struct comparison *x)
{
    static const struct {
        const char *name;
        int (*fn)(struct comparison *x, const cJSON *weighting);
    } methods[] = {
        {"direct", weigh_direct},
        {"equal", weigh_equal},
        {"swing", weigh_swing},
        {"ahp", weigh_ahp},
    };
    const cJSON *weighting = json_get(x->c->in, "weighting");
    cJSON *weights = json_add_arr(x->c->out, "weights"); /* before ahp, as the schema has it */
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(methods[i].name, json_str(weighting, "method", "")) == 0)
            rc = methods[i].fn(x, weighting);
    if (rc == 0)
        tool_push_numbers(weights, x->p.weight, x->p.m);
    return rc;
}

static int normalise_column(struct comparison *x, const cJSON *criterion, size_t j)
{
    double low = tool_number(criterion, "low"), high = tool_number(criterion, "high");
    bool varies;

    if (x->how == NORM_RANGE && (isnan(low) || isnan(high)))
        return tool_fail(x->c, "schema",
                         tool_path(x->c, "/criteria/%zu/%s", j, isnan(low) ? "low" : "high"),
                         "range normalisation needs low and high of every criterion");
    if (x->how == NORM_RANGE && !(low < high))
        return tool_fail(x->c, "bad_order", tool_path(x->c, "/criteria/%zu", j),
                         "low must be below high");
    for (size_t i = 0; (x->how == NORM_MAX || x->how == NORM_SUM) && i < x->p.n; i++)
        if (x->p.raw[i * x->p.m + j] <= 0)
            return tool_fail(x->c, "schema", tool_path(x->c, "/scores/%zu/%zu", i, j),
                             "normalisation by max or sum needs scores above 0");
    varies = x->p.topsis ? preference_vector(&x->p, j)
                         : preference_normalise(&x->p, j, x->how, low, high);
    if (!varies)
        tool_warn(x->c, "constant_criterion", tool_path(x->c, "/normalised/0/%zu", j),
                  "all alternatives are equal on \"%s\": it decides nothing", x->criterion[j]);
    return 0;
}

static bool all_finite(const double *x, size_t n)
{
    while (n > 0 && isfinite(x[n - 1]))
        n--;
    return n == 0;
}

static int add_normalised(struct comparison *x)
{
    static const char *const names[] = {"minmax", "max", "sum", "vector", "range", "none"};
    const char *asked = json_str(x->c->in, "normalisation", x->p.topsis ? "vector" : "minmax");
    const cJSON *criterion;
    cJSON *list;
    size_t j = 0;

    while (strcmp(names[x->how], asked) != 0) /* the schema knows no other */
        x->how++;
    if (x->p.topsis && x->how != NORM_VECTOR) {
        x->how = NORM_VECTOR;
        tool_warn(x->c, "normalisation_ignored", "/normalised",
                  "topsis always normalises by vector, not by %s", asked);
    }
    cJSON_ArrayForEach (criterion, json_get(x->c->in, "criteria"))
        if (normalise_column(x, criterion, j++) != 0)
            return ERR_INVALID;
    if (!all_finite(x->p.norm, x->p.n * x->p.m))
        return tool_fail(x->c, "not_finite", "/scores", "the scores are out of range");
    if (x->how != NORM_RANGE && x->how != NORM_NONE)
        tool_warn(x->c, "rank_reversal_possible", "/ranking",
                  "scores are relative to the alternatives listed: adding or removing one can "
                  "reorder the others");
    list = json_add_arr(x->c->out, "normalised");
    for (size_t i = 0; i < x->p.n; i++)
        tool_push_numbers(tool_push_arr(list), x->p.norm + i * x->p.m, x->p.m);
    return 0;
}

static void add_scores(struct comparison *x)
{
    cJSON *scores = json_add_arr(x->c->out, "scores"), *ranking;

    preference_scores(&x->p, x->p.weight, x->p.score);
    preference_ranks(x->p.score, x->p.n, x->p.rank);
    for (size_t i = 0; i < x->p.n; i++) {
        cJSON *o = tool_push_obj(scores);

        json_add_str(o, "alternative", x->alternative[i]);
        json_add_num(o, "score", x->p.score[i]);
        json_add_num(o, "rank", x->p.rank[i]);
    }
    ranking = json_add_arr(x->c->out, "ranking");
    for (int rank = 1; rank <= (int)x->p.n; rank++)
        for (size_t i = 0; i < x->p.n; i++)
            if (x->p.rank[i] == rank)
                json_push_str(ranking, x->alternative[i]);
}

static void add_dominated(struct comparison *x)
{
    cJSON *list = json_add_arr(x->c->out, "dominated");

    for (size_t b = 0; b < x->p.n; b++)
        for (size_t a = 0; a < x->p.n; a++)
            if (preference_dominates(&x->p, a, b)) {
                cJSON *o = tool_push_obj(list);

                json_add_str(o, "alternative", x->alternative[b]);
                json_add_str(o, "by", x->alternative[a]);
            }
}

static int add_flips(struct comparison *x)
{
    size_t winner = 0;
    cJSON *list;

    if (!json_bool(x->c->in, "sensitivity", false))
        return 0;
    while (x->p.rank[winner] != 1)
        winner++;
    list = json_add_arr(x->c->out, "flips");
    for (size_t j = 0; j < x->p.m; j++) {
        double at = NAN;
        size_t other = winner;
        bool flips = preference_flip(&x->p, winner, j, &at, &other);
        cJSON *o = tool_push_obj(list);

        json_add_str(o, "criterion", x->criterion[j]);
        json_add_num(o, "weight_now", x->p.weight[j]);
        json_add_num(o, "weight_at_flip", flips ? at : NAN);
        json_add_str(o, "new_winner", flips ? x->alternative[other] : NULL);
        if (tool_tick(x->c, x->p.topsis ? (unsigned)(50 * x->p.n * x->p.m) : 10) != 0)
            return ERR_TIMEOUT;
    }
    return 0;
}

struct acceptability {
    double first[PREFERENCE_MAX]; /* samples that this alternative won */
    double at_rank[PREFERENCE_MAX * PREFERENCE_MAX];
    struct sum weights[PREFERENCE_MAX * PREFERENCE_MAX]; /* of the samples that it won */
};

/* Weights spread evenly over the simplex: exponentials divided by their sum. */
static void draw_weights(struct prng *g, size_t m, double *w)
{
    double total;

    for (size_t j = 0; j < m; j++)
        w[j] = -log(prng_uniform(g));
    total = sum_of(w, m);
    for (size_t j = 0; j < m; j++)
        w[j] /= total;
}

static int sample_weights(struct comparison *x, int64_t samples, uint64_t seed,
                          struct acceptability *acc)
{
    double w[PREFERENCE_MAX], score[PREFERENCE_MAX];
    size_t n = x->p.n, m = x->p.m;
    int rank[PREFERENCE_MAX];
    struct prng g;

    prng_seed(&g, seed);
    for (int64_t k = 0; k < samples; k++) {
        draw_weights(&g, m, w);
        preference_scores(&x->p, w, score);
        preference_ranks(score, n, rank);
        for (size_t i = 0; i < n; i++) {
            acc->at_rank[i * n + (size_t)rank[i] - 1]++;
            if (rank[i] != 1)
                continue;
            acc->first[i]++;
            for (size_t j = 0; j < m; j++)
                sum_add(&acc->weights[i * m + j], w[j]);
        }
        if (tool_tick(x->c, 1 + (unsigned)(n * (n + m) / 100)) != 0)
            return ERR_TIMEOUT;
    }
    return 0;
}

static int add_smaa(struct comparison *x)
{
    const cJSON *asked = json_get(x->c->in, "smaa");
    struct acceptability *acc = arena_new_of(x->c->a, struct acceptability);
    int64_t samples = json_i64(asked, "samples", 0), seed = json_i64(asked, "seed", 0);
    cJSON *smaa, *ranks, *central;
    size_t n = x->p.n, m = x->p.m;

    if (asked == NULL)
        return 0;
    if (sample_weights(x, samples, (uint64_t)seed, acc) != 0)
        return ERR_TIMEOUT;
    smaa = json_add_obj(x->c->out, "smaa");
    ranks = json_add_arr(smaa, "rank_acceptability");
    central = json_add_arr(smaa, "central_weights");
    for (size_t i = 0; i < n; i++) {
        cJSON *row = tool_push_arr(ranks), *mean;

        for (size_t r = 0; r < n; r++)
            json_push_num(row, acc->at_rank[i * n + r] / (double)samples);
        if (acc->first[i] == 0) {
            json_push_num(central, NAN);
            continue;
        }
        mean = tool_push_arr(central);
        for (size_t j = 0; j < m; j++)
            json_push_num(mean, sum_value(&acc->weights[i * m + j]) / acc->first[i]);
    }
    json_add_num(smaa, "samples", (double)samples);
    json_add_num(smaa, "seed", (double)seed);
    return 0;
}

int tool_decision_matrix(struct tool_call *c)
{
    struct comparison *x = arena_new_of(c->a, struct comparison);
    int rc;

    x->c = c;
    x->p.topsis = strcmp(json_str(c->in, "method", ""), "topsis") == 0;
    rc = read_names(x);
    if (rc == 0)
        rc = read_scores(x);
    if (rc == 0)
        rc = add_weights(x);
    if (rc == 0)
        rc = add_normalised(x);
    if (rc != 0)
        return rc;
    add_scores(x);
    add_dominated(x);
    rc = add_flips(x);
    return rc != 0 ? rc : add_smaa(x);
}

int64_t tool_decision_matrix_cost(const cJSON *in)
{
    int64_t n = tool_count(json_get(in, "alternatives")), m = tool_count(json_get(in, "criteria"));
    int64_t samples = json_i64(json_get(in, "smaa"), "samples", 0);
    bool topsis = strcmp(json_str(in, "method", ""), "topsis") == 0;
    bool flips = json_bool(in, "sensitivity", false);

    return 20 + n * m + samples * (m * 20 + n * (n + m) * 3) / 1000 +
           (flips ? m * n * m * (topsis ? 10 : 1) : 0);
}
