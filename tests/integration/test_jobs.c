/* test_jobs.c: rows behind jobs, the outbox, API keys. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/jobs.h"
#include "libcommon/model/keys.h"
#include "libcommon/model/outbox.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

static struct uuid decision(struct db *db)
{
    struct decision d = {.id = uuid_v7(),
                         .tenant = db_tenant(),
                         .user = uuid_v7(),
                         .session = uuid_v7(),
                         .query = "q",
                         .type = "general",
                         .agent_mode = "auto",
                         .request_id = "r"};
    struct pg_batch *b = db_all(db);

    decisions_add_accept(b, db->a, db->ring, &d, NULL, NULL, NULL);
    db_run(db, b);
    return d.id;
}

static struct job_row job(struct uuid decision_id, const char *action)
{
    return (struct job_row){.id = uuid_v7(),
                            .tenant = db_tenant(),
                            .task = "skill",
                            .queue = "celery",
                            .priority = 3,
                            .args = STR("{\"a\":1}"),
                            .has_decision = action != NULL,
                            .decision = decision_id,
                            .action_id = action};
}

static struct uuid insert(struct db *db, const struct job_row *j)
{
    struct pg_batch *b = db_all(db);
    int s = jobs_add_insert(b, db->a, db->ring, j);

    db_run(db, b);
    assert_int_equal(pg_rows(db->op.result, s), 1);
    assert_string_equal(pg_getz(db->op.result, s, 0, 1), "pending");
    return pg_get_uuid(db->op.result, s, 0, 0);
}

static bool claim(struct db *db, struct uuid id, struct job_row *out)
{
    struct pg_batch *b = db_service(db);
    struct err err;
    int s = jobs_add_claim(b, db->a, id, "w1", 60000);

    db_run(db, b);
    return jobs_read(db->op.result, s, 0, db->a, db->ring, out, &err) == 0;
}

static int64_t end(struct db *db, const struct job_row *j, const char *result)
{
    struct pg_batch *b = db_all(db);
    int s = jobs_add_end(b, db->a, db->ring, j, "success", str_of(result), (struct str){NULL, 0});

    return pg_affected(db_run(db, b), s);
}

static void test_jobs__an_action_has_one_job_however_often_it_is_enqueued(void **state)
{
    struct db *db = *state;
    struct uuid d = decision(db);
    struct job_row j = job(d, "a1"), again = job(d, "a1"), other = job(d, "a2"),
                   free_one = job(d, NULL);
    struct uuid id = insert(db, &j);

    assert_memory_equal(&id, &j.id, sizeof id);
    id = insert(db, &again);
    assert_memory_equal(&id, &j.id, sizeof id);
    id = insert(db, &j); /* the same insert, sent twice */
    assert_memory_equal(&id, &j.id, sizeof id);
    insert(db, &other);
    insert(db, &free_one);
    assert_int_equal(db_count(db, "SELECT count(*) FROM jobs"), 3);
}

static void test_jobs__arguments_and_result_are_sealed_and_come_back(void **state)
{
    struct db *db = *state;
    struct job_row j = job(decision(db), "a1"), got;
    struct pg_batch *b = db_all(db);
    struct err err;

    insert(db, &j);
    assert_true(claim(db, j.id, &got));
    assert_true(str_eq(got.args, j.args));
    assert_string_equal(got.status, "running");
    assert_int_equal(got.attempts, 1);
    assert_int_equal(end(db, &got, "{\"sum\":2}"), 1);
    assert_int_equal(end(db, &got, "{\"sum\":3}"), 0);
    jobs_add_get(b, db->a, &j.id, 1);
    db_run(db, b);
    assert_int_equal(jobs_read(db->op.result, 0, 0, db->a, db->ring, &got, &err), 0);
    assert_string_equal(got.status, "success");
    assert_true(str_eq(got.result, STR("{\"sum\":2}")));
    assert_null(got.error.p);
}

static void test_jobs__a_worker_that_lost_its_lease_changes_nothing(void **state)
{
    struct db *db = *state;
    struct job_row j = job(decision(db), "a1"), first, second;
    struct pg_batch *b = db_service(db);

    insert(db, &j);
    assert_true(claim(db, j.id, &first));
    assert_false(claim(db, j.id, &second));
    db_sql(db, "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'");
    assert_true(claim(db, j.id, &second));
    assert_int_equal(end(db, &first, "{}"), 0);
    jobs_add_renew(b, db->a, &j.id, &first.lease_epoch, 1, 60000);
    jobs_add_release(b, db->a, j.id, first.lease_epoch, 0);
    jobs_add_renew(b, db->a, &j.id, &second.lease_epoch, 1, 60000);
    db_run(db, b);
    assert_int_equal(pg_rows(db->op.result, 0), 0);
    assert_int_equal(pg_affected(db->op.result, 1), 0);
    assert_int_equal(pg_rows(db->op.result, 2), 1);
    assert_int_equal(end(db, &second, "{}"), 1);
}

static int due(struct db *db, int64_t grace_ms, int64_t again_ms)
{
    struct pg_batch *b = db_service(db);

    jobs_add_due(b, db->a, grace_ms, again_ms, 10);
    return pg_rows(db_run(db, b), 0);
}

static void test_jobs__the_sweep_finds_what_waits_too_long_once(void **state)
{
    struct db *db = *state;
    struct job_row j = job(decision(db), "a1"), got;
    struct pg_batch *b = db_service(db);

    insert(db, &j);
    assert_int_equal(due(db, 5000, 30000), 0); /* young: its message is on its way */
    assert_int_equal(due(db, 0, 30000), 1);
    assert_int_equal(due(db, 0, 30000), 0);
    assert_true(claim(db, j.id, &got));
    db_sql(db, "UPDATE jobs SET due_at = clock_timestamp() - interval '1 min'");
    assert_int_equal(due(db, 0, 30000), 0); /* runs */
    db_sql(db, "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'");
    assert_int_equal(due(db, 0, 30000), 1);
    assert_true(claim(db, j.id, &got));
    jobs_add_release(b, db->a, j.id, got.lease_epoch, 60000);
    db_run(db, b);
    assert_int_equal(due(db, 0, 30000), 0); /* handed back with a delay */
}

/* --- outbox -------------------------------------------------------------------------------------
 */

static void put(struct db *db, struct uuid id, const char *target)
{
    char text[UUID_LEN + 1];

    db_sql(db, arena_printf(db->a,
                            "INSERT INTO outbox (event_id, tenant_id, decision_id, topic, target, "
                            "payload) VALUES (gen_random_uuid(), '%s', '%s', 'decision.completed', "
                            "'%s', '{}')",
                            TENANT_DEFAULT, uuid_text(id, text), target));
}

static int take(struct db *db, struct outbox_row *rows)
{
    struct pg_batch *b = db_service(db);
    int n;

    outbox_add_take(b, db->a, 30000, 10);
    n = pg_rows(db_run(db, b), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(outbox_read(db->op.result, 0, i, db->a, &rows[i]), 0);
    return n;
}

static void test_jobs__outbox_rows_of_a_decision_go_one_after_the_other(void **state)
{
    struct db *db = *state;
    struct uuid d[2] = {uuid_v7(), uuid_v7()};
    struct outbox_row rows[10], later[10];
    struct pg_batch *b = db_service(db);

    put(db, d[0], "events");
    put(db, d[0], "events");
    put(db, d[0], "webhook");
    put(db, d[1], "events");
    assert_int_equal(take(db, rows), 3);
    assert_true(rows[0].id < rows[1].id && rows[1].id < rows[2].id);
    assert_int_equal(take(db, later), 0); /* held by the first relay, and its followers wait */
    outbox_add_done(b, db->a, &rows[0].id, 1);
    outbox_add_failed(b, db->a, rows[1].id, 0, false, "connection refused");
    outbox_add_failed(b, db->a, rows[2].id, 0, true, "gone");
    db_run(db, b);
    assert_int_equal(take(db, later), 2);
    assert_memory_equal(&later[0].decision, &d[0], sizeof d[0]);
    assert_string_equal(later[0].target, "events");
    assert_string_equal(later[1].target, "webhook");
    assert_int_equal(later[1].attempts, 1);
    assert_memory_equal(&later[1].event_id, &rows[1].event_id, sizeof rows[1].event_id);
    assert_int_equal(db_count(db, "SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL AND "
                                  "last_error = 'gone'"),
                     1);
}

/* --- keys
 * ------------------------------------------------------------------------------------------ */

static const struct pg_result *create(struct db *db, const struct api_key *k, const char *tenant,
                                      uint8_t secret)
{
    struct pg_batch *b = db_service(db);
    uint8_t sha[32] = {secret};

    keys_add_create(b, db->a, k, tenant, sha);
    return db_run(db, b);
}

static int find(struct db *db, uint8_t secret, struct api_key *out)
{
    struct pg_batch *b = db_service(db);
    uint8_t sha[32] = {secret};

    keys_add_find(b, db->a, sha);
    return keys_read(db_run(db, b), 0, 0, db->a, out);
}

static void test_jobs__a_key_is_found_by_its_hash_until_it_is_revoked(void **state)
{
    struct db *db = *state;
    struct api_key k = {.id = uuid_v7(),
                        .principal = uuid_v7(),
                        .name = "ci",
                        .role = "analyst",
                        .expires_us = clock_wall_us() + 1000000},
                   other = k, got;
    struct pg_batch *b = db_service(db);

    other.id = uuid_v7();
    other.expires_us = 0;
    other.rate = "none";
    assert_int_equal(pg_rows(create(db, &k, "default", 1), 0), 1);
    assert_int_equal(pg_rows(create(db, &other, TENANT_DEFAULT, 2), 0), 1); /* a successor */
    assert_int_equal(pg_rows(create(db, &other, "nobody", 3), 0), 0);
    assert_int_equal(find(db, 9, &got), ERR_NOTFOUND);
    assert_int_equal(find(db, 1, &got), 0);
    assert_memory_equal(&got.principal, &k.principal, sizeof got.principal);
    assert_string_equal(got.rate, "default");
    assert_true(got.expires_us == k.expires_us && got.revoked_us == 0);
    assert_string_equal(got.tenant_status, "active");
    assert_true(str_eqz(got.tenant_limits, "{}"));
    assert_int_equal(find(db, 2, &got), 0);
    assert_int_equal(got.expires_us, 0);
    keys_add_revoke(b, db->a, k.id);
    keys_add_list(b, db->a);
    db_run(db, b);
    assert_int_equal(pg_rows(db->op.result, 1), 2);
    assert_int_equal(find(db, 1, &got), 0);
    assert_true(got.revoked_us > 0);
}

static void test_jobs__a_key_is_not_made_for_another_tenants_principal(void **state)
{
    struct db *db = *state;
    struct api_key k = {.id = uuid_v7(), .principal = uuid_v7(), .name = "x", .role = "viewer"};

    db_sql(db, "INSERT INTO tenants (tenant_id, name) VALUES (gen_random_uuid(), 'second')");
    assert_int_equal(pg_rows(create(db, &k, "default", 1), 0), 1);
    k.id = uuid_v7();
    assert_int_equal(pg_rows(create(db, &k, "second", 2), 0), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_jobs__##name, db_setup, db_teardown)
    const struct CMUnitTest tests[] = {
        T(an_action_has_one_job_however_often_it_is_enqueued),
        T(arguments_and_result_are_sealed_and_come_back),
        T(a_worker_that_lost_its_lease_changes_nothing),
        T(the_sweep_finds_what_waits_too_long_once),
        T(outbox_rows_of_a_decision_go_one_after_the_other),
        T(a_key_is_found_by_its_hash_until_it_is_revoked),
        T(a_key_is_not_made_for_another_tenants_principal),
    };

    server_pg_fsync(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
