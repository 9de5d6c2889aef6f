/* crypt.c: OpenSSL's EVP behind a few functions of ours. A failure inside OpenSSL (out of memory, a
 * provider that is not there) leaves nothing sensible to do and aborts; what may fail in ordinary
 * use is only unseal, since its input comes from a database. */
#include "libcommon/base/compat.h"
#include "libcommon/sec/crypt.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "libcommon/base/id.h"

#define KEYRING_MAGIC 0x4E7121A6u
#define KEYS_MAX 16
#define KEY_LEN 32
#define ID_LEN 8
#define NONCE_LEN 12
#define TAG_LEN 16
#define ENVELOPE_VERSION 1
#define HEAD_LEN (1 + ID_LEN + NONCE_LEN)

struct key {
    uint8_t id[ID_LEN];
    uint8_t bytes[KEY_LEN];
};

struct keyring {
    unsigned magic;
    int count; /* keys[0] encrypts */
    struct key keys[KEYS_MAX];
};

/* The texts of keys may not appear in a message, hence only their place in the list. */
static int add_key(struct keyring *k, struct str text, struct err *err)
{
    uint8_t bytes[KEY_LEN], digest[32];

    text = str_trim(text);
    if (k->count == KEYS_MAX)
        return err_set(err, ERR_TOOBIG, "the key ring holds at most %d keys", KEYS_MAX);
    if (base64_decode(text, false, bytes, sizeof bytes) != KEY_LEN)
        return err_set(err, ERR_INVALID, "key %d of the ring is not 32 bytes in base64",
                       k->count + 1);
    sha256(bytes, KEY_LEN, digest);
    memcpy(k->keys[k->count].id, digest, ID_LEN);
    memcpy(k->keys[k->count].bytes, bytes, KEY_LEN);
    k->count++;
    OPENSSL_cleanse(bytes, sizeof bytes);
    return 0;
}

int keyring_new(const char *key, const char *old, struct keyring **out, struct err *err)
{
    struct keyring *k = xcalloc(1, sizeof *k);
    struct str rest = str_of(old);
    int rc;

    k->magic = KEYRING_MAGIC;
    rc = key == NULL ? err_set(err, ERR_INVALID, "there is no encryption key")
                     : add_key(k, str_of(key), err);
    while (rc == 0 && rest.p != NULL) {
        struct str part = str_trim(str_split(&rest, ','));

        if (part.n > 0)
            rc = add_key(k, part, err);
    }
    if (rc != 0) {
        keyring_free(k);
        return rc;
    }
    *out = k;
    return 0;
}

void keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    CHECK(k, KEYRING);
    OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

void keyring_current_id(const struct keyring *k, uint8_t out[8])
{
    CHECK(k, KEYRING);
    memcpy(out, k->keys[0].id, ID_LEN);
}

/* OpenSSL counts in int; nothing that we seal comes near (bodies end at 10 MiB). */
static int length_of(struct str s)
{
    assert(s.n <= INT32_MAX);
    return (int)s.n;
}

struct str seal(const struct keyring *k, struct arena *a, struct str plain, struct str aad)
{
    size_t total = HEAD_LEN + plain.n + TAG_LEN;
    uint8_t *p = arena_alloc(a, total + 1), *body = p + HEAD_LEN;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, end = 0, ok = 1;

    CHECK(k, KEYRING);
    p[0] = ENVELOPE_VERSION;
    memcpy(p + 1, k->keys[0].id, ID_LEN);
    random_bytes(p + 1 + ID_LEN, NONCE_LEN);
    ok &= EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->keys[0].bytes, p + 1 + ID_LEN);
    if (aad.n > 0)
        ok &= EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)aad.p, length_of(aad));
    n = 0;
    if (plain.n > 0)
        ok &= EVP_EncryptUpdate(c, body, &n, (const uint8_t *)plain.p, length_of(plain));
    ok &= EVP_EncryptFinal_ex(c, body + n, &end);
    ok &= EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_LEN, body + plain.n);
    EVP_CIPHER_CTX_free(c);
    assert(ok == 1 && (size_t)(n + end) == plain.n);
    return (struct str){(const char *)p, total};
}

static const struct key *find_key(const struct keyring *k, const uint8_t *id)
{
    for (int i = 0; i < k->count; i++)
        if (memcmp(k->keys[i].id, id, ID_LEN) == 0)
            return &k->keys[i];
    return NULL;
}

static bool open_envelope(const struct key *key, struct str sealed, struct str aad, uint8_t *plain,
                          size_t len)
{
    const uint8_t *p = (const uint8_t *)sealed.p, *body = p + HEAD_LEN;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t tag[TAG_LEN];
    int n = 0, ok = 1;

    memcpy(tag, body + len, TAG_LEN);
    ok &= EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->bytes, p + 1 + ID_LEN);
    if (aad.n > 0)
        ok &= EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)aad.p, length_of(aad));
    n = 0;
    if (len > 0)
        ok &= EVP_DecryptUpdate(c, plain, &n, body, (int)len);
    ok &= EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag);
    ok = ok == 1 && EVP_DecryptFinal_ex(c, plain + n, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok == 1;
}

int unseal(const struct keyring *k, struct arena *a, struct str sealed, struct str aad,
           struct str *out, struct err *err)
{
    const struct key *key;
    uint8_t *plain;
    size_t len;

    CHECK(k, KEYRING);
    if (sealed.n < HEAD_LEN + TAG_LEN || sealed.n > INT32_MAX ||
        (uint8_t)sealed.p[0] != ENVELOPE_VERSION)
        return err_set(err, ERR_INVALID, "the stored value is not an encrypted envelope");
    key = find_key(k, (const uint8_t *)sealed.p + 1);
    if (key == NULL)
        return err_set(err, ERR_NOTFOUND, "the key of the stored value is not in the key ring");
    len = sealed.n - HEAD_LEN - TAG_LEN;
    plain = arena_alloc(a, len + 1);
    if (!open_envelope(key, sealed, aad, plain, len)) {
        OPENSSL_cleanse(plain, len + 1);
        return err_set(err, ERR_INVALID, "the stored value was altered or belongs elsewhere");
    }
    *out = (struct str){(const char *)plain, len};
    return 0;
}

void sha256(const void *p, size_t n, uint8_t out[32])
{
    int ok = EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL);

    assert(ok == 1);
}

void sha256_parts(const struct sha256_part *parts, int count, uint8_t out[32])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ok = EVP_DigestInit_ex(c, EVP_sha256(), NULL);

    for (int i = 0; i < count; i++)
        ok &= EVP_DigestUpdate(c, parts[i].p, parts[i].n);
    ok &= EVP_DigestFinal_ex(c, out, NULL);
    EVP_MD_CTX_free(c);
    assert(ok == 1);
}

void hmac_sha256(struct str key, struct str data, uint8_t out[32])
{
    const void *p = key.n == 0 ? "" : key.p; /* OpenSSL takes a NULL key for "as before" */
    unsigned n = 32;
    const uint8_t *r =
        HMAC(EVP_sha256(), p, length_of(key), (const uint8_t *)data.p, data.n, out, &n);

    assert(r != NULL && n == 32);
}

void hkdf_sha256(struct str key, struct str salt, struct str info, uint8_t *out, size_t n)
{
    static const char zeros[32];
    uint8_t prk[32], block[32];
    char *in = xmalloc(sizeof block + info.n + 1);
    size_t have = 0, done = 0;

    assert(n <= 255 * sizeof block);
    hmac_sha256(salt.n == 0 ? (struct str){zeros, sizeof zeros} : salt, key, prk);
    for (uint8_t i = 1; done < n; i++) {
        size_t take = MIN(n - done, sizeof block);

        memcpy(in, block, have);
        if (info.n > 0)
            memcpy(in + have, info.p, info.n);
        in[have + info.n] = (char)i;
        hmac_sha256((struct str){(const char *)prk, sizeof prk},
                    (struct str){in, have + info.n + 1}, block);
        memcpy(out + done, block, take);
        done += take;
        have = sizeof block;
    }
    OPENSSL_cleanse(prk, sizeof prk);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(in, have + info.n + 1);
    free(in);
}

bool equal_constant_time(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
