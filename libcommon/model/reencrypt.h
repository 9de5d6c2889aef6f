/* reencrypt.h: moves every sealed value of the database to the first key of the ring, so that an
 * old key may leave it. Runs beside the programs; a value that one of them changes meanwhile is
 * left to it. */
#pragma once
#include "libcommon/io/pg.h"
#include "libcommon/sec/crypt.h"

struct reencrypt_count {
    const char *table, *column; /* static */
    int64_t moved;              /* now under the first key */
    int64_t failed; /* could not be opened: altered, or under a key that the ring lacks */
    int64_t left;   /* still under another key at the end */
};

#define REENCRYPT_PLACES 5

/* Fills all REENCRYPT_PLACES rows. When nothing is left, the other keys are marked retired in
 * encryption_keys. Blocking. */
int reencrypt_run(struct pg_sync *s, const struct keyring *ring,
                  struct reencrypt_count out[REENCRYPT_PLACES], struct err *err) MUST_CHECK;
