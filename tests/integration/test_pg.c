/* test_pg.c: the pool against a real server: parameters and results, transactions of several
 * tenants, failures of statements, prepared statements that go stale. Faults are in
 * test_pg_faults.c. */
#include "libcommon/base/compat.h"
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/metrics.h"
#include "libcommon/io/pg.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

#define DEADLINE 10000

struct fix {
    struct loop *loop;
    struct pg *pg;
    struct arena *a;
    struct pg_op op;
    const char *url;
    struct pg_sync *admin;
};

static const struct pg_stmt ins = {
    "t_ins", "INSERT INTO notes (tenant_id, n) VALUES (app_tenant(), $1::int)", 1};
static const struct pg_stmt sel = {"t_sel", "SELECT n FROM notes ORDER BY n", 0};
static const struct pg_stmt who = {
    "t_who",
    "SELECT current_user, current_setting('app.tenant'), current_setting('app.user'), "
    "current_setting('app.see_all')",
    0};
static const struct pg_stmt sleeping = {"t_sleep", "SELECT pg_sleep($1::float8)", 1};

static const char notes_sql[] =
    "CREATE TABLE notes (tenant_id uuid NOT NULL, n int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE "
    "  CHECK (n >= 0));"
    "CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
    "ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON notes TO ceoagent_app USING (tenant_id = app_tenant()) "
    "  WITH CHECK (tenant_id = app_tenant());"
    "CREATE POLICY s ON notes TO ceoagent_service USING (true);"
    "GRANT ALL ON notes, late TO ceoagent_app, ceoagent_service";

static void open_pool(struct fix *f, int max, bool prepare)
{
    struct pg_options opt = {.url = f->url,
                             .min = 1,
                             .max = max,
                             .idle_s = 300,
                             .prepare = prepare,
                             .require_role = true,
                             .application_name = "test_pg"};
    struct err err;

    pg_free(f->pg);
    assert_int_equal(pg_new(f->loop, &opt, &f->pg, &err), 0);
}

static bool prepare_on(void)
{
    const char *z = getenv("DATABASE_PREPARE");

    return z == NULL || strcmp(z, "off") != 0;
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof *f);
    struct err err;

    server_pg_fsync(false);
    f->loop = loop_new();
    f->a = arena_new();
    f->url = server_pg_url();
    assert_int_equal(pg_sync_open(server_pg_admin_url(), &f->admin, &err), 0);
    assert_int_equal(pg_sync_script(f->admin, notes_sql, &err), 0);
    open_pool(f, 1, prepare_on());
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    pg_sync_close(f->admin);
    pg_free(f->pg);
    arena_free(f->a);
    loop_free(f->loop);
    free(f);
    return 0;
}

static struct uuid tenant(uint8_t n)
{
    return (struct uuid){{[15] = n}};
}

static struct pg_batch *batch(struct fix *f, uint8_t t, unsigned flags)
{
    struct uuid u = tenant(t);

    return pg_batch_new(f->a, PG_APP, &u, NULL, false, flags);
}

static void add_note(struct fix *f, struct pg_batch *b, int n)
{
    pg_batch_add(b, &ins, (struct pg_param[]){pg_i64(f->a, n)});
}

static void test_pg__values_come_back_as_they_went(void **state)
{
    static const struct pg_stmt echo = {
        "t_echo",
        "SELECT $1::text, $2::bigint, $3::float8, $4::bool, $5::uuid, $6::bytea, $7::text, "
        "$8::uuid[], "
        "$9::text[], ($9::text[])[2], $3::float8 IS NULL, ($9::text[])[4] IS NULL",
        9};
    struct fix *f = *state;
    struct uuid u[2] = {uuid_v7(), uuid_v7()};
    const char *texts[] = {"", "a \"b\\c,{}", "NULL", NULL};
    struct pg_batch *b = batch(f, 1, PG_READ);
    char id[UUID_LEN + 1];
    int s = pg_batch_add(b, &echo,
                         (struct pg_param[]){pg_str(STR("h\xc3\xa9")), pg_i64(f->a, INT64_MIN),
                                             pg_f64(f->a, 0.1), pg_bool(true), pg_uuid(f->a, u[0]),
                                             pg_bytes("\0\1\xff", 3), pg_z(NULL),
                                             pg_uuids(f->a, u, 2), pg_texts(f->a, texts, 4)});
    int s2 = pg_batch_add(b, &echo,
                          (struct pg_param[]){PG_NULL, PG_NULL, pg_f64(f->a, NAN), PG_NULL, PG_NULL,
                                              pg_bytes("", 0), PG_NULL, pg_uuids(f->a, u, 0),
                                              pg_texts(f->a, texts, 0)});

    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    assert_int_equal(pg_rows(f->op.result, s), 1);
    assert_string_equal(pg_getz(f->op.result, s, 0, 0), "h\xc3\xa9");
    assert_true(pg_get_i64(f->op.result, s, 0, 1) == INT64_MIN);
    assert_true(pg_get_f64(f->op.result, s, 0, 2) == 0.1);
    assert_true(pg_get_bool(f->op.result, s, 0, 3));
    assert_string_equal(uuid_text(pg_get_uuid(f->op.result, s, 0, 4), id),
                        pg_getz(f->op.result, s, 0, 4));
    assert_true(str_eq(pg_get_bytes(f->op.result, s, 0, 5), (struct str){"\0\1\xff", 3}));
    assert_true(str_eq(pg_get(f->op.result, s, 0, 5), (struct str){"\0\1\xff", 3}));
    assert_null(pg_getz(f->op.result, s, 0, 6));
    assert_true(pg_isnull(f->op.result, s, 0, 6));
    assert_string_equal(pg_getz(f->op.result, s, 0, 9), texts[1]);
    assert_true(pg_get_bool(f->op.result, s, 0, 11));
    assert_true(pg_get_bool(f->op.result, s2, 0, 10));
    assert_true(str_eq(pg_get_bytes(f->op.result, s2, 0, 5), STR("")));
    assert_string_equal(pg_getz(f->op.result, s2, 0, 7), "{}");
}

static void test_pg__each_batch_has_its_role_tenant_and_user(void **state)
{
    struct fix *f = *state;
    struct uuid t = tenant(7);
    struct pg_batch *b[3] = {pg_batch_new(f->a, PG_APP, &t, "u-1", true, PG_READ),
                             pg_batch_new(f->a, PG_SERVICE, NULL, NULL, false, PG_READ),
                             pg_batch_new(f->a, PG_OWNER, NULL, NULL, false, PG_READ)};
    static const char *const want[3][4] = {
        {"ceoagent_app", "00000000-0000-0000-0000-000000000007", "u-1", "on"},
        {"ceoagent_service", "", "", ""},
        {"ceoagent", "", "", ""}};

    for (int i = 0; i < 6; i++) {
        struct pg_batch *one = b[i % 3];

        if (i < 3)
            pg_batch_add(one, &who, NULL);
        assert_int_equal(pg_run(f->loop, f->pg, one, DEADLINE, &f->op), 0);
        for (int c = 0; c < 4; c++)
            assert_string_equal(pg_getz(f->op.result, 0, 0, c), want[i % 3][c]);
    }
}

struct many {
    struct pg_op op[64];
    int done;
};

static void on_many(struct op *op)
{
    ((struct many *)op->arg)->done++;
}

static bool done_all(void *arg)
{
    return ((struct many *)arg)->done == 64;
}

/* 64 sharing batches at once on one connection: the first goes alone, the rest as groups. */
static void submit_many(struct fix *f, struct many *m, int bad)
{
    for (int i = 0; i < 64; i++) {
        struct pg_batch *b = batch(f, (uint8_t)(i % 3 + 1), PG_SHARE);

        add_note(f, b, i == bad ? -1 : i);
        pg_batch_add(b, &who, NULL);
        pg_submit(f->pg, b, DEADLINE, &m->op[i], on_many, m);
    }
    assert_true(loop_until(f->loop, done_all, m, DEADLINE));
}

static int64_t count(struct fix *f, const char *sql)
{
    struct pg_stmt s = {"count", sql, 0};
    struct pg_batch *b = pg_batch_new(f->a, PG_OWNER, NULL, NULL, false, PG_READ);
    struct pg_result *r;
    struct err err;

    pg_batch_add(b, &s, NULL);
    assert_int_equal(pg_sync_run(f->admin, b, &r, &err), 0);
    return pg_get_i64(r, 0, 0, 0);
}

static void test_pg__batches_that_wait_together_commit_together(void **state)
{
    struct fix *f = *state;
    struct many m = {0};

    submit_many(f, &m, -1);
    for (int i = 0; i < 64; i++) {
        char t[UUID_LEN + 1];

        assert_int_equal(m.op[i].op.err.code, 0);
        assert_int_equal(pg_affected(m.op[i].result, 0), 1);
        assert_string_equal(pg_getz(m.op[i].result, 1, 0, 1),
                            uuid_text(tenant((uint8_t)(i % 3 + 1)), t));
    }
    assert_int_equal(count(f, "SELECT count(*) FROM notes WHERE tenant_id = "
                              "('00000000-0000-0000-0000-00000000000' || n % 3 + 1)::uuid"),
                     64);
    assert_in_range(count(f, "SELECT count(DISTINCT xmin::text) FROM notes"), 1, 2);
}

static void test_pg__one_bad_row_harms_no_other_batch(void **state)
{
    struct fix *f = *state;
    struct many m = {0};

    submit_many(f, &m, 17);
    for (int i = 0; i < 64; i++)
        assert_int_equal(m.op[i].op.err.code, i == 17 ? ERR_INVALID : 0);
    assert_string_equal(m.op[17].sqlstate, "23514");
    assert_string_equal(m.op[17].constraint, "notes_n_check");
    assert_int_equal(count(f, "SELECT count(*) FROM notes"), 63);
}

/* One batch of a group wants a row that somebody else holds: it waits alone. */
static void test_pg__a_batch_that_waits_for_a_lock_stops_no_other_batch(void **state)
{
    static const struct pg_stmt touch = {"t_touch", "UPDATE notes SET n = n WHERE n = 1000", 0};
    struct fix *f = *state;
    struct pg_op op[12] = {0};
    struct many m = {0};
    struct err err;
    int64_t start;

    open_pool(f, 2, prepare_on());
    assert_int_equal(
        pg_sync_script(
            f->admin,
            "INSERT INTO notes SELECT ('00000000-0000-0000-0000-00000000000' || 1)::uuid, 1000",
            &err),
        0);
    assert_int_equal(pg_sync_script(f->admin, "BEGIN; UPDATE notes SET n = n", &err), 0);
    start = clock_mono_us();
    for (int i = 0; i < 12; i++) {
        struct pg_batch *b = batch(f, 1, PG_SHARE);

        if (i == 5)
            pg_batch_add(b, &touch, NULL);
        add_note(f, b, i);
        pg_submit(f->pg, b, DEADLINE, &op[i], on_many, &m);
    }
    m.done = 64 - 11;
    assert_true(loop_until(f->loop, done_all, &m, 3000));
    assert_true(clock_mono_us() - start < 2000000);
    assert_int_equal(pg_sync_script(f->admin, "COMMIT", &err), 0);
    m.done = 63;
    assert_true(loop_until(f->loop, done_all, &m, DEADLINE));
    for (int i = 0; i < 12; i++)
        assert_int_equal(op[i].op.err.code, 0);
}

/* More than any socket buffer holds, both ways at once: sending and reading must not wait for each
 * other. */
static void test_pg__large_values_pass_in_both_directions(void **state)
{
    static const struct pg_stmt echo = {"t_big", "SELECT $1::text, $2::bytea", 2};
    struct fix *f = *state;
    struct pg_batch *b = batch(f, 1, PG_READ);
    size_t n = 6u << 20;
    char *big = arena_alloc(f->a, n + 1);

    memset(big, 'x', n);
    for (int i = 0; i < 3; i++)
        pg_batch_add(b, &echo, (struct pg_param[]){pg_str((struct str){big, n}), pg_bytes(big, n)});
    assert_int_equal(pg_run(f->loop, f->pg, b, 20000, &f->op), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(str_eq(pg_get(f->op.result, i, 0, 0), (struct str){big, n}));
        assert_true(str_eq(pg_get_bytes(f->op.result, i, 0, 1), (struct str){big, n}));
    }
}

static void test_pg__arrays_come_back_as_they_went(void **state)
{
    static const struct pg_stmt echo = {
        "t_arrays",
        "SELECT $1::text[], $2::uuid[], $3::bytea[], $4::bigint[], ($3::bytea[])[2], "
        "cardinality($3::bytea[]), ($4::bigint[])[2]",
        4};
    static const char *const texts[] = {"", "a b", "c,\"d\"\\{}", NULL, "NULL", "h\xc3\xa9"};
    const struct str bytes[] = {STR("\0\1"), {NULL, 0}, {"", 0}, STR("x")};
    const int64_t numbers[] = {INT64_MIN, INT64_MAX};
    struct fix *f = *state;
    struct uuid u[] = {uuid_v7(), uuid_v4()}, *uuids;
    struct pg_batch *b = batch(f, 1, PG_READ);
    const char **back;

    for (int n = 0; n < 2; n++)
        pg_batch_add(b, &echo,
                     (struct pg_param[]){pg_texts(f->a, texts, n * 6), pg_uuids(f->a, u, n * 2),
                                         pg_byteas(f->a, bytes, n * 4),
                                         pg_i64s(f->a, numbers, n * 2)});
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    assert_int_equal(pg_get_texts(f->op.result, 0, 0, 0, &back), 0);
    assert_int_equal(pg_get_uuids(f->op.result, 0, 0, 1, &uuids), 0);
    assert_int_equal(pg_get_i64(f->op.result, 0, 0, 5), 0);
    assert_int_equal(pg_get_texts(f->op.result, 1, 0, 0, &back), 6);
    for (int i = 0; i < 6; i++)
        if (texts[i] == NULL)
            assert_null(back[i]);
        else
            assert_string_equal(back[i], texts[i]);
    assert_int_equal(pg_get_uuids(f->op.result, 1, 0, 1, &uuids), 2);
    assert_memory_equal(uuids, u, sizeof u);
    assert_true(pg_isnull(f->op.result, 1, 0, 4));
    assert_int_equal(pg_get_i64(f->op.result, 1, 0, 5), 4);
    assert_true(pg_get_i64(f->op.result, 1, 0, 6) == INT64_MAX);
}

static void test_pg__a_failed_batch_leaves_nothing_behind(void **state)
{
    struct fix *f = *state;
    struct pg_batch *b = batch(f, 1, 0);

    add_note(f, b, 1);
    add_note(f, b, 2);
    add_note(f, b, 1);
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), ERR_CONFLICT);
    assert_string_equal(f->op.sqlstate, "23505");
    assert_string_equal(f->op.constraint, "notes_pkey");
    assert_null(f->op.result);
    assert_int_equal(count(f, "SELECT count(*) FROM notes"), 0);
    b = batch(f, 1, 0);
    add_note(f, b, 1);
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
}

static void test_pg__a_commit_that_fails_is_reported(void **state)
{
    static const struct pg_stmt late = {"t_late", "INSERT INTO late VALUES (1)", 0};
    struct fix *f = *state;
    struct pg_batch *b = batch(f, 1, 0);

    pg_batch_add(b, &late, NULL);
    pg_batch_add(b, &late, NULL);
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), ERR_CONFLICT);
    assert_string_equal(f->op.constraint, "late_n_key");
    b = batch(f, 1, 0);
    pg_batch_add(b, &late, NULL);
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    assert_int_equal(count(f, "SELECT count(*) FROM late"), 1);
}

static void test_pg__a_tenant_sees_its_own_rows_alone(void **state)
{
    struct fix *f = *state;
    struct uuid t = tenant(9);
    struct pg_batch *b;

    for (int i = 1; i <= 2; i++) {
        b = batch(f, (uint8_t)i, 0);
        add_note(f, b, i);
        assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    }
    for (int i = 1; i <= 2; i++) {
        b = batch(f, (uint8_t)i, PG_READ);
        pg_batch_add(b, &sel, NULL);
        assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
        assert_int_equal(pg_rows(f->op.result, 0), 1);
        assert_int_equal(pg_get_i64(f->op.result, 0, 0, 0), i);
    }
    b = pg_batch_new(f->a, PG_SERVICE, &t, NULL, false, PG_READ);
    pg_batch_add(b, &sel, NULL);
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    assert_int_equal(pg_rows(f->op.result, 0), 2);
}

static void test_pg__a_changed_table_is_read_without_an_error(void **state)
{
    static const struct pg_stmt all = {"t_all", "SELECT * FROM notes", 0};
    struct fix *f = *state;
    struct err err;

    for (int i = 0; i < 3; i++) {
        struct pg_batch *b = batch(f, 1, PG_READ);
        char sql[80];

        pg_batch_add(b, &all, NULL);
        assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
        snprintf(sql, sizeof sql, "ALTER TABLE notes ADD COLUMN extra%d int", i);
        assert_int_equal(pg_sync_script(f->admin, sql, &err), 0);
    }
}

static void test_pg__statements_that_the_server_forgot_are_prepared_again(void **state)
{
    static const struct pg_stmt forget = {"t_forget", "DEALLOCATE ALL", 0};
    struct fix *f = *state;

    for (int i = 0; i < 3; i++) {
        struct pg_batch *b = batch(f, 1, PG_SHARE);

        add_note(f, b, i);
        assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
        b = pg_batch_new(f->a, PG_OWNER, NULL, NULL, false, 0);
        pg_batch_add(b, &forget, NULL);
        assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    }
    assert_int_equal(count(f, "SELECT count(*) FROM notes"), 3);
}

static void test_pg__a_statement_that_cannot_be_prepared_fails_alone(void **state)
{
    static const struct pg_stmt wrong = {"t_wrong", "SELECT nothing FROM nowhere", 0};
    struct fix *f = *state;

    for (int i = 0; i < 3; i++) {
        struct pg_batch *b = batch(f, 1, PG_READ);

        pg_batch_add(b, &wrong, NULL);
        pg_batch_add(b, &sel, NULL);
        assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), ERR_INVALID);
        assert_string_equal(f->op.sqlstate, "42P01");
        b = batch(f, 1, PG_READ);
        pg_batch_add(b, &sel, NULL);
        assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    }
}

static struct pg_batch *sleeper(struct fix *f, double s, unsigned flags)
{
    struct pg_batch *b = batch(f, 1, flags);

    pg_batch_add(b, &sleeping, (struct pg_param[]){pg_f64(f->a, s)});
    return b;
}

static void test_pg__a_deadline_ends_the_statement_on_the_server_too(void **state)
{
    struct fix *f = *state;
    struct pg_batch *b;
    int64_t start = clock_mono_us();

    assert_int_equal(pg_run(f->loop, f->pg, sleeper(f, 30, PG_READ), 200, &f->op), ERR_TIMEOUT);
    b = batch(f, 1, 0); /* the one connection is free again */
    add_note(f, b, 1);
    assert_int_equal(pg_run(f->loop, f->pg, b, 2000, &f->op), 0);
    assert_true(clock_mono_us() - start < 3000000);
}

static void never(struct op *op UNUSED)
{
    fail();
}

static void test_pg__a_cancelled_batch_is_never_heard_of(void **state)
{
    struct fix *f = *state;
    struct pg_op gone[3] = {0};
    struct pg_batch *b = batch(f, 1, 0);
    struct arena *own = arena_new();
    struct uuid t = tenant(1);

    for (int i = 0; i < 3; i++) {
        struct pg_batch *c = pg_batch_new(own, PG_APP, &t, NULL, false, PG_SHARE);

        pg_batch_add(c, &sleeping, (struct pg_param[]){pg_f64(own, 0.1)});
        pg_submit(f->pg, c, DEADLINE, &gone[i], never, NULL);
        if (i == 0)
            for (int turn = 0; turn < 20; turn++)
                loop_turn(f->loop, 2);
    }
    for (int i = 0; i < 3; i++)
        op_cancel(&gone[i].op);
    arena_free(own);
    add_note(f, b, 1);
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
}

static void test_pg__a_pool_may_go_with_work_in_hand(void **state)
{
    struct fix *f = *state;
    struct pg_op gone[4] = {0};

    for (int i = 0; i < 4; i++) {
        pg_submit(f->pg, sleeper(f, 1, 0), DEADLINE, &gone[i], never, NULL);
        loop_turn(f->loop, 10);
    }
    pg_free(f->pg);
    f->pg = NULL;
    loop_turn(f->loop, 0);
}

static void test_pg__reads_do_not_wait_for_slow_writes(void **state)
{
    struct fix *f = *state;
    struct pg_op slow[8] = {0};
    struct pg_batch *b = batch(f, 1, PG_READ);
    int64_t start;

    open_pool(f, 2, prepare_on());
    for (int i = 0; i < 8; i++) {
        pg_submit(f->pg, sleeper(f, 1, PG_SHARE), DEADLINE, &slow[i], never, NULL);
        loop_turn(f->loop, 5);
    }
    pg_batch_add(b, &sel, NULL);
    start = clock_mono_us();
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    assert_true(clock_mono_us() - start < 700000);
    for (int i = 0; i < 8; i++)
        op_cancel(&slow[i].op);
}

static void test_pg__a_database_without_the_roles_is_refused_where_they_are_required(void **state)
{
    struct fix *f = *state;
    struct err err;
    struct pg_batch *b = batch(f, 1, PG_READ);

    pg_batch_add(b, &who, NULL);
    assert_int_equal(pg_sync_script(f->admin, "REVOKE ceoagent_service FROM ceoagent", &err), 0);
    open_pool(f, 1, true);
    assert_int_equal(pg_run(f->loop, f->pg, b, 500, &f->op), ERR_TIMEOUT);
    assert_false(pg_ready(f->pg));
    assert_int_equal(pg_sync_script(f->admin, "GRANT ceoagent_service TO ceoagent", &err), 0);
    assert_int_equal(pg_run(f->loop, f->pg, b, DEADLINE, &f->op), 0);
    assert_true(pg_ready(f->pg));
}

static void test_pg__a_url_that_does_not_parse_is_refused_without_being_shown(void **state)
{
    struct fix *f = *state;
    struct pg_options opt = {.url = "postgresql://u:secret@h:port:1/%zz", .max = 1};
    struct pg *pg;
    struct err err;

    assert_int_equal(pg_new(f->loop, &opt, &pg, &err), ERR_INVALID);
    assert_null(strstr(err.msg, "secret"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_pg__##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(values_come_back_as_they_went),
        T(each_batch_has_its_role_tenant_and_user),
        T(batches_that_wait_together_commit_together),
        T(one_bad_row_harms_no_other_batch),
        T(a_batch_that_waits_for_a_lock_stops_no_other_batch),
        T(large_values_pass_in_both_directions),
        T(arrays_come_back_as_they_went),
        T(a_failed_batch_leaves_nothing_behind),
        T(a_commit_that_fails_is_reported),
        T(a_tenant_sees_its_own_rows_alone),
        T(a_changed_table_is_read_without_an_error),
        T(statements_that_the_server_forgot_are_prepared_again),
        T(a_statement_that_cannot_be_prepared_fails_alone),
        T(a_deadline_ends_the_statement_on_the_server_too),
        T(a_cancelled_batch_is_never_heard_of),
        T(a_pool_may_go_with_work_in_hand),
        T(reads_do_not_wait_for_slow_writes),
        T(a_database_without_the_roles_is_refused_where_they_are_required),
        T(a_url_that_does_not_parse_is_refused_without_being_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
