/* Envelopes are written by hand around raw parts, so that a decision's stored JSON passes through
 * byte by byte. */
#include "libcommon/base/compat.h"
#include "services/api/req.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/sec/crypt.h"
#include "services/api/gate.h"

#define ANSWER_MAX (64 * 1024 * 1024)

void item_add_raw(cJSON *obj, const char *key, struct str raw)
{
    char *z = xstrndup(raw.p, raw.n);

    cJSON_AddRawToObject(obj, key, z);
    free(z);
}

void item_add_time(cJSON *obj, const char *key, int64_t wall_us)
{
    char text[CLOCK_ISO_LEN];

    json_add_str(obj, key, wall_us == 0 ? NULL : clock_iso(wall_us, text));
}

void item_add_uuid(cJSON *obj, const char *key, struct uuid u)
{
    char text[UUID_LEN + 1];

    json_add_str(obj, key, uuid_text(u, text));
}

/* --- headers --- */

/* Pages have no scripts and load nothing. */
#define PAGE_POLICY                                                              \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n" \
    "X-Content-Type-Options: nosniff\r\n"

static const char *header_lines(struct req *r, const char *type, const char *cache,
                                const char *more)
{
    bool page = type != NULL && str_starts(str_of(type), STR("text/html"));

    return arena_printf(
        r->arena, "X-Request-ID: %s\r\n%s%s%s%s%s%s%s%.*s%s", r->id, page ? PAGE_POLICY : "",
        type == NULL ? "" : "Content-Type: ", type == NULL ? "" : type, type == NULL ? "" : "\r\n",
        cache, gate_cors(r), arena_printf(r->arena, "traceparent: %s\r\n", r->traceparent),
        STR_ARG(r->rate_headers), more == NULL ? "" : more);
}

#define NO_STORE "Cache-Control: no-store\r\n"

const char *reply_headers(struct req *r, const char *more)
{
    /* A stream's own head says no-store already. */
    return header_lines(r, NULL, "", more);
}

static void send(struct req *r, int status, const char *type, const char *cache, const char *more,
                 struct str body)
{
    assert(!r->replied);
    r->replied = true;
    timer_stop(&r->timer);
    http_reply(r->http, status, header_lines(r, type, cache, more), body);
}

/* Weak, since the answer may be compressed; over the data alone, since the metadata has the time.
 */
static const char *etag_of(struct req *r, struct str data)
{
    uint8_t digest[32];
    char hex[65];

    sha256(data.p, data.n, digest);
    return arena_printf(r->arena, "W/\"%.32s\"", hex_encode(digest, 32, hex));
}

static bool etag_fits(struct req *r, const char *etag)
{
    struct str list = http_req_header(r->http, "if-none-match");

    while (list.p != NULL) {
        struct str one = str_trim(str_split(&list, ','));
        if (str_eqz(one, etag) || str_eq(one, STR("*")))
            return true;
    }
    return false;
}

static void send_cacheable(struct req *r, const char *type, struct str data, struct str body)
{
    const char *etag = etag_of(r, data);
    const char *cache = arena_printf(r->arena, "ETag: %s\r\nCache-Control: %s, no-cache\r\n", etag,
                                     r->who == NULL ? "public" : "private");

    if (etag_fits(r, etag))
        send(r, 304, NULL, cache, NULL, STR(""));
    else
        send(r, 200, type, cache, NULL, body);
}

/* --- success
 * --- */

static void add_metadata(struct req *r, struct buf *b, const char *more)
{
    char now[CLOCK_ISO_LEN];

    buf_puts(b, "\"metadata\":{\"request_id\":");
    json_quote(b, str_of(r->id));
    buf_printf(b, ",\"execution_time_ms\":%" PRId64 ",\"timestamp\":\"%s\"%s}",
               (clock_mono_us() - r->http->received_us) / 1000, clock_iso(clock_wall_us(), now),
               more == NULL ? "" : more);
}

static struct str finish(struct req *r, struct buf *b)
{
    struct str out = arena_str(r->arena, buf_view(b));

    buf_done(b);
    return out;
}

static struct str envelope(struct req *r, struct str data, const char *metadata)
{
    struct buf b;

    buf_init(&b, ANSWER_MAX);
    buf_puts(&b, "{\"success\":true,\"data\":");
    buf_str(&b, data);
    buf_putc(&b, ',');
    add_metadata(r, &b, metadata);
    buf_putc(&b, '}');
    return finish(r, &b);
}

void reply_data_with(struct req *r, int status, struct str data, const char *metadata,
                     const char *headers)
{
    struct str body = envelope(r, data, metadata);

    if (status == 200 && headers == NULL && r->route != NULL && (r->route->flags & ROUTE_CACHE))
        send_cacheable(r, "application/json", data, body);
    else
        send(r, status, "application/json", NO_STORE, headers, body);
}

void reply_data(struct req *r, int status, struct str data)
{
    reply_data_with(r, status, data, NULL, NULL);
}

void reply_item(struct req *r, int status, const cJSON *data)
{
    reply_data(r, status, json_print(r->arena, data));
}

void reply_page(struct req *r, struct str data, const struct page *p)
{
    int64_t pages = (p->total + p->size - 1) / p->size;
    struct buf b;

    buf_init(&b, ANSWER_MAX);
    buf_puts(&b, "{\"success\":true,\"data\":");
    buf_str(&b, data);
    buf_puts(&b, ",\"pagination\":{");
    if (p->by_cursor)
        buf_printf(&b, "\"page_size\":%" PRId64 ",\"total\":%" PRId64 ",\"has_next\":%s", p->size,
                   p->total, p->next_cursor != NULL ? "true" : "false");
    else
        buf_printf(&b,
                   "\"page\":%" PRId64 ",\"page_size\":%" PRId64 ",\"total\":%" PRId64
                   ",\"total_pages\":%" PRId64 ",\"has_next\":%s,\"has_previous\":%s",
                   p->page, p->size, p->total, pages, p->page < pages ? "true" : "false",
                   p->page > 1 ? "true" : "false");
    buf_puts(&b, ",\"next_cursor\":");
    if (p->next_cursor == NULL)
        buf_puts(&b, "null");
    else
        json_quote(&b, str_of(p->next_cursor));
    buf_puts(&b, "},");
    add_metadata(r, &b, NULL);
    buf_putc(&b, '}');
    send(r, 200, "application/json", NO_STORE, NULL, finish(r, &b));
}

void reply_empty(struct req *r, int status)
{
    send(r, status, NULL, NO_STORE, NULL, STR(""));
}

void reply_raw(struct req *r, int status, const char *content_type, struct str body)
{
    if (status == 200 && r->route != NULL && (r->route->flags & ROUTE_CACHE))
        send_cacheable(r, content_type, body, body);
    else
        send(r, status, content_type, NO_STORE, NULL, body);
}

/* --- errors
 * --- */

static void add_error(struct buf *b, enum api_code code, const char *message, struct str details,
                      const char *id)
{
    char now[CLOCK_ISO_LEN];

    buf_printf(b,
               "{\"success\":false,\"error\":{\"code\":\"%s\",\"message\":", api_codes[code].name);
    json_quote(b, str_of(message));
    if (details.n > 0) {
        buf_puts(b, ",\"details\":");
        buf_str(b, details);
    }
    buf_puts(b, "},\"metadata\":{\"request_id\":");
    json_quote(b, str_of(id));
    buf_printf(b, ",\"timestamp\":\"%s\"}}", clock_iso(clock_wall_us(), now));
}

/* RFC 9457. */
static void add_problem(struct buf *b, enum api_code code, const char *message, struct str details,
                        const char *id)
{
    buf_printf(b, "{\"type\":\"about:blank\",\"title\":");
    json_quote(b, str_of(api_codes[code].when));
    buf_printf(b, ",\"status\":%d,\"detail\":", api_codes[code].status);
    json_quote(b, str_of(message));
    buf_printf(b, ",\"code\":\"%s\"", api_codes[code].name);
    if (details.n > 0) {
        buf_puts(b, ",\"details\":");
        buf_str(b, details);
    }
    buf_puts(b, ",\"request_id\":");
    json_quote(b, str_of(id));
    buf_putc(b, '}');
}

void error_envelope(struct buf *out, enum api_code code, const char *message, const char *reason,
                    const char *request_id)
{
    struct buf d;

    buf_init(&d, 1024);
    if (reason != NULL) {
        buf_puts(&d, "{\"reason\":");
        json_quote(&d, str_of(reason));
        buf_putc(&d, '}');
    }
    add_error(out, code, message, buf_view(&d), request_id);
    buf_done(&d);
}

void reply_error_with(struct req *r, enum api_code code, const char *message, struct str details,
                      const char *headers)
{
    struct buf b;

    buf_init(&b, ANSWER_MAX);
    if (r->problem_json)
        add_problem(&b, code, message, details, r->id);
    else
        add_error(&b, code, message, details, r->id);
    send(r, api_codes[code].status,
         r->problem_json ? "application/problem+json" : "application/json", NO_STORE, headers,
         finish(r, &b));
}

static const char *headers_of(enum api_code code)
{
    switch (api_codes[code].status) {
    case 401:
        return "WWW-Authenticate: Bearer\r\n";
    case 503:
        return "Retry-After: 1\r\n";
    default:
        return NULL;
    }
}

void reply_error(struct req *r, enum api_code code, const char *field, const char *reason,
                 const char *fmt, ...)
{
    char message[512];
    cJSON *d = json_obj(r->arena);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    if (field != NULL)
        json_add_str(d, "field", field);
    if (reason != NULL)
        json_add_str(d, "reason", reason);
    reply_error_with(r, code, message,
                     d->child == NULL ? (struct str){NULL, 0} : json_print(r->arena, d),
                     headers_of(code));
}

void reply_err(struct req *r, const struct err *err)
{
    bool away = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_BUSY ||
                err->code == ERR_CANCELLED;

    log_error("request failed", LOG_S("request_id", r->id), LOG_S("error", err->msg),
              LOG_S("kind", err_name(err->code)),
              LOG_S("endpoint", r->route == NULL ? "" : r->route->pattern));
    if (away)
        reply_error(r, API_SERVICE_UNAVAILABLE, NULL, "dependency",
                    "A dependency is not available at the moment");
    else
        reply_error(r, API_INTERNAL_ERROR, NULL, NULL, "An unexpected error occurred");
}
