/* consumer_priv.h: what the files consumer*.c share: names of keys, what is in hand, and the four
 * activities that run side by side, each with one command in flight at most: fetching (with one
 * blocking wait a queue), beating, promoting what is due, sweeping. */
#pragma once
#include "libcommon/base/list.h"
#include "libcommon/base/map.h"
#include "libcommon/ev/backoff.h"
#include "libcommon/queue/consumer.h"
#include "libcommon/queue/scripts.h"

#define CONSUMER_MAGIC 0x434f4e53u
#define CONSUMER_QUEUES_MAX 16
#define CONSUMER_FETCH_MAX 64
#define COMMAND_MS 5000

/* A command with an arena of its own, used again and again. */
struct errand {
    struct redis_op op;
    struct arena *arena;
    struct timer timer;
    struct consumer *c;
};

struct cqueue {
    struct consumer *c;
    const char *name;
    struct str name_json; /* quoted */
    struct str list[MESSAGE_PRIORITY_STEPS];
    struct str taken, waiting_key, dead; /* taken:NODE:QUEUE, QUEUE.eta, QUEUE.dead */
    struct redis_blocking *blocking;
    struct errand wait, promote;
};

enum hold_state { HOLD_HELD, HOLD_ENDING };

struct hold { /* a delivery and how it ends */
    struct delivery d;
    struct list link;
    struct consumer *c;
    struct cqueue *queue;
    enum hold_state state;
    const char *how; /* of settle.lua */
    struct str target, text, score;
    struct redis_op op;
    struct timer again;
    struct backoff backoff;
};

struct sweep_item { /* one message on its way back */
    struct redis_op op;
    struct list link;
    struct sweep *sweep;
    struct cqueue *queue; /* NULL: not one of ours */
    bool dead;
};

struct sweep {
    struct redis_op op;
    struct arena *arena;
    struct timer timer;
    struct consumer *c;
    const char *node; /* the dead one at work on; NULL: overdue messages */
    struct redis_reply *nodes;
    size_t node_at;
    struct str queues; /* of the dead node */
    int taken_count;
    bool keep; /* it served queues that we do not */
    const char *taken[CONSUMER_QUEUES_MAX];
    struct list items; /* in flight */
    int left, restored;
    int64_t offset;
};

struct consumer {
    unsigned magic;
    struct loop *loop;
    struct broker *broker;
    struct redis *redis;
    struct arena *arena;
    struct consumer_options opt; /* its strings in the arena */
    const struct consumer_ops *ops;
    void *arg;
    struct cqueue queue[CONSUMER_QUEUES_MAX];
    int queues;
    struct str unacked, index, tags, nodes, node_queues, queues_text;
    struct list holds;
    struct map *by_tag; /* tag -> hold */
    int in_hand;        /* of state HELD */
    struct errand fetch, beat;
    int64_t pause_ms; /* to the next poll */
    bool look_again;  /* something happened while a fetch was under way */
    bool alive;       /* the last heartbeat worked and its lease is not over */
    bool waits_clean; /* no blocking wait ended without an answer */
    int64_t beat_sent_us, alive_since_us;
    struct timer lease; /* ends the lease of everything in hand */
    struct sweep sweep;
    bool draining;
    void (*on_drained)(void *arg);
    void *drained_arg;
    struct deferred drained;
    struct errand leave;
};

/* consumer.c */
struct hold *hold_new(struct consumer *c, struct cqueue *q, struct str tag, struct str text);
void hold_free(struct hold *h);
void hold_lose(struct hold *h);
void errand_init(struct errand *e, struct consumer *c, void (*on_timer)(struct timer *t));
void errand_done(struct errand *e);
struct cqueue *consumer_queue(struct consumer *c, struct str name);
void consumer_try_leave(struct consumer *c);
/* The pause, 3/4 to 5/4 of it. */
int64_t jitter_ms(int64_t ms);

/* consumer_fetch.c */
void fetch_init(struct consumer *c);
void fetch_look(struct consumer *c);
void fetch_stop(struct consumer *c);
bool fetch_quiet(const struct consumer *c); /* nothing is on the way to us */
void fetch_done(struct consumer *c);

/* consumer_beat.c */
void beat_init(struct consumer *c);
void beat_done(struct consumer *c);

/* consumer_sweep.c */
void sweep_init(struct consumer *c);
void sweep_done(struct consumer *c);
/* The text of a message as it goes back with one more redelivery counted, and where to. */
struct str redelivery(struct arena *a, struct cqueue *q, struct str text, int max,
                      struct str *target, bool *dead);
