/* limiter.h: how many requests a provider gets from all agents together: requests in any 60
 * seconds, and requests at once. The counts are in Redis; while it is down (or absent) the same
 * limits hold for this process alone. Who waits is served first come, first served.
 *
 *     IDLE --acquire--> WAITING --asked Redis--> ASKED --granted--> HELD --release--> IDLE
 *                          \__ Redis down: granted here _____________/
 *     release takes a slot back from any state.
 *
 * A held slot is a lease of LIMITER_LEASE_MS in Redis, renewed from here: what a killed process
 * held comes back by itself. */
#pragma once
#include "libcommon/ev/loop.h"

struct limiter;
struct redis;

#define LIMITER_LEASE_MS 30000

enum slot_state { SLOT_IDLE, SLOT_WAITING, SLOT_ASKED, SLOT_HELD };

struct limiter_slot { /* embedded; zeroed before the first use */
    enum slot_state state;
    struct list link;
    char id[40];
    void (*granted)(struct limiter_slot *slot);
};

/* The limits are read at each use, so that a reload takes effect. redis may be NULL. */
struct limiter *limiter_new(struct loop *l, struct redis *redis, const char *name,
                            const int64_t *per_minute, const int64_t *at_once);
void limiter_free(struct limiter *lim); /* no slot is out any more */

/* granted(slot) runs from the loop, once, unless the slot is released before. */
void limiter_acquire(struct limiter *lim, struct limiter_slot *slot,
                     void (*granted)(struct limiter_slot *slot));
void limiter_release(struct limiter *lim, struct limiter_slot *slot); /* repeatable */
int limiter_waiting(const struct limiter *lim);
