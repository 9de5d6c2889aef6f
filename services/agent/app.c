/* app.c: builds the agent's clients, wires what arrives to who handles it, and drains. */
#include "libcommon/base/compat.h"
#include "services/agent/app.h"

#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/health.h"
#include "libcommon/io/otlp.h"
#include "libcommon/knowledge/search.h"
#include "libcommon/skills/registry.h"
#include "services/agent/lease.h"
#include "services/agent/prompts.h"
#include "services/agent/shell.h"
#include "services/agent/sweep.h"

#define HINTS_AT_ONCE 256
#define SLOW_US (60 * INT64_C(1000000)) /* traces of runs this long are always kept */

int app_room(const struct app *app)
{
    int64_t room = app->max_runs - (int64_t)map_count(app->runs);

    return app->draining || room < 0 ? 0 : (int)room;
}

/* --- what arrives
 * ---------------------------------------------------------------------------------- */

static void on_hint(void *arg, struct delivery *d)
{
    struct app *app = arg;

    if (app->draining)
        consumer_requeue(d, true, false);
    else
        sweep_hint(app->sweep, d);
}

static void on_hint_lost(void *arg UNUSED, struct delivery *d UNUSED)
{
    /* sweep.c looks at d->lost when its claim is known; the claim itself is fenced by PostgreSQL */
}

/* Control messages of all decisions come here; most belong to other agents. */
static void on_control(void *arg, struct str channel, struct str message)
{
    struct app *app = arg;
    struct uuid id;
    struct run *r;

    if (channel.n < UUID_LEN || str_find(message, STR("\"cancel\"")) < 0 ||
        uuid_parse((struct str){channel.p + channel.n - UUID_LEN, UUID_LEN}, &id) < 0)
        return;
    r = run_find(app, id);
    if (r != NULL)
        run_cancel(r);
}

static bool on_ready(void *arg, cJSON *checks)
{
    struct app *app = arg;
    bool ok = !app->draining;
    const struct {
        const char *name;
        bool up;
    } rows[] = {{"database", pg_ready(app->pg)},
                {"redis", redis_ready(app->redis)},
                {"provider", llm_chain_ready(app->chain)}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_add_bool(checks, rows[i].name, rows[i].up);
        if (health_requires(app->settings.ready_requires, rows[i].name))
            ok = ok && rows[i].up;
    }
    json_add_bool(checks, "draining", app->draining);
    return ok;
}

/* --- the tool table
 * ---------------------------------------------------------------------------------- */

static void make_tools(struct app *app)
{
    int n = skill_count();
    struct engine_tool *tools = arena_array(app->arena, struct engine_tool, n);

    for (int i = 0; i < n; i++) {
        const struct skill *s = skill_at(i);

        if (!skill_offered(s))
            continue;
        tools[app->tool_count++] = (struct engine_tool){
            .name = s->name,
            .description = s->description,
            .input_schema = skill_model_schema(s),
            .side_effects = s->side_effects,
        };
    }
    app->tools = tools;
    app->tools_text.arena = app->arena;
}

/* --- draining
 * ------------------------------------------------------------------------------------------ */

static void release_all(struct app *app, bool now)
{
    size_t count = map_count(app->runs), pos = 0;
    struct run **all = xcalloc(count + 1, sizeof(*all));
    struct str key;
    void *run;
    int n = 0;

    while (map_next(app->runs, &pos, &key, &run))
        all[n++] = run;
    for (int i = 0; i < n; i++)
        run_release(all[i], now);
    free(all);
}

/* The last traces get a moment; then the loop ends. */
static void stop_when_sent(struct app *app)
{
    if (app->traces == NULL || otlp_idle(app->traces) || ++app->flushes > 10) {
        loop_stop(app->loop);
        return;
    }
    otlp_flush(app->traces);
    timer_start(&app->drain_timer, 100);
}

static void on_drained(void *arg)
{
    struct app *app = arg;

    app->drained = true;
    stop_when_sent(app);
}

/* Fires when the last run is gone, or when the time for it is over. */
static void on_drain_timer(struct timer *t)
{
    struct app *app = CONTAINER_OF(t, struct app, drain_timer);

    if (app->drained) {
        stop_when_sent(app);
        return;
    }
    if (map_count(app->runs) > 0 && !app->forced) {
        app->forced = true;
        release_all(app, true);
        timer_start(t, 4000);
        return;
    }
    consumer_drain(app->consumer, on_drained, app);
}

void app_drain(struct app *app)
{
    int64_t grace_ms = MAX(app->settings.grace_s - 5, 1) * 1000;

    if (app->draining)
        return;
    app->draining = true;
    log_info("draining", LOG_I("runs", map_count(app->runs)));
    consumer_set_window(app->consumer, 0);
    sweep_stop(app->sweep);
    release_all(app, false);
    timer_start(&app->drain_timer, map_count(app->runs) == 0 ? 0 : grace_ms);
}

/* --- building
 * ------------------------------------------------------------------------------------------ */

static int make_stores(struct app *app, struct err *err)
{
    const struct settings *s = &app->settings;
    struct pg_options pg = {
        .url = s->database_url,
        .min = (int)s->database_pool_min,
        .max = (int)s->database_pool_max,
        .idle_s = (int)s->database_idle_s,
        .prepare = s->database_prepare,
        .require_role = strcmp(s->environment, "production") == 0,
        .application_name = "ceoagent-agent",
    };

    if (keyring_new(s->encryption_key, s->encryption_keys_old, &app->ring, err) < 0 ||
        pg_new(app->loop, &pg, &app->pg, err) < 0 ||
        redis_new(app->loop, s->broker_url, app->node, &app->redis, err) < 0)
        return err->code;
    app->broker = broker_new(app->redis, s->queue_prefix);
    return 0;
}

static int make_consumer(struct app *app, struct err *err)
{
    const struct settings *s = &app->settings;
    static const struct consumer_ops ops = {on_hint, on_hint_lost};
    struct consumer_options opt = {
        .queues = QUEUE_AGENT,
        .node = app->node,
        .window = (int)MIN(app->max_runs, HINTS_AT_ONCE),
        .visibility_ms = s->visibility_timeout_s * 1000,
        .max_redeliveries = (int)s->max_redeliveries,
        .sweep = true,
    };

    return consumer_new(app->loop, app->broker, &opt, &ops, app, &app->consumer, err);
}

static void make_traces(struct app *app)
{
    const struct settings *s = &app->settings;
    struct otlp_options opt = {
        .endpoint = s->otlp_endpoint,
        .service = "ceoagent-agent",
        .instance = app->node,
        .sample = s->trace_sample,
        .slow_us = SLOW_US,
    };

    if (s->otlp_endpoint != NULL)
        app->traces = otlp_new(app->loop, app->http, &opt);
}

static int make_models(struct app *app, struct err *err)
{
    struct http_client_options http = {
        .max_connections = (int)app->settings.claude_max_concurrent_requests * 2,
        .max_host_connections = (int)app->settings.claude_max_concurrent_requests,
        .http2 = app->settings.http2,
        .user_agent = "ceoagent/" CEO_VERSION,
    };

    if (http_client_new(app->loop, &http, &app->http, err) < 0)
        return err->code;
    make_traces(app);
    app->knowledge = knowledge_new(app->loop, &app->settings, app->pg, app->http);
    return llm_chain_new(app->loop, &app->settings, app->http, app->redis, &app->chain, err);
}

int app_new(struct app *app, struct err *err)
{
    app->arena = arena_new();
    app->loop = loop_new();
    app->runs = map_new();
    app->max_runs = app->settings.max_runs;
    app->node = consumer_node_name(app->arena, "agent");
    timer_init(&app->drain_timer, app->loop, on_drain_timer);
    make_tools(app);
    if (prompts_new(app->settings.prompt_dir, &app->prompts, err) < 0 ||
        make_stores(app, err) < 0 || make_models(app, err) < 0 || make_consumer(app, err) < 0 ||
        health_server_new(app->loop, (int)app->settings.health_port, on_ready, app, &app->health,
                          err) < 0)
        return err->code;
    app->control = redis_subscribe(app->redis, STR("t:*:control:*"), true, on_control, NULL, app);
    app->lease = lease_new(app);
    app->sweep = sweep_new(app);
    return 0;
}

void app_free(struct app *app)
{
    size_t pos = 0;
    struct str key;
    void *run;

    sweep_free(app->sweep);
    lease_free(app->lease);
    while (map_next(app->runs, &pos, &key, &run)) {
        run_lost(run, "this agent stops");
        pos = 0;
    }
    loop_turn(app->loop, 0); /* what was to be freed later */
    redis_unsubscribe(app->control);
    consumer_free(app->consumer);
    llm_chain_free(app->chain);
    knowledge_free(app->knowledge);
    otlp_free(app->traces);
    http_client_free(app->http);
    http_server_free(app->health);
    broker_free(app->broker);
    redis_free(app->redis);
    pg_free(app->pg);
    keyring_free(app->ring);
    timer_done(&app->drain_timer);
    prompts_free(app->prompts);
    map_free(app->runs);
    loop_free(app->loop);
    arena_free(app->arena);
}
