/* job_wait.h: a request that waits for something in PostgreSQL to change: it looks when the channel
 * says so, and every second anyway. */
#pragma once
#include "services/api/req.h"

struct job_wait {
    struct req *r;
    struct redis_sub *sub;
    int64_t until_us; /* monotonic */
    bool looking, again;
    /* Adds what is looked at to the batch. */
    void (*ask)(struct req *r, struct pg_batch *b);
    /* Reads r->pg.result; true when it has replied. last: the time is over, it must reply. */
    bool (*settle)(struct req *r, bool last);
};

/* w is zeroed but for ask and settle, and lives in the request's arena. Takes r->on_end and
 * r->on_drain (at drain it settles as if the time were over). channel is copied. */
void job_wait_start(struct job_wait *w, struct req *r, struct str channel, int64_t ms);
