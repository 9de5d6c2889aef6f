/* consumer.h: takes messages off queues without losing any.
 *
 *   queue --fetch--> in hand (unacked, listed under this node) --ack--> gone
 *                      |  \--requeue--> queue, counted --over the cap--> <queue>.dead
 *                      |  \--park--> <queue>.eta --when due--> queue
 *                      \--node dead, or lease over: any node's sweep--> queue, counted
 *
 * A node proves its life every few seconds (one script: heartbeat and renewal of all it has in
 * hand). When it cannot for `liveness_ms`, counted from before the last renewal that worked was
 * sent, every delivery is reported lost: the owner must stop that work at once, for another node
 * may have it by then. The same happens to a single delivery whose tag was taken away.
 *
 * Each delivery ends with exactly one of consumer_ack, _requeue, _dead, _park, _forget; after that
 * call it is gone. Endings are repeated inside while Redis is away, until the lease is over.
 * Threads: one loop. */
#pragma once
#include "libcommon/queue/broker.h"

struct consumer;

struct delivery {
    struct message msg; /* head fields; text and strings live as long as the delivery */
    const char *queue;  /* without prefix */
    const char *tag;
    struct arena *arena; /* of this delivery */
    bool lost;           /* the lease is gone: end it with consumer_forget */
    void *owner;         /* the application's */
};

struct consumer_ops {
    /* A message is in hand. Malformed ones never come here: they go to the dead letters. */
    void (*on_message)(void *arg, struct delivery *d);
    /* The lease is lost (d->lost is true): stop, store nothing, then consumer_forget(d). */
    void (*on_lost)(void *arg, struct delivery *d);
};

struct consumer_options {
    const char *queues;            /* comma separated, in the order of preference */
    const char *node;              /* unique among all living processes, see consumer_node_name */
    int window;                    /* deliveries in hand at most; see consumer_set_window */
    int64_t liveness_ms;           /* 0: 15000, never more than the visibility timeout */
    int64_t visibility_ms;         /* 0: 60000; bounds the liveness period */
    int64_t foreign_visibility_ms; /* of messages that stock Celery workers hold; 0: 3600000 */
    int max_redeliveries;          /* negative: 5; beyond it the message goes to <queue>.dead */
    bool sweep;                    /* takes part in the orphan sweep */
    int64_t sweep_ms;              /* 0: 2000; with jitter */
};

/* "role@host-pid-xxxxxxxx" in the arena. */
const char *consumer_node_name(struct arena *a, const char *role);

/* Starts to fetch as soon as Redis is there. ERR_INVALID: no queue, too many, or a bad name. */
int consumer_new(struct loop *l, struct broker *b, const struct consumer_options *opt,
                 const struct consumer_ops *ops, void *arg, struct consumer **out,
                 struct err *err) MUST_CHECK;
/* Everything must be ended (see consumer_drain); what is not is left to the sweep. NULL is fine. */
void consumer_free(struct consumer *c);

/* How many more may be in hand; lowering it takes nothing away. 0 pauses. */
void consumer_set_window(struct consumer *c, int window);
int consumer_in_hand(const struct consumer *c);
/* Looks now instead of at the next poll (a hint arrived by another way). */
void consumer_poke(struct consumer *c);

void consumer_ack(struct delivery *d);
/* Back to its queue, to be taken next (front) or last. counted: adds to ceo-redelivered, and over
 * the cap goes to the dead letters; not counted: the message was never started. */
void consumer_requeue(struct delivery *d, bool front, bool counted);
/* To <queue>.dead with the header ceo-reason. */
void consumer_dead(struct delivery *d, const char *reason);
/* Waits in Redis until then and comes back as a delivery, of any node. Due already by Redis' clock:
 * on_message is called again for this one. */
void consumer_park(struct delivery *d, int64_t eta_us);
/* Of a retry: acks and publishes the new text in one step; parks it when eta_us is set. */
void consumer_replace(struct delivery *d, struct str text, int64_t eta_us);
/* Lets go without a word (lost). */
void consumer_forget(struct delivery *d);
/* Renews and checks this lease now: ERR_CONFLICT when it is lost. d must outlive the op. */
void consumer_check(struct delivery *d, int64_t deadline_ms, struct redis_op *op, op_fn *done,
                    void *arg);

/* Stops fetching. on_drained runs when nothing is in hand, every ending has reached Redis (or was
 * given up) and what was on the way to this node is back on its queue; then the node's name is
 * taken off the list of the living. The owner ends what it has in hand meanwhile. */
void consumer_drain(struct consumer *c, void (*on_drained)(void *arg), void *arg);
