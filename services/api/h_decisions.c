#include "libcommon/base/compat.h"
#include "services/api/handlers.h"
#include "libcommon/base/clock.h"
#include "libcommon/model/decisions.h"
#include "services/api/audit.h"
#include "services/api/decision_json.h"
#include "services/api/hint.h"
#include "services/api/report.h"

/* --- one row
 * --- */

struct one {
    struct uuid id;
    struct decision d;
    unsigned perm; /* what others than the owner need; 0: reading */
    void (*then)(struct req *r);
    bool html; /* the report's format */
    /* feedback */
    int rating;
    const char *comment, *outcome, *outcome_note;
};

static void not_found(struct req *r)
{
    reply_error(r, API_DECISION_NOT_FOUND, NULL, NULL, "There is no such decision");
}

static void refuse(struct req *r, unsigned perm)
{
    audit_refused(r, "access.denied");
    reply_error(r, API_AUTH_INSUFFICIENT_PERMISSIONS, NULL, perm_name(perm),
                "Insufficient permissions");
}

static void loaded(struct req *r)
{
    struct one *one = r->state;
    struct err err;
    int rc = decisions_read(r->pg.result, 0, 0, r->arena, NULL, &one->d, &err);

    if (rc == ERR_NOTFOUND)
        not_found(r);
    else if (rc != 0)
        reply_err(r, &err);
    else if (one->perm != 0 && !req_may(r, one->d.user, one->perm))
        refuse(r, one->perm);
    else
        one->then(r);
}

/* Loads the decision of the path, sees to it that the user may, goes on with then. */
static void with_decision(struct req *r, struct one *one, unsigned perm,
                          void (*then)(struct req *r))
{
    struct pg_batch *b;

    one->perm = perm;
    one->then = then;
    r->state = one;
    if (!req_uuid(r, 0, &one->id)) {
        not_found(r);
        return;
    }
    b = req_batch(r, PG_READ);
    decisions_add_get(b, r->arena, one->id);
    req_pg(r, b, loaded);
}

static void answer_one(struct req *r)
{
    struct one *one = r->state;

    reply_data_with(r, 200, json_print(r->arena, decision_json(r->arena, &one->d, true)),
                    decision_metadata(r->arena, &one->d), NULL);
}

void h_decision_get(struct req *r)
{
    with_decision(r, arena_new_of(r->arena, struct one), 0, answer_one);
}

/* --- report --- */

#define REPORT_MAX (8 * 1024 * 1024)

static void answer_report(struct req *r)
{
    struct one *one = r->state;
    struct str text = json_print(r->arena, decision_json(r->arena, &one->d, true));
    cJSON *tree = NULL;
    struct buf b;
    struct err err;

    /* Printed and read again: the object holds raw parts, the report walks a tree. */
    if (json_parse(r->arena, text, JSON_DEPTH_MAX, &tree, &err) != 0) {
        reply_err(r, &err);
        return;
    }
    buf_init(&b, REPORT_MAX);
    report_write(tree, one->html ? REPORT_HTML : REPORT_MARKDOWN, &b);
    reply_raw(r, 200, one->html ? "text/html; charset=utf-8" : "text/markdown; charset=utf-8",
              arena_str(r->arena, buf_view(&b)));
    buf_done(&b);
}

void h_decision_report(struct req *r)
{
    struct one *one = arena_new_of(r->arena, struct one);
    bool bad = false;
    const char *format = req_param(r, "format", &bad);

    if (bad)
        return;
    if (format != NULL && !word_in(format, "md|html|json")) {
        reply_error(r, API_VALIDATION_ERROR, "format", "not_allowed",
                    "format must be one of md, html, json");
        return;
    }
    one->html = format != NULL && strcmp(format, "html") == 0;
    with_decision(r, one, 0,
                  format != NULL && strcmp(format, "json") == 0 ? answer_one : answer_report);
}

/* --- delete
 * --- */

static void deleted(struct req *r)
{
    struct one *one = r->state;

    hint_cancel(r->app, one->d.tenant, one->id);
    reply_empty(r, 204);
}

static void delete_row(struct req *r)
{
    struct one *one = r->state;
    struct pg_batch *b = req_batch(r, PG_IDEMPOTENT);

    /* A running one is cancelled by that: no write of its agent finds the row any more. */
    decisions_add_delete(b, r->arena, one->id);
    audit_with(r, b, "decision.delete", "decision", &one->id);
    req_pg(r, b, deleted);
}

void h_decision_delete(struct req *r)
{
    with_decision(r, arena_new_of(r->arena, struct one), PERM_DECISION_DELETE, delete_row);
}

/* --- cancel
 * --- */

static void reply_ended(struct req *r)
{
    struct one *one = r->state;

    reply_error_with(
        r, API_CONFLICT, "The decision has ended already",
        details_with_decision(r->arena, STR("{\"reason\":\"already_ended\"}"), one->id), NULL);
}

static void cancelled(struct req *r)
{
    struct one *one = r->state;

    if (pg_affected(r->pg.result, 0) == 0) {
        reply_ended(r);
        return;
    }
    hint_cancel(r->app, one->d.tenant, one->id);
    hint_decision(r->app, one->d.tenant, one->id, r->traceparent);
    reply_accepted(r, &one->d, NULL);
}

static void cancel_row(struct req *r)
{
    struct one *one = r->state;
    struct pg_batch *b;

    if (decision_ended(one->d.status)) {
        reply_ended(r);
        return;
    }
    b = req_batch(r, PG_IDEMPOTENT);
    decisions_add_cancel(b, r->arena, one->id);
    audit_with(r, b, "decision.cancel", "decision", &one->id);
    req_pg(r, b, cancelled);
}

void h_decision_cancel(struct req *r)
{
    with_decision(r, arena_new_of(r->arena, struct one), PERM_DECISION_UPDATE, cancel_row);
}

/* --- feedback
 * --- */

static void feedback_stored(struct req *r)
{
    struct one *one = r->state;
    cJSON *o = json_obj(r->arena);

    json_add_str(o, "status", "received");
    item_add_uuid(o, "analysis_id", one->id);
    reply_item(r, 200, o);
}

static void store_feedback(struct req *r)
{
    struct one *one = r->state;
    struct pg_batch *b = req_batch(r, PG_IDEMPOTENT);

    decisions_add_feedback(b, r->arena, one->id, r->who->user, one->rating, one->comment,
                           one->outcome, one->outcome_note);
    audit_with(r, b, "decision.feedback", "decision", &one->id);
    req_pg(r, b, feedback_stored);
}

static int read_feedback(struct req *r, struct one *one, struct fault *f)
{
    const char *same = NULL;
    double rating = 0;

    if (field_required(r->body, "", "rating", f) != 0 ||
        field_number(r->body, "", "rating", true, 1, 5, API_VALIDATION_ERROR, &rating, f) != 0 ||
        field_text(r->body, "", "comment", 0, 1000, API_VALIDATION_ERROR, &one->comment, f) != 0 ||
        field_enum(r->body, "", "outcome", "right|partly|wrong", API_VALIDATION_ERROR,
                   &one->outcome, f) != 0 ||
        field_text(r->body, "", "outcome_note", 0, 1000, API_VALIDATION_ERROR, &one->outcome_note,
                   f) != 0 ||
        field_string(r->body, "", "analysis_id", &same, f) != 0)
        return -1;
    if (same != NULL && !str_ieq(str_of(same), str_of(r->params[0])))
        return fault_set(f, API_VALIDATION_ERROR, "", "analysis_id", "differs",
                         "analysis_id must be the id in the path");
    one->rating = (int)rating;
    one->comment = arena_strdup(r->arena, one->comment); /* the body's tree goes */
    one->outcome = arena_strdup(r->arena, one->outcome);
    one->outcome_note = arena_strdup(r->arena, one->outcome_note);
    return 0;
}

void h_decision_feedback(struct req *r)
{
    struct one *one = arena_new_of(r->arena, struct one);
    struct fault f;

    if (read_feedback(r, one, &f) != 0)
        reply_fault(r, &f);
    else
        with_decision(r, one, PERM_DECISION_UPDATE, store_feedback);
}

/* --- the list
 * --- */

struct listing {
    struct decision_filter filter;
    struct page page;
};

static bool refuse_param(struct req *r, const char *name, const char *reason, const char *message)
{
    reply_error(r, API_VALIDATION_ERROR, name, reason, "%s", message);
    return false;
}

static bool read_number(struct req *r, const char *name, int64_t max, int64_t *out)
{
    bool bad = false;
    const char *z = req_param(r, name, &bad);
    int64_t v;

    if (bad)
        return false;
    if (z == NULL)
        return true;
    if (str_i64(str_of(z), &v) != 0 || v < 1 || v > max)
        return refuse_param(r, name, "out_of_range",
                            arena_printf(r->arena, "%s must be between 1 and %" PRId64, name, max));
    *out = v;
    return true;
}

static bool read_word(struct req *r, const char *name, const char *allowed, const char **out)
{
    bool bad = false;
    const char *z = req_param(r, name, &bad);

    if (bad)
        return false;
    if (z != NULL && !word_in(z, allowed))
        return refuse_param(r, name, "not_allowed",
                            arena_printf(r->arena, "%s must be one of %s", name, allowed));
    *out = z;
    return true;
}

static bool read_time(struct req *r, const char *name, int64_t *out)
{
    bool bad = false;
    const char *z = req_param(r, name, &bad);

    if (bad)
        return false;
    if (z != NULL && clock_parse_iso(z, out) != 0)
        return refuse_param(r, name, "malformed",
                            arena_printf(r->arena, "%s must be an ISO 8601 time", name));
    return true;
}

/* A cursor is the place of the last row seen: its time and id. */
static const char *cursor_make(struct arena *a, const struct decision *d)
{
    char id[UUID_LEN + 1], *out = arena_alloc(a, 120);
    const char *plain = arena_printf(a, "%" PRId64 ":%s", d->created_us, uuid_text(d->id, id));

    base64_encode(plain, strlen(plain), true, out);
    return out;
}

static bool read_cursor(struct req *r, struct listing *l)
{
    bool bad = false;
    const char *z = req_param(r, "cursor", &bad);
    char plain[100];

    if (bad)
        return false;
    l->page.by_cursor = z != NULL;
    if (z == NULL || z[0] == '\0')
        return true;
    ptrdiff_t n = base64_decode(str_of(z), true, plain, sizeof(plain));
    struct str rest = {plain, n < 0 ? 0 : (size_t)n};
    struct str time = str_split(&rest, ':');
    if (str_i64(time, &l->filter.cursor_us) != 0 || l->filter.cursor_us <= 0 || rest.p == NULL ||
        uuid_parse(rest, &l->filter.cursor_id) != 0)
        return refuse_param(r, "cursor", "malformed", "cursor is not one that was given out");
    return true;
}

static void listed(struct req *r)
{
    struct listing *l = r->state;
    const struct pg_result *res = r->pg.result;
    cJSON *items = json_arr(r->arena);
    int rows = pg_rows(res, 0);
    struct decision d;
    struct err err;

    for (int i = 0; i < rows && i < l->page.size; i++) {
        if (decisions_read(res, 0, i, r->arena, NULL, &d, &err) != 0) {
            reply_err(r, &err);
            return;
        }
        json_push_copy(items, decision_json(r->arena, &d, false));
        if (i == l->page.size - 1 && rows > l->page.size)
            l->page.next_cursor = cursor_make(r->arena, &d);
    }
    l->page.total = pg_get_i64(res, 1, 0, 0);
    reply_page(r, json_print(r->arena, items), &l->page);
}

void h_decision_list(struct req *r)
{
    struct listing *l = arena_new_of(r->arena, struct listing);
    struct pg_batch *b;

    l->page.page = 1;
    l->page.size = 20;
    r->state = l;
    if (!read_number(r, "page", 1000000, &l->page.page) ||
        !read_number(r, "page_size", 100, &l->page.size) ||
        !read_word(r, "status", "pending|running|waiting_input|completed|failed|cancelled",
                   &l->filter.status) ||
        !read_word(r, "decision_type", "investment|risk|strategy|general", &l->filter.type) ||
        !read_time(r, "from", &l->filter.from_us) || !read_time(r, "to", &l->filter.to_us) ||
        !read_cursor(r, l))
        return;
    l->filter.limit = (int)l->page.size + 1;
    l->filter.offset = l->page.by_cursor ? 0 : (int)((l->page.page - 1) * l->page.size);
    l->filter.mine = true;
    l->filter.user = r->who->user;
    b = req_batch(r, PG_READ);
    decisions_add_list(b, r->arena, &l->filter);
    req_pg(r, b, listed);
}
