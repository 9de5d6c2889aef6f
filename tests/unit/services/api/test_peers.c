#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "services/api/peers.h"

static void test_peers__believes_trusted_proxies_alone(void **state UNUSED)
{
    static const struct {
        const char *peer, *forwarded, *client;
    } rows[] = {
        {"1.2.3.4", "9.9.9.9", "1.2.3.4"},
        {"10.1.2.3", "9.9.9.9", "9.9.9.9"},
        {"10.1.2.3", "8.8.8.8, 9.9.9.9", "9.9.9.9"},
        {"10.1.2.3", "8.8.8.8, 9.9.9.9, 10.0.0.1", "9.9.9.9"},
        {"10.1.2.3", "10.0.0.2,10.0.0.1", "10.0.0.2"},
        {"10.1.2.3", "", "10.1.2.3"},
        {"10.1.2.3", "unknown", "10.1.2.3"},
        {"10.1.2.3", "9.9.9.9, <script>", "10.1.2.3"},
        {"::1", "2001:db8::7", "2001:db8::7"},
        {"192.168.7.129", "5.5.5.5", "5.5.5.5"},
        {"192.168.7.127", "5.5.5.5", "192.168.7.127"},
    };
    struct arena *a = arena_new();
    struct peers *p;
    struct err err;

    assert_int_equal(peers_new(" 10.0.0.0/8, ::1 ,192.168.7.128/25", &p, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(peers_client(p, a, rows[i].peer, str_of(rows[i].forwarded)),
                            rows[i].client);
    peers_free(p);
    arena_free(a);
}

static void test_peers__without_a_list_nobody_is_believed(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct peers *p;
    struct err err;

    assert_int_equal(peers_new(NULL, &p, &err), 0);
    assert_string_equal(peers_client(p, a, "127.0.0.1", STR("9.9.9.9")), "127.0.0.1");
    peers_free(p);
    arena_free(a);
}

static void test_peers__a_bad_list_is_named(void **state UNUSED)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8", "x", "::1/129", "10.0.0.0/-1"};
    struct peers *p;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(peers_new(bad[i], &p, &err), ERR_INVALID);
        assert_non_null(strstr(err.msg, "TRUSTED_PROXIES"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers__believes_trusted_proxies_alone),
        cmocka_unit_test(test_peers__without_a_list_nobody_is_believed),
        cmocka_unit_test(test_peers__a_bad_list_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
