#include "libcommon/base/compat.h"
#include "libcommon/ev/backoff.h"
#include <setjmp.h>
#include <cmocka.h>

static void test_backoff__doubles_up_to_the_maximum(void **state)
{
    static const int64_t expected[] = {100, 200, 400, 800, 1000, 1000};
    struct backoff b = {.base_ms = 100, .max_ms = 1000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        int64_t pause = backoff_next(&b);

        assert_true(pause >= expected[i] && pause <= expected[i] + expected[i] / 10);
    }
    assert_int_equal(b.tries, ARRAY_LEN(expected));
    backoff_reset(&b);
    assert_true(backoff_next(&b) <= 110);
}

static void test_backoff__survives_many_tries(void **state)
{
    struct backoff b = {.base_ms = 1000, .max_ms = INT64_C(1) << 50};

    (void)state;
    for (int i = 0; i < 200; i++)
        assert_true(backoff_next(&b) >= 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff__doubles_up_to_the_maximum),
        cmocka_unit_test(test_backoff__survives_many_tries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
