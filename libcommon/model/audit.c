#include "libcommon/base/compat.h"
#include "libcommon/model/audit.h"

int audit_add(struct pg_batch *b, struct arena *a, const struct audit *entry)
{
    static const struct pg_stmt stmt = {
        "audit_insert",
        "INSERT INTO audit_logs (tenant_id, user_id, action, resource_type, resource_id, details, "
        "ip_address, user_agent, result) SELECT $1::uuid, $2::uuid, $3::text, $4::text, $5::text, "
        "$6::jsonb, $7::text, $8::text, $9::text WHERE $10::uuid IS NULL OR EXISTS "
        "(SELECT FROM decisions WHERE decision_id = $10)",
        10};

    return pg_batch_add(
        b, &stmt,
        (struct pg_param[]){
            pg_uuid(a, entry->tenant), entry->user == NULL ? PG_NULL : pg_uuid(a, *entry->user),
            pg_z(entry->action), pg_z(entry->resource_type), pg_z(entry->resource_id),
            pg_str(entry->details.n == 0 ? STR("{}") : entry->details), pg_z(entry->ip),
            pg_z(entry->user_agent), pg_z(entry->failure ? "failure" : "success"),
            entry->if_decision == NULL ? PG_NULL : pg_uuid(a, *entry->if_decision)});
}
