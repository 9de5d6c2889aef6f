/* clock.h: time, replaceable in tests. int64_t microseconds everywhere. */
#pragma once
#include "libcommon/base/compat.h"

typedef int64_t clock_fn(void);

/* Monotonic: for deadlines, leases and durations. */
int64_t clock_mono_us(void);
/* Wall: microseconds since 1970 UTC, for what people and peers read. Never for a lease. */
int64_t clock_wall_us(void);
/* Tests: NULL restores the real clock. */
void clock_replace(clock_fn *mono, clock_fn *wall);

#define CLOCK_ISO_LEN 28
/* "2026-11-24T06:11:51.426Z" (milliseconds). Returns out. */
char *clock_iso(int64_t wall_us, char out[CLOCK_ISO_LEN]);
/* Reads RFC 3339 with Z or an offset, or a bare date (midnight UTC). 0 or ERR_INVALID. */
int clock_parse_iso(const char *s, int64_t *out_us) MUST_CHECK;
