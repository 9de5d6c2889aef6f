/* sse.h: an incremental reader of server-sent events (the WHATWG HTML standard, "Parsing an event
 * stream"): lines end in LF, CR or CRLF, a leading byte order mark is skipped, comments and unknown
 * fields are ignored, several data lines are joined by LF, an event without its empty line at the
 * end of the stream is dropped. The pieces may be cut anywhere. Pure: no I/O. */
#pragma once
#include "libcommon/base/buf.h"

struct sse_event {
    struct str type; /* "message" when the stream names none */
    struct str data;
    struct str id; /* the last id of the stream so far; may be empty */
};

/* False ends the reading: sse_feed returns ERR_CANCELLED. */
typedef bool sse_event_fn(void *arg, const struct sse_event *e);

struct sse {
    struct buf line; /* a line whose end has not come yet */
    struct buf data, type, id;
    int64_t retry_ms; /* the server's wish for reconnects; -1: none */
    sse_event_fn *on_event;
    void *arg;
    bool skip_lf; /* the last byte was a CR */
    bool begun;   /* past the place of a byte order mark */
};

/* max_event bounds a line and the data of an event, each. */
void sse_init(struct sse *s, size_t max_event, sse_event_fn *on_event, void *arg);
void sse_done(struct sse *s);

/* 0; ERR_TOOBIG for a line or event over the bound; ERR_CANCELLED when on_event said so. After a
 * failure the reader must not be fed again. */
int sse_feed(struct sse *s, struct str piece, struct err *err) MUST_CHECK;
