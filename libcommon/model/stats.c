#include "libcommon/base/compat.h"
#include "libcommon/model/stats.h"

#define TOKENS(side) "COALESCE(sum((usage->>'tokens_" side "')::double precision), 0)::bigint"

int stats_add(struct pg_batch *b)
{
    static const struct pg_stmt counts = {
        "stats_counts",
        "SELECT status, decision_type, count(*), " TOKENS("in") ", " TOKENS(
            "out") " FROM decisions GROUP BY status, decision_type ORDER BY 1, 2",
        0};
    static const struct pg_stmt sessions = {"stats_sessions",
                                            "SELECT count(DISTINCT session_id) FROM decisions", 0};
    int index = pg_batch_add(b, &counts, NULL);

    pg_batch_add(b, &sessions, NULL);
    return index;
}
