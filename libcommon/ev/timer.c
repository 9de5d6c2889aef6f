/* timer.c: one-shot timers on libevent. */
#include "libcommon/base/compat.h"
#include "libcommon/ev/timer.h"
#include <event2/event.h>
#include <sys/time.h>

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *t = arg;

    (void)fd;
    (void)what;
    t->armed = false;
    t->fn(t);
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(struct timer *t))
{
    *t = (struct timer){.loop = l, .fn = fn};
}

void timer_start(struct timer *t, int64_t ms)
{
    struct event_base *base = loop_base(t->loop);
    struct timeval tv;

    if (t->event == NULL)
        t->event = evtimer_new(base, on_timer, t);
    if (t->event == NULL || event_add(t->event, loop_timeval(t->loop, MAX(ms, 0), &tv)) != 0)
        abort();
    t->armed = true;
}

void timer_stop(struct timer *t)
{
    if (t->event != NULL && t->armed)
        event_del(t->event);
    t->armed = false;
}

void timer_done(struct timer *t)
{
    if (t->event != NULL)
        event_free(t->event);
    t->event = NULL;
    t->armed = false;
}
