/* otlp.h: the exporter of traces: OTLP over HTTP with JSON bodies. It is the process's trace sink.
 *
 * A span is kept when its trace falls into the sampled share (by trace id, or by the caller's flag)
 * or when the trace failed or was slow in this process. That is known only at the end, so the spans
 * of a trace that is not sampled wait until its local root has ended; how many may wait is bounded.
 *
 * Spans to be sent wait in a bounded queue and go out in batches, one request at a time; what the
 * collector cannot take is tried again with backoff, what does not fit is dropped. Both are counted
 * (trace_spans_total by status: exported, dropped). Nothing here ever holds up the program. */
#pragma once
#include "libcommon/base/err.h"
#include "libcommon/ev/loop.h"

struct http_client;
struct otlp;

struct otlp_options {
    const char *endpoint; /* http://otel:4318; "/v1/traces" is added */
    const char *service;  /* service.name; static */
    const char *instance; /* service.instance.id: the pod or node */
    double sample;        /* share of traces, 0 to 1 */
    int64_t slow_us;      /* a local root of at least this long is kept; 0: none is slow */
};

/* Becomes the sink. Never fails: an endpoint that does not answer is found out later. */
struct otlp *otlp_new(struct loop *l, struct http_client *http, const struct otlp_options *opt);
/* Sends what waits now; for the end of a drain. */
void otlp_flush(struct otlp *o);
/* Nothing to send and nothing in flight. */
bool otlp_idle(const struct otlp *o);
/* Cancels what is in flight; what waits is dropped. NULL is fine. Before http_client_free. */
void otlp_free(struct otlp *o);
