/* otlp.c: see otlp.h. A span is turned into its JSON text when it ends; from there on it is one
 * malloc in a list, either of its trace (undecided) or of the queue. */
#include "libcommon/base/compat.h"
#include "libcommon/io/otlp.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include "libcommon/base/log.h"
#include "libcommon/base/map.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/trace.h"
#include "libcommon/ev/backoff.h"
#include "libcommon/ev/timer.h"
#include "libcommon/io/http_client.h"

#define OTLP_MAGIC 0x07190001u
#define QUEUE_MAX 2048 /* spans to be sent */
#define BATCH_MAX 256
#define UNDECIDED_MAX 4096 /* spans of traces whose root is still running */
#define TRACE_SPANS_MAX 128
#define SPAN_BYTES_MAX 16384u
#define PAUSE_MS 2000 /* between batches that are not full */
#define DEADLINE_MS 10000
#define RETRY_BASE_MS 1000
#define RETRY_MAX_MS 60000
#define ANSWER_MAX 65536u

struct item {
    struct list link;
    struct str json; /* behind the struct */
};

/* A trace with a root that is still running. */
struct pending {
    struct list link; /* oldest first */
    uint8_t trace_id[TRACE_ID_LEN];
    struct list items;
    int count;
    bool keep; /* something failed: what follows goes out too */
};

struct otlp {
    unsigned magic;
    struct loop *loop;
    struct http_client *http;
    char *url, *resource; /* the body up to the spans */
    double sample;
    int64_t slow_us;
    struct map *pending; /* by trace id */
    struct list pending_list;
    int undecided;
    struct list queue;
    int queued;
    struct list batch; /* in flight, or to be tried again */
    int batch_count;
    bool sending, flushing;
    struct arena *arena; /* of the request in flight */
    struct buf body;
    struct http_call call;
    struct timer timer;
    struct backoff backoff;
};

static void send_batch(struct otlp *o);

static void count(const char *status, int n)
{
    if (n > 0)
        metric_add(M_TRACES, n, status, NULL, NULL);
}

static int free_items(struct list *items)
{
    int n = 0;

    LIST_FOREACH_SAFE (it, tmp, items) {
        free(LIST_ENTRY(it, struct item, link));
        n++;
    }
    list_init(items);
    return n;
}

static void write_hex(struct buf *b, const char *name, const uint8_t *id, size_t n)
{
    char hex[2 * TRACE_ID_LEN + 1];

    buf_printf(b, "\"%s\":\"%s\",", name, hex_encode(id, n, hex));
}

static struct item *item_new(const struct span *s)
{
    struct item *item;
    struct buf b;

    buf_init(&b, SPAN_BYTES_MAX);
    buf_putc(&b, '{');
    write_hex(&b, "traceId", s->context.trace_id, TRACE_ID_LEN);
    write_hex(&b, "spanId", s->context.span_id, SPAN_ID_LEN);
    if (s->has_parent)
        write_hex(&b, "parentSpanId", s->parent, SPAN_ID_LEN);
    buf_puts(&b, "\"name\":");
    json_quote(&b, str_of(s->name));
    buf_printf(&b,
               ",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64
               "000\",\"endTimeUnixNano\":\"%" PRId64 "000\",\"attributes\":[",
               (int)s->kind, s->start_us, s->end_us);
    buf_str(&b, buf_view(&s->attributes));
    buf_puts(&b, "],\"status\":{");
    if (s->failed) {
        buf_puts(&b, "\"code\":2,\"message\":");
        json_quote(&b, str_of(s->message));
    }
    buf_puts(&b, "}}");
    item = xmalloc(sizeof *item + b.n);
    item->json = (struct str){(char *)(item + 1), b.n};
    memcpy(item + 1, b.p, b.n);
    buf_done(&b);
    return item;
}

/* Waits a moment, so that spans travel together; a full batch goes at once. A batch that is to be
 * tried again has its own time, set by on_answer. */
static void plan(struct otlp *o)
{
    bool full = o->queued >= BATCH_MAX && o->batch_count == 0;

    if (o->sending || o->queued + o->batch_count == 0)
        return;
    if (o->flushing || full)
        timer_start(&o->timer, 0);
    else if (!o->timer.armed)
        timer_start(&o->timer, PAUSE_MS);
}

static void enqueue(struct otlp *o, struct item *item)
{
    if (o->queued >= QUEUE_MAX) {
        free(item);
        count("dropped", 1);
        return;
    }
    list_push(&o->queue, &item->link);
    o->queued++;
    plan(o);
}

static struct str trace_key(const uint8_t *trace_id)
{
    return (struct str){(const char *)trace_id, TRACE_ID_LEN};
}

static void release_pending(struct otlp *o, struct pending *p)
{
    o->undecided -= p->count;
    map_del(o->pending, trace_key(p->trace_id));
    list_remove(&p->link);
    free_items(&p->items);
    free(p);
}

static struct pending *pending_of(struct otlp *o, const struct span *s)
{
    struct pending *p = map_get(o->pending, trace_key(s->context.trace_id));

    if (p != NULL)
        return p;
    p = xcalloc(1, sizeof *p);
    memcpy(p->trace_id, s->context.trace_id, TRACE_ID_LEN);
    list_init(&p->items);
    list_push(&o->pending_list, &p->link);
    map_set(o->pending, trace_key(p->trace_id), p);
    return p;
}

static void keep_all(struct otlp *o, struct pending *p)
{
    p->keep = true;
    LIST_FOREACH_SAFE (it, tmp, &p->items) {
        list_remove(it);
        enqueue(o, LIST_ENTRY(it, struct item, link));
    }
    o->undecided -= p->count;
    p->count = 0;
}

/* A span under a root that is still running. */
static void add_inner(struct otlp *o, const struct span *s)
{
    struct pending *p = pending_of(o, s);

    if (s->failed)
        keep_all(o, p);
    if (p->keep) {
        enqueue(o, item_new(s));
    } else if (p->count < TRACE_SPANS_MAX) {
        list_push(&p->items, &item_new(s)->link);
        p->count++;
        o->undecided++;
    } else {
        count("dropped", 1);
    }
    /* Traces whose root ended before its children, or never ends, must not pile up. */
    while (o->undecided > UNDECIDED_MAX || map_count(o->pending) > UNDECIDED_MAX) {
        struct pending *oldest = LIST_ENTRY(list_first(&o->pending_list), struct pending, link);

        count("dropped", oldest->count);
        release_pending(o, oldest);
    }
}

static void add_root(struct otlp *o, const struct span *s)
{
    struct pending *p = map_get(o->pending, trace_key(s->context.trace_id));
    bool slow = o->slow_us > 0 && s->end_us - s->start_us >= o->slow_us;
    bool keep = s->failed || slow || (p != NULL && p->keep);

    if (keep && p != NULL)
        keep_all(o, p);
    if (keep)
        enqueue(o, item_new(s));
    if (p != NULL)
        release_pending(o, p);
}

static void on_span(const struct span *s, void *arg)
{
    struct otlp *o = arg;

    CHECK(o, OTLP);
    if (s->context.sampled || trace_in_share(&s->context, o->sample))
        enqueue(o, item_new(s));
    else if (s->local_root)
        add_root(o, s);
    else
        add_inner(o, s);
}

static void on_timer(struct timer *t)
{
    struct otlp *o = CONTAINER_OF(t, struct otlp, timer);

    CHECK(o, OTLP);
    if (!o->sending && o->queued + o->batch_count > 0)
        send_batch(o);
}

/* Moves up to BATCH_MAX spans from the queue, unless a batch is to be tried again. */
static void take_batch(struct otlp *o)
{
    struct list *node;

    if (o->batch_count > 0)
        return;
    while (o->batch_count < BATCH_MAX && (node = list_first(&o->queue)) != NULL) {
        list_remove(node);
        list_push(&o->batch, node);
        o->batch_count++;
        o->queued--;
    }
}

static void write_body(struct otlp *o)
{
    const char *sep = "";

    buf_clear(&o->body);
    buf_puts(&o->body, o->resource);
    LIST_FOREACH (it, &o->batch) {
        buf_puts(&o->body, sep);
        buf_str(&o->body, LIST_ENTRY(it, struct item, link)->json);
        sep = ",";
    }
    buf_puts(&o->body, "]}]}]}");
}

static bool may_succeed_later(const struct http_call *call)
{
    return call->op.err.code != 0 || call->status == 408 || call->status == 429 ||
           call->status == 502 || call->status == 503 || call->status == 504;
}

static void end_batch(struct otlp *o, const char *status)
{
    count(status, free_items(&o->batch));
    o->batch_count = 0;
    backoff_reset(&o->backoff);
    plan(o);
}

static void on_answer(struct op *op)
{
    struct otlp *o = op->arg;
    bool ok = op->err.code == 0 && o->call.status >= 200 && o->call.status < 300;
    bool again = !ok && may_succeed_later(&o->call);
    int64_t pause = MAX(o->call.retry_after_ms, 0);

    CHECK(o, OTLP);
    o->sending = false;
    if (!ok)
        log_debug("traces not exported", LOG_I("status", o->call.status),
                  LOG_S("reason", op->err.msg));
    http_call_done(&o->call);
    arena_reset(o->arena);
    if (!again)
        end_batch(o, ok ? "exported" : "dropped");
    else if (o->flushing) /* the program ends: one try is all */
        end_batch(o, "dropped");
    else
        timer_start(&o->timer, MIN(MAX(backoff_next(&o->backoff), pause), RETRY_MAX_MS));
}

static void send_batch(struct otlp *o)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct http_request req = {
        .method = "POST", .url = o->url, .headers = headers, .max_body = ANSWER_MAX};

    take_batch(o);
    write_body(o);
    req.body = buf_view(&o->body);
    o->sending = true;
    http_call_start(o->http, o->arena, &req, DEADLINE_MS, &o->call, on_answer, o);
}

static void write_attribute(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
    json_quote(b, str_of(value == NULL ? "" : value));
    buf_puts(b, "}}");
}

static char *make_resource(const struct otlp_options *opt)
{
    struct buf b;
    char *text;

    buf_init(&b, SPAN_BYTES_MAX);
    buf_puts(&b, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    write_attribute(&b, "service.name", opt->service);
    buf_putc(&b, ',');
    write_attribute(&b, "service.version", CEO_VERSION);
    buf_putc(&b, ',');
    write_attribute(&b, "service.instance.id", opt->instance);
    buf_puts(&b, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"ceoagent\"},\"spans\":[");
    text = xstrdup(b.p);
    buf_done(&b);
    return text;
}

static char *make_url(const char *endpoint)
{
    size_t n = strlen(endpoint);
    struct buf b;
    char *url;

    while (n > 0 && endpoint[n - 1] == '/')
        n--;
    buf_init(&b, SPAN_BYTES_MAX);
    buf_add(&b, endpoint, n);
    buf_puts(&b, "/v1/traces");
    url = xstrdup(b.p);
    buf_done(&b);
    return url;
}

struct otlp *otlp_new(struct loop *l, struct http_client *http, const struct otlp_options *opt)
{
    struct otlp *o = xcalloc(1, sizeof *o);

    o->magic = OTLP_MAGIC;
    o->loop = l;
    o->http = http;
    o->url = make_url(opt->endpoint);
    o->resource = make_resource(opt);
    o->sample = opt->sample;
    o->slow_us = opt->slow_us;
    o->pending = map_new();
    o->arena = arena_new();
    o->backoff = (struct backoff){.base_ms = RETRY_BASE_MS, .max_ms = RETRY_MAX_MS};
    list_init(&o->pending_list);
    list_init(&o->queue);
    list_init(&o->batch);
    buf_init(&o->body, SPAN_BYTES_MAX * (BATCH_MAX + 1));
    timer_init(&o->timer, l, on_timer);
    trace_set_sink(on_span, o);
    return o;
}

void otlp_flush(struct otlp *o)
{
    CHECK(o, OTLP);
    o->flushing = true;
    plan(o);
}

bool otlp_idle(const struct otlp *o)
{
    CHECK(o, OTLP);
    return !o->sending && o->queued + o->batch_count == 0;
}

void otlp_free(struct otlp *o)
{
    if (o == NULL)
        return;
    CHECK(o, OTLP);
    trace_set_sink(NULL, NULL);
    http_call_done(&o->call);
    timer_done(&o->timer);
    while (!list_empty(&o->pending_list))
        release_pending(o, LIST_ENTRY(list_first(&o->pending_list), struct pending, link));
    count("dropped", free_items(&o->queue) + free_items(&o->batch));
    map_free(o->pending);
    buf_done(&o->body);
    arena_free(o->arena);
    free(o->url);
    free(o->resource);
    o->magic = 0;
    free(o);
}
