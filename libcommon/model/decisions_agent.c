/* decisions_agent.c: what agents do with decisions. Everything is by the server's clock and fenced
 * by the lease's epoch. A statement that touches many rows never waits for a locked one: agents
 * append to many decisions in one transaction (group commit), and two transactions that each hold
 * what the other wants would stand still until the server notices the deadlock. */
#include "libcommon/base/compat.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/decisions_row.h"

/* on_busy "queue": not before the session's earlier questions have ended. */
#define NOT_QUEUED                                                                             \
    "NOT (status = 'pending' AND params->>'on_busy' = 'queue' AND EXISTS (SELECT FROM "        \
    "decisions o WHERE o.user_id = decisions.user_id AND o.session_id = decisions.session_id " \
    "AND o.created_at < decisions.created_at AND o." DECISION_OPEN "))"
#define CLAIM(due)                                                                              \
    "WITH due AS MATERIALIZED (SELECT decision_id AS due_id FROM decisions WHERE " due          \
    " AND " DECISION_OPEN " AND " NOT_QUEUED                                                    \
    " ORDER BY due_at LIMIT $3::int FOR UPDATE SKIP LOCKED) "                                   \
    "UPDATE decisions SET status = CASE status WHEN 'pending' THEN 'running' ELSE status END, " \
    "lease_epoch = lease_epoch + 1, attempts = attempts + 1, lease_owner = $1::text, "          \
    "lease_until = clock_timestamp() + " SQL_MS(                                                \
        "$2") ", updated_at = clock_timestamp() "                                               \
              "FROM due WHERE decision_id = due_id RETURNING " DECISION_COLUMNS

static const struct pg_stmt claim_ids = {
    "decisions_claim_ids",
    CLAIM("decision_id = ANY ($4::uuid[]) AND due_at <= clock_timestamp() "
          "AND (lease_until IS NULL OR lease_until < clock_timestamp())"),
    4};
static const struct pg_stmt claim_due = {
    "decisions_claim_due",
    CLAIM("due_at <= clock_timestamp() AND CASE WHEN lease_until IS NULL "
          "THEN due_at <= clock_timestamp() - " SQL_MS(
              "$4") " ELSE lease_until < clock_timestamp() END"),
    4};

/* A row that is locked at this moment is being written by us, under the lease: it is still held,
 * though not prolonged this time (third column). */
static const struct pg_stmt upd_renew = {
    "decisions_renew",
    "WITH held AS MATERIALIZED (SELECT decision_id AS held_id FROM decisions "
    "JOIN unnest($1::uuid[], $2::bigint[]) AS h (id, epoch) ON decision_id = h.id "
    "AND lease_epoch = h.epoch WHERE " DECISION_OPEN " FOR UPDATE OF decisions SKIP LOCKED), "
    "done AS (UPDATE decisions SET lease_until = clock_timestamp() + " SQL_MS(
        "$3") " FROM held WHERE decision_id = held_id RETURNING decision_id) "
              "SELECT d.decision_id, d.cancel_asked_at IS NOT NULL, done.decision_id IS NOT NULL "
              "FROM decisions d JOIN unnest($1::uuid[], $2::bigint[]) AS h (id, epoch) "
              "ON d.decision_id = h.id AND d.lease_epoch = h.epoch "
              "LEFT JOIN done ON done.decision_id = d.decision_id WHERE d." DECISION_OPEN,
    3};

/* An ended lease rather than none: the sweep's grace for young decisions does not apply. */
static const struct pg_stmt upd_release = {
    "decisions_release",
    "UPDATE decisions SET lease_until = clock_timestamp() - interval '1 millisecond', "
    "lease_owner = NULL, updated_at = clock_timestamp() "
    "FROM unnest($1::uuid[], $2::bigint[]) AS h (id, epoch) "
    "WHERE decision_id = h.id AND lease_epoch = h.epoch AND " DECISION_OPEN,
    2};

static const struct pg_stmt upd_end = {
    "decisions_end",
    "WITH done AS (UPDATE decisions SET status = $4::text, lang = COALESCE($5::text, lang), "
    "degraded = $6::bool, skills_used = $7::text[], decision_result = $8::jsonb, "
    "agent = $9::jsonb, usage = $10::jsonb, error = $11::jsonb, lease_owner = NULL, "
    "lease_until = NULL, completed_at = clock_timestamp(), updated_at = clock_timestamp() "
    "WHERE decision_id = $1::uuid AND lease_epoch = $2::bigint AND head_seq = $3::bigint "
    "AND " DECISION_OPEN " RETURNING *), "
    "sent AS (INSERT INTO outbox (event_id, tenant_id, decision_id, topic, target, url, payload) "
    "SELECT t.event_id, d.tenant_id, d.decision_id, 'decision.' || d.status, t.target, t.url, "
    "jsonb_build_object('event_id', t.event_id, 'type', 'decision.' || d.status, "
    "'decision_id', d.decision_id, 'tenant_id', d.tenant_id, 'user_id', d.user_id, "
    "'session_id', d.session_id, 'request_id', d.request_id, 'status', d.status, "
    "'decision_type', d.decision_type, 'degraded', d.degraded, 'result', d.decision_result, "
    "'error', d.error, 'created_at', d.created_at, 'completed_at', d.completed_at) "
    "FROM done d CROSS JOIN LATERAL (VALUES ($12::uuid, 'events', NULL), "
    "($13::uuid, 'webhook', d.params->>'webhook_url')) AS t (event_id, target, url) "
    "WHERE t.target = 'events' OR t.url IS NOT NULL) SELECT decision_id FROM done",
    13};

static const struct pg_stmt upd_status = {
    "decisions_status",
    "UPDATE decisions SET status = $3::text, updated_at = clock_timestamp() "
    "WHERE decision_id = $1::uuid AND lease_epoch = $2::bigint AND " DECISION_OPEN,
    3};

#define DELETE_SOME(table, old)                                                           \
    "DELETE FROM " table " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " table " WHERE " old \
    " LIMIT 10000))"
static const struct pg_stmt del_keys = {
    "cleanup_keys",
    DELETE_SOME("idempotency_keys", "created_at < clock_timestamp() - interval '24 hours'"), 0};
static const struct pg_stmt del_jobs = {
    "cleanup_jobs", DELETE_SOME("jobs", "finished_at < clock_timestamp() - interval '7 days'"), 0};
static const struct pg_stmt del_outbox = {
    "cleanup_outbox", DELETE_SOME("outbox", "published_at < clock_timestamp() - interval '7 days'"),
    0};

int decisions_add_claim(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n,
                        const char *owner, int64_t lease_ms, int64_t grace_ms, int limit)
{
    return pg_batch_add(b, n > 0 ? &claim_ids : &claim_due,
                        (struct pg_param[]){pg_z(owner), pg_i64(a, lease_ms), pg_i64(a, limit),
                                            n > 0 ? pg_uuids(a, ids, n) : pg_i64(a, grace_ms)});
}

int decisions_add_renew(struct pg_batch *b, struct arena *a, const struct uuid *ids,
                        const int64_t *epochs, int n, int64_t lease_ms)
{
    return pg_batch_add(
        b, &upd_renew,
        (struct pg_param[]){pg_uuids(a, ids, n), pg_i64s(a, epochs, n), pg_i64(a, lease_ms)});
}

int decisions_add_release(struct pg_batch *b, struct arena *a, const struct uuid *ids,
                          const int64_t *epochs, int n)
{
    return pg_batch_add(b, &upd_release,
                        (struct pg_param[]){pg_uuids(a, ids, n), pg_i64s(a, epochs, n)});
}

int decisions_add_end(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                      int64_t seq, const struct decision_end *end)
{
    return pg_batch_add(
        b, &upd_end,
        (struct pg_param[]){pg_uuid(a, id), pg_i64(a, epoch), pg_i64(a, seq), pg_z(end->status),
                            pg_z(end->lang), pg_bool(end->degraded),
                            pg_texts(a, end->skills, end->skill_count), pg_str(end->result),
                            pg_str(end->agent), pg_str(end->usage), pg_str(end->error),
                            pg_uuid(a, uuid_v7()), pg_uuid(a, uuid_v7())});
}

int decisions_add_status(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                         const char *status)
{
    return pg_batch_add(b, &upd_status,
                        (struct pg_param[]){pg_uuid(a, id), pg_i64(a, epoch), pg_z(status)});
}

int decisions_add_cleanup(struct pg_batch *b, struct arena *a UNUSED)
{
    int index = pg_batch_add(b, &del_keys, NULL);

    pg_batch_add(b, &del_jobs, NULL);
    pg_batch_add(b, &del_outbox, NULL);
    return index;
}
