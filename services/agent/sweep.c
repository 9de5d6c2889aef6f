/* sweep.c: see sweep.h. One claim statement is in flight at a time; what arrives meanwhile waits
 * for the next, so a burst of hints costs few round trips. */
#include "libcommon/base/compat.h"
#include "services/agent/sweep.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/model/decisions.h"
#include "services/agent/shell.h"

#define CLAIM_MS 10000
#define HINTS_MAX 256
#define SWEEP_MAX 64
/* A young pending decision is left to its hint for so long. */
#define GRACE_MS 2000

struct hint {
    struct list link;
    struct delivery *delivery;
    struct uuid id;
};

struct sweep {
    struct app *app;
    struct arena *arena; /* of the claim in flight */
    struct pg_op op;
    struct timer timer;
    struct deferred ready;
    struct list waiting, claiming; /* hint.link */
    int waiting_count;
    int stmt;
    bool due, sweeping, stopped;
    int64_t sent_us;
};

static void claim(struct sweep *s);

/* Requests come in both shapes: ours by kwargs, others' by the header. */
static int hint_id(struct delivery *d, struct uuid *out)
{
    struct message_body body;
    struct str raw;
    struct err err;

    if (d->msg.decision != NULL)
        return uuid_parse(str_of(d->msg.decision), out);
    if (message_body(d->arena, &d->msg, &body, &err) < 0 ||
        json_raw(body.kwargs, "/decision_id", &raw) < 0 || raw.n != UUID_LEN + 2)
        return ERR_INVALID;
    return uuid_parse((struct str){raw.p + 1, UUID_LEN}, out);
}

static void end_hints(struct sweep *s, struct list *from, bool ack)
{
    LIST_FOREACH_SAFE (it, tmp, from) {
        struct hint *h = LIST_ENTRY(it, struct hint, link);

        list_remove(it);
        if (h->delivery->lost)
            consumer_forget(h->delivery);
        else if (ack)
            consumer_ack(h->delivery);
        else
            consumer_requeue(h->delivery, false, false);
        free(h);
    }
    consumer_set_window(s->app->consumer, MIN(app_room(s->app), HINTS_MAX));
}

static void start_runs(struct sweep *s)
{
    int64_t until = s->sent_us + s->app->settings.lease_s * 1000000;
    int n = pg_rows(s->op.result, s->stmt);
    struct decision d;
    struct err err;

    for (int row = 0; row < n; row++) {
        if (decisions_read(s->op.result, s->stmt, row, s->arena, s->app->ring, &d, &err) < 0) {
            log_error("claimed decision can't be read", LOG_S("error", err.msg));
            continue;
        }
        if (run_find(s->app, d.id) != NULL)
            run_lost(run_find(s->app, d.id), "claimed anew after its lease had ended");
        run_start(s->app, &d, until);
    }
    if (s->sweeping)
        metric_add(M_SWEEP_REQUEUED, n, "decision", NULL, NULL);
    if (s->sweeping && n == SWEEP_MAX)
        s->due = true; /* there may be more */
}

static void on_claimed(struct op *op)
{
    struct sweep *s = op->arg;

    if (op->err.code == 0)
        start_runs(s);
    else
        log_warning("claim failed", LOG_S("error", op->err.msg));
    end_hints(s, &s->claiming, op->err.code == 0);
    arena_reset(s->arena);
    s->sweeping = false;
    claim(s);
}

static int take_hints(struct sweep *s, struct uuid *ids, int max)
{
    int n = 0;

    while (n < max && !list_empty(&s->waiting)) {
        struct list *first = list_first(&s->waiting);

        list_remove(first);
        list_push(&s->claiming, first);
        ids[n++] = LIST_ENTRY(first, struct hint, link)->id;
        s->waiting_count--;
    }
    return n;
}

static void claim(struct sweep *s)
{
    int room = app_room(s->app), n;
    struct pg_batch *b;
    struct uuid *ids;

    if (s->stopped || op_running(&s->op.op) || room == 0 || (!s->due && list_empty(&s->waiting)))
        return;
    ids = arena_array(s->arena, struct uuid, HINTS_MAX);
    n = take_hints(s, ids, MIN(room, HINTS_MAX));
    s->sweeping = n == 0;
    if (s->sweeping)
        s->due = false;
    b = pg_batch_new(s->arena, PG_SERVICE, NULL, NULL, false, 0);
    s->stmt =
        decisions_add_claim(b, s->arena, ids, n, s->app->node, s->app->settings.lease_s * 1000,
                            GRACE_MS, n > 0 ? n : MIN(room, SWEEP_MAX));
    s->sent_us = clock_mono_us();
    pg_submit(s->app->pg, b, CLAIM_MS, &s->op, on_claimed, s);
}

static void on_ready(struct deferred *d)
{
    claim(CONTAINER_OF(d, struct sweep, ready));
}

static void on_timer(struct timer *t)
{
    struct sweep *s = CONTAINER_OF(t, struct sweep, timer);
    int64_t pause = s->app->settings.sweep_interval_ms;
    uint16_t jitter;

    random_bytes(&jitter, sizeof(jitter));
    timer_start(t, pause + jitter * pause / 65536 / 4);
    s->due = true;
    claim(s);
}

void sweep_hint(struct sweep *s, struct delivery *d)
{
    struct hint *h;
    struct uuid id;

    if (hint_id(d, &id) < 0) {
        consumer_dead(d, "no decision id");
        return;
    }
    h = xcalloc(1, sizeof(*h));
    h->delivery = d;
    h->id = id;
    d->owner = h;
    list_push(&s->waiting, &h->link);
    s->waiting_count++;
    loop_defer(s->app->loop, &s->ready);
}

struct sweep *sweep_new(struct app *app)
{
    struct sweep *s = xcalloc(1, sizeof(*s));

    s->app = app;
    s->arena = arena_new();
    list_init(&s->waiting);
    list_init(&s->claiming);
    deferred_init(&s->ready, on_ready);
    timer_init(&s->timer, app->loop, on_timer);
    timer_start(&s->timer, 0);
    return s;
}

void sweep_stop(struct sweep *s)
{
    s->stopped = true;
    timer_stop(&s->timer);
    s->waiting_count = 0;
    end_hints(s, &s->waiting, false);
}

void sweep_free(struct sweep *s)
{
    if (s == NULL)
        return;
    op_cancel(&s->op.op);
    deferred_cancel(&s->ready);
    timer_done(&s->timer);
    LIST_FOREACH_SAFE (it, tmp, &s->waiting)
        free(LIST_ENTRY(it, struct hint, link));
    LIST_FOREACH_SAFE (it, tmp, &s->claiming)
        free(LIST_ENTRY(it, struct hint, link));
    arena_free(s->arena);
    free(s);
}
