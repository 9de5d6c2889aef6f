/* task_sweep.c: one look, then one publish a row, then the next look. A look moves the rows' time
 * on, so that several workers share the work; it is not made while Redis is away, where the
 * messages could not go. */
#include "libcommon/base/compat.h"
#include "libcommon/base/id.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/model/documents.h"
#include "services/worker/job.h"
#include "services/worker/task_sweep.h"

#define STORE_MS 10000
#define BATCH 100
#define JOB_GRACE_MS 5000       /* a young job is left to its message */
#define JOB_AGAIN_MS 10000      /* until it is enqueued once more: the message may be lost too */
#define DOCUMENT_GRACE_MS 30000 /* also the pause between two messages for one document */

struct requeue {
    struct worker *w;
    struct arena *arena; /* of the round */
    struct pg_op op;
    struct redis_op *sent;
    int sent_count, left;
    struct timer timer;
    bool stopped;
};

static int64_t pause_ms(const struct requeue *q)
{
    int64_t ms = q->w->settings.sweep_interval_ms;
    uint32_t r;

    random_bytes(&r, sizeof(r));
    return ms * 3 / 4 + (int64_t)(r % (uint32_t)(ms / 2 + 1));
}

static void rest(struct requeue *q)
{
    arena_reset(q->arena);
    q->sent_count = 0;
    if (!q->stopped)
        timer_start(&q->timer, pause_ms(q));
}

static void on_sent(struct op *op)
{
    struct requeue *q = op->arg;

    if (op->err.code != 0)
        log_debug("a swept job was not enqueued", LOG_S("error", op->err.msg));
    if (--q->left == 0)
        rest(q);
}

static void enqueue(struct requeue *q, const struct publish *p, const char *kind)
{
    q->left++;
    metric_add(M_SWEEP_REQUEUED, 1, kind, NULL, NULL);
    broker_publish(q->w->broker, q->arena, p, STORE_MS, &q->sent[q->sent_count++], on_sent, q);
}

static const char *id_text(struct requeue *q, struct uuid id)
{
    return uuid_text(id, arena_alloc(q->arena, UUID_LEN + 1));
}

static void enqueue_jobs(struct requeue *q)
{
    struct job_row j;
    const char *id;

    for (int i = 0; i < pg_rows(q->op.result, 0); i++) {
        if (jobs_read(q->op.result, 0, i, q->arena, NULL, &j, NULL) != 0)
            continue;
        id = id_text(q, j.id);
        enqueue(q,
                &(struct publish){.queue = j.queue,
                                  .task = j.task,
                                  .id = id,
                                  .kwargs_json =
                                      str_of(arena_printf(q->arena, "{\"job_id\": \"%s\"}", id)),
                                  .priority = j.priority,
                                  .tenant = id_text(q, j.tenant),
                                  .decision = j.has_decision ? id_text(q, j.decision) : NULL,
                                  .traceparent = j.traceparent},
                "job");
    }
}

static void enqueue_documents(struct requeue *q)
{
    for (int i = 0; i < pg_rows(q->op.result, 1); i++) {
        const char *id = id_text(q, pg_get_uuid(q->op.result, 1, i, 0));

        enqueue(q,
                &(struct publish){
                    .queue = QUEUE_WORKER,
                    .task = "ceoagent.ingest",
                    .kwargs_json = str_of(arena_printf(q->arena, "{\"document_id\": \"%s\"}", id)),
                    .tenant = id_text(q, pg_get_uuid(q->op.result, 1, i, 1))},
                "document");
    }
}

static void on_looked(struct op *op)
{
    struct requeue *q = op->arg;

    if (op->err.code != 0) {
        rest(q);
        return;
    }
    q->sent = arena_array(q->arena, struct redis_op, 2 * BATCH);
    q->left = 1;
    enqueue_jobs(q);
    enqueue_documents(q);
    if (q->left > 1)
        log_info("jobs went back to their queues from their rows", LOG_I("count", q->left - 1));
    if (--q->left == 0)
        rest(q);
}

static void on_timer(struct timer *t)
{
    struct requeue *q = CONTAINER_OF(t, struct requeue, timer);
    struct pg_batch *b;

    if (q->stopped || !redis_ready(q->w->redis)) {
        rest(q);
        return;
    }
    b = pg_batch_new(q->arena, PG_SERVICE, NULL, NULL, false, 0);
    jobs_add_due(b, q->arena, JOB_GRACE_MS, JOB_AGAIN_MS, BATCH);
    documents_add_due(b, q->arena, DOCUMENT_GRACE_MS, BATCH);
    pg_submit(q->w->pg, b, STORE_MS, &q->op, on_looked, q);
}

void requeue_poke(struct requeue *q)
{
    if (q->timer.armed)
        timer_start(&q->timer, 0);
}

struct requeue *requeue_new(struct worker *w)
{
    struct requeue *q = xcalloc(1, sizeof(*q));

    q->w = w;
    q->arena = arena_new();
    timer_init(&q->timer, w->loop, on_timer);
    timer_start(&q->timer, pause_ms(q));
    return q;
}

void requeue_stop(struct requeue *q)
{
    if (q == NULL)
        return;
    q->stopped = true;
    timer_stop(&q->timer);
}

void requeue_free(struct requeue *q)
{
    if (q == NULL)
        return;
    op_cancel(&q->op.op);
    for (int i = 0; i < q->sent_count; i++)
        op_cancel(&q->sent[i].op);
    timer_done(&q->timer);
    arena_free(q->arena);
    free(q);
}

void task_sweep_start(struct job *j)
{
    requeue_poke(j->w->requeue);
    job_succeed(j, STR("null"));
}
