/* fold.c: one event into the state. A table says for each kind of event which action it may end or
 * belong to and what its payload must have; that is checked first, so that a refused event changes
 * nothing. Then the row's function folds it and makes the actions that follow.
 *
 * Events that the engine itself asked for (RECORD, FINISH) are folded by what they say, not by what
 * this release would have written: so a log of an older release with other rules leads to the same
 * state. */
#include "libcommon/base/compat.h"
#include "libcommon/method/detectors.h"
#include "services/agent/engine/state.h"

#define STAGE_KEPT_MAX 1024

struct fold {
    const struct engine_event *ev;
    struct act *act; /* NULL: the event names none */
    cJSON *payload;
};

/* Which action the event must name. */
enum owner {
    OWN_NONE, /* none, whatever it says */
    OWN_GATHER,
    OWN_MODEL, /* the action that decides how the run goes on: MODEL, RECORD or FINISH, see adopt */
    OWN_ANY_MODEL, /* a model call, also one that ended */
    OWN_RECORD,    /* as OWN_MODEL */
    OWN_RECORD_OR_NONE,
    OWN_TOOL,
    OWN_CALL, /* a tool call, or the record that answers one */
};

static bool owns(enum owner want, const struct act *a)
{
    bool waits = a != NULL && (act_waits(a) || a->state == ACT_DROPPED);

    if (want == OWN_NONE)
        return true;
    if (want == OWN_RECORD_OR_NONE && a == NULL)
        return true;
    if (want == OWN_ANY_MODEL)
        return a != NULL && a->kind == ACTION_MODEL;
    if (!waits)
        return false;
    switch (want) {
    case OWN_GATHER:
        return a->kind == ACTION_GATHER;
    case OWN_TOOL:
        return a->kind == ACTION_TOOL;
    case OWN_CALL:
        return a->call != NULL;
    default:
        return a->call == NULL && a->kind != ACTION_GATHER;
    }
}

/* ---- what payloads must have ---- */

static bool has_content(const cJSON *p)
{
    const cJSON *content = json_get(p, "content"), *block;

    if (!cJSON_IsArray(content))
        return false;
    cJSON_ArrayForEach (block, content) {
        if (json_str(block, "type", NULL) == NULL)
            return false;
    }
    return true;
}

static bool has_outcome(const cJSON *p)
{
    return json_get(p, "output") != NULL || json_get(p, "error") != NULL;
}

static bool has_stage(const cJSON *p)
{
    return json_get(p, "output") != NULL;
}

static bool has_steps(const cJSON *p)
{
    return cJSON_IsArray(json_get(p, "steps"));
}

static bool has_faults(const cJSON *p)
{
    return cJSON_IsArray(json_get(p, "faults"));
}

static bool has_budget(const cJSON *p)
{
    return json_str(p, "budget", NULL) != NULL;
}

static bool has_status(const cJSON *p)
{
    const char *s = json_str(p, "status", "");

    return strcmp(s, "completed") == 0 || strcmp(s, "failed") == 0 || strcmp(s, "cancelled") == 0;
}

/* ---- the kinds of events ---- */

void fold_material(struct engine *e, const cJSON *material)
{
    cJSON *p = json_obj(e->a);
    const cJSON *chunk;
    const char *why;
    const struct strategy *s;

    e->material = cJSON_IsArray(material) ? material : json_arr(e->a);
    cJSON_ArrayForEach (chunk, e->material) {
        cJSON_AddItemReferenceToArray(e->passages, (cJSON *)(uintptr_t)chunk);
        e->taint = true;
    }
    e->phase = PHASE_STRATEGY;
    s = strategy_choose(e, &why);
    json_add_str(p, "mode", s->name);
    json_add_str(p, "why", why);
    json_add_num(p, "format", ENGINE_FORMAT);
    act_record(e, &e->main, EV_PLAN, "strategy", p);
}

static void fold_gather(struct engine *e, const struct fold *f)
{
    e->keep = true;
    e->missing = json_get(f->payload, "missing");
    e->nonce = json_str(f->payload, "nonce", NULL);
    fold_material(e, json_get(f->payload, "material"));
}

static struct str make_findings(struct engine *e)
{
    struct arena *scratch = arena_new();
    cJSON *p = json_obj(scratch);
    struct str text;

    json_add_copy(p, "findings", detectors_run(e->request, e->material, scratch));
    text = json_print(e->a, p);
    arena_free(scratch);
    return text;
}

static void fold_strategy(struct engine *e, const struct fold *f)
{
    const struct strategy *s = strategy_find(json_str(f->payload, "mode", ""));

    e->strategy = s == NULL ? &strategy_react : s;
    if (e->phase == PHASE_STRATEGY) {
        e->phase = PHASE_DETECT;
        act_record(e, &e->main, EV_OBSERVE, "detectors", NULL)->make = make_findings;
    } else {
        turn_close(e, &e->main, "The plan was given up.");
        e->main.repairs = 0;
        budget_call_model(e, &e->main, NULL);
    }
}

static void fold_detectors(struct engine *e, const struct fold *f)
{
    e->findings = json_get(f->payload, "findings");
    e->phase = PHASE_RUN;
    talk_begin(e);
    e->findings = NULL; /* they are in the first message */
    e->strategy->start(e);
}

static void fold_model(struct engine *e, const struct fold *f)
{
    struct str raw = {NULL, 0};

    f->act->answer_bytes = (int64_t)f->ev->payload.n;
    budget_settle(e, f->act, f->payload);
    if (json_raw(f->ev->payload, "/content", &raw) == 0)
        turn_model(e, f->act, f->payload, raw);
    turn_keep(e, f->act->talk);
}

/* What the analyst thought is for the record; it reads back small notes alone. */
static void fold_stage(struct engine *e, const struct fold *f)
{
    struct note n = {.stage = arena_strdup(e->a, json_str(f->payload, "stage", f->ev->name))};

    if (f->ev->payload.n <= STAGE_KEPT_MAX)
        n.value = json_print(e->a, json_get(f->payload, "output"));
    note_add(e, &n);
}

static void fold_graph(struct engine *e, const struct fold *f)
{
    e->keep = true;
    plan_accept(e, f->payload);
}

static void fold_intent(struct engine *e, const struct fold *f)
{
    (void)e;
    f->act->state = ACT_INTENDED;
}

static void fold_ask(struct engine *e, const struct fold *f)
{
    (void)e; /* a question may be put again after a crash, so it is no intent */
    (void)f;
}

static void fold_observe(struct engine *e, const struct fold *f)
{
    struct call *c = f->act->call;

    call_observe(e, c, f->payload, f->ev->payload, f->ev->seq);
    if (c->step != NULL) {
        c->step->state = c->failed ? STEP_FAILED : STEP_OK;
        plan_pump(e);
    } else {
        turn_pump(e, c->talk);
    }
}

static void fold_repair(struct engine *e, const struct fold *f)
{
    turn_repaired(e, f->act->talk, f->payload);
}

static void fold_budget(struct engine *e, const struct fold *f)
{
    budget_out(e, f->payload, f->act == NULL);
}

static void fold_error(struct engine *e, const struct fold *f)
{
    const char *code = json_str(f->payload, "code", "LLM_ERROR");
    const char *words = json_str(f->payload, "provider_message", "");
    cJSON *details = json_obj(e->a);

    budget_settle(e, f->act, f->payload);
    if (f->act->talk->view != NULL) {
        council_fail(e, f->act->talk, "its model call failed");
        return;
    }
    if (words[0] != '\0')
        json_add_str(details, "provider_message", words);
    if (json_i64(f->payload, "retry_after_ms", -1) >= 0)
        json_add_num(details, "retry_after_ms", json_num(f->payload, "retry_after_ms", 0));
    finish_failed(e, code, json_str(f->payload, "message", "The model call failed."), details);
}

static void fold_cancel(struct engine *e, const struct fold *f)
{
    if (e->phase != PHASE_CLOSING)
        finish_cancelled(e, f->payload);
}

/* What was in flight died with its process. A call with side effects whose intent is on record may
 * have happened: that is reported, not repeated. All else starts again with its id. */
static void fold_resume(struct engine *e, const struct fold *f)
{
    (void)f;
    for (int i = 0; i < e->act_count; i++) {
        struct act *a = e->acts[i];
        cJSON *p, *error;

        if (a->state != ACT_INTENDED)
            continue;
        p = json_obj(e->a);
        json_add_str(p, "tool", a->call->name);
        json_add_str(p, "tool_use_id", a->call->use_id);
        json_add_copy(p, "input", a->call->input);
        error = json_add_obj(p, "error");
        json_add_str(error, "code", "OUTCOME_UNKNOWN");
        json_add_str(
            error, "message",
            "The call was under way when its process ended. It may have taken effect; it was not "
            "repeated.");
        a->kind = ACTION_RECORD;
        a->type = EV_OBSERVE;
        a->name = a->call->name;
        a->payload = json_print(e->a, p);
        a->state = ACT_OPEN;
    }
}

static void fold_final(struct engine *e, const struct fold *f)
{
    e->keep = true;
    e->final = f->payload;
    e->status = json_str(f->payload, "status", "failed");
    act_drop_all(e);
    e->phase = PHASE_ENDED;
}

static const struct row {
    enum event_type type;
    const char *name; /* NULL: any */
    enum owner owner;
    bool (*has)(const cJSON *payload); /* NULL: any object */
    void (*fold)(struct engine *e, const struct fold *f);
    bool always; /* folded also when its action was dropped or the run is closing */
} rows[] = {
    {EV_OBSERVE, "gather", OWN_GATHER, NULL, fold_gather, false},
    {EV_PLAN, "strategy", OWN_RECORD, NULL, fold_strategy, false},
    {EV_OBSERVE, "detectors", OWN_RECORD, NULL, fold_detectors, false},
    {EV_REASON, "model", OWN_MODEL, has_content, fold_model, false},
    {EV_REASON, NULL, OWN_ANY_MODEL, has_stage, fold_stage, true},
    {EV_PLAN, "graph", OWN_RECORD, has_steps, fold_graph, false},
    {EV_TOOL, NULL, OWN_TOOL, NULL, fold_intent, false},
    {EV_ASK, NULL, OWN_TOOL, NULL, fold_ask, false},
    {EV_OBSERVE, NULL, OWN_CALL, has_outcome, fold_observe, false},
    {EV_REPAIR, NULL, OWN_RECORD, has_faults, fold_repair, false},
    {EV_BUDGET, NULL, OWN_RECORD_OR_NONE, has_budget, fold_budget, false},
    {EV_ERROR, "model", OWN_MODEL, NULL, fold_error, false},
    {EV_CANCEL, NULL, OWN_NONE, NULL, fold_cancel, true},
    {EV_RESUME, NULL, OWN_NONE, NULL, fold_resume, true},
    {EV_FINAL, NULL, OWN_RECORD, has_status, fold_final, true},
};

static const struct row *row_of(const struct engine_event *ev, const struct act *act)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];

        if (r->type != ev->type)
            continue;
        if (r->name != NULL && (ev->name == NULL || strcmp(r->name, ev->name) != 0))
            continue;
        if (owns(r->owner, act)) /* a tool may be called "gather" too */
            return r;
    }
    return NULL;
}

/* Rows of the beginning fit one phase alone. What decides may be something else than this release
 * would have decided (see adopt), but not before the run has begun, nor after its end was asked
 * for. */
static bool phase_fits(const struct engine *e, const struct row *r, const struct act *a)
{
    if (a != NULL && a->state == ACT_DROPPED)
        return r->fold != fold_final; /* accepted, and changes nothing */
    if (r->fold == fold_detectors)
        return e->phase == PHASE_DETECT;
    if (r->fold == fold_strategy)
        return e->phase == PHASE_STRATEGY || e->phase == PHASE_RUN;
    if (r->fold == fold_graph || r->fold == fold_repair || r->owner == OWN_MODEL)
        return (e->phase == PHASE_RUN || e->phase == PHASE_CLOSING) &&
               (a->kind != ACTION_FINISH || !a->sealed);
    if (r->fold == fold_budget && a != NULL)
        return a->kind != ACTION_FINISH || !a->sealed;
    return true;
}

/* The event decides, not what this release would have done in its place: after a change of the
 * validator or of an estimate an old log may hold a repair where now the answer passes, or the
 * other way round. */
static void adopt(struct engine *e, const struct row *r, struct act *a)
{
    enum action_kind kind = r->owner == OWN_MODEL ? ACTION_MODEL
                            : r->type == EV_FINAL ? ACTION_FINISH
                                                  : ACTION_RECORD;

    if (a->kind == kind)
        return;
    if (a->kind == ACTION_MODEL)
        budget_release(e, a);
    if (kind == ACTION_MODEL)
        a->talk->model = a;
    if (a->kind == ACTION_FINISH && e->phase == PHASE_CLOSING)
        e->phase = PHASE_RUN;
    a->kind = kind;
}

static void note_event(struct engine *e, const struct engine_event *ev)
{
    e->seq = ev->seq;
    e->events++;
    if (ev->at_us > e->now_us)
        e->now_us = ev->at_us;
    if (e->started_us == 0)
        e->started_us =
            ev->started_us > 0 && ev->started_us < ev->at_us ? ev->started_us : ev->at_us;
    e->taint = e->taint || ev->taint;
}

static void fold_row(struct engine *e, const struct row *r, const struct fold *f)
{
    /* A stage, an intent, a question do not end their action. */
    bool ends =
        f->act != NULL && r->owner != OWN_NONE && r->owner != OWN_ANY_MODEL && r->owner != OWN_TOOL;
    bool dropped = f->act != NULL && r->owner != OWN_NONE && f->act->state == ACT_DROPPED;

    if (ends && !dropped && f->act->call == NULL && r->owner != OWN_GATHER)
        adopt(e, r, f->act);
    if (ends) {
        f->act->state = ACT_DONE;
        act_ended(f->act);
    }
    if (dropped && r->owner == OWN_MODEL)
        budget_settle(e, f->act, f->payload);
    if (r->always || (!dropped && e->phase < PHASE_CLOSING))
        r->fold(e, f);
}

static void free_payload(void *a)
{
    arena_free(a);
}

/* The payload has an arena of its own: most of them need not be remembered. */
static int fold_payload(struct engine *e, const struct row *r, struct fold *f, struct arena *a,
                        struct err *err)
{
    if (json_parse(a, f->ev->payload, JSON_DEPTH_MAX, &f->payload, err) != 0 ||
        !cJSON_IsObject(f->payload) || (r->has != NULL && !r->has(f->payload)))
        return err_set(err, ERR_PROTOCOL, "the payload of event %" PRId64 " is not one of its type",
                       f->ev->seq);
    e->keep = false;
    note_event(e, f->ev);
    fold_row(e, r, f);
    if (e->events >= EVENTS_MAX && e->phase < PHASE_CLOSING)
        finish_failed(e, "BUDGET_EXCEEDED", "The run has reached its greatest number of events.",
                      NULL);
    return 0;
}

int fold_event(struct engine *e, const struct engine_event *ev, struct err *err)
{
    struct fold f = {.ev = ev, .act = act_find(e, ev->action_id)};
    const struct row *r;
    struct arena *a;
    int rc;

    if (e->phase == PHASE_ENDED)
        return err_set(err, ERR_PROTOCOL, "the run has ended");
    if ((unsigned)ev->type >= EV__MAX || ev->seq != e->seq + 1)
        return err_set(err, ERR_PROTOCOL, "event %" PRId64 " does not follow %" PRId64, ev->seq,
                       e->seq);
    r = row_of(ev, f.act);
    if (r == NULL || !phase_fits(e, r, f.act))
        return err_set(err, ERR_PROTOCOL, "event %" PRId64 " (%s %s of %s) does not fit", ev->seq,
                       event_type_name(ev->type), ev->name == NULL ? "" : ev->name,
                       ev->action_id == NULL ? "none" : ev->action_id);
    a = arena_new();
    rc = fold_payload(e, r, &f, a, err);
    if (rc == 0 && e->keep)
        arena_on_reset(e->a, free_payload, a);
    else
        arena_free(a);
    return rc;
}
