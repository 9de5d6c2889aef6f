/* The order is the contract's: credentials, limits, permission, then the body. So a caller over the
 * limit learns nothing about validation, and a body is never parsed for somebody who may not send
 * it. */
#include "libcommon/base/compat.h"
#include "services/api/gate.h"
#include "libcommon/base/metrics.h"
#include "services/api/audit.h"
#include "services/api/auth.h"
#include "services/api/body.h"
#include "services/api/multipart.h"

#define SMALL_BODY (64 * 1024) /* of requests whose route takes none */

/* --- CORS
 * --- */

static bool origin_allowed(const struct app *app, struct str origin)
{
    struct str list = str_of(app->set->cors_origins);

    while (list.p != NULL) {
        struct str one = str_trim(str_split(&list, ','));
        if (str_eq(one, STR("*")) && !app_production(app))
            return true;
        if (one.n > 0 && str_eq(one, origin))
            return true;
    }
    return false;
}

const char *gate_cors(struct req *r)
{
    struct str origin = http_req_header(r->http, "origin");

    if (origin.n == 0 || origin.n > 300 || !origin_allowed(r->app, origin))
        return "";
    return arena_printf(
        r->arena,
        "Access-Control-Allow-Origin: %.*s\r\nAccess-Control-Allow-Credentials: true\r\n"
        "Access-Control-Expose-Headers: X-Request-ID, Location, ETag, Retry-After, "
        "Idempotent-Replayed, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset\r\n"
        "Vary: Origin\r\n",
        STR_ARG(origin));
}

static void answer_options(struct req *r)
{
    bool preflight =
        http_req_header(r->http, "access-control-request-method").n > 0 && gate_cors(r)[0] != '\0';
    const char *methods = r->allowed[0] == '\0' ? "GET, HEAD, POST, DELETE" : r->allowed;

    r->rate_headers =
        str_of(preflight ? arena_printf(r->arena,
                                        "Access-Control-Allow-Methods: %s\r\n"
                                        "Access-Control-Allow-Headers: Authorization, X-API-Key, "
                                        "Content-Type, Accept, Idempotency-Key, X-Request-ID, "
                                        "Last-Event-ID, If-None-Match, traceparent\r\n"
                                        "Access-Control-Max-Age: 600\r\n",
                                        methods)
                         : arena_printf(r->arena, "Allow: %s, OPTIONS\r\n", methods));
    reply_empty(r, 204);
}

/* --- the body
 * --- */

static bool is_json_type(struct str type)
{
    struct str rest = type;
    struct str media = str_trim(str_split(&rest, ';'));

    return type.n == 0 || str_ieq(media, STR("application/json")) ||
           str_ieq(media, STR("application/vnd.ceoagent.v1+json"));
}

static void make_tree(struct req *r)
{
    const cJSON *schema = json_get(r->app->schemas, r->route->request_schema);

    r->body_arena = arena_new();
    r->body = body_tree(r->body_arena, r->http->body, json_get(schema, "properties"),
                        (r->route->flags & ROUTE_LARGE) != 0);
}

static bool read_body(struct req *r)
{
    struct err err;

    struct str type = http_req_header(r->http, "content-type");

    if ((r->route->flags & ROUTE_FORM) && multipart_is(type))
        return true;
    if (!is_json_type(type)) {
        reply_error(r, API_UNSUPPORTED_MEDIA_TYPE, "Content-Type", "unsupported_media_type",
                    "The body must be application/json");
        return false;
    }
    if (r->http->body.n == 0) {
        reply_error(r, API_INVALID_REQUEST, NULL, "missing_body", "A JSON body is required");
        return false;
    }
    int rc = json_scan(r->http->body, JSON_DEPTH_MAX, &err);
    if (rc == ERR_TOOBIG && (r->route->flags & ROUTE_QUERY)) {
        reply_error(r, API_INVALID_INPUT, "context", "too_deep",
                    "context is nested deeper than 16 levels");
        return false;
    }
    if (rc != 0) {
        reply_error(r, API_INVALID_REQUEST, NULL, "invalid_json", "The body is not valid JSON: %s",
                    err.msg);
        return false;
    }
    if (str_trim(r->http->body).p[0] != '{') {
        reply_error(r, API_INVALID_REQUEST, NULL, "wrong_type", "The body must be a JSON object");
        return false;
    }
    make_tree(r);
    return true;
}

static void run_handler(struct req *r)
{
    r->state = NULL;
    r->failed = NULL;
    if ((r->route->flags & ROUTE_JSON) && !read_body(r))
        return;
    r->route->handler(r);
    arena_free(
        r->body_arena); /* a tree is many times its text, and a request may wait for minutes */
    r->body_arena = NULL;
    r->body = NULL;
}

/* --- permission and limits
 * --- */

static void check_permission(struct req *r)
{
    if (perm_allows(r->who->perms, r->route->permission)) {
        run_handler(r);
        return;
    }
    audit_refused(r, "access.denied");
    reply_error(r, API_AUTH_INSUFFICIENT_PERMISSIONS, NULL, perm_name(r->route->permission),
                "Insufficient permissions");
}

static void set_rate_headers(struct req *r, const struct limit_verdict *v)
{
    r->rate_headers = str_of(
        arena_printf(r->arena,
                     "RateLimit-Limit: %" PRId64 "\r\nRateLimit-Remaining: %" PRId64
                     "\r\nRateLimit-Reset: %" PRId64 "\r\nX-RateLimit-Limit: %" PRId64
                     "\r\nX-RateLimit-Remaining: %" PRId64 "\r\nX-RateLimit-Reset: %" PRId64 "\r\n",
                     v->limit, v->remaining, v->reset_s, v->limit, v->remaining, v->reset_s));
}

static void refuse_rate(struct req *r, const struct limit_verdict *v, const char *scope)
{
    metric_add(M_RATE_LIMITED, 1, scope, NULL, NULL);
    reply_error_with(
        r, API_RATE_LIMIT_EXCEEDED, "Rate limit exceeded",
        str_of(arena_printf(r->arena, "{\"limit\":%" PRId64 ",\"retry_after\":%" PRId64 "}",
                            v->limit, v->retry_s)),
        arena_printf(r->arena, "Retry-After: %" PRId64 "\r\n", v->retry_s));
}

static void on_limit(struct limit_check *c)
{
    struct req *r = c->arg;

    set_rate_headers(r, &c->verdict);
    if (!c->verdict.allowed)
        refuse_rate(r, &c->verdict, c->verdict.scope);
    else
        check_permission(r);
}

/* A key may have its own number of requests a minute: it replaces the analyze limit, and lifts the
 * bucket where that would refuse what the key was promised. */
static struct limit_rule rule_of(const struct req *r)
{
    const struct settings *s = r->app->set;
    struct limit_rule rule = {.rate = s->token_bucket_rate, .capacity = s->token_bucket_capacity};
    int64_t own = 0;

    if (r->route->rate == RATE_ANALYZE)
        rule.per_minute = s->rate_limit_per_minute;
    if (str_i64(str_of(r->who->rate), &own) == 0 && own > 0) {
        if (r->route->rate == RATE_ANALYZE)
            rule.per_minute = own;
        rule.rate = MAX(rule.rate, (double)own / 60);
        rule.capacity = MAX(rule.capacity, own);
    }
    return rule;
}

static void check_limits(struct req *r)
{
    char tenant[UUID_LEN + 1], user[UUID_LEN + 1];

    if (r->route->rate == RATE_NONE || strcmp(r->who->rate, "none") == 0) {
        check_permission(r);
        return;
    }
    struct limit_rule rule = rule_of(r);
    bool own = str_i64(str_of(r->who->rate), &(int64_t){0}) == 0;
    const char *key =
        arena_printf(r->arena, "t:%s:rate:%s%s", uuid_text(r->who->tenant, tenant),
                     own ? "key:" : "", uuid_text(own ? r->who->key : r->who->user, user));
    limit_start(r->app->limits, r->arena, key, &rule, &r->limit, on_limit, r);
}

/* --- credentials
 * --- */

static void reply_unauthenticated(struct req *r, enum auth_outcome outcome)
{
    switch (outcome) {
    case AUTH_MISSING:
        reply_error(r, API_AUTH_REQUIRED, NULL, "missing_credentials",
                    "Authentication is required: X-API-Key or Authorization: Bearer");
        break;
    case AUTH_EXPIRED:
        reply_error(r, API_AUTH_TOKEN_EXPIRED, NULL, "expired", "The credentials have expired");
        break;
    default:
        reply_error(r, API_AUTH_INVALID_TOKEN, NULL, "invalid", "The credentials are not valid");
    }
}

struct refused {
    enum auth_outcome outcome;
};

static void on_ip_limit(struct limit_check *c)
{
    struct req *r = c->arg;
    struct refused *refused = r->state;

    set_rate_headers(r, &c->verdict);
    if (!c->verdict.allowed)
        refuse_rate(r, &c->verdict, "ip");
    else
        reply_unauthenticated(r, refused->outcome);
}

/* Guessing keys at the expensive endpoints is limited by address. */
static void limit_ip(struct req *r, enum auth_outcome outcome)
{
    struct limit_rule rule = {.per_minute = r->app->set->rate_limit_per_minute};
    struct refused *refused = arena_new_of(r->arena, struct refused);

    refused->outcome = outcome;
    r->state = refused;
    limit_start(r->app->limits, r->arena, arena_printf(r->arena, "t:-:rate:ip:%s", r->peer), &rule,
                &r->limit, on_ip_limit, r);
}

static void on_auth(struct req *r, enum auth_outcome outcome)
{
    switch (outcome) {
    case AUTH_OK:
        check_limits(r);
        break;
    case AUTH_UNKNOWN:
        reply_err(r, &r->pg.op.err);
        break;
    case AUTH_SUSPENDED:
        reply_error(r, API_AUTH_INSUFFICIENT_PERMISSIONS, NULL, "tenant_suspended",
                    "The tenant is suspended");
        break;
    default:
        if (r->route->rate == RATE_ANALYZE)
            limit_ip(r, outcome);
        else
            reply_unauthenticated(r, outcome);
    }
}

static void gate_enter(struct req *r)
{
    if (strcmp(r->http->method, "OPTIONS") == 0) {
        answer_options(r);
    } else if (r->route == NULL && r->allowed[0] != '\0') {
        r->rate_headers = str_of(arena_printf(r->arena, "Allow: %s, OPTIONS\r\n", r->allowed));
        reply_error(r, API_METHOD_NOT_ALLOWED, NULL, NULL, "%s is not allowed here: %s",
                    r->http->method, r->allowed);
    } else if (r->route == NULL) {
        reply_error(r, API_NOT_FOUND, NULL, NULL, "There is no such endpoint");
    } else if (r->route->flags & ROUTE_PUBLIC) {
        run_handler(r);
    } else {
        auth_start(r, on_auth);
    }
}

/* --- the HTTP server's callbacks
 * --- */

static bool find_route(struct req *r)
{
    struct str params[ROUTE_PARAMS] = {{0}};

    r->route = route_find(r->http->method, r->http->path, params, r->allowed, sizeof(r->allowed));
    for (int i = 0; i < ROUTE_PARAMS && params[i].p != NULL; i++) {
        r->params[i] = http_decode(r->arena, params[i]);
        if (r->params[i] == NULL || !utf8_valid(str_of(r->params[i]))) {
            r->route = NULL; /* nothing has such a name */
            r->allowed[0] = '\0';
            return false;
        }
    }
    return r->route != NULL;
}

static int64_t on_head(struct http_req *http, void *arg)
{
    struct req *r = req_new(arg, http);

    if (!find_route(r) || r->route->body_max == 0)
        return SMALL_BODY;
    return (int64_t)MIN(r->route->body_max, (size_t)r->app->set->max_body_bytes);
}

static void on_request(struct http_req *http, void *arg UNUSED)
{
    gate_enter(http->user);
}

static void on_done(struct http_req *http, int status, int64_t bytes, void *arg UNUSED)
{
    if (http->user != NULL)
        req_end(http->user, status, bytes);
}

static enum api_code code_of_refusal(int status)
{
    switch (status) {
    case 413:
        return API_PAYLOAD_TOO_LARGE;
    case 503:
        return API_SERVICE_UNAVAILABLE;
    default:
        return API_INVALID_REQUEST;
    }
}

static void on_refuse(int status, const char *reason, struct buf *headers, struct buf *body,
                      void *arg UNUSED)
{
    char id[UUID_LEN + 8], text[UUID_LEN + 1];

    snprintf(id, sizeof(id), "req-%s", uuid_text(uuid_v7(), text));
    buf_printf(headers, "X-Request-ID: %s\r\n", id);
    error_envelope(body, code_of_refusal(status),
                   status == 413   ? "The body is too large"
                   : status == 503 ? "The server has no room for more requests at the moment"
                                   : "The request is not valid HTTP",
                   reason, id);
}

const struct http_handler gate_handler = {on_head, on_request, on_done, on_refuse, NULL};

/* METRICS_PORT has the operations endpoints and nothing else. */
static int64_t on_metrics_head(struct http_req *http, void *arg)
{
    struct req *r = req_new(arg, http);

    r->ops_port = true;
    if (find_route(r) && !(r->route->rate == RATE_NONE && r->route->flags & ROUTE_PUBLIC)) {
        r->route = NULL;
        r->allowed[0] = '\0';
    }
    return SMALL_BODY;
}

const struct http_handler gate_metrics_handler = {on_metrics_head, on_request, on_done, on_refuse,
                                                  NULL};
