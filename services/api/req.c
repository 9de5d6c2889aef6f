#include "libcommon/base/compat.h"
#include "services/api/req.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "services/api/peers.h"

#define REQ_MAGIC 0x52455121u

/* The client's id when it is harmless in logs and headers, else a new one. */
static const char *request_id(struct req *r)
{
    struct str given = http_req_header(r->http, "x-request-id");
    char text[UUID_LEN + 1];
    bool good = given.n >= 1 && given.n <= 128;

    for (size_t i = 0; good && i < given.n; i++) {
        unsigned char c = (unsigned char)given.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        good = alnum || c == '.' || c == '_' || c == '-';
    }
    if (good)
        return arena_strndup(r->arena, given.p, given.n);
    return arena_printf(r->arena, "req-%s", uuid_text(uuid_v7(), text));
}

/* The request's span goes on with the caller's trace, or begins one; what it causes (the agent's
 * run, a job) goes on with the span's. */
static void trace(struct req *r)
{
    struct trace_context c;
    bool known = trace_parse(http_req_header(r->http, "traceparent"), &c) == 0;

    span_start_root(&r->span, known ? &c : NULL, "http_request", SPAN_SERVER);
    span_set_str(&r->span, "http.request.method", r->http->method);
    span_set_str(&r->span, "ceoagent.request_id", r->id);
    r->traceparent = trace_format(&r->span.context, arena_alloc(r->arena, TRACEPARENT_LEN + 1));
}

static void end_trace(struct req *r, int status)
{
    if (r->route != NULL) {
        span_set_str(&r->span, "http.route", r->route->pattern);
        if (r->route->rate == RATE_ANALYZE)
            r->span.name = "analyze_decision";
    }
    span_set_i64(&r->span, "http.response.status_code", status);
    if (status >= 500)
        span_fail(&r->span, "the answer was an error");
    if (r->route != NULL && r->route->rate == RATE_NONE)
        span_drop(&r->span); /* probes and scrapes */
    else
        span_end(&r->span);
}

static void on_timer(struct timer *t)
{
    struct req *r = CONTAINER_OF(t, struct req, timer);
    r->later(r);
}

static void let_go(struct req *r)
{
    op_cancel(&r->pg.op);
    op_cancel(&r->redis.op);
    limit_cancel(&r->limit);
    timer_done(&r->timer);
    if (r->on_end != NULL) {
        void (*on_end)(struct req *) = r->on_end;
        r->on_end = NULL;
        on_end(r);
    }
}

static void on_close(struct http_req *http, enum http_close why UNUSED)
{
    let_go(http->user); /* on_done follows */
}

struct req *req_new(struct app *app, struct http_req *http)
{
    struct req *r = arena_new_of(http->arena, struct req);

    r->magic = REQ_MAGIC;
    r->app = app;
    r->http = http;
    r->arena = http->arena;
    r->id = request_id(r);
    trace(r);
    r->peer =
        peers_client(app->trusted, r->arena, http->peer, http_req_header(http, "x-forwarded-for"));
    struct str accept = http_req_header(http, "accept");
    r->problem_json = str_find(accept, STR("application/problem+json")) >= 0;
    timer_init(&r->timer, app->loop, on_timer);
    http->user = r;
    http->on_close = on_close;
    list_push(&app->requests, &r->link);
    app->active++;
    return r;
}

/* Clients choose methods freely; metrics must not grow by that. */
static const char *method_label(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i], method) == 0)
            return known[i];
    return "other";
}

static void account(struct req *r, int status, int64_t bytes)
{
    const char *endpoint = r->route == NULL ? "unmatched" : r->route->pattern;
    double seconds = (double)(clock_mono_us() - r->http->received_us) / 1e6;
    const char *method = method_label(r->http->method);
    char code[12], user[UUID_LEN + 1] = "", tenant[UUID_LEN + 1] = "";
    char trace_id[2 * TRACE_ID_LEN + 1];

    snprintf(code, sizeof(code), "%d", status);
    metric_add(M_HTTP_REQUESTS, 1, method, endpoint, code);
    metric_observe(M_HTTP_DURATION, seconds, method, endpoint, NULL);
    if (r->route != NULL && r->route->rate == RATE_NONE && status < 400)
        return; /* probes and scrapes would drown everything else */
    if (r->who != NULL) {
        uuid_text(r->who->user, user);
        uuid_text(r->who->tenant, tenant);
    }
    log_info("request", LOG_S("request_id", r->id), LOG_S("user_id", user),
             LOG_S("tenant_id", tenant),
             LOG_S("trace_id", trace_id_text(&r->span.context, trace_id)),
             LOG_S("method", r->http->method), LOG_S("endpoint", endpoint), LOG_I("status", status),
             LOG_I("execution_time_ms", seconds * 1000), LOG_I("bytes", bytes),
             LOG_S("client", r->peer));
}

void req_end(struct req *r, int status, int64_t bytes)
{
    CHECK(r, REQ);
    let_go(r);
    account(r, status, bytes);
    end_trace(r, status);
    list_remove(&r->link);
    r->app->active--;
    r->magic = 0;
}

/* --- operations --- */

struct pg_batch *req_batch_in(struct req *r, struct arena *a, unsigned flags)
{
    char user[UUID_LEN + 1];

    return pg_batch_new(a, PG_APP, &r->who->tenant, arena_strdup(a, uuid_text(r->who->user, user)),
                        perm_allows(r->who->perms, PERM_AUDIT_VIEW), flags);
}

struct pg_batch *req_batch(struct req *r, unsigned flags)
{
    return req_batch_in(r, r->arena, flags);
}

static void on_pg(struct op *op)
{
    struct req *r = op->arg;

    CHECK(r, REQ);
    if (op->err.code == 0)
        r->next(r);
    else if (r->failed != NULL)
        r->failed(r, &r->pg);
    else
        reply_err(r, &op->err);
}

void req_pg(struct req *r, struct pg_batch *b, void (*next)(struct req *r))
{
    r->next = next;
    pg_submit(r->app->pg, b, REQ_PG_MS, &r->pg, on_pg, r);
}

void req_after(struct req *r, int64_t ms, void (*later)(struct req *r))
{
    r->later = later;
    timer_start(&r->timer, ms);
}

/* --- what handlers ask --- */

bool req_uuid(const struct req *r, int n, struct uuid *out)
{
    return uuid_parse(str_of(r->params[n]), out) == 0;
}

const char *req_param(struct req *r, const char *name, bool *bad)
{
    bool malformed = false;
    const char *v = http_req_param(r->http, name, &malformed);

    if (malformed || (v != NULL && !utf8_valid(str_of(v)))) {
        *bad = true;
        reply_error(r, API_VALIDATION_ERROR, name, "malformed", "%s is not valid UTF-8 text", name);
        return NULL;
    }
    return v;
}

bool req_may(const struct req *r, struct uuid owner, unsigned perm)
{
    return memcmp(&owner, &r->who->user, sizeof(owner)) == 0 || perm_allows(r->who->perms, perm);
}
