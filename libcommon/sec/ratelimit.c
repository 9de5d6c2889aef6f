/* The counts of one caller are one hash, so that one script with one key decides (and a Redis
 * Cluster needs no hash tag). The script is not idempotent in the strict sense: a reply that is
 * lost after the effect costs the caller one request, which is harmless and better than counting
 * nothing. */
#include "libcommon/base/compat.h"
#include "libcommon/sec/ratelimit.h"
#include <math.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/embed.h"
#include "libcommon/base/map.h"
#include "libcommon/base/metrics.h"

#define REDIS_MS 50
#define LOCAL_MAX 10000 /* callers that are counted in memory */
#define MINUTE_US 60000000

EMBED(ratelimit_lua, "libcommon/sec/ratelimit.lua");

static const struct redis_script script = {"ratelimit", embed_ratelimit_lua, 1};

struct ratelimit {
    struct loop *loop;
    struct redis *redis;
    struct map *local;
};

/* --- the rules
 * --- */

static int64_t at_least(double v, int64_t least)
{
    return MAX(least, (int64_t)ceil(v));
}

/* Seconds until the sliding minute has room again. */
static double minute_wait(const struct limit_state *s, const struct limit_rule *r, double into)
{
    double room = (double)(r->per_minute - 1);

    if (s->count <= r->per_minute - 1 && s->before > 0)
        return 60 * (1 - (room - (double)s->count) / (double)s->before) - into;
    return 60 - into + fmax(0, 60 * (1 - room / (double)MAX(1, s->count)));
}

struct limit_verdict limit_apply(struct limit_state *s, const struct limit_rule *r, int64_t now_us)
{
    struct limit_verdict v = {0};
    int64_t minute = now_us / MINUTE_US;
    double into = (double)(now_us % MINUTE_US) / 1e6;
    double tokens = (double)r->capacity;

    if (s->minute != minute) {
        s->before = s->minute == minute - 1 ? s->count : 0;
        s->count = 0;
        s->minute = minute;
    }
    double used = (double)s->before * (1 - into / 60) + (double)s->count;
    if (s->tokens_us != 0)
        tokens = fmin(tokens, s->tokens + (double)MAX(0, now_us - s->tokens_us) / 1e6 * r->rate);
    bool minute_ok = r->per_minute == 0 || used + 1 <= (double)r->per_minute + 1e-9;
    bool bucket_ok = r->capacity == 0 || tokens >= 1 - 1e-9;

    v.allowed = minute_ok && bucket_ok;
    if (v.allowed) {
        s->count++;
        used++;
        tokens--;
        s->tokens = tokens;
        s->tokens_us = now_us;
    }
    if (!minute_ok || (bucket_ok && r->per_minute > 0)) {
        v.scope = "minute";
        v.limit = r->per_minute;
        v.remaining = MAX(0, (int64_t)floor((double)r->per_minute - used + 1e-9));
        v.reset_s = at_least(minute_ok ? 60 - into : minute_wait(s, r, into), 1);
        v.retry_s = v.allowed ? 0 : v.reset_s;
        return v;
    }
    v.scope = "bucket";
    v.limit = r->capacity;
    v.remaining = MAX(0, (int64_t)floor(tokens + 1e-9));
    v.reset_s = r->rate > 0 ? at_least(((double)r->capacity - tokens) / r->rate, 0) : 0;
    v.retry_s = v.allowed ? 0 : at_least((1 - tokens) / r->rate, 1);
    return v;
}

/* --- in memory
 * --- */

static void forget_all(struct map *m)
{
    struct str key;
    size_t pos = 0;
    void *value;

    while (map_next(m, &pos, &key, &value))
        free(value);
}

static struct limit_state *local_state(struct ratelimit *rl, struct str key)
{
    struct limit_state *s = map_get(rl->local, key);

    if (s != NULL)
        return s;
    if (map_count(rl->local) >= LOCAL_MAX) {
        /* Too many callers for an emergency: all start again rather than memory without end. */
        forget_all(rl->local);
        map_free(rl->local);
        rl->local = map_new();
    }
    s = xcalloc(1, sizeof(*s));
    map_set(rl->local, key, s);
    return s;
}

static void finish_locally(struct limit_check *c)
{
    struct limit_state *s = local_state(c->rl, c->key);

    metric_inc(M_RATE_DEGRADED);
    c->verdict = limit_apply(s, &c->rule, clock_wall_us());
    c->verdict.degraded = true;
    c->done(c);
}

static void on_local(struct deferred *d)
{
    finish_locally(CONTAINER_OF(d, struct limit_check, local));
}

/* --- in Redis
 * --- */

static bool read_reply(const struct redis_reply *r, struct limit_verdict *v)
{
    if (r == NULL || r->type != REDIS_ARRAY || r->n != 6)
        return false;
    for (size_t i = 0; i < r->n; i++)
        if (r->item[i].type != REDIS_INT)
            return false;
    *v = (struct limit_verdict){.allowed = r->item[0].i != 0,
                                .scope = r->item[1].i == 1 ? "minute" : "bucket",
                                .limit = r->item[2].i,
                                .remaining = r->item[3].i,
                                .reset_s = r->item[4].i,
                                .retry_s = r->item[5].i};
    return true;
}

static void on_reply(struct op *op)
{
    struct limit_check *c = op->arg;

    if (op->err.code != 0 || !read_reply(c->redis.reply, &c->verdict)) {
        finish_locally(c);
        return;
    }
    c->done(c);
}

void limit_start(struct ratelimit *rl, struct arena *a, const char *key,
                 const struct limit_rule *rule, struct limit_check *c,
                 void (*done)(struct limit_check *c), void *arg)
{
    memset(c, 0, sizeof(*c));
    c->rl = rl;
    c->rule = *rule;
    c->key = arena_str(a, str_of(key));
    c->done = done;
    c->arg = arg;
    deferred_init(&c->local, on_local);
    if (rl->redis == NULL || !redis_ready(rl->redis)) {
        loop_defer(rl->loop, &c->local);
        return;
    }
    struct str argv[3] = {str_of(arena_printf(a, "%" PRId64, rule->per_minute)),
                          str_of(arena_printf(a, "%.6f", rule->rate)),
                          str_of(arena_printf(a, "%" PRId64, rule->capacity))};
    redis_script(rl->redis, a, &script, &c->key, 3, argv, REDIS_MS, &c->redis, on_reply, c);
}

void limit_cancel(struct limit_check *c)
{
    if (c->rl == NULL)
        return;
    op_cancel(&c->redis.op);
    deferred_cancel(&c->local);
    c->rl = NULL;
}

struct ratelimit *ratelimit_new(struct loop *l, struct redis *r)
{
    struct ratelimit *rl = xcalloc(1, sizeof(*rl));

    rl->loop = l;
    rl->redis = r;
    rl->local = map_new();
    return rl;
}

void ratelimit_free(struct ratelimit *rl)
{
    if (rl == NULL)
        return;
    forget_all(rl->local);
    map_free(rl->local);
    free(rl);
}
