/* Which addresses are outside. */
#include "libcommon/base/compat.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "libcommon/sec/ssrf.h"

static bool outside(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return ssrf_public((struct sockaddr *)&v4, NULL);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return ssrf_public((struct sockaddr *)&v6, NULL);
}

static void test_ssrf__public_addresses_pass(void **state)
{
    static const char *const good[] = {"1.1.1.1",         "8.8.8.8",           "93.184.216.34",
                                       "100.63.255.255",  "100.128.0.1",       "172.15.255.255",
                                       "172.32.0.1",      "198.17.255.255",    "223.255.255.255",
                                       "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8",
                                       "64:ff9b::8.8.8.8"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!outside(good[i]))
            fail_msg("%s", good[i]);
}

static void test_ssrf__inside_addresses_are_refused_however_they_are_written(void **state)
{
    static const char *const bad[] = {
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "203.0.113.9",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::127.0.0.1",
        "fec0::1",
        "2002:a9fe:a9fe::",
    };
    struct sockaddr_storage other = {.ss_family = AF_UNIX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (outside(bad[i]))
            fail_msg("%s", bad[i]);
    assert_false(ssrf_public((struct sockaddr *)&other, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ssrf__public_addresses_pass),
        cmocka_unit_test(test_ssrf__inside_addresses_are_refused_however_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
