/* tool_calibration.c: how good past probabilities were. The Brier score and its decomposition over
 * bins (Murphy 1973), the logarithmic score, and each bin with its Wilson interval. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/special.h"
#include "libcommon/method/sum.h"
#include "libcommon/method/tool_call.h"

#define BINS_MAX 50
#define FEW 30
#define P_MIN 1e-15

struct bin {
    struct sum p;
    double n, happened;
};

struct scores {
    struct tool_call *c;
    int bins;
    struct bin bin[BINS_MAX];
    double n, base_rate, brier, log_score;
};

static void read_forecasts(struct scores *s)
{
    struct sum brier = {0}, logs = {0};
    const cJSON *f;
    double happened = 0;

    cJSON_ArrayForEach (f, json_get(s->c->in, "forecasts")) {
        double p = tool_number(f, "p"), o = tool_number(f, "outcome");
        struct bin *b = &s->bin[MIN(s->bins - 1, (int)floor(p * s->bins + 1e-9))];

        sum_add(&brier, (p - o) * (p - o));
        sum_add(&logs, -log(fmax(P_MIN, o == 1 ? p : 1 - p)));
        sum_add(&b->p, p);
        b->n++;
        b->happened += o;
        happened += o;
        s->n++;
    }
    s->base_rate = happened / s->n;
    s->brier = sum_value(&brier) / s->n;
    s->log_score = sum_value(&logs) / s->n;
}

/* Wilson's 95 % interval of a share. */
static void wilson(double happened, double n, double *low, double *high)
{
    double z = normal_inv(0.975), p = happened / n, z2 = z * z / n;
    double middle = (p + z2 / 2) / (1 + z2);
    double half = z / (1 + z2) * sqrt(p * (1 - p) / n + z2 / (4 * n));

    *low = fmax(0, middle - half);
    *high = fmin(1, middle + half);
}

static void add_bin(struct scores *s, int k, cJSON *list)
{
    const struct bin *b = &s->bin[k];
    cJSON *o = tool_push_obj(list);
    double low, high;

    wilson(b->happened, b->n, &low, &high);
    json_add_num(o, "low", (double)k / s->bins);
    json_add_num(o, "high", (double)(k + 1) / s->bins);
    json_add_num(o, "n", b->n);
    json_add_num(o, "mean_p", sum_value(&b->p) / b->n);
    json_add_num(o, "observed", b->happened / b->n);
    json_add_num(o, "ci_low", low);
    json_add_num(o, "ci_high", high);
}

static void add_bins(struct scores *s)
{
    struct sum reliability = {0}, resolution = {0}, ece = {0};
    cJSON *out = s->c->out, *list = json_arr(s->c->a);

    for (int k = 0; k < s->bins; k++) {
        const struct bin *b = &s->bin[k];
        double mean = sum_value(&b->p) / b->n, observed = b->happened / b->n;

        if (b->n == 0)
            continue;
        sum_add(&reliability, b->n * (mean - observed) * (mean - observed) / s->n);
        sum_add(&resolution, b->n * (observed - s->base_rate) * (observed - s->base_rate) / s->n);
        sum_add(&ece, b->n * fabs(mean - observed) / s->n);
        add_bin(s, k, list);
    }
    json_add_num(out, "reliability", sum_value(&reliability));
    json_add_num(out, "resolution", sum_value(&resolution));
    json_add_num(out, "uncertainty", s->base_rate * (1 - s->base_rate));
    json_add_num(out, "ece", sum_value(&ece));
    json_add_copy(out, "bins", list);
}

int tool_calibration(struct tool_call *c)
{
    struct scores s = {.c = c, .bins = (int)json_i64(c->in, "bins", 10)};
    double uncertainty;

    read_forecasts(&s);
    uncertainty = s.base_rate * (1 - s.base_rate);
    json_add_num(c->out, "n", s.n);
    json_add_num(c->out, "brier", s.brier);
    json_add_num(c->out, "log_score", s.log_score);
    json_add_num(c->out, "base_rate", s.base_rate);
    json_add_num(c->out, "brier_skill", uncertainty > 0 ? 1 - s.brier / uncertainty : NAN);
    if (s.n < FEW)
        tool_warn(c, "few_outcomes", "/n", "fewer than %d outcomes: no conclusion can be drawn",
                  FEW);
    if (uncertainty == 0)
        tool_warn(c, "one_outcome_only", "/brier_skill",
                  "all outcomes are the same: there is nothing to have skill about");
    add_bins(&s);
    return tool_tick(c, 1);
}

int64_t tool_calibration_cost(const cJSON *in)
{
    return 20 + tool_count(json_get(in, "forecasts")) / 5;
}
