/* jobs.c: see jobs.h. Inserting is two statements: the row, unless it is there, and then whichever
 * row there is, also one that another transaction wrote meanwhile. */
#include "libcommon/base/compat.h"
#include "libcommon/model/jobs.h"
#include "libcommon/model/place.h"
#include "libcommon/model/sql.h"

#define JOB_COLUMNS                                                                            \
    "job_id, tenant_id, task, queue, priority, args, decision_id, action_id, status, result, " \
    "error, attempts, lease_epoch, traceparent, " SQL_US("created_at")

static const struct pg_stmt ins_job = {
    "jobs_insert",
    "INSERT INTO jobs (job_id, tenant_id, task, queue, priority, args, decision_id, action_id, "
    "traceparent) VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::smallint, $6::bytea, "
    "$7::uuid, $8::text, $9::text) ON CONFLICT DO NOTHING",
    9};
static const struct pg_stmt sel_inserted = {
    "jobs_inserted",
    "SELECT job_id, status FROM jobs WHERE job_id = $1::uuid "
    "UNION SELECT job_id, status FROM jobs WHERE decision_id = $2::uuid AND action_id = $3::text",
    3};
static const struct pg_stmt sel_jobs = {
    "jobs_get", "SELECT " JOB_COLUMNS " FROM jobs WHERE job_id = ANY ($1::uuid[])", 1};
static const struct pg_stmt upd_claim = {
    "jobs_claim",
    "UPDATE jobs SET status = 'running', lease_epoch = lease_epoch + 1, attempts = attempts + 1, "
    "lease_owner = $2::text, lease_until = clock_timestamp() + " SQL_MS(
        "$3") " WHERE job_id = $1::uuid AND (status = 'pending' OR "
              "(status = 'running' AND lease_until < clock_timestamp())) RETURNING " JOB_COLUMNS,
    3};

/* A row that is locked at this moment is being ended by us; see decisions_agent.c. */
static const struct pg_stmt upd_renew = {
    "jobs_renew",
    "WITH held AS MATERIALIZED (SELECT job_id AS held_id FROM jobs "
    "JOIN unnest($1::uuid[], $2::bigint[]) AS h (id, epoch) ON job_id = h.id "
    "AND lease_epoch = h.epoch WHERE status = 'running' FOR UPDATE OF jobs SKIP LOCKED), "
    "done AS (UPDATE jobs SET lease_until = clock_timestamp() + " SQL_MS(
        "$3") " FROM held WHERE job_id = held_id RETURNING job_id) "
              "SELECT j.job_id, done.job_id IS NOT NULL FROM jobs j "
              "JOIN unnest($1::uuid[], $2::bigint[]) AS h (id, epoch) "
              "ON j.job_id = h.id AND j.lease_epoch = h.epoch "
              "LEFT JOIN done ON done.job_id = j.job_id WHERE j.status = 'running'",
    3};
static const struct pg_stmt upd_end = {
    "jobs_end",
    "UPDATE jobs SET status = $3::text, result = $4::bytea, error = $5::jsonb, "
    "lease_owner = NULL, lease_until = NULL, finished_at = clock_timestamp() "
    "WHERE job_id = $1::uuid AND lease_epoch = $2::bigint AND status = 'running'",
    5};
static const struct pg_stmt upd_release = {
    "jobs_release",
    "UPDATE jobs SET status = 'pending', lease_owner = NULL, lease_until = NULL, "
    "due_at = clock_timestamp() + " SQL_MS(
        "$3") " WHERE job_id = $1::uuid AND lease_epoch = $2::bigint AND status = 'running'",
    3};
static const struct pg_stmt upd_due = {
    "jobs_due",
    "WITH due AS MATERIALIZED (SELECT job_id AS due_id FROM jobs WHERE "
    "status IN ('pending', 'running') AND due_at <= clock_timestamp() AND CASE status "
    "WHEN 'pending' THEN due_at <= clock_timestamp() - " SQL_MS(
        "$1") " ELSE lease_until < clock_timestamp() END "
              "ORDER BY due_at LIMIT $3::int FOR UPDATE SKIP LOCKED) "
              "UPDATE jobs SET due_at = clock_timestamp() + " SQL_MS(
                  "$2") " FROM due WHERE job_id = due_id RETURNING " JOB_COLUMNS,
    3};

int jobs_add_insert(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                    const struct job_row *j)
{
    struct str sealed = seal(ring, a, j->args, place_of(a, "jobs", j->id, "args"));
    const struct pg_param decision = j->has_decision ? pg_uuid(a, j->decision) : PG_NULL;

    pg_batch_add(b, &ins_job,
                 (struct pg_param[]){pg_uuid(a, j->id), pg_uuid(a, j->tenant), pg_z(j->task),
                                     pg_z(j->queue), pg_i64(a, j->priority),
                                     pg_bytes(sealed.p, sealed.n), decision, pg_z(j->action_id),
                                     pg_z(j->traceparent)});
    return pg_batch_add(b, &sel_inserted,
                        (struct pg_param[]){pg_uuid(a, j->id), decision, pg_z(j->action_id)});
}

int jobs_add_get(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n)
{
    return pg_batch_add(b, &sel_jobs, (struct pg_param[]){pg_uuids(a, ids, n)});
}

static int open_column(const struct pg_result *r, int stmt, int row, int col, struct arena *a,
                       const struct keyring *ring, struct str aad, struct str *out, struct err *err)
{
    struct str sealed = pg_get_bytes(r, stmt, row, col);

    return sealed.p == NULL ? 0 : unseal(ring, a, sealed, aad, out, err);
}

int jobs_read(const struct pg_result *r, int stmt, int row, struct arena *a,
              const struct keyring *ring, struct job_row *out, struct err *err)
{
    struct job_row j = {0};

    if (row >= pg_rows(r, stmt))
        return err_set(err, ERR_NOTFOUND, "there is no such job");
    j.id = pg_get_uuid(r, stmt, row, 0);
    j.tenant = pg_get_uuid(r, stmt, row, 1);
    j.task = pg_getz(r, stmt, row, 2);
    j.queue = pg_getz(r, stmt, row, 3);
    j.priority = (int)pg_get_i64(r, stmt, row, 4);
    j.has_decision = !pg_isnull(r, stmt, row, 6);
    j.decision = pg_get_uuid(r, stmt, row, 6);
    j.action_id = pg_getz(r, stmt, row, 7);
    j.status = pg_getz(r, stmt, row, 8);
    j.error = pg_get(r, stmt, row, 10);
    j.attempts = (int)pg_get_i64(r, stmt, row, 11);
    j.lease_epoch = pg_get_i64(r, stmt, row, 12);
    j.traceparent = pg_getz(r, stmt, row, 13);
    j.created_us = pg_get_i64(r, stmt, row, 14);
    if (ring != NULL && (open_column(r, stmt, row, 5, a, ring, place_of(a, "jobs", j.id, "args"),
                                     &j.args, err) != 0 ||
                         open_column(r, stmt, row, 9, a, ring, place_of(a, "jobs", j.id, "result"),
                                     &j.result, err) != 0))
        return err_wrap(err, "the job's arguments or result");
    *out = j;
    return 0;
}

int jobs_add_claim(struct pg_batch *b, struct arena *a, struct uuid id, const char *owner,
                   int64_t lease_ms)
{
    return pg_batch_add(b, &upd_claim,
                        (struct pg_param[]){pg_uuid(a, id), pg_z(owner), pg_i64(a, lease_ms)});
}

int jobs_add_renew(struct pg_batch *b, struct arena *a, const struct uuid *ids,
                   const int64_t *epochs, int n, int64_t lease_ms)
{
    return pg_batch_add(
        b, &upd_renew,
        (struct pg_param[]){pg_uuids(a, ids, n), pg_i64s(a, epochs, n), pg_i64(a, lease_ms)});
}

int jobs_add_end(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                 const struct job_row *j, const char *status, struct str result,
                 struct str error_json)
{
    struct str sealed = {NULL, 0};

    if (result.p != NULL)
        sealed = seal(ring, a, result, place_of(a, "jobs", j->id, "result"));
    return pg_batch_add(b, &upd_end,
                        (struct pg_param[]){pg_uuid(a, j->id), pg_i64(a, j->lease_epoch),
                                            pg_z(status), pg_bytes(sealed.p, sealed.n),
                                            pg_str(error_json)});
}

int jobs_add_release(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                     int64_t delay_ms)
{
    return pg_batch_add(b, &upd_release,
                        (struct pg_param[]){pg_uuid(a, id), pg_i64(a, epoch), pg_i64(a, delay_ms)});
}

int jobs_add_due(struct pg_batch *b, struct arena *a, int64_t grace_ms, int64_t again_ms, int limit)
{
    return pg_batch_add(
        b, &upd_due,
        (struct pg_param[]){pg_i64(a, grace_ms), pg_i64(a, again_ms), pg_i64(a, limit)});
}
