/* test_decisions.c: the life of a decision in the database, against what can go wrong: two requests
 * with one key, two agents at one decision, a lost lease, a lost reply, a query with a wrong WHERE.
 */
#include "libcommon/base/compat.h"
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/events.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

static const uint8_t zeros[32];

static struct decision sample(struct uuid user)
{
    static const char *options[] = {"Buy", "Build, \"slowly\""};

    return (struct decision){.id = uuid_v7(),
                             .tenant = db_tenant(),
                             .user = user,
                             .session = uuid_v7(),
                             .query = "Should we acquire X?",
                             .context = STR("{\"n\": 1.50}"),
                             .options = options,
                             .option_count = 2,
                             .type = "general",
                             .agent_mode = "auto",
                             .params = STR("{\"webhook_url\": \"https://example.com/h\"}"),
                             .request_id = "req-1"};
}

static struct accept accept(struct db *db, const struct decision *d, const char *key, uint8_t body)
{
    struct pg_batch *b = db_as(db, d->user);
    uint8_t sha[32] = {body};
    struct accept out;
    int s = decisions_add_accept(b, db->a, db->ring, d, key, "/api/v1/decision/analyze", sha);

    decisions_read_accept(db_run(db, b), s, &out);
    return out;
}

static struct decision accepted(struct db *db, struct uuid user)
{
    struct decision d = sample(user);

    assert_true(accept(db, &d, NULL, 0).inserted);
    return d;
}

/* Claims it and reads the row; false when there was nothing to claim. */
static bool claim(struct db *db, struct uuid id, const char *owner, int64_t lease_ms,
                  struct decision *out)
{
    struct pg_batch *b = db_service(db);
    struct err err;
    int s = decisions_add_claim(b, db->a, &id, 1, owner, lease_ms, 0, 10);

    db_run(db, b);
    return decisions_read(db->op.result, s, 0, db->a, db->ring, out, &err) == 0;
}

static struct event event_at(struct uuid decision, int64_t seq, const uint8_t previous[32])
{
    struct event e = {.type = "reason",
                      .name = "first",
                      .action_id = "a1",
                      .actor = "engine",
                      .taint = true,
                      .payload = STR("{\"text\":\"h\xc3\xa9\"}"),
                      .tokens_in = 12,
                      .tokens_out = -1,
                      .cost_usd = 0.1,
                      .started_us = 1764000000123456,
                      .duration_ms = 7};

    event_chain(&e, decision, seq, previous);
    return e;
}

static int64_t append(struct db *db, struct uuid decision, int64_t epoch, const struct event *e,
                      int n)
{
    struct pg_batch *b = db_all(db);
    int s = events_add_append(b, db->a, db->ring, db_tenant(), decision, epoch, e, n);

    return pg_affected(db_run(db, b), s);
}

static void test_decisions__what_was_accepted_is_read_back(void **state)
{
    struct db *db = *state;
    struct uuid user = uuid_v7();
    struct decision d = accepted(db, user), back;
    struct pg_batch *b = db_as(db, user);
    struct err err;
    int s = decisions_add_get(b, db->a, d.id);

    db_run(db, b);
    assert_int_equal(decisions_read(db->op.result, s, 0, db->a, db->ring, &back, &err), 0);
    assert_memory_equal(&back.id, &d.id, sizeof d.id);
    assert_string_equal(back.query, d.query);
    assert_true(str_eq(back.context, d.context));
    assert_int_equal(back.option_count, 2);
    assert_string_equal(back.options[1], d.options[1]);
    assert_string_equal(back.status, "pending");
    assert_true(llabs(back.created_us - clock_wall_us()) < 60000000);
    assert_int_equal(back.completed_us, 0);
    assert_null(back.result.p);
    assert_int_equal(
        db_count(db, "SELECT count(*) FROM decisions WHERE position('1.50'::bytea IN context) > 0"),
        0);
}

static void test_decisions__others_of_the_tenant_and_other_tenants_see_nothing(void **state)
{
    struct db *db = *state;
    struct uuid user = uuid_v7(), other_tenant = uuid_v7();
    struct decision d = accepted(db, user);
    char id[UUID_LEN + 1];
    struct pg_batch *b[] = {
        db_as(db, uuid_v7()),
        pg_batch_new(db->a, PG_APP, &other_tenant, uuid_text(user, id), false, 0),
        pg_batch_new(db->a, PG_APP, &other_tenant, NULL, true, 0),
        pg_batch_new(db->a, PG_APP, NULL, NULL, true, 0),
        pg_batch_new(db->a, PG_OWNER, NULL, NULL, false, 0),
    };

    for (size_t i = 0; i < ARRAY_LEN(b); i++) {
        int s = decisions_add_get(b[i], db->a, d.id);

        assert_int_equal(pg_rows(db_run(db, b[i]), s), 0);
    }
    b[0] = db_all(db);
    decisions_add_get(b[0], db->a, d.id);
    assert_int_equal(pg_rows(db_run(db, b[0]), 0), 1);
}

/* The second lock: statements that forget their condition altogether. */
static void test_decisions__a_statement_without_its_where_touches_no_other_tenant(void **state)
{
    static const struct pg_stmt read_all[] = {
        {"x1", "SELECT 1 FROM decisions", 0}, {"x2", "SELECT 1 FROM decision_trails", 0},
        {"x3", "SELECT 1 FROM users", 0},     {"x4", "SELECT 1 FROM idempotency_keys", 0},
        {"x5", "SELECT 1 FROM outbox", 0},    {"x6", "SELECT 1 FROM tenants", 0},
    };
    static const struct pg_stmt update_all = {"x7", "UPDATE decisions SET query = 'mine now'", 0};
    static const struct pg_stmt delete_all = {"x8", "DELETE FROM decisions", 0};
    struct db *db = *state;
    struct uuid thief = uuid_v7();
    struct decision d = sample(uuid_v7()), claimed;
    struct event e = event_at(d.id, 1, zeros);
    struct pg_batch *b = pg_batch_new(db->a, PG_APP, &thief, NULL, true, 0);

    assert_true(accept(db, &d, "k", 1).inserted);
    assert_true(claim(db, d.id, "n", 30000, &claimed));
    assert_int_equal(append(db, d.id, 1, &e, 1), 1);
    for (size_t i = 0; i < ARRAY_LEN(read_all); i++)
        pg_batch_add(b, &read_all[i], NULL);
    pg_batch_add(b, &update_all, NULL);
    pg_batch_add(b, &delete_all, NULL);
    db_run(db, b);
    for (int i = 0; i < (int)ARRAY_LEN(read_all) + 2; i++)
        assert_int_equal(pg_affected(db->op.result, i), 0);
    d.id = uuid_v7();
    b = pg_batch_new(db->a, PG_APP, &thief, NULL, true, 0);
    decisions_add_accept(b, db->a, db->ring, &d, NULL, "/", NULL);
    assert_int_equal(pg_run(db->loop, db->pg, b, 5000, &db->op), ERR_DENIED);
}

static void test_decisions__a_key_stands_for_one_decision(void **state)
{
    struct db *db = *state;
    struct uuid user = uuid_v7();
    struct decision d = sample(user), again = sample(user), other = sample(uuid_v7());
    struct accept a;

    assert_true(accept(db, &d, "key", 1).inserted);
    a = accept(db, &again, "key", 1);
    assert_false(a.inserted);
    assert_true(a.same_body);
    assert_memory_equal(&a.target, &d.id, sizeof d.id);
    assert_false(accept(db, &again, "key", 2).same_body);
    assert_true(accept(db, &other, "key", 1).inserted); /* another user's key */
    assert_int_equal(db_count(db, "SELECT count(*) FROM decisions"), 2);
    db_sql(db, "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'");
    assert_true(accept(db, &again, "key", 2).inserted);
}

static void on_two(struct op *op)
{
    ++*(int *)op->arg;
}

static bool both(void *arg)
{
    return *(int *)arg == 2;
}

static void test_decisions__two_requests_at_once_with_one_key_make_one_decision(void **state)
{
    struct db *db = *state;
    struct uuid user = uuid_v7();

    for (int round = 0; round < 10; round++) {
        struct decision d[2] = {sample(user), sample(user)};
        struct pg_op op[2] = {0};
        struct accept out[2];
        int done = 0, winner;
        char *key = arena_printf(db->a, "k%d", round);

        for (int i = 0; i < 2; i++) {
            struct pg_batch *b = db_as(db, user);

            decisions_add_accept(b, db->a, db->ring, &d[i], key, "/", zeros);
            pg_submit(db->pg, b, 5000, &op[i], on_two, &done);
        }
        assert_true(loop_until(db->loop, both, &done, 5000));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(op[i].op.err.code, 0);
            decisions_read_accept(op[i].result, 0, &out[i]);
        }
        assert_true(out[0].inserted != out[1].inserted);
        winner = out[0].inserted ? 0 : 1;
        assert_memory_equal(&out[!winner].target, &d[winner].id, sizeof d[0].id);
    }
    assert_int_equal(db_count(db, "SELECT count(*) FROM decisions"), 10);
}

static void test_decisions__one_of_two_agents_gets_a_decision(void **state)
{
    struct db *db = *state;
    struct pg_op op[2] = {0};
    int done = 0;

    for (int i = 0; i < 40; i++)
        accepted(db, uuid_v7());
    for (int i = 0; i < 2; i++) {
        struct pg_batch *b = db_service(db);

        decisions_add_claim(b, db->a, NULL, 0, i == 0 ? "agent-a" : "agent-b", 30000, 0, 30);
        pg_submit(db->pg, b, 5000, &op[i], on_two, &done);
    }
    assert_true(loop_until(db->loop, both, &done, 5000));
    assert_int_equal(pg_rows(op[0].result, 0) + pg_rows(op[1].result, 0), 40);
    assert_int_equal(db_count(db, "SELECT count(*) FROM decisions WHERE lease_epoch = 1 AND "
                                  "attempts = 1 AND status = 'running'"),
                     40);
}

static void test_decisions__a_lease_that_ended_is_taken_over_and_the_old_agent_is_fenced(
    void **state)
{
    struct db *db = *state;
    struct decision d = accepted(db, uuid_v7()), first, second;
    struct event e = event_at(d.id, 1, zeros);
    struct decision_end end = {.status = "completed", .result = STR("{}")};
    struct pg_batch *b;

    assert_true(claim(db, d.id, "a", 30000, &first));
    assert_int_equal(first.lease_epoch, 1);
    assert_true(str_eq(first.context, d.context));
    assert_false(claim(db, d.id, "b", 30000, &second));
    db_sql(db, "UPDATE decisions SET lease_until = clock_timestamp() - interval '1 second'");
    assert_true(claim(db, d.id, "b", 30000, &second));
    assert_int_equal(second.lease_epoch, 2);
    assert_int_equal(append(db, d.id, first.lease_epoch, &e, 1), 0);
    b = db_all(db);
    decisions_add_end(b, db->a, d.id, first.lease_epoch, 0, &end);
    decisions_add_status(b, db->a, d.id, first.lease_epoch, "waiting_input");
    db_run(db, b);
    assert_int_equal(pg_affected(db->op.result, 0), 0);
    assert_int_equal(pg_affected(db->op.result, 1), 0);
    assert_int_equal(append(db, d.id, second.lease_epoch, &e, 1), 1);
}

static void test_decisions__young_ones_are_left_to_their_message_and_released_ones_are_not(
    void **state)
{
    struct db *db = *state;
    struct decision d = accepted(db, uuid_v7()), got;
    int64_t epoch = 1;
    struct pg_batch *b = db_service(db);

    decisions_add_claim(b, db->a, NULL, 0, "a", 30000, 2000, 10);
    assert_int_equal(pg_rows(db_run(db, b), 0), 0);
    assert_true(claim(db, d.id, "a", 30000, &got));
    b = db_service(db);
    decisions_add_release(b, db->a, &d.id, &epoch, 1);
    assert_int_equal(pg_affected(db_run(db, b), 0), 1);
    b = db_service(db);
    decisions_add_claim(b, db->a, NULL, 0, "b", 30000, 2000, 10);
    assert_int_equal(pg_rows(db_run(db, b), 0), 1);
}

static void test_decisions__renewal_names_the_leases_that_are_still_held(void **state)
{
    struct db *db = *state;
    struct decision d[4], got;
    struct uuid ids[4];
    int64_t epochs[4] = {1, 1, 1, 1};
    char text[UUID_LEN + 1];
    struct pg_batch *b = db_service(db);

    for (int i = 0; i < 4; i++) {
        d[i] = accepted(db, uuid_v7());
        ids[i] = d[i].id;
        assert_true(claim(db, d[i].id, "a", 1000, &got));
    }
    epochs[1] = 7; /* as if taken over */
    db_sql(db, arena_printf(db->a, "UPDATE decisions SET lease_epoch = 2 WHERE decision_id = '%s'",
                            uuid_text(ids[2], text)));
    decisions_add_cancel(b, db->a, ids[3]);
    decisions_add_renew(b, db->a, ids, epochs, 4, 60000);
    db_run(db, b);
    assert_int_equal(pg_rows(db->op.result, 1), 2);
    for (int i = 0; i < 2; i++) {
        struct uuid id = pg_get_uuid(db->op.result, 1, i, 0);

        assert_int_equal(pg_get_bool(db->op.result, 1, i, 1), memcmp(&id, &ids[3], sizeof id) == 0);
        assert_true(pg_get_bool(db->op.result, 1, i, 2));
    }
    assert_int_equal(db_count(db, "SELECT count(*) FROM decisions WHERE lease_until > "
                                  "clock_timestamp() + interval '30 seconds'"),
                     2);
}

/* A lease whose row is being written at this moment: nobody waits, and it is not taken for lost. */
static void test_decisions__renewal_does_not_wait_for_a_row_that_is_being_written(void **state)
{
    static const struct pg_stmt hold = {"hold", "SELECT pg_sleep(1)", 0};
    struct db *db = *state;
    struct decision d = accepted(db, uuid_v7()), got;
    struct event e = event_at(d.id, 1, zeros);
    struct pg_batch *writing = db_all(db), *b = db_service(db);
    struct pg_op op = {0};
    int64_t epoch = 1, start = clock_mono_us();
    int done = 1;

    assert_true(claim(db, d.id, "a", 1000, &got));
    events_add_append(writing, db->a, db->ring, db_tenant(), d.id, 1, &e, 1);
    pg_batch_add(writing, &hold, NULL);
    pg_submit(db->pg, writing, 5000, &op, on_two, &done);
    for (int i = 0;
         i < 100 && db_count(db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event "
                                 "= 'PgSleep'") == 0;
         i++)
        loop_turn(db->loop, 5);
    decisions_add_renew(b, db->a, &d.id, &epoch, 1, 60000);
    db_run(db, b);
    assert_int_equal(pg_rows(db->op.result, 0), 1);
    assert_false(pg_get_bool(db->op.result, 0, 0, 2));
    assert_true(clock_mono_us() - start < 900000);
    assert_true(loop_until(db->loop, both, &done, 5000));
    assert_int_equal(pg_affected(op.result, 0), 1);
}

static void test_decisions__events_come_back_as_they_were_recorded(void **state)
{
    struct db *db = *state;
    struct decision d = accepted(db, uuid_v7()), got;
    struct event e[3], *back;
    struct pg_batch *b = db_all(db);
    struct err err;
    int n;

    assert_true(claim(db, d.id, "a", 30000, &got));
    e[0] = event_at(d.id, 1, zeros);
    e[1] = event_at(d.id, 2, e[0].hash);
    e[1].cost_usd = NAN;
    e[1].name = NULL;
    e[1].model = "m \"x\"";
    e[1].parent_id = "a0";
    e[2] = event_at(d.id, 3, e[1].hash);
    assert_int_equal(append(db, d.id, 1, e, 2), 2);
    assert_int_equal(append(db, d.id, 1, &e[2], 1), 1);
    events_add_load(b, db->a, d.id, 0, 0);
    db_run(db, b);
    assert_int_equal(events_read(db->op.result, 0, db->a, db->ring, d.id, &back, &n, &err), 0);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(back[i].seq, i + 1);
        assert_true(str_eq(back[i].payload, e[i].payload));
        assert_true(event_verify(&back[i], d.id, i == 0 ? zeros : back[i - 1].hash));
        assert_true(back[i].started_us == e[i].started_us && back[i].duration_ms == 7);
        assert_true(back[i].tokens_in == 12 && back[i].tokens_out == -1 && back[i].taint);
    }
    assert_true(back[0].cost_usd == 0.1 && isnan(back[1].cost_usd));
    assert_string_equal(back[1].model, e[1].model);
    assert_string_equal(back[1].parent_id, "a0");
    assert_null(back[1].name);
    b = db_all(db);
    events_add_load(b, db->a, d.id, 1, 1);
    assert_int_equal(pg_rows(db_run(db, b), 0), 1);
}

static void test_decisions__an_append_out_of_place_changes_nothing(void **state)
{
    struct db *db = *state;
    struct decision d = accepted(db, uuid_v7()), got;
    struct event e = event_at(d.id, 1, zeros), gap = event_at(d.id, 3, e.hash),
                 fork = event_at(d.id, 2, zeros);

    assert_true(claim(db, d.id, "a", 30000, &got));
    assert_int_equal(append(db, d.id, 1, &e, 1), 1);
    assert_int_equal(append(db, d.id, 1, &e, 1), 0); /* twice: settled by reading */
    assert_int_equal(append(db, d.id, 1, &gap, 1), 0);
    assert_int_equal(append(db, d.id, 1, &fork, 1), 0);
    assert_int_equal(db_count(db, "SELECT count(*) FROM decision_trails"), 1);
}

/* The commit's answer is lost: the event is there, and its hash tells that it is ours. */
static void test_decisions__an_append_whose_answer_was_lost_is_settled_by_reading(void **state)
{
    struct db *db = *state;
    struct decision d = accepted(db, uuid_v7()), got;
    struct event e = event_at(d.id, 1, zeros), *back;
    struct pg_batch *b = db_all(db);
    struct err err;
    int n;

    assert_true(claim(db, d.id, "a", 30000, &got));
    events_add_append(b, db->a, db->ring, db_tenant(), d.id, 1, &e, 1);
    setenv("CEO_FAULTS", "pg.commit.after=fail@1", 1);
    assert_int_equal(pg_run(db->loop, db->pg, b, 5000, &db->op), ERR_UNAVAILABLE);
    unsetenv("CEO_FAULTS");
    b = db_all(db);
    events_add_load(b, db->a, d.id, 0, 1);
    db_run(db, b);
    assert_int_equal(events_read(db->op.result, 0, db->a, db->ring, d.id, &back, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_memory_equal(back[0].hash, e.hash, 32);
}

static void test_decisions__an_erased_payload_leaves_the_chain_verifiable(void **state)
{
    struct db *db = *state;
    struct decision d = accepted(db, uuid_v7()), got;
    struct event e[2] = {event_at(d.id, 1, zeros)}, *back;
    struct pg_batch *b = db_all(db);
    struct err err;
    int n;

    e[1] = event_at(d.id, 2, e[0].hash);
    assert_true(claim(db, d.id, "a", 30000, &got));
    assert_int_equal(append(db, d.id, 1, e, 2), 2);
    db_sql(db, "UPDATE decision_trails SET payload = NULL, salt = NULL WHERE seq = 1");
    events_add_load(b, db->a, d.id, 0, 0);
    db_run(db, b);
    assert_int_equal(events_read(db->op.result, 0, db->a, db->ring, d.id, &back, &n, &err), 0);
    assert_null(back[0].payload.p);
    assert_true(event_verify(&back[0], d.id, zeros));
    assert_true(event_verify(&back[1], d.id, back[0].hash));
    back[1].payload = STR("{}");
    assert_false(event_verify(&back[1], d.id, back[0].hash));
}

static void test_decisions__the_end_goes_out_and_is_reached_once(void **state)
{
    static const char *const skills[] = {"calculator", "forecast"};
    struct db *db = *state;
    struct uuid user = uuid_v7();
    struct decision d = accepted(db, user), got;
    struct event e = event_at(d.id, 1, zeros);
    struct decision_end end = {.status = "completed",
                               .lang = "en",
                               .skills = skills,
                               .skill_count = 2,
                               .result = STR("{\"a\": 1.50}"),
                               .agent = STR("{\"mode\":\"react\"}")};
    struct pg_batch *b = db_all(db);
    struct err err;

    assert_true(claim(db, d.id, "a", 30000, &got));
    events_add_append(b, db->a, db->ring, db_tenant(), d.id, 1, &e, 1);
    decisions_add_end(b, db->a, d.id, 1, 1, &end);
    db_run(db, b);
    assert_int_equal(pg_affected(db->op.result, 1), 1);
    b = db_all(db);
    decisions_add_end(b, db->a, d.id, 1, 1, &end);
    assert_int_equal(pg_affected(db_run(db, b), 0), 0);
    assert_int_equal(db_count(db, "SELECT count(*) FROM outbox WHERE topic = 'decision.completed'"),
                     2);
    assert_int_equal(
        db_count(db, "SELECT count(*) FROM outbox WHERE url = 'https://example.com/h'"), 1);
    assert_false(claim(db, d.id, "b", 30000, &got));
    b = db_as(db, user);
    decisions_add_get(b, db->a, d.id);
    decisions_add_cancel(b, db->a, d.id);
    db_run(db, b);
    assert_int_equal(pg_affected(db->op.result, 1), 0);
    assert_int_equal(decisions_read(db->op.result, 0, 0, db->a, db->ring, &got, &err), 0);
    assert_string_equal(got.status, "completed");
    assert_int_equal(got.skill_count, 2);
    assert_string_equal(got.skills[1], "forecast");
    assert_true(got.completed_us >= got.created_us && got.created_us > 0);
}

static void test_decisions__lists_are_newest_first_with_pages_and_cursor(void **state)
{
    struct db *db = *state;
    struct uuid user = uuid_v7();
    struct decision d[5], row;
    struct decision_filter f = {.limit = 2, .mine = true, .user = user};
    struct pg_batch *b;
    struct err err;

    for (int i = 0; i < 5; i++)
        d[i] = accepted(db, user);
    accepted(db, uuid_v7());
    for (int page = 0; page < 3; page++) {
        int s;

        b = db_all(db);
        s = decisions_add_list(b, db->a, &f);
        db_run(db, b);
        assert_int_equal(pg_rows(db->op.result, s), page == 2 ? 1 : 2);
        assert_int_equal(pg_get_i64(db->op.result, s + 1, 0, 0), 5);
        for (int i = 0; i < pg_rows(db->op.result, s); i++) {
            assert_int_equal(decisions_read(db->op.result, s, i, db->a, NULL, &row, &err), 0);
            assert_memory_equal(&row.id, &d[4 - 2 * page - i].id, sizeof row.id);
        }
        f.cursor_us = row.created_us;
        f.cursor_id = row.id;
    }
    f = (struct decision_filter){.limit = 10, .offset = 4, .status = "pending"};
    b = db_all(db);
    decisions_add_list(b, db->a, &f);
    db_run(db, b);
    assert_int_equal(pg_rows(db->op.result, 0), 2);
    assert_int_equal(pg_get_i64(db->op.result, 1, 0, 0), 6);
}

static void test_decisions__deleting_takes_all_that_belongs_to_it(void **state)
{
    struct db *db = *state;
    struct uuid user = uuid_v7();
    struct decision d = accepted(db, user), got;
    struct event e = event_at(d.id, 1, zeros);
    struct decision_end end = {.status = "failed", .error = STR("{\"code\":\"TIMEOUT\"}")};
    struct pg_batch *b = db_all(db);

    assert_true(claim(db, d.id, "a", 30000, &got));
    events_add_append(b, db->a, db->ring, db_tenant(), d.id, 1, &e, 1);
    decisions_add_end(b, db->a, d.id, 1, 1, &end);
    decisions_add_feedback(b, db->a, d.id, user, 4, "fine", "right", NULL);
    db_run(db, b);
    b = db_as(db, uuid_v7());
    decisions_add_delete(b, db->a, d.id);
    assert_int_equal(pg_affected(db_run(db, b), 0), 0); /* not another user */
    b = db_as(db, user);
    decisions_add_delete(b, db->a, d.id);
    assert_int_equal(pg_affected(db_run(db, b), 0), 1);
    assert_int_equal(db_count(db, "SELECT (SELECT count(*) FROM decisions) + (SELECT count(*) FROM "
                                  "decision_trails) + (SELECT count(*) FROM outbox) + (SELECT "
                                  "count(*) FROM decision_feedback)"),
                     0);
}

static void test_decisions__the_last_feedback_of_a_user_counts(void **state)
{
    struct db *db = *state;
    struct uuid user = uuid_v7();
    struct decision d = accepted(db, user), got;
    struct pg_batch *b = db_as(db, user);
    struct err err;

    decisions_add_feedback(b, db->a, d.id, user, 2, "hm", NULL, NULL);
    decisions_add_feedback(b, db->a, d.id, user, 5, NULL, "right", "went well");
    decisions_add_feedback(b, db->a, uuid_v7(), user, 5, NULL, NULL, NULL);
    decisions_add_get(b, db->a, d.id);
    db_run(db, b);
    assert_int_equal(pg_affected(db->op.result, 1), 1);
    assert_int_equal(pg_affected(db->op.result, 2), 0);
    assert_int_equal(decisions_read(db->op.result, 3, 0, db->a, db->ring, &got, &err), 0);
    assert_true(str_find(got.feedback, STR("\"rating\": 5")) >= 0);
    assert_int_equal(db_count(db, "SELECT count(*) FROM decision_feedback WHERE rating = 5"), 1);
    assert_int_equal(db_count(db, "SELECT count(*) FROM decisions WHERE outcome = 'right'"), 1);
}

static void test_decisions__cleanup_removes_what_is_past_its_time(void **state)
{
    struct db *db = *state;
    struct decision d = sample(uuid_v7());
    struct pg_batch *b;

    assert_true(accept(db, &d, "old", 1).inserted);
    db_sql(db, "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'");
    d.id = uuid_v7();
    assert_true(accept(db, &d, "young", 1).inserted);
    b = db_service(db);
    decisions_add_cleanup(b, db->a);
    assert_int_equal(pg_affected(db_run(db, b), 0), 1);
    assert_int_equal(db_count(db, "SELECT count(*) FROM idempotency_keys WHERE key = 'young'"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_decisions__##name, db_setup, db_teardown)
    const struct CMUnitTest tests[] = {
        T(what_was_accepted_is_read_back),
        T(others_of_the_tenant_and_other_tenants_see_nothing),
        T(a_statement_without_its_where_touches_no_other_tenant),
        T(a_key_stands_for_one_decision),
        T(two_requests_at_once_with_one_key_make_one_decision),
        T(one_of_two_agents_gets_a_decision),
        T(a_lease_that_ended_is_taken_over_and_the_old_agent_is_fenced),
        T(young_ones_are_left_to_their_message_and_released_ones_are_not),
        T(renewal_names_the_leases_that_are_still_held),
        T(renewal_does_not_wait_for_a_row_that_is_being_written),
        T(events_come_back_as_they_were_recorded),
        T(an_append_out_of_place_changes_nothing),
        T(an_append_whose_answer_was_lost_is_settled_by_reading),
        T(an_erased_payload_leaves_the_chain_verifiable),
        T(the_end_goes_out_and_is_reached_once),
        T(lists_are_newest_first_with_pages_and_cursor),
        T(deleting_takes_all_that_belongs_to_it),
        T(the_last_feedback_of_a_user_counts),
        T(cleanup_removes_what_is_past_its_time),
    };

    server_pg_fsync(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
