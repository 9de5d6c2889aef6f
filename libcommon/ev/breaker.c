/* breaker.c: outcomes of calls that began before the breaker opened change nothing; only the probe
 * decides. A probe whose outcome never comes (its caller broke the rule) is given up after open_ms.
 */
#include "libcommon/base/compat.h"
#include "libcommon/ev/breaker.h"
#include "libcommon/base/clock.h"

void breaker_init(struct breaker *b, int threshold, int64_t open_ms)
{
    *b = (struct breaker){.threshold = threshold, .open_ms = open_ms};
}

static void set_open(struct breaker *b)
{
    b->state = BREAKER_OPEN;
    b->opened_at_us = clock_mono_us();
    b->probing = false;
}

bool breaker_allow(struct breaker *b)
{
    bool waited = clock_mono_us() - b->opened_at_us >= b->open_ms * 1000;

    if (b->state == BREAKER_CLOSED)
        return true;
    if (!waited && (b->state == BREAKER_OPEN || b->probing))
        return false;
    b->state = BREAKER_HALF_OPEN;
    b->opened_at_us = clock_mono_us();
    b->probing = true;
    return true;
}

void breaker_success(struct breaker *b)
{
    if (b->state == BREAKER_OPEN)
        return;
    b->state = BREAKER_CLOSED;
    b->failures = 0;
    b->probing = false;
}

void breaker_failure(struct breaker *b)
{
    if (b->state == BREAKER_HALF_OPEN ||
        (b->state == BREAKER_CLOSED && ++b->failures >= b->threshold))
        set_open(b);
}
