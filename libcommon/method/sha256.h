/* sha256.h: SHA-256 (FIPS 180-4), for the seed of the random numbers only. No secret goes through
 * it; the cryptography of the suite is in sec/. */
#pragma once
#include "libcommon/base/str.h"

void seed_sha256(struct str s, uint8_t out[32]);
