/* test_migrate.c: migrations that run twice, at once, or with a changed text; and what every table
 * of the schema has to have. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libcommon/io/pg.h"
#include "services/api/migrate.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

static void sql_on(const char *url, const char *sql)
{
    struct pg_sync *s;
    struct err err;

    assert_int_equal(pg_sync_open(url, &s, &err), 0);
    if (pg_sync_script(s, sql, &err) != 0)
        fail_msg("%s: %s", sql, err.msg);
    pg_sync_close(s);
}

static void test_migrate__running_twice_changes_nothing(void **state)
{
    const char *url = server_pg_empty_url();
    struct err err;

    (void)state;
    assert_int_equal(migrate_run(url, &err), 0);
    sql_on(url, "UPDATE schema_migrations SET applied_at = 'epoch'");
    assert_int_equal(migrate_run(url, &err), 0);
    sql_on(url, "DO $$ BEGIN ASSERT (SELECT bool_and(applied_at = 'epoch') AND count(*) > 0 "
                "FROM schema_migrations); END $$");
}

static void test_migrate__several_at_once_apply_each_migration_once(void **state)
{
    const char *url = server_pg_empty_url();
    pid_t pid[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(migrate_run(url, NULL) == 0 ? 0 : 1);
    }
    for (int i = 0; i < 4; i++) {
        int status;

        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
}

static void test_migrate__a_changed_text_is_refused(void **state)
{
    const char *url = server_pg_empty_url();
    struct err err;

    (void)state;
    assert_int_equal(migrate_run(url, &err), 0);
    sql_on(url, "UPDATE schema_migrations SET sha256 = 'other' WHERE version = 1");
    assert_int_equal(migrate_run(url, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "0001_init"));
}

static void test_migrate__a_migration_that_fails_leaves_nothing(void **state)
{
    const char *url = server_pg_empty_url();
    struct err err;

    (void)state;
    sql_on(url, "CREATE TABLE outbox (n int)"); /* in the way of the first migration */
    assert_int_equal(migrate_run(url, &err), ERR_INVALID);
    sql_on(url, "DO $$ BEGIN ASSERT to_regclass('tenants') IS NULL; END $$; DROP TABLE outbox");
    assert_int_equal(migrate_run(url, &err), 0);
}

static void test_migrate__waits_for_a_server_that_is_starting(void **state)
{
    const char *url = server_pg_empty_url();
    struct err err;
    pid_t pid;
    int status;

    (void)state;
    server_pg_stop();
    pid = fork();
    if (pid == 0)
        _exit(migrate_run(url, NULL) == 0 ? 0 : 1);
    server_pg_start();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(migrate_run(url, &err), 0);
}

static void test_migrate__every_table_has_a_tenant_and_forced_row_level_security(void **state)
{
    struct db *db = *state;

    assert_int_equal(
        db_count(db, "SELECT count(*) FROM pg_class WHERE relnamespace = "
                     "'public'::regnamespace AND relkind = 'r' AND relname <> "
                     "'schema_migrations' AND NOT (relrowsecurity AND relforcerowsecurity)"),
        0);
    assert_int_equal(
        db_count(
            db, "SELECT count(*) FROM pg_class c WHERE relnamespace = "
                "'public'::regnamespace AND relkind = 'r' AND relname NOT IN "
                "('schema_migrations', 'encryption_keys', 'vector_indexes') AND NOT EXISTS (SELECT "
                "FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id' "
                "AND attnotnull)"),
        0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migrate__running_twice_changes_nothing),
        cmocka_unit_test(test_migrate__several_at_once_apply_each_migration_once),
        cmocka_unit_test(test_migrate__a_changed_text_is_refused),
        cmocka_unit_test(test_migrate__a_migration_that_fails_leaves_nothing),
        cmocka_unit_test(test_migrate__waits_for_a_server_that_is_starting),
        cmocka_unit_test_setup_teardown(
            test_migrate__every_table_has_a_tenant_and_forced_row_level_security, db_setup,
            db_teardown),
    };

    server_pg_fsync(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
