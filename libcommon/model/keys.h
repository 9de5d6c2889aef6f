/* keys.h: API keys and their principals. */
#pragma once
#include "libcommon/io/pg.h"

struct api_key {
    struct uuid id, tenant, principal;
    const char *name, *role, *rate; /* rate: "default", "none", or a number per minute */
    int64_t expires_us, revoked_us; /* 0: never, not */
    const char *tenant_status;
    struct str tenant_limits; /* JSON */
};

/* By SHA-256 of the key; PG_SERVICE, since the tenant is not known yet. Rows 0 or 1. */
int keys_add_find(struct pg_batch *b, struct arena *a, const uint8_t sha256[32]);
int keys_read(const struct pg_result *r, int stmt, int row, struct arena *a, struct api_key *out);
/* Creates the principal (kind service, in users) unless it exists, then the key. PG_SERVICE. tenant
 * by id or name. */
int keys_add_create(struct pg_batch *b, struct arena *a, const struct api_key *k,
                    const char *tenant, const uint8_t sha256[32]);
int keys_add_list(struct pg_batch *b, struct arena *a);
int keys_add_revoke(struct pg_batch *b, struct arena *a, struct uuid id);
