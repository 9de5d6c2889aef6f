#include "libcommon/base/compat.h"
#include "libcommon/base/id.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/err.h"
#include <setjmp.h>
#include <cmocka.h>

static int64_t now_us;

static int64_t fake_wall(void)
{
    return now_us;
}

static void test_id__uuids_sort_in_the_order_they_were_made(void **state)
{
    struct uuid before = uuid_v7();

    (void)state;
    now_us = clock_wall_us();
    clock_replace(NULL, fake_wall);
    for (int i = 0; i < 10000; i++) { /* more than the counter of one millisecond */
        struct uuid u = uuid_v7();

        assert_true(memcmp(before.b, u.b, sizeof u.b) < 0);
        before = u;
        if (i == 5000)
            now_us -= 3600000000; /* the clock steps back */
    }
    clock_replace(NULL, NULL);
}

static void test_id__uuids_have_version_variant_and_time(void **state)
{
    struct uuid v7, v4 = uuid_v4();
    char text[UUID_LEN + 1];

    (void)state;
    now_us = clock_wall_us() + 7200000000; /* after those of the other tests */
    clock_replace(NULL, fake_wall);
    v7 = uuid_v7();
    clock_replace(NULL, NULL);
    assert_int_equal(v7.b[6] >> 4, 7);
    assert_int_equal(v7.b[8] >> 6, 2);
    assert_int_equal(v4.b[6] >> 4, 4);
    assert_int_equal(v4.b[8] >> 6, 2);
    assert_int_equal((uint64_t)v7.b[0] << 40 | (uint64_t)v7.b[1] << 32 | (uint64_t)v7.b[2] << 24 |
                         v7.b[3] << 16 | v7.b[4] << 8 | v7.b[5],
                     now_us / 1000);
    uuid_text(v7, text);
    assert_int_equal(strlen(text), UUID_LEN);
    assert_int_equal(text[14], '7');
}

static void test_id__uuid_text_is_read_back(void **state)
{
    static const char *const bad[] = {"",
                                      "0190a1b2-1234-7abc-8def-0123456789a",
                                      "0190a1b2-1234-7abc-8def-0123456789abc",
                                      "0190a1b2-1234-7abc-8def-0123456789ag",
                                      "0190a1b2x1234-7abc-8def-0123456789ab",
                                      "0190a1b21234-7abc-8def-0123456789ab0",
                                      "{190a1b2-1234-7abc-8def-0123456789a}"};
    struct uuid u = uuid_v4(), back;
    char text[UUID_LEN + 1];

    (void)state;
    assert_int_equal(uuid_parse(str_of(uuid_text(u, text)), &back), 0);
    assert_memory_equal(u.b, back.b, 16);
    assert_int_equal(uuid_parse(STR("0190A1B2-1234-7ABC-8DEF-0123456789AB"), &back), 0);
    assert_string_equal(uuid_text(back, text), "0190a1b2-1234-7abc-8def-0123456789ab");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(uuid_parse(str_of(bad[i]), &back), ERR_INVALID);
}

static void test_id__hex_goes_both_ways(void **state)
{
    char out[9];
    uint8_t b[4];

    (void)state;
    assert_string_equal(hex_encode("\x00\xAB\xff\x10", 4, out), "00abff10");
    assert_int_equal(hex_decode(STR("00ABff10"), b, 4), 0);
    assert_memory_equal(b, "\x00\xAB\xff\x10", 4);
    assert_int_equal(hex_decode(STR("00ABff1"), b, 4), ERR_INVALID);
    assert_int_equal(hex_decode(STR("00ABff1g"), b, 4), ERR_INVALID);
}

static void test_id__base64_goes_both_ways(void **state)
{
    static const struct {
        const char *bytes, *std, *url;
    } rows[] = {{"", "", ""},
                {"f", "Zg==", "Zg"},
                {"fo", "Zm8=", "Zm8"},
                {"foo", "Zm9v", "Zm9v"},
                {"foob", "Zm9vYg==", "Zm9vYg"},
                {"\xfb\xff\xbf", "+/+/", "-_-_"}};
    char out[32];
    uint8_t b[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = strlen(rows[i].bytes);

        assert_int_equal(base64_encode(rows[i].bytes, n, false, out), strlen(rows[i].std));
        assert_string_equal(out, rows[i].std);
        base64_encode(rows[i].bytes, n, true, out);
        assert_string_equal(out, rows[i].url);
        assert_int_equal(base64_decode(str_of(rows[i].std), false, b, n), n);
        assert_memory_equal(b, rows[i].bytes, n);
        assert_int_equal(base64_decode(str_of(rows[i].url), true, b, n), n);
    }
}

static void test_id__base64_is_strict(void **state)
{
    static const char *const bad[] = {"Zg",   "Zg=",      "Zg=\n", "Z===", "====",     "Zh==",
                                      "Zm9=", "Zm9v====", "Zm-v",  " Zm9", "Zg==Zg==", "Z"};
    uint8_t b[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (base64_decode(str_of(bad[i]), false, b, sizeof b) != ERR_INVALID)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(base64_decode(STR("Zg=="), true, b, sizeof b), ERR_INVALID);
    assert_int_equal(base64_decode(STR("Zm+v"), true, b, sizeof b), ERR_INVALID);
    assert_int_equal(base64_decode(STR("Zm9v"), false, b, 2), ERR_TOOBIG);
}

static void fill_seven(void *p, size_t n)
{
    memset(p, 7, n);
}

static void test_id__random_may_be_replaced(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    random_replace(fill_seven);
    random_bytes(a, sizeof a);
    random_replace(NULL);
    assert_int_equal(a[31], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id__uuids_sort_in_the_order_they_were_made),
        cmocka_unit_test(test_id__uuids_have_version_variant_and_time),
        cmocka_unit_test(test_id__uuid_text_is_read_back),
        cmocka_unit_test(test_id__hex_goes_both_ways),
        cmocka_unit_test(test_id__base64_goes_both_ways),
        cmocka_unit_test(test_id__base64_is_strict),
        cmocka_unit_test(test_id__random_may_be_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
