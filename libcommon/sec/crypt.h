/* crypt.h: hashes, and AES-256-GCM under a key ring (design: sensitive fields). The ring starts
 * with ENCRYPTION_KEY; ENCRYPTION_KEYS_OLD decrypt only. A key's id is the first 8 bytes of its
 * SHA-256. Envelope: version 1 byte (1), key id 8, nonce 12, ciphertext, tag 16. The associated
 * data binds a value to its place ("decision_trails:<decision>:<seq>"), so that rows can't be
 * swapped. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/err.h"

struct keyring;

/* key, old: base64 texts (old: comma separated, may be NULL). */
int keyring_new(const char *key, const char *old, struct keyring **out, struct err *err) MUST_CHECK;
void keyring_free(struct keyring *k); /* wipes */
void keyring_current_id(const struct keyring *k, uint8_t out[8]);
struct str seal(const struct keyring *k, struct arena *a, struct str plain, struct str aad);
/* ERR_NOTFOUND: no such key in the ring; ERR_INVALID: altered or bound to another place. */
int unseal(const struct keyring *k, struct arena *a, struct str sealed, struct str aad,
           struct str *out, struct err *err) MUST_CHECK;

void sha256(const void *p, size_t n, uint8_t out[32]);
struct sha256_part {
    const void *p;
    size_t n;
};
void sha256_parts(const struct sha256_part *parts, int count, uint8_t out[32]);
void hmac_sha256(struct str key, struct str data, uint8_t out[32]);
/* HKDF (RFC 5869) with SHA-256. */
void hkdf_sha256(struct str key, struct str salt, struct str info, uint8_t *out, size_t n);
bool equal_constant_time(const void *a, const void *b, size_t n);
