/* redis_conn.c: one connection to one Redis process. Commands are pipelined: each is written as it
 * comes, libevent sends what gathered in one turn together, replies come back in order.
 *
 * Three things a plain socket does not give are made here. Names are resolved by evdns, never by a
 * blocking call, and every address of a name is tried. A peer that is "connected" but silent is
 * found out: each 5 s without a byte a PING goes out, and after 5 more the connection is dropped.
 * And what is handed over before the handshake is complete waits in order, so no command runs in
 * the wrong database or without its user. */
#include "libcommon/base/compat.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/redis_priv.h"
#include "libcommon/io/redis_reply.h"

#define RCONN_MAGIC 0x52434f4eu
#define SILENCE_MS 5000
#define CONNECT_MS 5000
#define WATCH_MS 1000
#define QUEUE_BYTES_MAX (64u << 20)  /* commands that wait or are unanswered */
#define REPLY_BYTES_MAX (256u << 20) /* one reply, as it arrives */

static void try_next_address(struct rconn *c);

static void on_retry(struct timer *t)
{
    struct rconn *c = CONTAINER_OF(t, struct rconn, retry);

    CHECK(c, RCONN);
    conn_start(c);
}

static void watch_connection(struct rconn *c)
{
    int64_t silent_ms = (clock_mono_us() - c->last_rx_us) / 1000;

    if (c->state != CONN_READY && (clock_mono_us() - c->started_us) / 1000 > CONNECT_MS)
        conn_drop(c, "timeout");
    else if (c->state == CONN_READY && c->pinged && silent_ms > 2 * SILENCE_MS)
        conn_drop(c, "watchdog");
    else if (c->state == CONN_READY && !c->pinged && silent_ms > SILENCE_MS) {
        c->pinged = true;
        if (c->ops->on_push != NULL) {
            conn_write(c, "*1\r\n$4\r\nPING\r\n", 14);
            return;
        }
        struct rcmd *ping = rcmd_new(1, (struct str[]){STR("PING")});

        ping->on_reply = rcmd_ignore;
        conn_send(c, ping);
    }
}

static void on_watch(struct timer *t)
{
    struct rconn *c = CONTAINER_OF(t, struct rconn, watch);

    CHECK(c, RCONN);
    watch_connection(c);
    if (c->state != CONN_IDLE)
        timer_start(&c->watch, WATCH_MS);
}

struct rconn *conn_new(struct redis *r, const struct rconn_ops *ops, void *owner)
{
    struct rconn *c = xcalloc(1, sizeof(*c));

    c->magic = RCONN_MAGIC;
    c->client = r;
    c->ops = ops;
    c->owner = owner;
    c->backoff = (struct backoff){.base_ms = 50, .max_ms = 2000};
    c->scratch = arena_new();
    list_init(&c->link);
    list_init(&c->waiting);
    list_init(&c->pending);
    timer_init(&c->retry, r->loop, on_retry);
    timer_init(&c->watch, r->loop, on_watch);
    return c;
}

bool conn_ready(const struct rconn *c)
{
    return c->state == CONN_READY;
}

static void close_socket(struct rconn *c)
{
    if (c->lookup != NULL)
        evdns_getaddrinfo_cancel(c->lookup);
    c->lookup = NULL;
    if (c->found != NULL)
        evutil_freeaddrinfo(c->found);
    c->found = c->next = NULL;
    if (c->bev != NULL)
        bufferevent_free(c->bev);
    c->bev = NULL;
    if (c->reader != NULL)
        redisReaderFree(c->reader);
    c->reader = NULL;
    c->pinged = false;
    timer_stop(&c->watch);
}

static void fail_list(struct rconn *c, struct list *l, const char *why)
{
    while (!list_empty(l)) {
        struct rcmd *cmd = LIST_ENTRY(list_first(l), struct rcmd, link);

        list_remove(&cmd->link);
        c->queued -= cmd->wire_len;
        rcmd_fail(cmd, ERR_UNAVAILABLE, why);
    }
}

/* First attempts are quick, so a restart of the peer is waited for; after them commands fail fast.
 */
static bool is_down(const struct rconn *c)
{
    return c->state == CONN_IDLE && c->backoff.tries > 3;
}

static void went_down(struct rconn *c, const char *reason)
{
    c->state = CONN_IDLE;
    snprintf(c->last_error, sizeof(c->last_error), "%s", reason);
    log_debug("redis connection down", LOG_S("reason", reason), LOG_S("host", c->addr.host),
              LOG_I("port", c->addr.port));
    close_socket(c);
    fail_list(c, &c->pending, "the connection was lost with the command in flight");
    if (!c->once)
        timer_start(&c->retry, backoff_next(&c->backoff));
    if (is_down(c) || c->once)
        fail_list(c, &c->waiting, "the server cannot be reached");
    if (c->ops->on_down != NULL)
        c->ops->on_down(c);
}

void conn_drop(struct rconn *c, const char *reason)
{
    CHECK(c, RCONN);
    if (c->state == CONN_IDLE)
        return;
    metric_add(M_REDIS_RECONNECTS, 1, reason, NULL, NULL);
    went_down(c, reason);
}

void conn_dial_failed(struct rconn *c, const char *why)
{
    CHECK(c, RCONN);
    if (c->state == CONN_DIALING)
        went_down(c, why);
}

static void free_conn(void *p)
{
    struct rconn *c = p;

    arena_free(c->scratch);
    free(c);
}

void conn_free(struct rconn *c)
{
    if (c == NULL)
        return;
    CHECK(c, RCONN);
    c->state = CONN_IDLE;
    close_socket(c);
    fail_list(c, &c->pending, "the client was closed");
    fail_list(c, &c->waiting, "the client was closed");
    timer_done(&c->retry);
    timer_done(&c->watch);
    list_remove(&c->link);
    c->magic = 0;
    loop_free_later(c->client->loop, free_conn, c);
}

/* --- handshake ------------------------------------------------------------------------------ */

static void became_ready(struct rconn *c)
{
    c->state = CONN_READY;
    backoff_reset(&c->backoff);
    while (!list_empty(&c->waiting) && c->state == CONN_READY) {
        struct rcmd *cmd = LIST_ENTRY(list_first(&c->waiting), struct rcmd, link);

        list_remove(&cmd->link);
        c->queued -= cmd->wire_len;
        conn_send(c, cmd);
    }
    if (c->state == CONN_READY && c->ops->on_ready != NULL)
        c->ops->on_ready(c);
}

static void on_hello(struct rcmd *cmd, struct redis_reply *reply)
{
    struct rconn *c = cmd->arg;
    bool tolerated = cmd->redirects != 0;

    if (reply == NULL || c->state != CONN_HELLO)
        return;
    if (reply->type == REDIS_ERROR && !tolerated) {
        snprintf(c->last_error, sizeof(c->last_error), "%.*s", (int)MIN(reply->s.n, 100),
                 reply->s.p);
        conn_drop(c, "handshake");
        return;
    }
    if (reply->type == REDIS_ARRAY && reply->n > 0 && !str_eqz(reply->item[0].s, "master")) {
        conn_drop(c, "not_master");
        return;
    }
    if (--c->hello_left == 0)
        became_ready(c);
}

static void hello(struct rconn *c, bool tolerated, int argc, const struct str *argv)
{
    struct rcmd *cmd = rcmd_new(argc, argv);

    cmd->on_reply = on_hello;
    cmd->arg = c;
    cmd->redirects = tolerated; /* the field is free before a command is routed */
    c->hello_left++;
    conn_send(c, cmd);
}

static void shake_hands(struct rconn *c)
{
    const struct redis_url *u = &c->client->url;
    char db[16];

    c->state = CONN_HELLO;
    c->last_rx_us = clock_mono_us();
    c->hello_left = 1; /* so that no early answer completes it */
    if (!c->plain && u->password[0] != '\0' && u->user[0] != '\0')
        hello(c, false, 3, (struct str[]){STR("AUTH"), str_of(u->user), str_of(u->password)});
    else if (!c->plain && u->password[0] != '\0')
        hello(c, false, 2, (struct str[]){STR("AUTH"), str_of(u->password)});
    if (c->client->client_name[0] != '\0')
        hello(c, true, 3,
              (struct str[]){STR("CLIENT"), STR("SETNAME"), str_of(c->client->client_name)});
    snprintf(db, sizeof(db), "%d", u->db);
    if (!c->plain && u->db != 0)
        hello(c, false, 2, (struct str[]){STR("SELECT"), str_of(db)});
    if (c->check_master)
        hello(c, false, 1, (struct str[]){STR("ROLE")});
    hello(c, true, 1, (struct str[]){STR("PING")});
    c->hello_left--;
}

/* --- replies -------------------------------------------------------------------------------- */

static void take_reply(struct rconn *c, struct redis_reply *reply)
{
    struct list *first = list_first(&c->pending);
    struct rcmd *cmd;

    if (c->state == CONN_READY && c->ops->on_push != NULL) {
        c->ops->on_push(c, reply);
        return;
    }
    if (first == NULL) {
        conn_drop(c, "protocol");
        return;
    }
    cmd = LIST_ENTRY(first, struct rcmd, link);
    list_remove(&cmd->link);
    c->queued -= cmd->wire_len;
    cmd->sent = false;
    if (FAULT("redis.reply")) {
        rcmd_fail(cmd, ERR_UNAVAILABLE, "the reply was lost");
        conn_drop(c, "fault");
        return;
    }
    if (reply->type == REDIS_ERROR && redis_redirect(c->client, cmd, reply->s))
        return;
    rcmd_reply(cmd, reply);
}

/* False when the connection was dropped meanwhile. */
static bool take_replies(struct rconn *c)
{
    const redisReader *mine = c->reader;

    for (;;) {
        void *reply = NULL;

        if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
            conn_drop(c, "protocol");
            return false;
        }
        if (reply == NULL)
            return true;
        take_reply(c, reply);
        if (c->magic != RCONN_MAGIC || c->reader != mine)
            return false;
        arena_reset(c->scratch);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct rconn *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);

    CHECK(c, RCONN);
    c->last_rx_us = clock_mono_us();
    c->pinged = false;
    while (evbuffer_get_length(in) > 0) {
        size_t n = evbuffer_get_contiguous_space(in);

        if (redisReaderFeed(c->reader, (char *)evbuffer_pullup(in, (ev_ssize_t)n), n) != REDIS_OK ||
            c->reader->len > REPLY_BYTES_MAX) {
            conn_drop(c, "protocol");
            return;
        }
        evbuffer_drain(in, n);
        if (!take_replies(c))
            return;
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct rconn *c = arg;
    int fd = bufferevent_getfd(bev);

    CHECK(c, RCONN);
    if (what & BEV_EVENT_CONNECTED) {
        if (fd >= 0)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        shake_hands(c);
        return;
    }
    if (c->state == CONN_CONNECTING && c->next != NULL) {
        try_next_address(c);
        return;
    }
    conn_drop(c, c->state == CONN_CONNECTING ? "connect" : "closed");
}

/* --- connecting ----------------------------------------------------------------------------- */

static void open_bufferevent(struct rconn *c)
{
    struct redis *r = c->client;

    if (c->bev != NULL)
        bufferevent_free(c->bev);
    c->bev = r->tls != NULL ? tls_bufferevent(r->tls, r->loop, c->addr.host)
                            : bufferevent_socket_new(loop_base(r->loop), -1, BEV_OPT_CLOSE_ON_FREE);
    if (c->reader != NULL)
        redisReaderFree(c->reader);
    arena_reset(c->scratch);
    c->reader = redis_reader_new(c->scratch);
    if (c->bev != NULL) {
        bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
        bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    }
}

static void try_next_address(struct rconn *c)
{
    while (c->next != NULL) {
        struct evutil_addrinfo *ai = c->next;

        c->next = ai->ai_next;
        open_bufferevent(c);
        if (c->bev != NULL &&
            bufferevent_socket_connect(c->bev, ai->ai_addr, (int)ai->ai_addrlen) == 0)
            return;
    }
    conn_drop(c, "connect");
}

static void on_address(int result, struct evutil_addrinfo *found, void *arg)
{
    struct rconn *c = arg;

    if (result == EVUTIL_EAI_CANCEL)
        return;
    CHECK(c, RCONN);
    c->lookup = NULL;
    if (result != 0) {
        conn_drop(c, "resolve");
        return;
    }
    c->found = c->next = found;
    c->state = CONN_CONNECTING;
    try_next_address(c);
}

void conn_dial(struct rconn *c, const struct redis_addr *to)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct evdns_getaddrinfo_request *req;
    char port[8];

    CHECK(c, RCONN);
    c->addr = *to;
    snprintf(port, sizeof(port), "%d", to->port);
    timer_start(&c->watch, WATCH_MS);
    req = evdns_getaddrinfo(c->client->dns, c->addr.host, port, &hints, on_address, c);
    if (c->state == CONN_DIALING) /* else it was answered at once */
        c->lookup = req;
}

void conn_start(struct rconn *c)
{
    CHECK(c, RCONN);
    if (c->state != CONN_IDLE)
        return;
    timer_stop(&c->retry);
    c->state = CONN_DIALING;
    c->started_us = clock_mono_us();
    c->ops->dial(c);
}

/* --- commands ------------------------------------------------------------------------------- */

void conn_write(struct rconn *c, const char *wire, size_t n)
{
    if (c->bev != NULL)
        bufferevent_write(c->bev, wire, n);
}

void conn_send(struct rconn *c, struct rcmd *cmd)
{
    bool now = c->state == CONN_READY || cmd->on_reply == on_hello;

    CHECK(c, RCONN);
    cmd->conn = c;
    if (is_down(c)) {
        rcmd_fail(cmd, ERR_UNAVAILABLE, "the server cannot be reached");
        return;
    }
    if (c->queued + cmd->wire_len > QUEUE_BYTES_MAX) {
        rcmd_fail(cmd, ERR_BUSY, "too much is waiting for the server");
        return;
    }
    if (now && FAULT("redis.send")) {
        rcmd_fail(cmd, ERR_UNAVAILABLE, "the command was not sent");
        return;
    }
    c->queued += cmd->wire_len;
    list_push(now ? &c->pending : &c->waiting, &cmd->link);
    if (!now)
        return;
    cmd->sent = true;
    if (cmd->asking) {
        /* ASKING has a reply of its own, which comes first. */
        struct rcmd *ask = rcmd_new(1, (struct str[]){STR("ASKING")});

        ask->on_reply = rcmd_ignore;
        ask->sent = true;
        ask->conn = c;
        c->queued += ask->wire_len;
        list_insert_before(&cmd->link, &ask->link);
        conn_write(c, ask->wire, ask->wire_len);
    }
    conn_write(c, cmd->wire, cmd->wire_len);
}
