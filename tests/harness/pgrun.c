/* pgrun.c: see pgrun.h. */
#include "libcommon/base/compat.h"
#include "tests/harness/pgrun.h"

static void on_done(struct op *op)
{
    *(bool *)op->arg = true;
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

int pg_run(struct loop *l, struct pg *pg, struct pg_batch *b, int64_t deadline_ms, struct pg_op *op)
{
    bool done = false;

    pg_submit(pg, b, deadline_ms, op, on_done, &done);
    if (!loop_until(l, is_set, &done, (int)deadline_ms + 5000)) {
        fprintf(stderr, "pg_run: an operation outlived its deadline\n");
        abort();
    }
    return op->op.err.code;
}
