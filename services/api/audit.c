#include "libcommon/base/compat.h"
#include "services/api/audit.h"
#include "libcommon/base/log.h"
#include "libcommon/model/audit.h"

#define REFUSED_MS 5000
#define REFUSED_MAX 100 /* on their way at once; more are only logged */
#define AGENT_CHARS 200

struct refused {
    struct list link; /* app->audits */
    struct arena *arena;
    struct pg_op op;
    struct app *app;
};

static void fill(struct req *r, struct arena *a, struct audit *entry, const struct uuid *id)
{
    struct str agent = utf8_cut(http_req_header(r->http, "user-agent"), AGENT_CHARS);
    char text[UUID_LEN + 1];

    entry->tenant = r->who->tenant;
    entry->user = &r->who->user;
    entry->ip = r->peer;
    if (agent.n > 0 && utf8_valid(agent))
        entry->user_agent = arena_strndup(a, agent.p, agent.n);
    if (id != NULL)
        entry->resource_id = arena_strdup(a, uuid_text(*id, text));
}

void audit_with(struct req *r, struct pg_batch *b, const char *action, const char *type,
                const struct uuid *id)
{
    /* A repeated Idempotency-Key makes no decision, and so no record. */
    bool made = strcmp(action, "decision.analyze") == 0;
    struct audit entry = {.action = action, .resource_type = type, .if_decision = made ? id : NULL};
    cJSON *d = json_obj(r->arena);

    json_add_str(d, "request_id", r->id);
    entry.details = json_print(r->arena, d);
    fill(r, r->arena, &entry, id);
    audit_add(b, r->arena, &entry);
}

static void let_go(struct refused *x)
{
    list_remove(&x->link);
    x->app->audit_count--;
    arena_free(x->arena);
}

static void on_stored(struct op *op)
{
    if (op->err.code != 0)
        log_warning("an audit record was not stored", LOG_S("error", op->err.msg));
    let_go(op->arg);
}

void audit_refused(struct req *r, const char *action)
{
    struct audit entry = {.action = action, .resource_type = "endpoint", .failure = true};
    struct arena *a;
    struct refused *x;
    struct pg_batch *b;
    cJSON *d;

    log_warning("audit", LOG_S("action", action), LOG_S("request_id", r->id),
                LOG_S("role", r->who->role), LOG_S("endpoint", r->route->pattern));
    if (r->app->audit_count >= REFUSED_MAX)
        return;
    a = arena_new();
    x = arena_new_of(a, struct refused);
    x->arena = a;
    x->app = r->app;
    d = json_obj(a);
    json_add_str(d, "request_id", r->id);
    json_add_str(d, "method", r->route->method);
    entry.details = json_print(a, d);
    entry.resource_id = r->route->pattern;
    fill(r, a, &entry, NULL);
    b = req_batch_in(r, a, PG_SHARE);
    audit_add(b, a, &entry);
    list_push(&r->app->audits, &x->link);
    r->app->audit_count++;
    pg_submit(r->app->pg, b, REFUSED_MS, &x->op, on_stored, x);
}

void audit_drop(struct app *app)
{
    LIST_FOREACH_SAFE (it, tmp, &app->audits) {
        struct refused *x = LIST_ENTRY(it, struct refused, link);
        op_cancel(&x->op.op);
        let_go(x);
    }
}
