#include "libcommon/base/compat.h"
#include "libcommon/base/buf.h"
#include <setjmp.h>
#include <cmocka.h>

static void test_buf__grows_to_its_maximum_and_not_beyond(void **state)
{
    struct err err;
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_true(str_eqz(buf_view(&b), ""));
    for (int i = 0; i < 1000; i++)
        buf_putc(&b, 'x');
    assert_int_equal(buf_check(&b, &err), 0);
    buf_putc(&b, 'y');
    assert_int_equal(b.n, 1000);
    assert_int_equal(buf_check(&b, &err), ERR_TOOBIG);
    assert_string_equal(err.msg, "more than 1000 bytes");
    assert_int_equal(b.p[1000], '\0');
    buf_consume(&b, 999);
    buf_puts(&b, "late"); /* there is room, but something is missing already */
    assert_int_equal(b.n, 1);
    buf_clear(&b);
    buf_puts(&b, "anew");
    assert_string_equal(b.p, "anew");
    buf_done(&b);
    buf_done(&b);
    buf_done(NULL);
}

static void test_buf__adds_all_of_a_part_or_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    buf_puts(&b, "abc");
    buf_puts(&b, "def");
    assert_string_equal(b.p, "abc");
    assert_true(b.overflow);
    buf_clear(&b);
    buf_printf(&b, "%d", 123456);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

static void test_buf__prints_short_and_long(void **state)
{
    struct buf b;
    char big[1000];

    (void)state;
    memset(big, 'b', sizeof big);
    big[999] = '\0';
    buf_init(&b, SIZE_MAX / 2);
    buf_printf(&b, "%d|%s|", 7, big);
    buf_printf(&b, "%s", "");
    assert_int_equal(b.n, 2 + 999 + 1);
    assert_int_equal(b.p[b.n - 1], '|');
    buf_done(&b);
}

static void test_buf__consumes_from_the_front(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_consume(&b, 0);
    buf_add(&b, "a\0b", 3);
    buf_str(&b, STR("cd"));
    buf_consume(&b, 2);
    assert_string_equal(b.p, "bcd");
    buf_consume(&b, 3);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf__grows_to_its_maximum_and_not_beyond),
        cmocka_unit_test(test_buf__adds_all_of_a_part_or_nothing),
        cmocka_unit_test(test_buf__prints_short_and_long),
        cmocka_unit_test(test_buf__consumes_from_the_front),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
