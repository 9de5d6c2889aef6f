/* breaker.h: a circuit breaker. CLOSED: all pass; after `threshold` failures in a row OPEN for
 * open_ms; then HALF_OPEN: one probe passes; its success closes, its failure opens again. */
#pragma once
#include "libcommon/base/compat.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    int threshold;
    int64_t open_ms;
    enum breaker_state state;
    int failures;
    int64_t opened_at_us;
    bool probing;
};

void breaker_init(struct breaker *b, int threshold, int64_t open_ms);
bool breaker_allow(struct breaker *b); /* true: the call may go; it must report its outcome */
void breaker_success(struct breaker *b);
void breaker_failure(struct breaker *b);
