/* audit.h: who did what, append-only (table audit_logs). */
#pragma once
#include "libcommon/io/pg.h"

struct audit {
    struct uuid tenant;
    const struct uuid *user;     /* NULL: an operator's command */
    const char *action;          /* "decision.analyze" */
    const char *resource_type;   /* "decision" */
    const char *resource_id;     /* NULL: none */
    struct str details;          /* JSON object; {NULL,0}: {} */
    const char *ip, *user_agent; /* NULL: none */
    bool failure;
    const struct uuid *if_decision; /* only when this decision exists by then; NULL: always */
};

/* Belongs into the transaction of what it records. */
int audit_add(struct pg_batch *b, struct arena *a, const struct audit *entry);
