/* test_pg_faults.c: connections, sessions and the whole server are taken away under load. What must
 * hold: each row that was acknowledged is there, none is there twice, and the pool comes back by
 * itself. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

#define WRITERS 24
#define ROWS_MAX 200000

static const struct pg_stmt ins = {
    "f_ins", "INSERT INTO rows (tenant_id, n) VALUES (app_tenant(), $1::int)", 1};
static const struct pg_stmt sel = {"f_sel", "SELECT count(*) FROM rows", 0};
static const struct pg_stmt sleeping = {"f_sleep", "SELECT pg_sleep($1::float8)", 1};

static int setup(void **state)
{
    struct db *db;

    db_setup(state);
    db = *state;
    db_sql(db, "CREATE TABLE rows (tenant_id uuid NOT NULL, n int PRIMARY KEY);"
               "CREATE TABLE twice (n int); GRANT ALL ON rows, twice TO ceoagent_app");
    return 0;
}

static int teardown(void **state)
{
    unsetenv("CEO_FAULTS");
    return db_teardown(state);
}

/* --- load ------------------------------------------------------------------------------------- */

struct writer {
    struct load *load;
    struct pg_op op;
    struct arena *a;
    int n; /* the row that it is writing */
};

struct load {
    struct db *db;
    struct writer writers[WRITERS];
    bool acknowledged[ROWS_MAX];
    int next, acks, failures, running;
    bool stop;
};

static void on_written(struct op *op);

static void write_next(struct writer *w)
{
    struct load *l = w->load;
    struct uuid t = db_tenant();
    struct pg_batch *b;

    arena_reset(w->a);
    w->n = l->next++;
    assert_true(w->n < ROWS_MAX);
    b = pg_batch_new(w->a, PG_APP, &t, NULL, false, w->n % 3 == 0 ? 0 : PG_SHARE);
    pg_batch_add(b, &ins, (struct pg_param[]){pg_i64(w->a, w->n)});
    pg_submit(l->db->pg, b, 15000, &w->op, on_written, w);
}

static void on_written(struct op *op)
{
    struct writer *w = op->arg;
    struct load *l = w->load;

    if (op->err.code == 0) {
        l->acknowledged[w->n] = true;
        l->acks++;
    } else {
        l->failures++;
        if (op->err.code != ERR_UNAVAILABLE)
            fail_msg("%s: %s", err_name(op->err.code), op->err.msg);
    }
    if (l->stop)
        l->running--;
    else
        write_next(w);
}

static struct load *load_start(struct db *db)
{
    struct load *l = xcalloc(1, sizeof *l);

    l->db = db;
    for (int i = 0; i < WRITERS; i++) {
        l->writers[i].load = l;
        l->writers[i].a = arena_new();
        write_next(&l->writers[i]);
        l->running++;
    }
    return l;
}

struct goal {
    struct load *l;
    int acks;
};

static bool reached(void *arg)
{
    const struct goal *g = arg;

    return g->l->acks >= g->acks;
}

/* Until so many more were acknowledged. */
static void load_go_on(struct load *l, int more)
{
    struct goal g = {l, l->acks + more};

    assert_true(loop_until(l->db->loop, reached, &g, 20000));
}

static bool idle(void *arg)
{
    return ((struct load *)arg)->running == 0;
}

static void load_end(struct load *l)
{
    struct pg_batch *b;
    struct pg_result *r;
    struct err err;
    static const struct pg_stmt all = {"f_all", "SELECT n FROM rows", 0};
    int found = 0;

    l->stop = true;
    assert_true(loop_until(l->db->loop, idle, l, 20000));
    b = pg_batch_new(l->db->a, PG_OWNER, NULL, NULL, false, PG_READ);
    pg_batch_add(b, &all, NULL);
    assert_int_equal(pg_sync_run(l->db->admin, b, &r, &err), 0);
    for (int i = 0; i < pg_rows(r, 0); i++)
        found += l->acknowledged[pg_get_i64(r, 0, i, 0)];
    assert_int_equal(found, l->acks); /* nothing acknowledged is lost */
    assert_in_range(pg_rows(r, 0), l->acks, l->acks + l->failures);
    for (int i = 0; i < WRITERS; i++)
        arena_free(l->writers[i].a);
    free(l);
}

static void test_pg_faults__a_restart_under_load_loses_nothing(void **state)
{
    struct db *db = *state;
    struct load *l;

    db_pool(db, 4, true);
    l = load_start(db);
    for (int i = 0; i < 2; i++) {
        load_go_on(l, 300);
        server_pg_restart();
    }
    load_go_on(l, 300);
    assert_in_range(l->failures, 0, 2 * WRITERS);
    load_end(l);
}

static void test_pg_faults__a_server_killed_under_load_loses_nothing(void **state)
{
    struct db *db = *state;
    struct load *l;

    db_pool(db, 4, true);
    l = load_start(db);
    for (int i = 0; i < 2; i++) {
        load_go_on(l, 300);
        server_pg_kill();
        for (int turn = 0; turn < 50; turn++)
            loop_turn(db->loop, 5);
        server_pg_start();
    }
    load_go_on(l, 300);
    assert_in_range(l->failures, 0, 2 * WRITERS);
    load_end(l);
}

static void test_pg_faults__sessions_ended_under_load_lose_nothing(void **state)
{
    struct db *db = *state;
    struct load *l;

    db_pool(db, 4, true);
    l = load_start(db);
    for (int i = 0; i < 15; i++) {
        load_go_on(l, 50);
        db_sql(db,
               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ceoagent'");
    }
    load_end(l);
}

/* --- one batch -----------------------------------------------------------------------------------
 */

static void on_one(struct op *op)
{
    *(bool *)op->arg = true;
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

static struct pg_batch *one_row(struct db *db, int n, double sleep_s, unsigned flags)
{
    struct uuid t = db_tenant();
    struct pg_batch *b = pg_batch_new(db->a, PG_APP, &t, NULL, false, flags);

    pg_batch_add(b, &ins, (struct pg_param[]){pg_i64(db->a, n)});
    if (sleep_s > 0)
        pg_batch_add(b, &sleeping, (struct pg_param[]){pg_f64(db->a, sleep_s)});
    return b;
}

static void end_sleepers(struct db *db)
{
    for (int i = 0; i < 400; i++) {
        if (db_count(db, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                         "usename = 'ceoagent' AND wait_event = 'PgSleep'") > 0)
            return;
        loop_turn(db->loop, 5);
    }
    fail_msg("nobody sleeps");
}

/* The server's last word says that the statement was not finished: sent again, nobody notices. */
static void test_pg_faults__a_session_ended_in_the_middle_of_a_statement_is_not_noticed(
    void **state)
{
    struct db *db = *state;
    struct pg_op op[3] = {0};
    bool done[3] = {0};

    db_pool(db, 1, true);
    for (int i = 0; i < 3; i++)
        pg_submit(db->pg, one_row(db, i, 0.3, i == 0 ? 0 : PG_SHARE), 10000, &op[i], on_one,
                  &done[i]);
    end_sleepers(db);
    for (int i = 0; i < 3; i++) {
        assert_true(loop_until(db->loop, is_set, &done[i], 10000));
        assert_int_equal(op[i].op.err.code, 0);
    }
    assert_int_equal(db_count(db, "SELECT count(*) FROM rows"), 3);
}

static void test_pg_faults__a_broken_send_is_sent_again(void **state)
{
    static const char *const points[] = {"pg.send=fail@1", "pg.commit.before=fail@1",
                                         "pg.send=fail@2"};
    struct db *db = *state;

    for (int i = 0; i < (int)ARRAY_LEN(points); i++) {
        setenv("CEO_FAULTS", points[i], 1);
        db_run(db, one_row(db, i, 0, i == 1 ? PG_SHARE : 0));
        unsetenv("CEO_FAULTS");
    }
    assert_int_equal(db_count(db, "SELECT count(*) FROM rows"), 3);
}

static void test_pg_faults__an_unknown_outcome_is_reported_and_only_idempotent_work_is_repeated(
    void **state)
{
    static const struct pg_stmt put = {"f_put", "INSERT INTO twice VALUES (1)", 0};
    static const char *const points[] = {"pg.result=fail@1", "pg.commit.after=fail@1"};
    struct db *db = *state;

    for (int i = 0; i < 2; i++) {
        struct pg_batch *b = db_all(db), *read = db_all(db);
        struct uuid t = db_tenant();

        db_run(db, read); /* connected, and nothing on its way */
        pg_batch_add(b, &put, NULL);
        setenv("CEO_FAULTS", points[i], 1);
        assert_int_equal(pg_run(db->loop, db->pg, b, 5000, &db->op), ERR_UNAVAILABLE);
        unsetenv("CEO_FAULTS");
        b = pg_batch_new(db->a, PG_APP, &t, NULL, true, PG_IDEMPOTENT);
        pg_batch_add(b, &put, NULL);
        db_run(db, db_all(db));
        setenv("CEO_FAULTS", points[i], 1);
        db_run(db, b);
        unsetenv("CEO_FAULTS");
    }
    assert_int_equal(db_count(db, "SELECT count(*) FROM twice"), 6);
}

static void test_pg_faults__work_waits_for_a_server_that_is_not_there_yet(void **state)
{
    struct db *db = *state;
    struct pg_op op = {0};
    bool done = false;

    server_pg_stop();
    db_pool(db, 2, true);
    assert_false(pg_ready(db->pg));
    assert_int_equal(pg_run(db->loop, db->pg, one_row(db, 1, 0, 0), 300, &db->op), ERR_TIMEOUT);
    pg_submit(db->pg, one_row(db, 2, 0, 0), 15000, &op, on_one, &done);
    loop_turn(db->loop, 50);
    server_pg_start();
    assert_true(loop_until(db->loop, is_set, &done, 15000));
    assert_int_equal(op.op.err.code, 0);
    assert_true(pg_ready(db->pg));
    assert_int_equal(db_count(db, "SELECT min(n) FROM rows"), 2);
}

static bool not_ready(void *arg)
{
    return !pg_ready(arg);
}

static bool is_ready(void *arg)
{
    return pg_ready(arg);
}

/* Its sockets stay open, so only the missing answer tells. */
static void test_pg_faults__a_server_that_hangs_is_noticed_and_left(void **state)
{
    struct db *db = *state;
    int64_t start;

    db_run(db, one_row(db, 1, 0, 0));
    server_pg_pause(true);
    start = clock_mono_us();
    assert_int_equal(pg_run(db->loop, db->pg, one_row(db, 2, 0, 0), 500, &db->op), ERR_TIMEOUT);
    assert_true(clock_mono_us() - start < 1000000);
    assert_true(loop_until(db->loop, not_ready, db->pg, 9000));
    server_pg_pause(false);
    assert_true(loop_until(db->loop, is_ready, db->pg, 9000));
    db_run(db, one_row(db, 3, 0, 0));
}

static void test_pg_faults__the_writable_one_of_several_hosts_is_found(void **state)
{
    struct db *db = *state;
    int port = 0;
    char name[64] = "";

    assert_int_equal(sscanf(db->url, "postgresql://ceoagent@127.0.0.1:%d/%63[^?]", &port, name), 2);
    db->url = arena_printf(db->a, "postgresql://ceoagent@127.0.0.1:%d,127.0.0.1:%d/%s",
                           server_free_port(), port, name);
    db_pool(db, 2, true);
    db_run(db, one_row(db, 1, 0, 0));
    /* A standby from now on, as far as sessions can tell. */
    db_sql(db,
           arena_printf(db->a, "ALTER DATABASE %s SET default_transaction_read_only = on", name));
    db_pool(db, 2, true);
    assert_int_equal(pg_run(db->loop, db->pg, one_row(db, 2, 0, 0), 500, &db->op), ERR_TIMEOUT);
    db_sql(db, arena_printf(db->a,
                            "SET default_transaction_read_only = off; ALTER DATABASE %s RESET "
                            "default_transaction_read_only",
                            name));
    db_run(db, one_row(db, 3, 0, 0));
}

static int64_t connections(struct db *db)
{
    return db_count(db, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND "
                        "usename = 'ceoagent'");
}

static bool one_left(void *arg)
{
    return connections(arg) == 1;
}

static void test_pg_faults__connections_that_nobody_needs_are_closed(void **state)
{
    struct db *db = *state;
    struct pg_options opt = {.url = db->url,
                             .min = 1,
                             .max = 4,
                             .idle_s = 1,
                             .prepare = true,
                             .application_name = "idle"};
    struct pg_op op[4] = {0};
    bool done[4] = {0};
    struct err err;

    pg_free(db->pg);
    assert_int_equal(pg_new(db->loop, &opt, &db->pg, &err), 0);
    for (int i = 0; i < 4; i++)
        pg_submit(db->pg, one_row(db, i, 1, 0), 10000, &op[i], on_one, &done[i]);
    for (int i = 0; i < 4; i++)
        assert_true(loop_until(db->loop, is_set, &done[i], 10000));
    assert_in_range(connections(db), 2, 4);
    assert_true(loop_until(db->loop, one_left, db, 12000));
    db_run(db, one_row(db, 9, 0, 0));
}

static void test_pg_faults__a_new_password_is_taken_up_under_load(void **state)
{
    struct db *db = *state;
    struct load *l;
    struct err err;
    char *url = arena_printf(db->a, "%s", db->url);

    memcpy(strstr(url, "=test"), "=next", 5); /* application_name tells the sessions apart */
    db_pool(db, 4, true);
    l = load_start(db);
    load_go_on(l, 200);
    assert_int_equal(pg_set_url(db->pg, "postgresql://%zz", &err), ERR_INVALID);
    assert_int_equal(pg_set_url(db->pg, url, &err), 0);
    load_go_on(l, 400);
    assert_int_equal(l->failures, 0);
    assert_int_equal(db_count(db,
                              "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ceoagent' "
                              "AND application_name = 'test'"),
                     0);
    load_end(l);
}

static void test_pg_faults__blocking_use_reconnects(void **state)
{
    struct db *db = *state;
    struct pg_sync *s;
    struct uuid t = db_tenant();
    struct pg_result *r;
    struct err err;

    assert_int_equal(pg_sync_open(db->url, &s, &err), 0);
    for (int i = 0; i < 3; i++) {
        struct pg_batch *read = pg_batch_new(db->a, PG_APP, &t, NULL, true, PG_READ);

        assert_int_equal(pg_sync_run(s, one_row(db, i, 0, 0), &r, &err), 0);
        assert_int_equal(pg_affected(r, 0), 1);
        if (i == 0)
            server_pg_restart();
        if (i == 1)
            db_sql(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                       "'ceoagent'");
        pg_batch_add(read, &sel, NULL);
        assert_int_equal(pg_sync_run(s, read, &r, &err), 0);
        assert_int_equal(pg_get_i64(r, 0, 0, 0), i + 1);
    }
    assert_int_equal(pg_sync_run(s, one_row(db, 1, 0, 0), &r, &err), ERR_CONFLICT);
    assert_int_equal(pg_sync_run(s, one_row(db, 7, 0, 0), &r, &err), 0);
    pg_sync_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_pg_faults__##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_restart_under_load_loses_nothing),
        T(a_server_killed_under_load_loses_nothing),
        T(sessions_ended_under_load_lose_nothing),
        T(a_session_ended_in_the_middle_of_a_statement_is_not_noticed),
        T(a_broken_send_is_sent_again),
        T(an_unknown_outcome_is_reported_and_only_idempotent_work_is_repeated),
        T(work_waits_for_a_server_that_is_not_there_yet),
        T(a_server_that_hangs_is_noticed_and_left),
        T(the_writable_one_of_several_hosts_is_found),
        T(connections_that_nobody_needs_are_closed),
        T(a_new_password_is_taken_up_under_load),
        T(blocking_use_reconnects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
