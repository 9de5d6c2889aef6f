/* script_server.c: on libevent's listener and bufferevents; a test double, lenient on purpose. */
#include "libcommon/base/compat.h"
#include "tests/harness/script_server.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

struct script_server {
    struct loop *loop;
    struct evconnlistener *listener;
    script_fn *fn;
    void *arg;
    char url[64];
    int requests, conns, open;
    struct list all;
};

struct script_conn {
    struct list link;
    struct script_server *server;
    struct bufferevent *bev;
    int number;
    bool closing;
};

static void conn_free(struct script_conn *c)
{
    c->server->open--;
    list_remove(&c->link);
    bufferevent_free(c->bev);
    free(c);
}

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");
    int64_t n = 0;

    if (at == NULL)
        return 0;
    at += strlen("\r\nContent-Length:");
    if (str_i64(str_trim((struct str){at, strcspn(at, "\r")}), &n) != 0)
        return 0;
    return (size_t)n;
}

/* One request; false when it is not complete yet. */
static bool take_request(struct script_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    struct script_request req = {.conn = c->number};
    size_t head_n, body_n;
    char *bytes;

    if (end.pos < 0)
        return false;
    head_n = (size_t)end.pos + 4;
    bytes = xcalloc(1, evbuffer_get_length(in) + 1);
    evbuffer_copyout(in, bytes, evbuffer_get_length(in));
    bytes[head_n - 1] = '\0'; /* so that the body is not searched */
    body_n = content_length(bytes);
    bytes[head_n - 1] = '\n';
    if (evbuffer_get_length(in) < head_n + body_n) {
        free(bytes);
        return false;
    }
    evbuffer_drain(in, head_n + body_n);
    req.head = (struct str){bytes, head_n};
    req.body = (struct str){bytes + head_n, body_n};
    req.number = ++c->server->requests;
    c->server->fn(c, &req, c->server->arg);
    free(bytes);
    return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct script_conn *c = arg;

    (void)bev;
    while (!c->closing && take_request(c))
        ;
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct script_conn *c = arg;

    if (c->closing && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        conn_free(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        conn_free(arg);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
    struct script_server *s = arg;
    struct script_conn *c = xcalloc(1, sizeof(*c));

    (void)l;
    (void)sa;
    (void)len;
    c->server = s;
    c->number = ++s->conns;
    s->open++;
    list_push(&s->all, &c->link);
    c->bev = bufferevent_socket_new(loop_base(s->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

struct script_server *script_server_new(struct loop *l, script_fn *fn, void *arg)
{
    struct script_server *s = xcalloc(1, sizeof(*s));
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);

    s->loop = l;
    s->fn = fn;
    s->arg = arg;
    list_init(&s->all);
    s->listener = evconnlistener_new_bind(loop_base(l), on_accept, s, LEV_OPT_CLOSE_ON_FREE, 128,
                                          (struct sockaddr *)&sa, sizeof(sa));
    assert(s->listener != NULL);
    getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&sa, &n);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(sa.sin_port));
    return s;
}

void script_server_free(struct script_server *s)
{
    struct list *it;

    if (s == NULL)
        return;
    while ((it = list_first(&s->all)) != NULL)
        conn_free(LIST_ENTRY(it, struct script_conn, link));
    evconnlistener_free(s->listener);
    free(s);
}

const char *script_server_url(const struct script_server *s)
{
    return s->url;
}

int script_server_requests(const struct script_server *s)
{
    return s->requests;
}

int script_server_conns(const struct script_server *s)
{
    return s->conns;
}

int script_server_open(const struct script_server *s)
{
    return s->open;
}

void script_send(struct script_conn *c, struct str bytes)
{
    bufferevent_write(c->bev, bytes.p, bytes.n);
}

void script_reply(struct script_conn *c, int status, const char *type, const char *headers,
                  struct str body)
{
    evbuffer_add_printf(bufferevent_get_output(c->bev),
                        "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                        status, type, body.n, headers);
    script_send(c, body);
}

void script_begin(struct script_conn *c, int status, const char *type)
{
    evbuffer_add_printf(bufferevent_get_output(c->bev),
                        "HTTP/1.1 %d X\r\nContent-Type: %s\r\nConnection: close\r\n\r\n", status,
                        type);
}

void script_close(struct script_conn *c)
{
    c->closing = true;
    if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
        bufferevent_trigger(c->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}
