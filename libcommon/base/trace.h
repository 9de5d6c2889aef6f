/* trace.h: W3C trace context and spans. A span is embedded in what it measures (a request, a run, a
 * call). When it ends it goes to the process's one sink (the exporter in io/otlp.c, or a test);
 * without a sink, starting and ending a span costs little and nothing is kept.
 *
 *     span_start(&c->span, &run->span.context, "llm_call", SPAN_CLIENT);
 *     span_set_str(&c->span, "llm.model", model);
 *     ...
 *     span_fail(&c->span, err.msg);    only when it failed
 *     span_end(&c->span);
 */
#pragma once
#include "libcommon/base/buf.h"
#include "libcommon/base/str.h"

#define TRACE_ID_LEN 16
#define SPAN_ID_LEN 8
#define TRACEPARENT_LEN 55
#define SPAN_ATTRIBUTES_MAX_BYTES 8192

struct trace_context {
    uint8_t trace_id[TRACE_ID_LEN];
    uint8_t span_id[SPAN_ID_LEN];
    bool sampled; /* the flag of traceparent: the caller keeps this trace */
};

/* Reads "00-<32 hex>-<16 hex>-<2 hex>" by the rules of the W3C (later versions may be longer; all
 * zeros are no id). 0 or ERR_INVALID, which leaves *out untouched. */
int trace_parse(struct str traceparent, struct trace_context *out) MUST_CHECK;
/* Writes TRACEPARENT_LEN characters and a NUL. Returns out. */
char *trace_format(const struct trace_context *c, char out[TRACEPARENT_LEN + 1]);
/* 32 hex digits and a NUL, for logs. Returns out. */
char *trace_id_text(const struct trace_context *c, char out[2 * TRACE_ID_LEN + 1]);
/* A new trace with random ids, not sampled. */
struct trace_context trace_new(void);
/* Whether a trace falls into a share (0 to 1) of all: the same answer in every process. */
bool trace_in_share(const struct trace_context *c, double share);

/* Numbers of OTLP. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };

struct span {
    struct trace_context context;
    uint8_t parent[SPAN_ID_LEN]; /* zeros: none */
    bool has_parent;
    bool local_root;  /* the first of its trace in this process; the last to end */
    const char *name; /* static; NULL: not running */
    enum span_kind kind;
    int64_t start_us, end_us; /* wall clock; their distance is monotonic */
    int64_t started_mono_us;
    bool failed;
    char message[128];     /* why it failed */
    struct buf attributes; /* members of OTLP's attributes array, comma separated */
};

/* Starts a root of this process. parent: of the peer that called us, or NULL for a new trace. */
void span_start_root(struct span *s, const struct trace_context *parent, const char *name,
                     enum span_kind kind);
/* Starts a span under one of this process. */
void span_start(struct span *s, const struct trace_context *parent, const char *name,
                enum span_kind kind);

/* Attributes; keys are ours, values are cut to 256 characters. Nothing on a span that isn't
 * running, or beyond SPAN_ATTRIBUTES_MAX_BYTES. Never prompt text or secrets. */
void span_set_str(struct span *s, const char *key, const char *value);
void span_set_i64(struct span *s, const char *key, int64_t value);
void span_set_real(struct span *s, const char *key, double value);
void span_set_bool(struct span *s, const char *key, bool value);

/* Marks it as failed. */
void span_fail(struct span *s, const char *message);
/* Ends it: the sink sees it, then its memory goes. Repeatable; zeroed spans are fine. */
void span_end(struct span *s);
/* Lets go of it unseen. Repeatable. */
void span_drop(struct span *s);

/* The sink must copy what it keeps. NULL: none. One a process. */
void trace_set_sink(void (*fn)(const struct span *s, void *arg), void *arg);
