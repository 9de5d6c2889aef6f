/* broker.h: publishing on a Celery broker over Redis, and the names of its keys. QUEUE_PREFIX
 * stands before every key. Publishing is idempotent within a delivery tag: sending the same text
 * again leaves at most one more message, which the fetch recognises while the first is in hand.
 *
 *     struct broker *b = broker_new(redis, settings.queue_prefix);
 *     broker_publish(b, arena, &(struct publish){.queue = "ceoagent.agent",
 *         .task = "ceoagent.decision", .kwargs_json = kwargs, .decision = id, .tenant = tenant},
 *         2000, &op, on_published, me);
 */
#pragma once
#include "libcommon/io/redis.h"
#include "libcommon/queue/message.h"

#define QUEUE_AGENT "ceoagent.agent"
#define QUEUE_WORKER "ceoagent.worker"

struct broker;

/* r stays the caller's and must outlive the broker. prefix may be NULL or "". */
struct broker *broker_new(struct redis *r, const char *prefix);
void broker_free(struct broker *b); /* nothing of it may be in flight; NULL is fine */
struct redis *broker_redis(struct broker *b);
const char *broker_prefix(const struct broker *b);

/* One round trip: bindings and LPUSH onto the list of the priority. The reply is the length of that
 * list. ERR_INVALID (raw parts) is reported through op too. */
void broker_publish(struct broker *b, struct arena *a, const struct publish *p, int64_t deadline_ms,
                    struct redis_op *op, op_fn *done, void *arg);
/* A text made by message_build or message_retry, onto `queue` at `priority`. */
void broker_publish_text(struct broker *b, struct arena *a, const char *queue, int priority,
                         struct str text, int64_t deadline_ms, struct redis_op *op, op_fn *done,
                         void *arg);

/* The sum over the priority lists of a queue, as an integer reply. */
void broker_depth(struct broker *b, struct arena *a, const char *queue, int64_t deadline_ms,
                  struct redis_op *op, op_fn *done, void *arg);

/* Names of keys, in the arena. */
struct str broker_key(const struct broker *b, struct arena *a, const char *name);
struct str broker_list(const struct broker *b, struct arena *a, const char *queue, int step);
