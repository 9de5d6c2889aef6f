/* job.c: the machine of one job. Each step sends one operation and judges its answer; when a store
 * is away, the step waits half a second and sends again, for as long as the lease lasts. Writes are
 * idempotent (fenced by epoch, by tag, by "SUCCESS stays"), so repeating after an unknown outcome
 * is safe. */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/live.h"
#include "services/worker/job.h"

#define STORE_MS 10000
#define AGAIN_MS 500
#define PARK_S 3 /* until a job is tried again whose stores are away */

enum job_step { KNOWN, CLAIM, RUN, CHECK_LEASE, STORE_ROW, STORE_RESULT, SETTLE };

/* --- ends ----------------------------------------------------------------------------------- */

static void job_free(struct job *j)
{
    struct worker *w = j->w;

    if (j->task != NULL && j->task->stop != NULL && j->work != NULL)
        j->task->stop(j);
    flow_done(&j->flow);
    op_cancel(&j->pg.op);
    op_cancel(&j->redis.op);
    pool_call_done(&j->call);
    timer_done(&j->again);
    list_remove(&j->link);
    w->job_count--;
    arena_free(j->arena);
    free(j);
    worker_job_gone(w);
}

static void release_row(struct job *j, int64_t delay_ms)
{
    struct arena *a = arena_new();
    struct pg_batch *b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, PG_IDEMPOTENT);

    jobs_add_release(b, a, j->row.id, j->row.lease_epoch, delay_ms);
    worker_background(j->w, a, b);
}

/* The delivery goes; then the job. */
static void let_go(struct job *j, void (*how)(struct delivery *d))
{
    struct delivery *d = j->delivery;

    if (d->lost)
        consumer_forget(d);
    else
        how(d);
    job_free(j);
}

static void back_to_queue(struct delivery *d)
{
    consumer_requeue(d, true, false);
}

static void back_later(struct delivery *d)
{
    consumer_park(d, clock_wall_us() + PARK_S * 1000000);
}

static void back_counted(struct delivery *d)
{
    consumer_requeue(d, true, true);
}

void job_hand_back(struct job *j)
{
    if (j->has_row && j->row.lease_epoch != 0)
        release_row(j, 0);
    let_go(j, back_to_queue);
}

void job_lost(struct job *j)
{
    if (j->has_row && j->row.lease_epoch != 0)
        return; /* the row is ours; the message was a hint */
    log_warning("a job was given up: its message is somebody else's",
                LOG_S("job_id", j->delivery->msg.id), LOG_S("task", j->delivery->msg.task));
    metric_add(M_JOBS, 1, j->task != NULL ? j->task->name : "unknown", "lost", NULL);
    let_go(j, consumer_forget);
}

void job_row_renewed(struct job *j, int64_t until_us)
{
    j->row_until_us = until_us;
}

void job_row_lost(struct job *j)
{
    log_warning("a job was given up: the lease of its row is lost",
                LOG_S("job_id", j->delivery->msg.id), LOG_S("task", j->delivery->msg.task));
    metric_add(M_JOBS, 1, j->task->name, "lost", NULL);
    let_go(j,
           consumer_ack); /* whoever has the row has a message of its own, or the sweep sends one */
}

/* --- steps ---------------------------------------------------------------------------------- */

static void on_pg(struct op *op)
{
    flow_wake(&((struct job *)op->arg)->flow, WAKE_REPLY);
}

static void on_redis(struct op *op)
{
    flow_wake(&((struct job *)op->arg)->flow, WAKE_REPLY);
}

static void on_again(struct timer *t)
{
    flow_wake(&CONTAINER_OF(t, struct job, again)->flow, WAKE_ENTER);
}

static enum verdict send_again(struct job *j)
{
    j->tries++;
    timer_start(&j->again, AGAIN_MS);
    return STEP_WAIT;
}

static bool passing(const struct err *e)
{
    return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_BUSY;
}

static enum verdict known(struct flow *f, unsigned wake)
{
    struct job *j = f->owner;
    cJSON *doc;

    if (j->end != JOB_SUCCESS) /* settled at the door: unknown, expired */
        return flow_goto(f, STORE_RESULT);
    if (j->has_row || !j->delivery->msg.redelivered)
        return STEP_NEXT;
    if (wake & WAKE_ENTER) {
        result_load(j->w->results, j->arena, j->delivery->msg.id, STORE_MS, &j->redis, on_redis, j);
        return STEP_WAIT;
    }
    if (passing(&j->redis.op.err))
        return send_again(j);
    if (j->redis.op.err.code == 0 && j->redis.reply->type == REDIS_STRING &&
        json_parse(j->arena, j->redis.reply->s, JSON_DEPTH_MAX, &doc, NULL) == 0 &&
        strcmp(json_str(doc, "status", ""), "SUCCESS") == 0) {
        return flow_failf(f, ERR_CONFLICT, "it was done already");
    }
    return STEP_NEXT;
}

static enum verdict take_claim(struct job *j)
{
    struct flow *f = &j->flow;
    struct uuid id = j->row.id;
    struct err err = {0};

    if (pg_rows(j->pg.result, 0) == 0) /* the sweep looks after it */
        return flow_failf(f, ERR_CONFLICT, "it is done, or in other hands");
    if (jobs_read(j->pg.result, 0, 0, j->arena, j->w->ring, &j->row, &err) != 0) {
        j->row = (struct job_row){.id = id, .tenant = j->tenant};
        j->row.lease_epoch = pg_get_i64(j->pg.result, 0, 0, 12);
        log_error("a job's row cannot be read", LOG_S("error", err.msg));
        job_fault(j, JOB_FAILURE, "RuntimeError", NULL, "INTERNAL_ERROR", err.msg);
        return flow_goto(f, STORE_ROW);
    }
    j->tenant = j->row.tenant;
    j->body.args = STR("[]");
    j->body.kwargs = j->row.args;
    if (j->row.attempts > j->w->settings.max_redeliveries + 1 + j->task->max_retries) {
        job_fault(j, JOB_LOST_CHILD, "WorkerLostError", "billiard.exceptions",
                  "SKILL_EXECUTION_FAILED", "the job ended its worker again and again");
        return flow_goto(f, STORE_ROW);
    }
    return STEP_NEXT;
}

static enum verdict claim(struct flow *f, unsigned wake)
{
    struct job *j = f->owner;
    int64_t lease_ms = worker_lease_ms(j->w);
    struct pg_batch *b;

    if (!j->has_row)
        return STEP_NEXT;
    if (wake & WAKE_ENTER) {
        b = pg_batch_new(j->arena, PG_SERVICE, NULL, NULL, false, 0);
        jobs_add_claim(b, j->arena, j->row.id, j->w->node, lease_ms);
        j->row_until_us = clock_mono_us() + lease_ms * 1000;
        pg_submit(j->w->pg, b, STORE_MS, &j->pg, on_pg, j);
        return STEP_WAIT;
    }
    if (j->pg.op.err.code != 0) {
        log_warning("a job could not be claimed", LOG_S("error", j->pg.op.err.msg));
        return STEP_FAIL; /* later; if the claim took place, after the row's lease */
    }
    return take_claim(j);
}

static void on_called(struct pool_call *c)
{
    flow_wake(&((struct job *)c->arg)->flow, WAKE_REPLY);
}

static enum verdict run(struct flow *f, unsigned wake)
{
    struct job *j = f->owner;

    if (wake & WAKE_ENTER) {
        if (j->task->where == TASK_CHILD)
            job_call(j, j->task->child,
                     str_of(arena_printf(j->arena, "{\"args\": %.*s, \"kwargs\": %.*s}",
                                         STR_ARG(j->body.args), STR_ARG(j->body.kwargs))),
                     on_called);
        else
            j->task->start(j);
        return STEP_WAIT;
    }
    if (j->task->where == TASK_LOOP)
        return STEP_NEXT;
    if (j->call.outcome == POOL_DIED &&
        j->delivery->msg.redeliveries < j->w->settings.max_redeliveries)
        return flow_failf(f, ERR_INTERNAL, "the process of the job died");
    job_judge_call(j);
    return STEP_NEXT;
}

static enum verdict check_lease(struct flow *f, unsigned wake)
{
    struct job *j = f->owner;

    if (j->has_row)
        return STEP_NEXT;
    if (wake & WAKE_ENTER) {
        consumer_check(j->delivery, STORE_MS, &j->redis, on_redis, j);
        return STEP_WAIT;
    }
    if (passing(&j->redis.op.err))
        return send_again(j); /* until on_lost comes */
    return j->redis.op.err.code == 0 ? STEP_NEXT : STEP_FAIL;
}

static const char *row_status(const struct job *j)
{
    return j->end == JOB_SUCCESS ? "success" : j->end == JOB_RETRY ? "pending" : "failure";
}

static void add_row_end(struct job *j, struct pg_batch *b)
{
    struct str none = {NULL, 0};
    bool good = j->end == JOB_SUCCESS;

    if (j->end == JOB_RETRY)
        jobs_add_release(b, j->arena, j->row.id, j->row.lease_epoch,
                         MAX(0, (j->retry_at_us - clock_wall_us()) / 1000));
    else
        jobs_add_end(b, j->arena, j->w->ring, &j->row, row_status(j), good ? j->value : none,
                     good ? none : j->value);
}

/* The write and a look at the row travel together: the look settles a repeated write. */
static enum verdict store_row(struct flow *f, unsigned wake)
{
    struct job *j = f->owner;
    struct job_row seen;
    struct pg_batch *b;

    if (!j->has_row)
        return STEP_NEXT;
    if (wake & WAKE_ENTER) {
        b = pg_batch_new(j->arena, PG_SERVICE, NULL, NULL, false, PG_SHARE | PG_IDEMPOTENT);
        add_row_end(j, b);
        jobs_add_get(b, j->arena, &j->row.id, 1);
        pg_submit(j->w->pg, b, STORE_MS, &j->pg, on_pg, j);
        return STEP_WAIT;
    }
    if (j->pg.op.err.code != 0) {
        log_warning("a job's result is not stored yet", LOG_S("job_id", j->delivery->msg.id),
                    LOG_S("error", j->pg.op.err.msg));
        return send_again(j); /* until the row's lease is over */
    }
    if (jobs_read(j->pg.result, 1, 0, j->arena, NULL, &seen, NULL) != 0 ||
        seen.lease_epoch != j->row.lease_epoch || strcmp(seen.status, row_status(j)) != 0) {
        log_warning("a job's result came too late", LOG_S("job_id", j->delivery->msg.id));
        return flow_failf(f, ERR_CONFLICT, "its row is in other hands");
    }
    return STEP_NEXT;
}

static const char *celery_status(const struct job *j)
{
    static const char *const names[] = {"SUCCESS", "FAILURE", "RETRY", "REVOKED", "FAILURE"};

    return names[j->end];
}

static enum verdict store_result(struct flow *f, unsigned wake)
{
    struct job *j = f->owner;
    const struct message *m = &j->delivery->msg;

    if (m->ignore_result)
        return STEP_NEXT;
    if (wake & WAKE_ENTER) {
        result_store(j->w->results, j->arena,
                     &(struct result){.id = m->id,
                                      .status = celery_status(j),
                                      .value = j->end == JOB_SUCCESS ? j->value : (struct str){0},
                                      .exc_type = j->exc_type,
                                      .exc_module = j->exc_module,
                                      .exc_message = j->message,
                                      .group = m->group,
                                      .parent_id = m->parent_id},
                     STORE_MS, &j->redis, on_redis, j);
        return STEP_WAIT;
    }
    if (passing(&j->redis.op.err) && !j->has_row)
        return send_again(j); /* until the lease is lost */
    if (j->redis.op.err.code != 0)
        log_warning("a job's result is not in Redis", LOG_S("job_id", m->id),
                    LOG_S("error", j->redis.op.err.msg));
    return STEP_NEXT;
}

static void notify(struct job *j)
{
    struct str argv[3] = {STR("PUBLISH"), job_channel(j->arena, j->tenant, j->row.id)};

    argv[2] = str_of(arena_printf(j->arena, "{\"k\":\"end\",\"status\":\"%s\"}", row_status(j)));
    redis_send(j->w->redis, 1, 3, argv);
}

static void count(struct job *j)
{
    static const char *const names[] = {"success", "failure", "retry", "revoked", "failure"};
    const char *task = j->task != NULL ? j->task->name : "unknown";

    metric_add(M_JOBS, 1, task, names[j->end], NULL);
    metric_observe(M_JOB_DURATION, (double)(clock_mono_us() - j->started_us) / 1e6, task, NULL,
                   NULL);
    log_info("job ended", LOG_S("job_id", j->delivery->msg.id),
             LOG_S("task", j->delivery->msg.task), LOG_S("status", names[j->end]),
             LOG_S("decision_id", j->delivery->msg.decision));
}

static void retry_later(struct job *j)
{
    struct delivery *d = j->delivery;
    struct str text;

    if (message_retry(j->arena, d->msg.text, d->msg.retries + 1, j->retry_at_us, &text, NULL) == 0)
        consumer_replace(d, text, j->retry_at_us);
    else
        consumer_dead(d, "the retry could not be written");
}

static enum verdict settle(struct flow *f, unsigned wake)
{
    struct job *j = f->owner;
    struct delivery *d = j->delivery;

    (void)wake;
    count(j);
    if (j->has_row && j->end != JOB_RETRY)
        notify(j);
    if (d->lost)
        consumer_forget(d);
    else if (j->end == JOB_RETRY)
        retry_later(j);
    else if (j->end == JOB_LOST_CHILD)
        consumer_dead(d, j->message);
    else
        consumer_ack(d);
    return STEP_DONE;
}

static const struct step steps[] = {
    [KNOWN] = {"known", known, 0, false},
    [CLAIM] = {"claim", claim, 0, false},
    [RUN] = {"run", run, 0, false},
    [CHECK_LEASE] = {"check", check_lease, 0, false},
    [STORE_ROW] = {"store_row", store_row, 0, false},
    [STORE_RESULT] = {"store_result", store_result, 0, false},
    [SETTLE] = {"settle", settle, 0, false},
};

static void on_end(struct flow *f, enum verdict v)
{
    struct job *j = f->owner;

    if (v == STEP_DONE) {
        job_free(j);
        return;
    }
    if (f->err.code == ERR_INTERNAL) { /* the child died: once more, counted */
        log_warning("the process of a job died; the job goes back to its queue",
                    LOG_S("job_id", j->delivery->msg.id), LOG_S("task", j->delivery->msg.task));
        metric_add(M_JOBS, 1, j->task->name, "died", NULL);
        if (j->has_row)
            release_row(j, 0);
        let_go(j, back_counted);
        return;
    }
    if (f->err.code == ERR_CONFLICT) {
        metric_add(M_JOBS, 1, j->task->name, "duplicate", NULL);
        let_go(j, consumer_ack);
        return;
    }
    let_go(j, back_later); /* a store is away, or the lease is: consumer.c knows which */
}

/* --- the door ------------------------------------------------------------------------------- */

static void find_row(struct job *j)
{
    struct str raw;

    if (j->task == NULL || !j->task->rows || json_raw(j->body.kwargs, "/job_id", &raw) != 0 ||
        raw.n != UUID_LEN + 2 || uuid_parse((struct str){raw.p + 1, UUID_LEN}, &j->row.id) != 0)
        return;
    j->has_row = true;
    j->row.tenant = j->tenant;
}

/* True when the job's fate is known before it runs. */
static bool settled_at_the_door(struct job *j)
{
    const struct message *m = &j->delivery->msg;

    if (j->task == NULL) {
        log_warning("a job names an unknown task", LOG_S("job_id", m->id), LOG_S("task", m->task));
        job_fault(j, JOB_FAILURE, "NotRegistered", "celery.exceptions", "SKILL_NOT_FOUND", m->task);
        return true;
    }
    if (m->expires_us != 0 && m->expires_us <= clock_wall_us()) {
        job_fault(j, JOB_REVOKED, "TaskRevokedError", "celery.exceptions", "CANCELLED", "expired");
        return true;
    }
    return false;
}

void job_start(struct worker *w, struct delivery *d)
{
    struct job *j;
    struct err err = {0};

    if (d->msg.eta_us > clock_wall_us() &&
        (d->msg.expires_us == 0 || d->msg.expires_us > clock_wall_us())) {
        consumer_park(d, d->msg.eta_us);
        return;
    }
    j = xcalloc(1, sizeof(*j));
    j->w = w;
    j->delivery = d;
    j->arena = arena_new();
    j->started_us = clock_mono_us();
    j->task = task_find(d->msg.task);
    d->owner = j;
    list_push(&w->jobs, &j->link);
    w->job_count++;
    timer_init(&j->again, w->loop, on_again);
    flow_init(&j->flow, w->loop, steps, on_end, NULL, j);
    if (uuid_parse(str_of(d->msg.tenant != NULL ? d->msg.tenant : TENANT_DEFAULT), &j->tenant) != 0)
        err_set(&err, ERR_INVALID, "the header ceo-tenant is no UUID");
    else if (message_body(j->arena, &d->msg, &j->body, &err) == 0 && !settled_at_the_door(j))
        find_row(j);
    if (err.code != 0) {
        log_warning("a job cannot be read", LOG_S("job_id", d->msg.id), LOG_S("error", err.msg));
        consumer_dead(d, err.msg);
        job_free(j);
        return;
    }
    flow_start(&j->flow);
}
