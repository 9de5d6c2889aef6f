/* id.c: identifiers and the text forms of bytes. UUIDs of version 7 carry 48 bits of milliseconds
 * and a counter of 12 bits in rand_a (RFC 9562, 6.2, method 1), so that those of one process sort
 * in the order they were made, even when the clock steps back. */
#include "libcommon/base/compat.h"
#include "libcommon/base/id.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/err.h"
#include <errno.h>
#include <sys/random.h>

static void (*random_fn)(void *p, size_t n);

void random_bytes(void *p, size_t n)
{
    unsigned char *at = p;

    if (random_fn != NULL) {
        random_fn(p, n);
        return;
    }
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        n -= (size_t)got;
    }
}

void random_replace(void (*fn)(void *p, size_t n))
{
    random_fn = fn;
}

static void set_version(struct uuid *u, unsigned version)
{
    u->b[6] = (uint8_t)((u->b[6] & 0x0F) | version << 4);
    u->b[8] = (uint8_t)((u->b[8] & 0x3F) | 0x80);
}

struct uuid uuid_v4(void)
{
    struct uuid u;

    random_bytes(u.b, sizeof u.b);
    set_version(&u, 4);
    return u;
}

struct uuid uuid_v7(void)
{
    static uint64_t last; /* milliseconds << 12 | counter; one loop thread */
    uint64_t now = (uint64_t)clock_wall_us() / 1000 << 12, ms;
    struct uuid u;

    random_bytes(u.b, sizeof u.b);
    /* A fresh millisecond starts at a random place in the lower half: room to count up, and two
     * processes rarely share the bits. */
    now |= (uint64_t)(u.b[6] & 0x07) << 8 | u.b[7];
    last = now >> 12 > last >> 12 ? now : last + 1;
    ms = last >> 12;
    for (int i = 0; i < 6; i++)
        u.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    u.b[6] = (uint8_t)(last >> 8 & 0x0F);
    u.b[7] = (uint8_t)last;
    set_version(&u, 7);
    return u;
}

char *uuid_text(struct uuid u, char out[UUID_LEN + 1])
{
    char hex[33];
    char *at = out;

    hex_encode(u.b, sizeof u.b, hex);
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *at++ = '-';
        *at++ = hex[i];
    }
    *at = '\0';
    return out;
}

int uuid_parse(struct str s, struct uuid *out)
{
    char hex[32];
    size_t n = 0;

    if (s.n != UUID_LEN)
        return ERR_INVALID;
    for (size_t i = 0; i < s.n; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.p[i] != '-')
                return ERR_INVALID;
        } else {
            hex[n++] = s.p[i];
        }
    }
    return hex_decode((struct str){hex, n}, out->b, sizeof out->b);
}

char *hex_encode(const void *p, size_t n, char *out)
{
    static const char alphabet[] = "0123456789abcdef";
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = alphabet[b[i] >> 4];
        out[2 * i + 1] = alphabet[b[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(struct str s, void *out, size_t n)
{
    uint8_t *b = out;

    if (s.n != 2 * n)
        return ERR_INVALID;
    for (size_t i = 0; i < s.n; i++)
        if (hex_digit(s.p[i]) < 0)
            return ERR_INVALID;
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(hex_digit(s.p[2 * i]) << 4 | hex_digit(s.p[2 * i + 1]));
    return 0;
}

static const char base64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_encode(const void *p, size_t n, bool url, char *out)
{
    const char *alphabet = url ? base64_url : base64_std;
    const uint8_t *b = p;
    char *at = out;

    for (size_t i = 0; i < n; i += 3) {
        size_t have = MIN(n - i, 3);
        uint32_t v = (uint32_t)b[i] << 16;

        if (have > 1)
            v |= (uint32_t)b[i + 1] << 8;
        if (have > 2)
            v |= b[i + 2];
        for (size_t k = 0; k < 4; k++) {
            if (k <= have)
                *at++ = alphabet[v >> (18 - 6 * k) & 63];
            else if (!url)
                *at++ = '=';
        }
    }
    *at = '\0';
    return (size_t)(at - out);
}

static int base64_digit(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return -1;
}

/* Strict: right padding, no white space, and no bits in the last digit that the bytes don't use, so
 * that each text has one form. */
ptrdiff_t base64_decode(struct str s, bool url, void *out, size_t cap)
{
    uint8_t *b = out;
    uint32_t v = 0;
    size_t n = 0;

    if (!url) {
        if (s.n % 4 != 0)
            return ERR_INVALID;
        for (int i = 0; i < 2 && s.n > 0 && s.p[s.n - 1] == '='; i++)
            s.n--;
    }
    if (s.n % 4 == 1)
        return ERR_INVALID;
    if (s.n / 4 * 3 + s.n % 4 * 3 / 4 > cap)
        return ERR_TOOBIG;
    for (size_t i = 0; i < s.n; i++) {
        int digit = base64_digit(s.p[i], url);

        if (digit < 0)
            return ERR_INVALID;
        v = v << 6 | (uint32_t)digit;
        if (i % 4 != 0) {
            unsigned spare = 6 - 2 * (i % 4);

            b[n++] = (uint8_t)(v >> spare);
            v &= (1u << spare) - 1;
        }
    }
    return v == 0 ? (ptrdiff_t)n : ERR_INVALID;
}
