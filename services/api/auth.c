#include "libcommon/base/compat.h"
#include "services/api/auth.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/map.h"
#include "libcommon/model/keys.h"
#include "libcommon/sec/crypt.h"

#define CACHE_US (5 * 1000000LL)
#define CACHE_MAX 10000

/* What is known of a key that exists, for some seconds. */
struct known {
    struct uuid key, tenant, user;
    char role[32], rate[24];
    char *limits;
    bool revoked, suspended;
    int64_t expires_us; /* wall clock, 0: never */
    int64_t until_us;   /* of this entry, monotonic */
};

struct auth {
    struct map *cache; /* by SHA-256 */
};

struct ask {
    uint8_t hash[32];
    void (*done)(struct req *r, enum auth_outcome outcome);
};

struct auth *auth_new(void)
{
    struct auth *a = xcalloc(1, sizeof(*a));

    a->cache = map_new();
    return a;
}

static void known_free(struct known *k)
{
    if (k != NULL)
        free(k->limits);
    free(k);
}

static void forget_all(struct auth *a)
{
    struct str key;
    size_t pos = 0;
    void *value;

    while (map_next(a->cache, &pos, &key, &value))
        known_free(value);
    map_free(a->cache);
    a->cache = map_new();
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    forget_all(a);
    map_free(a->cache);
    free(a);
}

void auth_key_make(char out[AUTH_KEY_LEN + 1], uint8_t sha256_out[32])
{
    uint8_t secret[32];

    random_bytes(secret, sizeof(secret));
    memcpy(out, AUTH_KEY_PREFIX, 4);
    base64_encode(secret, sizeof(secret), true, out + 4);
    sha256(out, AUTH_KEY_LEN, sha256_out);
    explicit_bzero(secret, sizeof(secret));
}

/* --- the credentials
 * --- */

static struct str credentials(const struct req *r)
{
    struct str key = http_req_header(r->http, "x-api-key");
    struct str bearer = http_req_header(r->http, "authorization");

    if (key.n > 0)
        return key;
    if (bearer.n > 7 && str_ieq((struct str){bearer.p, 7}, STR("bearer ")))
        return str_trim((struct str){bearer.p + 7, bearer.n - 7});
    return bearer; /* another scheme: given, but not valid */
}

static bool has_shape(struct str key)
{
    if (key.n != AUTH_KEY_LEN || memcmp(key.p, AUTH_KEY_PREFIX, 4) != 0)
        return false;
    for (size_t i = 4; i < key.n; i++) {
        unsigned char c = (unsigned char)key.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alnum && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* --- outcomes
 * --- */

static enum auth_outcome judge(struct req *r, const struct known *k)
{
    struct principal *p;

    if (k->revoked)
        return AUTH_INVALID;
    if (k->expires_us != 0 && clock_wall_us() >= k->expires_us)
        return AUTH_EXPIRED;
    if (k->suspended)
        return AUTH_SUSPENDED;
    p = arena_new_of(r->arena, struct principal);
    if (!perm_role(k->role, &p->perms))
        return AUTH_INVALID;
    p->key = k->key;
    p->tenant = k->tenant;
    p->user = k->user;
    p->role = arena_strdup(r->arena, k->role);
    p->rate = arena_strdup(r->arena, k->rate);
    p->tenant_limits =
        k->limits == NULL ? (struct str){NULL, 0} : arena_str(r->arena, str_of(k->limits));
    r->who = p;
    return AUTH_OK;
}

static struct known *known_new(const struct api_key *row)
{
    struct known *k = xcalloc(1, sizeof(*k));

    k->key = row->id;
    k->tenant = row->tenant;
    k->user = row->principal;
    snprintf(k->role, sizeof(k->role), "%s", row->role);
    snprintf(k->rate, sizeof(k->rate), "%s", row->rate);
    k->limits =
        row->tenant_limits.n == 0 ? NULL : xstrndup(row->tenant_limits.p, row->tenant_limits.n);
    k->revoked = row->revoked_us != 0;
    k->suspended = row->tenant_status != NULL && strcmp(row->tenant_status, "active") != 0;
    k->expires_us = row->expires_us;
    k->until_us = clock_mono_us() + CACHE_US;
    return k;
}

static void found(struct req *r)
{
    struct auth *a = r->app->auth;
    struct ask *ask = r->state;
    struct api_key row;

    if (pg_rows(r->pg.result, 0) == 0 || keys_read(r->pg.result, 0, 0, r->arena, &row) != 0) {
        ask->done(r, AUTH_INVALID);
        return;
    }
    if (map_count(a->cache) >= CACHE_MAX)
        forget_all(a);
    struct known *k = known_new(&row);
    known_free(map_set(a->cache, (struct str){(const char *)ask->hash, 32}, k));
    ask->done(r, judge(r, k));
}

static void not_found_out(struct req *r, const struct pg_op *op UNUSED)
{
    struct ask *ask = r->state;

    ask->done(r, AUTH_UNKNOWN);
}

void auth_start(struct req *r, void (*done)(struct req *r, enum auth_outcome outcome))
{
    struct str key = credentials(r);
    struct ask *ask = arena_new_of(r->arena, struct ask);
    struct pg_batch *b;
    struct known *k;

    if (key.n == 0 || !has_shape(key)) {
        done(r, key.n == 0 ? AUTH_MISSING : AUTH_INVALID);
        return;
    }
    sha256(key.p, key.n, ask->hash);
    ask->done = done;
    k = map_get(r->app->auth->cache, (struct str){(const char *)ask->hash, 32});
    if (k != NULL && clock_mono_us() < k->until_us) {
        done(r, judge(r, k));
        return;
    }
    r->state = ask;
    r->failed = not_found_out;
    b = pg_batch_new(r->arena, PG_SERVICE, NULL, NULL, false, PG_READ);
    keys_add_find(b, r->arena, ask->hash);
    req_pg(r, b, found);
}
