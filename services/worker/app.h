/* app.h: the worker process: one loop, the clients of its peers, the jobs it has in hand, the pool
 * of children, and the standing duties (outbox, sweep, vectors). */
#pragma once
#include "libcommon/base/list.h"
#include "libcommon/base/settings.h"
#include "libcommon/io/http_client.h"
#include "libcommon/io/http_server.h"
#include "libcommon/io/pg.h"
#include "libcommon/queue/consumer.h"
#include "libcommon/queue/result.h"
#include "libcommon/sec/crypt.h"
#include "services/worker/pool.h"

struct relay;
struct requeue;
struct indexer;
struct weaviate;
struct embeddings;

struct worker {
    struct settings settings;
    struct arena *arena;
    const char *node; /* unique among living nodes */
    struct loop *loop;
    struct zygote *zygote;
    struct watch zygote_watch;
    struct pg *pg;
    struct redis *redis;        /* the broker's; live channels, too */
    struct redis *result_redis; /* the same, unless RESULT_URL differs */
    struct broker *broker;
    struct results *results;
    struct consumer *consumer;
    struct keyring *ring;
    struct http_client *http;
    struct http_server *health;
    struct pool *pool;
    struct relay *relay;           /* task_outbox.c */
    struct requeue *requeue;       /* task_sweep.c */
    struct weaviate *weaviate;     /* NULL: not configured */
    struct embeddings *embeddings; /* the same */
    struct indexer *indexer;       /* indexer.c; NULL: nothing to do */
    struct list jobs;              /* struct job */
    int job_count;
    int background; /* writes that nobody waits for, see worker_background */
    struct timer lease_timer;
    struct pg_op lease_op;
    struct arena *lease_arena;
    int64_t lease_until_us; /* of the renewal in flight */
    struct timer drain_timer, depth_timer;
    struct redis_op depth_op;
    struct arena *depth_arena;
    struct str depth_queue;
    const char *depth_rest;
    bool draining, forced, broken; /* broken: the exit status is 1 */
};

/* Builds everything; nothing runs before loop_run. w->settings and w->zygote are set. */
int worker_new(struct worker *w, struct err *err) MUST_CHECK;
void worker_free(struct worker *w);
/* SIGTERM: stops fetching, finishes or hands back what is in hand within GRACE_SECONDS, then stops
 * the loop. Repeatable. */
void worker_drain(struct worker *w);
/* How long the row of a job is leased; renewed every quarter of it. */
int64_t worker_lease_ms(const struct worker *w);
/* Called by job.c when a job is gone: a drain may be complete now. */
void worker_job_gone(struct worker *w);

/* A batch whose outcome nobody waits for; the drain does. The batch's arena becomes ours. */
void worker_background(struct worker *w, struct arena *a, struct pg_batch *b);
