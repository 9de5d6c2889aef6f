/* op.c: the life of one asynchronous operation. The timer is released before the callback is
 * queued, so that an owner may free the op in its callback without more ado. */
#include "libcommon/base/compat.h"
#include "libcommon/ev/op.h"

static void on_finish(struct deferred *d)
{
    struct op *op = CONTAINER_OF(d, struct op, finish);

    op->state = OP_IDLE;
    op->done(op);
}

static void on_deadline(struct timer *t)
{
    struct op *op = CONTAINER_OF(t, struct op, deadline);

    op->abort(op);
    err_set(&op->err, ERR_TIMEOUT, "no answer within the time limit");
    op_finish(op, ERR_TIMEOUT);
}

void op_begin(struct op *op, struct loop *l, int64_t deadline_ms, op_fn *done, void *arg,
              op_fn *abort_fn)
{
    assert(op->state == OP_IDLE && deadline_ms > 0);
    *op = (struct op){.loop = l, .state = OP_RUNNING, .done = done, .arg = arg, .abort = abort_fn};
    deferred_init(&op->finish, on_finish);
    timer_init(&op->deadline, l, on_deadline);
    timer_start(&op->deadline, deadline_ms);
}

void op_finish(struct op *op, int code)
{
    assert(op->state == OP_RUNNING);
    timer_done(&op->deadline);
    op->state = OP_DONE;
    op->err.code = code;
    if (code == 0)
        op->err.msg[0] = '\0';
    loop_defer(op->loop, &op->finish);
}

void op_cancel(struct op *op)
{
    if (op->state == OP_RUNNING) {
        timer_done(&op->deadline);
        op->abort(op);
    } else if (op->state == OP_DONE) {
        deferred_cancel(&op->finish);
    }
    op->state = OP_IDLE;
}
