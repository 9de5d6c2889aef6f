/* Drain, in this order: /ready says no and whoever waits is answered; in a cluster the door stays
 * open some seconds longer, since endpoints are taken out of service later than the signal comes;
 * then no new connection, and the end when nothing is in hand or the grace period is over. */
#include "libcommon/base/compat.h"
#include "services/api/app.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/health.h"
#include "libcommon/io/otlp.h"
#include "libcommon/knowledge/search.h"
#include "libcommon/queue/consumer.h"
#include "services/api/audit.h"
#include "services/api/auth.h"
#include "services/api/gate.h"
#include "services/api/hint.h"
#include "services/api/live.h"
#include "services/api/openapi.h"
#include "services/api/peers.h"

#define PROBE_MS 5000
#define OPEN_DOOR_MS 5000
#define LEAVING_MS 50
#define SLOW_US (60 * INT64_C(1000000)) /* traces of requests this long are always kept */
#define FLUSHES 20
#define STREAM_MAX (4 * 1024 * 1024)

bool app_production(const struct app *app)
{
    return strcmp(app->set->environment, "production") == 0;
}

/* --- readiness
 * --- */

bool app_check(const struct app *app, const char *name)
{
    if (strcmp(name, "database") == 0)
        return pg_ready(app->pg);
    if (strcmp(name, "redis") == 0)
        return redis_ready(app->redis) && redis_ready(app->broker_redis);
    if (strcmp(name, "weaviate") == 0)
        return app->set->weaviate_url == NULL || app->weaviate_ok;
    return true;
}

bool app_ready(const struct app *app)
{
    static const char *const names[] = {"database", "redis", "weaviate"};
    const char *required = app->set->ready_requires;

    if (app->draining)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if ((required == NULL || health_requires(required, names[i])) && !app_check(app, names[i]))
            return false;
    return true;
}

static void on_probe(struct timer *t);

static void on_probed(struct op *op)
{
    struct app *app = op->arg;

    app->weaviate_ok = op->err.code == 0 && app->weaviate_call.status == 200;
    http_call_done(&app->weaviate_call);
    arena_reset(app->weaviate_arena);
    timer_start(&app->weaviate_timer, PROBE_MS);
}

static void on_probe(struct timer *t)
{
    struct app *app = CONTAINER_OF(t, struct app, weaviate_timer);
    struct str base = str_of(app->set->weaviate_url);

    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    struct http_request req = {
        .method = "GET",
        .url = arena_printf(app->weaviate_arena, "%.*s/v1/.well-known/ready", STR_ARG(base)),
        .max_body = 4096,
        .connect_ms = 2000};
    http_call_start(app->client, app->weaviate_arena, &req, PROBE_MS, &app->weaviate_call,
                    on_probed, app);
}

/* --- start
 * --- */

static void make_traces(struct app *app)
{
    struct otlp_options opt = {.endpoint = app->set->otlp_endpoint,
                               .service = "ceoagent-api",
                               .instance = consumer_node_name(app->arena, "api"),
                               .sample = app->set->trace_sample,
                               .slow_us = SLOW_US};

    if (opt.endpoint != NULL)
        app->traces = otlp_new(app->loop, app->client, &opt);
}

static int start_stores(struct app *app, struct err *err)
{
    const struct settings *s = app->set;
    struct pg_options pg = {.url = s->database_url,
                            .min = (int)s->database_pool_min,
                            .max = (int)s->database_pool_max,
                            .idle_s = (int)s->database_idle_s,
                            .prepare = s->database_prepare,
                            .require_role = app_production(app),
                            .application_name = "ceoagent-api"};
    struct http_client_options client = {
        .max_connections = 64, .max_host_connections = 16, .user_agent = "ceoagent-api"};

    if (pg_new(app->loop, &pg, &app->pg, err) != 0)
        return err_wrap(err, "DATABASE_URL");
    if (redis_new(app->loop, s->redis_url, "ceoagent-api", &app->redis, err) != 0)
        return err_wrap(err, "REDIS_URL");
    app->broker_redis = app->redis;
    if (strcmp(s->broker_url, s->redis_url) != 0 &&
        redis_new(app->loop, s->broker_url, "ceoagent-api", &app->broker_redis, err) != 0)
        return err_wrap(err, "BROKER_URL");
    app->broker = broker_new(app->broker_redis, s->queue_prefix);
    if ((s->weaviate_url != NULL || s->otlp_endpoint != NULL) &&
        http_client_new(app->loop, &client, &app->client, err) != 0)
        return err->code;
    app->knowledge = knowledge_new(app->loop, s, app->pg, app->client);
    if (app->client == NULL)
        return 0;
    make_traces(app);
    if (s->weaviate_url == NULL)
        return 0;
    app->weaviate_arena = arena_new();
    timer_init(&app->weaviate_timer, app->loop, on_probe);
    timer_start(&app->weaviate_timer, 0);
    return 0;
}

static int start_http(struct app *app, struct err *err)
{
    const struct settings *s = app->set;
    struct http_server_options opt = {.host = s->api_host,
                                      .port = (int)s->api_port,
                                      .max_connections = (int)s->max_connections,
                                      .max_body = (size_t)s->max_body_bytes,
                                      .stream_max = STREAM_MAX};
    struct http_server_options ops = {
        .host = s->api_host, .port = (int)s->metrics_port, .max_connections = 64};
    struct http_handler handler = gate_handler, ops_handler = gate_metrics_handler;

    handler.arg = ops_handler.arg = app;
    if (http_server_new(app->loop, &opt, &handler, &app->http, err) != 0)
        return err->code;
    if (s->metrics_port != 0 &&
        http_server_new(app->loop, &ops, &ops_handler, &app->metrics_http, err) != 0)
        return err_wrap(err, "METRICS_PORT");
    return 0;
}

static void on_render(void *arg)
{
    struct app *app = arg;

    metric_set(M_CONNECTIONS, http_server_connections(app->http), NULL, NULL, NULL);
    metric_set(M_REQUESTS, app->active, NULL, NULL, NULL);
}

static void on_leaving(struct timer *t);

int app_start(struct app *app, struct loop *loop, const struct settings *set, struct err *err)
{
    memset(app, 0, sizeof(*app));
    app->loop = loop;
    app->set = set;
    app->arena = arena_new();
    list_init(&app->requests);
    list_init(&app->hints);
    list_init(&app->audits);
    timer_init(&app->grace, loop, on_leaving);
    if (keyring_new(set->encryption_key, set->encryption_keys_old, &app->ring, err) != 0 ||
        peers_new(set->trusted_proxies, &app->trusted, err) != 0 || start_stores(app, err) != 0)
        return err->code;
    app->auth = auth_new();
    app->limits = ratelimit_new(loop, app->redis);
    app->live = live_new(app);
    app->schemas = openapi_schemas(app->arena);
    app->openapi = openapi_json(app->arena);
    app->docs = openapi_page(app->arena);
    metrics_on_render(on_render, app);
    return start_http(app, err);
}

/* --- the end
 * --- */

/* The last traces get a moment. */
static bool traces_sent(struct app *app)
{
    if (app->traces == NULL || otlp_idle(app->traces) || ++app->flushes > FLUSHES)
        return true;
    otlp_flush(app->traces);
    return false;
}

static void on_leaving(struct timer *t)
{
    struct app *app = CONTAINER_OF(t, struct app, grace);

    http_server_drain(app->http);
    if ((app->active == 0 && http_server_connections(app->http) == 0 && traces_sent(app)) ||
        clock_mono_us() >= app->leave_by_us)
        loop_stop(app->loop);
    else
        timer_start(&app->grace, LEAVING_MS);
}

void app_drain(struct app *app)
{
    bool cluster = app_production(app) || strcmp(app->set->environment, "staging") == 0;

    if (app->draining)
        return;
    app->draining = true;
    app->leave_by_us = clock_mono_us() + app->set->grace_s * 1000000;
    log_info("draining", LOG_I("requests", app->active));
    LIST_FOREACH_SAFE (it, tmp, &app->requests) {
        struct req *r = LIST_ENTRY(it, struct req, link);
        if (r->on_drain != NULL)
            r->on_drain(r);
    }
    timer_start(&app->grace, cluster ? MIN(OPEN_DOOR_MS, app->set->grace_s * 250) : 0);
}

void app_stop(struct app *app)
{
    http_server_free(app->http);
    http_server_free(app->metrics_http);
    hints_drop(app);
    audit_drop(app);
    timer_done(&app->grace);
    timer_done(&app->weaviate_timer);
    http_call_done(&app->weaviate_call);
    knowledge_free(app->knowledge);
    otlp_free(app->traces);
    http_client_free(app->client);
    arena_free(app->weaviate_arena);
    live_free(app->live);
    ratelimit_free(app->limits);
    auth_free(app->auth);
    broker_free(app->broker);
    if (app->broker_redis != app->redis)
        redis_free(app->broker_redis);
    redis_free(app->redis);
    pg_free(app->pg);
    peers_free(app->trusted);
    keyring_free(app->ring);
    arena_free(app->arena);
}
