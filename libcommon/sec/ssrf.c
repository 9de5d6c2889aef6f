/* ssrf.c: the special-purpose registries of IANA (RFC 6890 and its followers) as a table of
 * prefixes. An IPv6 address that carries an IPv4 address is judged by what it carries. */
#include "libcommon/base/compat.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "libcommon/sec/ssrf.h"

struct prefix {
    uint8_t bytes[16];
    int bits;
};

static const struct prefix denied4[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared (carriers, clusters) */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local, metadata services */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, broadcast */
};

/* Of IPv6 only 2000::/3 is given out; these parts of it are not for us. */
static const struct prefix denied6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation */
};

static bool within(const uint8_t *address, const struct prefix *p)
{
    int whole = p->bits / 8, rest = p->bits % 8;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));

    return memcmp(address, p->bytes, (size_t)whole) == 0 &&
           (rest == 0 || (address[whole] & mask) == (p->bytes[whole] & mask));
}

static bool public4(const uint8_t *a)
{
    for (size_t i = 0; i < ARRAY_LEN(denied4); i++)
        if (within(a, &denied4[i]))
            return false;
    return true;
}

static bool public6(const uint8_t *a)
{
    static const struct prefix mapped = {{[10] = 0xff, [11] = 0xff}, 96},
                               nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96},
                               six_to_four = {{0x20, 0x02}, 16}, global = {{0x20}, 3};

    if (within(a, &mapped) || within(a, &nat64))
        return public4(a + 12);
    if (within(a, &six_to_four))
        return public4(a + 2);
    for (size_t i = 0; i < ARRAY_LEN(denied6); i++)
        if (within(a, &denied6[i]))
            return false;
    return within(a, &global);
}

bool ssrf_public(const struct sockaddr *address, void *arg)
{
    (void)arg;
    if (address->sa_family == AF_INET)
        return public4(
            (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        return public6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return false;
}
