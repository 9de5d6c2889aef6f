/* decisions.c: what the gateway does with decisions. Accepting with an idempotency key is two
 * statements of one transaction: the second reads the key's row again, since the first, when it had
 * to wait for another transaction with the same key, can't see what that one wrote. */
#include "libcommon/base/compat.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/decisions_row.h"
#include "libcommon/model/place.h"

#define DECISION_INTO                                                                      \
    "INSERT INTO decisions (decision_id, tenant_id, user_id, session_id, query, context, " \
    "options, documents, decision_type, agent_mode, params, request_id, traceparent) "
#define DECISION_VALUES                                                                     \
    "$1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::text, $6::bytea, $7::text[], $8::uuid[], " \
    "$9::text, $10::text, $11::jsonb, $12::text, $13::text "

static const struct pg_stmt ins_decision = {
    "decisions_insert",
    DECISION_INTO "VALUES (" DECISION_VALUES ") RETURNING decision_id, " SQL_US("created_at"), 13};

static const struct pg_stmt ins_keyed = {
    "decisions_insert_keyed",
    "WITH k AS (INSERT INTO idempotency_keys AS i "
    "(tenant_id, user_id, key, route, body_sha256, target_id) "
    "VALUES ($2::uuid, $3::uuid, $14::text, $15::text, $16::bytea, $1::uuid) "
    "ON CONFLICT (tenant_id, user_id, key) DO UPDATE SET route = EXCLUDED.route, "
    "body_sha256 = EXCLUDED.body_sha256, target_id = EXCLUDED.target_id, "
    "created_at = clock_timestamp() "
    "WHERE i.created_at < clock_timestamp() - interval '24 hours' RETURNING 1) " DECISION_INTO
    "SELECT " DECISION_VALUES "FROM k RETURNING decision_id, " SQL_US("created_at"),
    16};

static const struct pg_stmt sel_key = {
    "decisions_key",
    "SELECT target_id, route = $4::text AND body_sha256 = $5::bytea FROM idempotency_keys "
    "WHERE tenant_id = $1::uuid AND user_id = $2::uuid AND key = $3::text",
    5};

static const struct pg_stmt sel_one = {
    "decisions_get", "SELECT " DECISION_COLUMNS " FROM decisions WHERE decision_id = $1::uuid", 1};

/* Two texts, since a generic plan of "user is NULL or equal" could not use the user's index. */
#define LIST_WHERE                                                                        \
    "($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR decision_type = $2) AND " \
    "($3::bigint = 0 OR created_at >= " SQL_TIME(                                         \
        "$3") ") AND "                                                                    \
              "($4::bigint = 0 OR created_at <= " SQL_TIME("$4") ") "
/* Of the result what the recommendation of a list item is made of. */
#define SHORT_RESULT                                                                          \
    "CASE WHEN decision_result IS NOT NULL THEN jsonb_build_object('final_recommendation', "  \
    "decision_result->'final_recommendation', 'risk_assessment', jsonb_build_object("         \
    "'risk_factors', decision_result#>'{risk_assessment,risk_factors}'), 'recommendations', " \
    "jsonb_build_array(jsonb_build_object('pros', "                                           \
    "decision_result#>'{recommendations,0,pros}'))) END"
#define LIST_ROWS(which, last1, last2, last3, last4)                                             \
    "SELECT " DECISION_COLUMNS_OF("NULL::bytea", SHORT_RESULT) " FROM decisions WHERE " which    \
        LIST_WHERE "AND (" last1 "::bigint = 0 OR (created_at, decision_id) < (" SQL_TIME(       \
            last1) ", " last2 "::uuid)) ORDER BY created_at DESC, decision_id DESC LIMIT " last3 \
                   "::int OFFSET " last4 "::int"
#define LIST_COUNT(which) "SELECT count(*) FROM decisions WHERE " which LIST_WHERE

static const struct pg_stmt list_all = {"decisions_list", LIST_ROWS("", "$5", "$6", "$7", "$8"), 8};
static const struct pg_stmt list_mine = {
    "decisions_list_mine", LIST_ROWS("user_id = $5::uuid AND ", "$6", "$7", "$8", "$9"), 9};
static const struct pg_stmt count_all = {"decisions_count", LIST_COUNT(""), 4};
static const struct pg_stmt count_mine = {"decisions_count_mine",
                                          LIST_COUNT("user_id = $5::uuid AND "), 5};

static const struct pg_stmt del_one = {
    "decisions_delete",
    "WITH gone AS (DELETE FROM decisions WHERE decision_id = $1::uuid RETURNING decision_id), "
    "unsent AS (DELETE FROM outbox o USING gone g WHERE o.decision_id = g.decision_id "
    "AND o.published_at IS NULL AND o.dead_at IS NULL) SELECT decision_id FROM gone",
    1};

static const struct pg_stmt upd_cancel = {
    "decisions_cancel",
    "UPDATE decisions SET cancel_asked_at = COALESCE(cancel_asked_at, clock_timestamp()), "
    "updated_at = clock_timestamp() WHERE decision_id = $1::uuid AND " DECISION_OPEN,
    1};

static const struct pg_stmt upd_feedback = {
    "decisions_feedback",
    "WITH f AS (INSERT INTO decision_feedback AS old "
    "(decision_id, user_id, tenant_id, rating, comment, outcome, outcome_note) "
    "SELECT decision_id, $2::uuid, tenant_id, $3::int, $4::text, $5::text, $6::text "
    "FROM decisions WHERE decision_id = $1::uuid "
    "ON CONFLICT (decision_id, user_id) DO UPDATE SET rating = EXCLUDED.rating, "
    "comment = EXCLUDED.comment, outcome = EXCLUDED.outcome, "
    "outcome_note = EXCLUDED.outcome_note, updated_at = clock_timestamp() RETURNING old.*) "
    "UPDATE decisions d SET outcome = COALESCE(f.outcome, d.outcome), "
    "updated_at = clock_timestamp(), user_feedback = jsonb_build_object('user_id', f.user_id, "
    "'rating', f.rating, 'comment', f.comment, 'outcome', f.outcome, "
    "'outcome_note', f.outcome_note, 'updated_at', f.updated_at) "
    "FROM f WHERE d.decision_id = f.decision_id",
    6};

int decisions_add_accept(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                         const struct decision *d, const char *key, const char *route,
                         const uint8_t body_sha256[32])
{
    struct str sealed = {NULL, 0};
    int index;

    if (d->context.p != NULL)
        sealed = seal(ring, a, d->context, place_of(a, "decisions", d->id, "context"));
    const struct pg_param p[16] = {
        pg_uuid(a, d->id),
        pg_uuid(a, d->tenant),
        pg_uuid(a, d->user),
        pg_uuid(a, d->session),
        pg_z(d->query),
        pg_bytes(sealed.p, sealed.n),
        pg_texts(a, d->options, d->option_count),
        pg_uuids(a, d->documents, d->document_count),
        pg_z(d->type),
        pg_z(d->agent_mode),
        pg_str(d->params.p == NULL ? STR("{}") : d->params),
        pg_z(d->request_id),
        pg_z(d->traceparent),
        pg_z(key),
        pg_z(route),
        pg_bytes(body_sha256, key == NULL ? 0 : 32),
    };

    if (key == NULL)
        return pg_batch_add(b, &ins_decision, p);
    index = pg_batch_add(b, &ins_keyed, p);
    pg_batch_add(b, &sel_key, (struct pg_param[]){p[1], p[2], p[13], p[14], p[15]});
    return index;
}

void decisions_read_accept(const struct pg_result *r, int stmt, struct accept *out)
{
    *out = (struct accept){.inserted = pg_affected(r, stmt) == 1};
    if (out->inserted)
        out->created_us = pg_get_i64(r, stmt, 0, 1);
    if (out->inserted || pg_rows(r, stmt + 1) == 0)
        return;
    out->target = pg_get_uuid(r, stmt + 1, 0, 0);
    out->same_body = pg_get_bool(r, stmt + 1, 0, 1);
}

int decisions_add_get(struct pg_batch *b, struct arena *a, struct uuid id)
{
    return pg_batch_add(b, &sel_one, (struct pg_param[]){pg_uuid(a, id)});
}

static void read_texts(const struct pg_result *r, int stmt, int row, struct decision *d)
{
    d->query = pg_getz(r, stmt, row, 4);
    d->option_count = pg_get_texts(r, stmt, row, 6, &d->options);
    d->document_count = pg_get_uuids(r, stmt, row, 7, &d->documents);
    d->type = pg_getz(r, stmt, row, 8);
    d->agent_mode = pg_getz(r, stmt, row, 9);
    d->params = pg_get(r, stmt, row, 10);
    d->request_id = pg_getz(r, stmt, row, 11);
    d->traceparent = pg_getz(r, stmt, row, 12);
    d->status = pg_getz(r, stmt, row, 13);
    d->lang = pg_getz(r, stmt, row, 19);
    d->skill_count = pg_get_texts(r, stmt, row, 21, &d->skills);
    d->result = pg_get(r, stmt, row, 22);
    d->agent = pg_get(r, stmt, row, 23);
    d->usage = pg_get(r, stmt, row, 24);
    d->error = pg_get(r, stmt, row, 25);
    d->feedback = pg_get(r, stmt, row, 26);
}

static void read_numbers(const struct pg_result *r, int stmt, int row, struct decision *d)
{
    struct str hash = pg_get_bytes(r, stmt, row, 15);

    d->id = pg_get_uuid(r, stmt, row, 0);
    d->tenant = pg_get_uuid(r, stmt, row, 1);
    d->user = pg_get_uuid(r, stmt, row, 2);
    d->session = pg_get_uuid(r, stmt, row, 3);
    d->head_seq = pg_get_i64(r, stmt, row, 14);
    memcpy(d->head_hash, hash.p, MIN(hash.n, sizeof d->head_hash));
    d->lease_epoch = pg_get_i64(r, stmt, row, 16);
    d->attempts = (int)pg_get_i64(r, stmt, row, 17);
    d->cancel_asked = pg_get_bool(r, stmt, row, 18);
    d->degraded = pg_get_bool(r, stmt, row, 20);
    d->created_us = pg_get_i64(r, stmt, row, 27);
    d->updated_us = pg_get_i64(r, stmt, row, 28);
    d->completed_us = pg_get_i64(r, stmt, row, 29);
}

int decisions_read(const struct pg_result *r, int stmt, int row, struct arena *a,
                   const struct keyring *ring, struct decision *out, struct err *err)
{
    struct decision d = {0};
    struct str sealed;

    if (row >= pg_rows(r, stmt))
        return err_set(err, ERR_NOTFOUND, "there is no such decision");
    read_numbers(r, stmt, row, &d);
    read_texts(r, stmt, row, &d);
    sealed = pg_get_bytes(r, stmt, row, 5);
    if (ring != NULL && sealed.p != NULL &&
        unseal(ring, a, sealed, place_of(a, "decisions", d.id, "context"), &d.context, err) != 0)
        return err_wrap(err, "the decision's context");
    *out = d;
    return 0;
}

int decisions_add_list(struct pg_batch *b, struct arena *a, const struct decision_filter *f)
{
    const struct pg_param where[4] = {pg_z(f->status), pg_z(f->type), pg_i64(a, f->from_us),
                                      pg_i64(a, f->to_us)};
    const struct pg_param page[4] = {pg_i64(a, f->cursor_us), pg_uuid(a, f->cursor_id),
                                     pg_i64(a, f->limit), pg_i64(a, f->offset)};
    const struct pg_param user = pg_uuid(a, f->user);
    struct pg_param p[9];
    int n = 4, index;

    memcpy(p, where, sizeof where);
    if (f->mine)
        p[n++] = user;
    memcpy(p + n, page, sizeof page);
    index = pg_batch_add(b, f->mine ? &list_mine : &list_all, p);
    pg_batch_add(b, f->mine ? &count_mine : &count_all, p);
    return index;
}

int decisions_add_delete(struct pg_batch *b, struct arena *a, struct uuid id)
{
    return pg_batch_add(b, &del_one, (struct pg_param[]){pg_uuid(a, id)});
}

int decisions_add_cancel(struct pg_batch *b, struct arena *a, struct uuid id)
{
    return pg_batch_add(b, &upd_cancel, (struct pg_param[]){pg_uuid(a, id)});
}

int decisions_add_feedback(struct pg_batch *b, struct arena *a, struct uuid id, struct uuid user,
                           int rating, const char *comment, const char *outcome,
                           const char *outcome_note)
{
    return pg_batch_add(b, &upd_feedback,
                        (struct pg_param[]){pg_uuid(a, id), pg_uuid(a, user), pg_i64(a, rating),
                                            pg_z(comment), pg_z(outcome), pg_z(outcome_note)});
}
