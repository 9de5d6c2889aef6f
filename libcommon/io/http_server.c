/* One connection walks these states; every arrow is in conn_enter or in the function named.
 *
 *   HEAD --complete head--> BODY --complete body--> HANDLE --http_reply--> FLUSH --> HEAD (next)
 *                                                     \--http_stream_begin--> STREAM --end--> FLUSH
 *   any --refusal or last answer--> LINGER --peer closed or 2 s--> gone
 *
 * The next request is not read out of the buffer before the last answer is written, so one
 * connection never holds more than one request, one answer and a bounded input buffer. After a
 * refusal the rest of the input is read and dropped for a moment (LINGER): closing with unread
 * input would send RST, and the client might never see the answer.
 *
 * A read of 0 bytes may be a half-close, which HTTP allows: what was asked for is still answered. A
 * client that is really gone shows itself by RST at the next write (for streams: the heartbeat). */
#include "libcommon/base/compat.h"
#include "libcommon/io/http_server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/http_server_conn.h"

#define INPUT_MAX (64 * 1024) /* unread input of one connection */
#define LINGER_MS 2000
#define LINGER_MAX (4 * 1024 * 1024) /* bytes dropped while lingering */
#define REFUSED_MAX 64               /* connections above the cap that still hear 503 */
#define ACCEPT_PAUSE_MS 100          /* after accept failed, e.g. for lack of descriptors */

static void conn_read(struct http_conn *c);
static void conn_linger(struct http_conn *c);

/* --- the end of a request and of a connection --- */

static void request_end(struct http_conn *c)
{
    struct request *r = c->req;
    struct http_handler *h = &c->server->handler;

    if (r == NULL)
        return;
    c->req = NULL;
    c->server->bodies -= r->body.n;
    if (h->on_done != NULL)
        h->on_done(&r->pub, r->status, r->bytes, h->arg);
    arena_free(r->pub.arena);
}

static void conn_free(void *p)
{
    free(p);
}

static void conn_close(struct http_conn *c, enum http_close why)
{
    struct http_server *s = c->server;
    struct request *r = c->req;

    CHECK(c, CONN);
    if (r != NULL && !r->replied && r->pub.on_close != NULL) {
        void (*on_close)(struct http_req *, enum http_close) = r->pub.on_close;
        r->pub.on_close = NULL;
        on_close(&r->pub, why);
    }
    if (r != NULL && !r->replied)
        r->status = 0;
    request_end(c);
    deferred_cancel(&c->kill);
    timer_done(&c->timer);
    list_remove(&c->link);
    if (c->over_cap)
        s->over_count--;
    else
        s->count--;
    bufferevent_free(c->bev);
    c->magic = 0;
    loop_free_later(s->loop, conn_free, c);
}

static void on_kill(struct deferred *d)
{
    struct http_conn *c = CONTAINER_OF(d, struct http_conn, kill);

    conn_close(c, c->why);
}

/* Ends the connection from the loop, since the caller may be the application, deep in a call. */
void http_conn_kill(struct http_conn *c, enum http_close why)
{
    if (c->dying)
        return;
    c->dying = true;
    c->why = why;
    loop_defer(c->server->loop, &c->kill);
}

/* --- reading
 * --- */

static struct request *request_new(struct http_conn *c, struct str head_bytes, struct http_fault *f)
{
    struct arena *a = arena_new();
    struct request *r = arena_new_of(a, struct request);
    struct str copy = arena_str(a, head_bytes);

    r->pub.arena = a;
    r->pub.conn = c;
    r->pub.peer = c->peer;
    if (http_head_read(a, copy, &r->head, f) != 0) {
        arena_free(a);
        return NULL;
    }
    r->pub.method = r->head.method;
    r->pub.path = r->head.path;
    r->pub.query = r->head.query;
    r->pub.headers = r->head.headers;
    r->pub.header_count = r->head.header_count;
    r->pub.received_us = clock_mono_us();
    r->no_body = strcmp(r->head.method, "HEAD") == 0;
    http_body_init(&r->framing, &r->head);
    return r;
}

static void body_free(void *p)
{
    buf_done(p);
}

/* The application looks at the head; then the body may come. */
static void head_complete(struct http_conn *c)
{
    struct http_handler *h = &c->server->handler;
    struct request *r = c->req;
    bool has_body = r->framing.state != BODY_DONE;
    int64_t limit = (int64_t)c->server->opt.max_body;

    c->state = CONN_BODY;
    if (h->on_head != NULL) {
        int64_t own = h->on_head(&r->pub, h->arg);
        if (own < 0)
            return;
        limit = MIN(limit, own);
    }
    buf_init(&r->body, (size_t)limit);
    arena_on_reset(r->pub.arena, body_free, &r->body);
    if (r->head.has_length && r->head.length > (uint64_t)limit) {
        http_conn_refuse(c, 413, "body_too_big");
        return;
    }
    if (has_body) {
        timer_start(&c->timer, c->server->opt.body_ms);
        if (r->head.expect_continue && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0)
            http_conn_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
}

static bool read_head(struct http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t have = MIN(evbuffer_get_length(in), c->server->opt.max_head + 1);
    struct http_fault f;
    ptrdiff_t n;

    if (have == 0)
        return false;
    if (c->scanned == 0) /* the first byte ends the idle time */
        timer_start(&c->timer, c->server->opt.head_ms);
    const char *p = (const char *)evbuffer_pullup(in, (ev_ssize_t)have);
    n = http_head_end((struct str){p, have}, c->server->opt.max_head, &c->scanned, &c->skip, &f);
    if (n > 0) {
        timer_stop(&c->timer);
        c->req = request_new(c, (struct str){p + c->skip, (size_t)n - c->skip}, &f);
        if (c->req == NULL)
            n = -1;
    }
    if (n < 0) {
        http_conn_refuse(c, f.status, f.reason);
        return true;
    }
    if (n == 0)
        return false;
    evbuffer_drain(in, (size_t)n);
    c->scanned = c->skip = 0;
    head_complete(c);
    return true;
}

static bool read_body(struct http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct request *r = c->req;
    struct evbuffer_iovec v;
    struct http_fault f;

    while (r->framing.state != BODY_DONE && evbuffer_peek(in, -1, NULL, &v, 1) > 0 &&
           v.iov_len > 0) {
        size_t before = r->body.n;
        ptrdiff_t n =
            http_body_read(&r->framing, (struct str){v.iov_base, v.iov_len}, &r->body, &f);
        c->server->bodies += r->body.n - before;
        if (c->server->bodies > c->server->opt.max_bodies) {
            f = (struct http_fault){503, "bodies"};
            n = -1;
        }
        if (n < 0) {
            http_conn_refuse(c, f.status, f.reason);
            return true;
        }
        evbuffer_drain(in, (size_t)n);
    }
    if (r->framing.state != BODY_DONE)
        return false;
    timer_stop(&c->timer);
    r->pub.body = buf_view(&r->body);
    c->state = CONN_HANDLE;
    c->server->handler.on_request(&r->pub, c->server->handler.arg);
    return true;
}

/* Goes on as far as the bytes that are there allow. */
static void conn_read(struct http_conn *c)
{
    bool more = true;

    while (more && !c->dying) {
        if (c->state == CONN_HEAD)
            more = read_head(c);
        else if (c->state == CONN_BODY && c->req != NULL)
            more = read_body(c);
        else
            more = false;
    }
    if (c->state == CONN_LINGER) {
        struct evbuffer *in = bufferevent_get_input(c->bev);
        c->dropped += evbuffer_get_length(in);
        evbuffer_drain(in, evbuffer_get_length(in));
        if (c->dropped > LINGER_MAX)
            http_conn_kill(c, HTTP_CLOSE_CLIENT);
    } else if (c->eof && (c->state == CONN_HEAD || c->state == CONN_BODY)) {
        http_conn_kill(c, HTTP_CLOSE_CLIENT); /* what is missing will not come */
    }
}

/* --- libevent's callbacks
 * --- */

static void on_readable(struct bufferevent *bev UNUSED, void *arg)
{
    struct http_conn *c = arg;

    CHECK(c, CONN);
    if (!c->dying)
        conn_read(c);
}

static void next_request(struct http_conn *c)
{
    c->state = CONN_HEAD;
    timer_start(&c->timer, c->server->opt.idle_ms);
    conn_read(c);
}

/* The output is empty. */
static void on_written(struct bufferevent *bev UNUSED, void *arg)
{
    struct http_conn *c = arg;

    CHECK(c, CONN);
    if (c->dying || c->state != CONN_FLUSH)
        return;
    request_end(c);
    if (c->close_after || c->server->draining)
        conn_linger(c);
    else
        next_request(c);
}

static void on_event(struct bufferevent *bev UNUSED, short what, void *arg)
{
    struct http_conn *c = arg;

    CHECK(c, CONN);
    if (c->dying)
        return;
    if ((what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_READING) != 0) {
        c->eof = true;
        if (c->state == CONN_LINGER)
            conn_close(c, HTTP_CLOSE_CLIENT);
        else
            conn_read(c);
        return;
    }
    if ((what & BEV_EVENT_TIMEOUT) != 0 && c->state == CONN_STREAM)
        metric_add(M_STREAMS_DROPPED, 1, "slow", NULL, NULL);
    conn_close(c, (what & BEV_EVENT_TIMEOUT) != 0 ? HTTP_CLOSE_SLOW : HTTP_CLOSE_CLIENT);
}

static void conn_linger(struct http_conn *c)
{
    if (c->eof || shutdown(bufferevent_getfd(c->bev), SHUT_WR) != 0) {
        http_conn_kill(c, HTTP_CLOSE_CLIENT);
        return;
    }
    c->state = CONN_LINGER;
    timer_start(&c->timer, LINGER_MS);
    conn_read(c);
}

static void on_deadline(struct timer *t)
{
    struct http_conn *c = CONTAINER_OF(t, struct http_conn, timer);

    CHECK(c, CONN);
    if (c->dying)
        return;
    if (c->state == CONN_STREAM) {
        http_conn_heartbeat(c);
    } else if (c->state == CONN_BODY) {
        http_conn_refuse(c, 408, "body_timeout");
    } else if (c->state == CONN_HEAD && c->scanned > 0) {
        http_conn_refuse(c, 408, "head_timeout");
    } else {
        conn_close(c, HTTP_CLOSE_CLIENT);
    }
}

/* --- accepting
 * --- */

static void peer_text(const struct sockaddr *sa, char *out, size_t cap)
{
    const void *addr =
        sa->sa_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;

    if (inet_ntop(sa->sa_family, addr, out, (socklen_t)cap) == NULL)
        snprintf(out, cap, "unknown");
    /* ::ffff:1.2.3.4 and 1.2.3.4 are one client. */
    if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.') != NULL)
        memmove(out, out + 7, strlen(out + 7) + 1);
}

static void on_accept(struct evconnlistener *l UNUSED, evutil_socket_t fd, struct sockaddr *sa,
                      int len UNUSED, void *arg)
{
    struct http_server *s = arg;
    struct timeval write_tv = {s->opt.write_ms / 1000, (s->opt.write_ms % 1000) * 1000};
    bool over = s->count >= s->opt.max_connections;
    int one = 1;

    CHECK(s, SERVER);
    if (over && s->over_count >= REFUSED_MAX) {
        close(fd);
        return;
    }
    struct http_conn *c = xcalloc(1, sizeof(*c));
    c->magic = CONN_MAGIC;
    c->server = s;
    c->over_cap = over;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    peer_text(sa, c->peer, sizeof(c->peer));
    list_init(&c->link);
    deferred_init(&c->kill, on_kill);
    timer_init(&c->timer, s->loop, on_deadline);
    c->bev = bufferevent_socket_new(loop_base(s->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    if (c->bev == NULL)
        abort(); /* only for lack of memory */
    list_push(&s->conns, &c->link);
    bufferevent_setcb(c->bev, on_readable, on_written, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, MAX(INPUT_MAX, s->opt.max_head + 1));
    bufferevent_set_timeouts(c->bev, NULL, &write_tv);
    if (over) {
        s->over_count++;
        http_conn_refuse(c, 503, "connections");
    } else {
        s->count++;
        timer_start(&c->timer, s->opt.head_ms);
    }
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_accept_again(struct timer *t)
{
    struct http_server *s = CONTAINER_OF(t, struct http_server, accept_again);

    if (s->listener != NULL)
        evconnlistener_enable(s->listener);
}

/* A full descriptor table stays readable for ever: pause instead of spinning. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    struct http_server *s = arg;

    metric_add(M_HTTP_REFUSED, 1, "accept", NULL, NULL);
    evconnlistener_disable(l);
    timer_start(&s->accept_again, ACCEPT_PAUSE_MS);
}

static int listen_on(struct http_server *s, struct err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *ai = NULL;
    struct sockaddr_storage ss;
    socklen_t n = sizeof(ss);
    char port[8], host[INET6_ADDRSTRLEN];

    snprintf(port, sizeof(port), "%d", s->opt.port);
    if (getaddrinfo(s->opt.host, port, &hints, &ai) != 0)
        return err_set(err, ERR_INVALID, "the address %s cannot be listened on",
                       s->opt.host == NULL ? "*" : s->opt.host);
    s->listener =
        evconnlistener_new_bind(loop_base(s->loop), on_accept, s,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                1024, ai->ai_addr, (int)ai->ai_addrlen);
    freeaddrinfo(ai);
    if (s->listener == NULL)
        return err_set(err, ERR_UNAVAILABLE, "port %d cannot be listened on: %s", s->opt.port,
                       strerror(errno));
    evconnlistener_set_error_cb(s->listener, on_accept_error);
    if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&ss, &n) == 0 &&
        getnameinfo((struct sockaddr *)&ss, n, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        s->port = (int)strtol(port, NULL, 10);
    return 0;
}

static void set_defaults(struct http_server_options *o)
{
#define DEFAULT(field, value) o->field = o->field == 0 ? (value) : o->field
    DEFAULT(max_connections, 10000);
    DEFAULT(head_ms, 10000);
    DEFAULT(body_ms, 60000);
    DEFAULT(idle_ms, 75000);
    DEFAULT(write_ms, 30000);
    DEFAULT(max_head, 32 * 1024);
    DEFAULT(max_body, 10 * 1024 * 1024);
    DEFAULT(max_bodies, 128 * 1024 * 1024);
    DEFAULT(stream_max, 1024 * 1024);
    DEFAULT(stream_heartbeat_s, 15);
#undef DEFAULT
}

int http_server_new(struct loop *l, const struct http_server_options *opt,
                    const struct http_handler *h, struct http_server **out, struct err *err)
{
    struct http_server *s = xcalloc(1, sizeof(*s));
    int rc;

    s->magic = SERVER_MAGIC;
    s->loop = l;
    s->opt = *opt;
    set_defaults(&s->opt);
    s->handler = *h;
    list_init(&s->conns);
    timer_init(&s->accept_again, l, on_accept_again);
    rc = listen_on(s, err);
    if (rc != 0) {
        http_server_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

int http_server_connections(const struct http_server *s)
{
    return s->count;
}

static void stop_listening(struct http_server *s)
{
    timer_done(&s->accept_again);
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    s->listener = NULL;
}

void http_server_drain(struct http_server *s)
{
    CHECK(s, SERVER);
    s->draining = true;
    stop_listening(s);
    LIST_FOREACH (it, &s->conns) {
        struct http_conn *c = LIST_ENTRY(it, struct http_conn, link);
        if (c->state == CONN_HEAD && c->scanned == 0)
            http_conn_kill(c, HTTP_CLOSE_SHUTDOWN);
    }
}

void http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    CHECK(s, SERVER);
    stop_listening(s);
    while (!list_empty(&s->conns))
        conn_close(LIST_ENTRY(list_first(&s->conns), struct http_conn, link), HTTP_CLOSE_SHUTDOWN);
    s->magic = 0;
    free(s);
}
