/* consumer_fetch.c: how messages get here. The one way is the script fetch.lua; it looks at what
 * this node has taken, then at step 0 of every queue, then at steps 3, 6, 9. When it finds nothing,
 * two things wait: a BLMOVE on the step-0 list of each queue, which wakes one waiter at once and
 * moves the message to this node's taken list in the same step; and a timer, 50 to 500 ms with
 * jitter, for the other steps. A wait that ends with a message only starts the next fetch. */
#include "libcommon/base/compat.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/queue/consumer_priv.h"

#define POLL_MIN_MS 50
#define POLL_MAX_MS 500
#define WAIT_S "1"
#define WAIT_DEADLINE_MS 6000
#define PROMOTE_MIN_MS 20
#define PROMOTE_MAX_MS 1000
#define PROMOTE_BATCH "100"

static int room(const struct consumer *c)
{
    return c->draining || !c->alive ? 0 : c->opt.window - c->in_hand;
}

/* --- the blocking wait ---------------------------------------------------------------------- */

/* Taken while there was room, and there is none any more: another node may have some. */
static void give_back(struct cqueue *q)
{
    struct str argv[] = {STR("LMOVE"), q->taken, q->list[0], STR("LEFT"), STR("RIGHT")};

    redis_send(q->c->redis, 1, 5, argv);
}

static void on_waited(struct op *op)
{
    struct cqueue *q = op->arg;
    struct consumer *c = q->c;

    /* A wait that was given up may still end in the server, until a later one has been answered. */
    c->waits_clean = op->err.code == 0;
    if (op->err.code == 0 && q->wait.op.reply->type == REDIS_STRING) {
        c->pause_ms = POLL_MIN_MS;
        if (room(c) <= 0 && !c->draining)
            give_back(q);
    }
    arena_reset(q->wait.arena);
    if (op->err.code == 0 || !c->alive)
        fetch_look(c);
    consumer_try_leave(c);
}

static void wait_for(struct cqueue *q)
{
    struct str argv[] = {STR("BLMOVE"), q->list[0],  q->taken,
                         STR("RIGHT"),  STR("LEFT"), STR(WAIT_S)};

    if (op_running(&q->wait.op.op))
        return;
    if (q->blocking == NULL)
        q->blocking = redis_blocking_new(q->c->redis, q->list[0]);
    redis_blocking_command(q->blocking, q->wait.arena, 6, argv, WAIT_DEADLINE_MS, &q->wait.op,
                           on_waited, q);
}

/* --- the fetch ------------------------------------------------------------------------------ */

static void deliver(struct consumer *c, const struct redis_reply *triple)
{
    int64_t index = triple[0].i - 1;
    struct cqueue *q = &c->queue[index % c->queues];
    struct hold *h = hold_new(c, q, triple[1].s, triple[2].s);
    struct err err = {0};

    if (message_parse(h->d.arena, h->d.msg.text, &h->d.msg, &err) != 0) {
        log_warning("a message is not understood and goes to the dead letters",
                    LOG_S("queue", q->name), LOG_S("error", err.msg));
        consumer_dead(&h->d, err.msg);
    } else if (h->d.msg.redeliveries > c->opt.max_redeliveries) {
        consumer_dead(&h->d, "too many redeliveries");
    } else if (c->draining) {
        consumer_requeue(&h->d, true, false);
    } else {
        c->ops->on_message(c->arg, &h->d);
    }
}

static void on_fetched(struct op *op)
{
    struct consumer *c = op->arg;
    struct arena *mine = c->fetch.arena;
    struct redis_reply *reply = op->err.code == 0 ? c->fetch.op.reply : NULL;
    bool found = reply != NULL && reply->type == REDIS_ARRAY && reply->n >= 3;

    if (FAULT("queue.fetched"))
        found = false;
    if (found) {
        c->fetch.arena = arena_new(); /* the owner may cause the next fetch */
        for (size_t i = 0; i + 2 < reply->n; i += 3)
            deliver(c, &reply->item[i]);
        arena_free(mine);
        c->pause_ms = POLL_MIN_MS;
        fetch_look(c);
        return;
    }
    arena_reset(mine);
    if (c->look_again && reply != NULL) {
        fetch_look(c);
        return;
    }
    if (room(c) > 0 && reply != NULL)
        for (int i = 0; i < c->queues; i++)
            wait_for(&c->queue[i]);
    timer_start(&c->fetch.timer, jitter_ms(c->pause_ms));
    c->pause_ms = MIN(c->pause_ms * 2, POLL_MAX_MS);
    consumer_try_leave(c);
}

static int list_keys(struct consumer *c, struct str *keys, struct str *argv)
{
    int n = 0;

    keys[n++] = c->unacked;
    keys[n++] = c->index;
    keys[n++] = c->tags;
    for (int i = 0; i < c->queues; i++)
        keys[n++] = c->queue[i].taken;
    for (int step = 0; step < MESSAGE_PRIORITY_STEPS; step++)
        for (int i = 0; i < c->queues; i++)
            keys[n++] = c->queue[i].list[step];
    for (int i = 3; i < n; i++)
        argv[i - 2] = c->queue[(i - 3) % c->queues].name_json;
    return n;
}

void fetch_look(struct consumer *c)
{
    struct str keys[3 + 5 * CONSUMER_QUEUES_MAX], argv[1 + 5 * CONSUMER_QUEUES_MAX];
    char count[16];
    int n;

    if (op_running(&c->fetch.op.op)) {
        c->look_again = true;
        return;
    }
    c->look_again = false;
    if (room(c) <= 0)
        return;
    timer_stop(&c->fetch.timer);
    n = list_keys(c, keys, argv);
    snprintf(count, sizeof(count), "%d", MIN(room(c), CONSUMER_FETCH_MAX));
    argv[0] = str_of(count);
    script_run(c->redis, c->fetch.arena, SCRIPT_FETCH, n, keys, n - 2, argv, COMMAND_MS,
               &c->fetch.op, on_fetched, c);
}

static void on_poll(struct timer *t)
{
    fetch_look(CONTAINER_OF(t, struct errand, timer)->c);
}

/* --- what is due ---------------------------------------------------------------------------- */

static void on_promoted(struct op *op)
{
    struct cqueue *q = op->arg;
    struct consumer *c = q->c;
    double next_s = PROMOTE_MAX_MS / 1000.0;
    int64_t moved = 0;

    if (op->err.code == 0 && q->promote.op.reply->n == 2) {
        moved = q->promote.op.reply->item[0].i;
        if (str_f64(q->promote.op.reply->item[1].s, &next_s) != 0)
            next_s = PROMOTE_MAX_MS / 1000.0;
    }
    arena_reset(q->promote.arena);
    if (moved > 0)
        fetch_look(c);
    next_s = MAX(PROMOTE_MIN_MS / 1000.0, MIN(next_s, PROMOTE_MAX_MS / 1000.0));
    if (!c->draining)
        timer_start(&q->promote.timer, (int64_t)(next_s * 1000) + 1);
}

static void on_promote(struct timer *t)
{
    struct cqueue *q = CONTAINER_OF(t, struct cqueue, promote.timer);
    struct consumer *c = q->c;
    struct str keys[1 + MESSAGE_PRIORITY_STEPS] = {q->waiting_key};

    for (int i = 0; i < MESSAGE_PRIORITY_STEPS; i++)
        keys[1 + i] = q->list[i];
    script_run(c->redis, q->promote.arena, SCRIPT_PROMOTE, 1 + MESSAGE_PRIORITY_STEPS, keys, 1,
               &STR(PROMOTE_BATCH), COMMAND_MS, &q->promote.op, on_promoted, q);
}

/* --- the beginning and the end --------------------------------------------------------------- */

static void on_no_timer(struct timer *t)
{
    (void)t;
}

void fetch_init(struct consumer *c)
{
    c->pause_ms = POLL_MIN_MS;
    errand_init(&c->fetch, c, on_poll);
    for (int i = 0; i < c->queues; i++) {
        errand_init(&c->queue[i].wait, c, on_no_timer);
        errand_init(&c->queue[i].promote, c, on_promote);
        timer_start(&c->queue[i].promote.timer, jitter_ms(PROMOTE_MAX_MS));
    }
}

void fetch_stop(struct consumer *c)
{
    timer_stop(&c->fetch.timer);
    for (int i = 0; i < c->queues; i++)
        timer_stop(&c->queue[i].promote.timer);
}

bool fetch_quiet(const struct consumer *c)
{
    if (op_running(&c->fetch.op.op))
        return false;
    for (int i = 0; i < c->queues; i++)
        if (op_running(&c->queue[i].wait.op.op))
            return false;
    return true;
}

void fetch_done(struct consumer *c)
{
    errand_done(&c->fetch);
    for (int i = 0; i < c->queues; i++) {
        errand_done(&c->queue[i].wait);
        errand_done(&c->queue[i].promote);
        redis_blocking_free(c->queue[i].blocking);
        c->queue[i].blocking = NULL;
    }
}
