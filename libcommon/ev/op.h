/* op.h: one asynchronous operation, embedded in what the caller owns (struct pg_op, http_call,
 * ...). A deadline is a required argument. The callback runs exactly once, from the loop, never
 * before the starting function returns; after op_cancel it never runs. Only the owner frees the
 * memory, and only after the callback or op_cancel.
 *
 *     IDLE --op_begin--> RUNNING --op_finish--> DONE (callback deferred, then runs) --> IDLE
 *                           |  \--deadline: adapter's cancel, then ERR_TIMEOUT as finish
 *                           \--op_cancel: adapter's cancel, no callback --> IDLE
 */
#pragma once
#include "libcommon/base/err.h"
#include "libcommon/ev/timer.h"

struct op;
typedef void op_fn(struct op *op);

enum op_state { OP_IDLE, OP_RUNNING, OP_DONE };

struct op {
    struct loop *loop;
    enum op_state state;
    struct err err; /* err.code is the result when the callback runs: 0 or ERR_* */
    op_fn *done;    /* the caller's */
    void *arg;      /* the caller's */
    op_fn *abort;   /* the adapter's: let go of the op at once; must not call op_finish */
    struct timer deadline;
    struct deferred finish;
};

/* For adapters. deadline_ms > 0. A zeroed op may be begun. */
void op_begin(struct op *op, struct loop *l, int64_t deadline_ms, op_fn *done, void *arg,
              op_fn *abort);
/* For adapters: the result is there (0 or a code with its message in op->err by err_set). */
void op_finish(struct op *op, int code);
/* For owners: after it the callback never runs. Repeatable, also on idle and zeroed ops. */
void op_cancel(struct op *op);
static inline bool op_running(const struct op *op)
{
    return op->state != OP_IDLE;
}
