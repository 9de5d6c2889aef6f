/* documents.c: the documents themselves; chunks and search are in chunks.c. */
#include "libcommon/base/compat.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/place.h"
#include "libcommon/model/sql.h"

#define DOCUMENT_COLUMNS_OF(content)                                                             \
    "document_id, tenant_id, user_id, title, content_type, type, source, metadata, "             \
    "sha256, " content                                                                           \
    ", bytes, version, status, progress_done, progress_of, error, chunks, lease_epoch, " SQL_US( \
        "created_at")
#define DOCUMENT_COLUMNS DOCUMENT_COLUMNS_OF("content")

static const struct pg_stmt ins_document = {
    "documents_insert",
    "INSERT INTO documents (document_id, tenant_id, user_id, title, content_type, type, source, "
    "metadata, sha256, content, bytes) VALUES ($1::uuid, $2::uuid, $3::uuid, $4::text, $5::text, "
    "$6::text, $7::text, $8::jsonb, $9::bytea, $10::bytea, $11::bigint) "
    "ON CONFLICT (tenant_id, sha256) DO NOTHING",
    11};
static const struct pg_stmt sel_inserted = {
    "documents_inserted",
    "SELECT document_id, document_id = $1::uuid FROM documents "
    "WHERE tenant_id = $2::uuid AND sha256 = $3::bytea",
    3};
static const struct pg_stmt sel_whole = {
    "documents_get_whole",
    "SELECT " DOCUMENT_COLUMNS " FROM documents WHERE document_id = ANY ($1::uuid[])", 1};
static const struct pg_stmt sel_head = {
    "documents_get",
    "SELECT " DOCUMENT_COLUMNS_OF(
        "NULL::bytea") " FROM documents WHERE document_id = ANY ($1::uuid[])",
    1};
static const struct pg_stmt del_document = {
    "documents_delete",
    "WITH gone AS (DELETE FROM documents WHERE document_id = $1::uuid RETURNING document_id, "
    "tenant_id, chunks) INSERT INTO outbox (event_id, tenant_id, topic, target, payload) "
    "SELECT gen_random_uuid(), tenant_id, 'vectors.delete', 'weaviate', "
    "jsonb_build_object('document', document_id) FROM gone",
    1};
static const struct pg_stmt upd_claim = {
    "documents_claim",
    "UPDATE documents SET status = 'reading', lease_epoch = lease_epoch + 1, "
    "attempts = attempts + 1, lease_until = clock_timestamp() + " SQL_MS(
        "$2") ", updated_at = clock_timestamp() WHERE document_id = $1::uuid AND (status = "
              "'queued' OR "
              "(status = 'reading' AND lease_until < clock_timestamp())) "
              "RETURNING " DOCUMENT_COLUMNS,
    2};
static const struct pg_stmt upd_failed = {
    "documents_failed",
    "UPDATE documents SET status = 'failed', error = left($3::text, 500), lease_until = NULL, "
    "updated_at = clock_timestamp() WHERE document_id = $1::uuid AND lease_epoch = $2::bigint "
    "AND status = 'reading'",
    3};
static const struct pg_stmt upd_due = {
    "documents_due",
    "WITH due AS MATERIALIZED (SELECT document_id AS due_id FROM documents WHERE "
    "status IN ('queued', 'reading') AND updated_at < clock_timestamp() - " SQL_MS(
        "$1") " AND (lease_until IS NULL OR lease_until < clock_timestamp()) "
              "ORDER BY updated_at LIMIT $2::int FOR UPDATE SKIP LOCKED) "
              "UPDATE documents SET updated_at = clock_timestamp() FROM due WHERE document_id = "
              "due_id "
              "RETURNING document_id, tenant_id",
    2};

int documents_add_insert(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                         const struct document *d)
{
    struct str sealed = seal(ring, a, d->content, place_of(a, "documents", d->id, "content"));
    const struct pg_param id = pg_uuid(a, d->id), tenant = pg_uuid(a, d->tenant),
                          sha = pg_bytes(d->sha256, sizeof d->sha256);

    pg_batch_add(b, &ins_document,
                 (struct pg_param[]){id, tenant, pg_uuid(a, d->user), pg_z(d->title),
                                     pg_z(d->content_type), pg_z(d->type), pg_z(d->source),
                                     pg_str(d->metadata.p == NULL ? STR("{}") : d->metadata), sha,
                                     pg_bytes(sealed.p, sealed.n),
                                     pg_i64(a, (int64_t)d->content.n)});
    return pg_batch_add(b, &sel_inserted, (struct pg_param[]){id, tenant, sha});
}

int documents_add_get(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n,
                      bool content)
{
    return pg_batch_add(b, content ? &sel_whole : &sel_head,
                        (struct pg_param[]){pg_uuids(a, ids, n)});
}

static void read_columns(const struct pg_result *r, int stmt, int row, struct document *d)
{
    struct str sha = pg_get_bytes(r, stmt, row, 8);

    d->id = pg_get_uuid(r, stmt, row, 0);
    d->tenant = pg_get_uuid(r, stmt, row, 1);
    d->user = pg_get_uuid(r, stmt, row, 2);
    d->title = pg_getz(r, stmt, row, 3);
    d->content_type = pg_getz(r, stmt, row, 4);
    d->type = pg_getz(r, stmt, row, 5);
    d->source = pg_getz(r, stmt, row, 6);
    d->metadata = pg_get(r, stmt, row, 7);
    memcpy(d->sha256, sha.p, MIN(sha.n, sizeof d->sha256));
    d->bytes = pg_get_i64(r, stmt, row, 10);
    d->version = (int)pg_get_i64(r, stmt, row, 11);
    d->status = pg_getz(r, stmt, row, 12);
    d->progress_done = pg_get_i64(r, stmt, row, 13);
    d->progress_of = pg_get_i64(r, stmt, row, 14);
    d->error = pg_getz(r, stmt, row, 15);
    d->chunks = (int)pg_get_i64(r, stmt, row, 16);
    d->lease_epoch = pg_get_i64(r, stmt, row, 17);
    d->created_us = pg_get_i64(r, stmt, row, 18);
}

int documents_read(const struct pg_result *r, int stmt, int row, struct arena *a,
                   const struct keyring *ring, struct document *out, struct err *err)
{
    struct document d = {0};
    struct str sealed;

    if (row >= pg_rows(r, stmt))
        return err_set(err, ERR_NOTFOUND, "there is no such document");
    read_columns(r, stmt, row, &d);
    sealed = pg_get_bytes(r, stmt, row, 9);
    if (ring != NULL && sealed.p != NULL &&
        unseal(ring, a, sealed, place_of(a, "documents", d.id, "content"), &d.content, err) != 0)
        return err_wrap(err, "the document's content");
    *out = d;
    return 0;
}

int documents_add_delete(struct pg_batch *b, struct arena *a, struct uuid id)
{
    return pg_batch_add(b, &del_document, (struct pg_param[]){pg_uuid(a, id)});
}

int documents_add_claim(struct pg_batch *b, struct arena *a, struct uuid id, int64_t lease_ms)
{
    return pg_batch_add(b, &upd_claim, (struct pg_param[]){pg_uuid(a, id), pg_i64(a, lease_ms)});
}

int documents_add_failed(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                         const char *why)
{
    return pg_batch_add(b, &upd_failed,
                        (struct pg_param[]){pg_uuid(a, id), pg_i64(a, epoch), pg_z(why)});
}

int documents_add_due(struct pg_batch *b, struct arena *a, int64_t grace_ms, int limit)
{
    return pg_batch_add(b, &upd_due, (struct pg_param[]){pg_i64(a, grace_ms), pg_i64(a, limit)});
}
