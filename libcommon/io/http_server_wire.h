/* http_server_wire.h: the bytes of HTTP/1.1 requests, without sockets. Pure, so that it can be fed
 * by a fuzzer: http_head_end finds a complete head, http_head_read reads and judges it,
 * http_body_read takes the body out of its framing.
 *
 * A request that two readers could understand differently is refused, never repaired. Head and
 * body are judged here byte by byte; http_parser reads the head a second time and must agree. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/buf.h"
#include "libcommon/io/http_server.h"

#define HTTP_HEADERS_MAX 100
#define HTTP_TARGET_MAX 8192

/* Why a request is refused. reason is a static token for metrics: "bare_lf", "host", ... */
struct http_fault {
    int status;
    const char *reason;
};

struct http_head {
    const char *method;
    struct str path, query;
    struct http_header *headers;
    int header_count;
    bool http10;
    bool keep_alive;
    bool expect_continue;
    bool chunked;
    bool has_length;
    uint64_t length; /* of Content-Length */
};

/* The length of the head at the start of `in` including its empty line, 0 when more bytes are
 * needed, -1 when it is refused (f is filled). *scanned, 0 at first, is how far earlier calls
 * looked; *skip becomes 2 when one empty line stands before the request line. */
ptrdiff_t http_head_end(struct str in, size_t max_head, size_t *scanned, size_t *skip,
                        struct http_fault *f);

/* Reads a complete head (without what http_head_end skipped). The views point into `head`, which
 * must live as long; the arrays are in the arena. 0 or -1 with f filled. */
int http_head_read(struct arena *a, struct str head, struct http_head *out, struct http_fault *f);

enum http_body_state {
    BODY_SIZE, /* chunk size line */
    BODY_DATA,
    BODY_DATA_END, /* CRLF behind a chunk's data */
    BODY_TRAILER,
    BODY_DONE
};

struct http_body {
    bool chunked;
    enum http_body_state state;
    uint64_t left;   /* bytes of data still to come */
    size_t line;     /* bytes of the present size or trailer line */
    size_t trailers; /* bytes of all trailer lines */
    char text[32];   /* the size line's digits */
    bool extension;  /* behind the digits */
    bool cr;         /* the last byte was CR */
};

void http_body_init(struct http_body *b, const struct http_head *h);

/* Takes bytes, appends data to out (whose max is the limit: beyond it 413). Returns how many were
 * taken, or -1 with f filled. b->state is BODY_DONE at the end. Trailer fields are dropped. */
ptrdiff_t http_body_read(struct http_body *b, struct str in, struct buf *out, struct http_fault *f);
