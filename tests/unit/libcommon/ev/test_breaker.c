#include "libcommon/base/compat.h"
#include "libcommon/ev/breaker.h"
#include "libcommon/base/clock.h"
#include <setjmp.h>
#include <cmocka.h>

static int64_t now_us;

static int64_t fake_mono(void)
{
    return now_us;
}

static int setup(void **state)
{
    (void)state;
    now_us = 1000000;
    clock_replace(fake_mono, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clock_replace(NULL, NULL);
    return 0;
}

static void test_breaker__opens_after_failures_in_a_row(void **state)
{
    struct breaker b;

    (void)state;
    breaker_init(&b, 3, 500);
    breaker_failure(&b);
    breaker_failure(&b);
    breaker_success(&b);
    breaker_failure(&b);
    breaker_failure(&b);
    assert_true(breaker_allow(&b));
    breaker_failure(&b);
    assert_false(breaker_allow(&b));
    breaker_success(&b); /* of a call from before */
    assert_int_equal(b.state, BREAKER_OPEN);
}

static void test_breaker__one_probe_decides(void **state)
{
    struct breaker b;

    (void)state;
    breaker_init(&b, 1, 500);
    breaker_failure(&b);
    now_us += 499999;
    assert_false(breaker_allow(&b));
    now_us += 1;
    assert_true(breaker_allow(&b));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(breaker_allow(&b));
    breaker_failure(&b);
    assert_false(breaker_allow(&b));
    now_us += 500000;
    assert_true(breaker_allow(&b));
    breaker_success(&b);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_allow(&b));
    assert_true(breaker_allow(&b));
}

static void test_breaker__a_lost_probe_is_given_up(void **state)
{
    struct breaker b;

    (void)state;
    breaker_init(&b, 1, 500);
    breaker_failure(&b);
    now_us += 500000;
    assert_true(breaker_allow(&b));
    now_us += 500000;
    assert_true(breaker_allow(&b));
    assert_false(breaker_allow(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_breaker__opens_after_failures_in_a_row, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_breaker__one_probe_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_breaker__a_lost_probe_is_given_up, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
