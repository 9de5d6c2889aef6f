/* redis_reply.c: hiredis' reader builds its own heap tree for each reply; here its hooks build our
 * plain tree in the connection's scratch arena instead. A finished reply is copied to the arena of
 * the command that waits for it: that command may be cancelled, with its arena, between two halves
 * of a reply. */
#include "libcommon/base/compat.h"
#include "libcommon/io/redis_reply.h"

static struct redis_reply *place(const redisReadTask *task)
{
    struct arena *a = task->privdata;

    if (task->parent == NULL)
        return arena_new_of(a, struct redis_reply);
    return &((struct redis_reply *)task->parent->obj)->item[task->idx];
}

static enum redis_type type_of(int type)
{
    if (type == REDIS_REPLY_STATUS)
        return REDIS_STATUS;
    return type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_STRING;
}

static void *create_string(const redisReadTask *task, char *p, size_t n)
{
    struct redis_reply *r = place(task);

    r->type = type_of(task->type);
    r->s = arena_str(task->privdata, (struct str){p, n});
    return r;
}

static void *create_array(const redisReadTask *task, int n)
{
    struct redis_reply *r = place(task);

    r->type = REDIS_ARRAY;
    r->n = n < 0 ? 0 : (size_t)n;
    r->item = arena_array(task->privdata, struct redis_reply, r->n);
    return r;
}

static void *create_integer(const redisReadTask *task, long long v)
{
    struct redis_reply *r = place(task);

    r->type = REDIS_INT;
    r->i = v;
    return r;
}

static void *create_nil(const redisReadTask *task)
{
    struct redis_reply *r = place(task);

    r->type = REDIS_NIL;
    return r;
}

static void free_nothing(void *p)
{
    (void)p; /* the arena goes as a whole */
}

static redisReplyObjectFunctions in_arena = {create_string, create_array, create_integer,
                                             create_nil, free_nothing};

redisReader *redis_reader_new(struct arena *scratch)
{
    redisReader *r = redisReaderCreateWithFunctions(&in_arena);

    assert(r != NULL);
    r->privdata = scratch; /* redisReaderSetPrivdata casts it to int, which clang refuses */
    return r;
}

static void copy_into(struct arena *a, const struct redis_reply *from, struct redis_reply *to)
{
    *to = *from;
    if (from->s.p != NULL)
        to->s = arena_str(a, from->s);
    if (from->type != REDIS_ARRAY)
        return;
    to->item = arena_array(a, struct redis_reply, from->n);
    for (size_t i = 0; i < from->n; i++) /* the reader allows eight levels */
        copy_into(a, &from->item[i], &to->item[i]);
}

struct redis_reply *redis_reply_dup(struct arena *a, const struct redis_reply *r)
{
    struct redis_reply *copy = arena_new_of(a, struct redis_reply);

    copy_into(a, r, copy);
    return copy;
}

static const struct {
    const char *prefix;
    int code;
} error_codes[] = {
    {"BUSY", ERR_BUSY},       {"CLUSTERDOWN", ERR_BUSY}, {"LOADING", ERR_BUSY},
    {"MASTERDOWN", ERR_BUSY}, {"NOAUTH", ERR_DENIED},    {"NOPERM", ERR_DENIED},
    {"NOREPLICAS", ERR_BUSY}, {"OOM", ERR_BUSY},         {"READONLY", ERR_BUSY},
    {"TRYAGAIN", ERR_BUSY},   {"WRONGPASS", ERR_DENIED},
};

int redis_error_code(struct str text)
{
    struct str word = str_split(&text, ' ');

    for (size_t i = 0; i < ARRAY_LEN(error_codes); i++)
        if (str_eqz(word, error_codes[i].prefix))
            return error_codes[i].code;
    return ERR_INTERNAL;
}
