/* outbox.c: a row is taken by moving its due time on, so a relay that dies gives it back by itself.
 * Of each decision and target only the first open row can be taken: the next goes out after it
 * went. */
#include "libcommon/base/compat.h"
#include "libcommon/model/outbox.h"
#include "libcommon/model/sql.h"

static const struct pg_stmt upd_take = {
    "outbox_take",
    "WITH due AS MATERIALIZED (SELECT outbox_id AS due_id FROM outbox o "
    "WHERE published_at IS NULL AND dead_at IS NULL AND due_at <= clock_timestamp() "
    "AND NOT EXISTS (SELECT FROM outbox p WHERE p.decision_id = o.decision_id "
    "AND p.target = o.target AND p.published_at IS NULL AND p.dead_at IS NULL "
    "AND p.outbox_id < o.outbox_id) ORDER BY outbox_id LIMIT $2::int FOR UPDATE SKIP LOCKED), "
    "taken AS (UPDATE outbox SET due_at = clock_timestamp() + " SQL_MS(
        "$1") " FROM due WHERE outbox_id = due_id RETURNING outbox_id, event_id, tenant_id, "
              "decision_id, "
              "topic, target, url, payload, attempts, " SQL_US(
                  "created_at") ") "
                                "SELECT * FROM taken ORDER BY outbox_id",
    2};
static const struct pg_stmt upd_done = {
    "outbox_done",
    "UPDATE outbox SET published_at = clock_timestamp() WHERE outbox_id = ANY ($1::bigint[]) "
    "AND published_at IS NULL",
    1};
static const struct pg_stmt upd_failed = {
    "outbox_failed",
    "UPDATE outbox SET attempts = attempts + 1, due_at = clock_timestamp() + " SQL_MS(
        "$2") ", dead_at = CASE WHEN $3::bool THEN clock_timestamp() END, last_error = "
              "left($4::text, 500) "
              "WHERE outbox_id = $1::bigint AND published_at IS NULL",
    4};

int outbox_add_take(struct pg_batch *b, struct arena *a, int64_t hold_ms, int limit)
{
    return pg_batch_add(b, &upd_take, (struct pg_param[]){pg_i64(a, hold_ms), pg_i64(a, limit)});
}

int outbox_read(const struct pg_result *r, int stmt, int row, struct arena *a UNUSED,
                struct outbox_row *out)
{
    if (row >= pg_rows(r, stmt))
        return ERR_NOTFOUND;
    out->id = pg_get_i64(r, stmt, row, 0);
    out->event_id = pg_get_uuid(r, stmt, row, 1);
    out->tenant = pg_get_uuid(r, stmt, row, 2);
    out->has_decision = !pg_isnull(r, stmt, row, 3);
    out->decision = pg_get_uuid(r, stmt, row, 3);
    out->topic = pg_getz(r, stmt, row, 4);
    out->target = pg_getz(r, stmt, row, 5);
    out->url = pg_getz(r, stmt, row, 6);
    out->payload = pg_get(r, stmt, row, 7);
    out->attempts = (int)pg_get_i64(r, stmt, row, 8);
    out->created_us = pg_get_i64(r, stmt, row, 9);
    return 0;
}

int outbox_add_done(struct pg_batch *b, struct arena *a, const int64_t *ids, int n)
{
    return pg_batch_add(b, &upd_done, (struct pg_param[]){pg_i64s(a, ids, n)});
}

int outbox_add_failed(struct pg_batch *b, struct arena *a, int64_t id, int64_t delay_ms, bool dead,
                      const char *error)
{
    return pg_batch_add(
        b, &upd_failed,
        (struct pg_param[]){pg_i64(a, id), pg_i64(a, delay_ms), pg_bool(dead), pg_z(error)});
}
