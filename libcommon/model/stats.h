/* stats.h: counts of a tenant's decisions. */
#pragma once
#include "libcommon/io/pg.h"

/* Rows (status, decision_type, decisions, tokens in, tokens out) of what the transaction's user may
 * see; after it, as the next statement, one row: the number of sessions. */
int stats_add(struct pg_batch *b);
