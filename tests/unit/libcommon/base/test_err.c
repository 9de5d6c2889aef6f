#include "libcommon/base/compat.h"
#include "libcommon/base/err.h"
#include "libcommon/base/err_codes.h"
#include <setjmp.h>
#include <cmocka.h>

static void test_err__set_and_wrap(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(err_set(&err, ERR_NOTFOUND, "run %d does not exist", 7), ERR_NOTFOUND);
    assert_int_equal(err_wrap(&err, "loading %s", "the plan"), ERR_NOTFOUND);
    assert_string_equal(err.msg, "loading the plan: run 7 does not exist");
    assert_int_equal(err_set(NULL, ERR_BUSY, "nobody listens"), ERR_BUSY);
}

static void test_err__long_messages_are_cut(void **state)
{
    struct err err;
    char text[400];

    (void)state;
    memset(text, 'x', sizeof text);
    text[399] = '\0';
    err_set(&err, ERR_INVALID, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    err_wrap(&err, "context");
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_memory_equal(err.msg, "context: xxx", 12);
    err_wrap(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

static void test_err__codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(err_name(0), "OK");
    assert_string_equal(err_name(ERR_INVALID), "INVALID");
    assert_string_equal(err_name(ERR_INTERNAL), "INTERNAL");
    assert_string_equal(err_name(-12), "UNKNOWN");
    assert_string_equal(err_name(1), "UNKNOWN");
    assert_string_equal(err_name(INT32_MIN), "UNKNOWN");
}

static void test_err__api_codes_are_a_table(void **state)
{
    (void)state;
    assert_string_equal(api_codes[API_LLM_RATE_LIMITED].name, "LLM_RATE_LIMITED");
    assert_int_equal(api_codes[API_LLM_RATE_LIMITED].status, 503);
    assert_true(api_codes[API_LLM_RATE_LIMITED].retryable);
    for (int i = 0; i < API__MAX; i++) {
        assert_true(api_codes[i].status >= 400 && api_codes[i].status < 600);
        assert_true(api_codes[i].when[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err__set_and_wrap),
        cmocka_unit_test(test_err__long_messages_are_cut),
        cmocka_unit_test(test_err__codes_have_names),
        cmocka_unit_test(test_err__api_codes_are_a_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
