/* validate_rules.h: what the files of the validator share. This room only. */
#pragma once
#include "libcommon/method/study.h"
#include "libcommon/method/validate.h"

struct check {
    cJSON *answer;
    const struct validate_ctx *ctx;
    struct arena *a;
    cJSON *faults;
    struct study *s; /* NULL when the request has no query */
    double *pool;    /* every number that a text may use */
    size_t pool_count, pool_cap;
};

void add_fault(struct check *c, const char *field, const char *reason, bool soft, const char *fmt,
               ...) PRINTF_LIKE(5, 6);

/* validate_figures.c */
void pool_fill(struct check *c);
bool pool_has(const struct check *c, double v);
bool pool_has_event(const struct check *c, double v); /* in an event's output only */
void check_figures(struct check *c);
void check_citations(struct check *c);
void check_quotes(struct check *c);
void check_sensitivity(struct check *c);
/* validate_types.c */
void check_type_parts(struct check *c);
