/* reencrypt.c: one row of `places` for each sealed column. Rows are walked in the order of their
 * key, so that one which can't be opened is passed once; an update compares the old value, so that
 * a newer one is never overwritten. */
#include "libcommon/base/compat.h"
#include "libcommon/model/reencrypt.h"
#include "libcommon/model/place.h"

#define KEY_ID_LEN 8

struct place {
    const char *table, *column;
    bool numbered; /* bound to the seq instead of the column's name */
    int limit;     /* rows at once */
    struct pg_stmt old, move, left;
};

#define OTHER_KEY(column) column " IS NOT NULL AND substring(" column " FROM 2 FOR 8) <> $1::bytea"
#define PLACE(table, column, numbered, limit, id, seq)                                      \
    {                                                                                       \
        table, column, numbered, limit,                                                     \
            {"reencrypt_old",                                                               \
             "SELECT " id ", " seq ", " column " FROM " table                               \
             " WHERE " OTHER_KEY(column) " AND (" id ", " seq                               \
                                         ") > ($2::uuid, $3::bigint) ORDER BY 1, 2 "        \
                                         "LIMIT $4::int",                                   \
             4},                                                                            \
            {"reencrypt_move",                                                              \
             "UPDATE " table " SET " column " = $4::bytea WHERE " id " = $1::uuid AND " seq \
             " = $2::bigint AND " column " = $3::bytea",                                    \
             4},                                                                            \
        {                                                                                   \
            "reencrypt_left", "SELECT count(*) FROM " table " WHERE " OTHER_KEY(column), 1  \
        }                                                                                   \
    }

static const struct place places[REENCRYPT_PLACES] = {
    PLACE("decision_trails", "payload", true, 200, "decision_id", "seq"),
    PLACE("decisions", "context", false, 200, "decision_id", "0::bigint"),
    PLACE("documents", "content", false, 10, "document_id", "0::bigint"),
    PLACE("jobs", "args", false, 200, "job_id", "0::bigint"),
    PLACE("jobs", "result", false, 200, "job_id", "0::bigint"),
};

static const struct pg_stmt ins_key = {
    "reencrypt_key",
    "INSERT INTO encryption_keys (key_id) VALUES ($1::bytea) ON CONFLICT (key_id) DO UPDATE SET "
    "retired_at = NULL",
    1};
static const struct pg_stmt upd_retired = {
    "reencrypt_retired",
    "UPDATE encryption_keys SET retired_at = clock_timestamp() WHERE key_id <> $1::bytea AND "
    "retired_at IS NULL",
    1};

struct job {
    struct pg_sync *s;
    const struct keyring *ring;
    uint8_t key_id[KEY_ID_LEN];
    struct err *err;
};

static int run_one(struct job *j, struct arena *a, const struct pg_stmt *stmt,
                   const struct pg_param *params, struct pg_result **out)
{
    struct pg_batch *b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, PG_IDEMPOTENT);

    pg_batch_add(b, stmt, params);
    return pg_sync_run(j->s, b, out, j->err);
}

static int move_row(struct job *j, struct arena *a, const struct place *p,
                    const struct pg_result *r, int row, struct reencrypt_count *count)
{
    struct uuid id = pg_get_uuid(r, 0, row, 0);
    struct str sealed = pg_get_bytes(r, 0, row, 2), plain, fresh;
    struct str aad = place_of(a, p->table, id, p->numbered ? pg_getz(r, 0, row, 1) : p->column);
    struct pg_result *moved;
    int rc;

    if (unseal(j->ring, a, sealed, aad, &plain, NULL) != 0) {
        count->failed++;
        return 0;
    }
    fresh = seal(j->ring, a, plain, aad);
    rc = run_one(j, a, &p->move,
                 (struct pg_param[]){pg_uuid(a, id), pg_i64(a, pg_get_i64(r, 0, row, 1)),
                                     pg_bytes(sealed.p, sealed.n), pg_bytes(fresh.p, fresh.n)},
                 &moved);
    if (rc == 0)
        count->moved += pg_affected(moved, 0);
    return rc;
}

/* The next rows behind *id, *seq, which move on; *more: there may be further ones. */
static int move_some(struct job *j, struct arena *a, const struct place *p,
                     struct reencrypt_count *count, struct uuid *id, int64_t *seq, bool *more)
{
    struct pg_result *r;
    int n, rc = run_one(j, a, &p->old,
                        (struct pg_param[]){pg_bytes(j->key_id, KEY_ID_LEN), pg_uuid(a, *id),
                                            pg_i64(a, *seq), pg_i64(a, p->limit)},
                        &r);

    n = rc == 0 ? pg_rows(r, 0) : 0;
    for (int i = 0; i < n && rc == 0; i++) {
        rc = move_row(j, a, p, r, i, count);
        *id = pg_get_uuid(r, 0, i, 0);
        *seq = pg_get_i64(r, 0, i, 1);
    }
    *more = n == p->limit;
    return rc;
}

static int move_place(struct job *j, struct arena *a, const struct place *p,
                      struct reencrypt_count *count)
{
    struct uuid id = {{0}};
    struct pg_result *r;
    int64_t seq = -1;
    bool more = true;
    int rc = 0;

    *count = (struct reencrypt_count){.table = p->table, .column = p->column};
    while (more && rc == 0) {
        rc = move_some(j, a, p, count, &id, &seq, &more);
        arena_reset(a);
    }
    if (rc == 0)
        rc = run_one(j, a, &p->left, (struct pg_param[]){pg_bytes(j->key_id, KEY_ID_LEN)}, &r);
    if (rc == 0)
        count->left = pg_get_i64(r, 0, 0, 0);
    arena_reset(a);
    return rc;
}

int reencrypt_run(struct pg_sync *s, const struct keyring *ring,
                  struct reencrypt_count out[REENCRYPT_PLACES], struct err *err)
{
    struct job j = {.s = s, .ring = ring, .err = err};
    struct arena *a = arena_new();
    struct pg_result *r;
    int64_t left = 0;
    int rc;

    keyring_current_id(ring, j.key_id);
    rc = run_one(&j, a, &ins_key, (struct pg_param[]){pg_bytes(j.key_id, KEY_ID_LEN)}, &r);
    for (int i = 0; i < REENCRYPT_PLACES && rc == 0; i++) {
        rc = move_place(&j, a, &places[i], &out[i]);
        left += out[i].left;
    }
    if (rc == 0 && left == 0)
        rc = run_one(&j, a, &upd_retired, (struct pg_param[]){pg_bytes(j.key_id, KEY_ID_LEN)}, &r);
    arena_free(a);
    return rc;
}
