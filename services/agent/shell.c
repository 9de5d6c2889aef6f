/* shell.c: the life of a run: load and fold the log, pump, cancel, hand back, give up. What happens
 * is recorded in recorder.c. */
#include "libcommon/base/compat.h"
#include "services/agent/shell.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "services/agent/actions.h"
#include "services/agent/live.h"
#include "services/agent/prompts.h"

#define LOAD_MS 20000
#define RELEASE_MS 3000
/* Of the seconds of a budget, the share after which the last, forced answer is asked for. */
#define SECONDS_SOFT 0.85

static void run_free(void *p);

/* --- life ------------------------------------------------------------------------------------- */

static const char **copy_texts(struct arena *a, const char **z, int n)
{
    const char **out = arena_array(a, const char *, n + 1);

    for (int i = 0; i < n; i++)
        out[i] = arena_strdup(a, z[i]);
    return out;
}

static void copy_decision(struct arena *a, const struct decision *from, struct decision *to)
{
    *to = *from;
    to->query = arena_strdup(a, from->query);
    to->context = from->context.p == NULL ? (struct str){0} : arena_str(a, from->context);
    to->options = copy_texts(a, from->options, from->option_count);
    to->documents =
        arena_memdup(a, from->documents, sizeof(struct uuid) * (size_t)from->document_count);
    to->type = arena_strdup(a, from->type);
    to->agent_mode = arena_strdup(a, from->agent_mode);
    to->params = arena_str(a, from->params);
    to->request_id = arena_strdup(a, from->request_id);
    to->traceparent = arena_strdup(a, from->traceparent);
    to->status = arena_strdup(a, from->status);
    to->lang = arena_strdup(a, from->lang);
}

static cJSON *make_request(struct run *r)
{
    const struct decision *d = &r->decision;
    cJSON *request = json_obj(r->arena);
    cJSON *list, *context;
    struct err err;
    char text[UUID_LEN + 1];

    json_add_str(request, "query", d->query);
    json_add_str(request, "decision_type", d->type);
    if (d->option_count > 0) {
        list = json_add_arr(request, "options");
        for (int i = 0; i < d->option_count; i++)
            json_push_str(list, d->options[i]);
    }
    if (d->context.p != NULL &&
        json_parse(r->arena, d->context, JSON_DEPTH_MAX, &context, &err) == 0)
        json_add_copy(request, "context", context);
    if (d->document_count > 0) {
        list = json_add_arr(request, "documents");
        for (int i = 0; i < d->document_count; i++)
            json_push_str(list, uuid_text(d->documents[i], text));
    }
    return request;
}

static struct engine *make_engine(struct run *r)
{
    const struct settings *s = &r->app->settings;
    struct engine_settings *es = arena_new_of(r->arena, struct engine_settings);
    const char *model = llm_chain_model(r->app->chain);
    cJSON *params = NULL, *budget = NULL;
    struct err err;

    if (json_parse(r->arena, r->decision.params, JSON_DEPTH_MAX, &params, &err) == 0)
        budget = json_get(params, "budget");
    *es = (struct engine_settings){
        .tools = r->app->tools,
        .tool_count = r->app->tool_count,
        .tools_text = &r->app->tools_text,
        .mode = r->decision.agent_mode,
        .offline_only = strcmp(s->providers, "offline") == 0,
        .no_analyst = strstr(s->providers, "offline") == NULL,
        .budget_steps = json_i64(budget, "steps", s->budget_steps),
        .budget_seconds = json_i64(budget, "seconds", s->budget_seconds),
        .budget_tokens = json_i64(budget, "tokens", s->budget_tokens),
        .budget_usd = json_num(budget, "usd", s->budget_usd),
        .price_in = llm_cost(r->app->chain, model, 1000000, 0, 0, 0) / 1e6,
        .price_out = llm_cost(r->app->chain, model, 0, 1000000, 0, 0) / 1e6,
        .max_tokens = s->claude_max_tokens,
        .max_parallel = (int)s->max_workers,
        .prompt_version = s->prompt_version,
        .prompt = prompts_get,
        .prompt_arg = r->app->prompts,
    };
    return engine_new(r->arena, es, r->request);
}

void run_forget(struct run *r)
{
    map_del(r->app->runs, (struct str){(const char *)r->decision.id.b, 16});
    op_cancel(&r->append_op.op);
    timer_stop(&r->append_timer);
    timer_stop(&r->seconds_timer);
    loop_free_later(r->app->loop, run_free, r);
    r->magic = 0;
    metric_set(M_AGENT_ACTIVE, (double)map_count(r->app->runs), NULL, NULL, NULL);
    if (r->app->draining && map_count(r->app->runs) == 0)
        timer_start(&r->app->drain_timer, 0);
}

static void run_free(void *p)
{
    struct run *r = p;

    span_end(&r->span);
    LIST_FOREACH_SAFE (it, tmp, &r->appends) {
        struct append *ap = LIST_ENTRY(it, struct append, link);

        arena_free(ap->arena);
    }
    timer_done(&r->append_timer);
    timer_done(&r->seconds_timer);
    arena_free(r->append_arena);
    arena_free(r->arena);
    free(r);
}

static void cancel_actions(struct run *r)
{
    LIST_FOREACH_SAFE (it, tmp, &r->actions)
        action_cancel(action_of(it));
}

void run_drop_actions(struct run *r)
{
    LIST_FOREACH_SAFE (it, tmp, &r->actions)
        action_drop(action_of(it));
}

void run_lost(struct run *r, const char *why)
{
    char id[UUID_LEN + 1];

    CHECK(r, RUN);
    log_warning("run given up", LOG_S("decision_id", uuid_text(r->decision.id, id)),
                LOG_S("why", why));
    metric_inc(M_AGENT_LEASE_LOST);
    span_fail(&r->span, why);
    run_drop_actions(r);
    run_forget(r);
}

struct run *run_find(struct app *app, struct uuid decision)
{
    return map_get(app->runs, (struct str){(const char *)decision.b, 16});
}

struct uuid run_id(const struct run *r)
{
    return r->decision.id;
}

int64_t run_epoch(const struct run *r)
{
    return r->decision.lease_epoch;
}

int64_t run_lease_until(const struct run *r)
{
    return r->lease_until_us;
}

unsigned run_lease_round(const struct run *r)
{
    return r->lease_round;
}

void run_renewed(struct run *r, unsigned round, int64_t lease_until_us, bool cancel_asked)
{
    r->lease_round = round;
    r->lease_until_us = MAX(r->lease_until_us, lease_until_us);
    if (cancel_asked)
        run_cancel(r);
}

/* --- loading: fold the log ----------------------------------------------------------------------
 */

static void to_engine(const struct event *e, struct engine_event *out)
{
    *out = (struct engine_event){
        .seq = e->seq,
        .name = e->name,
        .action_id = e->action_id,
        .parent_id = e->parent_id,
        .actor = e->actor,
        .taint = e->taint,
        .payload = e->payload,
        .at_us = e->started_us + e->duration_ms * 1000,
        .started_us = e->started_us,
        .duration_ms = e->duration_ms,
        .model = e->model,
        .tokens_in = e->tokens_in,
        .tokens_out = e->tokens_out,
        .cost_usd = e->cost_usd,
    };
}

int run_fold(struct run *r, const struct event *e, struct err *err)
{
    struct engine_event ev;

    to_engine(e, &ev);
    if (event_type_parse(e->type, &ev.type) < 0)
        return err_set(err, ERR_PROTOCOL, "event %" PRId64 " has the unknown type %s", e->seq,
                       e->type);
    if (e->payload.p == NULL)
        return err_set(err, ERR_PROTOCOL, "the payload of event %" PRId64 " is gone", e->seq);
    return engine_apply(r->engine, &ev, err);
}

static void on_seconds(struct timer *t);

static void arm_seconds(struct run *r)
{
    struct engine_view view;
    int64_t limit_ms, used_ms;

    engine_look(r->engine, &view);
    limit_ms = view.budget_seconds * 1000;
    used_ms = view.started_us == 0 ? 0 : (clock_wall_us() - view.started_us) / 1000;
    if (!r->seconds_out)
        limit_ms = (int64_t)((double)limit_ms * SECONDS_SOFT);
    timer_start(&r->seconds_timer, MAX(limit_ms - used_ms, 1));
}

static struct append *append_json(struct run *r, const char *type, const char *name, cJSON *payload)
{
    struct append *ap = append_new(r, 1);
    struct event *e = &ap->events[0];

    e->type = type;
    e->name = name;
    e->action_id = "shell";
    e->actor = arena_printf(ap->arena, "agent:%s", r->app->node);
    e->started_us = clock_wall_us();
    e->payload = json_print(ap->arena, json_own(ap->arena, payload));
    return ap;
}

static void note_resume(struct run *r)
{
    cJSON *payload = cJSON_CreateObject();

    json_add_num(payload, "attempt", r->decision.attempts);
    json_add_num(payload, "from_seq", (double)r->decision.head_seq);
    json_add_str(payload, "node", r->app->node);
    metric_inc(M_AGENT_RESUMED);
    run_append(r, append_json(r, "resume", NULL, payload));
}

static int fold_log(struct run *r, int stmt, struct err *err)
{
    struct event *events;
    int n, rc;

    rc = events_read(r->append_op.result, stmt, r->arena, r->app->ring, r->decision.id, &events, &n,
                     err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < n; i++) {
        if (events[i].seq != i + 1 ||
            !event_verify(&events[i], r->decision.id, r->decision.head_hash))
            return err_set(err, ERR_PROTOCOL, "the chain is broken at event %d", i + 1);
        memcpy(r->decision.head_hash, events[i].hash, 32);
        r->decision.head_seq = events[i].seq;
        rc = run_fold(r, &events[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void on_loaded(struct op *op)
{
    struct run *r = op->arg;
    char id[UUID_LEN + 1];
    struct err err = op->err;

    CHECK(r, RUN);
    memset(r->decision.head_hash, 0, 32);
    r->decision.head_seq = 0;
    if (err.code != 0 || fold_log(r, r->append_stmt, &err) < 0) {
        log_error("log could not be folded", LOG_S("decision_id", uuid_text(r->decision.id, id)),
                  LOG_S("error", err.msg));
        run_lost(r, "the log could not be read");
        return;
    }
    arena_reset(r->append_arena);
    arm_seconds(r);
    if (r->decision.head_seq > 0)
        note_resume(r);
    if (r->cancelling) {
        r->cancelling = false;
        run_cancel(r);
    }
    run_pump(r);
    run_release_if_idle(r);
}

static void load(struct run *r)
{
    struct pg_batch *b =
        pg_batch_new(r->append_arena, PG_APP, &r->decision.tenant, NULL, true, PG_READ);

    r->append_stmt = events_add_load(b, r->append_arena, r->decision.id, 0, 0);
    pg_submit(r->app->pg, b, LOAD_MS, &r->append_op, on_loaded, r);
}

static void trace(struct run *r)
{
    const char *parent = r->decision.traceparent;
    struct trace_context c;
    bool known = parent != NULL && trace_parse(str_of(parent), &c) == 0;
    char id[UUID_LEN + 1];

    span_start_root(&r->span, known ? &c : NULL, "agent_execution", SPAN_CONSUMER);
    span_set_str(&r->span, "ceoagent.decision_id", uuid_text(r->decision.id, id));
    span_set_i64(&r->span, "ceoagent.attempt", r->decision.attempts);
}

void run_start(struct app *app, const struct decision *claimed, int64_t lease_until_us)
{
    struct run *r = xcalloc(1, sizeof(*r));

    r->magic = RUN_MAGIC;
    r->app = app;
    r->arena = arena_new();
    r->append_arena = arena_new();
    r->lease_until_us = lease_until_us;
    r->claimed_us = clock_mono_us();
    r->cancelling = claimed->cancel_asked;
    list_init(&r->actions);
    run_recorder_init(r);
    timer_init(&r->seconds_timer, app->loop, on_seconds);
    copy_decision(r->arena, claimed, &r->decision);
    trace(r);
    r->request = make_request(r);
    r->engine = make_engine(r);
    map_set(app->runs, (struct str){(const char *)r->decision.id.b, 16}, r);
    metric_set(M_AGENT_ACTIVE, (double)map_count(app->runs), NULL, NULL, NULL);
    load(r);
}

/* --- playing ------------------------------------------------------------------------------------
 */

bool run_loading(const struct run *r)
{
    return op_running(&r->append_op.op) && r->in_flight == 0;
}

void run_pump(struct run *r)
{
    struct action a;

    if (r->releasing || run_loading(r))
        return;
    while (engine_next(r->engine, &a))
        action_start(r, &a);
}

void run_action_done(struct run *r)
{
    if (r->magic == RUN_MAGIC)
        run_release_if_idle(r);
}

static void on_seconds(struct timer *t)
{
    struct run *r = CONTAINER_OF(t, struct run, seconds_timer);
    struct engine_view view;
    cJSON *payload = cJSON_CreateObject();

    if (r->releasing) {
        cJSON_Delete(payload);
        return;
    }
    engine_look(r->engine, &view);
    json_add_str(payload, "budget", "seconds");
    json_add_num(payload, "limit", (double)view.budget_seconds);
    json_add_num(payload, "used",
                 view.started_us == 0 ? 0 : (double)(clock_wall_us() - view.started_us) / 1e6);
    json_add_bool(payload, "last_call", !r->seconds_out);
    metric_add(M_BUDGET_EXCEEDED, 1, "seconds", NULL, NULL);
    cancel_actions(r);
    run_append(r, append_json(r, "budget", NULL, payload));
    if (!r->seconds_out) {
        r->seconds_out = true;
        arm_seconds(r);
    }
}

void run_cancel(struct run *r)
{
    cJSON *payload, *partial;

    CHECK(r, RUN);
    if (r->cancelling)
        return;
    r->cancelling = true;
    if (run_loading(r))
        return;
    payload = cJSON_CreateObject();
    json_add_str(payload, "by", "user");
    partial = json_add_arr(payload, "partial");
    LIST_FOREACH (it, &r->actions) {
        const struct action_flow *f = action_of(it);
        struct str text = action_partial(f);
        cJSON *item;

        if (text.n == 0)
            continue;
        item = cJSON_CreateObject();
        json_add_str(item, "action_id", f->action.id);
        json_add_strn(item, "text", text);
        cJSON_AddItemToArray(partial, item);
    }
    cancel_actions(r);
    run_append(r, append_json(r, "cancel", NULL, payload));
}

/* --- handing back --------------------------------------------------------------------------------
 */

static void on_released(struct op *op)
{
    struct run *r = op->arg;

    CHECK(r, RUN);
    run_forget(r); /* if it failed, the lease runs out by itself */
}

void run_release_if_idle(struct run *r)
{
    struct pg_batch *b;

    if (!r->releasing || op_running(&r->append_op.op) || r->append_timer.armed ||
        !list_empty(&r->actions) || !list_empty(&r->appends))
        return;
    arena_reset(r->append_arena);
    b = pg_batch_new(r->append_arena, PG_SERVICE, NULL, NULL, false, PG_IDEMPOTENT);
    decisions_add_release(b, r->append_arena, &r->decision.id, &r->decision.lease_epoch, 1);
    pg_submit(r->app->pg, b, RELEASE_MS, &r->append_op, on_released, r);
}

void run_release(struct run *r, bool now)
{
    CHECK(r, RUN);
    r->releasing = true;
    if (run_loading(r))
        op_cancel(&r->append_op.op);
    if (now)
        cancel_actions(r);
    run_release_if_idle(r);
}
