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

static void turn_read(struct engine *e, struct talk *t, const cJSON *content)
{
    const cJSON *block;
    int n = 0;

    t->turn = (struct turn){NULL, 0, false};
    if (t->view == NULL)
        e->plan_call = NULL;
    t->turn.calls = arena_array(e->a, struct call, cJSON_GetArraySize(content) + 1);
    cJSON_ArrayForEach (block, content) {
        const cJSON *input = json_get(block, "input");
        struct call *c = &t->turn.calls[n];

        if (strcmp(json_str(block, "type", ""), "tool_use") != 0)
            continue;
        c->use_id = arena_strdup(e->a, json_str(block, "id", ""));
        c->talk = t;
        c->name = clean_name(e, json_str(block, "name", ""));
        if (cJSON_IsObject(input) && json_get(input, "invalid_json") == NULL)
            c->input = input; /* of the payload: turn_keep */
        n++;
    }
    t->turn.count = n;
}

/* What outlives the event: the inputs of calls that go on. The decision is in the final event. */
void turn_keep(struct engine *e, struct talk *t)
{
    for (int i = 0; i < t->turn.count; i++) {
        struct call *c = &t->turn.calls[i];
        bool needed = strcmp(c->name, TOOL_SUBMIT) != 0 && c->input != NULL;

        c->input = needed ? json_own(e->a, cJSON_Duplicate(c->input, true)) : NULL;
    }
}

static struct call *turn_find(struct talk *t, const char *name)
{
    for (int i = 0; name != NULL && i < t->turn.count; i++)
        if (strcmp(t->turn.calls[i].name, name) == 0)
            return &t->turn.calls[i];
    return NULL;
}

static struct call *turn_own(struct engine *e, struct talk *t)
{
    struct call *c = turn_find(t, t->view != NULL ? TOOL_VIEW : TOOL_SUBMIT);

    return c != NULL || t->view != NULL ? c : turn_find(t, e->strategy->tool);
}

void turn_close(struct engine *e, struct talk *t, const char *why)
{
    if (t->turn.told)
        return;
    t->turn.told = true;
    if (t->view == NULL && e->plan_call != NULL && !e->plan_call->ended)
        plan_close(e, why);
    for (int i = 0; i < t->turn.count; i++) {
        const struct call *c = &t->turn.calls[i];

        talk_result(t, c->use_id, c->ended ? c->answer : str_of(why == NULL ? "Not run." : why),
                    !c->ended || c->failed);
    }
}

/* The analyst asks for its tools again and again until it hears that they cannot be had. */
static void turn_refuse_all(struct engine *e, struct talk *t, const char *code, const char *message)
{
    for (int i = 0; i < t->turn.count; i++)
        call_never(e, &t->turn.calls[i], code, message);
    turn_close(e, t, message);
}

void turn_pump(struct engine *e, struct talk *t)
{
    for (int i = 0; i < t->turn.count; i++)
        if (!t->turn.calls[i].ended)
            return;
    if (act_deciding(e, t))
        return;
    turn_close(e, t, NULL);
    budget_call_model(e, t, NULL);
}

static void turn_start(struct engine *e, struct talk *t)
{
    int most = e->s->max_tools_a_turn > 0 ? e->s->max_tools_a_turn : TURN_TOOLS_DEFAULT;

    for (int i = 0; i < t->turn.count; i++) {
        struct call *c = &t->turn.calls[i];

        if (i < most) {
            call_start(e, c);
            continue;
        }
        c->ended = c->failed = true;
        c->answer =
            str_of(arena_printf(e->a, "Not run: at most %d tools in one turn. Ask again.", most));
    }
    turn_pump(e, t);
}

/* ---- a decision was submitted ---- */

static void turn_submit(struct engine *e, struct talk *t, const cJSON *input)
{
    struct validate_ctx ctx = {
        .request = e->request,
        .lang = e->lang,
        .material = e->passages,
        .tolerate_soft = t->repairs > 0 || e->out != NULL,
    };
    struct arena *scratch;
    cJSON *answer, *faults = NULL;

    if (input == NULL) {
        turn_repair(e, t, one_fault(e, "type", "the answer is no JSON object"));
        return;
    }
    scratch = arena_new();
    ctx.events = notes_results(e, scratch);
    answer = json_own(scratch, cJSON_Duplicate(input, true));
    if (strcmp(e->provider, "offline") != 0) /* the analyst numbers its evidence by itself */
        evidence_complete(e, answer);
    if (decision_validate(answer, &ctx, scratch, &faults) == 0 && e->strategy->check != NULL)
        e->strategy->check(e, answer, faults);
    if (!cJSON_IsObject(answer) || cJSON_GetArraySize(faults) > 0) {
        turn_repair(e, t, faults);
    } else {
        if (strcmp(e->provider, "offline") != 0)
            decision_cap_confidence(answer, &ctx, scratch);
        finish_completed(e, answer);
    }
    arena_free(scratch);
}

static bool looks_submitted(const cJSON *o)
{
    return json_get(o, "final_recommendation") != NULL || json_get(o, "recommendations") != NULL ||
           json_get(o, "situation_analysis") != NULL;
}

static void turn_text(struct engine *e, struct talk *t)
{
    struct arena *scratch = arena_new();
    cJSON *found = NULL;
    struct err err;

    if (t->last_text.n > 0 && decision_extract(t->last_text, scratch, &found, &err) == 0 &&
        looks_submitted(found))
        turn_submit(e, t, found);
    else
        turn_repair(e, t,
                    one_fault(e, "no_submission",
                              "The turn ended without a call of a tool. The work ends by calling "
                              "submit_decision."));
    arena_free(scratch);
}

/* ---- repairs ---- */

static void give_up(struct engine *e, struct talk *t, const cJSON *faults)
{
    cJSON *details = json_obj(e->a), *p;

    if (t->view != NULL) {
        council_fail(e, t, "its answers could not be read");
        return;
    }
    if (e->strategy->tool != NULL && !e->planned && e->out == NULL) {
        p = json_obj(e->a);
        json_add_str(p, "mode", strategy_react.name);
        json_add_str(p, "why", "no valid plan came after two repairs");
        act_record(e, t, EV_PLAN, "strategy", p);
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

void turn_repair(struct engine *e, struct talk *t, cJSON *faults)
{
    cJSON *p;

    if (t->repairs >= REPAIRS_MAX || !budget_affords_repair(e, t)) {
        give_up(e, t, faults);
        return;
    }
    p = json_obj(e->a);
    json_add_copy(p, "faults", faults);
    json_add_num(p, "attempt", t->repairs + 1);
    act_record(e, t, EV_REPAIR, NULL, p);
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

void turn_repaired(struct engine *e, struct talk *t, const cJSON *payload)
{
    const cJSON *faults = json_get(payload, "faults");
    const char *reason = json_str(cJSON_GetArrayItem(faults, 0), "reason", "");
    const char *last = t->view == NULL ? TOOL_SUBMIT : TOOL_VIEW;
    struct prompt_var vars[] = {{"faults", faults_text(e, faults)}, {"tool", str_of(last)}};
    struct call *own = turn_own(e, t);
    const char *force = own != NULL ? own->name : t->model == NULL ? NULL : t->model->force;
    struct str text;

    t->repairs++;
    if (strcmp(reason, "max_tokens") == 0 && t->turn.count == 0) {
        t->max_tokens = MIN(t->max_tokens * 2, MAX(t->max_tokens, MAX_TOKENS_MOST));
        budget_call_model(e, t, force);
        return;
    }
    text =
        prompt_fill(e->a, talk_prompt(e, strcmp(reason, "no_submission") == 0 ? "nudge" : "repair"),
                    vars, ARRAY_LEN(vars));
    if (own != NULL && !own->ended) {
        own->ended = own->failed = true;
        own->answer = text;
        turn_close(e, t, "Not run: the answer was submitted in the same turn.");
    } else {
        turn_close(e, t, "Not run.");
        talk_text(t, text);
    }
    if (force == NULL && t->repairs >= REPAIRS_MAX)
        force = last;
    budget_call_model(e, t, force);
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
    e->provider = arena_strdup(e->a, json_str(payload, "provider", ""));
    e->model_name = arena_strdup(e->a, json_str(payload, "model", NULL));
    e->degraded = e->degraded || json_bool(payload, "degraded", false);
    e->all_offline = (e->all_offline || !e->any_answer) && strcmp(e->provider, "offline") == 0;
    e->any_answer = true;
}

/* Made to submit, it called something else. The analyst cannot be made to: it hears that its tools
 * are not to be had, and submits then. */
static void turn_over_budget(struct engine *e, struct talk *t)
{
    if (strcmp(e->provider, "offline") == 0) {
        turn_refuse_all(e, t, "BUDGET_EXCEEDED", "Not run: the budget ran out.");
        budget_call_model(e, t, NULL);
    } else {
        turn_repair(e, t, one_fault(e, "no_submission", "Only submit_decision may be called now."));
    }
}

/* A view of a council ends with its position; whatever else goes wrong ends that view alone. */
static void turn_view(struct engine *e, struct talk *t, const struct act *a, const char *stop)
{
    struct call *c = turn_find(t, TOOL_VIEW);

    if (strcmp(e->provider, "offline") == 0)
        council_fail(e, t, "no model answered");
    else if (c != NULL)
        council_submitted(e, t, c);
    else if (t->turn.count > 0)
        turn_start(e, t);
    else if (strcmp(stop, "pause_turn") == 0)
        budget_call_model(e, t, a->force);
    else
        turn_repair(e, t,
                    one_fault(e, "no_submission", "The turn ended without a call of a tool."));
}

static void turn_main(struct engine *e, struct talk *t, const struct act *a, const char *stop)
{
    struct call *c;

    if ((c = turn_find(t, TOOL_SUBMIT)) != NULL)
        turn_submit(e, t, c->input);
    else if (e->out != NULL && t->turn.count > 0)
        turn_over_budget(e, t);
    else if ((c = turn_find(t, e->strategy->tool)) != NULL)
        e->strategy->called(e, c);
    else if (t->turn.count > 0)
        turn_start(e, t);
    else if (strcmp(stop, "pause_turn") == 0)
        budget_call_model(e, t, a->force);
    else
        turn_text(e, t);
}

static void turn_refused(struct engine *e, struct talk *t)
{
    if (t->view != NULL)
        council_fail(e, t, "the model refused to answer");
    else
        finish_failed(e, "LLM_ERROR", "The model refused to answer.", NULL);
}

void turn_model(struct engine *e, struct act *a, const cJSON *payload, struct str raw)
{
    const cJSON *content = json_get(payload, "content");
    const char *stop = json_str(payload, "stop_reason", "");
    struct talk *t = a->talk;

    note_provider(e, payload);
    t->nonce = arena_strdup(e->a, json_str(payload, "nonce", NULL));
    t->last_text = text_of(e, content);
    if (strcmp(stop, "refusal") == 0) {
        turn_refused(e, t);
        return;
    }
    if (strcmp(stop, "max_tokens") == 0) { /* forgotten, and asked again with more room */
        turn_read(e, t, NULL);
        turn_repair(e, t,
                    one_fault(e, "max_tokens", "the answer was cut off by its limit of tokens"));
        return;
    }
    turn_read(e, t, content);
    talk_assistant(e, t, raw);
    if (t->view != NULL)
        turn_view(e, t, a, stop);
    else
        turn_main(e, t, a, stop);
}
