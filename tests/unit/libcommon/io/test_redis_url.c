/* The forms of REDIS_URL, and slots of keys. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/io/redis_priv.h"

static void test_redis_url__forms(void **state)
{
    struct redis_url u;

    (void)state;
    assert_int_equal(redis_url_parse(&u, "redis://127.0.0.1/3", NULL), 0);
    assert_int_equal(u.kind, REDIS_SINGLE);
    assert_string_equal(u.addr[0].host, "127.0.0.1");
    assert_int_equal(u.addr[0].port, 6379);
    assert_int_equal(u.db, 3);
    assert_int_equal(redis_url_parse(&u, "rediss://app:p%40ss%2Fw@[::1]:6390", NULL), 0);
    assert_true(u.tls);
    assert_string_equal(u.user, "app");
    assert_string_equal(u.password, "p@ss/w");
    assert_string_equal(u.addr[0].host, "::1");
    assert_int_equal(u.addr[0].port, 6390);
    assert_int_equal(redis_url_parse(&u, "sentinel://:pw@a:1,b/mymaster/2?tls=on", NULL), 0);
    assert_int_equal(u.kind, REDIS_SENTINEL);
    assert_int_equal(u.count, 2);
    assert_int_equal(u.addr[1].port, 26379);
    assert_string_equal(u.master, "mymaster");
    assert_string_equal(u.password, "pw");
    assert_int_equal(u.db, 2);
    assert_true(u.tls);
    assert_int_equal(redis_url_parse(&u, "cluster://a:7000,b:7001", NULL), 0);
    assert_int_equal(u.kind, REDIS_CLUSTER);
}

static void test_redis_url__refuses_what_it_does_not_understand(void **state)
{
    static const char *const bad[] = {"",
                                      "http://a",
                                      "redis://",
                                      "redis://a:0",
                                      "redis://a:65536",
                                      "redis://a:x",
                                      "redis://a,b",
                                      "redis://a/x",
                                      "redis://a/-1",
                                      "redis://u:%zz@a",
                                      "redis://[::1",
                                      "redis://a?color=red",
                                      "sentinel://a",
                                      "cluster://a/1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct redis_url u;
        struct err err = {0};

        assert_int_equal(redis_url_parse(&u, bad[i], &err), ERR_INVALID);
        assert_true(err.msg[0] != '\0');
    }
}

static void test_redis_url__slots_as_the_specification_has_them(void **state)
{
    (void)state;
    assert_int_equal(redis_slot(STR("123456789")), 0x31C3);
    assert_int_equal(redis_slot(STR("foo")), 12182);
    assert_int_equal(redis_slot(STR("{user1000}.following")), redis_slot(STR("user1000")));
    assert_int_equal(redis_slot(STR("foo{}{bar}")), redis_slot(STR("foo{}{bar}")));
    assert_int_not_equal(redis_slot(STR("foo{}{bar}")), redis_slot(STR("bar")));
    assert_int_equal(redis_slot(STR("foo{{bar}}zap")), redis_slot(STR("{bar")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_url__forms),
        cmocka_unit_test(test_redis_url__refuses_what_it_does_not_understand),
        cmocka_unit_test(test_redis_url__slots_as_the_specification_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
