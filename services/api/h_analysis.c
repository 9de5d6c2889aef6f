/* Background analysis: the same decisions under the names of a task queue, and the counts of all.
 */
#include "libcommon/base/compat.h"
#include "services/api/handlers.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/stats.h"
#include "services/api/audit.h"
#include "services/api/decision_json.h"
#include "services/api/hint.h"

/* A worker's states. */
static const char *state_of(const struct decision *d)
{
    static const struct {
        const char *status, *state;
    } rows[] = {{"pending", "PENDING"},   {"running", "STARTED"}, {"waiting_input", "STARTED"},
                {"completed", "SUCCESS"}, {"failed", "FAILURE"},  {"cancelled", "REVOKED"}};

    if (strcmp(d->status, "running") == 0 && d->attempts > 1)
        return "RETRY";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].status, d->status) == 0)
            return rows[i].state;
    return "PENDING";
}

void reply_task(struct req *r, const struct decision *d, const char *headers)
{
    cJSON *o = json_obj(r->arena);
    char id[UUID_LEN + 1];

    item_add_uuid(o, "task_id", d->id);
    json_add_str(o, "status", "processing");
    item_add_uuid(o, "decision_id", d->id);
    reply_data_with(r, 202, json_print(r->arena, o), NULL,
                    arena_printf(r->arena, "%sLocation: /api/v1/analysis/%s/status\r\n",
                                 headers == NULL ? "" : headers, uuid_text(d->id, id)));
}

static cJSON *task_json(struct arena *a, const struct decision *d)
{
    cJSON *o = json_obj(a);

    item_add_uuid(o, "task_id", d->id);
    json_add_str(o, "status", state_of(d));
    if (strcmp(d->status, "completed") == 0)
        json_add_copy(o, "result", decision_json(a, d, true));
    else
        json_add_null(o, "result");
    if (d->error.n > 0)
        item_add_raw(o, "error", d->error);
    else
        json_add_null(o, "error");
    return o;
}

/* --- one task --- */

static void not_found(struct req *r)
{
    reply_error(r, API_DECISION_NOT_FOUND, NULL, NULL, "There is no such task");
}

static bool read_task(struct req *r, struct decision *d)
{
    struct err err;
    int rc = decisions_read(r->pg.result, 0, 0, r->arena, NULL, d, &err);

    if (rc == ERR_NOTFOUND)
        not_found(r);
    else if (rc != 0)
        reply_err(r, &err);
    return rc == 0;
}

static void load(struct req *r, void (*then)(struct req *r))
{
    struct uuid id;
    struct pg_batch *b;

    if (!req_uuid(r, 0, &id)) {
        not_found(r);
        return;
    }
    b = req_batch(r, PG_READ);
    decisions_add_get(b, r->arena, id);
    req_pg(r, b, then);
}

static void answer_status(struct req *r)
{
    struct decision d;

    if (read_task(r, &d))
        reply_item(r, 200, task_json(r->arena, &d));
}

void h_analysis_status(struct req *r)
{
    load(r, answer_status);
}

static void cancelled(struct req *r)
{
    const struct decision *d = r->state;
    cJSON *o = json_obj(r->arena);

    hint_cancel(r->app, d->tenant, d->id);
    hint_decision(r->app, d->tenant, d->id, r->traceparent);
    item_add_uuid(o, "task_id", d->id);
    json_add_str(o, "status", "cancelling");
    reply_item(r, 202, o);
}

static void cancel(struct req *r)
{
    struct decision *d = arena_new_of(r->arena, struct decision);
    struct pg_batch *b;

    if (!read_task(r, d))
        return;
    if (!req_may(r, d->user, PERM_DECISION_UPDATE)) {
        audit_refused(r, "access.denied");
        reply_error(r, API_AUTH_INSUFFICIENT_PERMISSIONS, NULL, perm_name(PERM_DECISION_UPDATE),
                    "Insufficient permissions");
        return;
    }
    if (decision_ended(d->status)) {
        reply_error_with(
            r, API_CONFLICT, "The task has ended already",
            details_with_decision(r->arena, STR("{\"reason\":\"already_ended\"}"), d->id), NULL);
        return;
    }
    r->state = d;
    b = req_batch(r, PG_IDEMPOTENT);
    decisions_add_cancel(b, r->arena, d->id);
    audit_with(r, b, "decision.cancel", "decision", &d->id);
    req_pg(r, b, cancelled);
}

void h_analysis_cancel(struct req *r)
{
    load(r, cancel);
}

/* --- counts --- */

static void add_to(cJSON *counts, const char *key, double n)
{
    cJSON *item = json_get(counts, key);

    if (item != NULL)
        cJSON_SetNumberValue(item, item->valuedouble + n);
    else
        json_add_num(counts, key, n);
}

static void counted(struct req *r)
{
    const struct pg_result *res = r->pg.result;
    cJSON *o = json_obj(r->arena), *analyses = json_add_obj(o, "analyses");
    double total = 0, in = 0, out = 0;

    json_add_num(analyses, "total", 0);
    cJSON *by_status = json_add_obj(analyses, "by_status");
    cJSON *by_type = json_add_obj(analyses, "by_type");
    for (int i = 0; i < pg_rows(res, 0); i++) {
        double n = (double)pg_get_i64(res, 0, i, 2);
        add_to(by_status, pg_getz(res, 0, i, 0), n);
        add_to(by_type, pg_getz(res, 0, i, 1), n);
        total += n;
        in += (double)pg_get_i64(res, 0, i, 3);
        out += (double)pg_get_i64(res, 0, i, 4);
    }
    cJSON_SetNumberValue(json_get(analyses, "total"), total);
    cJSON *tokens = json_add_obj(o, "tokens");
    json_add_num(tokens, "input", in);
    json_add_num(tokens, "output", out);
    json_add_num(tokens, "total", in + out);
    json_add_num(o, "conversations", (double)pg_get_i64(res, 1, 0, 0));
    reply_item(r, 200, o);
}

void h_stats(struct req *r)
{
    struct pg_batch *b = req_batch(r, PG_READ);

    stats_add(b);
    req_pg(r, b, counted);
}
