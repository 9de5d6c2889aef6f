/* broker.c: names of keys, and publishing. One script does bindings and push, so a queue that was
 * never declared by anybody is complete with its first message. */
#include "libcommon/base/compat.h"
#include "libcommon/queue/broker.h"
#include "libcommon/queue/scripts.h"

#define BROKER_MAGIC 0x42524f4bu
#define SEP "\x06\x16"

struct broker {
    unsigned magic;
    struct redis *redis;
    char *prefix;
};

struct broker *broker_new(struct redis *r, const char *prefix)
{
    struct broker *b = xcalloc(1, sizeof(*b));

    b->magic = BROKER_MAGIC;
    b->redis = r;
    b->prefix = xstrdup(prefix == NULL ? "" : prefix);
    return b;
}

void broker_free(struct broker *b)
{
    if (b == NULL)
        return;
    CHECK(b, BROKER);
    b->magic = 0;
    free(b->prefix);
    free(b);
}

struct redis *broker_redis(struct broker *b)
{
    CHECK(b, BROKER);
    return b->redis;
}

const char *broker_prefix(const struct broker *b)
{
    CHECK(b, BROKER);
    return b->prefix;
}

struct str broker_key(const struct broker *b, struct arena *a, const char *name)
{
    CHECK(b, BROKER);
    return str_of(arena_printf(a, "%s%s", b->prefix, name));
}

struct str broker_list(const struct broker *b, struct arena *a, const char *queue, int step)
{
    CHECK(b, BROKER);
    if (step == 0)
        return broker_key(b, a, queue);
    return str_of(arena_printf(a, "%s%s" SEP "%d", b->prefix, queue, step));
}

/* An op that fails before it began: begun with nothing behind it. */
static void nothing(struct op *op)
{
    (void)op;
}

static void refuse(struct broker *b, struct redis_op *op, op_fn *done, void *arg,
                   const struct err *err)
{
    op->priv = NULL;
    op->reply = NULL;
    op_begin(&op->op, redis_loop(b->redis), 1000, done, arg, nothing);
    op->op.err = *err;
    op_finish(&op->op, err->code);
}

void broker_publish_text(struct broker *b, struct arena *a, const char *queue, int priority,
                         struct str text, int64_t deadline_ms, struct redis_op *op, op_fn *done,
                         void *arg)
{
    struct str keys[3], argv[2];

    CHECK(b, BROKER);
    keys[0] = broker_list(b, a, queue, message_step(priority));
    keys[1] = str_of(arena_printf(a, "%s_kombu.binding.%s", b->prefix, queue));
    keys[2] = str_of(arena_printf(a, "%s_kombu.binding_permanent.%s", b->prefix, queue));
    argv[0] = text;
    argv[1] = str_of(arena_printf(a, "%s" SEP SEP "%s", queue, queue));
    script_run(b->redis, a, SCRIPT_PUBLISH, 3, keys, 2, argv, deadline_ms, op, done, arg);
}

void broker_publish(struct broker *b, struct arena *a, const struct publish *p, int64_t deadline_ms,
                    struct redis_op *op, op_fn *done, void *arg)
{
    struct err err = {0};
    struct str text;

    if (message_build(a, p, &text, &err) != 0)
        refuse(b, op, done, arg, &err);
    else
        broker_publish_text(b, a, p->queue, p->priority, text, deadline_ms, op, done, arg);
}

void broker_depth(struct broker *b, struct arena *a, const char *queue, int64_t deadline_ms,
                  struct redis_op *op, op_fn *done, void *arg)
{
    struct str keys[MESSAGE_PRIORITY_STEPS];

    for (int i = 0; i < MESSAGE_PRIORITY_STEPS; i++)
        keys[i] = broker_list(b, a, queue, 3 * i);
    script_run(b->redis, a, SCRIPT_DEPTH, MESSAGE_PRIORITY_STEPS, keys, 0, NULL, deadline_ms, op,
               done, arg);
}
