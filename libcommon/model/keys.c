/* keys.c: see keys.h. A key for a principal of another tenant is not made: no row comes back. */
#include "libcommon/base/compat.h"
#include "libcommon/model/keys.h"
#include "libcommon/model/sql.h"

#define KEY_COLUMNS                                                                              \
    "k.key_id, k.tenant_id, k.principal_id, k.name, k.role, k.rate, " SQL_US(                    \
        "k.expires_at") ", " SQL_US("k.revoked_at") ", t.status, t.limits FROM api_keys k JOIN " \
                                                    "tenants t USING (tenant_id)"

static const struct pg_stmt sel_key = {"keys_find",
                                       "SELECT " KEY_COLUMNS " WHERE k.key_sha256 = $1::bytea", 1};
static const struct pg_stmt sel_all = {"keys_list", "SELECT " KEY_COLUMNS " ORDER BY k.created_at",
                                       0};

static const struct pg_stmt ins_key = {
    "keys_create",
    "WITH t AS (SELECT tenant_id FROM tenants WHERE tenant_id::text = $1::text OR name = $1), "
    "u AS (INSERT INTO users (user_id, tenant_id, kind, name, roles) "
    "SELECT $3::uuid, tenant_id, 'service', $4::text, ARRAY[$5::text] FROM t "
    "ON CONFLICT (user_id) DO NOTHING) "
    "INSERT INTO api_keys (key_id, tenant_id, principal_id, name, role, rate, expires_at, "
    "key_sha256) SELECT $2::uuid, tenant_id, $3::uuid, $4::text, $5::text, $6::text, "
    "CASE WHEN $7::bigint > 0 THEN " SQL_TIME(
        "$7") " END, $8::bytea FROM t "
              "WHERE NOT EXISTS (SELECT FROM users o WHERE o.user_id = $3::uuid "
              "AND o.tenant_id <> t.tenant_id) RETURNING key_id, tenant_id, principal_id",
    8};

static const struct pg_stmt upd_revoke = {
    "keys_revoke",
    "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, clock_timestamp()) "
    "WHERE key_id = $1::uuid",
    1};

int keys_add_find(struct pg_batch *b, struct arena *a UNUSED, const uint8_t sha256[32])
{
    return pg_batch_add(b, &sel_key, (struct pg_param[]){pg_bytes(sha256, 32)});
}

int keys_read(const struct pg_result *r, int stmt, int row, struct arena *a UNUSED,
              struct api_key *out)
{
    if (row >= pg_rows(r, stmt))
        return ERR_NOTFOUND;
    out->id = pg_get_uuid(r, stmt, row, 0);
    out->tenant = pg_get_uuid(r, stmt, row, 1);
    out->principal = pg_get_uuid(r, stmt, row, 2);
    out->name = pg_getz(r, stmt, row, 3);
    out->role = pg_getz(r, stmt, row, 4);
    out->rate = pg_getz(r, stmt, row, 5);
    out->expires_us = pg_get_i64(r, stmt, row, 6);
    out->revoked_us = pg_get_i64(r, stmt, row, 7);
    out->tenant_status = pg_getz(r, stmt, row, 8);
    out->tenant_limits = pg_get(r, stmt, row, 9);
    return 0;
}

int keys_add_create(struct pg_batch *b, struct arena *a, const struct api_key *k,
                    const char *tenant, const uint8_t sha256[32])
{
    return pg_batch_add(b, &ins_key,
                        (struct pg_param[]){pg_z(tenant), pg_uuid(a, k->id),
                                            pg_uuid(a, k->principal), pg_z(k->name), pg_z(k->role),
                                            pg_z(k->rate == NULL ? "default" : k->rate),
                                            pg_i64(a, k->expires_us), pg_bytes(sha256, 32)});
}

int keys_add_list(struct pg_batch *b, struct arena *a UNUSED)
{
    return pg_batch_add(b, &sel_all, NULL);
}

int keys_add_revoke(struct pg_batch *b, struct arena *a, struct uuid id)
{
    return pg_batch_add(b, &upd_revoke, (struct pg_param[]){pg_uuid(a, id)});
}
