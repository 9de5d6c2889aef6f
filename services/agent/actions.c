/* actions.c: the flow of an action and the table of performers. See actions.h. */
#include "libcommon/base/compat.h"
#include "services/agent/actions.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/fault.h"
#include "services/agent/live.h"

static const struct performer *const performers[] = {
    [ACTION_GATHER] = &perform_gather, [ACTION_MODEL] = &perform_model,
    [ACTION_TOOL] = &perform_tool,     [ACTION_RECORD] = &perform_record,
    [ACTION_FINISH] = &perform_record,
};

enum { STEP_INTEND, STEP_PERFORM, STEP_RECORD };

static struct action_flow *flow_action(struct flow *f)
{
    return f->owner;
}

struct action_flow *action_of(struct list *link)
{
    return LIST_ENTRY(link, struct action_flow, link);
}

struct append *action_append(struct action_flow *f, int events)
{
    struct append *ap = append_new(f->run, events);

    for (int i = 0; i < events; i++) {
        struct event *e = &ap->events[i];

        e->action_id = arena_strdup(ap->arena, f->action.id);
        e->parent_id = arena_strdup(ap->arena, f->action.parent_id);
        e->taint = f->action.taint;
        e->started_us = f->started_us;
        e->duration_ms = MAX((clock_wall_us() - f->started_us) / 1000, 0);
        e->actor = "engine";
    }
    return ap;
}

static void on_intended(struct append *ap, const struct err *err UNUSED)
{
    struct action_flow *f = ap->arg;

    flow_wake(&f->flow, WAKE_REPLY);
}

/* The intent of a call with side effects is committed before the call. */
static enum verdict intend(struct flow *fl, unsigned wake)
{
    struct action_flow *f = flow_action(fl);
    struct append *ap;
    cJSON *payload;

    if (f->action.kind != ACTION_TOOL || !f->action.tool.intend || (wake & WAKE_REPLY))
        return flow_goto(fl, STEP_PERFORM);
    ap = action_append(f, 1);
    payload = json_obj(ap->arena);
    json_add_str(payload, "tool_use_id", f->action.tool.tool_use_id);
    json_add_copy(payload, "input", f->action.tool.input);
    ap->events[0].type = "tool";
    ap->events[0].name = arena_strdup(ap->arena, f->action.tool.name);
    ap->events[0].payload = json_print(ap->arena, payload);
    ap->done = on_intended;
    ap->arg = f;
    run_append(f->run, ap);
    return STEP_WAIT;
}

static enum verdict perform(struct flow *fl, unsigned wake)
{
    struct action_flow *f = flow_action(fl);

    if (wake & WAKE_ENTER) {
        performers[f->action.kind]->start(f);
        return STEP_WAIT;
    }
    return flow_goto(fl, STEP_RECORD);
}

static void on_recorded(struct append *ap, const struct err *err UNUSED)
{
    struct action_flow *f = ap->arg;

    flow_wake(&f->flow, WAKE_REPLY);
}

static enum verdict record(struct flow *fl, unsigned wake)
{
    struct action_flow *f = flow_action(fl);

    if (wake & WAKE_REPLY)
        return STEP_DONE;
    f->outcome->done = on_recorded;
    f->outcome->arg = f;
    run_append(f->run, f->outcome);
    f->outcome = NULL;
    return STEP_WAIT;
}

static const struct step steps[] = {
    [STEP_INTEND] = {"intend", intend, 0, true},
    [STEP_PERFORM] = {"perform", perform, 0, false},
    [STEP_RECORD] = {"record", record, 0, true},
};

static void free_action(void *p)
{
    struct action_flow *f = p;

    arena_free(f->arena);
    free(f);
}

static void let_go(struct action_flow *f)
{
    performers[f->action.kind]->stop(f);
    span_end(&f->span);
    if (f->outcome != NULL)
        arena_free(f->outcome->arena);
    list_remove(&f->link);
    loop_free_later(f->run->app->loop, free_action, f);
}

static void on_end(struct flow *fl, enum verdict v UNUSED)
{
    struct action_flow *f = flow_action(fl);
    struct run *r = f->run;

    let_go(f);
    run_action_done(r);
}

void action_start(struct run *r, const struct action *a)
{
    struct action_flow *f = xcalloc(1, sizeof(*f));

    f->run = r;
    f->action = *a;
    f->arena = arena_new();
    f->started_us = clock_wall_us();
    list_push(&r->actions, &f->link);
    if (a->kind == ACTION_MODEL || a->kind == ACTION_TOOL)
        say_start(r, a->id, a->kind == ACTION_MODEL ? "reason" : "observe",
                  a->kind == ACTION_MODEL ? "model" : a->tool.name);
    if (a->kind == ACTION_MODEL)
        span_start(&f->span, &r->span.context, "llm_call", SPAN_CLIENT);
    else if (a->kind == ACTION_TOOL)
        span_start(&f->span, &r->span.context, "execute_skill", SPAN_INTERNAL);
    flow_init(&f->flow, r->app->loop, steps, on_end, NULL, f);
    flow_start(&f->flow);
}

void action_cancel(struct action_flow *f)
{
    if (f->action.kind == ACTION_RECORD || f->action.kind == ACTION_FINISH)
        return; /* the engine waits for these: their event always comes */
    flow_cancel(&f->flow);
}

void action_drop(struct action_flow *f)
{
    flow_done(&f->flow);
    let_go(f);
}

struct str action_partial(const struct action_flow *f)
{
    const struct performer *p = performers[f->action.kind];

    return p->partial == NULL ? (struct str){0} : p->partial(f);
}

void action_outcome(struct action_flow *f, struct append *ap)
{
    f->outcome = ap;
    flow_wake(&f->flow, WAKE_REPLY);
}

const char *action_traceparent(struct action_flow *f)
{
    return trace_format(&f->span.context, arena_alloc(f->arena, TRACEPARENT_LEN + 1));
}

int64_t action_time_left_ms(const struct action_flow *f)
{
    struct engine_view view;
    int64_t used_ms;

    engine_look(f->run->engine, &view);
    used_ms = view.started_us == 0 ? 0 : (clock_wall_us() - view.started_us) / 1000;
    return MAX(view.budget_seconds * 1000 - used_ms, 1);
}

const char *action_nonce(struct arena *a)
{
    uint8_t bytes[8];

    random_bytes(bytes, sizeof(bytes));
    return hex_encode(bytes, sizeof(bytes), arena_alloc(a, 17));
}

/* --- RECORD and FINISH: what the engine itself decided -------------------------------------------
 */

static struct str raw_part(struct str payload, const char *pointer)
{
    struct str out;

    if (json_raw(payload, pointer, &out) < 0 || str_eqz(out, "null"))
        return (struct str){0};
    return out;
}

/* The decision's last columns, from the payload of the final event. */
static const struct decision_end *decision_end_of(struct append *ap)
{
    struct decision_end *end = arena_new_of(ap->arena, struct decision_end);
    struct str payload = ap->events[0].payload;
    const cJSON *item;
    const char **skills;
    cJSON *root;
    struct err err;

    if (json_parse(ap->arena, payload, JSON_DEPTH_MAX, &root, &err) < 0)
        root = json_obj(ap->arena);
    end->status = json_str(root, "status", "failed");
    end->lang = json_str(root, "lang", NULL);
    end->degraded = json_bool(root, "degraded", false);
    skills = arena_array(ap->arena, const char *, cJSON_GetArraySize(json_get(root, "skills")) + 1);
    cJSON_ArrayForEach (item, json_get(root, "skills"))
        if (cJSON_IsString(item))
            skills[end->skill_count++] = item->valuestring;
    end->skills = skills;
    end->result = raw_part(payload, "/result");
    end->agent = raw_part(payload, "/agent");
    end->usage = raw_part(payload, "/usage");
    end->error = raw_part(payload, "/error");
    return end;
}

static void start_record(struct action_flow *f)
{
    struct append *ap = action_append(f, 1);
    struct event *e = &ap->events[0];

    e->type = event_type_name(f->action.record.type);
    e->name = arena_strdup(ap->arena, f->action.record.name);
    e->actor = arena_strdup(ap->arena, f->action.record.actor);
    e->payload = arena_str(ap->arena, f->action.record.payload);
    if (f->action.kind == ACTION_FINISH)
        ap->end = decision_end_of(ap);
    action_outcome(f, ap);
}

static void stop_record(struct action_flow *f UNUSED)
{
}

const struct performer perform_record = {start_record, stop_record, NULL};
