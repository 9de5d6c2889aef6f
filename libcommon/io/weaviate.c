/* weaviate.c: each call builds a body, sends it, and has one function that reads the answer. The
 * store says most failures in texts inside answers of status 200, so those are read too. */
#include "libcommon/base/compat.h"
#include "libcommon/io/weaviate.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/settings.h"
#include "libcommon/ev/breaker.h"

#define BODY_MAX (64u << 20)
#define ANSWER_MAX (64u << 20)
#define CONNECT_MS 2000
#define DEPTH 32
#define ALIAS "Document"

struct weaviate {
    struct loop *loop;
    const struct settings *set;
    struct http_client *http;
    struct breaker breaker;
};

struct send { /* the private part of a call, in its arena */
    struct weaviate *w;
    struct weaviate_call *call;
    struct arena *arena;
    const char *operation;
    struct buf body;
    int (*read)(struct send *s, const cJSON *answer); /* status 2xx; answer NULL: no JSON */
    op_fn *answered;                                  /* instead of on_answered; NULL: that */
    struct deferred refuse;
};

struct weaviate *weaviate_new(struct loop *l, const struct settings *s, struct http_client *http)
{
    struct weaviate *w;

    if (s->weaviate_url == NULL)
        return NULL;
    w = xcalloc(1, sizeof *w);
    w->loop = l;
    w->set = s;
    w->http = http;
    breaker_init(&w->breaker, 5, 2000);
    return w;
}

void weaviate_free(struct weaviate *w)
{
    free(w);
}

/* ---- sending ---- */

static void let_go(struct send *s)
{
    http_call_done(&s->call->http);
    deferred_cancel(&s->refuse);
    buf_done(&s->body);
}

static void end(struct send *s, int code)
{
    metric_add(M_WEAVIATE, 1, s->operation,
               code == 0 || code == ERR_NOTFOUND ? "success" : "failure", NULL);
    let_go(s);
    op_finish(&s->call->op, code);
}

static void abort_send(struct op *op)
{
    let_go(CONTAINER_OF(op, struct weaviate_call, op)->priv);
}

static bool says_missing(struct str text)
{
    return str_find(text, STR("tenant not found")) >= 0 ||
           str_find(text, STR("Cannot query field")) >= 0 ||
           str_find(text, STR("could not find class")) >= 0 ||
           str_find(text, STR("multi-tenancy disabled")) >= 0;
}

/* The store's own words, bounded. */
static int refused(struct send *s, int code, struct str text)
{
    struct str cut = utf8_cut(text, 160);

    if (says_missing(text))
        code = ERR_NOTFOUND;
    return err_set(&s->call->op.err, code, "Weaviate, %s: %.*s", s->operation,
                   utf8_valid(cut) ? (int)cut.n : 0, cut.p);
}

static int status_code(int status)
{
    if (status == 401 || status == 403)
        return ERR_DENIED;
    if (status == 404)
        return ERR_NOTFOUND;
    return status >= 500 || status == 429 ? ERR_UNAVAILABLE : ERR_INVALID;
}

static void on_answered(struct op *op)
{
    struct send *s = op->arg;
    struct http_call *http = &s->call->http;
    struct str body = buf_view(&http->body);
    cJSON *answer = NULL;
    int code = op->err.code;

    if (code != 0) {
        breaker_failure(&s->w->breaker);
        end(s, err_set(&s->call->op.err, code, "Weaviate, %s: %s", s->operation, op->err.msg));
        return;
    }
    if (http->status >= 500)
        breaker_failure(&s->w->breaker);
    else
        breaker_success(&s->w->breaker);
    if (http->status < 200 || http->status > 299) {
        end(s, refused(s, status_code(http->status), body));
        return;
    }
    if (s->read != NULL && json_parse(s->arena, body, DEPTH, &answer, NULL) != 0)
        code = err_set(&s->call->op.err, ERR_PROTOCOL, "Weaviate, %s: no JSON", s->operation);
    else if (s->read != NULL)
        code = s->read(s, answer);
    end(s, code);
}

static void on_refuse(struct deferred *d)
{
    struct send *s = CONTAINER_OF(d, struct send, refuse);

    end(s, s->body.overflow
               ? err_set(&s->call->op.err, ERR_TOOBIG, "the request to Weaviate is too big")
               : err_set(&s->call->op.err, ERR_UNAVAILABLE, "Weaviate is down"));
}

static struct send *begin(struct weaviate *w, struct arena *a, const char *operation,
                          struct weaviate_call *call)
{
    struct send *s = arena_new_of(a, struct send);

    memset(call, 0, sizeof *call);
    call->priv = s;
    *s = (struct send){.w = w, .call = call, .arena = a, .operation = operation};
    buf_init(&s->body, BODY_MAX);
    return s;
}

static void go(struct send *s, const char *method, const char *path, int64_t deadline_ms,
               op_fn *done, void *arg)
{
    const struct settings *set = s->w->set;
    const char **headers = arena_array(s->arena, const char *, 3);
    struct str base = str_of(set->weaviate_url);

    op_begin(&s->call->op, s->w->loop, deadline_ms, done, arg, abort_send);
    deferred_init(&s->refuse, on_refuse);
    if (s->body.overflow || !breaker_allow(&s->w->breaker)) {
        loop_defer(s->w->loop, &s->refuse);
        return;
    }
    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    headers[0] = "Content-Type: application/json";
    if (set->weaviate_api_key != NULL)
        headers[1] = arena_printf(s->arena, "Authorization: Bearer %s", set->weaviate_api_key);
    http_call_start(
        s->w->http, s->arena,
        &(struct http_request){.method = method,
                               .url = arena_printf(s->arena, "%.*s/v1/%s", STR_ARG(base), path),
                               .headers = headers,
                               .body = buf_view(&s->body),
                               .max_body = ANSWER_MAX,
                               .connect_ms = CONNECT_MS},
        deadline_ms + 1000, /* the operation's own deadline comes first */
        &s->call->http, s->answered != NULL ? s->answered : on_answered, s);
}

/* ---- the schema ---- */

static int read_check(struct send *s, const cJSON *answer)
{
    const cJSON *tenancy = json_get(answer, "multiTenancyConfig");

    if (json_bool(tenancy, "enabled", false))
        return 0;
    return err_set(&s->call->op.err, ERR_NOTFOUND, "the class in Weaviate is not ours");
}

void weaviate_check(struct weaviate *w, struct arena *a, const char *class, int64_t deadline_ms,
                    struct weaviate_call *call, op_fn *done, void *arg)
{
    struct send *s = begin(w, a, "check", call);

    s->read = read_check;
    go(s, "GET", arena_printf(a, "schema/%s", class), deadline_ms, done, arg);
}

/* "already exists" comes as 422 with a text: as good as made. */
static void on_created(struct op *op)
{
    struct send *s = op->arg;
    struct http_call *http = &s->call->http;

    if (op->err.code == 0 && http->status == 422 &&
        str_find(buf_view(&http->body), STR("already exists")) >= 0)
        http->status = 200;
    on_answered(op);
}

void weaviate_create(struct weaviate *w, struct arena *a, const char *class, int64_t deadline_ms,
                     struct weaviate_call *call, op_fn *done, void *arg)
{
    static const char *const fields[][2] = {
        {"document_id", "text"}, {"type", "text"}, {"source", "text"}, {"created_at", "date"}};
    struct send *s = begin(w, a, "create", call);

    buf_printf(&s->body,
               "{\"class\":\"%s\",\"description\":\"Chunks of documents. CEOAgent fills it from "
               "PostgreSQL.\",\"vectorizer\":\"none\",\"vectorIndexConfig\":{\"distance\":"
               "\"cosine\"},\"multiTenancyConfig\":{\"enabled\":true,\"autoTenantCreation\":true,"
               "\"autoTenantActivation\":true},\"replicationConfig\":{\"factor\":%" PRId64
               "},\"properties\":[",
               class, w->set->weaviate_replicas);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        buf_printf(&s->body, "%s{\"name\":\"%s\",\"dataType\":[\"%s\"]%s}", i > 0 ? "," : "",
                   fields[i][0], fields[i][1],
                   strcmp(fields[i][1], "text") == 0 ? ",\"tokenization\":\"field\"" : "");
    buf_puts(&s->body, "]}");
    s->answered = on_created;
    go(s, "POST", "schema", deadline_ms, done, arg);
}

void weaviate_drop(struct weaviate *w, struct arena *a, const char *class, int64_t deadline_ms,
                   struct weaviate_call *call, op_fn *done, void *arg)
{
    go(begin(w, a, "drop", call), "DELETE", arena_printf(a, "schema/%s", class), deadline_ms, done,
       arg);
}

void weaviate_alias(struct weaviate *w, struct arena *a, const char *class, bool make,
                    int64_t deadline_ms, struct weaviate_call *call, op_fn *done, void *arg)
{
    struct send *s = begin(w, a, "alias", call);

    buf_printf(&s->body, "{%s\"class\":\"%s\"}", make ? "\"alias\":\"" ALIAS "\"," : "", class);
    go(s, make ? "POST" : "PUT", make ? "aliases" : "aliases/" ALIAS, deadline_ms, done, arg);
}

/* ---- writing ---- */

static void put_text(struct buf *b, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(b, ",\"%s\":", name);
    json_quote(b, str_of(value));
}

static void put_vector(struct buf *b, const float *v, int dimension)
{
    for (int i = 0; i < dimension; i++)
        buf_printf(b, "%s%.9g", i > 0 ? "," : "", (double)v[i]);
}

static void put_object(struct buf *b, const char *class, const char *tenant,
                       const struct weaviate_object *o, int dimension)
{
    char id[UUID_LEN + 1], iso[CLOCK_ISO_LEN];

    buf_printf(b, "{\"class\":\"%s\",\"tenant\":\"%s\",\"id\":\"%s\",\"properties\":{", class,
               tenant, uuid_text(o->id, id));
    buf_printf(b, "\"document_id\":\"%s\",\"created_at\":\"%s\"", uuid_text(o->document, id),
               clock_iso(o->created_us, iso));
    put_text(b, "type", o->type);
    put_text(b, "source", o->source);
    buf_puts(b, "},\"vector\":[");
    put_vector(b, o->vector, dimension);
    buf_puts(b, "]}");
}

static int read_import(struct send *s, const cJSON *answer)
{
    const cJSON *item;

    if (!cJSON_IsArray(answer))
        return err_set(&s->call->op.err, ERR_PROTOCOL, "Weaviate, import: no list");
    cJSON_ArrayForEach (item, answer) {
        const cJSON *result = json_get(item, "result");

        if (strcmp(json_str(result, "status", "SUCCESS"), "SUCCESS") != 0)
            return refused(s, ERR_INVALID, json_print(s->arena, json_get(result, "errors")));
    }
    return 0;
}

void weaviate_import(struct weaviate *w, struct arena *a, const char *class, struct uuid tenant,
                     const struct weaviate_object *o, int n, int dimension, int64_t deadline_ms,
                     struct weaviate_call *call, op_fn *done, void *arg)
{
    struct send *s = begin(w, a, "import", call);
    char text[UUID_LEN + 1];

    uuid_text(tenant, text);
    buf_puts(&s->body, "{\"fields\":[\"id\"],\"objects\":[");
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&s->body, ',');
        put_object(&s->body, class, text, &o[i], dimension);
    }
    buf_puts(&s->body, "]}");
    s->read = read_import;
    go(s, "POST", "batch/objects", deadline_ms, done, arg);
}

static int read_delete(struct send *s, const cJSON *answer)
{
    const cJSON *results = json_get(answer, "results");

    if (json_i64(results, "failed", 0) > 0 ||
        json_i64(results, "matches", 0) > json_i64(results, "successful", 0))
        return err_set(&s->call->op.err, ERR_UNAVAILABLE, "Weaviate did not delete all");
    return 0;
}

static void on_deleted(struct op *op)
{
    struct send *s = op->arg;
    struct http_call *http = &s->call->http;

    if (op->err.code == 0 && http->status != 200 && says_missing(buf_view(&http->body))) {
        end(s, 0);
        return;
    }
    on_answered(op);
}

void weaviate_delete(struct weaviate *w, struct arena *a, const char *class, struct uuid tenant,
                     struct uuid document, int64_t deadline_ms, struct weaviate_call *call,
                     op_fn *done, void *arg)
{
    struct send *s = begin(w, a, "delete", call);
    char text[UUID_LEN + 1];

    buf_printf(&s->body,
               "{\"match\":{\"class\":\"%s\",\"where\":{\"path\":[\"document_id\"],\"operator\":"
               "\"Equal\",\"valueText\":\"%s\"}},\"output\":\"minimal\"}",
               class, uuid_text(document, text));
    s->read = read_delete;
    s->answered = on_deleted;
    go(s, "DELETE", arena_printf(a, "batch/objects?tenant=%s", uuid_text(tenant, text)),
       deadline_ms, done, arg);
}

/* ---- searching ---- */

static void operand(struct buf *b, int *count, const char *path, const char *operator,
                    const char * kind)
{
    buf_printf(b, "%s{path:[\"%s\"],operator:%s,%s:", (*count)++ > 0 ? "," : "", path, operator,
               kind);
}

/* GraphQL's strings are JSON's. */
static void put_where(struct buf *b, const struct weaviate_query *q)
{
    char text[UUID_LEN + 1], iso[CLOCK_ISO_LEN];
    int n = 0;

    buf_puts(b, ",where:{operator:And,operands:[");
    if (q->document_count > 0) {
        operand(b, &n, "document_id", "ContainsAny", "valueText");
        for (int i = 0; i < q->document_count; i++)
            buf_printf(b, "%s\"%s\"", i > 0 ? "," : "[", uuid_text(q->documents[i], text));
        buf_puts(b, "]}");
    }
    if (q->type != NULL) {
        operand(b, &n, "type", "Equal", "valueText");
        json_quote(b, str_of(q->type));
        buf_putc(b, '}');
    }
    if (q->source != NULL) {
        operand(b, &n, "source", "Equal", "valueText");
        json_quote(b, str_of(q->source));
        buf_putc(b, '}');
    }
    if (q->from_us != 0) {
        operand(b, &n, "created_at", "GreaterThanEqual", "valueDate");
        buf_printf(b, "\"%s\"}", clock_iso(q->from_us, iso));
    }
    if (q->to_us != 0) {
        operand(b, &n, "created_at", "LessThanEqual", "valueDate");
        buf_printf(b, "\"%s\"}", clock_iso(q->to_us, iso));
    }
    buf_puts(b, "]}");
}

static bool filters(const struct weaviate_query *q)
{
    return q->document_count > 0 || q->type != NULL || q->source != NULL || q->from_us != 0 ||
           q->to_us != 0;
}

static int read_near(struct send *s, const cJSON *answer)
{
    const cJSON *get = json_at(answer, "/data/Get"), *list = get == NULL ? NULL : get->child, *item;
    const cJSON *errors = json_get(answer, "errors");
    struct weaviate_hit *hits;
    int n = 0;

    if (errors != NULL)
        return refused(s, ERR_INVALID, json_print(s->arena, errors));
    if (!cJSON_IsArray(list))
        return err_set(&s->call->op.err, ERR_PROTOCOL, "Weaviate, search: no list");
    hits = arena_array(s->arena, struct weaviate_hit, cJSON_GetArraySize(list) + 1);
    cJSON_ArrayForEach (item, list) {
        const cJSON *add = json_get(item, "_additional");

        if (uuid_parse(str_of(json_str(add, "id", "")), &hits[n].id) != 0)
            return err_set(&s->call->op.err, ERR_PROTOCOL, "Weaviate, search: no id");
        hits[n++].similarity = 1 - json_num(add, "distance", 2);
    }
    s->call->hits = hits;
    s->call->hit_count = n;
    return 0;
}

void weaviate_near(struct weaviate *w, struct arena *a, const struct weaviate_query *q,
                   int64_t deadline_ms, struct weaviate_call *call, op_fn *done, void *arg)
{
    struct send *s = begin(w, a, "search", call);
    char tenant[UUID_LEN + 1];
    struct buf b;

    buf_init(&b, BODY_MAX);
    buf_printf(&b, "{Get{%s(tenant:\"%s\",limit:%d,nearVector:{vector:[", q->class,
               uuid_text(q->tenant, tenant), q->limit);
    put_vector(&b, q->vector, q->dimension);
    buf_puts(&b, "]}");
    if (filters(q))
        put_where(&b, q);
    buf_puts(&b, "){_additional{id distance}}}}");
    buf_puts(&s->body, "{\"query\":");
    json_quote(&s->body, buf_view(&b));
    buf_putc(&s->body, '}');
    buf_done(&b);
    s->read = read_near;
    go(s, "POST", "graphql", deadline_ms, done, arg);
}
