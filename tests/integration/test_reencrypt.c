/* test_reencrypt.c: a key is replaced: everything sealed moves to the new one, and what can't is
 * reported. */
#include "libcommon/base/compat.h"
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/model/decisions.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/events.h"
#include "libcommon/model/jobs.h"
#include "libcommon/model/reencrypt.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

#define OLD "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* that of db_setup */
#define NEW "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

static const uint8_t zeros[32];

/* One value of each kind, and 450 events. */
static struct uuid fill(struct db *db)
{
    struct decision d = {.id = uuid_v7(),
                         .tenant = db_tenant(),
                         .user = uuid_v7(),
                         .session = uuid_v7(),
                         .query = "q",
                         .context = STR("{\"c\":1}"),
                         .type = "general",
                         .agent_mode = "auto",
                         .request_id = "r"};
    struct document doc = {.id = uuid_v7(),
                           .tenant = db_tenant(),
                           .user = d.user,
                           .title = "t",
                           .content_type = "text/plain",
                           .content = STR("original")};
    struct job_row j = {.id = uuid_v7(),
                        .tenant = db_tenant(),
                        .task = "t",
                        .queue = "q",
                        .args = STR("{\"a\":1}"),
                        .lease_epoch = 1};
    struct event *e = arena_array(db->a, struct event, 450);
    struct pg_batch *b = db_all(db);

    decisions_add_accept(b, db->a, db->ring, &d, NULL, NULL, NULL);
    documents_add_insert(b, db->a, db->ring, &doc);
    jobs_add_insert(b, db->a, db->ring, &j);
    db_run(db, b);
    b = db_service(db);
    decisions_add_claim(b, db->a, &d.id, 1, "a", 60000, 0, 1);
    jobs_add_claim(b, db->a, j.id, "w", 60000);
    db_run(db, b);
    for (int i = 0; i < 450; i++) {
        e[i] = (struct event){.type = "reason",
                              .action_id = "a",
                              .actor = "engine",
                              .payload = STR("{\"e\":1}"),
                              .tokens_in = -1,
                              .tokens_out = -1,
                              .cost_usd = NAN};
        event_chain(&e[i], d.id, i + 1, i == 0 ? zeros : e[i - 1].hash);
    }
    b = db_all(db);
    events_add_append(b, db->a, db->ring, db_tenant(), d.id, 1, e, 450);
    jobs_add_end(b, db->a, db->ring, &j, "success", STR("{\"r\":1}"), (struct str){NULL, 0});
    db_run(db, b);
    assert_int_equal(pg_affected(db->op.result, 0), 450);
    return d.id;
}

static void run(struct db *db, const char *key, const char *old, struct reencrypt_count *count)
{
    struct pg_sync *s;
    struct keyring *ring;
    struct err err;

    assert_int_equal(keyring_new(key, old, &ring, &err), 0);
    assert_int_equal(pg_sync_open(db->url, &s, &err), 0);
    if (reencrypt_run(s, ring, count, &err) != 0)
        fail_msg("%s", err.msg);
    pg_sync_close(s);
    keyring_free(ring);
}

static void test_reencrypt__everything_is_read_with_the_new_key_alone(void **state)
{
    static const int64_t want[REENCRYPT_PLACES] = {450, 1, 1, 1, 1};
    struct db *db = *state;
    struct uuid id = fill(db);
    struct reencrypt_count count[REENCRYPT_PLACES];
    struct pg_batch *b = db_all(db);
    struct decision d;
    struct event *e;
    struct err err;
    int n;

    run(db, NEW, OLD, count);
    for (int i = 0; i < REENCRYPT_PLACES; i++) {
        assert_int_equal(count[i].moved, want[i]);
        assert_int_equal(count[i].failed, 0);
        assert_int_equal(count[i].left, 0);
    }
    keyring_free(db->ring);
    assert_int_equal(keyring_new(NEW, NULL, &db->ring, &err), 0);
    decisions_add_get(b, db->a, id);
    events_add_load(b, db->a, id, 0, 0);
    db_run(db, b);
    assert_int_equal(decisions_read(db->op.result, 0, 0, db->a, db->ring, &d, &err), 0);
    assert_true(str_eqz(d.context, "{\"c\":1}"));
    assert_int_equal(events_read(db->op.result, 1, db->a, db->ring, id, &e, &n, &err), 0);
    assert_int_equal(n, 450);
    assert_true(event_verify(&e[449], id, e[448].hash));
    run(db, NEW, NULL, count);
    assert_int_equal(count[0].moved, 0);
    assert_int_equal(db_count(db, "SELECT count(*) FROM encryption_keys WHERE retired_at IS NULL"),
                     1);
}

static void test_reencrypt__what_cannot_be_opened_is_counted_and_left(void **state)
{
    struct db *db = *state;
    struct reencrypt_count count[REENCRYPT_PLACES];

    fill(db);
    db_sql(db, "UPDATE decision_trails SET payload = overlay(payload PLACING '\\x0000' FROM 30) "
               "WHERE seq IN (1, 200, 450)");
    run(db, NEW, OLD, count);
    assert_int_equal(count[0].moved, 447);
    assert_int_equal(count[0].failed, 3);
    assert_int_equal(count[0].left, 3);
    run(db, OLD, NULL, count); /* the way back, without the new key */
    assert_int_equal(count[0].moved, 0);
    assert_int_equal(count[0].failed, 447);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_reencrypt__##name, db_setup, db_teardown)
    const struct CMUnitTest tests[] = {
        T(everything_is_read_with_the_new_key_alone),
        T(what_cannot_be_opened_is_counted_and_left),
    };

    server_pg_fsync(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
