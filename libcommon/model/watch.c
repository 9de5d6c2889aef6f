#include "libcommon/base/compat.h"
#include "libcommon/model/watch.h"

int watch_add_heads(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n)
{
    static const struct pg_stmt stmt = {
        "watch_heads",
        "SELECT decision_id, status, head_seq FROM decisions WHERE decision_id = ANY($1::uuid[])",
        1};

    return pg_batch_add(b, &stmt, (struct pg_param[]){pg_uuids(a, ids, n)});
}

int watch_add_session(struct pg_batch *b, struct arena *a, struct uuid session, struct uuid user)
{
    static const struct pg_stmt stmt = {
        "watch_session",
        "SELECT decision_id FROM decisions WHERE user_id = $2::uuid AND session_id = $1::uuid "
        "AND status IN ('pending', 'running', 'waiting_input') ORDER BY created_at LIMIT 20",
        2};

    return pg_batch_add(b, &stmt, (struct pg_param[]){pg_uuid(a, session), pg_uuid(a, user)});
}
