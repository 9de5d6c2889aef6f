/* redis_sentinel.c: asks the sentinels, one after the other, for the address of the master. Each
 * (re)connection asks anew: after a failover the old master refuses, or says that it is a replica
 * (ROLE in the handshake), and the next question gives the new one. A sentinel that answers goes to
 * the front. https://redis.io/docs/reference/sentinel-clients */
#include "libcommon/base/compat.h"
#include "libcommon/io/redis_priv.h"

struct redis_sentinel {
    struct redis *client;
    int first; /* the sentinel that answered last */
    int tried; /* in this round */
    struct rconn *conn;
    struct list askers;
};

struct asker {
    struct list link;
    struct rconn *conn;
};

static void ask_next(struct redis_sentinel *s);

static void answer(struct redis_sentinel *s, const struct redis_addr *master)
{
    struct list todo;

    list_init(&todo);
    while (!list_empty(&s->askers)) {
        struct list *it = list_first(&s->askers);

        list_remove(it);
        list_push(&todo, it);
    }
    while (!list_empty(&todo)) {
        struct asker *a = LIST_ENTRY(list_first(&todo), struct asker, link);
        struct rconn *c = a->conn;

        list_remove(&a->link);
        free(a);
        if (c->state != CONN_DIALING)
            continue;
        if (master != NULL)
            conn_dial(c, master);
        else
            conn_dial_failed(c, "no sentinel knows the master");
    }
}

static void hang_up(struct redis_sentinel *s)
{
    struct rconn *c = s->conn;

    s->conn = NULL;
    if (c != NULL)
        conn_free(c);
}

static void on_master(struct rcmd *cmd, struct redis_reply *reply)
{
    struct redis_sentinel *s = cmd->arg;
    struct redis_addr a;
    int64_t port = 0;

    if (reply == NULL || s->conn == NULL) /* the connection's own end goes on */
        return;
    if (reply->type != REDIS_ARRAY || reply->n != 2 || reply->item[0].s.n >= sizeof(a.host) ||
        str_i64(reply->item[1].s, &port) != 0 || port < 1 || port > 65535) {
        conn_drop(s->conn, "sentinel");
        return;
    }
    snprintf(a.host, sizeof(a.host), "%.*s", STR_ARG(reply->item[0].s));
    a.port = (int)port;
    s->first = (s->first + s->tried - 1) % s->client->url.count;
    hang_up(s);
    answer(s, &a);
}

static void dial_sentinel(struct rconn *c)
{
    conn_dial(c, &c->addr);
}

static void sentinel_ready(struct rconn *c)
{
    struct redis_sentinel *s = c->owner;
    struct rcmd *cmd = rcmd_new(3, (struct str[]){STR("SENTINEL"), STR("get-master-addr-by-name"),
                                                  str_of(c->client->url.master)});

    cmd->on_reply = on_master;
    cmd->arg = s;
    conn_send(c, cmd);
}

static void sentinel_down(struct rconn *c)
{
    struct redis_sentinel *s = c->owner;

    if (s->conn != c)
        return;
    hang_up(s);
    ask_next(s);
}

static const struct rconn_ops sentinel_ops = {
    .dial = dial_sentinel, .on_ready = sentinel_ready, .on_down = sentinel_down};

static void ask_next(struct redis_sentinel *s)
{
    struct redis *r = s->client;

    if (s->tried >= r->url.count) {
        answer(s, NULL);
        return;
    }
    s->conn = conn_new(r, &sentinel_ops, s);
    s->conn->plain = true;
    s->conn->once = true;
    s->conn->addr = r->url.addr[(s->first + s->tried++) % r->url.count];
    conn_start(s->conn);
}

void sentinel_init(struct redis *r)
{
    struct redis_sentinel *s = xcalloc(1, sizeof(*s));

    s->client = r;
    list_init(&s->askers);
    r->sentinel = s;
}

void sentinel_forget(struct redis *r, struct rconn *c)
{
    if (r->sentinel == NULL)
        return;
    LIST_FOREACH_SAFE (it, tmp, &r->sentinel->askers) {
        struct asker *a = LIST_ENTRY(it, struct asker, link);

        if (a->conn != c)
            continue;
        list_remove(&a->link);
        free(a);
    }
}

void sentinel_done(struct redis *r)
{
    struct redis_sentinel *s = r->sentinel;

    if (s == NULL)
        return;
    hang_up(s);
    while (!list_empty(&s->askers)) {
        struct asker *a = LIST_ENTRY(list_first(&s->askers), struct asker, link);

        list_remove(&a->link);
        free(a);
    }
    free(s);
    r->sentinel = NULL;
}

void sentinel_dial(struct redis *r, struct rconn *c)
{
    struct redis_sentinel *s = r->sentinel;
    struct asker *a = xcalloc(1, sizeof(*a));

    a->conn = c;
    list_push(&s->askers, &a->link);
    if (s->conn != NULL)
        return;
    s->tried = 0;
    ask_next(s);
}
