/* plan.c: plan, then execute. The model writes the whole graph of steps in one forced call
 * (submit_plan); what does not depend on each other runs at once, without a model call between.
 * When a step fails, what does not need it still runs; then the model sees how all went and may
 * write the rest of the plan anew, twice at most. After that it goes on as react does, with every
 * outcome before it, until it submits.
 *
 *   call submit_plan --valid--> RECORD graph --> steps ... --all well--> call, submit
 *          ^  \--faults--> repair (without a valid plan after two: react)
 *          \--------------- a step failed (REPLANS_MAX) ----/ */
#include "libcommon/base/compat.h"
#include "services/agent/engine/prompt.h"
#include "services/agent/engine/state.h"

static void plan_start(struct engine *e)
{
    budget_call_model(e, &e->main, TOOL_PLAN);
}

static void plan_called(struct engine *e, struct call *c)
{
    cJSON *faults = json_arr(e->a), *p = json_obj(e->a);
    struct step *scratch = arena_array(e->a, struct step, STEPS_MAX);

    graph_read(e, json_get(c->input, "steps"), scratch, faults);
    if (cJSON_GetArraySize(faults) > 0) {
        turn_repair(e, &e->main, faults);
        return;
    }
    json_add_copy(p, "steps", json_get(c->input, "steps"));
    act_record(e, &e->main, EV_PLAN, "graph", p);
}

static struct call *submitted_plan(struct engine *e)
{
    for (int i = 0; i < e->main.turn.count; i++)
        if (strcmp(e->main.turn.calls[i].name, TOOL_PLAN) == 0)
            return &e->main.turn.calls[i];
    return NULL;
}

void plan_accept(struct engine *e, const cJSON *payload)
{
    cJSON *faults = json_arr(e->a);
    struct step *steps = arena_array(e->a, struct step, STEPS_MAX);
    int n = graph_read(e, json_get(payload, "steps"), steps, faults);

    e->plan_call = submitted_plan(e);
    if (cJSON_GetArraySize(faults) > 0) { /* a log that this release cannot follow: go on without */
        turn_close(e, &e->main, "The plan cannot be run.");
        budget_call_model(e, &e->main, NULL);
        return;
    }
    e->steps = steps;
    e->step_count = n;
    e->planned = true;
    e->main.repairs = 0;
    plan_pump(e);
}

static bool ready(const struct engine *e, const struct step *s)
{
    if (s->state != STEP_WAITING)
        return false;
    for (int i = 0; i < s->need_count; i++)
        if (e->steps[s->needs[i]].state != STEP_OK)
            return false;
    return true;
}

static void step_start(struct engine *e, struct step *s)
{
    const char *missing;

    s->state = STEP_RUNNING;
    s->call = (struct call){.use_id = s->id, .name = s->tool, .step = s, .talk = &e->main};
    s->call.input = graph_resolve(e, s->input, &missing);
    if (s->call.input != NULL) {
        call_start(e, &s->call);
        return;
    }
    s->call.input = s->input;
    call_refuse(e, &s->call, "INPUT_UNRESOLVED", missing);
}

static bool any_in(const struct engine *e, enum step_state state)
{
    for (int i = 0; i < e->step_count; i++)
        if (e->steps[i].state == state)
            return true;
    return false;
}

static void all_ended(struct engine *e)
{
    bool replan = (any_in(e, STEP_FAILED) || any_in(e, STEP_WAITING)) && e->replans < REPLANS_MAX &&
                  e->out == NULL;

    if (replan)
        e->replans++;
    if (e->plan_call != NULL)
        plan_close(e, talk_prompt(e, replan ? "replan" : "submit"));
    else
        talk_text(&e->main, str_of(talk_prompt(e, replan ? "replan" : "submit")));
    turn_close(e, &e->main, NULL);
    budget_call_model(e, &e->main, replan ? TOOL_PLAN : NULL);
}

void plan_pump(struct engine *e)
{
    for (int i = 0; i < e->step_count; i++)
        if (ready(e, &e->steps[i]))
            step_start(e, &e->steps[i]);
    if (!any_in(e, STEP_RUNNING) && !act_deciding(e, &e->main))
        all_ended(e);
}

static const char *state_words(const struct step *s)
{
    switch (s->state) {
    case STEP_OK:
        return "done";
    case STEP_FAILED:
        return "failed";
    case STEP_RUNNING:
        return "stopped";
    default:
        return "not run, since what it needs was not there";
    }
}

void plan_close(struct engine *e, const char *more)
{
    struct call *c = e->plan_call;
    struct buf b;

    buf_init(&b, MESSAGES_MAX);
    for (int i = 0; i < e->step_count; i++) {
        struct step *s = &e->steps[i];

        if (s->told)
            continue;
        s->told = s->state == STEP_OK || s->state == STEP_FAILED;
        buf_printf(&b, "Step %s (%s): %s.\n", s->id, s->tool, state_words(s));
        buf_str(&b, s->call.ended ? s->call.answer : STR(""));
        buf_puts(&b, s->call.ended ? "\n" : "");
    }
    buf_puts(&b, more == NULL ? "" : more);
    c->ended = true;
    c->answer = arena_str(e->a, buf_view(&b));
    buf_done(&b);
}

const struct strategy strategy_plan = {
    .name = "plan_and_execute",
    .tool = TOOL_PLAN,
    .start = plan_start,
    .called = plan_called,
};
