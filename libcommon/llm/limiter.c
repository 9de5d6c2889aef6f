/* limiter.c: one script asks for up to BATCH slots at once and grants a prefix of them, so that a
 * crowd of runs costs few round trips. It is idempotent by the slots' ids. Requests are counted in
 * buckets of one second; the last 61 buckets cover any 60 seconds, so the limit is never passed.
 *
 * A process whose calls end asks again at once, while others look only now and then; so a busy one
 * could keep all slots to itself. Who was denied is therefore noted (process: since when, last
 * asked), and one slot is left to each other process that has waited for two seconds. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/limiter.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/id.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/redis.h"

#define LIMITER_MAGIC 0x4c494d54u
#define BATCH 64
#define BUCKETS 61
#define ASK_MS 1000     /* time that Redis has to answer */
#define LOCAL_MS 1000   /* then this process goes by itself for so long */
#define RENEW_BATCH 500 /* ids in one command */
#define TAKE_ARGS 4

static const struct redis_script script_take = {
    .name = "llm_take",
    .keys = 3,
    .text = "local t = redis.call('TIME')\n"
            "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
            "local sec = tonumber(t[1])\n"
            "local max, rpm, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
            "local me, since, older = ARGV[4], nil, 0\n"
            "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)\n"
            "local held = redis.call('ZCARD', KEYS[1])\n"
            "local used, oldest = 0, sec\n"
            "local b = redis.call('HGETALL', KEYS[2])\n"
            "for i = 1, #b, 2 do\n"
            "  local s = tonumber(b[i])\n"
            "  if s <= sec - 61 then\n"
            "    redis.call('HDEL', KEYS[2], b[i])\n"
            "  else\n"
            "    used = used + tonumber(b[i + 1])\n"
            "    if s < oldest then oldest = s end\n"
            "  end\n"
            "end\n"
            "local w = redis.call('HGETALL', KEYS[3])\n"
            "for i = 1, #w, 2 do\n"
            "  if w[i] == me then since = tonumber(string.match(w[i + 1], '^%d+')) end\n"
            "end\n"
            "for i = 1, #w, 2 do\n"
            "  local from, last = string.match(w[i + 1], '(%d+) (%d+)')\n"
            "  from, last = tonumber(from), tonumber(last)\n"
            "  if last < now - 1500 then\n"
            "    redis.call('HDEL', KEYS[3], w[i])\n"
            "  elseif w[i] ~= me and from <= now - 2000 and (not since or from < since) then\n"
            "    older = older + 1\n"
            "  end\n"
            "end\n"
            "local granted, new, wait = 0, 0, 0\n"
            "for i = 5, #ARGV do\n"
            "  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then\n"
            "    if held >= max - older then wait = 100 break end\n"
            "    if used >= rpm then wait = (oldest + 61) * 1000 - now break end\n"
            "    if used >= rpm - older then wait = 100 break end\n"
            "    redis.call('ZADD', KEYS[1], now + lease, ARGV[i])\n"
            "    held, used, new = held + 1, used + 1, new + 1\n"
            "  end\n"
            "  granted = granted + 1\n"
            "end\n"
            "if new > 0 then\n"
            "  redis.call('HINCRBY', KEYS[2], sec, new)\n"
            "  redis.call('EXPIRE', KEYS[2], 120)\n"
            "  redis.call('PEXPIRE', KEYS[1], lease * 2)\n"
            "end\n"
            "if granted == #ARGV - 4 then\n"
            "  redis.call('HDEL', KEYS[3], me)\n"
            "else\n"
            "  if granted > 0 or not since then since = now end\n"
            "  redis.call('HSET', KEYS[3], me, since .. ' ' .. now)\n"
            "  redis.call('EXPIRE', KEYS[3], 120)\n"
            "end\n"
            "return {granted, wait}\n",
};

static const struct redis_script script_renew = {
    .name = "llm_renew",
    .keys = 1,
    .text = "local t = redis.call('TIME')\n"
            "local to = t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[1])\n"
            "for i = 2, #ARGV do redis.call('ZADD', KEYS[1], to, ARGV[i]) end\n"
            "redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[1]) * 2)\n"
            "return #ARGV - 1\n",
};

struct limiter {
    unsigned magic;
    struct loop *loop;
    struct redis *redis;
    const int64_t *per_minute, *at_once;
    char slots_key[64], rate_key[64], waiters_key[64];
    char me[40]; /* this process */
    struct list waiting, held;
    int waiting_count, held_count;
    struct timer again; /* when to ask next */
    struct timer renew;
    struct deferred pump;
    int64_t local_until_us; /* Redis did not answer: by ourselves till then */
    int64_t bucket_second[BUCKETS];
    int64_t bucket_count[BUCKETS];
    /* the question to Redis that is under way */
    struct redis_op ask;
    struct redis_op renewal;
    struct arena *arena, *renewal_arena;
    struct limiter_slot *asked[BATCH]; /* NULL: released meanwhile */
    char asked_id[BATCH][40];
    int asked_count;
};

/* ---- counting in this process ---- */

static int64_t local_used(const struct limiter *lim, int64_t second, int64_t *oldest)
{
    int64_t used = 0;

    *oldest = second;
    for (int i = 0; i < BUCKETS; i++) {
        if (lim->bucket_count[i] == 0 || lim->bucket_second[i] <= second - BUCKETS)
            continue;
        used += lim->bucket_count[i];
        *oldest = MIN(*oldest, lim->bucket_second[i]);
    }
    return used;
}

static void count_local(struct limiter *lim)
{
    int64_t second = clock_mono_us() / 1000000;
    int at = (int)(second % BUCKETS);

    if (lim->bucket_second[at] != second)
        lim->bucket_count[at] = 0;
    lim->bucket_second[at] = second;
    lim->bucket_count[at]++;
}

/* ---- granting ---- */

static void grant(struct limiter *lim, struct limiter_slot *slot)
{
    list_remove(&slot->link);
    list_push(&lim->held, &slot->link);
    slot->state = SLOT_HELD;
    lim->held_count++;
    count_local(lim);
    if (!lim->renew.armed && lim->redis != NULL)
        timer_start(&lim->renew, LIMITER_LEASE_MS / 3);
    slot->granted(slot);
}

static struct limiter_slot *first_waiting(struct limiter *lim)
{
    struct list *first = list_first(&lim->waiting);

    return first == NULL ? NULL : LIST_ENTRY(first, struct limiter_slot, link);
}

static void pump_local(struct limiter *lim)
{
    struct limiter_slot *slot;

    while ((slot = first_waiting(lim)) != NULL && lim->held_count < *lim->at_once) {
        int64_t now_ms = clock_mono_us() / 1000, oldest;

        if (local_used(lim, now_ms / 1000, &oldest) >= *lim->per_minute) {
            timer_start(&lim->again, (oldest + BUCKETS) * 1000 - now_ms);
            return;
        }
        lim->waiting_count--;
        grant(lim, slot);
    }
    /* else a release pumps again */
}

static void give_back(struct limiter *lim, const char *id)
{
    struct str argv[] = {STR("ZREM"), str_of(lim->slots_key), str_of(id)};

    if (lim->redis != NULL)
        redis_send(lim->redis, 1, 3, argv);
}

static void back_to_waiting(struct limiter *lim, struct limiter_slot *slot)
{
    list_remove(&slot->link);
    list_push_front(&lim->waiting, &slot->link);
    slot->state = SLOT_WAITING;
    lim->waiting_count++;
}

/* Redis grants a prefix of what was asked. */
static void settle(struct limiter *lim, int granted)
{
    for (int i = lim->asked_count - 1; i >= granted; i--)
        if (lim->asked[i] != NULL)
            back_to_waiting(lim, lim->asked[i]);
    for (int i = 0; i < MIN(granted, lim->asked_count); i++) {
        struct limiter_slot *slot = lim->asked[i];

        if (slot == NULL)
            give_back(lim, lim->asked_id[i]);
        else
            grant(lim, slot);
    }
    lim->asked_count = 0;
}

static int64_t jitter_ms(void)
{
    unsigned char random;

    random_bytes(&random, 1);
    return random % 20;
}

static void on_asked(struct op *op)
{
    struct limiter *lim = op->arg;
    const struct redis_reply *r = lim->ask.reply;
    bool good = op->err.code == 0 && r->type == REDIS_ARRAY && r->n == 2;
    int asked = lim->asked_count;
    int granted = good ? (int)MIN(MAX(r->item[0].i, 0), asked) : 0;
    int64_t wait_ms = good ? r->item[1].i : 0;

    if (!good) {
        metric_inc(M_RATE_DEGRADED);
        lim->local_until_us = clock_mono_us() + LOCAL_MS * 1000;
    }
    settle(lim, granted);
    arena_reset(lim->arena);
    if (good && granted < asked) /* all the rest polls as one */
        timer_start(&lim->again, MIN(MAX(wait_ms, 20), 1000) + jitter_ms());
    else
        loop_defer(lim->loop, &lim->pump);
}

static void ask(struct limiter *lim)
{
    struct str keys[] = {str_of(lim->slots_key), str_of(lim->rate_key), str_of(lim->waiters_key)};
    struct str argv[TAKE_ARGS + BATCH];
    char max[24], rpm[24], lease[24];
    struct limiter_slot *slot;
    int n = 0;

    snprintf(max, sizeof(max), "%" PRId64, *lim->at_once);
    snprintf(rpm, sizeof(rpm), "%" PRId64, *lim->per_minute);
    snprintf(lease, sizeof(lease), "%d", LIMITER_LEASE_MS);
    argv[0] = str_of(max);
    argv[1] = str_of(rpm);
    argv[2] = str_of(lease);
    argv[3] = str_of(lim->me);
    while (n < BATCH && (slot = first_waiting(lim)) != NULL) {
        list_remove(&slot->link);
        lim->waiting_count--;
        slot->state = SLOT_ASKED;
        lim->asked[n] = slot;
        memcpy(lim->asked_id[n], slot->id, sizeof(slot->id));
        argv[TAKE_ARGS + n] = str_of(lim->asked_id[n]);
        n++;
    }
    lim->asked_count = n;
    redis_script(lim->redis, lim->arena, &script_take, keys, TAKE_ARGS + n, argv, ASK_MS, &lim->ask,
                 on_asked, lim);
}

static void on_pump(struct deferred *d)
{
    struct limiter *lim = CONTAINER_OF(d, struct limiter, pump);

    if (lim->asked_count > 0 || list_empty(&lim->waiting))
        return;
    timer_stop(&lim->again);
    if (lim->redis != NULL && clock_mono_us() >= lim->local_until_us && redis_ready(lim->redis))
        ask(lim);
    else
        pump_local(lim);
}

static void on_again(struct timer *t)
{
    struct limiter *lim = CONTAINER_OF(t, struct limiter, again);

    loop_defer(lim->loop, &lim->pump);
}

/* ---- leases ---- */

static void on_renewed(struct op *op)
{
    struct limiter *lim = op->arg;

    arena_reset(lim->renewal_arena); /* a failure costs nothing: the next one is soon */
}

static void on_renew(struct timer *t)
{
    struct limiter *lim = CONTAINER_OF(t, struct limiter, renew);
    struct str key = str_of(lim->slots_key), argv[1 + RENEW_BATCH];
    char lease[24];
    int n = 1;

    if (list_empty(&lim->held))
        return; /* the next grant starts the timer */
    timer_start(&lim->renew, LIMITER_LEASE_MS / 3);
    if (op_running(&lim->renewal.op) || !redis_ready(lim->redis))
        return;
    snprintf(lease, sizeof(lease), "%d", LIMITER_LEASE_MS);
    argv[0] = str_of(lease);
    LIST_FOREACH (it, &lim->held) {
        if (n > RENEW_BATCH)
            break;
        argv[n++] = str_of(LIST_ENTRY(it, struct limiter_slot, link)->id);
    }
    redis_script(lim->redis, lim->renewal_arena, &script_renew, &key, n, argv, ASK_MS,
                 &lim->renewal, on_renewed, lim);
    for (int i = 1; i < n; i++) { /* the next turn begins with those that did not fit */
        struct list *first = list_first(&lim->held);

        list_remove(first);
        list_push(&lim->held, first);
    }
    if (n > RENEW_BATCH)
        timer_start(&lim->renew, ASK_MS);
}

/* ---- the owner's side ---- */

struct limiter *limiter_new(struct loop *l, struct redis *redis, const char *name,
                            const int64_t *per_minute, const int64_t *at_once)
{
    struct limiter *lim = xcalloc(1, sizeof(*lim));

    lim->magic = LIMITER_MAGIC;
    lim->loop = l;
    lim->redis = redis;
    lim->per_minute = per_minute;
    lim->at_once = at_once;
    snprintf(lim->slots_key, sizeof(lim->slots_key), "{llm:%s}:slots", name);
    snprintf(lim->rate_key, sizeof(lim->rate_key), "{llm:%s}:rate", name);
    snprintf(lim->waiters_key, sizeof(lim->waiters_key), "{llm:%s}:waiters", name);
    uuid_text(uuid_v4(), lim->me);
    list_init(&lim->waiting);
    list_init(&lim->held);
    timer_init(&lim->again, l, on_again);
    timer_init(&lim->renew, l, on_renew);
    deferred_init(&lim->pump, on_pump);
    lim->arena = arena_new();
    lim->renewal_arena = arena_new();
    return lim;
}

void limiter_free(struct limiter *lim)
{
    if (lim == NULL)
        return;
    CHECK(lim, LIMITER);
    assert(list_empty(&lim->waiting) && list_empty(&lim->held));
    op_cancel(&lim->ask.op);
    op_cancel(&lim->renewal.op);
    timer_done(&lim->again);
    timer_done(&lim->renew);
    deferred_cancel(&lim->pump);
    arena_free(lim->arena);
    arena_free(lim->renewal_arena);
    lim->magic = 0;
    free(lim);
}

void limiter_acquire(struct limiter *lim, struct limiter_slot *slot,
                     void (*granted)(struct limiter_slot *slot))
{
    CHECK(lim, LIMITER);
    assert(slot->state == SLOT_IDLE);
    uuid_text(uuid_v4(), slot->id);
    slot->granted = granted;
    slot->state = SLOT_WAITING;
    list_init(&slot->link);
    list_push(&lim->waiting, &slot->link);
    lim->waiting_count++;
    if (!lim->again.armed) /* else the first in line is already waiting for its time */
        loop_defer(lim->loop, &lim->pump);
}

static void forget_asked(struct limiter *lim, struct limiter_slot *slot)
{
    for (int i = 0; i < lim->asked_count; i++)
        if (lim->asked[i] == slot)
            lim->asked[i] = NULL; /* on_asked gives it back if it was granted */
}

void limiter_release(struct limiter *lim, struct limiter_slot *slot)
{
    CHECK(lim, LIMITER);
    if (slot->state == SLOT_IDLE)
        return;
    list_remove(&slot->link);
    if (slot->state == SLOT_WAITING)
        lim->waiting_count--;
    else if (slot->state == SLOT_ASKED)
        forget_asked(lim, slot);
    if (slot->state == SLOT_HELD) {
        lim->held_count--;
        give_back(lim, slot->id);
        loop_defer(lim->loop, &lim->pump);
    }
    slot->state = SLOT_IDLE;
}

int limiter_waiting(const struct limiter *lim)
{
    return lim->waiting_count;
}
