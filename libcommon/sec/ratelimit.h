/* ratelimit.h: how often a user, a key or an address may ask. The counts are in Redis, so that they
 * hold across all gateways; when Redis does not answer within 50 ms the same rules are applied to
 * counts in this process's memory (rate_limit_degraded_total).
 *
 * A rule has up to two parts, and a request must pass both before it is counted by either: a
 * sliding minute (the last minute's count, weighted by how much of it still overlaps, plus this
 * one's) and a token bucket. One loop. */
#pragma once
#include "libcommon/io/redis.h"

struct ratelimit;

struct limit_rule {
    int64_t per_minute; /* 0: no sliding minute */
    double rate;        /* tokens a second */
    int64_t capacity;   /* 0: no bucket */
};

struct limit_verdict {
    bool allowed;
    bool degraded;            /* counted in this process alone */
    const char *scope;        /* "minute" or "bucket": the part that is reported */
    int64_t limit, remaining; /* of that part */
    int64_t reset_s, retry_s; /* seconds, rounded up; retry_s 0 when allowed */
};

/* One check; embedded by the caller, zeroed at first. */
struct limit_check {
    struct limit_verdict verdict; /* when done runs */
    void (*done)(struct limit_check *c);
    void *arg;
    /* ours */
    struct ratelimit *rl;
    struct limit_rule rule;
    struct str key;
    struct redis_op redis;
    struct deferred local;
};

/* r may be NULL: then everything is counted here. */
struct ratelimit *ratelimit_new(struct loop *l, struct redis *r);
void ratelimit_free(struct ratelimit *rl); /* no check may be running; NULL is fine */

/* Counts one request under key ("t:TENANT:rate:USER", copied into the arena). done runs once, from
 * the loop; after limit_cancel never. */
void limit_start(struct ratelimit *rl, struct arena *a, const char *key,
                 const struct limit_rule *rule, struct limit_check *c,
                 void (*done)(struct limit_check *c), void *arg);
void limit_cancel(struct limit_check *c); /* repeatable; zeroed checks are fine */

/* The rules themselves, pure: counts one request at now_us in *s (zeroed at first). */
struct limit_state {
    int64_t minute, count, before; /* the minute's number, its count, the count of the one before */
    double tokens;
    int64_t tokens_us; /* when tokens was right; 0: never used, the bucket is full */
};
struct limit_verdict limit_apply(struct limit_state *s, const struct limit_rule *rule,
                                 int64_t now_us);
