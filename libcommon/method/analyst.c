/* analyst.c: the order of the turns. At each turn everything is computed again from the input; the
 * tools' results among the turns say how far the case has come. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analyst.h"
#include "libcommon/method/analysis.h"

#define PLAN_STEPS_MAX 12
#define CALLS_MAX 16 /* an engine answers no more in one turn */

struct round {
    void (*ask)(struct analysis *an, cJSON *calls);
    void (*read)(struct analysis *an);
    const char *stage, *en, *zh;
};

static void before_matrix(struct analysis *an)
{
    answers_risks(an);
    criteria_score(an);
}

static void after_matrix(struct analysis *an)
{
    answers_matrix(an);
    choice_make(an);
}

static const struct round rounds[] = {
    {calls_values, answers_values, "tools",
     "I compute the value of each option from its cash flows.", "先按现金流计算各方案的价值。"},
    {calls_risks, before_matrix, "tools", "I rate the risks of each option.", "评估各方案的风险。"},
    {calls_matrix, after_matrix, "scores", "I compare the options on all criteria.",
     "按全部标准比较各方案。"},
    {calls_flips, answers_flips, "tools", "I look for the point at which the choice changes.",
     "寻找结论翻转的临界点。"},
};

static void add_stage(cJSON *stages, const char *name, cJSON *output)
{
    cJSON *o = cJSON_CreateObject();

    json_add_str(o, "stage", name);
    cJSON_AddItemToObject(o, "output", output);
    cJSON_AddItemToArray(stages, o);
}

static cJSON *stage_language(const struct study *s)
{
    cJSON *o = cJSON_CreateObject();

    json_add_str(o, "language", s->lang);
    json_add_bool(o, "other_language", s->other_language);
    return o;
}

static const char *kind_name(const struct option *o)
{
    static const char *const names[] = {"given", "do_nothing", "delay", "staged", "hybrid"};

    return names[o->kind];
}

static cJSON *stage_options(const struct study *s)
{
    cJSON *o = cJSON_CreateObject(), *list = json_add_arr(o, "options");

    for (int i = 0; i < s->options_count; i++) {
        cJSON *row = cJSON_CreateObject();
        json_add_str(row, "name", s->options[i].name);
        json_add_str(row, "kind", kind_name(&s->options[i]));
        json_add_bool(row, "given", s->options[i].given);
        cJSON_AddItemToArray(list, row);
    }
    return o;
}

static cJSON *stage_figures(const struct study *s)
{
    cJSON *o = cJSON_CreateObject(), *list = json_add_arr(o, "figures");

    json_add_num(o, "count", s->facts_count);
    for (int i = 0; i < s->facts_count && i < 200; i++) {
        const struct fact *k = &s->facts[i];
        const char *where = k->path != NULL  ? k->path
                            : k->origin >= 0 ? s->sources[k->origin].chunk_id
                                             : "/query";
        cJSON *f = figure_json(&k->f, k->text, where);
        json_add_str(f, "measure", measures[k->measure].id);
        json_add_num(f, "options", k->options);
        json_add_bool(f, "used", !k->beaten && !k->sunk);
        cJSON_AddItemToArray(list, f);
    }
    return o;
}

static cJSON *stage_evidence(const struct study *s)
{
    cJSON *o = cJSON_CreateObject(), *list = json_add_arr(o, "quotes");

    for (int i = 0; i < s->quotes_count; i++) {
        cJSON *q = cJSON_CreateObject();
        json_add_str(q, "chunk_id", s->sources[s->quotes[i].source].chunk_id);
        json_add_strn(q, "quote", evidence_quote(s, s->quotes[i].source, s->quotes[i].segment, 0));
        json_add_num(q, "score", s->quotes[i].score);
        cJSON_AddItemToArray(list, q);
    }
    return o;
}

static cJSON *stage_detectors(const struct study *s)
{
    cJSON *o = cJSON_CreateObject(), *list = json_add_arr(o, "findings");

    for (int i = 0; i < s->findings_count; i++) {
        cJSON *f = cJSON_CreateObject();
        json_add_str(f, "code", s->findings[i].code);
        json_add_str(f, "message", s->findings[i].message);
        cJSON_AddItemToArray(list, f);
    }
    return o;
}

static cJSON *stage_criteria(const struct analysis *an)
{
    cJSON *o = cJSON_CreateObject(), *list = json_add_arr(o, "criteria");

    for (int i = 0; i < an->criteria_count; i++) {
        cJSON *c = cJSON_CreateObject();
        json_add_str(c, "name", an->criteria[i].name);
        json_add_num(c, "weight", an->criteria[i].weight);
        cJSON_AddItemToArray(list, c);
    }
    return o;
}

static cJSON *stage_scores(const struct analysis *an)
{
    cJSON *o = cJSON_CreateObject(), *list = json_add_arr(o, "cells");

    for (int i = 0; i < an->s->options_count; i++) {
        for (int c = 0; c < an->criteria_count; c++) {
            cJSON *cell = cJSON_CreateObject();
            json_add_str(cell, "option", an->s->options[i].name);
            json_add_str(cell, "criterion", an->criteria[c].name);
            json_add_num(cell, "score", an->cells[i][c].score);
            json_add_str(cell, "source", cell_source_name(an->cells[i][c].source));
            json_add_bool(cell, "dropped", an->criteria[c].dropped);
            cJSON_AddItemToArray(list, cell);
        }
    }
    return o;
}

static void first_stages(const struct analysis *an, cJSON *stages)
{
    add_stage(stages, "language", stage_language(an->s));
    add_stage(stages, "options", stage_options(an->s));
    add_stage(stages, "figures", stage_figures(an->s));
    add_stage(stages, "evidence", stage_evidence(an->s));
    add_stage(stages, "detectors", stage_detectors(an->s));
    add_stage(stages, "criteria", stage_criteria(an));
}

static void last_stages(const struct analysis *an, cJSON *stages)
{
    cJSON *choice = cJSON_CreateObject(), *confidence = cJSON_CreateObject();

    json_add_str(choice, "choice", an->s->options[an->choice].name);
    json_add_str(choice, "runner_up",
                 an->runner_up >= 0 ? an->s->options[an->runner_up].name : NULL);
    json_add_bool(choice, "close", an->close);
    json_add_bool(choice, "none_feasible", an->none_feasible);
    add_stage(stages, "choice", choice);
    json_add_num(confidence, "confidence", an->confidence);
    cJSON *basis = json_add_arr(confidence, "basis");
    for (int i = 0; i < an->basis_count; i++)
        json_push_str(basis, an->basis[i]);
    add_stage(stages, "confidence", confidence);
    add_stage(stages, "texts", cJSON_CreateObject());
}

/* The first round as steps of a graph; none waits for another. */
static void as_plan(const struct study *s, cJSON *turn, const cJSON *calls)
{
    cJSON *plan = json_add_arr(turn, "plan");
    const cJSON *call;
    int n = 0;

    cJSON_ArrayForEach (call, calls) {
        if (n++ >= PLAN_STEPS_MAX)
            break;
        cJSON *step = cJSON_CreateObject();
        json_add_str(step, "id", json_str(call, "id", ""));
        json_add_str(step, "tool", json_str(call, "name", ""));
        json_add_copy(step, "input", json_get(call, "input"));
        json_add_arr(step, "needs");
        bool range = strcmp(json_str(call, "name", ""), "monte_carlo") == 0;
        json_add_str(step, "purpose",
                     range ? tr(s, "range of an option's value", "方案价值的区间")
                           : tr(s, "value of an option", "方案的价值"));
        cJSON_AddItemToArray(plan, step);
    }
}

static bool round_recorded(const struct analysis *an, const char *mark)
{
    const cJSON *t;

    cJSON_ArrayForEach (t, an->turns) {
        const cJSON *output = json_get(t, "output");
        if (strcmp(json_str(t, "stage", ""), "asked") == 0 &&
            strcmp(json_str(output, "round", ""), mark) == 0)
            return true;
    }
    return false;
}

static void ask(const struct analysis *an, const struct analyst_input *in, cJSON *turn,
                cJSON *stages, int round, cJSON *calls)
{
    const struct round *r = &rounds[round];
    cJSON *asked = cJSON_CreateObject();

    if (round == 0)
        first_stages(an, stages);
    if (round == 2)
        add_stage(stages, "scores", stage_scores(an));
    json_add_str(asked, "round", arena_printf(an->a, "%d", round + 1));
    json_add_num(asked, "calls", cJSON_GetArraySize(calls));
    add_stage(stages, "asked", asked);
    json_add_str(turn, "stage", r->stage);
    json_add_str(turn, "text", tr(an->s, r->en, r->zh));
    if (in->want_plan && round == 0)
        as_plan(an->s, turn, calls);
    else
        json_add_copy(turn, "tool_calls", calls);
}

static void finish(struct analysis *an, cJSON *turn, cJSON *stages)
{
    confidence_make(an);
    json_add_str(turn, "stage", "texts");
    json_add_str(turn, "text",
                 tr(an->s, "I have what the rules need and submit the decision.",
                    "规则所需信息已齐，提交结论。"));
    cJSON_AddItemToObject(turn, "final", record_make(an));
    last_stages(an, stages);
}

static cJSON *round_calls(struct analysis *an, int round)
{
    cJSON *calls = json_arr(an->a);

    rounds[round].ask(an, calls);
    while (cJSON_GetArraySize(calls) > CALLS_MAX)
        cJSON_DeleteItemFromArray(calls, CALLS_MAX);
    return calls;
}

enum progress { ROUND_OPEN, ROUND_DONE, ROUND_DEAD };

/* Dead: asked, and nothing came back, or the budget is out. Then no other round is asked for; the
 * case ends with what there is. */
static enum progress round_progress(struct analysis *an, const cJSON *calls, int round)
{
    int before = an->answers_count;
    bool any = answers_read(an, calls);

    if (calls->child == NULL)
        return ROUND_DONE;
    if (!any)
        return round_recorded(an, arena_printf(an->a, "%d", round + 1)) ? ROUND_DEAD : ROUND_OPEN;
    for (int i = before; i < an->answers_count; i++)
        if (an->answers[i].output != NULL || !an->answers[i].no_budget)
            return ROUND_DONE;
    return ROUND_DEAD;
}

int analyst_next(const struct analyst_input *in, struct arena *a, cJSON **out, struct err *err)
{
    struct analysis *an = arena_new_of(a, struct analysis);
    struct study *s = arena_new_of(a, struct study);
    int rc = study_make(s, a, in->request, in->material, err);

    if (rc != 0)
        return rc;
    *an = (struct analysis){.s = s,
                            .a = a,
                            .turns = in->turns,
                            .choice = -1,
                            .runner_up = -1,
                            .rival = -1,
                            .best_overall = -1};
    an->matrix_answer = an->risk_answer = an->flip_answer = -1;
    an->seed = calls_seed(s, a);
    criteria_weigh(an);
    risks_collect(an);
    cJSON *turn = json_obj(a), *stages = json_add_arr(turn, "stages");
    for (int i = 0; i < (int)ARRAY_LEN(rounds); i++) {
        cJSON *calls = round_calls(an, i);
        enum progress p = an->stopped ? ROUND_DEAD : round_progress(an, calls, i);

        if (p == ROUND_OPEN) {
            ask(an, in, turn, stages, i, calls);
            *out = turn;
            return 0;
        }
        an->stopped = an->stopped || p == ROUND_DEAD;
        rounds[i].read(an);
    }
    finish(an, turn, stages);
    *out = turn;
    return 0;
}
