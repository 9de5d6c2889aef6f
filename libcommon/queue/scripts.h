/* scripts.h: the Lua scripts of lua/, compiled in. Inside the room alone. Those with a varying
 * number of keys are made by script_of. All keys of a call lie in one slot: QUEUE_PREFIX carries
 * the hash tag. */
#pragma once
#include "libcommon/io/redis.h"

enum queue_script {
    SCRIPT_BEAT,
    SCRIPT_DEAD,
    SCRIPT_DEPTH,
    SCRIPT_FETCH,
    SCRIPT_LEAVE,
    SCRIPT_ORPHANS,
    SCRIPT_OVERDUE,
    SCRIPT_PROMOTE,
    SCRIPT_PUBLISH,
    SCRIPT_RESTORE,
    SCRIPT_RESULT,
    SCRIPT_SETTLE,
    SCRIPT_UNTAKE,
    SCRIPT__MAX
};

/* The script with this many keys (a value: redis.c keeps its texts alone). */
struct redis_script script_of(enum queue_script which, int keys);
/* The same, once per call: KEYS are keys[0..nkeys). */
void script_run(struct redis *r, struct arena *a, enum queue_script which, int nkeys,
                const struct str *keys, int argc, const struct str *argv, int64_t deadline_ms,
                struct redis_op *op, op_fn *done, void *arg);
