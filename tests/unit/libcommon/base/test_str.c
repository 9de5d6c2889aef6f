#include "libcommon/base/compat.h"
#include "libcommon/base/str.h"
#include "libcommon/base/err.h"
#include <setjmp.h>
#include <cmocka.h>

static void test_str__compare_and_trim(void **state)
{
    struct str none = {NULL, 0};

    (void)state;
    assert_true(str_eq(none, STR("")));
    assert_true(str_ieq(STR("Content-Type"), STR("content-TYPE")));
    assert_false(str_ieq(STR("a"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(none, none));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_eqz(str_trim(STR(" \t\r\n\v\fx y \n")), "x y"));
    assert_int_equal(str_trim(STR("   ")).n, 0);
    assert_int_equal(str_find(STR("hello"), STR("lo")), 3);
    assert_int_equal(str_find(STR("hello"), STR("xx")), -1);
    assert_int_equal(str_find(STR("a"), STR("ab")), -1);
    assert_int_equal(str_find(none, STR("a")), -1);
    assert_int_equal(str_find(none, none), 0);
}

static void test_str__split_walks_the_parts(void **state)
{
    struct str rest = STR("a,,b,");

    (void)state;
    assert_true(str_eqz(str_split(&rest, ','), "a"));
    assert_true(str_eqz(str_split(&rest, ','), ""));
    assert_true(str_eqz(str_split(&rest, ','), "b"));
    assert_non_null(rest.p); /* an empty part is still to come */
    assert_true(str_eqz(str_split(&rest, ','), ""));
    assert_null(rest.p);
    assert_int_equal(str_split(&rest, ',').n, 0);
}

static void test_str__integers_are_read_whole_or_not_at_all(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "--1",
                                      "1a",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    int64_t v = 42;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(str_i64(str_of(bad[i]), &v), ERR_INVALID);
    assert_int_equal(v, 42);
    assert_int_equal(str_i64(STR("9223372036854775807"), &v), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(str_i64(STR("-9223372036854775808"), &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(str_i64(STR("007"), &v), 0);
    assert_int_equal(v, 7);
}

static void test_str__reals_are_read_whole_or_not_at_all(void **state)
{
    static const char *const bad[] = {"",   "nan",   "inf", "0x10",  " 1",
                                      "1 ", "1e999", "e",   "1.2.3", "--1"};
    char digits[500];
    double v = 42;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(str_f64(str_of(bad[i]), &v), ERR_INVALID);
    memset(digits, '1', sizeof digits);
    assert_int_equal(str_f64((struct str){digits, sizeof digits}, &v), ERR_INVALID);
    assert_int_equal(str_f64((struct str){"1\0", 2}, &v), ERR_INVALID);
    assert_true(v == 42);
    assert_int_equal(str_f64(STR("-1.5e3"), &v), 0);
    assert_true(v == -1500);
    assert_int_equal(str_f64((struct str){"2.59", 3}, &v), 0); /* a view into more */
    assert_true(v == 2.5);
}

static void test_str__utf8_refuses_what_rfc_3629_refuses(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xE2\x82",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xF0\x90\x80",
                                      "a\xE2\x28\xA1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(utf8_valid(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_valid(str_of(bad[i])));
}

static void test_str__utf8_counts_cuts_and_walks(void **state)
{
    struct str s = STR("a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80");
    size_t pos = 0;

    (void)state;
    assert_int_equal(utf8_chars(s), 4);
    assert_int_equal(utf8_cut(s, 2).n, 3);
    assert_int_equal(utf8_cut(s, 9).n, s.n);
    assert_int_equal(utf8_cut(s, 0).n, 0);
    assert_int_equal(utf8_next(s, &pos), 'a');
    assert_int_equal(utf8_next(s, &pos), 0xE9);
    assert_int_equal(utf8_next(s, &pos), 0x4E2D);
    assert_int_equal(utf8_next(s, &pos), 0x1F600);
    assert_int_equal(pos, s.n);
    pos = 0;
    assert_int_equal(utf8_next(STR("\xE4\xB8x"), &pos), 0xFFFD);
    assert_int_equal(pos, 1);
}

static void test_str__utf8_put_is_the_inverse_of_next(void **state)
{
    static const uint32_t points[] = {0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF};
    char out[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        size_t n = utf8_put(out, points[i]), pos = 0;

        assert_int_equal(utf8_next((struct str){out, n}, &pos), points[i]);
        assert_int_equal(pos, n);
    }
    assert_int_equal(utf8_put(out, 0xD800), 3); /* U+FFFD */
    assert_memory_equal(out, "\xEF\xBF\xBD", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str__compare_and_trim),
        cmocka_unit_test(test_str__split_walks_the_parts),
        cmocka_unit_test(test_str__integers_are_read_whole_or_not_at_all),
        cmocka_unit_test(test_str__reals_are_read_whole_or_not_at_all),
        cmocka_unit_test(test_str__utf8_refuses_what_rfc_3629_refuses),
        cmocka_unit_test(test_str__utf8_counts_cuts_and_walks),
        cmocka_unit_test(test_str__utf8_put_is_the_inverse_of_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
