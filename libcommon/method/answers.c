/* answers.c: what the tools said, read back from the turns. A result is known by its id, or by the
 * tool's name and an equal input, since the engine may give ids of its own. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analysis.h"
#include <math.h>

static const cJSON *result_of(const struct analysis *an, const cJSON *call)
{
    const char *id = json_str(call, "id", ""), *name = json_str(call, "name", "");
    const cJSON *t, *found = NULL;

    cJSON_ArrayForEach (t, an->turns) {
        const char *tool = json_str(t, "tool", NULL);
        if (tool == NULL || strcmp(tool, name) != 0)
            continue;
        bool same_input = json_same(json_get(t, "input"), json_get(call, "input"));
        if (same_input || (strcmp(json_str(t, "id", ""), id) == 0 && json_get(t, "input") == NULL))
            found = t;
    }
    return found;
}

static bool out_of_budget(struct arena *a, const cJSON *error)
{
    return error != NULL && str_find(json_print(a, error), STR("BUDGET")) >= 0;
}

bool answers_read(struct analysis *an, const cJSON *calls)
{
    const cJSON *call;
    bool any = false;

    cJSON_ArrayForEach (call, calls) {
        const cJSON *t = result_of(an, call);
        if (t == NULL || an->answers_count >= (int)ARRAY_LEN(an->answers))
            continue;
        any = true;
        const cJSON *output = json_get(t, "output");
        an->answers[an->answers_count++] =
            (struct answer){.output = cJSON_IsObject(output) ? output : NULL,
                            .no_budget = out_of_budget(an->a, json_get(t, "error")),
                            .seq = json_i64(t, "seq", 0),
                            .id = arena_strdup(an->a, json_str(call, "id", "")),
                            .tool = arena_strdup(an->a, json_str(call, "name", ""))};
    }
    return any;
}

int answer_of(const struct analysis *an, const char *id)
{
    for (int i = 0; i < an->answers_count; i++)
        if (strcmp(an->answers[i].id, id) == 0 && an->answers[i].output != NULL)
            return i;
    return -1;
}

/* The value of a driver in the base case. */
static double driver_now(const struct cash *c, const char *variable)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->items[i].variable, variable) == 0)
            return c->items[i].upside ? 0 : c->items[i].value;
    if (strcmp(variable, "cash_flow_level") == 0)
        return 1;
    if (strcmp(variable, "outlay") == 0)
        return -c->series[0] * c->series_share;
    return NAN;
}

static const char *driver_label(const struct analysis *an, const struct cash *c,
                                const char *variable)
{
    if (strcmp(variable, "cash_flow_level") == 0)
        return tr(an->s, "level of the cash flows", "现金流水平");
    if (strcmp(variable, "outlay") == 0)
        return tr(an->s, "outlay", "初始投资");
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->items[i].variable, variable) == 0)
            return c->items[i].upside
                       ? tr(an->s, "share of the synergies reached", "协同效益实现比例")
                       : c->items[i].label;
    return variable;
}

/* The driver whose break-even is nearest, as a share of its value. */
static void nearest_break_even(struct analysis *an, int i, const cJSON *output)
{
    struct valued *v = &an->value[i];
    const cJSON *b;

    cJSON_ArrayForEach (b, json_get(output, "break_even")) {
        const char *name = json_str(b, "variable", "");
        double at = json_num(b, "value", NAN), now = driver_now(&an->s->options[i].cash, name);
        if (isnan(at) || isnan(now) || now == 0)
            continue;
        double gap = fabs(at / now - 1);
        if (!isnan(v->margin) && gap >= v->margin)
            continue;
        v->margin = gap;
        v->driver = driver_label(an, &an->s->options[i].cash, name);
        v->driver_now = now;
        v->driver_flip = at;
    }
}

/* Where no cash flow gives a value, the expected value over the states does. */
static void expected_values(struct analysis *an)
{
    int n = answer_of(an, "states");
    const cJSON *row;

    cJSON_ArrayForEach (row, json_get(n < 0 ? NULL : an->answers[n].output, "actions")) {
        for (int i = 0; i < an->s->options_count; i++) {
            struct valued *v = &an->value[i];
            const char *name = text_cut(an->a, an->s->options[i].name, 190);
            if (!isnan(v->npv) || strcmp(name, json_str(row, "name", "")) != 0)
                continue;
            v->npv = json_num(row, "expected_value", NAN);
            v->fm = n;
            v->by_states = true;
            for (int k = 0; k < an->s->states.count; k++) {
                double pay = an->s->states.pay[i][k];
                v->low_npv = isnan(v->low_npv) ? pay : MIN(v->low_npv, pay);
                v->high_npv = isnan(v->high_npv) ? pay : MAX(v->high_npv, pay);
            }
        }
    }
}

void answers_values(struct analysis *an)
{
    for (int i = 0; i < an->s->options_count; i++) {
        struct valued *v = &an->value[i];
        const cJSON *sc;

        *v = (struct valued){.npv = NAN,
                             .irr = NAN,
                             .payback = NAN,
                             .margin = NAN,
                             .driver_now = NAN,
                             .driver_flip = NAN,
                             .low_npv = NAN,
                             .high_npv = NAN,
                             .fm = -1,
                             .mc = -1,
                             .probability_of_loss = NAN,
                             .risk = -1};
        v->fm = answer_of(an, arena_printf(an->a, "value_%d", i + 1));
        v->mc = answer_of(an, arena_printf(an->a, "range_%d", i + 1));
        if (v->mc >= 0)
            v->probability_of_loss =
                json_num(an->answers[v->mc].output, "probability_of_loss", NAN);
        if (v->fm < 0)
            continue;
        const cJSON *out = an->answers[v->fm].output;
        v->npv = json_num(out, "npv", NAN);
        v->payback = json_num(out, "payback", NAN);
        v->irr = json_num(json_get(out, "irr"), "value", NAN);
        cJSON_ArrayForEach (sc, json_get(out, "scenarios")) {
            double n = json_num(sc, "npv", NAN);
            v->low_npv = isnan(v->low_npv) ? n : MIN(v->low_npv, n);
            v->high_npv = isnan(v->high_npv) ? n : MAX(v->high_npv, n);
        }
        if (an->s->options[i].cash.baseline)
            v->payback = NAN;
        nearest_break_even(an, i, out);
    }
    expected_values(an);
}

void answers_risks(struct analysis *an)
{
    an->risk_answer = answer_of(an, "risk_all");
    for (int i = 0; i < an->s->options_count; i++) {
        struct valued *v = &an->value[i];
        v->risk = answer_of(an, arena_printf(an->a, "risk_%d", i + 1));
        if (v->risk >= 0)
            v->overall_score = (int)json_i64(an->answers[v->risk].output, "overall_score", 0);
    }
}

static int option_named(const struct analysis *an, const char *name)
{
    for (int i = 0; name != NULL && i < an->s->options_count; i++)
        if (strcmp(text_cut(an->a, an->s->options[i].name, 190), name) == 0)
            return i;
    return -1;
}

void answers_matrix(struct analysis *an)
{
    const cJSON *row;
    int i = 0;

    for (int k = 0; k < an->s->options_count; k++) {
        an->dominated_by[k] = -1;
        an->score[k] = an->acceptability[k] = NAN;
    }
    for (int k = 0; k < an->s->options_count; k++) {
        an->score_of_all[k] = NAN;
        an->dominated_in_all[k] = -1;
    }
    int all = answer_of(an, "compare_all");
    cJSON_ArrayForEach (row, json_get(all < 0 ? NULL : an->answers[all].output, "scores")) {
        int k = option_named(an, json_str(row, "alternative", NULL));
        if (k >= 0)
            an->score_of_all[k] = json_num(row, "score", NAN);
    }
    cJSON_ArrayForEach (row, json_get(all < 0 ? NULL : an->answers[all].output, "dominated")) {
        int k = option_named(an, json_str(row, "alternative", NULL));
        if (k >= 0 && an->dominated_in_all[k] < 0)
            an->dominated_in_all[k] = option_named(an, json_str(row, "by", NULL));
    }
    an->matrix_answer = answer_of(an, "compare");
    if (an->matrix_answer < 0)
        return;
    an->matrix = an->answers[an->matrix_answer].output;
    cJSON_ArrayForEach (row, json_get(an->matrix, "scores")) {
        int k = option_named(an, json_str(row, "alternative", NULL));
        if (k >= 0)
            an->score[k] = json_num(row, "score", NAN);
    }
    cJSON_ArrayForEach (row, json_at(an->matrix, "/smaa/rank_acceptability")) {
        if (i < an->s->options_count && cJSON_IsArray(row) && cJSON_IsNumber(row->child))
            an->acceptability[i] = row->child->valuedouble;
        i++;
    }
    cJSON_ArrayForEach (row, json_get(an->matrix, "dominated")) {
        int k = option_named(an, json_str(row, "alternative", NULL)),
            by = option_named(an, json_str(row, "by", NULL));
        if (k >= 0 && by >= 0 && an->dominated_by[k] < 0 && an->s->options[by].given)
            an->dominated_by[k] = by;
    }
}

static void add_flip(struct analysis *an, struct flip f)
{
    if (an->flips_count < (int)ARRAY_LEN(an->flips))
        an->flips[an->flips_count++] = f;
}

/* The tool moves its own winner; where the rules chose another, that says nothing of the choice. */
static void weight_flips(struct analysis *an)
{
    const cJSON *f, *first = json_at(an->matrix, "/ranking/0");

    if (!cJSON_IsString(first) || option_named(an, first->valuestring) != an->choice)
        return;
    cJSON_ArrayForEach (f, json_get(an->matrix, "flips")) {
        double at = json_num(f, "weight_at_flip", NAN);
        if (!isnan(at))
            add_flip(an, (struct flip){say(an->s, tr(an->s, "weight of %s", "“%s”的权重"),
                                           json_str(f, "criterion", "")),
                                       "weight", arena_strdup(an->a, json_str(f, "new_winner", "")),
                                       json_num(f, "weight_now", NAN), at, an->matrix_answer});
    }
}

/* Where the values meet. When the choice is worth more, that is where it changes; when the rival is
 * (and lost on other criteria), it is where the rival's lead ends. */
static void assumption_flips(struct analysis *an)
{
    const cJSON *b;

    an->flip_answer = answer_of(an, "flip");
    if (an->flip_answer < 0)
        return;
    bool leads = !(an->value[an->choice].npv < an->value[an->rival].npv);
    cJSON_ArrayForEach (b, json_get(an->answers[an->flip_answer].output, "break_even")) {
        const char *name = json_str(b, "variable", "");
        bool chosen = strncmp(name, "c_", 2) == 0;
        int option = chosen ? an->choice : an->rival;
        double at = json_num(b, "value", NAN);
        if (isnan(at) || strlen(name) < 3)
            continue;
        const struct cash *c = &an->s->options[option].cash;
        struct flip f = {
            say(an->s, "%s (%s)", driver_label(an, c, name + 2), an->s->options[option].name),
            "assumption",
            an->s->options[an->rival].name,
            driver_now(c, name + 2),
            at,
            an->flip_answer};
        if (leads)
            add_flip(an, f);
        else if (an->parities_count < (int)ARRAY_LEN(an->parities))
            an->parities[an->parities_count++] = f;
    }
}

static double distance_of(const struct flip *f)
{
    return f->current != 0 ? fabs(f->at / f->current - 1) : fabs(f->at);
}

static int by_distance(const void *x, const void *y)
{
    double a = distance_of(x), b = distance_of(y);

    return a < b ? -1 : a > b;
}

void answers_flips(struct analysis *an)
{
    an->flips_count = an->parities_count = 0;
    assumption_flips(an);
    qsort(an->flips, (size_t)an->flips_count, sizeof(*an->flips), by_distance);
    qsort(an->parities, (size_t)an->parities_count, sizeof(*an->parities), by_distance);
    weight_flips(an);
}
