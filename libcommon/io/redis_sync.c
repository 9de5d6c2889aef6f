/* redis_sync.c: blocking use, for subcommands and children: the same client on a loop of its own,
 * so that TLS, sentinels and clusters work alike. */
#include "libcommon/base/compat.h"
#include "libcommon/io/redis.h"

#define SYNC_MS 10000

struct redis_sync {
    struct loop *loop;
    struct redis *redis;
    struct redis_op op;
    bool done;
};

static bool is_ready(void *arg)
{
    return redis_ready(((struct redis_sync *)arg)->redis);
}

static void on_done(struct op *op)
{
    ((struct redis_sync *)op->arg)->done = true;
}

int redis_sync_open(const char *url, struct redis_sync **out, struct err *err)
{
    struct redis_sync *s = xcalloc(1, sizeof(*s));
    int rc;

    s->loop = loop_new();
    rc = redis_new(s->loop, url, "ceoagent-sync", &s->redis, err);
    if (rc == 0 && !loop_until(s->loop, is_ready, s, SYNC_MS))
        rc = err_set(err, ERR_UNAVAILABLE, "Redis cannot be reached within %d s", SYNC_MS / 1000);
    if (rc != 0) {
        redis_sync_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void redis_sync_close(struct redis_sync *s)
{
    if (s == NULL)
        return;
    redis_free(s->redis);
    loop_turn(s->loop, 0); /* what was closed is freed */
    loop_free(s->loop);
    free(s);
}

int redis_sync_command(struct redis_sync *s, struct arena *a, int key, int argc,
                       const struct str *argv, struct redis_reply **out, struct err *err)
{
    s->done = false;
    redis_command(s->redis, a, key, argc, argv, SYNC_MS, &s->op, on_done, s);
    while (!s->done)
        loop_turn(s->loop, 100);
    if (s->op.op.err.code != 0)
        return err_set(err, s->op.op.err.code, "%s", s->op.op.err.msg);
    *out = s->op.reply;
    return 0;
}
