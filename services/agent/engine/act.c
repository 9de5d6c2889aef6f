/* act.c: the table of actions. An action is made by the fold of the event before it, never by
 * engine_next, so its id is the same after any number of crashes: "a1", "a2", ... in order.
 * engine_next only hands out what stands here open. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

struct act *act_new(struct engine *e, enum action_kind kind, struct talk *t,
                    const struct act *parent)
{
    struct act *a = arena_new_of(e->a, struct act);

    if (e->act_count == e->act_cap) {
        int cap = e->act_cap == 0 ? 16 : e->act_cap * 2;
        struct act **grown = arena_array(e->a, struct act *, cap);

        if (e->act_count > 0)
            memcpy(grown, e->acts, sizeof(*grown) * (size_t)e->act_count);
        e->acts = grown;
        e->act_cap = cap;
    }
    e->acts[e->act_count++] = a;
    a->kind = kind;
    a->talk = t;
    a->id = arena_printf(e->a, "a%d", e->act_count);
    a->parent = parent == NULL ? NULL : parent->id;
    return a;
}

struct act *act_find(const struct engine *e, const char *id)
{
    int64_t n;

    if (id == NULL || id[0] != 'a' || str_i64(str_of(id + 1), &n) != 0)
        return NULL;
    if (n < 1 || n > e->act_count || strcmp(e->acts[n - 1]->id, id) != 0)
        return NULL;
    return e->acts[n - 1];
}

struct act *act_record(struct engine *e, struct talk *t, enum event_type type, const char *name,
                       const cJSON *payload)
{
    struct act *a = act_new(e, type == EV_FINAL ? ACTION_FINISH : ACTION_RECORD, t, t->model);

    a->type = type;
    a->name = name;
    if (payload != NULL)
        a->payload = json_print(e->a, payload);
    return a;
}

bool act_waits(const struct act *a)
{
    return a->state == ACT_OPEN || a->state == ACT_INTENDED;
}

bool act_deciding(const struct engine *e, const struct talk *t)
{
    for (int i = e->act_count - 1; i >= 0; i--)
        if (act_waits(e->acts[i]) && e->acts[i]->call == NULL && e->acts[i]->talk == t)
            return true;
    return false;
}

static void drop(struct engine *e, struct act *a)
{
    if (!act_waits(a))
        return;
    a->state = ACT_DROPPED;
    budget_release(e, a);
}

void act_drop_all(struct engine *e)
{
    for (int i = 0; i < e->act_count; i++)
        drop(e, e->acts[i]);
}

void act_drop_work(struct engine *e)
{
    for (int i = 0; i < e->act_count; i++)
        if (e->acts[i]->call != NULL || e->acts[i]->kind == ACTION_MODEL ||
            e->acts[i]->kind == ACTION_GATHER)
            drop(e, e->acts[i]);
}

static void view_done(void *p)
{
    struct act *a = p;

    arena_free(a->view);
    a->view = NULL;
}

/* Large, and gone with the call. */
static const cJSON *analyst_view(struct engine *e, struct act *a)
{
    cJSON *view;

    a->view = arena_new();
    arena_on_reset(e->a, view_done, a);
    view = json_obj(a->view);
    cJSON_AddItemReferenceToObject(view, "request", (cJSON *)(uintptr_t)e->request);
    cJSON_AddItemReferenceToObject(view, "material", (cJSON *)(uintptr_t)e->material);
    cJSON_AddItemReferenceToObject(view, "turns", notes_turns(e, a->view));
    json_add_bool(view, "want_plan", a->force != NULL && strcmp(a->force, TOOL_PLAN) == 0);
    return view;
}

void act_ended(struct act *a)
{
    if (a->view != NULL)
        view_done(a);
}

static void yield_model(struct engine *e, struct act *a, struct action *out)
{
    out->model.system = a->talk->system;
    out->model.tools_json = talk_tools(e, a->talk);
    out->model.messages = a->talk->messages;
    out->model.message_count = a->talk->count;
    out->model.max_tokens = a->max_tokens;
    out->model.force_tool = a->force;
    out->model.analyst = e->s->no_analyst ? NULL : analyst_view(e, a);
    out->model.reserved_tokens = a->reserved_tokens;
}

static void yield_tool(struct engine *e, const struct act *a, struct action *out)
{
    out->tool.name = a->call->name;
    out->tool.tool_use_id = a->call->use_id;
    out->tool.input = a->call->input;
    for (int i = 0; i < e->s->tool_count; i++)
        if (strcmp(e->s->tools[i].name, a->call->name) == 0)
            out->tool.intend = e->s->tools[i].side_effects;
}

static void yield_record(struct engine *e, struct act *a, struct action *out)
{
    if (a->payload.p == NULL && a->make != NULL)
        a->payload = a->make(e);
    out->record.type = a->type;
    out->record.name = a->name;
    out->record.actor = "engine";
    out->record.payload = a->payload;
}

void act_yield(struct engine *e, struct act *a, struct action *out)
{
    memset(out, 0, sizeof(*out));
    a->yielded = true;
    out->kind = a->kind;
    out->id = a->id;
    out->parent_id = a->parent;
    out->taint = e->taint;
    switch (a->kind) {
    case ACTION_GATHER:
        break;
    case ACTION_MODEL:
        yield_model(e, a, out);
        break;
    case ACTION_TOOL:
        yield_tool(e, a, out);
        break;
    case ACTION_RECORD:
    case ACTION_FINISH:
        yield_record(e, a, out);
        break;
    }
}
