/* redis_blocking.c: a connection of its own for commands that block in the server (BLMOVE). A
 * command that is given up takes its connection with it: the server must not answer it into the
 * void later, nor make the next command wait behind it. */
#include "libcommon/base/compat.h"
#include "libcommon/io/redis_priv.h"

struct redis_blocking {
    struct redis *client;
    struct rconn *conn;
    int slot;
};

static void dial(struct rconn *c)
{
    struct redis_blocking *b = c->owner;
    struct redis *r = b->client;
    const struct rconn *node = redis_node_for(r, b->slot);

    if (r->url.kind == REDIS_SENTINEL)
        sentinel_dial(r, c);
    else
        conn_dial(c, node != NULL ? &node->addr : &r->url.addr[0]);
}

static const struct rconn_ops blocking_ops = {.dial = dial};

struct redis_blocking *redis_blocking_new(struct redis *r, struct str key_for_slot)
{
    struct redis_blocking *b = xcalloc(1, sizeof(*b));

    b->client = r;
    b->slot = r->url.kind == REDIS_CLUSTER ? redis_slot(key_for_slot) : -1;
    b->conn = conn_new(r, &blocking_ops, b);
    b->conn->check_master = r->url.kind == REDIS_SENTINEL;
    conn_start(b->conn);
    return b;
}

void redis_blocking_free(struct redis_blocking *b)
{
    if (b == NULL)
        return;
    sentinel_forget(b->client, b->conn);
    conn_free(b->conn);
    free(b);
}

void redis_blocking_command(struct redis_blocking *b, struct arena *a, int argc,
                            const struct str *argv, int64_t deadline_ms, struct redis_op *op,
                            op_fn *done, void *arg)
{
    struct rcmd *cmd = rcmd_new(argc, argv);

    /* An earlier command was given up and is still unanswered; or, in a cluster, the slot moved. */
    if (!list_empty(&b->conn->pending))
        conn_drop(b->conn, "abandoned");
    rcmd_begin(cmd, b->client->loop, a, deadline_ms, op, done, arg);
    conn_send(b->conn, cmd);
}
