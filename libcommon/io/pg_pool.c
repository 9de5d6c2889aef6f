/* pg_pool.c: the connections. Connecting runs in a thread, since libpq looks names up and walks
 * through `host=a,b` with blocking calls, and a name server that is down would stop the loop for
 * seconds; the thread shares nothing but its attempt, which the last of both frees.
 *
 * When a connection is lost, what is known about its transactions in flight decides: a FATAL error
 * in the place of a statement's result means that its transaction, and those behind it, did not
 * happen; without such a word, or at the place of the commit, the outcome is unknown. */
#include "libcommon/base/compat.h"
#include "libcommon/io/pg.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/pg_pool.h"

#define TICK_MS 2000
#define PING_OVERDUE_US 3000000
#define STACK_BYTES (1u << 20) /* name services may be generous with it */

struct pg_attempt {
    atomic_int refs; /* the thread's and the link's */
    int fd;          /* eventfd: readable once the fields below are set */
    struct pg_params *params;
    bool require_role;
    PGconn *conn;
    bool switches_roles;
    int rc;
    struct err err;
};

static void attempt_unref(struct pg_attempt *a)
{
    if (atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    if (a->conn != NULL)
        PQfinish(a->conn);
    close(a->fd);
    free(a->params);
    free(a);
}

static void *attempt_run(void *arg)
{
    struct pg_attempt *a = arg;
    uint64_t one = 1;

    a->rc =
        pg_wire_connect(a->params, a->require_role, true, &a->conn, &a->switches_roles, &a->err);
    if (write(a->fd, &one, sizeof one) != sizeof one)
        abort(); /* an eventfd that was never written to takes a 1 */
    attempt_unref(a);
    return NULL;
}

/* Signals are the main thread's. */
static bool attempt_start(struct pg_attempt *a)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    rc = pthread_create(&thread, &attr, attempt_run, a);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

static struct pg_attempt *attempt_new(const struct pg *pg)
{
    struct pg_attempt *a = xcalloc(1, sizeof *a);

    atomic_init(&a->refs, 2);
    a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->params = pg_params_new(pg->url, pg->application_name);
    a->require_role = pg->opt.require_role;
    if (a->fd >= 0 && a->params != NULL && attempt_start(a))
        return a;
    atomic_store(&a->refs, 1);
    attempt_unref(a);
    return NULL;
}

/* --- one link ------------------------------------------------------------------------------------
 */

static void on_socket(struct watch *w, bool readable, bool writable);

static bool idle(const struct pg_link *l)
{
    return l->state == PG_LINK_UP && list_empty(&l->units);
}

static struct pg_unit *first_unit(const struct pg_link *l)
{
    struct list *first = list_first(&l->units);

    return first == NULL ? NULL : LIST_ENTRY(first, struct pg_unit, link);
}

static void link_close(struct pg_link *l)
{
    watch_done(&l->watch);
    pg_wire_done(&l->wire);
    if (l->attempt != NULL)
        attempt_unref(l->attempt);
    l->attempt = NULL;
    l->unwanted = false;
    l->state = PG_LINK_CLOSED;
}

/* Logged once an outage, here, since a connection made in the background has no caller to tell. */
static void connect_failed(struct pg *pg, const char *why)
{
    if (!pg->down_logged)
        log_warning("database cannot be reached", LOG_S("reason", why));
    pg->down_logged = true;
    timer_start(&pg->retry, backoff_next(&pg->backoff));
}

static void link_up(struct pg_link *l, struct pg_attempt *a)
{
    struct pg *pg = l->pg;

    l->wire = (struct pg_wire){
        .conn = a->conn, .prepare = pg->opt.prepare, .switches_roles = a->switches_roles};
    a->conn = NULL;
    watch_done(&l->watch);
    watch_init(&l->watch, pg->loop, PQsocket(l->wire.conn), on_socket);
    watch_set(&l->watch, true, false);
    l->state = PG_LINK_UP;
    l->idle_since_us = pg->heard_us = clock_mono_us();
    if (pg->down_logged)
        log_info("database is back");
    if (pg->lost > 0)
        metric_inc(M_PG_RECONNECTS);
    pg->lost -= pg->lost > 0;
    pg->down_logged = false;
    backoff_reset(&pg->backoff);
}

static void on_attempt(struct watch *w, bool readable UNUSED, bool writable UNUSED)
{
    struct pg_link *l = CONTAINER_OF(w, struct pg_link, watch);
    struct pg_attempt *a = l->attempt;
    struct pg *pg = l->pg;

    l->attempt = NULL;
    if (a->rc == 0) {
        link_up(l, a);
    } else {
        link_close(l);
        connect_failed(pg, a->err.msg);
    }
    attempt_unref(a);
    pg_kick(pg);
}

static void link_connect(struct pg_link *l)
{
    l->attempt = attempt_new(l->pg);
    if (l->attempt == NULL) {
        connect_failed(l->pg, "no thread or descriptor for a connection");
        return;
    }
    l->state = PG_LINK_CONNECTING;
    watch_init(&l->watch, l->pg->loop, l->attempt->fd, on_attempt);
    watch_set(&l->watch, true, false);
}

void pg_link_lost(struct pg_link *l, const char *why)
{
    struct pg_unit *head = first_unit(l);
    bool said = head != NULL && head->failure.fatal;
    struct err err;
    struct list units;

    err_set(&err, ERR_UNAVAILABLE, "%s", said ? head->failure.err.msg : why);
    l->pg->lost++;
    /* Before the jobs go back to their queues, so that none comes here again. */
    list_init(&units);
    while (first_unit(l) != NULL) {
        struct pg_unit *u = LIST_ENTRY(l->units.prev, struct pg_unit, link);

        list_remove(&u->link);
        list_push_front(&units, &u->link);
    }
    link_close(l);
    while (!list_empty(&units)) {
        struct pg_unit *u = LIST_ENTRY(units.prev, struct pg_unit, link);

        pg_unit_lost(l->pg, u, said && (u != head || !u->failed_at_sync), &err);
    }
    pg_links_grow(l->pg);
    pg_kick(l->pg);
}

void pg_link_flush(struct pg_link *l)
{
    int rc = PQflush(l->wire.conn);

    if (rc < 0)
        pg_link_lost(l, "sending to the database failed");
    else
        watch_set(&l->watch, true, rc > 0);
}

/* --- results -----------------------------------------------------------------------------------
 */

static void keep_result(struct pg_job *j, int index, PGresult *r)
{
    if (j->op != NULL)
        j->result->rows[index] = r;
    else
        PQclear(r);
}

/* One result; false when the connection has to go. */
static bool take_reply(struct pg_link *l, PGresult *r)
{
    struct pg_unit *u = first_unit(l);
    ExecStatusType status = PQresultStatus(r);
    struct pg_slot slot = l->wire.slots.p[l->wire.slots.head];

    if (status == PGRES_FATAL_ERROR && u->failure.code == 0) {
        pg_failure_read(&u->failure, r);
        u->failed_at_sync = slot.kind == PG_REPLY_SYNC;
    }
    if (slot.kind == PG_REPLY_SYNC && status != PGRES_PIPELINE_SYNC) {
        PQclear(r); /* the commit failed; the answer to the Sync is still to come */
        return !u->failure.fatal;
    }
    pg_slots_pop(&l->wire.slots);
    if (slot.kind == PG_REPLY_CALL)
        keep_result(slot.owner, slot.index, r);
    else
        PQclear(r);
    if (slot.kind == PG_REPLY_PREPARE && status != PGRES_COMMAND_OK)
        pg_wire_unprepare(&l->wire, &slot);
    if (slot.kind != PG_REPLY_SYNC)
        return !u->failure.fatal;
    if (u->failure.code == 0 && FAULT("pg.commit.after"))
        return false;
    pg_unit_done(l, u);
    return true;
}

/* Takes what has arrived. In a pipeline libpq ends each statement with a NULL; two in a row mean
 * that there is nothing. */
static bool take_replies(struct pg_link *l)
{
    int nulls = 0;

    while (l->wire.slots.count > 0 && !PQisBusy(l->wire.conn) && nulls < 2) {
        PGresult *r = PQgetResult(l->wire.conn);

        if (r == NULL) {
            nulls++;
            continue;
        }
        nulls = 0;
        if (PQresultStatus(r) == PGRES_FATAL_ERROR &&
            PQresultErrorField(r, PG_DIAG_SQLSTATE) == NULL) {
            PQclear(r); /* libpq's own word: the connection broke */
            return false;
        }
        if (!take_reply(l, r))
            return false;
    }
    return true;
}

static void link_idle(struct pg_link *l)
{
    l->idle_since_us = clock_mono_us();
    if (l->unwanted)
        link_close(l);
    pg_kick(l->pg);
}

static void on_socket(struct watch *w, bool readable, bool writable)
{
    struct pg_link *l = CONTAINER_OF(w, struct pg_link, watch);
    bool was_idle = idle(l), ok = true;

    if (readable) {
        ok = !FAULT("pg.result") && PQconsumeInput(l->wire.conn) == 1;
        /* Also after an end of file: the server's last words may have come before it. */
        ok = take_replies(l) && ok && PQstatus(l->wire.conn) == CONNECTION_OK;
        l->pg->heard_us = clock_mono_us();
    }
    if (!ok) {
        pg_link_lost(l, "the connection to the database broke");
        return;
    }
    if (writable)
        pg_link_flush(l);
    if (!was_idle && idle(l))
        link_idle(l);
}

/* --- the pool -------------------------------------------------------------------------------- */

static int count_state(const struct pg *pg, enum pg_link_state state)
{
    int n = 0;

    for (int i = 0; i < pg->opt.max; i++)
        n += pg->links[i].state == state;
    return n;
}

struct pg_link *pg_link_idle(struct pg *pg, int *places)
{
    struct pg_link *found = NULL;

    *places = 0;
    for (int i = pg->opt.max - 1; i >= 0; i--) {
        struct pg_link *l = &pg->links[i];

        *places += idle(l) || (l->state != PG_LINK_UP && !pg->retry.armed);
        if (idle(l))
            found = l; /* the first ones, so that the last can be closed as idle */
    }
    return found;
}

int pg_links_sharing(const struct pg *pg)
{
    int n = 0;

    for (int i = 0; i < pg->opt.max; i++) {
        const struct pg_unit *u =
            pg->links[i].state == PG_LINK_UP ? first_unit(&pg->links[i]) : NULL;

        n += u != NULL && u->shared;
    }
    return n;
}

void pg_links_grow(struct pg *pg)
{
    if (pg->retry.armed || count_state(pg, PG_LINK_CONNECTING) > 0)
        return;
    for (int i = 0; i < pg->opt.max; i++)
        if (pg->links[i].state == PG_LINK_CLOSED) {
            link_connect(&pg->links[i]);
            return;
        }
}

void pg_links_unprepare(struct pg *pg)
{
    for (int i = 0; i < pg->opt.max; i++)
        pg_prepared_clear(&pg->links[i].wire.prepared);
}

void pg_links_renew(struct pg *pg)
{
    for (int i = 0; i < pg->opt.max; i++) {
        struct pg_link *l = &pg->links[i];

        if (idle(l) || l->state == PG_LINK_CONNECTING)
            link_close(l);
        else
            l->unwanted = l->state == PG_LINK_UP;
    }
    timer_stop(&pg->retry);
    backoff_reset(&pg->backoff);
    pg_links_grow(pg);
}

static void on_retry(struct timer *t)
{
    struct pg *pg = CONTAINER_OF(t, struct pg, retry);

    if (count_state(pg, PG_LINK_UP) < pg->opt.min)
        pg_links_grow(pg);
    pg_kick(pg);
}

static void ping(struct pg_link *l, int64_t now)
{
    static const struct pg_batch nothing = {.role = PG_OWNER, .user = ""};
    struct pg_unit *u = xcalloc(1, sizeof *u);

    list_init(&u->jobs);
    list_push(&l->units, &u->link);
    u->synced = true;
    u->overdue_us = now + PING_OVERDUE_US;
    if (pg_wire_batch(&l->wire, &nothing, (struct pg_limits){0, 0}, NULL) &&
        pg_wire_sync(&l->wire, u))
        pg_link_flush(l);
    else
        pg_link_lost(l, "sending to the database failed");
}

static void check_link(struct pg_link *l, int64_t now, int *up)
{
    const struct pg_unit *u = first_unit(l);

    if (u != NULL && u->overdue_us < now) {
        pg_link_lost(l, "the database did not answer in time");
    } else if (u == NULL && *up > l->pg->opt.min && l->pg->opt.idle_s > 0 &&
               now - l->idle_since_us > l->pg->opt.idle_s * INT64_C(1000000)) {
        link_close(l);
        --*up;
    }
}

static void show(const struct pg *pg)
{
    int idle_count = 0, up = count_state(pg, PG_LINK_UP);

    for (int i = 0; i < pg->opt.max; i++)
        idle_count += idle(&pg->links[i]);
    metric_set(M_PG_CONNECTIONS, idle_count, "idle", NULL, NULL);
    metric_set(M_PG_CONNECTIONS, up - idle_count, "busy", NULL, NULL);
    metric_set(M_PG_CONNECTIONS, count_state(pg, PG_LINK_CONNECTING), "connecting", NULL, NULL);
}

static void on_tick(struct timer *t)
{
    struct pg *pg = CONTAINER_OF(t, struct pg, tick);
    int64_t now = clock_mono_us();
    int up = count_state(pg, PG_LINK_UP), places;
    struct pg_link *l;

    for (int i = pg->opt.max - 1; i >= 0; i--)
        if (pg->links[i].state == PG_LINK_UP)
            check_link(&pg->links[i], now, &up);
    show(pg); /* before the ping makes one busy */
    l = pg_link_idle(pg, &places);
    if (l != NULL && now - pg->heard_us > TICK_MS * INT64_C(1000) / 2)
        ping(l, now);
    if (count_state(pg, PG_LINK_UP) < pg->opt.min)
        pg_links_grow(pg);
    timer_start(t, TICK_MS);
}

void pg_links_init(struct pg *pg)
{
    pg->links = xcalloc((size_t)pg->opt.max, sizeof *pg->links);
    for (int i = 0; i < pg->opt.max; i++) {
        pg->links[i].pg = pg;
        list_init(&pg->links[i].units);
    }
    timer_init(&pg->retry, pg->loop, on_retry);
    timer_init(&pg->tick, pg->loop, on_tick);
    timer_start(&pg->tick, TICK_MS);
    pg_links_grow(pg);
}

/* Jobs in flight are cancelled first, so that nobody hears of their end. */
static void drop_units(struct pg_link *l)
{
    struct pg_unit *u;

    while ((u = first_unit(l)) != NULL) {
        LIST_FOREACH_SAFE (it, next, &u->jobs) {
            struct pg_job *j = LIST_ENTRY(it, struct pg_job, link);

            if (j->op != NULL)
                op_cancel(&j->op->op);
            list_remove(&j->link);
            free(j);
        }
        list_remove(&u->link);
        free(u);
    }
}

void pg_links_done(struct pg *pg)
{
    timer_done(&pg->retry);
    timer_done(&pg->tick);
    for (int i = 0; i < pg->opt.max; i++) {
        drop_units(&pg->links[i]);
        link_close(&pg->links[i]);
    }
    free(pg->links);
}
