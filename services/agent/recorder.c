/* recorder.c: the one appender of a run. What the flows hand in is chained onto the head of the log
 * and committed in order, several at once when they wait together; only then is it folded. An
 * append whose outcome is unknown is settled by reading the row at its place: the append is
 * idempotent on (decision, seq, hash), since salts are drawn once.
 *
 *   waiting --kick--> in flight --all rows written--> folded
 *                        |  \--no row written--> look --ours--> folded | --another's, or none-->
 * run lost
 *                        \--reply lost--> (pause) look --ours--> folded | --none--> in flight again
 */
#include "libcommon/base/compat.h"
#include "services/agent/shell.h"

#include <math.h>

#include "libcommon/base/clock.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "services/agent/live.h"

#define APPEND_MS 20000
#define TOGETHER 16

struct append *append_new(struct run *r, int events)
{
    struct arena *a = arena_new();
    struct append *ap = arena_new_of(a, struct append);
    struct engine_view view;

    engine_look(r->engine, &view);
    ap->arena = a;
    ap->count = events;
    ap->events = arena_array(a, struct event, events);
    for (int i = 0; i < events; i++) {
        ap->events[i].tokens_in = ap->events[i].tokens_out = -1;
        ap->events[i].cost_usd = NAN;
        ap->events[i].taint = view.taint;
    }
    list_init(&ap->link);
    return ap;
}

void run_append(struct run *r, struct append *ap)
{
    list_push(&r->appends, &ap->link);
    run_appends_kick(r);
}

static void on_appended(struct op *op);

/* Chains what is in flight onto the head and sends it as one transaction. */
static void send_appends(struct run *r)
{
    struct arena *a = r->append_arena;
    struct pg_batch *b;
    struct list *it = r->appends.next;
    const struct decision_end *end = NULL;
    uint8_t previous[32];
    struct event *all;
    int64_t seq = r->decision.head_seq;
    int total = 0, n = 0;

    for (int i = 0; i < r->in_flight; i++, it = it->next)
        total += LIST_ENTRY(it, struct append, link)->count;
    arena_reset(a);
    all = arena_array(a, struct event, total);
    memcpy(previous, r->decision.head_hash, 32);
    it = r->appends.next;
    for (int i = 0; i < r->in_flight; i++, it = it->next) {
        struct append *ap = LIST_ENTRY(it, struct append, link);

        for (int k = 0; k < ap->count; k++) {
            event_chain(&ap->events[k], r->decision.id, ++seq, previous);
            memcpy(previous, ap->events[k].hash, 32);
            all[n++] = ap->events[k];
        }
        end = ap->end;
    }
    b = pg_batch_new(a, PG_APP, &r->decision.tenant, NULL, true, PG_SHARE);
    r->append_stmt = events_add_append(b, a, r->app->ring, r->decision.tenant, r->decision.id,
                                       r->decision.lease_epoch, all, n);
    if (end != NULL)
        decisions_add_end(b, a, r->decision.id, r->decision.lease_epoch, seq, end);
    (void)FAULT("shell.append.before");
    pg_submit(r->app->pg, b, APPEND_MS, &r->append_op, on_appended, r);
}

void run_appends_kick(struct run *r)
{
    if (r->in_flight > 0 || run_loading(r) || list_empty(&r->appends))
        return;
    LIST_FOREACH (it, &r->appends) {
        r->in_flight++;
        if (LIST_ENTRY(it, struct append, link)->end != NULL || r->in_flight == TOGETHER)
            break;
    }
    send_appends(r);
}

static void finish(struct run *r, const struct decision_end *end)
{
    double seconds = (double)(clock_mono_us() - r->claimed_us) / 1e6;
    const char *status = strcmp(end->status, "completed") == 0 ? "success" : "failure";
    struct engine_view view;
    char id[UUID_LEN + 1];

    engine_look(r->engine, &view);
    metric_add(M_AGENT_RUNS, 1, view.mode, status, NULL);
    metric_observe(M_AGENT_DURATION, seconds, view.mode, status, NULL);
    metric_add(M_DECISIONS, 1, r->decision.type, status, NULL);
    if (strcmp(status, "success") == 0)
        metric_observe(
            M_DECISION_CONFIDENCE,
            json_num(json_at(engine_final(r->engine), "/recommendation"), "confidence", 0), NULL,
            NULL, NULL);
    log_info("agent_execution", LOG_S("request_id", r->decision.request_id),
             LOG_S("decision_id", uuid_text(r->decision.id, id)), LOG_S("status", end->status),
             LOG_S("mode", view.mode), LOG_I("steps", view.steps),
             LOG_I("execution_time_ms", seconds * 1000));
    span_set_str(&r->span, "ceoagent.status", end->status);
    if (strcmp(end->status, "failed") == 0)
        span_fail(&r->span, "the decision failed");
    say_end(r, end->status);
    run_drop_actions(r);
    run_forget(r);
}

/* The events are in the log: fold them, tell their owners, go on. */
static void committed(struct run *r)
{
    const struct decision_end *end = NULL;
    struct err err = {0};
    int n = r->in_flight;
    char id[UUID_LEN + 1];

    backoff_reset(&r->append_backoff);
    while (n-- > 0) {
        struct append *ap = LIST_ENTRY(list_first(&r->appends), struct append, link);

        list_remove(&ap->link);
        r->in_flight--;
        for (int k = 0; k < ap->count; k++) {
            r->decision.head_seq = ap->events[k].seq;
            memcpy(r->decision.head_hash, ap->events[k].hash, 32);
            if (run_fold(r, &ap->events[k], &err) < 0) {
                log_error("event does not fold",
                          LOG_S("decision_id", uuid_text(r->decision.id, id)),
                          LOG_I("seq", ap->events[k].seq), LOG_S("error", err.msg));
                arena_free(ap->arena);
                run_lost(r, "an event does not fold");
                return;
            }
        }
        if (ap->end != NULL) {
            end = ap->end;
            arena_on_reset(r->arena, (void (*)(void *))arena_free, ap->arena);
        }
        if (ap->done != NULL)
            ap->done(ap, &err);
        if (ap->end == NULL)
            arena_free(ap->arena);
    }
    say_commit(r, r->decision.head_seq);
    (void)FAULT("shell.append.after");
    if (end != NULL) {
        finish(r, end);
        return;
    }
    run_pump(r);
    run_appends_kick(r);
    run_release_if_idle(r);
}

static void on_settled(struct op *op)
{
    struct run *r = op->arg;
    struct append *first = LIST_ENTRY(list_first(&r->appends), struct append, link);
    struct event *found;
    struct err err = op->err;
    int n = 0;

    CHECK(r, RUN);
    if (err.code == 0)
        err.code = events_read(r->append_op.result, r->append_stmt, r->append_arena, r->app->ring,
                               r->decision.id, &found, &n, &err);
    if (err.code != 0)
        timer_start(&r->append_timer, backoff_next(&r->append_backoff));
    else if (n > 0 && memcmp(found[0].hash, first->events[0].hash, 32) == 0)
        committed(r);
    else if (n > 0 || r->append_refused)
        run_lost(r, "the place in the log is taken, or the lease is gone");
    else
        send_appends(r);
}

/* Was it committed? The row at our place tells. */
static void settle(struct run *r)
{
    struct pg_batch *b;

    arena_reset(r->append_arena);
    b = pg_batch_new(r->append_arena, PG_APP, &r->decision.tenant, NULL, true, PG_READ);
    r->append_stmt = events_add_load(b, r->append_arena, r->decision.id, r->decision.head_seq, 1);
    pg_submit(r->app->pg, b, APPEND_MS, &r->append_op, on_settled, r);
}

static void on_append_timer(struct timer *t)
{
    settle(CONTAINER_OF(t, struct run, append_timer));
}

static bool whole(struct run *r)
{
    int64_t want = 0;
    struct list *it = r->appends.next;

    for (int i = 0; i < r->in_flight; i++, it = it->next)
        want += LIST_ENTRY(it, struct append, link)->count;
    return pg_affected(r->append_op.result, r->append_stmt) == want;
}

static void on_appended(struct op *op)
{
    struct run *r = op->arg;
    char id[UUID_LEN + 1];

    CHECK(r, RUN);
    r->append_refused = op->err.code == 0 && !whole(r);
    switch (op->err.code) {
    case ERR_OK:
        if (r->append_refused)
            settle(r);
        else
            committed(r);
        break;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_CONFLICT:
        timer_start(&r->append_timer, backoff_next(&r->append_backoff));
        break;
    default:
        log_error("append failed", LOG_S("decision_id", uuid_text(r->decision.id, id)),
                  LOG_S("error", op->err.msg));
        run_lost(r, "an event could not be written");
    }
}

void run_recorder_init(struct run *r)
{
    list_init(&r->appends);
    r->append_backoff = (struct backoff){.base_ms = 50, .max_ms = 2000};
    timer_init(&r->append_timer, r->app->loop, on_append_timer);
}
