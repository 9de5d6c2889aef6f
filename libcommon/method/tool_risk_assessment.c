/* tool_risk_assessment.c: the register of risks: 5 x 5 scores, expected loss, and one score for
 * all that does not average a grave risk away. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/sum.h"
#include "libcommon/method/tool_call.h"

struct risk {
    const cJSON *in;
    double probability, loss, expected; /* NaN when not known */
    int p, i, score;
};

struct risks {
    struct tool_call *c;
    struct risk *r;
    size_t n;
    double reference, expected; /* expected: of those that have one; NaN for none */
};

/* 1 to 5: one more for each limit that x reaches. */
static int band(double x, const double limits[4])
{
    int b = 1;

    for (int k = 0; k < 4; k++)
        b += x >= limits[k];
    return b;
}

/* The score that was given, else the one of the figure (0: there is no figure). */
static int choose_score(struct risks *x, size_t k, const char *key, int figure)
{
    const struct risk *r = &x->r[k];
    int given = (int)json_i64(r->in, key, 0);

    if (given != 0 && figure != 0 && abs(given - figure) > 1)
        tool_warn(x->c, "score_disagrees", tool_path(x->c, "/risks/%zu/%s", k, key),
                  "\"%s\" was given %s %d, but its figures say %d", json_str(r->in, "name", ""),
                  key, given, figure);
    return given != 0 ? given : figure;
}

static int score_risk(struct risks *x, size_t k)
{
    static const double chances[4] = {.05, .2, .5, .8}, losses[4] = {.01, .05, .15, .4};
    struct risk *r = &x->r[k];
    double share = r->loss / x->reference;

    r->p = choose_score(x, k, "probability_score",
                        isnan(r->probability) ? 0 : band(r->probability, chances));
    r->i = choose_score(x, k, "impact_score", isnan(share) ? 0 : band(share, losses));
    r->score = r->p * r->i;
    if (r->p == 0)
        return tool_fail(x->c, "probability_unknown", tool_path(x->c, "/risks/%zu", k),
                         "needs probability_score or probability");
    if (r->i == 0)
        return tool_fail(x->c, "impact_unknown", tool_path(x->c, "/risks/%zu", k),
                         "needs impact_score, or loss and a reference_amount");
    return 0;
}

static int read_risks(struct risks *x)
{
    const cJSON *list = json_get(x->c->in, "risks"), *in;

    x->reference = tool_number(x->c->in, "reference_amount");
    x->r = arena_array(x->c->a, struct risk, tool_count(list));
    cJSON_ArrayForEach (in, list) {
        struct risk *r = &x->r[x->n];

        r->in = in;
        r->probability = tool_number(in, "probability");
        r->loss = tool_number(in, "loss");
        r->expected = r->probability * r->loss;
        if (score_risk(x, x->n) != 0)
            return ERR_INVALID;
        x->n++;
    }
    return 0;
}

static const char *level(int score)
{
    return score <= 6 ? "low" : score <= 12 ? "medium" : score <= 16 ? "high" : "critical";
}

/* What is not said of the mitigated risk stays as it is without it; its cost cannot be guessed. */
static void add_mitigation(struct risks *x, size_t k, cJSON *o)
{
    const struct risk *r = &x->r[k];
    double cost = tool_number(r->in, "mitigation_cost");
    double after = json_num(r->in, "mitigated_probability", r->probability) *
                   json_num(r->in, "mitigated_loss", r->loss);
    double benefit = r->expected - after - cost;

    if (isnan(cost) && json_get(r->in, "mitigated_probability") == NULL &&
        json_get(r->in, "mitigated_loss") == NULL)
        return;
    json_add_num(o, "mitigation_net_benefit", benefit);
    if (isnan(benefit))
        tool_warn(x->c, "mitigation_unknown",
                  tool_path(x->c, "/risks/%zu/mitigation_net_benefit", k),
                  "\"%s\" needs probability, loss and mitigation_cost for the benefit of its "
                  "mitigation",
                  json_str(r->in, "name", ""));
}

static void sum_expected(struct risks *x)
{
    struct sum s = {0};
    size_t known = 0;

    for (size_t k = 0; k < x->n; k++)
        if (!isnan(x->r[k].expected)) {
            sum_add(&s, x->r[k].expected);
            known++;
        }
    x->expected = known == 0 ? NAN : sum_value(&s);
    if (known < x->n)
        tool_warn(x->c, "partial", "/expected_loss",
                  "%zu of %zu risks have both a probability and a loss; the others are not in it",
                  known, x->n);
    if (x->expected == 0)
        tool_warn(x->c, "no_expected_loss", "/risks/0/share_of_expected_loss",
                  "the expected loss is 0, so there are no shares of it");
}

static void add_risks(struct risks *x)
{
    cJSON *list = json_add_arr(x->c->out, "risks");

    sum_expected(x);
    for (size_t k = 0; k < x->n; k++) {
        const struct risk *r = &x->r[k];
        cJSON *o = tool_push_obj(list);

        json_add_str(o, "name", json_str(r->in, "name", ""));
        json_add_num(o, "probability_score", r->p);
        json_add_num(o, "impact_score", r->i);
        json_add_num(o, "score", r->score);
        json_add_str(o, "level", level(r->score));
        json_add_num(o, "expected_loss", r->expected);
        json_add_num(o, "share_of_expected_loss", r->expected / x->expected);
        add_mitigation(x, k, o);
    }
}

static int by_score_descending(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

/* floor(10 * (0.7 * max + 0.3 * mean of the three highest) / 25 + 0.5), in whole numbers, so that
 * no half is lost to rounding. */
static int overall_score(const int *descending, int n)
{
    int top = MIN(n, 3), sum = 0;

    for (int k = 0; k < top; k++)
        sum += descending[k];
    return MAX(1, MIN(10, (14 * descending[0] * top + 6 * sum + 25 * top) / (50 * top)));
}

static void add_overall(struct risks *x)
{
    int *score = arena_array(x->c->a, int, x->n), overall;

    for (size_t k = 0; k < x->n; k++)
        score[k] = x->r[k].score;
    qsort(score, x->n, sizeof(*score), by_score_descending);
    overall = overall_score(score, (int)x->n);
    json_add_num(x->c->out, "overall_score", overall);
    json_add_str(x->c->out, "risk_level",
                 overall <= 3   ? "low"
                 : overall <= 5 ? "medium"
                 : overall <= 7 ? "high"
                                : "critical");
}

static void add_any(struct risks *x)
{
    double none = 1;
    size_t known = 0;

    for (size_t k = 0; k < x->n; k++)
        if (!isnan(x->r[k].probability)) {
            none *= 1 - x->r[k].probability;
            known++;
        }
    json_add_num(x->c->out, "expected_loss", x->expected);
    json_add_num(x->c->out, "probability_any", known == 0 ? NAN : 1 - none);
    if (known < x->n)
        tool_warn(x->c, "partial", "/probability_any",
                  "%zu of %zu risks have a probability; the others are not in it", known, x->n);
    if (known > 0)
        tool_warn(x->c, "assumes_independence", "/probability_any",
                  "computed as if no risk made another one likelier");
}

static void add_matrix(struct risks *x)
{
    static const char *const names[4] = {
        "high_probability_high_impact", "high_probability_low_impact",
        "low_probability_high_impact", "low_probability_low_impact"};
    cJSON *matrix = json_add_obj(x->c->out, "matrix"), *cell[4];

    for (int k = 0; k < 4; k++)
        cell[k] = json_add_arr(matrix, names[k]);
    for (size_t k = 0; k < x->n; k++) {
        const struct risk *r = &x->r[k];

        json_push_str(cell[(r->p >= 3 ? 0 : 2) + (r->i >= 3 ? 0 : 1)], json_str(r->in, "name", ""));
    }
}

int tool_risk_assessment(struct tool_call *c)
{
    struct risks x = {.c = c};

    if (read_risks(&x) != 0)
        return ERR_INVALID;
    add_risks(&x);
    add_overall(&x);
    add_any(&x);
    add_matrix(&x);
    return 0;
}

int64_t tool_risk_assessment_cost(const cJSON *in)
{
    return 20 + 5 * tool_count(json_get(in, "risks"));
}
