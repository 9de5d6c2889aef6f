/* message_text.c: writing messages: our own as Python's json.dumps spaces them, and changes to
 * those of others, spliced in so that every other byte stays. */
#include "libcommon/base/compat.h"
#include <time.h>
#include <unistd.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include "libcommon/queue/message.h"

int message_step(int priority)
{
    priority = MAX(0, MIN(priority, 9));
    return priority - priority % 3;
}

char *message_time(int64_t wall_us, char out[MESSAGE_TIME_LEN])
{
    time_t s = (time_t)(wall_us / 1000000);
    int us = (int)(wall_us % 1000000);
    struct tm tm;
    size_t n;

    if (us < 0) {
        us += 1000000;
        s--;
    }
    gmtime_r(&s, &tm);
    n = strftime(out, MESSAGE_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
    if (us != 0)
        n += (size_t)snprintf(out + n, MESSAGE_TIME_LEN - n, ".%06d", us);
    snprintf(out + n, MESSAGE_TIME_LEN - n, "+00:00");
    return out;
}

static int check_raw(struct str *raw, const char *dflt, char open, const char *what,
                     struct err *err)
{
    if (raw->n == 0)
        *raw = str_of(dflt);
    *raw = str_trim(*raw);
    if (raw->p[0] != open || json_scan(*raw, JSON_DEPTH_MAX - 2, NULL) != 0)
        return err_set(err, ERR_INVALID, "%s of the message is not JSON of its kind", what);
    return 0;
}

static void add_text(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "\"%s\": ", key);
    if (value != NULL)
        json_quote(b, str_of(value));
    else
        buf_puts(b, "null");
    buf_puts(b, ", ");
}

static void add_time(struct buf *b, const char *key, int64_t us)
{
    char text[MESSAGE_TIME_LEN];

    add_text(b, key, us != 0 ? message_time(us, text) : NULL);
}

static void add_limit(struct buf *b, double s, const char *after)
{
    if (s > 0)
        buf_printf(b, "%.15g%s", s, after);
    else
        buf_printf(b, "null%s", after);
}

static void add_origin(struct buf *b)
{
    char host[256] = "localhost", text[300];

    gethostname(host, sizeof(host) - 1);
    snprintf(text, sizeof(text), "gen%ld@%s", (long)getpid(), host);
    add_text(b, "origin", text);
}

static void add_headers(struct buf *b, const struct publish *p, const char *id)
{
    buf_puts(b, "{\"lang\": \"c\", ");
    add_text(b, "task", p->task);
    add_text(b, "id", id);
    add_text(b, "shadow", NULL);
    add_time(b, "eta", p->eta_us);
    add_time(b, "expires", p->expires_us);
    buf_printf(b, "\"group\": null, \"group_index\": null, \"retries\": %d, \"timelimit\": [",
               p->retries);
    add_limit(b, p->hard_limit_s, ", ");
    add_limit(b, p->soft_limit_s, "], ");
    add_text(b, "root_id", p->root_id != NULL ? p->root_id : id);
    add_text(b, "parent_id", p->parent_id);
    /* Arguments may hold what logs and events must not show. */
    add_text(b, "argsrepr", str_eqz(p->args_json, "[]") ? "()" : "(...)");
    add_text(b, "kwargsrepr", str_eqz(p->kwargs_json, "{}") ? "{}" : "{...}");
    add_origin(b);
    if (p->tenant != NULL)
        add_text(b, "ceo-tenant", p->tenant);
    if (p->decision != NULL)
        add_text(b, "ceo-decision", p->decision);
    if (p->traceparent != NULL)
        add_text(b, "traceparent", p->traceparent);
    buf_printf(b,
               "\"ignore_result\": %s, \"replaced_task_nesting\": 0, \"stamped_headers\": null, "
               "\"stamps\": {}}",
               p->ignore_result ? "true" : "false");
}

static void add_properties(struct buf *b, const struct publish *p, const char *id)
{
    char tag[UUID_LEN + 1];
    int64_t ttl_ms = (p->expires_us - clock_wall_us()) / 1000;

    buf_puts(b, "{");
    add_text(b, "correlation_id", id);
    buf_puts(b, "\"reply_to\": \"\", \"delivery_mode\": 2, ");
    if (p->expires_us != 0)
        buf_printf(b, "\"expiration\": \"%" PRId64 "\", ", MAX(ttl_ms, 0));
    buf_puts(b, "\"delivery_info\": {\"exchange\": \"\", \"routing_key\": ");
    json_quote(b, str_of(p->queue));
    buf_printf(b, "}, \"priority\": %d, \"body_encoding\": \"base64\", \"delivery_tag\": \"%s\"}",
               MAX(0, MIN(p->priority, 9)), uuid_text(uuid_v4(), tag));
}

static void add_body(struct buf *b, struct arena *a, const struct publish *p)
{
    struct buf plain;
    char *coded;

    buf_init(&plain, MESSAGE_MAX);
    buf_puts(&plain, "[");
    buf_str(&plain, p->args_json);
    buf_puts(&plain, ", ");
    buf_str(&plain, p->kwargs_json);
    buf_puts(&plain, ", ");
    buf_str(&plain, p->embed_json);
    buf_puts(&plain, "]");
    if (plain.overflow) {
        b->overflow = true;
    } else {
        coded = arena_alloc(a, 4 * ((plain.n + 2) / 3) + 1);
        buf_add(b, coded, base64_encode(plain.p, plain.n, false, coded));
    }
    buf_done(&plain);
}

static int take(struct arena *a, struct buf *b, struct str *out, struct err *err)
{
    int rc = buf_check(b, err);

    if (rc == 0)
        *out = arena_str(a, buf_view(b));
    buf_done(b);
    return rc;
}

int message_build(struct arena *a, const struct publish *p, struct str *out, struct err *err)
{
    struct publish full = *p;
    char id[UUID_LEN + 1];
    struct buf b;
    int rc;

    if ((rc = check_raw(&full.args_json, "[]", '[', "args_json", err)) != 0 ||
        (rc = check_raw(&full.kwargs_json, "{}", '{', "kwargs_json", err)) != 0 ||
        (rc = check_raw(&full.embed_json,
                        "{\"callbacks\": null, \"errbacks\": null, \"chain\": null, "
                        "\"chord\": null}",
                        '{', "embed_json", err)) != 0)
        return rc;
    if (full.id == NULL)
        full.id = uuid_text(uuid_v4(), id);
    buf_init(&b, MESSAGE_MAX);
    buf_puts(&b, "{\"body\": \"");
    add_body(&b, a, &full);
    buf_puts(&b, "\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", "
                 "\"headers\": ");
    add_headers(&b, &full, full.id);
    buf_puts(&b, ", \"properties\": ");
    add_properties(&b, &full, full.id);
    buf_puts(&b, "}");
    return take(a, &b, out, err);
}

int message_set(struct arena *a, struct str text, const char *pointer, const char *key,
                struct str raw, struct str *out, struct err *err)
{
    struct str object, old, rest;
    const char *end = text.p + text.n;
    struct buf b;

    if (json_raw(text, pointer, &object) != 0 || object.n < 2 || object.p[0] != '{')
        return err_set(err, ERR_NOTFOUND, "the message has no object at %s", pointer);
    buf_init(&b, MESSAGE_MAX);
    if (json_raw(text, arena_printf(a, "%s/%s", pointer, key), &old) == 0) {
        rest.p = old.p + old.n;
        buf_add(&b, text.p, (size_t)(old.p - text.p));
        buf_str(&b, raw);
    } else {
        struct str inside = str_trim((struct str){object.p + 1, object.n - 2});

        rest.p = object.p + object.n - 1;
        buf_add(&b, text.p, (size_t)(rest.p - text.p));
        buf_printf(&b, "%s\"%s\": ", inside.n > 0 ? ", " : "", key);
        buf_str(&b, raw);
    }
    rest.n = (size_t)(end - rest.p);
    buf_str(&b, rest);
    return take(a, &b, out, err);
}

int message_redelivered(struct arena *a, struct str text, int count, struct str *out,
                        struct err *err)
{
    struct str t = text;
    int rc;

    if ((rc = message_set(a, t, "/headers", "redelivered", STR("true"), &t, err)) != 0 ||
        (rc = message_set(a, t, "/headers", "ceo-redelivered", str_of(arena_printf(a, "%d", count)),
                          &t, err)) != 0)
        return rc;
    rc = message_set(a, t, "/properties/delivery_info", "redelivered", STR("true"), &t, err);
    if (rc != 0 && rc != ERR_NOTFOUND) /* other clients may leave delivery_info out */
        return rc;
    *out = t;
    return 0;
}

/* Sets only what is there already. */
static int reset(struct arena *a, struct str *t, const char *pointer, const char *key,
                 struct str raw, struct err *err)
{
    struct str old;

    if (json_raw(*t, arena_printf(a, "%s/%s", pointer, key), &old) != 0)
        return 0;
    return message_set(a, *t, pointer, key, raw, t, err);
}

static int retry_version_1(struct arena *a, const struct message *m, int retries, int64_t eta_us,
                           struct str *out, struct err *err)
{
    struct message_body b;
    int rc = message_body(a, m, &b, err);

    if (rc != 0)
        return rc;
    return message_build(
        a,
        &(struct publish){.queue = m->routing_key != NULL ? m->routing_key : "celery",
                          .task = m->task,
                          .id = m->id,
                          .args_json = b.args,
                          .kwargs_json = b.kwargs,
                          .embed_json = b.embed,
                          .priority = m->priority,
                          .retries = retries,
                          .eta_us = eta_us,
                          .expires_us = m->expires_us,
                          .hard_limit_s = m->hard_limit_s,
                          .soft_limit_s = m->soft_limit_s},
        out, err);
}

int message_retry(struct arena *a, struct str text, int retries, int64_t eta_us, struct str *out,
                  struct err *err)
{
    char tag[UUID_LEN + 1], eta[MESSAGE_TIME_LEN];
    struct message m;
    struct str t = text;
    int rc = message_parse(a, text, &m, err);

    if (rc != 0)
        return rc;
    if (m.version == 1)
        return retry_version_1(a, &m, retries, eta_us, out, err);
    const char *due = eta_us != 0 ? arena_printf(a, "\"%s\"", message_time(eta_us, eta)) : "null";
    if ((rc = message_set(a, t, "/headers", "retries", str_of(arena_printf(a, "%d", retries)), &t,
                          err)) != 0 ||
        (rc = message_set(a, t, "/headers", "eta", str_of(due), &t, err)) != 0 ||
        (rc = message_set(a, t, "/properties", "delivery_tag",
                          str_of(arena_printf(a, "\"%s\"", uuid_text(uuid_v4(), tag))), &t, err)) !=
            0 ||
        (rc = reset(a, &t, "/headers", "redelivered", STR("false"), err)) != 0 ||
        (rc = reset(a, &t, "/headers", "ceo-redelivered", STR("0"), err)) != 0 ||
        (rc = reset(a, &t, "/properties/delivery_info", "redelivered", STR("false"), err)) != 0)
        return rc;
    *out = t;
    return 0;
}
