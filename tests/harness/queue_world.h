/* queue_world.h: what the queue's tests share: a loop with a client and some consumers on a private
 * Redis, plain commands behind their backs, and consumers in processes of their own to be killed.
 */
#pragma once
#include <sys/types.h>
#include "libcommon/queue/consumer.h"
#include "libcommon/queue/result.h"

#define WORLD_CONSUMERS 4
#define WORLD_QUEUE "work"

struct world;

struct member { /* one consumer and what it got */
    struct world *w;
    struct consumer *c;
    struct delivery *got[64]; /* unless on_each is set: in hand, in order */
    int count, lost;
    bool drained;
    void (*on_each)(struct member *m, struct delivery *d);
};

struct world {
    struct loop *loop;
    const char *url, *prefix;
    struct redis *redis;
    struct broker *broker;
    struct arena *arena;
    struct member member[WORLD_CONSUMERS];
    struct redis_op op; /* of the last command */
    int seen[20000];    /* by tests that count */
    int seen_total;
};

/* cmocka fixtures: *state is the world. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* Short times: liveness 2 s, visibility 4 s, foreign 1.5 s, sweep each 100 ms, cap 2. */
struct consumer_options world_options(struct world *w, const char *node);
struct member *world_join(struct world *w, int i, const struct consumer_options *o);
void world_leave(struct member *m); /* frees without a word */

/* One message with kwargs {"n": n} onto WORLD_QUEUE; fails the test when it does not work. */
void world_publish(struct world *w, int n, int priority);
int world_number(struct delivery *d);
/* A command whose words are separated by one space; the reply in w->op.reply. */
struct redis_reply *world_do(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
int64_t world_int(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
/* Turns the loop until m has `count` in hand. */
bool world_got(struct member *m, int count, int ms);
bool world_until(struct world *w, bool (*cond)(void *arg), void *arg, int ms);

/* A process with a consumer that takes `hold` messages and keeps them; returns when it has them. */
pid_t world_spawn(struct world *w, const char *node, int hold);
