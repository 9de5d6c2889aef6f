/* req.h: one request from its complete head to the last byte of its answer.
 *
 *   on_head: req_new --> body --> gate_enter: credentials --> limits --> permission --> body's JSON
 *            --> handler --> any number of operations, one continuation each --> one reply_*
 *
 * Memory is the request's arena. Each request has one operation of each kind in flight at most;
 * they are cancelled when the client goes away or the request ends, so a continuation never runs
 * after that. Exactly one reply_* call ends it (or a stream's end). */
#pragma once
#include "libcommon/base/err_codes.h"
#include "libcommon/base/json.h"
#include "libcommon/base/trace.h"
#include "services/api/app.h"
#include "services/api/perm.h"
#include "services/api/route.h"

#define REQ_PG_MS 10000

struct job_wait;

/* Who asks. Lives in the request's arena. */
struct principal {
    struct uuid key, tenant, user;
    const char *role, *rate;
    unsigned perms;
    struct str tenant_limits; /* JSON object, or {NULL,0} */
};

struct req {
    unsigned magic;
    struct app *app;
    struct http_req *http;
    struct arena *arena;
    struct list link;
    const struct route *route; /* NULL: none fits */
    char allowed[64];          /* methods of the path */
    const char *params[ROUTE_PARAMS];
    const char *id; /* request id */
    struct span span;
    const char *traceparent; /* of the span: for what this request causes */
    const char *peer;        /* the client's address, behind trusted proxies */
    const struct principal *who;
    bool problem_json;
    bool ops_port; /* it came to METRICS_PORT */
    bool replied;
    struct str rate_headers;
    cJSON *body; /* of ROUTE_JSON, the known members; only until the handler returns */
    struct arena *body_arena;

    /* in flight */
    struct pg_op pg;
    struct limit_check limit;
    struct redis_op redis;
    struct timer timer;
    void (*next)(struct req *r);                           /* after pg */
    void (*later)(struct req *r);                          /* after timer */
    void (*failed)(struct req *r, const struct pg_op *op); /* NULL: reply_err */

    /* the handler's */
    void *state;
    struct job_wait *wait;           /* of job_wait.c */
    void (*on_drain)(struct req *r); /* NULL: the request ends soon by itself */
    void (*on_end)(struct req *r);   /* lets go of what state holds; runs once */
};

/* For http_server: makes the context, and lets it go. */
struct req *req_new(struct app *app, struct http_req *http);
void req_end(struct req *r, int status, int64_t bytes);

/* A batch as this user. flags of pg.h. _in: in an arena of its own, for those that ask again and
 * again. */
struct pg_batch *req_batch(struct req *r, unsigned flags);
struct pg_batch *req_batch_in(struct req *r, struct arena *a, unsigned flags);
/* Submits; next runs when it has succeeded, else r->failed or reply_err. Results: r->pg.result. */
void req_pg(struct req *r, struct pg_batch *b, void (*next)(struct req *r));
/* Runs later after ms, instead of an earlier timer; operations go on meanwhile. */
void req_after(struct req *r, int64_t ms, void (*later)(struct req *r));
/* The id in params[n]; false when it is no UUID (which is answered like an unknown id). */
bool req_uuid(const struct req *r, int n, struct uuid *out);
/* A query parameter, decoded; NULL when absent. Bad escapes are answered 422 and make *bad true. */
const char *req_param(struct req *r, const char *name, bool *bad);
/* Whether the user may do `perm` to a row of `owner`: own rows always. */
bool req_may(const struct req *r, struct uuid owner, unsigned perm);

/* --- answers (reply.c) --- */

/* {"success": true, "data": data, "metadata": {...}}; data is raw JSON. */
void reply_data(struct req *r, int status, struct str data);
/* The same with members for metadata ("\"model\":\"x\",") and header lines; both may be NULL. */
void reply_data_with(struct req *r, int status, struct str data, const char *metadata,
                     const char *headers);
void reply_item(struct req *r, int status, const cJSON *data);

struct page {
    int64_t page, size, total;
    bool by_cursor;
    const char *next_cursor; /* NULL: none */
};
void reply_page(struct req *r, struct str data, const struct page *p);
void reply_empty(struct req *r, int status);
/* Not an envelope. */
void reply_raw(struct req *r, int status, const char *content_type, struct str body);

/* details: {"field": field, "reason": reason} as far as given. */
void reply_error(struct req *r, enum api_code code, const char *field, const char *reason,
                 const char *fmt, ...) PRINTF_LIKE(5, 6);
/* details is a raw JSON object or {NULL,0}; headers may be NULL. */
void reply_error_with(struct req *r, enum api_code code, const char *message, struct str details,
                      const char *headers);
/* A failure of ours or of a store: logged, answered 503 or 500 without its text. */
void reply_err(struct req *r, const struct err *err);
/* The envelope of an error that has no request (yet). */
void error_envelope(struct buf *out, enum api_code code, const char *message, const char *reason,
                    const char *request_id);
/* Header lines that every answer has: id, cache, limits, CORS. For streams; reply_* add them. */
const char *reply_headers(struct req *r, const char *more);

/* Raw JSON under a key. */
void item_add_raw(cJSON *obj, const char *key, struct str raw);
void item_add_time(cJSON *obj, const char *key, int64_t wall_us); /* null for 0 */
void item_add_uuid(cJSON *obj, const char *key, struct uuid u);
