#include "libcommon/base/compat.h"
#include "services/api/job_wait.h"
#include "libcommon/base/clock.h"

#define LOOK_MS 1000

/* r->state may be the caller's own struct: the wait is found by this. */
static struct job_wait *of(struct req *r)
{
    return r->wait;
}

static void look(struct req *r);

static bool is_over(const struct job_wait *w)
{
    return clock_mono_us() >= w->until_us;
}

static void let_go(struct job_wait *w)
{
    redis_unsubscribe(w->sub);
    w->sub = NULL;
}

static void go_on(struct req *r)
{
    struct job_wait *w = of(r);
    int64_t left_ms = (w->until_us - clock_mono_us()) / 1000;

    w->looking = false;
    if (w->again)
        look(r);
    else
        req_after(r, MAX(1, MIN(LOOK_MS, left_ms)), look);
}

static void looked(struct req *r)
{
    struct job_wait *w = of(r);

    if (w->settle(r, is_over(w)))
        r->on_drain = NULL;
    else
        go_on(r);
}

static void look_failed(struct req *r, const struct pg_op *op)
{
    if (is_over(of(r)))
        reply_err(r, &op->op.err);
    else
        go_on(r);
}

static void look(struct req *r)
{
    struct job_wait *w = of(r);
    struct pg_batch *b;

    if (r->replied)
        return;
    w->again = w->looking;
    if (w->looking)
        return;
    w->looking = true;
    r->failed = look_failed;
    b = req_batch(r, PG_READ);
    w->ask(r, b);
    req_pg(r, b, looked);
}

static void on_message(void *arg, struct str channel UNUSED, struct str message UNUSED)
{
    look(((struct job_wait *)arg)->r);
}

static void on_gap(void *arg)
{
    look(((struct job_wait *)arg)->r);
}

static void on_drain(struct req *r)
{
    of(r)->until_us = 0;
    look(r);
}

static void on_end(struct req *r)
{
    let_go(of(r));
}

void job_wait_start(struct job_wait *w, struct req *r, struct str channel, int64_t ms)
{
    w->r = r;
    w->until_us = r->app->draining ? 0 : clock_mono_us() + ms * 1000;
    r->wait = w;
    r->on_end = on_end;
    r->on_drain = on_drain;
    w->sub = redis_subscribe(r->app->redis, channel, false, on_message, on_gap, w);
    look(r);
}
