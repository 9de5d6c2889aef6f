/* redis_cmd.c: one command from its making to its end. It keeps its wire form until the reply is
 * there, since MOVED, ASK and NOSCRIPT send it again. The op may leave earlier (deadline, cancel):
 * then the reply is read and dropped. */
#include "libcommon/base/compat.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/redis_priv.h"
#include "libcommon/io/redis_reply.h"

struct rcmd *rcmd_new(int argc, const struct str *argv)
{
    const char **parts = xmalloc((size_t)argc * sizeof(*parts));
    size_t *lens = xmalloc((size_t)argc * sizeof(*lens));
    struct rcmd *c = xcalloc(1, sizeof(*c));
    int n;

    for (int i = 0; i < argc; i++) {
        parts[i] = argv[i].p == NULL ? "" : argv[i].p;
        lens[i] = argv[i].n;
    }
    n = (int)redisFormatCommandArgv(&c->wire, argc, parts, lens);
    assert(n > 0);
    c->wire_len = (size_t)n;
    c->slot = -1;
    list_init(&c->link);
    free(parts);
    free(lens);
    return c;
}

void rcmd_free(struct rcmd *c)
{
    list_remove(&c->link);
    redisFreeCommand(c->wire);
    free(c);
}

/* The deadline passed, or the owner cancelled. What is on the wire stays for its reply. */
static void abandon(struct op *op)
{
    struct redis_op *rop = CONTAINER_OF(op, struct redis_op, op);
    struct rcmd *c = rop->priv;

    rop->priv = NULL;
    if (c == NULL)
        return;
    c->op = NULL;
    metric_add(M_REDIS_COMMANDS, 1, "abandoned", NULL, NULL);
    if (c->sent)
        return;
    if (c->conn != NULL)
        c->conn->queued -= c->wire_len;
    rcmd_free(c);
}

void rcmd_begin(struct rcmd *c, struct loop *l, struct arena *a, int64_t deadline_ms,
                struct redis_op *op, op_fn *done, void *arg)
{
    c->op = op;
    c->arena = a;
    op->priv = c;
    op->reply = NULL;
    op_begin(&op->op, l, deadline_ms, done, arg, abandon);
}

void rcmd_ignore(struct rcmd *c, struct redis_reply *reply)
{
    (void)c;
    (void)reply;
}

static void finish(struct rcmd *c, int code)
{
    struct redis_op *op = c->op;

    c->op = NULL;
    if (op == NULL)
        return;
    op->priv = NULL;
    op_finish(&op->op, code);
}

void rcmd_fail(struct rcmd *c, int code, const char *why)
{
    metric_add(M_REDIS_COMMANDS, 1, "lost", NULL, NULL);
    if (c->on_reply != NULL)
        c->on_reply(c, NULL);
    if (c->op != NULL)
        err_set(&c->op->op.err, code, "Redis: %s", why);
    finish(c, code);
    rcmd_free(c);
}

void rcmd_reply(struct rcmd *c, struct redis_reply *reply)
{
    bool bad = reply->type == REDIS_ERROR;
    int code = bad ? redis_error_code(reply->s) : 0;

    metric_add(M_REDIS_COMMANDS, 1, bad ? "error" : "ok", NULL, NULL);
    if (c->on_reply != NULL)
        c->on_reply(c, reply);
    if (c->op != NULL && bad)
        err_set(&c->op->op.err, code, "Redis says: %.*s", (int)MIN(reply->s.n, 200), reply->s.p);
    else if (c->op != NULL)
        c->op->reply = redis_reply_dup(c->arena, reply);
    finish(c, code);
    rcmd_free(c);
}
