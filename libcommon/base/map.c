/* map.c: open addressing with linear probing; a removal moves later entries back, so that there are
 * no tombstones. Keys may be chosen by strangers, hence SipHash-1-3 under a random key: nobody can
 * aim at one chain. */
#include "libcommon/base/compat.h"
#include "libcommon/base/map.h"
#include "libcommon/base/id.h"

#define MAP_MAGIC 0x3A9B0001u
#define SLOTS_MIN 16u

struct slot {
    uint64_t hash;
    char *key; /* NULL: free */
    size_t len;
    void *value;
};

struct map {
    unsigned magic;
    struct slot *slots;
    size_t cap, count; /* cap is a power of two, or 0 */
};

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t map_hash(struct str key)
{
    static uint64_t secret[2];
    static bool have_secret;
    uint64_t v[4], word = (uint64_t)key.n << 56;
    size_t whole = key.n & ~(size_t)7;

    if (!have_secret) {
        random_bytes(secret, sizeof secret);
        have_secret = true;
    }
    v[0] = secret[0] ^ 0x736f6d6570736575u;
    v[1] = secret[1] ^ 0x646f72616e646f6du;
    v[2] = secret[0] ^ 0x6c7967656e657261u;
    v[3] = secret[1] ^ 0x7465646279746573u;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m;

        memcpy(&m, key.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    for (size_t i = whole; i < key.n; i++)
        word |= (uint64_t)(unsigned char)key.p[i] << (8 * (i - whole));
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void)
{
    struct map *m = xcalloc(1, sizeof *m);

    m->magic = MAP_MAGIC;
    return m;
}

void map_free(struct map *m)
{
    if (m == NULL)
        return;
    CHECK(m, MAP);
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    m->magic = 0;
    free(m);
}

size_t map_count(const struct map *m)
{
    CHECK(m, MAP);
    return m->count;
}

/* The slot of the key, or the free one where it belongs. cap > count, so the walk ends. */
static struct slot *find_slot(const struct map *m, struct str key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);

    for (;; i = (i + 1) & (m->cap - 1)) {
        struct slot *s = &m->slots[i];

        if (s->key == NULL)
            return s;
        if (s->hash == hash && str_eq((struct str){s->key, s->len}, key))
            return s;
    }
}

static void grow(struct map *m)
{
    struct slot *old = m->slots;
    size_t old_cap = m->cap;

    m->cap = old_cap == 0 ? SLOTS_MIN : old_cap * 2;
    m->slots = xcalloc(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].key != NULL)
            *find_slot(m, (struct str){old[i].key, old[i].len}, old[i].hash) = old[i];
    free(old);
}

void *map_set(struct map *m, struct str key, void *value)
{
    uint64_t hash = map_hash(key);
    struct slot *s;
    void *before;

    CHECK(m, MAP);
    assert(value != NULL);
    if (m->count + 1 > m->cap / 4 * 3)
        grow(m);
    s = find_slot(m, key, hash);
    before = s->value;
    if (s->key == NULL) {
        s->key = xmalloc(key.n + 1);
        if (key.n > 0)
            memcpy(s->key, key.p, key.n);
        s->key[key.n] = '\0';
        s->len = key.n;
        s->hash = hash;
        m->count++;
    }
    s->value = value;
    return before;
}

void *map_get(const struct map *m, struct str key)
{
    CHECK(m, MAP);
    return m->count == 0 ? NULL : find_slot(m, key, map_hash(key))->value;
}

/* Closes the gap at i: an entry may move into it unless its home lies behind the gap. */
static void close_gap(struct map *m, size_t i)
{
    size_t mask = m->cap - 1;

    for (size_t j = (i + 1) & mask; m->slots[j].key != NULL; j = (j + 1) & mask) {
        size_t home = m->slots[j].hash & mask;

        if (((j - home) & mask) >= ((j - i) & mask)) {
            m->slots[i] = m->slots[j];
            i = j;
        }
    }
    m->slots[i] = (struct slot){0};
}

void *map_del(struct map *m, struct str key)
{
    struct slot *s;
    void *value;

    CHECK(m, MAP);
    if (m->count == 0)
        return NULL;
    s = find_slot(m, key, map_hash(key));
    if (s->key == NULL)
        return NULL;
    value = s->value;
    free(s->key);
    close_gap(m, (size_t)(s - m->slots));
    m->count--;
    return value;
}

bool map_next(const struct map *m, size_t *pos, struct str *key, void **value)
{
    CHECK(m, MAP);
    for (; *pos < m->cap; (*pos)++) {
        const struct slot *s = &m->slots[*pos];

        if (s->key == NULL)
            continue;
        (*pos)++;
        *key = (struct str){s->key, s->len};
        *value = s->value;
        return true;
    }
    return false;
}
