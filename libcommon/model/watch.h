/* watch.h: small looks at decisions, cheap enough to be asked every second for all that is waited
 * for. */
#pragma once
#include "libcommon/io/pg.h"

/* Rows (decision_id, status, head_seq) of those that exist. PG_SERVICE: one statement for waiters
 * of any tenant; who may wait for what was checked before. */
int watch_add_heads(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n);
/* Rows (decision_id) of this user's decisions of one session that have not ended, oldest first. */
int watch_add_session(struct pg_batch *b, struct arena *a, struct uuid session, struct uuid user);
