/* consumer_beat.c: the node's proof of life, and the end of its leases. Time is counted on the
 * monotonic clock from before a heartbeat was sent: whatever the reply took, the others see this
 * node alive at least until then plus liveness_ms. The lease ends here a tenth earlier, so the work
 * of a node that cannot reach Redis is stopped before another node may start it. */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/queue/consumer_priv.h"

static int64_t lease_ms(const struct consumer *c)
{
    return c->opt.liveness_ms * 9 / 10;
}

static int64_t period_ms(const struct consumer *c)
{
    return MAX(20, MIN(c->opt.liveness_ms / 5, c->opt.visibility_ms / 4));
}

static void on_lease_over(struct timer *t)
{
    struct consumer *c = CONTAINER_OF(t, struct consumer, lease);

    c->alive = false;
    if (!list_empty(&c->holds))
        log_warning("no heartbeat reached Redis: what is in hand is given up",
                    LOG_I("deliveries", c->in_hand));
    LIST_FOREACH_SAFE (it, tmp, &c->holds)
        hold_lose(LIST_ENTRY(it, struct hold, link));
}

static void take_lost(struct consumer *c, const struct redis_reply *reply)
{
    for (size_t i = 0; i < reply->n; i++) {
        struct hold *h = map_get(c->by_tag, reply->item[i].s);

        /* An ending that was sent after this heartbeat finds out by itself. */
        if (h == NULL || op_running(&h->op.op))
            continue;
        log_warning("a lease was lost", LOG_S("queue", h->d.queue), LOG_S("job_id", h->d.msg.id));
        hold_lose(h);
    }
}

static void on_beaten(struct op *op)
{
    struct consumer *c = op->arg;
    int64_t left_ms = lease_ms(c) - (clock_mono_us() - c->beat_sent_us) / 1000;
    bool good = op->err.code == 0 && left_ms > 0;

    if (good) {
        timer_start(&c->lease, left_ms);
        if (!c->alive)
            c->alive_since_us = clock_mono_us();
        c->alive = true;
        if (c->beat.op.reply->type == REDIS_ARRAY)
            take_lost(c, c->beat.op.reply);
    }
    arena_reset(c->beat.arena);
    timer_start(&c->beat.timer, good ? period_ms(c) : MIN(200, period_ms(c)));
    if (good)
        fetch_look(c);
}

static int list_tags(struct consumer *c, struct str *argv)
{
    int n = 0;

    LIST_FOREACH (it, &c->holds) {
        struct hold *h = LIST_ENTRY(it, struct hold, link);

        if (!h->d.lost && !(h->state == HOLD_ENDING && op_running(&h->op.op)))
            argv[n++] = str_of(h->d.tag);
    }
    return n;
}

static int count_holds(const struct consumer *c)
{
    int n = 0;

    LIST_FOREACH (it, &c->holds)
        n++;
    return n;
}

static void on_beat(struct timer *t)
{
    struct consumer *c = CONTAINER_OF(t, struct consumer, beat.timer);
    struct str keys[] = {c->nodes, c->node_queues, c->unacked, c->index, c->tags};
    struct str *argv = arena_array(c->beat.arena, struct str, 2 + count_holds(c));
    int n;

    argv[0] = str_of(c->opt.node);
    argv[1] = c->queues_text;
    n = list_tags(c, argv + 2);
    c->beat_sent_us = clock_mono_us();
    script_run(c->redis, c->beat.arena, SCRIPT_BEAT, 5, keys, 2 + n, argv, period_ms(c) * 3,
               &c->beat.op, on_beaten, c);
}

/* --- one lease, now ------------------------------------------------------------------------- */

struct check {
    struct redis_op op;
    struct redis_op *outer;
    struct delivery *d;
};

static void abandon(struct op *op)
{
    struct redis_op *outer = CONTAINER_OF(op, struct redis_op, op);
    struct check *k = outer->priv;

    if (k != NULL)
        op_cancel(&k->op.op);
    outer->priv = NULL;
}

static void on_checked(struct op *op)
{
    struct check *k = op->arg;
    struct redis_op *outer = k->outer;
    bool lost = op->err.code == 0 && k->op.reply->n > 0;

    outer->priv = NULL;
    outer->reply = k->op.reply;
    if (lost)
        err_set(&outer->op.err, ERR_CONFLICT, "the lease of the delivery is lost");
    else
        outer->op.err = op->err;
    op_finish(&outer->op, outer->op.err.code);
}

void consumer_check(struct delivery *d, int64_t deadline_ms, struct redis_op *op, op_fn *done,
                    void *arg)
{
    struct hold *h = CONTAINER_OF(d, struct hold, d);
    struct consumer *c = h->c;
    struct check *k = arena_new_of(d->arena, struct check);
    struct str keys[] = {c->nodes, c->node_queues, c->unacked, c->index, c->tags};
    struct str argv[] = {str_of(c->opt.node), c->queues_text, str_of(d->tag)};

    CHECK(c, CONSUMER);
    k->outer = op;
    k->d = d;
    op->priv = k;
    op->reply = NULL;
    op_begin(&op->op, c->loop, deadline_ms, done, arg, abandon);
    if (d->lost) {
        op->priv = NULL;
        err_set(&op->op.err, ERR_CONFLICT, "the lease of the delivery is lost");
        op_finish(&op->op, ERR_CONFLICT);
        return;
    }
    script_run(c->redis, d->arena, SCRIPT_BEAT, 5, keys, 3, argv, deadline_ms, &k->op, on_checked,
               k);
}

void beat_init(struct consumer *c)
{
    errand_init(&c->beat, c, on_beat);
    timer_init(&c->lease, c->loop, on_lease_over);
    timer_start(&c->beat.timer, 0);
}

void beat_done(struct consumer *c)
{
    errand_done(&c->beat);
    timer_done(&c->lease);
}
