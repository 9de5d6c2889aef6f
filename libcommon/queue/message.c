/* message.c: reading a message. The text is scanned once (UTF-8, depth, duplicates); then only its
 * headers and properties, which are small, become trees, to be read and never written. Body and
 * text stay as they came. Python's clients write times without a zone when they mean UTC; both
 * protocol versions are read. */
#include "libcommon/base/compat.h"
#include <zlib.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include "libcommon/queue/message.h"

#define TAG_MAX 1024 /* names and ids that end up in keys */

static const char *short_text(const cJSON *obj, const char *key)
{
    const char *s = json_str(obj, key, NULL);

    return s != NULL && s[0] != '\0' && strlen(s) <= TAG_MAX ? s : NULL;
}

static int read_time(struct arena *a, const char *s, int64_t *out)
{
    if (s == NULL) {
        *out = 0;
        return 0;
    }
    if (clock_parse_iso(s, out) == 0 && strlen(s) > 10 && (strpbrk(s + 10, "Zz+-") != NULL))
        return 0;
    return clock_parse_iso(arena_printf(a, "%sZ", s), out);
}

static double limit_at(const cJSON *limits, int i)
{
    const cJSON *v = cJSON_GetArrayItem(limits, i);

    return cJSON_IsNumber(v) && v->valuedouble > 0 ? v->valuedouble : 0;
}

static int small_int(const cJSON *obj, const char *key)
{
    int64_t v = json_i64(obj, key, 0);

    return v < 0 ? 0 : (int)MIN(v, 1000000);
}

/* The fields that both versions have: in the headers of version 2, in the body of version 1. */
static int read_task(struct arena *a, const cJSON *from, struct message *m, struct err *err)
{
    const cJSON *limits = json_get(from, "timelimit");

    m->task = short_text(from, "task");
    m->id = short_text(from, "id");
    if (m->task == NULL || m->id == NULL)
        return err_set(err, ERR_INVALID, "the message names no task or has no id");
    m->eta = short_text(from, "eta");
    m->expires = short_text(from, "expires");
    if (read_time(a, m->eta, &m->eta_us) != 0 || read_time(a, m->expires, &m->expires_us) != 0)
        return err_set(err, ERR_INVALID, "eta or expires of the message is no ISO 8601 time");
    m->retries = small_int(from, "retries");
    if (cJSON_IsArray(limits)) {
        m->hard_limit_s = limit_at(limits, 0);
        m->soft_limit_s = limit_at(limits, 1);
    }
    return 0;
}

static void read_headers(const cJSON *h, struct message *m)
{
    m->root_id = short_text(h, "root_id");
    m->parent_id = short_text(h, "parent_id");
    m->group = short_text(h, "group");
    m->origin = short_text(h, "origin");
    m->ignore_result = json_bool(h, "ignore_result", false);
    m->redelivered = json_bool(h, "redelivered", false);
    m->redeliveries = small_int(h, "ceo-redelivered");
    m->tenant = short_text(h, "ceo-tenant");
    m->decision = short_text(h, "ceo-decision");
    m->traceparent = short_text(h, "traceparent");
    m->compression = short_text(h, "compression");
}

static void read_properties(const cJSON *p, struct message *m)
{
    const char *encoding = json_str(p, "body_encoding", "");

    m->priority = MIN(small_int(p, "priority"), 9);
    m->base64 = strcmp(encoding, "base64") == 0;
    m->routing_key = short_text(json_get(p, "delivery_info"), "routing_key");
}

/* The raw member, which must be an object, and its tree. An absent one is an empty object. */
static int read_object(struct arena *a, struct str text, const char *pointer, struct str *raw,
                       cJSON **tree, struct err *err)
{
    if (json_raw(text, pointer, raw) != 0)
        *raw = STR("{}");
    if (raw->n == 0 || raw->p[0] != '{')
        return err_set(err, ERR_INVALID, "%s of the message is no object", pointer);
    return json_parse(a, *raw, JSON_DEPTH_MAX, tree, err);
}

static const char *raw_string(struct arena *a, struct str text, const char *pointer)
{
    struct str raw;
    cJSON *tree;

    if (json_raw(text, pointer, &raw) != 0 || raw.n == 0 || raw.p[0] != '"' ||
        json_parse(a, raw, 1, &tree, NULL) != 0)
        return NULL;
    return tree->valuestring;
}

static int decode(struct arena *a, const struct message *m, struct str *out, struct err *err);

static int read_version_1(struct arena *a, struct message *m, struct err *err)
{
    struct str text;
    cJSON *tree;
    int rc;

    m->version = 1;
    if ((rc = decode(a, m, &text, err)) != 0)
        return rc;
    if ((rc = json_parse(a, text, JSON_DEPTH_MAX, &tree, err)) != 0)
        return rc;
    return read_task(a, tree, m, err);
}

int message_parse(struct arena *a, struct str text, struct message *out, struct err *err)
{
    struct message m = {.text = text, .version = 2};
    struct str properties;
    cJSON *h, *p;
    int rc;

    if (text.n > MESSAGE_MAX)
        return err_set(err, ERR_TOOBIG, "the message has more than %u bytes", MESSAGE_MAX);
    if ((rc = json_scan(text, JSON_DEPTH_MAX, err)) != 0 ||
        (rc = read_object(a, text, "/headers", &m.headers, &h, err)) != 0 ||
        (rc = read_object(a, text, "/properties", &properties, &p, err)) != 0)
        return rc;
    if (json_raw(text, "/body", &m.body) != 0 || m.body.n == 0 || m.body.p[0] != '"')
        return err_set(err, ERR_INVALID, "the message has no body");
    m.content_type = raw_string(a, text, "/content-type");
    read_headers(h, &m);
    read_properties(p, &m);
    rc = json_get(h, "task") != NULL ? read_task(a, h, &m, err) : read_version_1(a, &m, err);
    if (rc == 0)
        *out = m;
    return rc;
}

/* --- the body ------------------------------------------------------------------------------- */

/* zlib or gzip, as kombu's "application/x-gzip" (which is zlib) and other clients write it. */
static int inflate_body(struct arena *a, struct str packed, struct str *out, struct err *err)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.p, .avail_in = (uInt)packed.n};
    struct buf b;
    char piece[16384];
    int rc;

    buf_init(&b, MESSAGE_MAX);
    if (inflateInit2(&z, 15 + 32) != Z_OK)
        return err_set(err, ERR_INTERNAL, "zlib does not start");
    do {
        z.next_out = (Bytef *)piece;
        z.avail_out = sizeof(piece);
        rc = inflate(&z, Z_NO_FLUSH);
        buf_add(&b, piece, sizeof(piece) - z.avail_out);
    } while (rc == Z_OK && !b.overflow);
    inflateEnd(&z);
    *out = arena_str(a, buf_view(&b));
    rc = b.overflow           ? err_set(err, ERR_TOOBIG, "the unpacked body is too big")
         : rc != Z_STREAM_END ? err_set(err, ERR_INVALID, "the compressed body is damaged")
                              : 0;
    buf_done(&b);
    return rc;
}

static bool is_gzip(const char *name)
{
    return strcmp(name, "application/x-gzip") == 0 || strcmp(name, "gzip") == 0 ||
           strcmp(name, "zlib") == 0;
}

static int decode(struct arena *a, const struct message *m, struct str *out, struct err *err)
{
    struct str text;
    cJSON *tree;
    int rc;

    if (m->content_type != NULL && strcmp(m->content_type, "application/json") != 0)
        return err_set(err, ERR_DENIED, "content type %.80s is not read", m->content_type);
    if (m->compression != NULL && !is_gzip(m->compression))
        return err_set(err, ERR_DENIED, "compression %.80s is not read", m->compression);
    if ((rc = json_parse(a, m->body, 1, &tree, err)) != 0)
        return rc;
    text = str_of(tree->valuestring);
    if (m->base64) {
        char *bytes = arena_alloc(a, text.n + 1);
        ptrdiff_t n = base64_decode(text, false, bytes, text.n + 1);

        if (n < 0)
            return err_set(err, ERR_INVALID, "the body is no base64");
        text = (struct str){bytes, (size_t)n};
    }
    if (m->compression != NULL)
        return inflate_body(a, text, out, err);
    *out = text;
    return 0;
}

static struct str raw_or(struct str text, const char *pointer, struct str dflt)
{
    struct str raw;

    return json_raw(text, pointer, &raw) == 0 && !str_eqz(raw, "null") ? raw : dflt;
}

static void body_of_version_1(struct arena *a, struct str text, struct message_body *b)
{
    struct str none = STR("null"), callbacks = raw_or(text, "/callbacks", none),
               errbacks = raw_or(text, "/errbacks", none);

    b->args = raw_or(text, "/args", STR("[]"));
    b->kwargs = raw_or(text, "/kwargs", STR("{}"));
    b->embed = str_of(arena_printf(a,
                                   "{\"callbacks\": %.*s, \"errbacks\": %.*s, \"chain\": null, "
                                   "\"chord\": null}",
                                   STR_ARG(callbacks), STR_ARG(errbacks)));
}

int message_body(struct arena *a, const struct message *m, struct message_body *out,
                 struct err *err)
{
    struct message_body b;
    struct str text, extra;
    int rc;

    if ((rc = decode(a, m, &text, err)) != 0 || (rc = json_scan(text, JSON_DEPTH_MAX, err)) != 0)
        return rc;
    if (m->version == 1)
        body_of_version_1(a, text, &b);
    else if (text.p[0] != '[' || json_raw(text, "/0", &b.args) != 0 ||
             json_raw(text, "/1", &b.kwargs) != 0 || json_raw(text, "/2", &b.embed) != 0 ||
             json_raw(text, "/3", &extra) == 0)
        return err_set(err, ERR_INVALID, "the body is not [args, kwargs, embed]");
    if (str_eqz(b.embed, "null"))
        b.embed = STR("{}");
    if (b.args.p[0] != '[' || b.kwargs.p[0] != '{' || b.embed.p[0] != '{')
        return err_set(err, ERR_INVALID, "args, kwargs or embed of the body has the wrong type");
    *out = b;
    return 0;
}
