/* turn.c: what the model answered, and what follows. An answer is tools to run, a decision that was
 * submitted, the strategy's own tool, or words. Whatever is wrong with it goes back to the model
 * with the reason, a bounded number of times.
 *
 * Every tool_use block gets exactly one tool_result, all of a turn in one user message and in the
 * order of the blocks, whichever ended first: providers insist on it, and the bytes must not depend
 * on timing. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate.h"
#include "services/agent/engine/prompt.h"
#include "services/agent/engine/state.h"

#define NAME_MAX_CHARS 64
#define MAX_TOKENS_MOST 128000
#define FAULTS_TOLD 20

void fault_add(cJSON *faults, const char *field, const char *reason, const char *message)
{
    cJSON *f = cJSON_CreateObject();

    json_add_str(f, "field", field);
    json_add_str(f, "reason", reason);
    json_add_str(f, "message", message);
    cJSON_AddItemToArray(faults, f);
}

static cJSON *one_fault(struct engine *e, const char *reason, const char *message)
{
    cJSON *faults = json_arr(e->a);

    fault_add(faults, "", reason, message);
    return faults;
}

/* ---- the turn ---- */

static const char *clean_name(struct engine *e, const char *name)
{
    struct str s = utf8_cut(str_of(name), NAME_MAX_CHARS);

    return s.n == 0 ? "unnamed" : arena_strndup(e->a, s.p, s.n);
}

static void turn_read(struct engine *e, const cJSON *content)
{
    const cJSON *block;
    int n = 0;

    e->turn = (struct turn){NULL, 0, false};
    e->plan_call = NULL;
    e->turn.calls = arena_array(e->a, struct call, cJSON_GetArraySize(content) + 1);
    cJSON_ArrayForEach (block, content) {
        const cJSON *input = json_get(block, "input");
        struct call *c = &e->turn.calls[n];

        if (strcmp(json_str(block, "type", ""), "tool_use") != 0)
            continue;
        c->use_id = json_str(block, "id", "");
        c->name = clean_name(e, json_str(block, "name", ""));
        if (cJSON_IsObject(input) && json_get(input, "invalid_json") == NULL)
            c->input = input;
        n++;
    }
    e->turn.count = n;
}

static struct call *turn_find(struct engine *e, const char *name)
{
    for (int i = 0; name != NULL && i < e->turn.count; i++)
        if (strcmp(e->turn.calls[i].name, name) == 0)
            return &e->turn.calls[i];
    return NULL;
}

static struct call *turn_own(struct engine *e)
{
    struct call *c = turn_find(e, TOOL_SUBMIT);

    return c != NULL || e->strategy == NULL ? c : turn_find(e, e->strategy->tool);
}

void turn_close(struct engine *e, const char *why)
{
    if (e->turn.told)
        return;
    e->turn.told = true;
    if (e->plan_call != NULL && !e->plan_call->ended)
        plan_close(e, why);
    for (int i = 0; i < e->turn.count; i++) {
        const struct call *c = &e->turn.calls[i];

        talk_result(e, c->use_id, c->ended ? c->answer : str_of(why == NULL ? "Not run." : why),
                    !c->ended || c->failed);
    }
}

/* The analyst asks for its tools again and again until it hears that they cannot be had. */
static void turn_refuse_all(struct engine *e, const char *code, const char *message)
{
    cJSON *error = json_obj(e->a);

    json_add_str(error, "code", code);
    json_add_str(error, "message", message);
    for (int i = 0; i < e->turn.count; i++) {
        e->turn.calls[i].failed = true;
        call_note(e, &e->turn.calls[i], error, e->seq);
    }
    turn_close(e, message);
}

void turn_pump(struct engine *e)
{
    for (int i = 0; i < e->turn.count; i++)
        if (!e->turn.calls[i].ended)
            return;
    if (act_deciding(e))
        return;
    turn_close(e, NULL);
    budget_call_model(e, NULL);
}

static void turn_start(struct engine *e, const struct act *parent)
{
    int most = e->s->max_tools_a_turn > 0 ? e->s->max_tools_a_turn : TURN_TOOLS_DEFAULT;

    for (int i = 0; i < e->turn.count; i++) {
        struct call *c = &e->turn.calls[i];

        if (i < most) {
            call_start(e, c, parent);
            continue;
        }
        c->ended = c->failed = true;
        c->answer =
            str_of(arena_printf(e->a, "Not run: at most %d tools in one turn. Ask again.", most));
    }
    turn_pump(e);
}

/* ---- a decision was submitted ---- */

static void turn_submit(struct engine *e, const cJSON *input)
{
    struct validate_ctx ctx = {
        .request = e->request,
        .lang = e->lang,
        .events = e->results,
        .material = e->passages,
        .tolerate_soft = e->repairs > 0 || e->out != NULL,
    };
    cJSON *answer, *faults = NULL;

    if (input == NULL) {
        turn_repair(e, one_fault(e, "type", "the answer is no JSON object"));
        return;
    }
    answer = json_own(e->a, cJSON_Duplicate(input, true));
    if (strcmp(e->provider, "offline") != 0) /* the analyst numbers its evidence by itself */
        evidence_complete(e, answer);
    if (decision_validate(answer, &ctx, e->a, &faults) != 0 || cJSON_GetArraySize(faults) > 0) {
        turn_repair(e, faults);
        return;
    }
    if (strcmp(e->provider, "offline") != 0)
        decision_cap_confidence(answer, &ctx, e->a);
    finish_completed(e, answer);
}

static bool looks_submitted(const cJSON *o)
{
    return json_get(o, "final_recommendation") != NULL || json_get(o, "recommendations") != NULL ||
           json_get(o, "situation_analysis") != NULL;
}

static void turn_text(struct engine *e)
{
    cJSON *found = NULL;
    struct err err;

    if (e->last_text.n > 0 && decision_extract(e->last_text, e->a, &found, &err) == 0 &&
        looks_submitted(found))
        turn_submit(e, found);
    else
        turn_repair(e,
                    one_fault(e, "no_submission",
                              "The turn ended without a call of a tool. The work ends by calling "
                              "submit_decision."));
}

/* ---- repairs ---- */

static void give_up(struct engine *e, const cJSON *faults)
{
    cJSON *details = json_obj(e->a), *p;

    if (e->strategy->tool != NULL && !e->planned && e->out == NULL) {
        p = json_obj(e->a);
        json_add_str(p, "mode", strategy_react.name);
        json_add_str(p, "why", "no valid plan came after two repairs");
        act_record(e, EV_PLAN, "strategy", p, e->model);
        return;
    }
    json_add_copy(details, "faults", faults);
    if (e->out != NULL) {
        json_add_str(details, "budget", e->out);
        json_add_num(details, "limit", e->out_limit);
        json_add_num(details, "used", e->out_used);
        finish_failed(e, "BUDGET_EXCEEDED",
                      "The budget ran out, and the last answer does not validate.", details);
    } else {
        finish_failed(e, "PARSE_ERROR", "The model's answer could not be read as a result.",
                      details);
    }
}

void turn_repair(struct engine *e, cJSON *faults)
{
    cJSON *p;

    if (e->repairs >= REPAIRS_MAX || !budget_affords_repair(e)) {
        give_up(e, faults);
        return;
    }
    p = json_obj(e->a);
    json_add_copy(p, "faults", faults);
    json_add_num(p, "attempt", e->repairs + 1);
    act_record(e, EV_REPAIR, NULL, p, e->model);
}

static struct str faults_text(struct engine *e, const cJSON *faults)
{
    const cJSON *f;
    struct buf b;
    struct str text;
    int n = 0;

    buf_init(&b, OUTPUT_MAX);
    cJSON_ArrayForEach (f, faults) {
        if (n++ == FAULTS_TOLD) {
            buf_puts(&b, "\n- and more of the same kind");
            break;
        }
        buf_printf(&b, "\n- %s: %s (%s)", json_str(f, "field", ""), json_str(f, "message", ""),
                   json_str(f, "reason", ""));
    }
    text = arena_str(e->a, buf_view(&b));
    buf_done(&b);
    return text;
}

void turn_repaired(struct engine *e, const cJSON *payload)
{
    const cJSON *faults = json_get(payload, "faults");
    const char *reason = json_str(cJSON_GetArrayItem(faults, 0), "reason", "");
    struct prompt_var vars[] = {{"faults", faults_text(e, faults)}};
    struct call *own = turn_own(e);
    const char *force = own != NULL ? own->name : e->model == NULL ? NULL : e->model->force;
    struct str text;

    e->repairs++;
    if (strcmp(reason, "max_tokens") == 0 && e->turn.count == 0) {
        e->max_tokens = MIN(e->max_tokens * 2, MAX(e->max_tokens, MAX_TOKENS_MOST));
        budget_call_model(e, force);
        return;
    }
    text =
        prompt_fill(e->a, talk_prompt(e, strcmp(reason, "no_submission") == 0 ? "nudge" : "repair"),
                    vars, ARRAY_LEN(vars));
    if (own != NULL && !own->ended) {
        own->ended = own->failed = true;
        own->answer = text;
        turn_close(e, "Not run: the answer was submitted in the same turn.");
    } else {
        turn_close(e, "Not run.");
        talk_text(e, text);
    }
    if (force == NULL && e->repairs >= REPAIRS_MAX)
        force = TOOL_SUBMIT;
    budget_call_model(e, force);
}

/* ---- the door ---- */

static struct str text_of(struct engine *e, const cJSON *content)
{
    const cJSON *block;
    struct buf b;
    struct str text;

    buf_init(&b, MESSAGES_MAX);
    cJSON_ArrayForEach (block, content) {
        if (strcmp(json_str(block, "type", ""), "text") == 0)
            buf_puts(&b, json_str(block, "text", ""));
    }
    text = arena_str(e->a, buf_view(&b));
    buf_done(&b);
    return text;
}

static void note_provider(struct engine *e, const cJSON *payload)
{
    e->provider = json_str(payload, "provider", "");
    e->model_name = json_str(payload, "model", NULL);
    e->degraded = e->degraded || json_bool(payload, "degraded", false);
    e->all_offline = (e->all_offline || !e->any_answer) && strcmp(e->provider, "offline") == 0;
    e->any_answer = true;
}

/* Made to submit, it called something else. The analyst cannot be made to: it hears that its tools
 * are not to be had, and submits then. */
static void turn_over_budget(struct engine *e)
{
    if (strcmp(e->provider, "offline") == 0) {
        turn_refuse_all(e, "BUDGET_EXCEEDED", "Not run: the budget ran out.");
        budget_call_model(e, NULL);
    } else {
        turn_repair(e, one_fault(e, "no_submission", "Only submit_decision may be called now."));
    }
}

void turn_model(struct engine *e, struct act *a, const cJSON *payload, struct str raw)
{
    const cJSON *content = json_get(payload, "content");
    const char *stop = json_str(payload, "stop_reason", "");
    struct call *c;

    note_provider(e, payload);
    e->last_text = text_of(e, content);
    if (strcmp(stop, "refusal") == 0) {
        finish_failed(e, "LLM_ERROR", "The model refused to answer.", NULL);
        return;
    }
    if (strcmp(stop, "max_tokens") ==
        0) { /* cut in the middle: forgotten, and asked again with room */
        turn_read(e, NULL);
        turn_repair(e, one_fault(e, "max_tokens", "the answer was cut off by its limit of tokens"));
        return;
    }
    turn_read(e, content);
    talk_assistant(e, raw);
    if ((c = turn_find(e, TOOL_SUBMIT)) != NULL)
        turn_submit(e, c->input);
    else if (e->out != NULL && e->turn.count > 0)
        turn_over_budget(e);
    else if ((c = turn_find(e, e->strategy->tool)) != NULL)
        e->strategy->called(e, c);
    else if (e->turn.count > 0)
        turn_start(e, a);
    else if (strcmp(stop, "pause_turn") == 0)
        budget_call_model(e, a->force);
    else
        turn_text(e);
}
