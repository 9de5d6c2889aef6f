#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/sec/ratelimit.h"

#define S 1000000LL
#define T0 (1000 * 60 * S) /* the start of a minute */

static void test_ratelimit__the_eleventh_in_a_minute_waits(void **state UNUSED)
{
    struct limit_rule rule = {.per_minute = 10};
    struct limit_state s = {0};
    struct limit_verdict v;

    for (int i = 0; i < 10; i++) {
        v = limit_apply(&s, &rule, T0 + i * S);
        assert_true(v.allowed);
        assert_int_equal(v.remaining, 9 - i);
        assert_int_equal(v.limit, 10);
    }
    v = limit_apply(&s, &rule, T0 + 10 * S);
    assert_false(v.allowed);
    assert_string_equal(v.scope, "minute");
    assert_int_equal(v.retry_s, 56); /* 50 s to the next minute, 6 s until one of ten has left it */
    assert_false(limit_apply(&s, &rule, T0 + (10 + v.retry_s) * S - S).allowed);
    assert_true(limit_apply(&s, &rule, T0 + (10 + v.retry_s) * S).allowed);
}

static void test_ratelimit__a_bucket_refills(void **state UNUSED)
{
    struct limit_rule rule = {.rate = 10, .capacity = 100};
    struct limit_state s = {0};
    struct limit_verdict v;
    int allowed = 0;

    for (int i = 0; i < 150; i++)
        allowed += limit_apply(&s, &rule, T0).allowed;
    assert_int_equal(allowed, 100);
    v = limit_apply(&s, &rule, T0);
    assert_string_equal(v.scope, "bucket");
    assert_int_equal(v.retry_s, 1);
    assert_int_equal(v.remaining, 0);
    for (int i = 0; i < 50; i++)
        allowed += limit_apply(&s, &rule, T0 + 2 * S).allowed;
    assert_int_equal(allowed, 120);
}

static void test_ratelimit__what_is_refused_by_one_part_is_counted_by_none(void **state UNUSED)
{
    struct limit_rule rule = {.per_minute = 2, .rate = 0.001, .capacity = 3};
    struct limit_state s = {0};

    assert_true(limit_apply(&s, &rule, T0).allowed);
    assert_true(limit_apply(&s, &rule, T0).allowed);
    for (int i = 0; i < 5; i++)
        assert_string_equal(limit_apply(&s, &rule, T0).scope, "minute");
    assert_true(s.tokens > 0.99);
    assert_true(limit_apply(&s, &rule, T0 + 120 * S).allowed);
    assert_string_equal(limit_apply(&s, &rule, T0 + 121 * S).scope, "bucket");
}

static void count(struct limit_check *c)
{
    ++*(int *)c->arg;
}

static void test_ratelimit__counts_in_memory_without_redis(void **state UNUSED)
{
    struct loop *loop = loop_new();
    struct ratelimit *rl = ratelimit_new(loop, NULL);
    struct arena *a = arena_new();
    struct limit_rule rule = {.per_minute = 1};
    struct limit_check c[3] = {0};
    int done = 0;

    limit_start(rl, a, "t:x:rate:u", &rule, &c[0], count, &done);
    limit_start(rl, a, "t:x:rate:u", &rule, &c[1], count, &done);
    limit_start(rl, a, "t:x:rate:v", &rule, &c[2], count, &done);
    assert_int_equal(done, 0);
    limit_cancel(&c[2]);
    loop_turn(loop, 0);
    assert_int_equal(done, 2);
    assert_true(c[0].verdict.allowed && c[0].verdict.degraded);
    assert_false(c[1].verdict.allowed);
    ratelimit_free(rl);
    arena_free(a);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ratelimit__the_eleventh_in_a_minute_waits),
        cmocka_unit_test(test_ratelimit__a_bucket_refills),
        cmocka_unit_test(test_ratelimit__what_is_refused_by_one_part_is_counted_by_none),
        cmocka_unit_test(test_ratelimit__counts_in_memory_without_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
