/* test_pgbouncer.c: DATABASE_PREPARE=off through PgBouncer in transaction mode, where each
 * transaction may get another server session, and other programs use the same sessions in between.
 */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/model/decisions.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

#define BATCHES 300

static const struct pg_stmt who = {
    "b_who", "SELECT current_user, current_setting('app.tenant'), pg_backend_pid()", 0};

/* What a program that knows nothing of ours would find in a session. */
static const char clean_sql[] =
    "DO $$ BEGIN ASSERT current_user = 'ceoagent' "
    "AND COALESCE(current_setting('app.tenant', true), '') = '' "
    "AND COALESCE(current_setting('app.see_all', true), '') = '' "
    "AND current_setting('statement_timeout') = '0' AND current_setting('lock_timeout') = '0' "
    "AND NOT EXISTS (SELECT FROM pg_prepared_statements WHERE NOT from_sql); END $$";

static int setup(void **state)
{
    struct db *db;

    db_setup(state);
    db = *state;
    db->url = server_pgbouncer_url();
    db_pool(db, 6, false);
    return 0;
}

static void on_one(struct op *op)
{
    ++*(int *)op->arg;
}

static bool all_done(void *arg)
{
    return *(int *)arg == BATCHES;
}

static void test_pgbouncer__tenants_share_sessions_and_see_themselves_alone(void **state)
{
    struct db *db = *state;
    static struct pg_op op[BATCHES];
    struct uuid t[BATCHES];
    struct pg_sync *other;
    struct err err;
    int done = 0;

    assert_int_equal(pg_sync_open(db->url, &other, &err), 0);
    for (int i = 0; i < BATCHES; i++) {
        static const unsigned flags[] = {0, PG_SHARE, PG_READ};
        struct pg_batch *b;

        t[i] = uuid_v7();
        b = pg_batch_new(db->a, i % 4 == 0 ? PG_SERVICE : PG_APP, &t[i], NULL, i % 2, flags[i % 3]);
        pg_batch_add(b, &who, NULL);
        pg_submit(db->pg, b, 10000, &op[i], on_one, &done);
        if (i % 10 == 0) {
            loop_turn(db->loop, 1);
            assert_int_equal(pg_sync_script(other, clean_sql, &err), 0);
        }
    }
    assert_true(loop_until(db->loop, all_done, &done, 10000));
    for (int i = 0; i < BATCHES; i++) {
        char text[UUID_LEN + 1];

        assert_int_equal(op[i].op.err.code, 0);
        assert_string_equal(pg_getz(op[i].result, 0, 0, 0),
                            i % 4 == 0 ? "ceoagent_service" : "ceoagent_app");
        assert_string_equal(pg_getz(op[i].result, 0, 0, 1), uuid_text(t[i], text));
    }
    assert_int_equal(pg_sync_script(other, clean_sql, &err), 0);
    pg_sync_close(other);
    assert_in_range(
        db_count(db, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ceoagent'"), 1, 2);
}

static void test_pgbouncer__a_failed_transaction_leaves_the_session_usable(void **state)
{
    static const struct pg_stmt wrong = {"b_wrong", "SELECT 1 / 0", 0};
    struct db *db = *state;
    struct pg_sync *other;
    struct err err;

    assert_int_equal(pg_sync_open(db->url, &other, &err), 0);
    for (int i = 0; i < 6; i++) {
        struct pg_batch *bad = db_all(db), *good = db_all(db);

        pg_batch_add(bad, &wrong, NULL);
        pg_batch_add(good, &who, NULL);
        assert_int_equal(pg_run(db->loop, db->pg, bad, 5000, &db->op), ERR_INVALID);
        assert_string_equal(pg_getz(db_run(db, good), 0, 0, 0), "ceoagent_app");
        assert_int_equal(pg_sync_script(other, clean_sql, &err), 0);
    }
    pg_sync_close(other);
}

static void test_pgbouncer__a_decision_is_accepted_and_claimed(void **state)
{
    struct db *db = *state;
    struct decision d = {.id = uuid_v7(),
                         .tenant = db_tenant(),
                         .user = uuid_v7(),
                         .session = uuid_v7(),
                         .query = "q",
                         .context = STR("{}"),
                         .type = "general",
                         .agent_mode = "auto",
                         .request_id = "r"},
                    got;
    struct pg_batch *b = db_as(db, d.user);
    uint8_t sha[32] = {1};
    struct accept out;
    struct err err;

    decisions_add_accept(b, db->a, db->ring, &d, "key", "/", sha);
    decisions_read_accept(db_run(db, b), 0, &out);
    assert_true(out.inserted);
    b = db_service(db);
    decisions_add_claim(b, db->a, &d.id, 1, "a", 1000, 0, 1);
    db_run(db, b);
    assert_int_equal(decisions_read(db->op.result, 0, 0, db->a, db->ring, &got, &err), 0);
    assert_true(str_eqz(got.context, "{}"));
}

static void test_pgbouncer__a_restart_behind_it_is_survived(void **state)
{
    struct db *db = *state;
    struct pg_batch *b = pg_batch_new(db->a, PG_APP, NULL, NULL, false, PG_READ);

    pg_batch_add(b, &who, NULL);
    db_run(db, b);
    server_pg_restart();
    db_run(db, b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_pgbouncer__##name, setup, db_teardown)
    const struct CMUnitTest tests[] = {
        T(tenants_share_sessions_and_see_themselves_alone),
        T(a_failed_transaction_leaves_the_session_usable),
        T(a_decision_is_accepted_and_claimed),
        T(a_restart_behind_it_is_survived),
    };

    server_pg_fsync(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
