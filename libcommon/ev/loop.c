/* loop.c: a turn is: poll and run the callbacks of libevent, then what they deferred, then free
 * what they closed. The queue of deferred functions is ours and not libevent's, because it must be
 * empty before anything is freed, and because a deferral must be cancellable for nothing.
 *
 * libevent keeps timers in a heap, O(log n) a start; timers of one duration may share a queue
 * instead (a "common timeout"), O(1) a start. Step and idle timeouts come from tables, so the same
 * few durations come again and again: one that was asked for often gets such a queue. */
#include "libcommon/base/compat.h"
#include "libcommon/ev/loop.h"
#include <event2/event.h>
#include <sys/time.h>
#include <time.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"

#define LOOP_MAGIC 0x100BF00Du
#define SLOW_US 5000
/* Deferred functions may defer again; after so many rounds the sockets have their turn first. */
#define ROUNDS_MAX 16
#define DURATIONS 128u /* slots of the table of durations, by hash */
#define OFTEN 32u
#define QUEUES_MAX 64 /* libevent has room for 256 */

struct duration {
    int64_t ms;
    unsigned count;
    const struct timeval *queue;
};

struct freeable {
    void (*fn)(void *p);
    void *p;
};

struct signal_watch {
    struct list link;
    struct event *event;
    int signo;
    void (*fn)(int signo, void *arg);
    void *arg;
};

struct loop {
    unsigned magic;
    struct event_base *base;
    struct event *wait; /* bounds the wait of loop_turn */
    struct list deferred, signals;
    struct freeable *freeables;
    size_t free_count, free_cap;
    struct duration durations[DURATIONS];
    int queues;
    int64_t cpu_us; /* of this thread at the end of the last turn */
    bool stopping;
};

static int64_t thread_cpu_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof *l);

    l->magic = LOOP_MAGIC;
    l->base = event_base_new();
    if (l->base == NULL)
        abort(); /* no epoll instance: out of descriptors at the very start */
    l->wait = evtimer_new(l->base, on_wait_over, NULL);
    list_init(&l->deferred);
    list_init(&l->signals);
    return l;
}

/* Frees may close further objects, which come to the end of the same array. */
static void free_closed(struct loop *l)
{
    for (size_t i = 0; i < l->free_count; i++) {
        struct freeable f = l->freeables[i];

        f.fn(f.p);
    }
    l->free_count = 0;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    CHECK(l, LOOP);
    free_closed(l);
    LIST_FOREACH_SAFE (it, tmp, &l->signals) {
        struct signal_watch *s = LIST_ENTRY(it, struct signal_watch, link);

        event_free(s->event);
        free(s);
    }
    event_free(l->wait);
    event_base_free(l->base);
    free(l->freeables);
    l->magic = 0;
    free(l);
}

/* Runs what is deferred now; what that defers comes in the next round. */
static void run_round(struct loop *l)
{
    struct list batch, *node;

    list_insert_before(l->deferred.next, &batch); /* takes over the whole ring ... */
    list_remove(&l->deferred);                    /* ... and leaves an empty one */
    while ((node = list_first(&batch)) != NULL) {
        struct deferred *d = LIST_ENTRY(node, struct deferred, link);

        list_remove(node);
        d->fn(d);
    }
}

static void run_deferred(struct loop *l)
{
    for (int i = 0; i < ROUNDS_MAX && !list_empty(&l->deferred); i++)
        run_round(l);
}

/* The wait itself costs no CPU, so the CPU time of the thread is the work of the turn; a call that
 * blocks shows in the time of the deferred functions, where nearly all of our code runs. */
static void watch_speed(struct loop *l, int64_t deferred_us)
{
    int64_t cpu = thread_cpu_us(), took = MAX(cpu - l->cpu_us, deferred_us);

    if (l->cpu_us != 0 && took > SLOW_US) {
        metric_inc(M_LOOP_SLOW);
        log_debug("slow turn of the loop", LOG_I("took_us", took));
    }
    l->cpu_us = cpu;
}

static void turn(struct loop *l, bool wait)
{
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    int64_t start;

    if (!wait || !list_empty(&l->deferred) || l->free_count > 0)
        flags |= EVLOOP_NONBLOCK;
    event_base_loop(l->base, flags);
    start = clock_mono_us();
    run_deferred(l);
    watch_speed(l, clock_mono_us() - start);
    free_closed(l);
}

void loop_run(struct loop *l)
{
    CHECK(l, LOOP);
    while (!l->stopping)
        turn(l, true);
    l->stopping = false;
}

void loop_stop(struct loop *l)
{
    CHECK(l, LOOP);
    l->stopping = true;
    event_base_loopbreak(l->base);
}

void loop_turn(struct loop *l, int wait_ms)
{
    struct timeval tv = {wait_ms / 1000, wait_ms % 1000 * 1000};

    CHECK(l, LOOP);
    if (wait_ms > 0)
        event_add(l->wait, &tv);
    turn(l, wait_ms > 0);
    event_del(l->wait);
}

bool loop_until(struct loop *l, bool (*cond)(void *arg), void *arg, int timeout_ms)
{
    int64_t end = clock_mono_us() + (int64_t)timeout_ms * 1000;

    while (!cond(arg)) {
        int64_t left_ms = (end - clock_mono_us()) / 1000;

        if (left_ms <= 0)
            return false;
        loop_turn(l, (int)MIN(left_ms, 20)); /* cond may depend on something outside the loop */
    }
    return true;
}

struct event_base *loop_base(struct loop *l)
{
    CHECK(l, LOOP);
    return l->base;
}

const struct timeval *loop_timeval(struct loop *l, int64_t ms, struct timeval *tv)
{
    struct duration *d = &l->durations[(uint64_t)ms * 0x9E3779B97F4A7C15u >> 57];

    *tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
    if (d->ms != ms && d->queue != NULL)
        return tv; /* the slot belongs to another duration */
    if (d->ms != ms)
        *d = (struct duration){.ms = ms};
    if (d->queue == NULL && ++d->count > OFTEN && l->queues < QUEUES_MAX) {
        d->queue = event_base_init_common_timeout(l->base, tv);
        l->queues++;
    }
    return d->queue != NULL ? d->queue : tv;
}

void deferred_init(struct deferred *d, void (*fn)(struct deferred *d))
{
    list_init(&d->link);
    d->fn = fn;
}

void loop_defer(struct loop *l, struct deferred *d)
{
    CHECK(l, LOOP);
    if (d->link.next == NULL || list_empty(&d->link))
        list_push(&l->deferred, &d->link);
}

void deferred_cancel(struct deferred *d)
{
    if (d->link.next != NULL) /* zeroed ones were never queued */
        list_remove(&d->link);
}

void loop_free_later(struct loop *l, void (*free_fn)(void *p), void *p)
{
    CHECK(l, LOOP);
    if (l->free_count == l->free_cap) {
        l->free_cap = l->free_cap == 0 ? 16 : l->free_cap * 2;
        l->freeables = xrealloc(l->freeables, l->free_cap * sizeof *l->freeables);
    }
    l->freeables[l->free_count++] = (struct freeable){free_fn, p};
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;

    (void)fd;
    w->fn(w, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

void watch_init(struct watch *w, struct loop *l, int fd,
                void (*fn)(struct watch *w, bool readable, bool writable))
{
    CHECK(l, LOOP);
    *w = (struct watch){.loop = l, .fd = fd, .fn = fn};
    w->event = event_new(l->base, fd, EV_PERSIST, on_watch, w);
    if (w->event == NULL)
        abort();
}

void watch_set(struct watch *w, bool read, bool write)
{
    short what = (short)((read ? EV_READ : 0) | (write ? EV_WRITE : 0));

    if (what == (event_get_events(w->event) & (EV_READ | EV_WRITE)))
        return;
    event_del(w->event);
    event_assign(w->event, w->loop->base, w->fd, (short)(what | EV_PERSIST), on_watch, w);
    if (what != 0)
        event_add(w->event, NULL);
}

void watch_done(struct watch *w)
{
    if (w->event == NULL)
        return;
    event_free(w->event);
    w->event = NULL;
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct signal_watch *s = arg;

    (void)signo;
    (void)what;
    s->fn(s->signo, s->arg);
}

static struct signal_watch *signal_watch_new(struct loop *l, int signo)
{
    struct signal_watch *s = xcalloc(1, sizeof *s);

    s->signo = signo;
    s->event = evsignal_new(l->base, signo, on_signal, s);
    if (s->event == NULL || event_add(s->event, NULL) != 0)
        abort();
    list_push(&l->signals, &s->link);
    return s;
}

void loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg)
{
    struct signal_watch *s = NULL;

    CHECK(l, LOOP);
    LIST_FOREACH (it, &l->signals)
        if (LIST_ENTRY(it, struct signal_watch, link)->signo == signo)
            s = LIST_ENTRY(it, struct signal_watch, link);
    if (s == NULL)
        s = signal_watch_new(l, signo);
    s->fn = fn;
    s->arg = arg;
}
