/* lease.c: see lease.h. A renewal that fails is tried again each second; meanwhile runs whose time
 * is over are given up one by one. */
#include "libcommon/base/compat.h"
#include "services/agent/lease.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/model/decisions.h"
#include "services/agent/shell.h"

/* A run is given up this long before its lease ends. */
#define MARGIN_US 1000000

struct lease {
    struct app *app;
    struct timer timer;
    struct arena *arena; /* of the renewal in flight */
    struct pg_op op;
    struct uuid *ids;
    int64_t *epochs;
    int count, stmt;
    unsigned round; /* of renewals */
    int64_t sent_us;
};

static void drop_overdue(struct app *app)
{
    struct run **over = xcalloc(map_count(app->runs) + 1, sizeof(*over));
    int64_t now = clock_mono_us();
    size_t pos = 0;
    int n = 0;
    struct str key;
    void *run;

    while (map_next(app->runs, &pos, &key, &run))
        if (run_lease_until(run) - MARGIN_US < now)
            over[n++] = run;
    for (int i = 0; i < n; i++)
        run_lost(over[i], "the lease could not be renewed in time");
    free(over);
}

/* Rows come for the leases that are still held; of those asked for, the others are lost. */
static void apply_renewal(struct lease *l)
{
    int64_t until = l->sent_us + l->app->settings.lease_s * 1000000;

    for (int row = 0; row < pg_rows(l->op.result, l->stmt); row++) {
        struct run *r = run_find(l->app, pg_get_uuid(l->op.result, l->stmt, row, 0));

        /* Held, but not prolonged while a commit of its own has the row: the next round does it. */
        if (r != NULL)
            run_renewed(r, l->round, pg_get_bool(l->op.result, l->stmt, row, 2) ? until : 0,
                        pg_get_bool(l->op.result, l->stmt, row, 1));
    }
    for (int i = 0; i < l->count; i++) {
        struct run *r = run_find(l->app, l->ids[i]);

        if (r != NULL && run_epoch(r) == l->epochs[i] && run_lease_round(r) != l->round)
            run_lost(r, "another agent has the lease, or the decision is gone");
    }
}

static void on_renewed(struct op *op)
{
    struct lease *l = op->arg;
    int64_t pause_ms = l->app->settings.lease_s * 1000 / 3;

    if (op->err.code == 0) {
        apply_renewal(l);
    } else {
        log_warning("lease renewal failed", LOG_S("error", op->err.msg));
        pause_ms = 1000;
    }
    arena_reset(l->arena);
    drop_overdue(l->app);
    timer_start(&l->timer, pause_ms);
}

static void on_timer(struct timer *t)
{
    struct lease *l = CONTAINER_OF(t, struct lease, timer);
    int n = (int)map_count(l->app->runs);
    struct pg_batch *b;
    size_t pos = 0;
    struct str key;
    void *run;

    if (n == 0) {
        arena_reset(l->arena);
        timer_start(&l->timer, l->app->settings.lease_s * 1000 / 3);
        return;
    }
    l->round++;
    l->ids = arena_array(l->arena, struct uuid, n);
    l->epochs = arena_array(l->arena, int64_t, n);
    l->count = 0;
    while (map_next(l->app->runs, &pos, &key, &run)) {
        l->ids[l->count] = run_id(run);
        l->epochs[l->count++] = run_epoch(run);
    }
    b = pg_batch_new(l->arena, PG_SERVICE, NULL, NULL, false, PG_IDEMPOTENT);
    l->stmt = decisions_add_renew(b, l->arena, l->ids, l->epochs, l->count,
                                  l->app->settings.lease_s * 1000);
    l->sent_us = clock_mono_us();
    pg_submit(l->app->pg, b, l->app->settings.lease_s * 1000 / 3, &l->op, on_renewed, l);
}

struct lease *lease_new(struct app *app)
{
    struct lease *l = xcalloc(1, sizeof(*l));

    l->app = app;
    l->arena = arena_new();
    timer_init(&l->timer, app->loop, on_timer);
    timer_start(&l->timer, app->settings.lease_s * 1000 / 3);
    return l;
}

void lease_free(struct lease *l)
{
    if (l == NULL)
        return;
    op_cancel(&l->op.op);
    timer_done(&l->timer);
    arena_free(l->arena);
    free(l);
}
