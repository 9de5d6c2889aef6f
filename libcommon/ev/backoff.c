/* backoff.c: the jitter keeps many clients of one server from coming back together. */
#include "libcommon/base/compat.h"
#include "libcommon/ev/backoff.h"
#include "libcommon/base/id.h"

#define SHIFT_MAX 30

int64_t backoff_next(struct backoff *b)
{
    int64_t pause = b->base_ms;
    uint32_t random;

    for (int i = 0; i < MIN(b->tries, SHIFT_MAX) && pause < b->max_ms; i++)
        pause *= 2;
    pause = MIN(pause, b->max_ms);
    b->tries += b->tries < INT32_MAX;
    random_bytes(&random, sizeof random);
    return pause + pause / 10 * (int64_t)(random % 1024) / 1024;
}
