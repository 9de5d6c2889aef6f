/* pool.h: the children of the worker, for CPU-bound and blocking functions. A call goes to an idle
 * child, a new one while there are fewer than `size`, or waits. A child is replaced after it was
 * killed or had done POOL_CHILD_CALLS calls. One loop. */
#pragma once
#include "libcommon/base/buf.h"
#include "libcommon/base/list.h"
#include "libcommon/ev/timer.h"
#include "services/worker/zygote.h"

#define POOL_CHILD_CALLS 1000

struct pool;
struct pool_child;

enum pool_outcome {
    POOL_DONE,  /* answer has the output */
    POOL_FAULT, /* answer has the fault's JSON */
    POOL_SOFT,  /* ended at the soft limit */
    POOL_HARD,  /* killed at the hard limit */
    POOL_DIED   /* the child died of itself, or could not be made */
};

struct pool_call { /* embedded by its owner; zeroed before the first use */
    struct list link;
    struct pool *pool;
    struct pool_child *child;
    const char *name;
    struct str input;
    int64_t soft_ms, hard_ms; /* 0: none */
    bool active, soft_hit, hard_hit;
    struct timer soft, hard;
    void (*done)(struct pool_call *c);
    void *arg;
    /* result */
    enum pool_outcome outcome;
    struct buf answer; /* freed by pool_call_done */
};

int pool_new(struct loop *l, struct zygote *z, int size, struct pool **out,
             struct err *err) MUST_CHECK;
void pool_free(struct pool *p); /* kills; no callback runs */
/* name: of the table in child.c. input must live until the callback, which runs from the loop. */
void pool_run(struct pool *p, struct pool_call *c, const char *name, struct str input,
              int64_t soft_ms, int64_t hard_ms, void (*done)(struct pool_call *c), void *arg);
/* Kills the job's child; the callback never runs. Repeatable; frees the answer. */
void pool_call_done(struct pool_call *c);
int pool_busy(const struct pool *p);
