/* loop.h: one thread's event loop over libevent. Callbacks never run inside the call that asked
 * for them; they run from the loop. In the loop: no blocking call, no file access, nothing over
 * 5 ms (longer turns are counted in loop_slow_total and logged at debug). */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/list.h"

struct loop;
struct event_base;

struct loop *loop_new(void);
void loop_free(struct loop *l); /* nothing may be registered any more */
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l);
/* One turn: waits at most wait_ms for events (tests). */
void loop_turn(struct loop *l, int wait_ms);
/* Tests and command-line use: turns until cond(arg) or timeout; true when cond held. */
bool loop_until(struct loop *l, bool (*cond)(void *arg), void *arg, int timeout_ms);
/* For adapters in io/ alone. */
struct event_base *loop_base(struct loop *l);
/* For timer.c: the duration as libevent wants it; *tv is room for the answer. */
struct timeval;
const struct timeval *loop_timeval(struct loop *l, int64_t ms, struct timeval *tv);

/* A function to run later in this turn, after the callback that is running; each `deferred` is
 * queued at most once. Embedded by its owner; deferred_cancel before the owner goes away. */
struct deferred {
    struct list link; /* self-linked when idle */
    void (*fn)(struct deferred *d);
};
void deferred_init(struct deferred *d, void (*fn)(struct deferred *d));
void loop_defer(struct loop *l, struct deferred *d);
void deferred_cancel(struct deferred *d);

/* free_fn(p) after this turn: for objects that are closed while callbacks may still hold them. */
void loop_free_later(struct loop *l, void (*free_fn)(void *p), void *p);

/* A file descriptor. Embedded; the callback gets readable/writable. */
struct watch {
    struct loop *loop;
    void *event;
    int fd;
    void (*fn)(struct watch *w, bool readable, bool writable);
};
void watch_init(struct watch *w, struct loop *l, int fd,
                void (*fn)(struct watch *w, bool readable, bool writable));
void watch_set(struct watch *w, bool read, bool write); /* both false: no events */
void watch_done(struct watch *w);                       /* does not close fd; repeatable */

/* Signals are delivered in the loop. */
void loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg);
