/* The consumer on a real Redis: order, endings, leases, and what killed nodes leave behind. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "tests/harness/queue_world.h"
#include "tests/harness/servers.h"

static bool nothing_unacked(void *arg)
{
    return world_int(arg, "HLEN {t}unacked") == 0 && world_int(arg, "ZCARD {t}unacked_index") == 0;
}

static void test_queue__priorities_are_kept_and_acks_leave_nothing(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m;

    world_publish(w, 9, 9);
    world_publish(w, 4, 4);
    world_publish(w, 1, 0);
    world_publish(w, 2, 1);
    m = world_join(w, 0, &o);
    assert_true(world_got(m, 4, 5000));
    assert_int_equal(world_number(m->got[0]), 1);
    assert_int_equal(world_number(m->got[1]), 2);
    assert_int_equal(world_number(m->got[2]), 4);
    assert_int_equal(world_number(m->got[3]), 9);
    assert_int_equal(world_int(w, "HLEN {t}unacked"), 4);
    assert_int_equal(world_int(w, "SCARD {t}_kombu.binding.work"), 1);
    for (int i = 0; i < 4; i++)
        consumer_ack(m->got[i]);
    assert_true(world_until(w, nothing_unacked, w, 2000));
    assert_int_equal(world_int(w, "HLEN {t}ceoagent.node.a.tags"), 0);
}

static void test_queue__a_waiting_node_is_woken_at_once(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);
    int64_t begun;

    world_got(m, 1, 1200); /* the pause has grown to its longest */
    begun = clock_mono_us();
    world_publish(w, 1, 0);
    assert_true(world_got(m, 1, 2000));
    assert_true(clock_mono_us() - begun < 300000);
    assert_int_equal(world_int(w, "HLEN {t}unacked"), 1);
    assert_int_equal(world_int(w, "LLEN {t}taken:a:work"), 0);
}

static void test_queue__the_window_is_a_limit(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m;

    o.window = 2;
    for (int i = 0; i < 5; i++)
        world_publish(w, i, 0);
    m = world_join(w, 0, &o);
    assert_true(world_got(m, 2, 3000));
    assert_false(world_got(m, 3, 300));
    consumer_ack(m->got[0]);
    assert_true(world_got(m, 3, 3000));
    assert_int_equal(consumer_in_hand(m->c), 2);
}

static void test_queue__what_is_no_message_goes_to_the_dead_letters(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m;

    world_do(w, "LPUSH {t}work garbage {\"headers\":{}} \x80\xff");
    world_publish(w, 1, 0);
    m = world_join(w, 0, &o);
    assert_true(world_got(m, 1, 3000));
    consumer_ack(m->got[0]);
    assert_true(world_until(w, nothing_unacked, w, 2000));
    assert_int_equal(world_int(w, "LLEN {t}work.dead"), 3);
}

static void test_queue__requeued_messages_are_counted_and_capped(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);
    struct redis_reply *r;

    world_publish(w, 1, 4);
    for (int i = 0; i < 3; i++) {
        assert_true(world_got(m, i + 1, 3000));
        assert_int_equal(m->got[i]->msg.redeliveries, i);
        assert_int_equal(m->got[i]->msg.redelivered, i > 0);
        consumer_requeue(m->got[i], true, true);
    }
    assert_false(world_got(m, 4, 700));
    r = world_do(w, "LRANGE {t}work.dead 0 -1");
    assert_int_equal(r->n, 1);
    assert_non_null(strstr(r->item[0].s.p, "\"ceo-reason\": \"too many redeliveries\""));
    assert_true(nothing_unacked(w));
}

static void test_queue__an_eta_waits_in_redis(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);
    int64_t due = clock_wall_us() + 700000;

    world_publish(w, 1, 4);
    assert_true(world_got(m, 1, 3000));
    consumer_park(m->got[0], due);
    assert_false(world_got(m, 2, 400));
    assert_int_equal(world_int(w, "ZCARD {t}work.eta"), 1);
    assert_true(nothing_unacked(w));
    assert_true(world_got(m, 2, 3000));
    assert_true(clock_wall_us() >= due);
    assert_int_equal(m->got[1]->msg.priority, 4);
    consumer_park(m->got[1], due); /* due already: it comes back as the same delivery */
    assert_true(world_got(m, 3, 1000));
    assert_ptr_equal(m->got[1], m->got[2]);
}

static void test_queue__a_retry_replaces_its_message(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);
    struct str text;

    world_publish(w, 1, 0);
    assert_true(world_got(m, 1, 3000));
    assert_int_equal(
        message_retry(w->arena, m->got[0]->msg.text, 1, clock_wall_us() + 200000, &text, NULL), 0);
    consumer_replace(m->got[0], text, clock_wall_us() + 200000);
    assert_true(world_got(m, 2, 3000));
    assert_int_equal(m->got[1]->msg.retries, 1);
    assert_int_equal(world_int(w, "HLEN {t}unacked"), 1);
}

static void test_queue__a_killed_nodes_messages_come_back_counted(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "b");
    struct member *m;
    pid_t pid;
    int status;

    for (int i = 0; i < 3; i++)
        world_publish(w, i, 0);
    pid = world_spawn(w, "a", 3);
    m = world_join(w, 0, &o);
    assert_false(world_got(m, 1, 3000)); /* a living node is left alone */
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_true(world_got(m, 3, 10000));
    for (int i = 0; i < 3; i++) {
        assert_true(m->got[i]->msg.redelivered);
        assert_int_equal(m->got[i]->msg.redeliveries, 1);
    }
    assert_false(world_got(m, 4, 500));
    assert_int_equal(world_int(w, "ZCARD {t}ceoagent.nodes"), 1);
    assert_int_equal(world_int(w, "EXISTS {t}ceoagent.node.a.tags"), 0);
}

static void test_queue__what_lies_in_a_dead_nodes_taken_list_comes_back(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "b");
    struct member *m;

    world_publish(w, 7, 0);
    world_do(w, "LMOVE {t}work {t}taken:a:work RIGHT LEFT"); /* as BLMOVE left it when a died */
    world_do(w, "SET {t}ceoagent.node.a.queues work,other");
    world_do(w, "ZADD {t}ceoagent.nodes 1 a");
    m = world_join(w, 0, &o);
    assert_true(world_got(m, 1, 10000));
    assert_int_equal(world_number(m->got[0]), 7);
    assert_int_equal(world_int(w, "LLEN {t}taken:a:work"), 0);
}

static void test_queue__queues_of_others_are_left_to_them(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "b");
    struct member *m;

    world_publish(w, 7, 0);
    world_do(w, "LMOVE {t}work {t}taken:a:work RIGHT LEFT");
    world_do(w, "LPUSH {t}taken:a:alien x");
    world_do(w, "SET {t}ceoagent.node.a.queues work,alien");
    world_do(w, "ZADD {t}ceoagent.nodes 1 a");
    m = world_join(w, 0, &o);
    assert_true(world_got(m, 1, 10000));
    world_got(m, 2, 500);
    assert_int_equal(world_int(w, "LLEN {t}taken:a:alien"), 1);
    assert_int_equal(world_int(w, "ZCARD {t}ceoagent.nodes"), 2);
}

static void test_queue__a_stock_workers_lost_message_comes_back(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "b");
    struct member *m;
    struct redis_reply *r;
    struct str argv[4] = {STR("HSET"), STR("{t}unacked"), STR("tag-x")};

    world_publish(w, 5, 0);
    r = world_do(w, "RPOP {t}work");
    argv[3] = str_of(arena_printf(w->arena, "[%.*s, \"\", \"work\"]", STR_ARG(r->s)));
    redis_send(w->redis, 1, 4, argv);
    world_do(w, "ZADD {t}unacked_index %.6f tag-x", (double)clock_wall_us() / 1e6);
    world_do(w, "HSET {t}unacked alien [{},\"\",\"elsewhere\"]");
    world_do(w, "ZADD {t}unacked_index 1 alien");
    m = world_join(w, 0, &o);
    assert_false(world_got(m, 1, 1000));
    assert_true(world_got(m, 1, 10000));
    assert_int_equal(world_number(m->got[0]), 5);
    assert_int_equal(m->got[0]->msg.redeliveries, 1);
    assert_int_equal(world_int(w, "HEXISTS {t}unacked alien"), 1); /* not a queue of ours */
}

static bool one_lost(void *arg)
{
    return ((struct member *)arg)->lost > 0;
}

static void on_checked(struct op *op)
{
    *(int *)op->arg = op->err.code != 0 ? op->err.code : 1;
}

static bool is_set(void *arg)
{
    return *(int *)arg != 0;
}

static void test_queue__a_lease_taken_by_a_stock_worker_is_noticed(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);
    struct redis_op op = {0};
    int code = 0;

    world_publish(w, 1, 0);
    world_publish(w, 2, 0);
    assert_true(world_got(m, 2, 3000));
    consumer_check(m->got[0], 1000, &op, on_checked, &code);
    assert_true(world_until(w, is_set, &code, 2000));
    assert_int_equal(code, 1);
    /* Restored and taken by another: the same tag, the same text, another score. */
    world_do(w, "ZADD {t}unacked_index %.6f %s", (double)clock_wall_us() / 1e6, m->got[0]->tag);
    code = 0;
    consumer_check(m->got[0], 1000, &op, on_checked, &code);
    assert_true(world_until(w, is_set, &code, 2000));
    assert_int_equal(code, ERR_CONFLICT);
    assert_true(world_until(w, one_lost, m, 2000));
    assert_int_equal(m->lost, 1);
    /* An ack by the one that lost it changes nothing. */
    world_do(w, "ZADD {t}unacked_index %.6f %s", (double)clock_wall_us() / 1e6, m->got[1]->tag);
    consumer_ack(m->got[1]);
    world_got(m, 3, 300);
    assert_int_equal(world_int(w, "HLEN {t}unacked"), 2);
}

static void test_queue__without_redis_everything_is_given_up_in_time(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);
    int64_t begun;

    world_publish(w, 1, 0);
    assert_true(world_got(m, 1, 3000));
    begun = clock_mono_us();
    server_redis_pause(true);
    assert_true(world_until(w, one_lost, m, 5000));
    assert_true(clock_mono_us() - begun < 2000000);
    server_redis_pause(false);
}

static void test_queue__a_restart_of_redis_loses_nothing(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m;

    o.liveness_ms = o.visibility_ms = 20000;
    m = world_join(w, 0, &o);
    world_publish(w, 1, 0);
    world_publish(w, 2, 0);
    assert_true(world_got(m, 2, 3000));
    server_redis_kill();
    consumer_ack(m->got[0]); /* repeated until the server is back */
    world_got(m, 3, 200);
    server_redis_start();
    assert_int_equal(m->lost, 0);
    world_got(m, 3, 3000);
    assert_int_equal(world_int(w, "HLEN {t}unacked"), 1);
    consumer_ack(m->got[1]);
    assert_true(world_until(w, nothing_unacked, w, 3000));
    world_publish(w, 3, 0);
    assert_true(world_got(m, 3, 3000));
}

static void test_queue__a_lost_reply_of_the_fetch_loses_no_message(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m;

    world_publish(w, 1, 0);
    setenv("CEO_FAULTS", "queue.fetched=fail@1", 1);
    m = world_join(w, 0, &o);
    assert_true(world_got(m, 1, 15000));
    unsetenv("CEO_FAULTS");
    assert_int_equal(m->got[0]->msg.redeliveries, 1);
    assert_int_equal(world_int(w, "HLEN {t}unacked"), 1);
}

static void test_queue__lost_replies_and_lost_commands_are_made_good(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);

    for (int i = 0; i < 5; i++)
        world_publish(w, i, 0);
    assert_true(world_got(m, 5, 5000));
    setenv("CEO_FAULTS", "redis.send=fail@3,redis.reply=fail@6,queue.settle=fail@2", 1);
    for (int i = 0; i < 5; i++)
        consumer_ack(m->got[i]);
    world_got(m, 6, 1500);
    unsetenv("CEO_FAULTS");
    assert_true(world_until(w, nothing_unacked, w, 5000));
}

static void on_drained(void *arg)
{
    ((struct member *)arg)->drained = true;
}

static bool is_drained(void *arg)
{
    return ((struct member *)arg)->drained;
}

static void test_queue__a_drain_leaves_no_trace(void **state)
{
    struct world *w = *state;
    struct consumer_options o = world_options(w, "a");
    struct member *m = world_join(w, 0, &o);

    world_publish(w, 1, 0);
    assert_true(world_got(m, 1, 3000));
    consumer_drain(m->c, on_drained, m);
    world_publish(w, 2, 0);
    assert_false(world_until(w, is_drained, m, 1500));
    consumer_requeue(m->got[0], true, false);
    assert_true(world_until(w, is_drained, m, 3000));
    assert_int_equal(world_int(w, "LLEN {t}work"), 2);
    assert_int_equal(world_int(w, "ZCARD {t}ceoagent.nodes"), 0);
    assert_true(nothing_unacked(w));
    assert_int_equal(m->count, 1);
}

static void on_published(struct op *op)
{
    assert_int_equal(op->err.code, 0);
}

static void count_and_ack(struct member *m, struct delivery *d)
{
    m->w->seen[world_number(d)]++;
    m->w->seen_total++;
    consumer_ack(d);
}

static bool all_seen(void *arg)
{
    return ((struct world *)arg)->seen_total >= 10000;
}

static void test_queue__ten_thousand_messages_each_once(void **state)
{
    struct world *w = *state;
    struct redis_op *op = calloc(10000, sizeof(*op));
    struct consumer_options o = world_options(w, "a");

    for (int i = 0; i < 2; i++) {
        o.node = i == 0 ? "a" : "b";
        world_join(w, i, &o)->on_each = count_and_ack;
    }
    for (int i = 0; i < 10000; i++) {
        struct str kwargs = str_of(arena_printf(w->arena, "{\"n\": %d}", i));

        broker_publish(
            w->broker, w->arena,
            &(struct publish){
                .queue = WORLD_QUEUE, .task = "t", .kwargs_json = kwargs, .priority = i % 10},
            60000, &op[i], on_published, w);
    }
    assert_true(world_until(w, all_seen, w, 60000));
    for (int i = 0; i < 10000; i++)
        assert_int_equal(w->seen[i], 1);
    assert_true(world_until(w, nothing_unacked, w, 5000));
    free(op);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_queue__priorities_are_kept_and_acks_leave_nothing),
        T(test_queue__a_waiting_node_is_woken_at_once),
        T(test_queue__the_window_is_a_limit),
        T(test_queue__what_is_no_message_goes_to_the_dead_letters),
        T(test_queue__requeued_messages_are_counted_and_capped),
        T(test_queue__an_eta_waits_in_redis),
        T(test_queue__a_retry_replaces_its_message),
        T(test_queue__a_killed_nodes_messages_come_back_counted),
        T(test_queue__what_lies_in_a_dead_nodes_taken_list_comes_back),
        T(test_queue__queues_of_others_are_left_to_them),
        T(test_queue__a_stock_workers_lost_message_comes_back),
        T(test_queue__a_lease_taken_by_a_stock_worker_is_noticed),
        T(test_queue__without_redis_everything_is_given_up_in_time),
        T(test_queue__a_restart_of_redis_loses_nothing),
        T(test_queue__a_lost_reply_of_the_fetch_loses_no_message),
        T(test_queue__lost_replies_and_lost_commands_are_made_good),
        T(test_queue__a_drain_leaves_no_trace),
        T(test_queue__ten_thousand_messages_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
