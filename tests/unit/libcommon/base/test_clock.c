#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/err.h"
#include <setjmp.h>
#include <cmocka.h>

static int64_t fixed(void)
{
    return 77;
}

static void test_clock__may_be_replaced(void **state)
{
    (void)state;
    clock_replace(fixed, fixed);
    assert_int_equal(clock_mono_us(), 77);
    assert_int_equal(clock_wall_us(), 77);
    clock_replace(NULL, NULL);
    assert_true(clock_wall_us() > INT64_C(1700000000000000));
    assert_true(clock_mono_us() <= clock_mono_us());
}

static const struct {
    const char *text;
    int64_t us;
} times[] = {
    {"1970-01-01T00:00:00.000Z", 0},
    {"2026-11-24T06:11:51.426Z", INT64_C(1795500711426000)},
    {"2000-02-29T23:59:59.999Z", INT64_C(951868799999000)},
    {"2100-03-01T00:00:00.000Z", INT64_C(4107542400000000)},
    {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999000)},
};

static void test_clock__times_go_both_ways(void **state)
{
    char out[CLOCK_ISO_LEN];
    int64_t us;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        assert_string_equal(clock_iso(times[i].us, out), times[i].text);
        assert_int_equal(clock_parse_iso(times[i].text, &us), 0);
        assert_true(us == times[i].us);
    }
    assert_string_equal(clock_iso(-5, out), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_iso(INT64_MAX, out), "9999-12-31T23:59:59.999Z");
}

static void test_clock__reads_the_forms_of_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-02", INT64_C(86400000000)}, {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T18:30:00-05:30", 0},     {"1970-01-01T00:00:00.123456789Z", 123456},
        {"1970-01-01t00:00:00.5z", 500000},   {"1970-01-01 00:00:01+00:00", 1000000},
        {"1969-12-31T23:59:59Z", -1000000},   {"1970-01-01T00:00:60Z", 60000000},
    };
    static const char *const bad[] = {"",
                                      "1970",
                                      "1970-1-1",
                                      "1970-13-01",
                                      "1970-00-01",
                                      "1970-02-29",
                                      "1900-02-29",
                                      "1970-04-31",
                                      "1970-01-01T",
                                      "1970-01-01T00:00:00",
                                      "1970-01-01T24:00:00Z",
                                      "1970-01-01T00:60:00Z",
                                      "1970-01-01T00:00:00.Z",
                                      "1970-01-01T00:00:00+1:00",
                                      "1970-01-01T00:00:00+0100",
                                      "1970-01-01T00:00:00Zx",
                                      "1970-01-01x",
                                      "yesterday"};
    int64_t us = 5;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (clock_parse_iso(bad[i], &us) != ERR_INVALID)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(clock_parse_iso(NULL, &us), ERR_INVALID);
    assert_int_equal(us, 5);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(clock_parse_iso(good[i].text, &us), 0);
        assert_true(us == good[i].us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__may_be_replaced),
        cmocka_unit_test(test_clock__times_go_both_ways),
        cmocka_unit_test(test_clock__reads_the_forms_of_rfc_3339),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
