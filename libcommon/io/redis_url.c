/* redis_url.c: the four forms of REDIS_URL. The parser is strict: what it does not understand is an
 * error that names the part, never a silent default. The password never appears in a message. */
#include "libcommon/base/compat.h"
#include "libcommon/io/redis_priv.h"

static const struct scheme {
    const char *name;
    enum redis_kind kind;
    bool tls;
} schemes[] = {
    {"redis", REDIS_SINGLE, false},
    {"rediss", REDIS_SINGLE, true},
    {"sentinel", REDIS_SENTINEL, false},
    {"cluster", REDIS_CLUSTER, false},
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int unescape(struct str s, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            if (i + 2 >= s.n || hex_digit(s.p[i + 1]) < 0 || hex_digit(s.p[i + 2]) < 0)
                return ERR_INVALID;
            c = (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
            i += 2;
        }
        if (c == '\0' || n + 1 >= cap)
            return ERR_INVALID;
        out[n++] = c;
    }
    out[n] = '\0';
    return 0;
}

int redis_addr_parse(struct str s, int port, struct redis_addr *out)
{
    struct str host = s, rest = {0};
    int64_t number = port;

    if (s.n > 0 && s.p[0] == '[') {
        ptrdiff_t end = str_find(s, STR("]"));

        if (end < 0)
            return ERR_INVALID;
        host = (struct str){s.p + 1, (size_t)end - 1};
        rest = (struct str){s.p + end + 1, s.n - (size_t)end - 1};
        if (rest.n > 0 && rest.p[0] != ':')
            return ERR_INVALID;
        if (rest.n > 0)
            rest = (struct str){rest.p + 1, rest.n - 1};
    } else if (str_find(s, STR(":")) >= 0) {
        rest = s;
        host = str_split(&rest, ':');
    }
    if (rest.n > 0 && (str_i64(rest, &number) != 0 || number < 1 || number > 65535))
        return ERR_INVALID;
    if (host.n == 0 || host.n >= sizeof(out->host))
        return ERR_INVALID;
    memcpy(out->host, host.p, host.n);
    out->host[host.n] = '\0';
    out->port = (int)number;
    return 0;
}

static int parse_scheme(struct redis_url *u, struct str *rest, struct err *err)
{
    ptrdiff_t at = str_find(*rest, STR("://"));

    for (size_t i = 0; at > 0 && i < ARRAY_LEN(schemes); i++) {
        if (!str_eqz((struct str){rest->p, (size_t)at}, schemes[i].name))
            continue;
        u->kind = schemes[i].kind;
        u->tls = schemes[i].tls;
        *rest = (struct str){rest->p + at + 3, rest->n - (size_t)at - 3};
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "a Redis URL starts with redis://, rediss://, sentinel:// or cluster://");
}

static int parse_user(struct redis_url *u, struct str *rest, struct err *err)
{
    ptrdiff_t at = -1;

    for (size_t i = 0; i < rest->n; i++)
        if (rest->p[i] == '@')
            at = (ptrdiff_t)i;
    if (at < 0)
        return 0;
    struct str password = {rest->p, (size_t)at};
    struct str user = str_split(&password, ':');

    *rest = (struct str){rest->p + at + 1, rest->n - (size_t)at - 1};
    if (unescape(user, u->user, sizeof(u->user)) != 0 ||
        unescape(password, u->password, sizeof(u->password)) != 0)
        return err_set(err, ERR_INVALID, "user or password of the Redis URL is badly escaped");
    return 0;
}

static int parse_hosts(struct redis_url *u, struct str hosts, struct err *err)
{
    int port = u->kind == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT;

    while (hosts.p != NULL) {
        struct str one = str_trim(str_split(&hosts, ','));

        if (u->count == REDIS_HOSTS_MAX)
            return err_set(err, ERR_INVALID, "a Redis URL names at most %d hosts", REDIS_HOSTS_MAX);
        if (redis_addr_parse(one, port, &u->addr[u->count++]) != 0)
            return err_set(err, ERR_INVALID, "host \"%.*s\" of the Redis URL is not host:port",
                           STR_ARG(one));
    }
    if (u->kind == REDIS_SINGLE && u->count > 1)
        return err_set(err, ERR_INVALID, "redis:// names one host; use sentinel:// or cluster://");
    return 0;
}

static int parse_path(struct redis_url *u, struct str path, struct err *err)
{
    int64_t db = 0;

    if (u->kind == REDIS_SENTINEL) {
        struct str name = str_split(&path, '/');

        if (name.n == 0 || name.n >= sizeof(u->master))
            return err_set(err, ERR_INVALID, "sentinel://hosts/NAME lacks the master's name");
        memcpy(u->master, name.p, name.n);
    }
    if (path.n > 0 && (str_i64(path, &db) != 0 || db < 0 || db > 65535))
        return err_set(err, ERR_INVALID, "the database of the Redis URL is not a number");
    if (u->kind == REDIS_CLUSTER && db != 0)
        return err_set(err, ERR_INVALID, "a Redis Cluster has database 0 alone");
    u->db = (int)db;
    return 0;
}

static int parse_query(struct redis_url *u, struct str query, struct err *err)
{
    while (query.n > 0) {
        struct str value = str_split(&query, '&');
        struct str name = str_split(&value, '=');

        if (!str_eqz(name, "tls"))
            return err_set(err, ERR_INVALID, "the Redis URL has an unknown parameter \"%.*s\"",
                           STR_ARG(name));
        u->tls = str_eqz(value, "on") || str_eqz(value, "true") || str_eqz(value, "1");
    }
    return 0;
}

int redis_url_parse(struct redis_url *u, const char *url, struct err *err)
{
    struct redis_url parsed = {0};
    struct str rest = str_of(url), path = {0}, query = {0};
    int rc;

    if ((rc = parse_scheme(&parsed, &rest, err)) != 0)
        return rc;
    query = rest;
    rest = str_split(&query, '?');
    /* The user's part goes first: an unescaped "/" in a password is refused below as a bad host. */
    path = rest;
    rest = str_split(&path, '/');
    if ((rc = parse_user(&parsed, &rest, err)) != 0 ||
        (rc = parse_hosts(&parsed, rest, err)) != 0 || (rc = parse_path(&parsed, path, err)) != 0 ||
        (rc = parse_query(&parsed, query, err)) != 0)
        return rc;
    *u = parsed;
    return 0;
}
