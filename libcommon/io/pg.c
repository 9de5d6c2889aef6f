/* pg.c: which batch travels when. Three queues: reads, writes that may share a transaction, and
 * writes that may not; each connection that becomes free serves them in turn. Reads and single
 * writes go as transactions of their own, a few behind each other when connections are scarce; of
 * the sharing writes all that wait go as one transaction. Those may hold at most half of the
 * connections: with more, groups get smaller and commits more, while reads wait. */
#include "libcommon/base/compat.h"
#include "libcommon/io/pg.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/pg_pool.h"

#define PG_MAGIC 0x9B47C404u
#define WAITING_MAX 20000
#define PIPELINE_MAX 8
#define GROUP_MAX 64
#define GROUP_BYTES_MAX (1u << 20)
#define TRIES_MAX 5
/* A group does not wait longer for a lock that one of its batches wants: it fails and each goes
 * alone. This also ends deadlocks between groups before the server looks for them. */
#define GROUP_LOCK_MS 250
#define OVERDUE_US 2000000 /* after its deadline the server had to end a statement by itself */
#define BACKOFF_BASE_MS 100
#define BACKOFF_MAX_MS 3000

static void dispatch(struct deferred *d);

int pg_new(struct loop *l, const struct pg_options *opt, struct pg **out, struct err *err)
{
    struct pg_params *params = pg_params_new(opt->url, "ceoagent");
    struct pg *pg;

    if (params == NULL)
        return err_set(err, ERR_INVALID, "the database URL does not parse");
    free(params);
    pg = xcalloc(1, sizeof *pg);
    pg->magic = PG_MAGIC;
    pg->loop = l;
    pg->opt = *opt;
    pg->opt.max = MAX(opt->max, 1);
    pg->opt.min = MIN(MAX(opt->min, 1), pg->opt.max);
    pg->url = xstrdup(opt->url);
    pg->application_name =
        xstrdup(opt->application_name == NULL ? "ceoagent" : opt->application_name);
    for (int i = 0; i < PG_QUEUE__MAX; i++)
        list_init(&pg->queues[i]);
    deferred_init(&pg->kick, dispatch);
    pg->backoff = (struct backoff){.base_ms = BACKOFF_BASE_MS, .max_ms = BACKOFF_MAX_MS};
    pg_links_init(pg);
    *out = pg;
    return 0;
}

static struct pg_job *first_job(struct list *jobs)
{
    struct list *first = list_first(jobs);

    return first == NULL ? NULL : LIST_ENTRY(first, struct pg_job, link);
}

void pg_free(struct pg *pg)
{
    struct pg_job *j;

    if (pg == NULL)
        return;
    CHECK(pg, PG);
    for (int i = 0; i < PG_QUEUE__MAX; i++)
        while ((j = first_job(&pg->queues[i])) != NULL)
            op_cancel(&j->op->op);
    deferred_cancel(&pg->kick);
    pg_links_done(pg);
    free(pg->url);
    free(pg->application_name);
    pg->magic = 0;
    free(pg);
}

int pg_set_url(struct pg *pg, const char *url, struct err *err)
{
    struct pg_params *params = pg_params_new(url, "ceoagent");

    CHECK(pg, PG);
    if (params == NULL)
        return err_set(err, ERR_INVALID, "the database URL does not parse");
    free(params);
    free(pg->url);
    pg->url = xstrdup(url);
    pg_links_renew(pg);
    return 0;
}

int pg_waiting(const struct pg *pg)
{
    int n = 0;

    CHECK(pg, PG);
    for (int i = 0; i < PG_QUEUE__MAX; i++)
        n += pg->waiting[i];
    return n;
}

void pg_kick(struct pg *pg)
{
    loop_defer(pg->loop, &pg->kick);
}

/* --- jobs ----------------------------------------------------------------------------------------
 */

static enum pg_queue queue_of(const struct pg_job *j)
{
    if (j->flags & PG_READ)
        return PG_QUEUE_READ;
    return (j->flags & PG_SHARE) && !j->alone ? PG_QUEUE_SHARED : PG_QUEUE_SINGLE;
}

static void job_wait(struct pg_job *j, bool at_front)
{
    enum pg_queue q = queue_of(j);

    if (at_front)
        list_push_front(&j->pg->queues[q], &j->link);
    else
        list_push(&j->pg->queues[q], &j->link);
    j->waiting = true;
    j->pg->waiting[q]++;
    pg_kick(j->pg);
}

static void job_take(struct pg_job *j)
{
    list_remove(&j->link);
    j->waiting = false;
    j->pg->waiting[queue_of(j)]--;
}

static void job_free(struct pg_job *j)
{
    list_remove(&j->link);
    free(j);
}

/* The op's abort: the owner let go, or the deadline passed. What is on the wire stays there and its
 * results are dropped when they come. */
static void on_abort(struct op *op)
{
    struct pg_op *po = CONTAINER_OF(op, struct pg_op, op);
    struct pg_job *j = po->priv;

    po->priv = NULL;
    if (j == NULL)
        return;
    metric_add(M_PG_BATCHES, 1, "abandoned", NULL, NULL);
    j->op = NULL;
    if (j->waiting) {
        job_take(j);
        job_free(j);
    }
}

static void job_finish(struct pg_job *j, const struct pg_failure *f)
{
    struct pg_op *op = j->op;
    int code = f == NULL ? 0 : f->code;

    if (op != NULL) {
        op->priv = NULL;
        op->result = code == 0 ? j->result : NULL;
        if (f != NULL) {
            memcpy(op->sqlstate, f->sqlstate, sizeof op->sqlstate);
            memcpy(op->constraint, f->constraint, sizeof op->constraint);
            err_set(&op->op.err, code, "%s", f->err.msg);
        }
        metric_add(M_PG_BATCHES, 1,
                   code == 0 ? "success" : (code == ERR_UNAVAILABLE ? "error" : "failure"), NULL,
                   NULL);
        metric_observe(M_PG_DURATION, (double)(clock_mono_us() - j->submitted_us) / 1e6, NULL, NULL,
                       NULL);
        op_finish(&op->op, code);
    }
    job_free(j);
}

/* Once more, unless nobody waits or it was tried too often. */
static void job_again(struct pg_job *j, const struct pg_failure *why)
{
    if (j->op == NULL || ++j->tries > TRIES_MAX) {
        job_finish(j, why);
        return;
    }
    pg_result_clear(j->result);
    list_remove(&j->link);
    job_wait(j, true);
}

void pg_submit(struct pg *pg, struct pg_batch *b, int64_t deadline_ms, struct pg_op *op,
               op_fn *done, void *arg)
{
    struct pg_job *j;

    CHECK(pg, PG);
    op->result = NULL;
    op->priv = NULL;
    op->sqlstate[0] = op->constraint[0] = '\0';
    op_begin(&op->op, pg->loop, MAX(deadline_ms, 1), done, arg, on_abort);
    if (pg_waiting(pg) >= WAITING_MAX) {
        err_set(&op->op.err, ERR_BUSY, "too many transactions wait for a database connection");
        op_finish(&op->op, ERR_BUSY);
        return;
    }
    j = xcalloc(1, sizeof *j);
    j->pg = pg;
    j->op = op;
    j->batch = b;
    j->result = pg_result_new(b);
    j->submitted_us = clock_mono_us();
    j->deadline_us = j->submitted_us + deadline_ms * 1000;
    j->flags = b->flags;
    op->priv = j;
    job_wait(j, false);
}

/* --- what became of a transaction ----------------------------------------------------------- */

static void unit_free(struct pg_unit *u)
{
    list_remove(&u->link);
    free(u);
}

/* The server said no, so the transaction surely did not happen. From the last job to the first,
 * since each goes to the front of its queue. */
static void unit_refused(struct pg *pg, struct pg_unit *u)
{
    const struct pg_failure *f = &u->failure;
    bool again = f->stale || f->read_only || f->serialization || u->count > 1;

    if (f->stale)
        pg_links_unprepare(pg);
    while (!list_empty(&u->jobs)) {
        struct pg_job *j = LIST_ENTRY(u->jobs.prev, struct pg_job, link);

        j->alone = j->alone || u->count > 1;
        if (again)
            job_again(j, f);
        else
            job_finish(j, f);
    }
}

void pg_unit_done(struct pg_link *l, struct pg_unit *u)
{
    struct pg_job *j;

    if (u->failure.read_only)
        l->unwanted = true; /* a standby by now: the next connection finds the primary */
    if (u->failure.code != 0)
        unit_refused(l->pg, u);
    while ((j = first_job(&u->jobs)) != NULL)
        job_finish(j, NULL);
    unit_free(u);
}

void pg_unit_lost(struct pg *pg, struct pg_unit *u, bool surely_undone, const struct err *why)
{
    struct pg_failure f = {.code = ERR_UNAVAILABLE, .err = *why};

    surely_undone = surely_undone || !u->synced;
    if (u->failure.code != 0 && !u->failure.fatal)
        unit_refused(pg, u);
    while (!list_empty(&u->jobs)) {
        struct pg_job *j = LIST_ENTRY(u->jobs.prev, struct pg_job, link);

        if (surely_undone || (j->flags & PG_IDEMPOTENT))
            job_again(j, &f);
        else
            job_finish(j, &f);
    }
    unit_free(u);
}

/* --- sending --------------------------------------------------------------------------------- */

static struct pg_unit *unit_new(struct pg_link *l)
{
    struct pg_unit *u = xcalloc(1, sizeof *u);

    list_init(&u->jobs);
    list_push(&l->units, &u->link);
    return u;
}

/* Moves the job from its queue into the unit and onto the wire. */
static bool unit_add(struct pg_link *l, struct pg_unit *u, struct pg_job *j, int64_t now)
{
    struct pg_limits limits = {MAX((j->deadline_us - now) / 1000, 1), u->lock_ms};

    job_take(j);
    list_push(&u->jobs, &j->link);
    u->count++;
    u->overdue_us = MAX(u->overdue_us, j->deadline_us + OVERDUE_US);
    return !FAULT("pg.send") && pg_wire_batch(&l->wire, j->batch, limits, j);
}

static bool unit_sync(struct pg_link *l, struct pg_unit *u)
{
    if (FAULT("pg.commit.before"))
        return false;
    u->synced = true;
    return pg_wire_sync(&l->wire, u);
}

static bool send_group(struct pg *pg, struct pg_link *l, int64_t now)
{
    struct pg_unit *u = unit_new(l);
    struct pg_job *j;
    size_t bytes = 0;

    u->shared = true;
    u->lock_ms = pg->waiting[PG_QUEUE_SHARED] > 1 ? GROUP_LOCK_MS : 0;
    while (u->count < GROUP_MAX && (j = first_job(&pg->queues[PG_QUEUE_SHARED])) != NULL) {
        if (u->count > 0 && bytes + j->batch->bytes > GROUP_BYTES_MAX)
            break;
        bytes += j->batch->bytes;
        if (!unit_add(l, u, j, now))
            return false;
    }
    return unit_sync(l, u);
}

static bool send_singly(struct pg *pg, struct pg_link *l, enum pg_queue q, int n, int64_t now)
{
    struct pg_job *j;

    for (int i = 0; i < n && (j = first_job(&pg->queues[q])) != NULL; i++) {
        struct pg_unit *u = unit_new(l);

        if (!unit_add(l, u, j, now) || !unit_sync(l, u))
            return false;
    }
    return true;
}

/* The next queue in turn that has something which may go now, or -1. */
static int next_queue(struct pg *pg)
{
    for (int i = 0; i < PG_QUEUE__MAX; i++) {
        int q = (pg->turn + i) % PG_QUEUE__MAX;

        if (pg->waiting[q] == 0)
            continue;
        if (q == PG_QUEUE_SHARED && pg_links_sharing(pg) >= MAX(pg->opt.max / 2, 1))
            continue;
        pg->turn = q + 1;
        return q;
    }
    return -1;
}

/* How many of the queue one connection takes. A write may wait for a lock, and nobody is put behind
 * it. */
static int share_of(const struct pg *pg, int q, int places)
{
    if (q == PG_QUEUE_SINGLE)
        return 1;
    return MIN((pg->waiting[q] + places - 1) / places, PIPELINE_MAX);
}

static void dispatch(struct deferred *d)
{
    struct pg *pg = CONTAINER_OF(d, struct pg, kick);
    int64_t now = clock_mono_us();
    struct pg_link *l;
    int places, q;
    bool ok;

    while ((q = next_queue(pg)) >= 0) {
        l = pg_link_idle(pg, &places);
        if (l == NULL) {
            pg_links_grow(pg);
            return;
        }
        ok = q == PG_QUEUE_SHARED
                 ? send_group(pg, l, now)
                 : send_singly(pg, l, (enum pg_queue)q, share_of(pg, q, places), now);
        if (ok)
            pg_link_flush(l);
        else
            pg_link_lost(l, "sending to the database failed");
    }
}

bool pg_ready(const struct pg *pg)
{
    CHECK(pg, PG);
    for (int i = 0; i < pg->opt.max; i++)
        if (pg->links[i].state == PG_LINK_UP)
            return clock_mono_us() - pg->heard_us < PG_READY_US;
    return false;
}
