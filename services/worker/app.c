/* app.c: builds the worker's clients, hands deliveries to jobs, renews the leases of their rows,
 * and drains. */
#include "libcommon/base/compat.h"
#include <unistd.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/health.h"
#include "libcommon/io/weaviate.h"
#include "libcommon/llm/embeddings.h"
#include "services/worker/indexer.h"
#include "services/worker/job.h"
#include "services/worker/task_outbox.h"
#include "services/worker/task_sweep.h"

#define DEPTH_MS 5000
#define FORCED_MS 4000 /* for handing back, behind the grace period */

/* --- what arrives --------------------------------------------------------------------------- */

static void on_message(void *arg, struct delivery *d)
{
    job_start(arg, d);
}

static void on_lost(void *arg, struct delivery *d)
{
    (void)arg;
    job_lost(d->owner);
}

static bool on_ready(void *arg, cJSON *checks)
{
    struct worker *w = arg;
    bool ok = !w->draining;
    const struct {
        const char *name;
        bool up;
    } rows[] = {{"database", pg_ready(w->pg)}, {"redis", redis_ready(w->redis)}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_add_bool(checks, rows[i].name, rows[i].up);
        if (health_requires(w->settings.ready_requires, rows[i].name))
            ok = ok && rows[i].up;
    }
    json_add_bool(checks, "draining", w->draining);
    return ok;
}

static void on_render(void *arg)
{
    struct worker *w = arg;

    metric_set(M_JOBS_ACTIVE, w->job_count, NULL, NULL, NULL);
}

/* Without its zygote the worker can make no child: it hands everything back and ends. */
static void on_zygote(struct watch *watch, bool readable, bool writable)
{
    struct worker *w = CONTAINER_OF(watch, struct worker, zygote_watch);
    char byte;

    (void)readable;
    (void)writable;
    if (read(w->zygote->fd, &byte, 1) > 0)
        return;
    watch_done(watch);
    log_error("the zygote is gone: this worker stops");
    w->broken = true;
    worker_drain(w);
}

/* --- depth of the queues, for the metrics and the autoscaler --------------------------------- */

static void next_depth(struct worker *w)
{
    struct str rest = str_of(w->depth_rest);

    if (rest.n == 0) {
        arena_reset(w->depth_arena);
        timer_start(&w->depth_timer, DEPTH_MS);
        return;
    }
    w->depth_queue = str_trim(str_split(&rest, ','));
    w->depth_rest = rest.p;
    w->depth_queue = arena_str(w->depth_arena, w->depth_queue);
    broker_depth(w->broker, w->depth_arena, w->depth_queue.p, DEPTH_MS, &w->depth_op,
                 w->depth_op.op.done, w);
}

static void on_depth(struct op *op)
{
    struct worker *w = op->arg;

    if (op->err.code == 0)
        metric_set(M_QUEUE_DEPTH, (double)w->depth_op.reply->i, w->depth_queue.p, NULL, NULL);
    next_depth(w);
}

static void on_depth_timer(struct timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, depth_timer);

    w->depth_rest = w->settings.worker_queues;
    w->depth_op.op.done = on_depth;
    next_depth(w);
}

/* --- leases of rows ------------------------------------------------------------------------- */

static bool holds_row(const struct job *j)
{
    return j->has_row && j->row.lease_epoch != 0;
}

/* Short, since somebody may be waiting for a job whose worker was killed: no longer than a quarter
 * of the time after which the queue gives its message to another. */
int64_t worker_lease_ms(const struct worker *w)
{
    int64_t lease_s = MIN(w->settings.lease_s, w->settings.visibility_timeout_s / 4);

    return MAX(lease_s, 3) * 1000;
}
/* Rows that came back are held (true: renewed; false: locked, by our own end just now). */
static bool was_renewed(struct worker *w, struct uuid id)
{
    for (int row = 0; row < pg_rows(w->lease_op.result, 0); row++) {
        struct uuid got = pg_get_uuid(w->lease_op.result, 0, row, 0);

        if (memcmp(&got, &id, sizeof(id)) == 0)
            return true;
    }
    return false;
}

static void apply_renewal(struct worker *w, int64_t until)
{
    LIST_FOREACH_SAFE (it, tmp, &w->jobs) {
        struct job *j = LIST_ENTRY(it, struct job, link);

        if (!j->renewing)
            continue;
        j->renewing = false;
        if (was_renewed(w, j->row.id))
            job_row_renewed(j, until);
        else
            job_row_lost(j);
    }
}

static void drop_overdue(struct worker *w)
{
    int64_t margin = MIN(worker_lease_ms(w) * 100, 1000000);

    LIST_FOREACH_SAFE (it, tmp, &w->jobs) {
        struct job *j = LIST_ENTRY(it, struct job, link);

        if (holds_row(j) && j->row_until_us - margin < clock_mono_us())
            job_row_lost(j);
    }
}

static void on_renewed(struct op *op)
{
    struct worker *w = op->arg;

    if (op->err.code == 0)
        apply_renewal(w, w->lease_until_us);
    else
        log_warning("leases of jobs were not renewed", LOG_S("error", op->err.msg));
    arena_reset(w->lease_arena);
    drop_overdue(w);
    timer_start(&w->lease_timer, op->err.code == 0 ? worker_lease_ms(w) / 4 : 500);
}

static void on_lease_timer(struct timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, lease_timer);
    struct arena *a = w->lease_arena;
    struct uuid *ids = arena_array(a, struct uuid, w->job_count + 1);
    int64_t *epochs = arena_array(a, int64_t, w->job_count + 1);
    struct pg_batch *b;
    int n = 0;

    LIST_FOREACH (it, &w->jobs) {
        struct job *j = LIST_ENTRY(it, struct job, link);

        if (!holds_row(j))
            continue;
        j->renewing = true;
        ids[n] = j->row.id;
        epochs[n++] = j->row.lease_epoch;
    }
    if (n == 0) {
        arena_reset(a);
        timer_start(t, worker_lease_ms(w) / 4);
        return;
    }
    w->lease_until_us = clock_mono_us() + worker_lease_ms(w) * 1000;
    b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, PG_IDEMPOTENT);
    jobs_add_renew(b, a, ids, epochs, n, worker_lease_ms(w));
    pg_submit(w->pg, b, MAX(500, worker_lease_ms(w) / 4), &w->lease_op, on_renewed, w);
}

/* --- background writes ---------------------------------------------------------------------- */

struct background {
    struct pg_op op;
    struct arena *arena;
};

static void on_background(struct op *op)
{
    struct worker *w = op->arg;
    struct background *g = CONTAINER_OF(CONTAINER_OF(op, struct pg_op, op), struct background, op);

    if (op->err.code != 0)
        log_warning("a row was not handed back; its lease will end", LOG_S("error", op->err.msg));
    arena_free(g->arena);
    w->background--;
    worker_job_gone(w);
}

void worker_background(struct worker *w, struct arena *a, struct pg_batch *b)
{
    struct background *g = arena_new_of(a, struct background);

    g->arena = a;
    w->background++;
    pg_submit(w->pg, b, FORCED_MS, &g->op, on_background, w);
}

/* --- drain ---------------------------------------------------------------------------------- */

static void on_drained(void *arg)
{
    loop_stop(((struct worker *)arg)->loop);
}

void worker_job_gone(struct worker *w)
{
    if (w->draining && w->job_count == 0 && w->background == 0 && !w->forced) {
        w->forced = true;
        timer_start(&w->drain_timer, FORCED_MS + 2000); /* Redis may be away */
        consumer_drain(w->consumer, on_drained, w);
    }
}

static void hand_back_all(struct worker *w)
{
    LIST_FOREACH_SAFE (it, tmp, &w->jobs)
        job_hand_back(LIST_ENTRY(it, struct job, link));
}

static void on_drain_timer(struct timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, drain_timer);

    if (w->forced) {
        loop_stop(w->loop);
        return;
    }
    log_info("the grace period is over: jobs go back", LOG_I("jobs", w->job_count));
    timer_start(t, FORCED_MS);
    hand_back_all(w);
    if (!w->forced)
        w->forced = w->job_count == 0 && w->background == 0;
}

void worker_drain(struct worker *w)
{
    if (w->draining)
        return;
    w->draining = true;
    log_info("draining", LOG_I("jobs", w->job_count));
    consumer_set_window(w->consumer, 0);
    relay_stop(w->relay);
    requeue_stop(w->requeue);
    indexer_stop(w->indexer);
    timer_start(&w->drain_timer, MAX(w->settings.grace_s - 5, 1) * 1000);
    if (w->broken)
        hand_back_all(w);
    worker_job_gone(w);
}

/* --- building ------------------------------------------------------------------------------- */

static int make_stores(struct worker *w, struct err *err)
{
    const struct settings *s = &w->settings;
    struct pg_options pg = {
        .url = s->database_url,
        .min = (int)s->database_pool_min,
        .max = (int)s->database_pool_max,
        .idle_s = (int)s->database_idle_s,
        .prepare = s->database_prepare,
        .require_role = strcmp(s->environment, "production") == 0,
        .application_name = "ceoagent-worker",
    };

    if (keyring_new(s->encryption_key, s->encryption_keys_old, &w->ring, err) < 0 ||
        pg_new(w->loop, &pg, &w->pg, err) < 0 ||
        redis_new(w->loop, s->broker_url, w->node, &w->redis, err) < 0)
        return err->code;
    w->result_redis = w->redis;
    if (strcmp(s->result_url, s->broker_url) != 0 &&
        redis_new(w->loop, s->result_url, w->node, &w->result_redis, err) < 0)
        return err->code;
    w->broker = broker_new(w->redis, s->queue_prefix);
    w->results = results_new(w->result_redis, s->queue_prefix, s->result_expires_s);
    return 0;
}

static int make_consumer(struct worker *w, struct err *err)
{
    const struct settings *s = &w->settings;
    static const struct consumer_ops ops = {on_message, on_lost};
    struct consumer_options opt = {
        .queues = s->worker_queues,
        .node = w->node,
        .window = (int)s->max_workers,
        .visibility_ms = s->visibility_timeout_s * 1000,
        .max_redeliveries = (int)s->max_redeliveries,
        .sweep = true,
    };

    return consumer_new(w->loop, w->broker, &opt, &ops, w, &w->consumer, err);
}

static int make_http(struct worker *w, struct err *err)
{
    struct http_client_options http = {
        .max_connections = 64,
        .max_host_connections = 4,
        .http2 = w->settings.http2,
        .user_agent = "ceoagent/" CEO_VERSION,
    };

    if (http_client_new(w->loop, &http, &w->http, err) < 0)
        return err->code;
    return health_server_new(w->loop, (int)w->settings.health_port, on_ready, w, &w->health, err);
}

int worker_new(struct worker *w, struct err *err)
{
    w->arena = arena_new();
    w->lease_arena = arena_new();
    w->depth_arena = arena_new();
    w->loop = loop_new();
    w->node = consumer_node_name(w->arena, "worker");
    list_init(&w->jobs);
    timer_init(&w->drain_timer, w->loop, on_drain_timer);
    timer_init(&w->lease_timer, w->loop, on_lease_timer);
    timer_init(&w->depth_timer, w->loop, on_depth_timer);
    watch_init(&w->zygote_watch, w->loop, w->zygote->fd, on_zygote);
    if (pool_new(w->loop, w->zygote, (int)w->settings.max_workers, &w->pool, err) < 0 ||
        make_stores(w, err) < 0 || make_consumer(w, err) < 0 || make_http(w, err) < 0)
        return err->code;
    watch_set(&w->zygote_watch, true, false);
    metrics_on_render(on_render, w);
    timer_start(&w->lease_timer, worker_lease_ms(w) / 4);
    timer_start(&w->depth_timer, 0);
    w->relay = relay_new(w);
    w->requeue = requeue_new(w);
    w->weaviate = weaviate_new(w->loop, &w->settings, w->http);
    w->embeddings = embeddings_new(w->loop, &w->settings, w->http);
    w->indexer = indexer_new(w);
    return 0;
}

void worker_free(struct worker *w)
{
    relay_free(w->relay);
    requeue_free(w->requeue);
    indexer_free(w->indexer);
    weaviate_free(w->weaviate);
    embeddings_free(w->embeddings);
    LIST_FOREACH_SAFE (it, tmp, &w->jobs)
        job_lost(LIST_ENTRY(it, struct job, link));
    op_cancel(&w->lease_op.op);
    op_cancel(&w->depth_op.op);
    timer_done(&w->lease_timer);
    timer_done(&w->depth_timer);
    timer_done(&w->drain_timer);
    watch_done(&w->zygote_watch);
    consumer_free(w->consumer);
    pool_free(w->pool);
    http_server_free(w->health);
    http_client_free(w->http);
    broker_free(w->broker);
    results_free(w->results);
    if (w->result_redis != w->redis)
        redis_free(w->result_redis);
    redis_free(w->redis);
    pg_free(w->pg);
    keyring_free(w->ring);
    loop_turn(w->loop, 0); /* what was to be freed later */
    loop_free(w->loop);
    arena_free(w->lease_arena);
    arena_free(w->depth_arena);
    arena_free(w->arena);
}
