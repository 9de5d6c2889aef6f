/* flow.h: the step machine shared by the three programs. A flow walks a static table of steps; each
 * step is a function that starts work and returns STEP_WAIT, or decides and returns where to go.
 * Callbacks of operations never run a step: they queue a reason with flow_wake.
 *
 *     step --STEP_NEXT--> next step (or the one named by flow_goto)
 *          --STEP_WAIT--> waits for flow_wake(WAKE_REPLY), its timeout, or flow_cancel
 *          --STEP_DONE / STEP_FAIL--> end(f, verdict), exactly once; f may be gone afterwards
 *
 * A step sees only WAKE_ENTER and WAKE_REPLY. Its timeout is a backstop (ops carry the deadlines)
 * and fails the flow with ERR_TIMEOUT, a cancel with ERR_CANCELLED, after `abandon` has cancelled
 * every op in flight. A step marked `finish` has a write in flight: cancel and timeout wait for it.
 */
#pragma once
#include "libcommon/base/err.h"
#include "libcommon/ev/timer.h"

enum wake { WAKE_ENTER = 1, WAKE_REPLY = 2, WAKE_TIMER = 4, WAKE_CANCEL = 8 };
enum verdict { STEP_NEXT, STEP_WAIT, STEP_DONE, STEP_FAIL };

struct flow;

struct step {
    const char *name; /* in traces, metrics and errors */
    enum verdict (*fn)(struct flow *f, unsigned wake);
    unsigned timeout_ms; /* 0: none */
    bool finish;
};

struct flow {
    struct loop *loop;
    const struct step *steps;
    int step;      /* the one state variable */
    unsigned wake; /* reasons not yet seen */
    bool cancelled;
    struct err err;
    struct timer timer;
    struct deferred ready;
    void (*end)(struct flow *f, enum verdict v); /* STEP_DONE or STEP_FAIL with f->err */
    void (*abandon)(struct flow *f);             /* cancels every op in flight; may be NULL */
    void *owner;
};

void flow_init(struct flow *f, struct loop *l, const struct step *steps,
               void (*end)(struct flow *f, enum verdict v), void (*abandon)(struct flow *f),
               void *owner);
void flow_start(struct flow *f); /* enters step 0 from the loop */
void flow_wake(struct flow *f, unsigned why);
void flow_cancel(struct flow *f);
/* Returned by steps: `return flow_goto(f, ACTION_RECORD);` enters that step next. */
enum verdict flow_goto(struct flow *f, int step);
/* Copies the error and returns STEP_FAIL. */
enum verdict flow_fail(struct flow *f, const struct err *err);
enum verdict flow_failf(struct flow *f, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void flow_done(struct flow *f); /* stops timer and deferral without calling end; repeatable */
