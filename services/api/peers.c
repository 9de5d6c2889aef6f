#include "libcommon/base/compat.h"
#include "services/api/peers.h"
#include <arpa/inet.h>

struct net {
    uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;
};

struct peers {
    size_t count;
    struct net nets[];
};

static bool parse_addr(struct str s, uint8_t out[16], bool *v4)
{
    char text[INET6_ADDRSTRLEN];

    if (s.n == 0 || s.n >= sizeof(text))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *v4 = strchr(text, ':') == NULL;
    if (!*v4)
        return inet_pton(AF_INET6, text, out) == 1;
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

static bool parse_net(struct str s, struct net *out)
{
    struct str rest = s;
    struct str addr = str_split(&rest, '/');
    int64_t bits;
    bool v4;

    if (!parse_addr(addr, out->addr, &v4))
        return false;
    out->bits = 128;
    if (rest.p == NULL)
        return true;
    if (str_i64(rest, &bits) != 0 || bits < 0 || bits > (v4 ? 32 : 128))
        return false;
    out->bits = (int)bits + (v4 ? 96 : 0);
    return true;
}

int peers_new(const char *list, struct peers **out, struct err *err)
{
    struct str rest = str_of(list);
    size_t cap = 1;
    struct peers *p;

    for (size_t i = 0; i < rest.n; i++)
        cap += rest.p[i] == ',';
    p = xcalloc(1, sizeof(*p) + cap * sizeof(p->nets[0]));
    while (rest.p != NULL && rest.n > 0) {
        struct str part = str_trim(str_split(&rest, ','));
        if (part.n == 0)
            continue;
        if (!parse_net(part, &p->nets[p->count])) {
            free(p);
            return err_set(err, ERR_INVALID,
                           "TRUSTED_PROXIES: \"%.*s\" is no address or network (10.0.0.0/8)",
                           STR_ARG(part));
        }
        p->count++;
    }
    *out = p;
    return 0;
}

void peers_free(struct peers *p)
{
    free(p);
}

static bool in_net(const struct net *n, const uint8_t addr[16])
{
    int whole = n->bits / 8, rest = n->bits % 8;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));

    return memcmp(n->addr, addr, (size_t)whole) == 0 &&
           (rest == 0 || ((n->addr[whole] ^ addr[whole]) & mask) == 0);
}

bool peers_trusts(const struct peers *p, const char *address)
{
    uint8_t addr[16];
    bool v4;

    if (!parse_addr(str_of(address), addr, &v4))
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (in_net(&p->nets[i], addr))
            return true;
    return false;
}

const char *peers_client(const struct peers *p, struct arena *a, const char *peer,
                         struct str forwarded_for)
{
    const char *client = peer;
    uint8_t addr[16];
    bool v4;

    /* From the right: each trusted proxy vouches for the address it wrote. */
    while (forwarded_for.n > 0 && peers_trusts(p, client)) {
        size_t at = forwarded_for.n;
        while (at > 0 && forwarded_for.p[at - 1] != ',')
            at--;
        struct str last = str_trim((struct str){forwarded_for.p + at, forwarded_for.n - at});
        if (!parse_addr(last, addr, &v4))
            break;
        client = arena_strndup(a, last.p, last.n);
        forwarded_for.n = at > 0 ? at - 1 : 0;
    }
    return client;
}
