/* trace.c: attributes are written as OTLP has them at once, so that a span has no list to free and
 * the exporter has nothing to convert. */
#include "libcommon/base/compat.h"
#include "libcommon/base/trace.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/err.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include <math.h>

#define VALUE_CHARS_MAX 256
#define SHARE_BITS 56 /* the bytes of a trace id that the W3C wants random */

static void (*sink)(const struct span *s, void *arg);
static void *sink_arg;

static bool is_zero(const uint8_t *p, size_t n)
{
    while (n > 0)
        if (p[--n] != 0)
            return false;
    return true;
}

/* Hex of n bytes at *s, lower case as the W3C demands, and the separator behind it, if any. */
static bool take_hex(struct str *s, void *out, size_t n)
{
    struct str digits = {s->p, 2 * n};

    if (s->n < 2 * n)
        return false;
    for (size_t i = 0; i < digits.n; i++)
        if (digits.p[i] >= 'A' && digits.p[i] <= 'F')
            return false;
    s->p += digits.n;
    s->n -= digits.n;
    if (hex_decode(digits, out, n) != 0 || (s->n > 0 && s->p[0] != '-'))
        return false;
    if (s->n > 0) {
        s->p++;
        s->n--;
    }
    return true;
}

int trace_parse(struct str traceparent, struct trace_context *out)
{
    struct trace_context c;
    struct str rest = traceparent;
    uint8_t version, flags;

    if (traceparent.n < TRACEPARENT_LEN || !take_hex(&rest, &version, 1) ||
        !take_hex(&rest, c.trace_id, TRACE_ID_LEN) || !take_hex(&rest, c.span_id, SPAN_ID_LEN) ||
        !take_hex(&rest, &flags, 1))
        return ERR_INVALID;
    if (version == 0xFF || (version == 0 && traceparent.n != TRACEPARENT_LEN))
        return ERR_INVALID;
    if (is_zero(c.trace_id, TRACE_ID_LEN) || is_zero(c.span_id, SPAN_ID_LEN))
        return ERR_INVALID;
    c.sampled = flags & 1;
    *out = c;
    return 0;
}

char *trace_format(const struct trace_context *c, char out[TRACEPARENT_LEN + 1])
{
    char trace[2 * TRACE_ID_LEN + 1], span[2 * SPAN_ID_LEN + 1];

    hex_encode(c->trace_id, TRACE_ID_LEN, trace);
    hex_encode(c->span_id, SPAN_ID_LEN, span);
    snprintf(out, TRACEPARENT_LEN + 1, "00-%s-%s-%s", trace, span, c->sampled ? "01" : "00");
    return out;
}

char *trace_id_text(const struct trace_context *c, char out[2 * TRACE_ID_LEN + 1])
{
    return hex_encode(c->trace_id, TRACE_ID_LEN, out);
}

struct trace_context trace_new(void)
{
    struct trace_context c = {.sampled = false};

    random_bytes(c.trace_id, sizeof c.trace_id);
    random_bytes(c.span_id, sizeof c.span_id);
    return c;
}

bool trace_in_share(const struct trace_context *c, double share)
{
    uint64_t v = 0;

    for (int i = TRACE_ID_LEN - SHARE_BITS / 8; i < TRACE_ID_LEN; i++)
        v = v << 8 | c->trace_id[i];
    return (double)v < share * (double)(UINT64_C(1) << SHARE_BITS);
}

static void start(struct span *s, const struct trace_context *parent, const char *name,
                  enum span_kind kind)
{
    *s = (struct span){.name = name, .kind = kind, .has_parent = parent != NULL};
    s->context = trace_new();
    if (parent != NULL) {
        memcpy(s->context.trace_id, parent->trace_id, TRACE_ID_LEN);
        memcpy(s->parent, parent->span_id, SPAN_ID_LEN);
        s->context.sampled = parent->sampled;
    }
    s->start_us = clock_wall_us();
    s->started_mono_us = clock_mono_us();
    buf_init(&s->attributes, SPAN_ATTRIBUTES_MAX_BYTES);
}

void span_start_root(struct span *s, const struct trace_context *parent, const char *name,
                     enum span_kind kind)
{
    start(s, parent, name, kind);
    s->local_root = true;
}

void span_start(struct span *s, const struct trace_context *parent, const char *name,
                enum span_kind kind)
{
    start(s, parent, name, kind);
}

/* A member is added whole or not at all. */
static void set(struct span *s, const char *key, const char *type, struct str json)
{
    struct buf b;

    if (s->name == NULL || sink == NULL)
        return;
    buf_init(&b, SPAN_ATTRIBUTES_MAX_BYTES);
    buf_printf(&b, "%s{\"key\":", s->attributes.n > 0 ? "," : "");
    json_quote(&b, str_of(key));
    buf_printf(&b, ",\"value\":{\"%s\":", type);
    buf_str(&b, json);
    buf_puts(&b, "}}");
    if (!b.overflow)
        buf_str(&s->attributes, buf_view(&b));
    buf_done(&b);
}

void span_set_str(struct span *s, const char *key, const char *value)
{
    struct buf b;

    if (value == NULL)
        return;
    buf_init(&b, SPAN_ATTRIBUTES_MAX_BYTES);
    json_quote(&b,
               utf8_cut((struct str){value, strnlen(value, VALUE_CHARS_MAX * 4)}, VALUE_CHARS_MAX));
    set(s, key, "stringValue", buf_view(&b));
    buf_done(&b);
}

void span_set_i64(struct span *s, const char *key, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "\"%" PRId64 "\"", value); /* OTLP has 64-bit numbers as strings */
    set(s, key, "intValue", str_of(text));
}

void span_set_real(struct span *s, const char *key, double value)
{
    char text[40];

    if (!isfinite(value))
        return;
    snprintf(text, sizeof text, "%.15g", value);
    set(s, key, "doubleValue", str_of(text));
}

void span_set_bool(struct span *s, const char *key, bool value)
{
    set(s, key, "boolValue", value ? STR("true") : STR("false"));
}

void span_fail(struct span *s, const char *message)
{
    struct str text = utf8_cut(str_of(message), sizeof s->message / 4);

    s->failed = true;
    snprintf(s->message, sizeof s->message, "%.*s", STR_ARG(text));
}

void span_end(struct span *s)
{
    if (s->name == NULL)
        return;
    s->end_us = s->start_us + clock_mono_us() - s->started_mono_us;
    if (sink != NULL)
        sink(s, sink_arg);
    span_drop(s);
}

void span_drop(struct span *s)
{
    if (s->name == NULL)
        return;
    buf_done(&s->attributes);
    s->name = NULL;
}

void trace_set_sink(void (*fn)(const struct span *s, void *arg), void *arg)
{
    sink = fn;
    sink_arg = arg;
}
