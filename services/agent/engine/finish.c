/* finish.c: the end of a run as one event: status, the four parts of the result with the record
 * behind them, what it took, and who did it (docs/api.md, 7.2). */
#include "libcommon/base/compat.h"
#include <math.h>
#include "services/agent/engine/state.h"

const char *finish_mode(const struct engine *e)
{
    if (e->all_offline)
        return "offline";
    return e->strategy == NULL ? "react" : e->strategy->name;
}

static void add_usage(const struct engine *e, cJSON *p)
{
    const struct ledger *l = &e->ledger;
    cJSON *u = json_add_obj(p, "usage");

    json_add_num(u, "steps", (double)l->steps_used);
    json_add_num(u, "seconds", (double)((e->now_us - e->started_us) / 1000) / 1000);
    json_add_num(u, "tokens_in", (double)l->tokens_in);
    json_add_num(u, "tokens_out", (double)l->tokens_out);
    json_add_num(u, "usd", l->usd_unknown ? NAN : l->usd_used);
}

static void add_agent(const struct engine *e, cJSON *p)
{
    cJSON *a = json_add_obj(p, "agent");

    json_add_str(a, "mode", finish_mode(e));
    json_add_str(a, "requested_mode", e->s->mode == NULL ? "auto" : e->s->mode);
    json_add_str(a, "provider", e->provider);
    json_add_str(a, "model", e->model_name);
    json_add_str(a, "prompt_version", e->s->prompt_version == NULL ? "v1" : e->s->prompt_version);
    json_add_num(a, "steps", (double)e->ledger.steps_used);
}

static cJSON *recommendation_of(const struct engine *e, const cJSON *answer)
{
    const cJSON *final = json_get(answer, "final_recommendation"), *item;
    const cJSON *first = cJSON_GetArrayItem(json_get(answer, "recommendations"), 0);
    cJSON *r = json_obj(e->a), *risks;

    json_add_str(r, "option", json_str(final, "choice", NULL));
    json_add_num(r, "confidence", json_num(final, "confidence", NAN));
    json_add_str(r, "reasoning", json_str(final, "reasoning", NULL));
    risks = json_add_arr(r, "risks");
    cJSON_ArrayForEach (item, json_get(json_get(answer, "risk_assessment"), "risk_factors")) {
        json_push_str(risks, json_str(item, "name", ""));
    }
    if (cJSON_IsArray(json_get(first, "pros")))
        json_add_copy(r, "benefits", json_get(first, "pros"));
    else
        json_add_arr(r, "benefits");
    return r;
}

static void close_with(struct engine *e, const char *status, const cJSON *result,
                       const cJSON *recommendation, const cJSON *error, const cJSON *produced)
{
    struct arena *scratch = arena_new();
    cJSON *p = json_obj(scratch), *skills;
    bool running = e->phase == PHASE_RUN;
    struct act *a;

    act_drop_all(e);
    e->phase = PHASE_CLOSING;
    json_add_str(p, "status", status);
    json_add_copy(p, "result", result);
    json_add_copy(p, "recommendation", recommendation);
    json_add_copy(p, "error", error);
    if (produced != NULL)
        json_add_copy(p, "produced", produced);
    add_usage(e, p);
    add_agent(e, p);
    skills = json_add_arr(p, "skills");
    for (int i = 0; i < e->skill_count; i++)
        json_push_str(skills, e->skills[i]);
    json_add_str(p, "lang", e->lang);
    json_add_bool(p, "degraded", e->degraded);
    a = act_record(e, &e->main, EV_FINAL, NULL, p);
    arena_free(scratch);
    a->sealed = !running || strcmp(status, "cancelled") == 0 || e->events >= EVENTS_MAX;
}

/* The four parts always stand there; the validator has seen to it, this sees to logs of other
 * releases. */
static void fill_parts(cJSON *answer)
{
    static const char *const objects[] = {"situation_analysis", "risk_assessment",
                                          "final_recommendation"};

    for (size_t i = 0; i < ARRAY_LEN(objects); i++)
        if (json_get(answer, objects[i]) == NULL)
            json_add_obj(answer, objects[i]);
    if (json_get(answer, "recommendations") == NULL)
        json_add_arr(answer, "recommendations");
}

static void mark_partial(const struct engine *e, cJSON *answer)
{
    cJSON *final = json_get(answer, "final_recommendation"),
          *basis = json_get(final, "confidence_basis");

    json_add_bool(answer, "partial", true);
    if (!cJSON_IsObject(final))
        return;
    if (!cJSON_IsArray(basis))
        basis = json_add_arr(final, "confidence_basis");
    json_push_str(
        basis,
        arena_printf(e->a,
                     strcmp(e->lang, "zh") == 0
                         ? "预算（%s）用尽，结论基于当时已有的内容。"
                         : "The budget of %s ran out; this is based on what was there by then.",
                     e->out));
}

void finish_completed(struct engine *e, cJSON *answer)
{
    if (e->phase >= PHASE_CLOSING)
        return;
    fill_parts(answer);
    if (e->out != NULL)
        mark_partial(e, answer);
    close_with(e, "completed", answer, recommendation_of(e, answer), NULL, NULL);
}

/* What was there when the run was stopped: the last words and the tools that ended. */
static cJSON *produced_so_far(const struct engine *e)
{
    cJSON *p = json_obj(e->a), *tools = json_add_arr(p, "tools");

    json_add_strn(p, "text", e->main.last_text.p == NULL ? STR("") : e->main.last_text);
    for (int i = 0; i < e->note_count; i++) {
        cJSON *t;

        if (e->notes[i].tool == NULL || e->notes[i].failed)
            continue;
        t = cJSON_CreateObject();
        json_add_str(t, "tool", e->notes[i].tool);
        json_add_num(t, "seq", (double)e->notes[i].seq);
        cJSON_AddItemToArray(tools, t);
    }
    return p;
}

static void close_failing(struct engine *e, const char *status, const char *code,
                          const char *message, const cJSON *details)
{
    cJSON *error = json_obj(e->a);

    if (e->phase >= PHASE_CLOSING)
        return;
    json_add_str(error, "code", code);
    json_add_str(error, "message", message);
    if (details != NULL)
        json_add_copy(error, "details", details);
    else
        json_add_obj(error, "details");
    close_with(e, status, NULL, NULL, error, produced_so_far(e));
}

void finish_failed(struct engine *e, const char *code, const char *message, cJSON *details)
{
    close_failing(e, "failed", code, message, details);
}

void finish_cancelled(struct engine *e, const cJSON *payload)
{
    const char *by = json_str(payload, "by", NULL);
    const cJSON *partial = json_get(payload, "partial"), *item;
    cJSON *details = json_obj(e->a);

    if (by != NULL)
        json_add_str(details, "by", by);
    cJSON_ArrayForEach (item, partial) /* what streamed last, cut off as it was */
    {
        if (json_str(item, "text", "")[0] != '\0')
            e->main.last_text = arena_str(e->a, str_of(json_str(item, "text", "")));
    }
    close_failing(e, "cancelled", "CANCELLED", "The run was cancelled.", details);
}
