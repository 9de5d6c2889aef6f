/* Accepting a decision. Nothing is answered before the row, and its idempotency key with it, is
 * committed; the hint to the agents comes after that and may get lost. */
#include "libcommon/base/compat.h"
#include "services/api/handlers.h"
#include "libcommon/base/log.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/watch.h"
#include "libcommon/sec/crypt.h"
#include "services/api/analyze.h"
#include "services/api/audit.h"
#include "services/api/decision_json.h"
#include "services/api/hint.h"
#include "services/api/stream.h"
#include "services/api/wait.h"

struct creation {
    enum analyze_form form;
    int status; /* of success */
    bool task;  /* answered at once, as a task */
    const char *key;
    struct analyze in;
    struct decision row;
    struct uuid *interrupt; /* decisions of the session to cancel */
    int interrupt_count;
    int documents_stmt, session_stmt, accept_stmt;
};

void reply_fault(struct req *r, const struct fault *f)
{
    reply_error(r, f->code, f->field, f->reason, "%s", f->message);
}

/* --- what limits the tenant
 * --- */

static struct analyze_limits limits_of(struct req *r)
{
    const struct settings *s = r->app->set;
    cJSON *tenant = NULL;
    struct err err;

    if (r->who->tenant_limits.n > 0 &&
        json_parse(r->arena, r->who->tenant_limits, 8, &tenant, &err) != 0)
        tenant = NULL;
    const cJSON *b = json_get(tenant, "budget");
    return (struct analyze_limits){.steps = json_num(b, "steps", (double)s->budget_steps),
                                   .seconds = json_num(b, "seconds", (double)s->budget_seconds),
                                   .tokens = json_num(b, "tokens", (double)s->budget_tokens),
                                   .usd = json_num(b, "usd", s->budget_usd)};
}

/* --- the idempotency key
 * --- */

bool read_idempotency_key(struct req *r, const char **out)
{
    struct str given = http_req_header(r->http, "idempotency-key");
    bool good = given.n >= 1 && given.n <= 255;

    *out = NULL;
    if (given.p == NULL)
        return true;
    for (size_t i = 0; i < given.n; i++)
        good = good && given.p[i] > ' ' - 1 && given.p[i] < 0x7f;
    if (!good) {
        reply_error(r, API_INVALID_REQUEST, "Idempotency-Key", "malformed",
                    "Idempotency-Key must be 1 to 255 printable characters");
        return false;
    }
    *out = arena_strndup(r->arena, given.p, given.n);
    return true;
}

/* --- after the commit
 * --- */

static void deliver(struct req *r, const struct decision *d, bool replayed)
{
    struct creation *c = r->state;
    const char *headers = replayed ? "Idempotent-Replayed: true\r\n" : NULL;
    const char *mode = c->in.mode;

    if (c->task)
        reply_task(r, d, headers);
    else if (strcmp(mode, "stream") == 0)
        stream_decision(r, d, headers);
    else if (strcmp(mode, "async") == 0)
        reply_accepted(r, d, headers);
    else
        wait_decision(r, d, c->status, headers, replayed);
}

static void replay_loaded(struct req *r)
{
    struct decision d;
    struct err err;
    int rc = decisions_read(r->pg.result, 0, 0, r->arena, NULL, &d, &err);

    if (rc == ERR_NOTFOUND)
        reply_error(r, API_DECISION_NOT_FOUND, NULL, "deleted",
                    "The decision of this Idempotency-Key was deleted");
    else if (rc != 0)
        reply_err(r, &err);
    else
        deliver(r, &d, true);
}

static void replay(struct req *r, struct uuid target)
{
    struct pg_batch *b = req_batch(r, PG_READ);

    decisions_add_get(b, r->arena, target);
    r->failed = NULL;
    req_pg(r, b, replay_loaded);
}

static void announce(struct req *r)
{
    struct creation *c = r->state;
    char id[UUID_LEN + 1], user[UUID_LEN + 1], tenant[UUID_LEN + 1];

    hint_decision(r->app, c->row.tenant, c->row.id, r->traceparent);
    for (int i = 0; i < c->interrupt_count; i++)
        hint_cancel(r->app, c->row.tenant, c->interrupt[i]);
    log_info("decision_created", LOG_S("request_id", r->id),
             LOG_S("user_id", uuid_text(c->row.user, user)),
             LOG_S("decision_id", uuid_text(c->row.id, id)),
             LOG_S("tenant_id", uuid_text(c->row.tenant, tenant)), LOG_S("mode", c->in.mode),
             LOG_S("decision_type", c->in.type));
}

static void accepted(struct req *r)
{
    struct creation *c = r->state;
    struct accept a;

    decisions_read_accept(r->pg.result, c->accept_stmt, &a);
    if (!a.inserted && !a.same_body) {
        reply_error(r, API_IDEMPOTENCY_CONFLICT, "Idempotency-Key", "other_body",
                    "This Idempotency-Key was used with another request");
    } else if (!a.inserted) {
        replay(r, a.target);
    } else {
        c->row.created_us = a.created_us;
        announce(r);
        deliver(r, &c->row, false);
    }
}

static void accept_failed(struct req *r, const struct pg_op *op)
{
    if (op->op.err.code == ERR_CONFLICT)
        reply_error_with(r, API_IDEMPOTENCY_CONFLICT,
                         "The first request with this Idempotency-Key is still being accepted",
                         STR("{\"field\":\"Idempotency-Key\",\"reason\":\"in_progress\"}"),
                         "Retry-After: 1\r\n");
    else
        reply_err(r, &op->op.err);
}

/* --- accepting
 * --- */

static void fill_row(struct req *r, struct creation *c)
{
    struct decision *d = &c->row;

    d->id = uuid_v7();
    d->tenant = r->who->tenant;
    d->user = r->who->user;
    d->session = c->in.session;
    d->query = c->in.query;
    d->context = c->in.context;
    d->options = c->in.options;
    d->option_count = c->in.option_count;
    d->documents = c->in.documents;
    d->document_count = c->in.document_count;
    d->type = c->in.type;
    d->agent_mode = c->in.agent_mode;
    d->params = c->in.params;
    d->request_id = r->id;
    d->traceparent = r->traceparent;
    d->status = "pending";
}

static void do_accept(struct req *r)
{
    struct creation *c = r->state;
    struct pg_batch *b = req_batch(r, PG_SHARE);
    uint8_t hash[32];

    fill_row(r, c);
    sha256(r->http->body.p, r->http->body.n, hash);
    for (int i = 0; i < c->interrupt_count; i++)
        decisions_add_cancel(b, r->arena, c->interrupt[i]);
    c->accept_stmt =
        decisions_add_accept(b, r->arena, r->app->ring, &c->row, c->key, r->route->pattern, hash);
    audit_with(r, b, "decision.analyze", "decision", &c->row.id);
    r->failed = accept_failed;
    req_pg(r, b, accepted);
}

/* --- what must be looked up before
 * --- */

static bool documents_exist(struct req *r, const struct creation *c)
{
    const struct pg_result *res = r->pg.result;

    for (int i = 0; i < c->in.document_count; i++) {
        bool found = false;
        for (int row = 0; row < pg_rows(res, c->documents_stmt) && !found; row++) {
            struct uuid u = pg_get_uuid(res, c->documents_stmt, row, 0);
            found = memcmp(&u, &c->in.documents[i], sizeof(u)) == 0;
        }
        if (!found) {
            reply_error(r, API_DATA_NOT_FOUND, arena_printf(r->arena, "documents/%d", i), "unknown",
                        "There is no such document");
            return false;
        }
    }
    return true;
}

static bool session_is_free(struct req *r, struct creation *c)
{
    int n = pg_rows(r->pg.result, c->session_stmt);

    if (n == 0)
        return true;
    if (strcmp(c->in.on_busy, "interrupt") != 0) {
        reply_error_with(r, API_CONFLICT, "The session's last question is still being answered",
                         details_with_decision(r->arena, STR("{\"reason\":\"session_busy\"}"),
                                               pg_get_uuid(r->pg.result, c->session_stmt, 0, 0)),
                         NULL);
        return false;
    }
    c->interrupt = arena_array(r->arena, struct uuid, n);
    for (int i = 0; i < n; i++)
        c->interrupt[i] = pg_get_uuid(r->pg.result, c->session_stmt, i, 0);
    c->interrupt_count = n;
    return true;
}

static void looked_up(struct req *r)
{
    struct creation *c = r->state;

    if (c->documents_stmt >= 0 && !documents_exist(r, c))
        return;
    if (c->session_stmt >= 0 && !session_is_free(r, c))
        return;
    do_accept(r);
}

static void look_up(struct req *r)
{
    struct creation *c = r->state;
    struct pg_batch *b = req_batch(r, PG_READ);

    c->documents_stmt = c->session_stmt = -1;
    if (c->in.document_count > 0)
        c->documents_stmt =
            documents_add_get(b, r->arena, c->in.documents, c->in.document_count, false);
    if (c->in.has_session && strcmp(c->in.on_busy, "queue") != 0)
        c->session_stmt = watch_add_session(b, r->arena, c->in.session, r->who->user);
    if (c->documents_stmt < 0 && c->session_stmt < 0)
        do_accept(r);
    else
        req_pg(r, b, looked_up);
}

static void create_as(struct req *r, enum analyze_form form, int status, bool task)
{
    struct creation *c = arena_new_of(r->arena, struct creation);
    struct analyze_limits limits = limits_of(r);
    struct fault fault;

    c->form = form;
    c->status = status;
    c->task = task;
    r->state = c;
    if (!read_idempotency_key(r, &c->key))
        return;
    if (analyze_read(r->arena, r->http->body, r->body, form, &limits, &c->in, &fault) != 0) {
        reply_fault(r, &fault);
        return;
    }
    look_up(r);
}

static void create(struct req *r, enum analyze_form form, int status)
{
    create_as(r, form, status, false);
}

void h_analysis_start(struct req *r)
{
    create_as(r, FORM_LONG, 202, true);
}

void h_decision_analyze(struct req *r)
{
    create(r, FORM_LONG, 201);
}

void h_analyze(struct req *r)
{
    create(r, FORM_SHORT, 200);
}

void h_decision_investment(struct req *r)
{
    create(r, FORM_INVESTMENT, 200);
}

void h_decision_risk(struct req *r)
{
    create(r, FORM_RISK, 200);
}

void h_decision_strategy(struct req *r)
{
    create(r, FORM_STRATEGY, 200);
}
