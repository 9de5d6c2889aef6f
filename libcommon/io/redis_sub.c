/* redis_sub.c: publish/subscribe on one connection a client, opened by the first subscription. Many
 * followers of one channel share one SUBSCRIBE. After a reconnect every channel is subscribed
 * again and the followers learn that they may have missed something. In a cluster any node will do:
 * plain PUBLISH reaches all. */
#include "libcommon/base/compat.h"
#include "libcommon/base/buf.h"
#include "libcommon/io/redis_priv.h"

struct channel {
    struct list subs;
    struct str name;
    bool pattern;
    char key[]; /* 'p' or 'c' and the name: the key in the map */
};

struct redis_sub {
    struct list link;
    struct redis *client;
    struct channel *channel;
    bool dead; /* unsubscribed while messages were handed out */
    void (*fn)(void *arg, struct str channel, struct str message);
    void (*on_gap)(void *arg);
    void *arg;
};

struct redis_hub {
    struct rconn *conn;
    struct map *channels;
    bool was_ready;
    int busy; /* depth of handing out */
};

static void write_command(struct redis_hub *h, const char *verb, const struct channel *ch)
{
    struct buf b;

    if (!conn_ready(h->conn))
        return;
    buf_init(&b, ch->name.n + 128);
    buf_printf(&b, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(verb), verb, ch->name.n);
    buf_str(&b, ch->name);
    buf_puts(&b, "\r\n");
    conn_write(h->conn, b.p, b.n);
    buf_done(&b);
}

static void free_sub(struct redis_hub *h, struct redis_sub *s)
{
    struct channel *ch = s->channel;

    list_remove(&s->link);
    free(s);
    if (!list_empty(&ch->subs))
        return;
    write_command(h, ch->pattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE", ch);
    map_del(h->channels, (struct str){ch->key, ch->name.n + 1});
    free(ch);
}

static void bury(struct redis_hub *h, struct channel *ch)
{
    struct list *it = ch->subs.next;

    while (it != &ch->subs) {
        struct redis_sub *s = LIST_ENTRY(it, struct redis_sub, link);
        bool last = it->next == &ch->subs;

        it = it->next;
        if (s->dead)
            free_sub(h, s); /* with the last one the channel goes too */
        if (last)
            return;
    }
}

static void hand_out(struct redis_hub *h, char kind, struct str name, struct str channel,
                     struct str message)
{
    char *key = xmalloc(name.n + 1);
    struct channel *ch;

    key[0] = kind;
    memcpy(key + 1, name.p, name.n);
    ch = map_get(h->channels, (struct str){key, name.n + 1});
    free(key);
    if (ch == NULL)
        return;
    h->busy++;
    LIST_FOREACH (it, &ch->subs) {
        struct redis_sub *s = LIST_ENTRY(it, struct redis_sub, link);

        if (!s->dead)
            s->fn(s->arg, channel, message);
    }
    h->busy--;
    bury(h, ch);
}

static void on_push(struct rconn *c, struct redis_reply *reply)
{
    struct redis_hub *h = c->owner;
    struct redis_reply *item = reply->item;

    if (reply->type != REDIS_ARRAY || reply->n < 3)
        return; /* PONG */
    if (reply->n == 3 && str_eqz(item[0].s, "message"))
        hand_out(h, 'c', item[1].s, item[1].s, item[2].s);
    else if (reply->n == 4 && str_eqz(item[0].s, "pmessage"))
        hand_out(h, 'p', item[1].s, item[2].s, item[3].s);
}

/* The map must not change while it is walked, so the channels are listed first. */
static struct channel **list_channels(struct redis_hub *h, size_t *n)
{
    struct channel **all = xcalloc(map_count(h->channels) + 1, sizeof(struct channel *));
    size_t pos = 0;
    struct str key;
    void *value;

    *n = 0;
    while (map_next(h->channels, &pos, &key, &value))
        all[(*n)++] = value;
    return all;
}

static void tell_gap(struct redis_hub *h)
{
    size_t n;
    struct channel **all;

    h->busy++; /* nothing is freed until all were told */
    all = list_channels(h, &n);
    for (size_t i = 0; i < n; i++) {
        LIST_FOREACH (it, &all[i]->subs) {
            struct redis_sub *s = LIST_ENTRY(it, struct redis_sub, link);

            if (!s->dead && s->on_gap != NULL)
                s->on_gap(s->arg);
        }
    }
    h->busy--;
    for (size_t i = 0; i < n; i++)
        bury(h, all[i]);
    free(all);
}

static void on_ready(struct rconn *c)
{
    struct redis_hub *h = c->owner;
    bool again = h->was_ready;
    size_t n;
    struct channel **all = list_channels(h, &n);

    for (size_t i = 0; i < n; i++)
        write_command(h, all[i]->pattern ? "PSUBSCRIBE" : "SUBSCRIBE", all[i]);
    free(all);
    h->was_ready = true;
    if (again)
        tell_gap(h);
}

static void dial(struct rconn *c)
{
    struct redis *r = c->client;
    const struct rconn *node = redis_node_for(r, -1);

    if (r->url.kind == REDIS_SENTINEL)
        sentinel_dial(r, c);
    else
        conn_dial(c, node != NULL ? &node->addr : &r->url.addr[0]);
}

static const struct rconn_ops hub_ops = {.dial = dial, .on_ready = on_ready, .on_push = on_push};

static struct redis_hub *hub_get(struct redis *r)
{
    struct redis_hub *h = r->hub;

    if (h != NULL)
        return h;
    h = r->hub = xcalloc(1, sizeof(*h));
    h->channels = map_new();
    h->conn = conn_new(r, &hub_ops, h);
    h->conn->check_master = r->url.kind == REDIS_SENTINEL;
    conn_start(h->conn);
    return h;
}

static struct channel *channel_get(struct redis_hub *h, struct str name, bool pattern)
{
    struct channel *ch = xcalloc(1, sizeof(*ch) + name.n + 1), *known;

    ch->key[0] = pattern ? 'p' : 'c';
    memcpy(ch->key + 1, name.p, name.n);
    ch->name = (struct str){ch->key + 1, name.n};
    ch->pattern = pattern;
    known = map_get(h->channels, (struct str){ch->key, name.n + 1});
    if (known != NULL) {
        free(ch);
        return known;
    }
    list_init(&ch->subs);
    map_set(h->channels, (struct str){ch->key, name.n + 1}, ch);
    write_command(h, pattern ? "PSUBSCRIBE" : "SUBSCRIBE", ch);
    return ch;
}

struct redis_sub *redis_subscribe(struct redis *r, struct str channel, bool pattern,
                                  void (*fn)(void *arg, struct str channel, struct str message),
                                  void (*on_gap)(void *arg), void *arg)
{
    struct redis_hub *h = hub_get(r);
    struct redis_sub *s = xcalloc(1, sizeof(*s));

    s->client = r;
    s->fn = fn;
    s->on_gap = on_gap;
    s->arg = arg;
    s->channel = channel_get(h, channel, pattern);
    list_push(&s->channel->subs, &s->link);
    return s;
}

void redis_unsubscribe(struct redis_sub *s)
{
    if (s == NULL)
        return;
    if (s->client->hub->busy > 0)
        s->dead = true;
    else
        free_sub(s->client->hub, s);
}

void hub_done(struct redis *r)
{
    struct redis_hub *h = r->hub;
    size_t n;
    struct channel **all;

    if (h == NULL)
        return;
    sentinel_forget(r, h->conn);
    conn_free(h->conn);
    all = list_channels(h, &n);
    for (size_t i = 0; i < n; i++) {
        LIST_FOREACH_SAFE (it, tmp, &all[i]->subs)
            free(LIST_ENTRY(it, struct redis_sub, link));
        free(all[i]);
    }
    free(all);
    map_free(h->channels);
    free(h);
    r->hub = NULL;
}
