/* prng.h: the random numbers of the method. xoshiro256** (Blackman and Vigna, 2018), its state the
 * first four outputs of SplitMix64 of a seed, so a seed names one stream on every platform. A
 * struct prng is a plain value: copying it forks the stream. No two threads may share one. */
#pragma once
#include "libcommon/base/compat.h"

struct prng {
    uint64_t s[4];
};

/* The next output of SplitMix64; *state advances. */
uint64_t splitmix64(uint64_t *state);

void prng_seed(struct prng *g, uint64_t seed);

uint64_t prng_u64(struct prng *g);

/* ((x >> 11) + 0.5) * 2^-53: 0 < u < 1, so an inverse distribution function never meets 0 or 1. */
double prng_uniform(struct prng *g);
