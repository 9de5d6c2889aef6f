/* flow.c: the driver of step tables. Reasons are bits that gather until the flow's turn comes; so
 * two replies in one turn are one run of the step, and nothing runs inside a callback. A flow that
 * has ended has no steps, which makes late wakes and cancels harmless. */
#include "libcommon/base/compat.h"
#include "libcommon/ev/flow.h"

static void on_ready(struct deferred *d);
static void on_timeout(struct timer *t);

void flow_init(struct flow *f, struct loop *l, const struct step *steps,
               void (*end)(struct flow *f, enum verdict v), void (*abandon)(struct flow *f),
               void *owner)
{
    *f = (struct flow){.loop = l, .steps = steps, .end = end, .abandon = abandon, .owner = owner};
    deferred_init(&f->ready, on_ready);
    timer_init(&f->timer, l, on_timeout);
}

void flow_start(struct flow *f)
{
    flow_wake(f, WAKE_ENTER);
}

void flow_wake(struct flow *f, unsigned why)
{
    if (f->steps == NULL)
        return;
    f->wake |= why;
    loop_defer(f->loop, &f->ready);
}

void flow_cancel(struct flow *f)
{
    f->cancelled = true;
    flow_wake(f, WAKE_CANCEL);
}

static void on_timeout(struct timer *t)
{
    flow_wake(CONTAINER_OF(t, struct flow, timer), WAKE_TIMER);
}

enum verdict flow_goto(struct flow *f, int step)
{
    f->step = step - 1; /* STEP_NEXT adds one */
    return STEP_NEXT;
}

enum verdict flow_fail(struct flow *f, const struct err *err)
{
    f->err = *err;
    return STEP_FAIL;
}

enum verdict flow_failf(struct flow *f, int code, const char *fmt, ...)
{
    va_list ap;

    f->err.code = code;
    va_start(ap, fmt);
    vsnprintf(f->err.msg, sizeof f->err.msg, fmt, ap);
    va_end(ap);
    return STEP_FAIL;
}

void flow_done(struct flow *f)
{
    timer_done(&f->timer);
    deferred_cancel(&f->ready);
    f->steps = NULL;
    f->wake = 0;
}

static enum verdict abandon(struct flow *f, int code)
{
    const struct step *s = &f->steps[f->step];

    if (f->abandon != NULL)
        f->abandon(f);
    if (code == ERR_CANCELLED)
        return flow_failf(f, code, "cancelled at step %s", s->name);
    return flow_failf(f, code, "step %s took longer than %u ms", s->name, s->timeout_ms);
}

static enum verdict run_step(struct flow *f, const struct step *s, unsigned why)
{
    timer_stop(&f->timer);
    if (f->cancelled && !s->finish) /* sticky: no step can lose it */
        return abandon(f, ERR_CANCELLED);
    if ((why & (WAKE_ENTER | WAKE_REPLY)) == 0)
        return abandon(f, ERR_TIMEOUT);
    return s->fn(f, why & (WAKE_ENTER | WAKE_REPLY));
}

static void finish(struct flow *f, enum verdict v)
{
    const char *name = f->steps[f->step].name;

    flow_done(f);
    if (v == STEP_DONE)
        f->err = (struct err){0};
    else if (f->err.code == 0)
        err_set(&f->err, ERR_INTERNAL, "step %s failed", name);
    f->end(f, v);
}

static void on_ready(struct deferred *d)
{
    struct flow *f = CONTAINER_OF(d, struct flow, ready);

    while (f->wake != 0) {
        const struct step *s = &f->steps[f->step];
        unsigned why = f->wake;
        enum verdict v;

        f->wake = 0;
        /* A write is in flight: its outcome decides, not a cancel and not a clock. */
        if (s->finish && (why & (WAKE_ENTER | WAKE_REPLY)) == 0)
            return;
        v = run_step(f, s, why);
        if (v == STEP_DONE || v == STEP_FAIL) {
            finish(f, v);
            return;
        }
        if (v == STEP_NEXT) {
            f->step++;
            f->wake |= WAKE_ENTER;
        } else if (s->timeout_ms > 0) {
            timer_start(&f->timer, s->timeout_ms);
        }
    }
}
