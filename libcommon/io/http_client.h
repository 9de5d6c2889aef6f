/* http_client.h: HTTP requests over curl's multi interface in a loop. HTTP/2 where the server can
 * (a switch to HTTP/1.1), connections reused, DNS cache shared, a bounded number of connections a
 * host and in all. A transfer is never paused: what arrives is handed on at once.
 * Redirects are not followed. Proxies of the environment are not used. TLS is verified. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/buf.h"
#include "libcommon/ev/op.h"

struct http_client;
struct sockaddr;

struct http_client_options {
    int max_connections;      /* in all; waiting calls queue inside */
    int max_host_connections; /* a host */
    bool http2;
    const char *user_agent;
    const char *ca_file; /* NULL: the system's */
};

int http_client_new(struct loop *l, const struct http_client_options *opt, struct http_client **out,
                    struct err *err) MUST_CHECK;
void http_client_free(struct http_client *c);

struct http_call {
    struct op op; /* op.err: 0 when an answer arrived whole, whatever its status */
    /* result */
    int status;
    struct buf body;         /* unless on_data is set; ERR_TOOBIG over max_body */
    struct str content_type; /* in the arena */
    int64_t retry_after_ms;  /* of Retry-After (seconds or date) or retry-after-ms; -1: none */
    struct str request_id;   /* header request-id or x-request-id */
    bool sent;               /* false: the request surely never reached the server */
    int64_t first_byte_us;   /* time to the first byte of the answer */
    void *priv;
};

struct http_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL at the end; secrets never logged */
    struct str body;            /* must live until the callback */
    size_t max_body;            /* of the answer */
    int64_t connect_ms;         /* 0: 10 s */
    int64_t idle_ms;            /* to the first byte and between bytes; 0: none */
    /* Streaming: called for each piece of a 2xx answer's body; other answers go to `body`. Return
     * false to end the call (ERR_CANCELLED is then reported through op as any end). */
    bool (*on_data)(struct http_call *call, struct str data);
    /* Against requests to inside addresses: called with each resolved address before it is
     * connected to; false: ERR_DENIED. Such calls never share a connection. NULL: every address. */
    bool (*allow_address)(const struct sockaddr *address, void *arg);
    void *allow_arg;
};

/* deadline_ms bounds the whole call. op_cancel closes the transfer down to the socket. After the
 * callback the owner calls http_call_done to free the body. */
void http_call_start(struct http_client *c, struct arena *a, const struct http_request *req,
                     int64_t deadline_ms, struct http_call *call, op_fn *done, void *arg);
void http_call_done(struct http_call *call); /* repeatable; also cancels */
