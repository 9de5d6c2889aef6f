/* Answers: whole ones, gzip, refusals, and streams of server-sent events. */
#include "libcommon/base/compat.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <zlib.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/http_server_conn.h"

#define GZIP_MIN 1024

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {{100, "Continue"},
                {200, "OK"},
                {201, "Created"},
                {202, "Accepted"},
                {204, "No Content"},
                {206, "Partial Content"},
                {301, "Moved Permanently"},
                {302, "Found"},
                {304, "Not Modified"},
                {307, "Temporary Redirect"},
                {308, "Permanent Redirect"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {406, "Not Acceptable"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {410, "Gone"},
                {411, "Length Required"},
                {412, "Precondition Failed"},
                {413, "Content Too Large"},
                {414, "URI Too Long"},
                {415, "Unsupported Media Type"},
                {417, "Expectation Failed"},
                {422, "Unprocessable Content"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
                {505, "HTTP Version Not Supported"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Status";
}

static const char *date_of(struct http_server *s)
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct tm tm;

    if (now != s->date_at || s->date[0] == '\0') {
        s->date_at = now;
        if (gmtime_r(&now, &tm) == NULL ||
            strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
            return "Thu, 01 Jan 1970 00:00:00 GMT";
    }
    return s->date;
}

void http_conn_write(struct http_conn *c, const void *p, size_t n)
{
    if (n > 0 && !c->dying)
        bufferevent_write(c->bev, p, n);
    if (c->req != NULL)
        c->req->bytes += (int64_t)n;
}

static bool keeps_alive(const struct http_conn *c)
{
    return !c->close_after && !c->server->draining && c->req != NULL && c->req->head.keep_alive;
}

/* Status line and the fields that are ours. */
static void head_begin(struct http_conn *c, struct buf *b, int status, const char *headers)
{
    buf_printf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason_of(status), date_of(c->server));
    if (headers != NULL)
        buf_puts(b, headers);
    if (!keeps_alive(c)) {
        c->close_after = true;
        buf_puts(b, "Connection: close\r\n");
    } else if (c->req->head.http10) {
        buf_puts(b, "Connection: keep-alive\r\n");
    }
}

static void enter_flush(struct http_conn *c)
{
    c->state = CONN_FLUSH;
    timer_stop(&c->timer); /* bufferevent's own write timeout guards this state */
    /* A stream may end when all of it is written already: nothing else would call on_written. */
    if (!c->dying && evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
        bufferevent_trigger(c->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}

static bool wants_gzip(const struct http_req *req, const char *headers, size_t n)
{
    struct str accept = http_req_header(req, "accept-encoding");

    if (n <= GZIP_MIN || (headers != NULL && strcasestr(headers, "content-encoding:") != NULL))
        return false;
    while (accept.p != NULL) {
        struct str part = str_split(&accept, ',');
        struct str name = str_trim(str_split(&part, ';'));
        struct str q = str_trim(part);
        bool refused = q.n >= 3 && str_starts(q, STR("q=0")) && strspn(q.p + 2, "0.") >= q.n - 2;
        if (str_ieq(name, STR("gzip")) || str_eq(name, STR("*")))
            return !refused;
    }
    return false;
}

static bool gzip_into(struct arena *a, struct str *body)
{
    z_stream z = {0};
    size_t cap;
    char *out;

    if (body->n > UINT32_MAX / 2 ||
        deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    cap = deflateBound(&z, body->n);
    out = arena_alloc(a, cap);
    z.next_in = (Bytef *)(uintptr_t)body->p;
    z.avail_in = (uInt)body->n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    int rc = deflate(&z, Z_FINISH);
    size_t n = z.total_out;
    deflateEnd(&z);
    if (rc != Z_STREAM_END || n >= body->n)
        return false;
    *body = (struct str){out, n};
    return true;
}

void http_reply(struct http_req *req, int status, const char *headers, struct str body)
{
    struct http_conn *c = req->conn;
    struct request *r = c->req;
    struct buf head;
    bool empty = status == 204 || status == 304;

    CHECK(c, CONN);
    assert(r != NULL && !r->replied && c->state != CONN_STREAM);
    r->replied = true;
    r->status = status;
    if (r->framing.state != BODY_DONE)
        c->close_after = true; /* answered unread: the body that may follow is no request */
    buf_init(&head, 64 * 1024);
    bool zipped = !empty && wants_gzip(req, headers, body.n) && gzip_into(req->arena, &body);
    head_begin(c, &head, status, headers);
    if (zipped)
        buf_puts(&head, "Content-Encoding: gzip\r\n");
    if (!empty && body.n > GZIP_MIN)
        buf_puts(&head, "Vary: Accept-Encoding\r\n");
    if (!empty)
        buf_printf(&head, "Content-Length: %zu\r\n", body.n);
    buf_puts(&head, "\r\n");
    http_conn_write(c, head.p, head.n);
    buf_done(&head);
    if (!empty && !r->no_body)
        http_conn_write(c, body.p, body.n);
    enter_flush(c);
}

/* A refusal of the wire layer: no request object may exist yet. */
void http_conn_refuse(struct http_conn *c, int status, const char *reason)
{
    struct http_handler *h = &c->server->handler;
    struct buf head, body, own;

    metric_add(M_HTTP_REFUSED, 1, reason, NULL, NULL);
    if (c->req != NULL) {
        c->req->replied = true;
        c->req->status = status;
    }
    c->close_after = true;
    buf_init(&head, 64 * 1024);
    buf_init(&body, 64 * 1024);
    buf_init(&own, 16 * 1024);
    buf_puts(&own, "Content-Type: application/json\r\nCache-Control: no-store\r\n");
    if (status == 503)
        buf_puts(&own, "Retry-After: 1\r\n");
    if (h->on_refuse != NULL)
        h->on_refuse(status, reason, &own, &body, h->arg);
    head_begin(c, &head, status, own.p);
    buf_printf(&head, "Content-Length: %zu\r\n\r\n", body.n);
    buf_done(&own);
    http_conn_write(c, head.p, head.n);
    if (c->req == NULL || !c->req->no_body)
        http_conn_write(c, body.p, body.n);
    buf_done(&head);
    buf_done(&body);
    enter_flush(c);
}

/* --- streams
 * --- */

static int64_t heartbeat_ms(const struct http_conn *c)
{
    return (int64_t)c->server->opt.stream_heartbeat_s * 1000;
}

static bool stream_write(struct http_conn *c, struct str data)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    char size[24];

    if (c->dying)
        return false;
    if (evbuffer_get_length(out) + data.n > c->server->opt.stream_max) {
        metric_add(M_STREAMS_DROPPED, 1, "slow", NULL, NULL);
        http_conn_kill(c, HTTP_CLOSE_SLOW);
        return false;
    }
    if (c->req->chunked) {
        int n = snprintf(size, sizeof(size), "%zx\r\n", data.n);
        http_conn_write(c, size, (size_t)n);
    }
    http_conn_write(c, data.p, data.n);
    if (c->req->chunked)
        http_conn_write(c, "\r\n", 2);
    timer_start(&c->timer, heartbeat_ms(c));
    return true;
}

void http_stream_begin(struct http_req *req, const char *headers)
{
    struct http_conn *c = req->conn;
    struct request *r = c->req;
    struct buf head;

    CHECK(c, CONN);
    assert(r != NULL && !r->replied && c->state != CONN_STREAM);
    r->status = 200;
    r->chunked = !r->head.http10;
    if (!r->chunked)
        c->close_after = true;
    buf_init(&head, 64 * 1024);
    head_begin(c, &head, 200, headers);
    buf_puts(&head, "Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
                    "Cache-Control: no-store\r\n");
    buf_puts(&head, r->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    http_conn_write(c, head.p, head.n);
    buf_done(&head);
    if (r->no_body) { /* HEAD: that was all */
        r->replied = true;
        enter_flush(c);
        return;
    }
    c->state = CONN_STREAM;
    timer_start(&c->timer, heartbeat_ms(c));
}

bool http_stream_event(struct http_req *req, const char *type, const char *id, struct str data)
{
    struct http_conn *c = req->conn;
    struct buf b;

    CHECK(c, CONN);
    if (c->dying || c->state != CONN_STREAM)
        return false;
    buf_init(&b, c->server->opt.stream_max + 1024);
    if (id != NULL)
        buf_printf(&b, "id: %s\n", id);
    if (type != NULL)
        buf_printf(&b, "event: %s\n", type);
    do {
        struct str line = str_split(&data, '\n');
        buf_puts(&b, "data: ");
        buf_str(&b, line);
        buf_putc(&b, '\n');
    } while (data.p != NULL);
    buf_putc(&b, '\n');
    bool ok = stream_write(c, buf_view(&b));
    buf_done(&b);
    return ok;
}

size_t http_stream_pending(const struct http_req *req)
{
    return evbuffer_get_length(bufferevent_get_output(req->conn->bev));
}

void http_stream_end(struct http_req *req)
{
    struct http_conn *c = req->conn;

    CHECK(c, CONN);
    if (c->dying || c->state != CONN_STREAM)
        return;
    c->req->replied = true;
    if (c->req->chunked)
        http_conn_write(c, "0\r\n\r\n", 5);
    if (c->server->draining)
        c->close_after = true;
    enter_flush(c);
}

bool http_conn_heartbeat(struct http_conn *c)
{
    /* A comment; it also finds out that the client is gone. */
    return stream_write(c, STR(":\n\n"));
}
