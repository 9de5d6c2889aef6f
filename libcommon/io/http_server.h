/* http_server.h: a strict HTTP/1.1 server on libevent's listener and bufferevents; the wire is read
 * by http_parser 2.9.4 with our checks on top: no space before a colon, no obs-fold, no bare LF,
 * Host exactly once, Transfer-Encoding exactly "chunked" and never with Content-Length, HTTP/1.0
 * and 1.1 only; absolute-form targets become origin-form. RFC 9110, RFC 9112.
 *
 * Own timers: accept to complete head, body, idle between requests, write progress. Caps:
 * connections (503 and close above), head size (431), body size per request (413). Pipelined
 * requests are answered in order, one in hand at a time. A half-close by the client is no close:
 * the answer still goes out. HEAD and Expect: 100-continue are handled here.
 *
 * Bodies are held in memory: their sum has a limit too (503 above it).
 *
 * A stream (server-sent events) whose unsent output passes stream_max is dropped: on_close with
 * HTTP_CLOSE_SLOW. One loop; a request object lives until http_reply / http_stream_end completed,
 * or on_close ran. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/buf.h"
#include "libcommon/ev/loop.h"

struct http_server;
struct http_conn;

struct http_server_options {
    const char *host;
    int port;                                    /* 0: a free one, see http_server_port */
    int max_connections;                         /* 0: 10000 */
    int64_t head_ms, body_ms, idle_ms, write_ms; /* 0: 10 s, 60 s, 75 s, 30 s */
    size_t max_head;                             /* 0: 32 KiB */
    size_t max_body;                             /* 0: 10 MiB; a request's own limit may be lower */
    size_t max_bodies;      /* 0: 128 MiB; of all requests in hand together, beyond it 503 */
    size_t stream_max;      /* 0: 1 MiB */
    int stream_heartbeat_s; /* 0: 15; a comment line on idle streams */
};

enum http_close { HTTP_CLOSE_CLIENT, HTTP_CLOSE_SLOW, HTTP_CLOSE_ERROR, HTTP_CLOSE_SHUTDOWN };

struct http_header {
    struct str name, value; /* as sent; compare names with str_ieq */
};

struct http_req {
    struct arena *arena; /* of this request: freed with it */
    struct http_conn *conn;
    const char *method; /* "GET" ... */
    struct str path;    /* still percent-encoded, without query */
    struct str query;   /* behind "?", or empty */
    const struct http_header *headers;
    int header_count;
    struct str body;
    const char *peer;    /* address of the socket's peer */
    int64_t received_us; /* clock_mono_us at the complete head */
    /* The application's. on_close runs if the client goes away or the stream is dropped before the
     * answer is complete; afterwards the request is gone. It does not run after http_reply. */
    void (*on_close)(struct http_req *req, enum http_close why);
    void *user;
};

/* Each request whose head was good ends with exactly one on_done, whatever happened to it: what
 * belongs to req->user is let go there. on_head (may be NULL) runs when the head is complete and
 * may refuse early or lower the body limit: it returns the body limit in bytes, or -1 after it has
 * replied itself. on_request runs when the body is complete. on_done (may be NULL) runs when the
 * last byte of the answer is written or the connection is gone: for metrics; status 0 when nothing
 * was answered. */
struct http_handler {
    int64_t (*on_head)(struct http_req *req, void *arg);
    void (*on_request)(struct http_req *req, void *arg);
    void (*on_done)(struct http_req *req, int status, int64_t bytes, void *arg);
    /* A request that the wire layer itself refuses (may be NULL): fills a body for `status` (JSON
     * envelope) and may add header lines. */
    void (*on_refuse)(int status, const char *reason, struct buf *headers, struct buf *body,
                      void *arg);
    void *arg;
};

int http_server_new(struct loop *l, const struct http_server_options *opt,
                    const struct http_handler *h, struct http_server **out,
                    struct err *err) MUST_CHECK;
int http_server_port(const struct http_server *s);
/* Drain: stops listening, sends "Connection: close" from now on, closes idle connections. */
void http_server_drain(struct http_server *s);
int http_server_connections(const struct http_server *s);
void http_server_free(struct http_server *s);

/* Case-insensitive; {NULL,0} when absent. Several lines of one name: the first. */
struct str http_req_header(const struct http_req *req, const char *name);
/* A query parameter, percent-decoded into the request's arena; NULL when absent, "" when empty.
 * Bad escapes and NUL make *bad true (may be NULL). */
const char *http_req_param(struct http_req *req, const char *name, bool *bad);
/* Percent-decodes; NULL when malformed or holding NUL. */
const char *http_decode(struct arena *a, struct str s);

/* headers: lines "Name: value\r\n" together, may be NULL. Content-Length, Date, Connection are
 * added here; the body is copied. gzip when the client accepts it and the body has over 1 KiB. */
void http_reply(struct http_req *req, int status, const char *headers, struct str body);

/* Server-sent events: 200 with text/event-stream, X-Accel-Buffering: no, no-store. For HEAD that is
 * the whole answer; events are then refused as if the stream were gone. */
void http_stream_begin(struct http_req *req, const char *headers);
/* One event; id and type may be NULL; data is one line. False when the stream is gone. */
bool http_stream_event(struct http_req *req, const char *type, const char *id, struct str data);
size_t http_stream_pending(const struct http_req *req); /* unsent bytes */
void http_stream_end(struct http_req *req);
