/* backoff.h: growing pauses: base * 2^n, at most max, plus up to 10 % jitter. Plain value. */
#pragma once
#include "libcommon/base/compat.h"

struct backoff {
    int64_t base_ms, max_ms;
    int tries;
};

/* The next pause in milliseconds; counts the try. */
int64_t backoff_next(struct backoff *b);
static inline void backoff_reset(struct backoff *b)
{
    b->tries = 0;
}
