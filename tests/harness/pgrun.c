/* pgrun.c: see pgrun.h. */
#include "libcommon/base/compat.h"
#include "tests/harness/pgrun.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/model/decisions.h"
#include "tests/harness/servers.h"

#define DEADLINE_MS 10000
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void on_done(struct op *op)
{
    *(bool *)op->arg = true;
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

int pg_run(struct loop *l, struct pg *pg, struct pg_batch *b, int64_t deadline_ms, struct pg_op *op)
{
    bool done = false;

    pg_submit(pg, b, deadline_ms, op, on_done, &done);
    if (!loop_until(l, is_set, &done, (int)deadline_ms + 5000)) {
        fprintf(stderr, "pg_run: an operation outlived its deadline\n");
        abort();
    }
    return op->op.err.code;
}

void db_pool(struct db *db, int max, bool prepare)
{
    struct pg_options opt = {.url = db->url,
                             .min = 1,
                             .max = max,
                             .idle_s = 300,
                             .prepare = prepare,
                             .require_role = true,
                             .application_name = "test"};
    struct err err;

    pg_free(db->pg);
    assert_int_equal(pg_new(db->loop, &opt, &db->pg, &err), 0);
}

/* DATABASE_PREPARE=off runs every test as behind a pooler. */
static bool prepare_on(void)
{
    const char *z = getenv("DATABASE_PREPARE");

    return z == NULL || strcmp(z, "off") != 0;
}

int db_setup(void **state)
{
    struct db *db = xcalloc(1, sizeof *db);
    struct err err;

    db->loop = loop_new();
    db->a = arena_new();
    db->url = server_pg_url();
    assert_int_equal(keyring_new(KEY, NULL, &db->ring, &err), 0);
    assert_int_equal(pg_sync_open(server_pg_admin_url(), &db->admin, &err), 0);
    db_pool(db, 2, prepare_on());
    *state = db;
    return 0;
}

int db_teardown(void **state)
{
    struct db *db = *state;

    pg_sync_close(db->admin);
    pg_free(db->pg);
    keyring_free(db->ring);
    arena_free(db->a);
    loop_free(db->loop);
    free(db);
    return 0;
}

struct uuid db_tenant(void)
{
    struct uuid t;

    assert_int_equal(uuid_parse(str_of(TENANT_DEFAULT), &t), 0);
    return t;
}

struct pg_batch *db_as(struct db *db, struct uuid user)
{
    struct uuid t = db_tenant();
    char id[UUID_LEN + 1];

    return pg_batch_new(db->a, PG_APP, &t, uuid_text(user, id), false, 0);
}

struct pg_batch *db_all(struct db *db)
{
    struct uuid t = db_tenant();

    return pg_batch_new(db->a, PG_APP, &t, NULL, true, 0);
}

struct pg_batch *db_service(struct db *db)
{
    return pg_batch_new(db->a, PG_SERVICE, NULL, NULL, false, 0);
}

const struct pg_result *db_run(struct db *db, struct pg_batch *b)
{
    if (pg_run(db->loop, db->pg, b, DEADLINE_MS, &db->op) != 0)
        fail_msg("%s (%s)", db->op.op.err.msg, db->op.sqlstate);
    return db->op.result;
}

void db_sql(struct db *db, const char *sql)
{
    struct err err;

    if (pg_sync_script(db->admin, sql, &err) != 0)
        fail_msg("%s: %s", sql, err.msg);
}

int64_t db_count(struct db *db, const char *sql)
{
    struct pg_stmt s = {"count", sql, 0};
    struct pg_batch *b = pg_batch_new(db->a, PG_OWNER, NULL, NULL, false, PG_READ);
    struct pg_result *r;
    struct err err;

    pg_batch_add(b, &s, NULL);
    if (pg_sync_run(db->admin, b, &r, &err) != 0)
        fail_msg("%s: %s", sql, err.msg);
    return pg_rows(r, 0) == 0 ? -1 : pg_get_i64(r, 0, 0, 0);
}
