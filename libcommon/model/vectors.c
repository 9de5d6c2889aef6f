/* vectors.c: statements over chunk_vectors and vector_indexes. What is embedded is composed here,
 * in SQL, so that its hash can find an equal text's vector without a round trip. */
#include "libcommon/base/compat.h"
#include "libcommon/model/vectors.h"
#include "libcommon/model/sql.h"

#define TRIES_THAT_COUNT "20" /* a document that fails more often holds no switch up */
#define INDEX_COLUMNS "model, class, state, dimension"

static const struct pg_stmt ins_index = {
    "vectors_index",
    "INSERT INTO vector_indexes (model, class, state) VALUES ($1::text, $2::text, "
    "CASE WHEN EXISTS (SELECT FROM vector_indexes WHERE state = 'serving') THEN 'building' "
    "ELSE 'serving' END) ON CONFLICT (model) DO UPDATE SET state = EXCLUDED.state, "
    "refilled_at = NULL WHERE vector_indexes.state = 'retired'",
    2};
static const struct pg_stmt sel_serving = {
    "vectors_serving", "SELECT " INDEX_COLUMNS " FROM vector_indexes WHERE state = 'serving'", 0};
static const struct pg_stmt sel_indexes = {
    "vectors_indexes", "SELECT " INDEX_COLUMNS " FROM vector_indexes ORDER BY created_at", 0};
static const struct pg_stmt sel_index = {
    "vectors_of_model", "SELECT " INDEX_COLUMNS " FROM vector_indexes WHERE model = $1::text", 1};

static const struct pg_stmt upd_claim = {
    "vectors_claim",
    "WITH due AS MATERIALIZED (SELECT document_id AS due_id FROM documents WHERE status = 'ready' "
    "AND (vectors_model IS NULL OR vectors_model < $1::text OR vectors_model > $1::text) "
    "AND (vectors_due_at IS NULL OR vectors_due_at < clock_timestamp()) "
    "ORDER BY vectors_tries, updated_at LIMIT $3::int FOR UPDATE SKIP LOCKED) "
    "UPDATE documents SET vectors_due_at = clock_timestamp() + " SQL_MS(
        "$2") ", vectors_tries = vectors_tries + 1 FROM due WHERE document_id = due_id "
              "RETURNING document_id, tenant_id, vectors_tries",
    3};

#define EMBEDDED_TEXT "(d.title || E'\\n' || COALESCE(c.heading || E'\\n', '') || c.text)"
#define MISSING                                                                                \
    "FROM chunks c JOIN documents d USING (document_id) WHERE c.document_id = $1::uuid "       \
    "AND NOT EXISTS (SELECT FROM chunk_vectors v WHERE v.chunk_id = c.chunk_id AND v.model = " \
    "$2::text)"
#define PUT_COLUMNS "outbox (event_id, tenant_id, topic, target, payload)"
#define PUT_VALUES                                                                          \
    "gen_random_uuid(), tenant_id, 'vectors.put', 'weaviate', jsonb_build_object('model', " \
    "$2::text, 'chunks', jsonb_agg(chunk_id))"

static const struct pg_stmt ins_known = {
    "vectors_known",
    "WITH m AS MATERIALIZED (SELECT c.chunk_id, c.tenant_id, c.document_id, "
    "sha256(convert_to(" EMBEDDED_TEXT ", 'UTF8')) AS sha " MISSING "), "
    "copied AS (INSERT INTO chunk_vectors (chunk_id, model, tenant_id, document_id, text_sha256, "
    "dimension, vector) SELECT m.chunk_id, $2::text, m.tenant_id, m.document_id, m.sha, "
    "k.dimension, k.vector FROM m, LATERAL (SELECT v.dimension, v.vector FROM chunk_vectors v "
    "WHERE v.tenant_id = m.tenant_id AND v.model = $2::text AND v.text_sha256 = m.sha LIMIT 1) k "
    "ON CONFLICT DO NOTHING RETURNING chunk_id, tenant_id) "
    "INSERT INTO " PUT_COLUMNS " SELECT " PUT_VALUES
    " FROM (SELECT *, (row_number() OVER () - 1) / 128 AS part FROM copied) p "
    "GROUP BY tenant_id, part",
    2};
static const struct pg_stmt sel_missing = {
    "vectors_missing",
    "SELECT c.chunk_id, " EMBEDDED_TEXT ", sha256(convert_to(" EMBEDDED_TEXT ", 'UTF8')) " MISSING
    " ORDER BY c.ordinal LIMIT $3::int",
    3};
static const struct pg_stmt ins_vectors = {
    "vectors_store",
    "WITH e AS (SELECT * FROM unnest($3::uuid[], $4::bytea[], $5::bytea[]) AS e (id, sha, "
    "vector)), "
    "stored AS (INSERT INTO chunk_vectors (chunk_id, model, tenant_id, document_id, text_sha256, "
    "dimension, vector) SELECT c.chunk_id, $2::text, c.tenant_id, c.document_id, e.sha, $6::int, "
    "e.vector FROM e JOIN chunks c ON c.chunk_id = e.id WHERE c.tenant_id = $1::uuid "
    "ON CONFLICT DO NOTHING RETURNING chunk_id, tenant_id) "
    "INSERT INTO " PUT_COLUMNS " SELECT " PUT_VALUES " FROM stored GROUP BY tenant_id",
    6};
static const struct pg_stmt upd_dimension = {
    "vectors_dimension",
    "UPDATE vector_indexes SET dimension = $2::int WHERE model = $1::text AND dimension IS NULL",
    2};
static const struct pg_stmt upd_complete = {
    "vectors_complete",
    "UPDATE documents SET vectors_model = $2::text, vectors_due_at = NULL, vectors_tries = 0 "
    "WHERE document_id = $1::uuid AND status = 'ready' AND NOT EXISTS (SELECT " MISSING ")",
    2};
static const struct pg_stmt upd_pause = {
    "vectors_pause",
    "UPDATE documents SET vectors_due_at = clock_timestamp() + " SQL_MS(
        "$2") ", vectors_tries = vectors_tries - CASE WHEN $3::bool OR vectors_tries = 0 THEN 0 "
              "ELSE 1 END WHERE document_id = $1::uuid",
    3};

#define COMPLETE                                                                              \
    "EXISTS (SELECT FROM vector_indexes WHERE model = $1::text AND state = 'building') "      \
    "AND NOT EXISTS (SELECT FROM documents WHERE status = 'ready' AND vectors_tries "         \
    "< " TRIES_THAT_COUNT                                                                     \
    " AND (vectors_model IS NULL OR vectors_model < $1::text OR vectors_model > $1::text)) "  \
    "AND NOT EXISTS (SELECT FROM outbox WHERE target = 'weaviate' AND topic = 'vectors.put' " \
    "AND published_at IS NULL AND dead_at IS NULL AND payload ->> 'model' = $1::text)"
static const struct pg_stmt upd_retire = {
    "vectors_retire",
    "WITH old AS (UPDATE vector_indexes SET state = 'retired' WHERE state = 'serving' "
    "AND model <> $1::text AND " COMPLETE " RETURNING model) "
    "INSERT INTO " PUT_COLUMNS " SELECT gen_random_uuid(), "
    "'00000000-0000-0000-0000-000000000000'::uuid, 'vectors.drop', 'weaviate', "
    "jsonb_build_object('model', model) FROM old",
    1};
static const struct pg_stmt upd_serve = {
    "vectors_serve",
    "UPDATE vector_indexes SET state = 'serving' WHERE model = $1::text AND state = 'building' "
    "AND NOT EXISTS (SELECT FROM vector_indexes WHERE state = 'serving')",
    1};
static const struct pg_stmt ins_refill = {
    "vectors_refill",
    "WITH held AS (UPDATE vector_indexes SET refilled_at = clock_timestamp() WHERE model = "
    "$2::text AND ($1::bool OR refilled_at IS NULL OR refilled_at < clock_timestamp() - interval "
    "'5 seconds') RETURNING model) "
    "INSERT INTO " PUT_COLUMNS " SELECT " PUT_VALUES
    " FROM (SELECT v.chunk_id, v.tenant_id, (row_number() OVER (PARTITION BY v.tenant_id ORDER BY "
    "v.document_id) - 1) / 128 AS part FROM held JOIN chunk_vectors v USING (model)) p "
    "GROUP BY tenant_id, part",
    2};
static const struct pg_stmt del_vectors = {
    "vectors_forget",
    "DELETE FROM chunk_vectors v USING vector_indexes i WHERE v.model = $1::text AND i.model = "
    "v.model AND i.state = 'retired'",
    1};
static const struct pg_stmt del_index = {
    "vectors_forget_index",
    "DELETE FROM vector_indexes WHERE model = $1::text AND state = 'retired'", 1};
static const struct pg_stmt sel_load = {
    "vectors_load",
    "SELECT v.chunk_id, v.document_id, v.tenant_id, d.type, d.source, " SQL_US(
        "d.created_at") ", v.vector FROM chunk_vectors v JOIN documents d USING (document_id) "
                        "WHERE v.chunk_id = ANY ($1::uuid[]) AND v.model = $2::text",
    2};

int vectors_add_index(struct pg_batch *b, struct arena *a UNUSED, const char *model,
                      const char *class)
{
    return pg_batch_add(b, &ins_index, (struct pg_param[]){pg_z(model), pg_z(class)});
}

int vectors_add_serving(struct pg_batch *b)
{
    return pg_batch_add(b, &sel_serving, NULL);
}

int vectors_add_indexes(struct pg_batch *b)
{
    return pg_batch_add(b, &sel_indexes, NULL);
}

int vectors_add_of_model(struct pg_batch *b, struct arena *a UNUSED, const char *model)
{
    return pg_batch_add(b, &sel_index, (struct pg_param[]){pg_z(model)});
}

int vectors_read_index(const struct pg_result *r, int stmt, int row, struct vector_index *out)
{
    if (row >= pg_rows(r, stmt))
        return ERR_NOTFOUND;
    out->model = pg_getz(r, stmt, row, 0);
    out->class = pg_getz(r, stmt, row, 1);
    out->state = pg_getz(r, stmt, row, 2);
    out->dimension = (int)pg_get_i64(r, stmt, row, 3);
    return 0;
}

int vectors_add_claim(struct pg_batch *b, struct arena *a, const char *model, int64_t hold_ms,
                      int limit)
{
    return pg_batch_add(b, &upd_claim,
                        (struct pg_param[]){pg_z(model), pg_i64(a, hold_ms), pg_i64(a, limit)});
}

int vectors_add_missing(struct pg_batch *b, struct arena *a, const char *model,
                        struct uuid document, int limit)
{
    const struct pg_param id = pg_uuid(a, document);

    pg_batch_add(b, &ins_known, (struct pg_param[]){id, pg_z(model)});
    return pg_batch_add(b, &sel_missing, (struct pg_param[]){id, pg_z(model), pg_i64(a, limit)});
}

int vectors_read_missing(const struct pg_result *r, int stmt, struct arena *a,
                         struct vector_text **out)
{
    int n = pg_rows(r, stmt);
    struct vector_text *t = arena_array(a, struct vector_text, n + 1);

    for (int i = 0; i < n; i++) {
        struct str sha = pg_get_bytes(r, stmt, i, 2);

        t[i].chunk = pg_get_uuid(r, stmt, i, 0);
        t[i].text = pg_get(r, stmt, i, 1);
        memcpy(t[i].sha256, sha.p, MIN(sha.n, sizeof t[i].sha256));
    }
    *out = t;
    return n;
}

void vectors_add_store(struct pg_batch *b, struct arena *a, const char *model, struct uuid tenant,
                       const struct vector_text *texts, const float *const *vectors, int dimension,
                       int n)
{
    struct uuid *ids = arena_array(a, struct uuid, n);
    struct str *sha = arena_array(a, struct str, 2 * n), *vector = sha + n;

    for (int i = 0; i < n; i++) {
        ids[i] = texts[i].chunk;
        sha[i] = (struct str){(const char *)texts[i].sha256, sizeof texts[i].sha256};
        vector[i] = (struct str){(const char *)vectors[i], sizeof(float) * (size_t)dimension};
    }
    pg_batch_add(b, &ins_vectors,
                 (struct pg_param[]){pg_uuid(a, tenant), pg_z(model), pg_uuids(a, ids, n),
                                     pg_byteas(a, sha, n), pg_byteas(a, vector, n),
                                     pg_i64(a, dimension)});
    pg_batch_add(b, &upd_dimension, (struct pg_param[]){pg_z(model), pg_i64(a, dimension)});
}

void vectors_add_complete(struct pg_batch *b, struct arena *a, const char *model,
                          struct uuid document)
{
    pg_batch_add(b, &upd_complete, (struct pg_param[]){pg_uuid(a, document), pg_z(model)});
}

void vectors_add_pause(struct pg_batch *b, struct arena *a, struct uuid document, int64_t pause_ms,
                       bool counts)
{
    pg_batch_add(b, &upd_pause,
                 (struct pg_param[]){pg_uuid(a, document), pg_i64(a, pause_ms), pg_bool(counts)});
}

int vectors_add_switch(struct pg_batch *b, struct arena *a UNUSED, const char *model)
{
    pg_batch_add(b, &upd_retire, (struct pg_param[]){pg_z(model)});
    return pg_batch_add(b, &upd_serve, (struct pg_param[]){pg_z(model)});
}

int vectors_add_refill(struct pg_batch *b, struct arena *a UNUSED, const char *model, bool force)
{
    return pg_batch_add(b, &ins_refill, (struct pg_param[]){pg_bool(force), pg_z(model)});
}

void vectors_add_forget(struct pg_batch *b, struct arena *a UNUSED, const char *model)
{
    pg_batch_add(b, &del_vectors, (struct pg_param[]){pg_z(model)});
    pg_batch_add(b, &del_index, (struct pg_param[]){pg_z(model)});
}

int vectors_add_load(struct pg_batch *b, struct arena *a, const char *model,
                     const struct uuid *chunks, int n)
{
    return pg_batch_add(b, &sel_load, (struct pg_param[]){pg_uuids(a, chunks, n), pg_z(model)});
}

int vectors_read_load(const struct pg_result *r, int stmt, struct arena *a, struct vector_row **out)
{
    int n = pg_rows(r, stmt);
    struct vector_row *v = arena_array(a, struct vector_row, n + 1);

    for (int i = 0; i < n; i++)
        v[i] = (struct vector_row){.chunk = pg_get_uuid(r, stmt, i, 0),
                                   .document = pg_get_uuid(r, stmt, i, 1),
                                   .tenant = pg_get_uuid(r, stmt, i, 2),
                                   .type = pg_getz(r, stmt, i, 3),
                                   .source = pg_getz(r, stmt, i, 4),
                                   .created_us = pg_get_i64(r, stmt, i, 5),
                                   .vector = pg_get_bytes(r, stmt, i, 6)};
    *out = v;
    return n;
}
