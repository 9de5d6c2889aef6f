/* auth.h: who asks. Credentials are API keys: "X-API-Key: ceo_..." or "Authorization: Bearer
 * ceo_...". The SHA-256 of the key is looked up in PostgreSQL; an answer is kept for some seconds,
 * so a revoked key works at most that much longer. */
#pragma once
#include "services/api/req.h"

#define AUTH_KEY_PREFIX "ceo_"
#define AUTH_KEY_LEN 47 /* the prefix and 43 characters of base64url */

enum auth_outcome {
    AUTH_OK,
    AUTH_MISSING,
    AUTH_INVALID,
    AUTH_EXPIRED,
    AUTH_SUSPENDED, /* the tenant is */
    AUTH_UNKNOWN    /* the database did not answer; r->pg.op.err */
};

struct auth *auth_new(void);
void auth_free(struct auth *a);
/* Finds out; done runs at once from the cache or later from the loop. Sets r->who on AUTH_OK. */
void auth_start(struct req *r, void (*done)(struct req *r, enum auth_outcome outcome));
/* A new key: writes 47 characters and a NUL, and its hash. */
void auth_key_make(char out[AUTH_KEY_LEN + 1], uint8_t sha256_out[32]);
