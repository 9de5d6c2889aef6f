/* redis.h: Redis for a loop, one interface over redis://, rediss://, sentinel://h:p,h:p/name/db and
 * cluster://h:p,h:p. hiredis' formatter and reader over our own sockets. A slot map and a
 * connection per node exist from the start: a single server is a cluster of one node that owns all
 * slots.
 *
 * Commands are pipelined and answered in order per node. Each has a deadline. A connection that is
 * lost fails its commands with ERR_UNAVAILABLE (their effect is unknown: scripts must be
 * idempotent) and is made again with backoff; MOVED and ASK are followed; a failover is followed by
 * asking the sentinels, or the cluster's nodes, again on every error. A watchdog PINGs when nothing
 * has arrived for 5 s while something is due, and reconnects ("connected but nothing arrives").
 * Threads: one loop. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/ev/op.h"

struct redis;

enum redis_type { REDIS_NIL, REDIS_INT, REDIS_STRING, REDIS_STATUS, REDIS_ERROR, REDIS_ARRAY };

struct redis_reply { /* a plain tree in the arena given to the command */
    enum redis_type type;
    int64_t i;
    struct str s;
    struct redis_reply *item; /* REDIS_ARRAY: n of them */
    size_t n;
};

struct redis_op {
    struct op op; /* a reply of type error is ERR_INTERNAL with the text (ERR_BUSY for OOM, LOADING,
                     BUSY, READONLY, MASTERDOWN, CLUSTERDOWN) */
    struct redis_reply *reply; /* when op.err.code is 0 */
    void *priv;
};

/* Returns at once; connects in the loop. ERR_INVALID when the URL does not parse. client_name is
 * set with CLIENT SETNAME. */
int redis_new(struct loop *l, const char *url, const char *client_name, struct redis **out,
              struct err *err) MUST_CHECK;
void redis_free(struct redis *r);
bool redis_ready(const struct redis *r); /* every known node of the slot map is connected */
int redis_db(const struct redis *r);     /* the database number of the URL */
bool redis_is_cluster(const struct redis *r);
struct loop *redis_loop(const struct redis *r);

/* argv[0] is the command. The key that picks the node is argv[key] (0: any node). The arguments are
 * copied before it returns; the reply goes to the arena, which must live until callback or cancel.
 */
void redis_command(struct redis *r, struct arena *a, int key, int argc, const struct str *argv,
                   int64_t deadline_ms, struct redis_op *op, op_fn *done, void *arg);

/* Fire and forget: the reply is read and dropped; counted when it fails. */
void redis_send(struct redis *r, int key, int argc, const struct str *argv);

/* A Lua script: EVALSHA, and EVAL on NOSCRIPT. All keys in one slot. Static const. */
struct redis_script {
    const char *name;
    const char *text;
    int keys;
};
void redis_script(struct redis *r, struct arena *a, const struct redis_script *script,
                  const struct str *keys, int argc, const struct str *argv, int64_t deadline_ms,
                  struct redis_op *op, op_fn *done, void *arg);

/* A blocking command (BLMOVE) on a connection of its own (one per struct redis_blocking), so that
 * it delays nobody. deadline_ms must exceed the command's own timeout. */
struct redis_blocking;
struct redis_blocking *redis_blocking_new(struct redis *r, struct str key_for_slot);
void redis_blocking_free(struct redis_blocking *b);
void redis_blocking_command(struct redis_blocking *b, struct arena *a, int argc,
                            const struct str *argv, int64_t deadline_ms, struct redis_op *op,
                            op_fn *done, void *arg);

/* Publish/subscribe on one connection per client, resubscribed after each reconnect.
 * fn(channel, message) runs from the loop. on_gap (may be NULL) runs after a reconnect: messages
 * may have been missed. pattern: PSUBSCRIBE. */
struct redis_sub;
struct redis_sub *redis_subscribe(struct redis *r, struct str channel, bool pattern,
                                  void (*fn)(void *arg, struct str channel, struct str message),
                                  void (*on_gap)(void *arg), void *arg);
void redis_unsubscribe(struct redis_sub *s); /* repeatable calls are not allowed; NULL is fine */

/* Blocking use by subcommands and children: one command, one reply. */
struct redis_sync;
int redis_sync_open(const char *url, struct redis_sync **out, struct err *err) MUST_CHECK;
void redis_sync_close(struct redis_sync *s);
int redis_sync_command(struct redis_sync *s, struct arena *a, int key, int argc,
                       const struct str *argv, struct redis_reply **out,
                       struct err *err) MUST_CHECK;
