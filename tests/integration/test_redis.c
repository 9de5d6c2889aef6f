/* The Redis client against a real server: commands, scripts, blocking, pub/sub, and what happens
 * when the server goes away, hangs or refuses. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/buf.h"
#include "libcommon/base/clock.h"
#include "libcommon/io/redis.h"
#include "tests/harness/servers.h"

struct world {
    struct loop *loop;
    struct redis *redis;
    struct arena *arena;
    int done;
};

static bool is_ready(void *arg)
{
    return redis_ready(((struct world *)arg)->redis);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct err err;

    w->loop = loop_new();
    w->arena = arena_new();
    assert_int_equal(redis_new(w->loop, server_redis_url(), "test", &w->redis, &err), 0);
    assert_true(loop_until(w->loop, is_ready, w, 5000));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    redis_free(w->redis);
    loop_turn(w->loop, 0);
    loop_free(w->loop);
    arena_free(w->arena);
    free(w);
    return 0;
}

static void on_done(struct op *op)
{
    ((struct world *)op->arg)->done++;
}

static bool one_done(void *arg)
{
    return ((struct world *)arg)->done >= 1;
}

/* Runs one command to its end; parts end with a NULL. Returns its code. */
static int command(struct world *w, struct redis_op *op, int64_t ms, ...)
{
    struct str argv[16];
    int n = 0;
    va_list ap;

    va_start(ap, ms);
    for (const char *s; (s = va_arg(ap, const char *)) != NULL;)
        argv[n++] = str_of(s);
    va_end(ap);
    w->done = 0;
    redis_command(w->redis, w->arena, n > 1 ? 1 : 0, n, argv, ms, op, on_done, w);
    assert_true(loop_until(w->loop, one_done, w, (int)ms + 2000));
    return op->op.err.code;
}

static void test_redis__commands_are_answered(void **state)
{
    struct world *w = *state;
    struct redis_op op = {0};

    assert_int_equal(command(w, &op, 1000, "SET", "a", "1", NULL), 0);
    assert_int_equal(op.reply->type, REDIS_STATUS);
    assert_int_equal(command(w, &op, 1000, "GET", "a", NULL), 0);
    assert_true(str_eqz(op.reply->s, "1"));
    assert_int_equal(command(w, &op, 1000, "GET", "none", NULL), 0);
    assert_int_equal(op.reply->type, REDIS_NIL);
    assert_int_equal(command(w, &op, 1000, "RPUSH", "l", "x", "", "yy", NULL), 0);
    assert_int_equal(op.reply->i, 3);
    assert_int_equal(command(w, &op, 1000, "LRANGE", "l", "0", "-1", NULL), 0);
    assert_int_equal(op.reply->n, 3);
    assert_true(str_eqz(op.reply->item[2].s, "yy"));
    assert_int_equal(command(w, &op, 1000, "INCR", "l", NULL), ERR_INTERNAL);
    assert_non_null(strstr(op.op.err.msg, "WRONGTYPE"));
    assert_int_equal(command(w, &op, 1000, "CLIENT", "GETNAME", NULL), 0);
    assert_true(str_eqz(op.reply->s, "test"));
}

static void test_redis__a_megabyte_travels_whole(void **state)
{
    struct world *w = *state;
    struct redis_op op = {0};
    size_t n = 3000000;
    char *big = malloc(n);
    struct str argv[3] = {STR("SET"), STR("big"), {big, n}};

    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 7);
    redis_command(w->redis, w->arena, 1, 3, argv, 5000, &op, on_done, w);
    assert_true(loop_until(w->loop, one_done, w, 5000));
    assert_int_equal(op.op.err.code, 0);
    assert_int_equal(command(w, &op, 5000, "GET", "big", NULL), 0);
    assert_true(str_eq(op.reply->s, argv[2]));
    free(big);
}

static void test_redis__many_pipelined_keep_their_order(void **state)
{
    enum { N = 5000 };
    struct world *w = *state;
    struct redis_op *op = calloc(N, sizeof(*op));

    for (int i = 0; i < N; i++)
        redis_command(w->redis, w->arena, 1, 2, (struct str[]){STR("INCR"), STR("n")}, 10000,
                      &op[i], on_done, w);
    while (w->done < N)
        loop_turn(w->loop, 100);
    for (int i = 0; i < N; i++) {
        assert_int_equal(op[i].op.err.code, 0);
        assert_int_equal(op[i].reply->i, i + 1);
    }
    free(op);
}

static void test_redis__scripts_survive_a_script_flush(void **state)
{
    static const struct redis_script echo = {"test-echo", "return {KEYS[1], ARGV[1]}", 1};
    struct world *w = *state;
    struct redis_op op = {0};

    for (int i = 0; i < 3; i++) {
        w->done = 0;
        redis_script(w->redis, w->arena, &echo, &STR("k"), 1, &STR("v"), 1000, &op, on_done, w);
        assert_true(loop_until(w->loop, one_done, w, 2000));
        assert_int_equal(op.op.err.code, 0);
        assert_true(str_eqz(op.reply->item[1].s, "v"));
        if (i == 1)
            assert_int_equal(command(w, &op, 1000, "SCRIPT", "FLUSH", NULL), 0);
    }
}

static void test_redis__a_cancelled_command_never_calls_back(void **state)
{
    struct world *w = *state;
    struct redis_op op = {0}, next = {0};
    struct arena *brief = arena_new();

    redis_command(w->redis, brief, 1, 2, (struct str[]){STR("GET"), STR("a")}, 1000, &op, on_done,
                  w);
    op_cancel(&op.op);
    arena_free(brief);
    assert_int_equal(command(w, &next, 1000, "GET", "a", NULL), 0);
    assert_int_equal(w->done, 1);
}

static void test_redis__blocking_delays_nobody(void **state)
{
    struct world *w = *state;
    struct redis_op wait = {0}, op = {0};
    struct redis_blocking *b = redis_blocking_new(w->redis, STR("q"));
    struct world waiter = {0};
    struct str argv[] = {STR("BLMOVE"), STR("q"), STR("t"), STR("RIGHT"), STR("LEFT"), STR("5")};

    redis_blocking_command(b, w->arena, 6, argv, 7000, &wait, on_done, &waiter);
    assert_int_equal(command(w, &op, 1000, "PING", NULL), 0);
    assert_int_equal(command(w, &op, 1000, "LPUSH", "q", "m", NULL), 0);
    assert_true(loop_until(w->loop, one_done, &waiter, 2000));
    assert_int_equal(wait.op.err.code, 0);
    assert_true(str_eqz(wait.reply->s, "m"));
    redis_blocking_free(b);
}

static int heard, gaps;

static void on_heard(void *arg, struct str channel, struct str message)
{
    (void)arg;
    assert_true(str_starts(channel, STR("ch:")));
    assert_true(str_eqz(message, "hello"));
    heard++;
}

static void on_gap(void *arg)
{
    (void)arg;
    gaps++;
}

static bool heard_enough(void *arg)
{
    return heard >= *(int *)arg;
}

static bool gap_seen(void *arg)
{
    (void)arg;
    return gaps > 0;
}

/* Publishes until somebody listens: SUBSCRIBE has no callback. */
static void publish_until(struct world *w, int want)
{
    struct redis_op op = {0};

    for (int i = 0; i < 100 && heard < want; i++) {
        (void)command(w, &op, 1000, "PUBLISH", "ch:1", "hello", NULL);
        loop_until(w->loop, heard_enough, &want, 50);
    }
    assert_true(heard >= want);
}

static void test_redis__followers_hear_again_after_a_restart(void **state)
{
    struct world *w = *state;
    struct redis_sub *one, *pattern;

    heard = gaps = 0;
    one = redis_subscribe(w->redis, STR("ch:1"), false, on_heard, on_gap, w);
    pattern = redis_subscribe(w->redis, STR("ch:*"), true, on_heard, NULL, w);
    publish_until(w, 2);
    server_redis_restart();
    assert_true(loop_until(w->loop, gap_seen, w, 10000));
    publish_until(w, heard + 2);
    redis_unsubscribe(one);
    redis_unsubscribe(pattern);
}

static void test_redis__without_a_server_commands_fail_fast(void **state)
{
    struct world *w = *state;
    struct redis_op op = {0};
    int64_t begun;

    server_redis_stop();
    (void)command(w, &op, 3000, "GET", "a", NULL);
    assert_true(op.op.err.code == ERR_UNAVAILABLE || op.op.err.code == ERR_TIMEOUT);
    assert_false(redis_ready(w->redis));
    begun = clock_mono_us();
    assert_int_equal(command(w, &op, 3000, "GET", "a", NULL), ERR_UNAVAILABLE);
    assert_true(clock_mono_us() - begun < 500000);
    server_redis_start();
    assert_true(loop_until(w->loop, is_ready, w, 10000));
    assert_int_equal(command(w, &op, 1000, "GET", "a", NULL), 0);
}

static void test_redis__a_hanging_server_is_left(void **state)
{
    struct world *w = *state;
    struct redis_op op = {0};

    server_redis_pause(true);
    assert_int_equal(command(w, &op, 300, "GET", "a", NULL), ERR_TIMEOUT);
    server_redis_pause(false);
    assert_int_equal(command(w, &op, 5000, "PING", NULL), 0);
}

static void test_redis__blocking_use(void **state)
{
    struct world *w = *state;
    struct redis_sync *s;
    struct redis_reply *reply;
    struct err err;

    assert_int_equal(redis_sync_open(server_redis_url(), &s, &err), 0);
    assert_int_equal(redis_sync_command(s, w->arena, 1, 3,
                                        (struct str[]){STR("SET"), STR("x"), STR("y")}, &reply,
                                        &err),
                     0);
    assert_int_equal(
        redis_sync_command(s, w->arena, 1, 2, (struct str[]){STR("GET"), STR("x")}, &reply, &err),
        0);
    assert_true(str_eqz(reply->s, "y"));
    redis_sync_close(s);
    assert_int_equal(redis_sync_open("redis://127.0.0.1:1", &s, &err), ERR_UNAVAILABLE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_redis__commands_are_answered),
        T(test_redis__a_megabyte_travels_whole),
        T(test_redis__many_pipelined_keep_their_order),
        T(test_redis__scripts_survive_a_script_flush),
        T(test_redis__a_cancelled_command_never_calls_back),
        T(test_redis__blocking_delays_nobody),
        T(test_redis__followers_hear_again_after_a_restart),
        T(test_redis__without_a_server_commands_fail_fast),
        T(test_redis__a_hanging_server_is_left),
        T(test_redis__blocking_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
