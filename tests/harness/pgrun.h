/* pgrun.h: runs one batch on a pool to its end, for tests that read from top to bottom. */
#pragma once
#include "libcommon/io/pg.h"

/* Turns the loop until the batch has ended; its outcome is in op (op.err.code, result, sqlstate).
 * Returns op.err.code. */
int pg_run(struct loop *l, struct pg *pg, struct pg_batch *b, int64_t deadline_ms,
           struct pg_op *op);
