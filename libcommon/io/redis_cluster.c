/* redis_cluster.c: which node owns which slot. The map is read with CLUSTER SLOTS (the one form
 * that every version since 3.0 gives) from any node that answers; again soon after a MOVED, a lost
 * node or CLUSTERDOWN, and every half second while a node of the map is away. Nodes that own
 * nothing any more are closed. https://redis.io/docs/reference/cluster-spec */
#include "libcommon/base/compat.h"
#include "libcommon/base/log.h"
#include "libcommon/io/redis_priv.h"

#define REFRESH_SOON_MS 100
#define REFRESH_AGAIN_MS 500

struct redis_cluster {
    struct redis *client;
    struct timer timer;
    bool asking;
};

/* CRC16 XMODEM, as the cluster specification has it, a nibble at a time. */
static uint16_t crc16(struct str s)
{
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                       0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                       0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    uint16_t crc = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t b = (uint8_t)s.p[i];

        crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (b >> 4)];
        crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (b & 15)];
    }
    return crc;
}

int redis_slot(struct str key)
{
    ptrdiff_t open = str_find(key, STR("{"));

    if (open >= 0) {
        struct str rest = {key.p + open + 1, key.n - (size_t)open - 1};
        ptrdiff_t close = str_find(rest, STR("}"));

        if (close > 0)
            key = (struct str){rest.p, (size_t)close};
    }
    return crc16(key) % REDIS_SLOTS;
}

struct rconn *cluster_node(struct redis *r, const struct redis_addr *a)
{
    struct rconn *c;

    LIST_FOREACH (it, &r->nodes) {
        c = LIST_ENTRY(it, struct rconn, link);
        if (c->addr.port == a->port && strcmp(c->addr.host, a->host) == 0)
            return c;
    }
    c = conn_new(r, &redis_node_ops, r);
    c->addr = *a;
    list_push(&r->nodes, &c->link);
    conn_start(c);
    return c;
}

/* One row: [first, last, [host, port, id], replicas ...]. */
static bool take_row(struct redis *r, const struct redis_reply *row, const struct redis_addr *from)
{
    const struct redis_reply *master;
    struct redis_addr a = *from;
    struct rconn *c;

    if (row->type != REDIS_ARRAY || row->n < 3 || row->item[2].type != REDIS_ARRAY)
        return false;
    master = &row->item[2];
    if (master->n < 2 || row->item[0].i < 0 || row->item[1].i >= REDIS_SLOTS ||
        master->item[1].i < 1 || master->item[1].i > 65535)
        return false;
    if (master->item[0].s.n >= sizeof(a.host))
        return false;
    if (master->item[0].s.n > 0 && !str_eqz(master->item[0].s, "?"))
        snprintf(a.host, sizeof(a.host), "%.*s", STR_ARG(master->item[0].s));
    a.port = (int)master->item[1].i;
    c = cluster_node(r, &a);
    c->in_map = true;
    for (int64_t slot = row->item[0].i; slot <= row->item[1].i; slot++)
        r->slots[slot] = c;
    return true;
}

static void close_strangers(struct redis *r)
{
    LIST_FOREACH_SAFE (it, tmp, &r->nodes) {
        struct rconn *c = LIST_ENTRY(it, struct rconn, link);

        if (!c->in_map && list_empty(&c->pending) && list_empty(&c->waiting))
            conn_free(c);
    }
}

static void take_map(struct redis *r, const struct redis_reply *reply,
                     const struct redis_addr *from)
{
    memset(r->slots, 0, REDIS_SLOTS * sizeof(*r->slots));
    LIST_FOREACH (it, &r->nodes)
        LIST_ENTRY(it, struct rconn, link)->in_map = false;
    for (size_t i = 0; i < reply->n; i++)
        if (!take_row(r, &reply->item[i], from))
            log_debug("redis cluster: a row of CLUSTER SLOTS was not understood");
    close_strangers(r);
}

static bool all_up(const struct redis *r)
{
    LIST_FOREACH (it, &r->nodes)
        if (!conn_ready(LIST_ENTRY(it, struct rconn, link)))
            return false;
    return true;
}

static void on_slots(struct rcmd *cmd, struct redis_reply *reply)
{
    struct redis *r = cmd->arg;
    struct redis_cluster *cl = r->cluster;
    struct redis_addr from = cmd->conn->addr;
    bool good = reply != NULL && reply->type == REDIS_ARRAY && reply->n > 0;

    if (r->closing)
        return;
    cl->asking = false;
    if (good)
        take_map(r, reply, &from);
    if (!good || !all_up(r))
        timer_start(&cl->timer, REFRESH_AGAIN_MS);
}

/* Addresses of the URL come back when every node that we knew has gone. */
static void redial_seeds(struct redis *r)
{
    for (int i = 0; i < r->url.count; i++)
        cluster_node(r, &r->url.addr[i]);
}

static struct rconn *ready_node(struct redis *r)
{
    LIST_FOREACH (it, &r->nodes) {
        struct rconn *c = LIST_ENTRY(it, struct rconn, link);

        if (conn_ready(c))
            return c;
    }
    return NULL;
}

static void ask(struct timer *t)
{
    struct redis_cluster *cl = CONTAINER_OF(t, struct redis_cluster, timer);
    struct redis *r = cl->client;
    struct rconn *c = ready_node(r);
    struct rcmd *cmd;

    if (cl->asking)
        return;
    if (c == NULL) {
        redial_seeds(r);
        timer_start(&cl->timer, REFRESH_AGAIN_MS);
        return;
    }
    cl->asking = true;
    cmd = rcmd_new(2, (struct str[]){STR("CLUSTER"), STR("SLOTS")});
    cmd->on_reply = on_slots;
    cmd->arg = r;
    conn_send(c, cmd);
}

void cluster_refresh(struct redis *r)
{
    if (!r->closing && !r->cluster->timer.armed)
        timer_start(&r->cluster->timer, r->slots[0] == NULL ? 0 : REFRESH_SOON_MS);
}

void cluster_init(struct redis *r)
{
    struct redis_cluster *cl = xcalloc(1, sizeof(*cl));

    cl->client = r;
    timer_init(&cl->timer, r->loop, ask);
    r->slots = xcalloc(REDIS_SLOTS, sizeof(*r->slots));
    r->cluster = cl;
}

void cluster_done(struct redis *r)
{
    if (r->cluster == NULL)
        return;
    timer_done(&r->cluster->timer);
    free(r->cluster);
    free(r->slots);
    r->cluster = NULL;
    r->slots = NULL;
}
