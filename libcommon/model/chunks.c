/* chunks.c: the parts of documents that search finds, and the search. Words are English stems from
 * the text, and bigrams of our own (words.c); those of heading and title count for each chunk. A
 * search is two statements: the first makes the query and sets it for the transaction, the second
 * finds it there, because the policy of chunk_words asks for it (see the migration).
 *
 * Score: half the share of the query's words that the chunk has, half PostgreSQL's cover density.
 */
#include "libcommon/base/compat.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/sql.h"
#include "libcommon/model/vectors.h"
#include "libcommon/model/words.h"

#define CANDIDATES 2000

static const struct pg_stmt upd_ready = {
    "documents_ready",
    "UPDATE documents SET status = 'ready', error = NULL, chunks = $3::int, "
    "progress_done = bytes, progress_of = bytes, lease_until = NULL, "
    "updated_at = clock_timestamp() WHERE document_id = $1::uuid AND lease_epoch = $2::bigint "
    "AND status = 'reading'",
    3};
#define HELD_DOCUMENT                                                                     \
    "EXISTS (SELECT FROM documents d WHERE d.document_id = $1::uuid AND d.lease_epoch = " \
    "$2::bigint "                                                                         \
    "AND d.status = 'ready')"
static const struct pg_stmt del_chunks = {
    "chunks_delete", "DELETE FROM chunks WHERE document_id = $1::uuid AND " HELD_DOCUMENT, 2};
static const struct pg_stmt ins_chunks = {
    "chunks_insert",
    "WITH e AS MATERIALIZED (SELECT d.tenant_id, d.title, e.* FROM documents d, "
    "unnest($3::uuid[], $4::int[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[]) "
    "AS e (id, ordinal, heading, text, first, last, cjk) WHERE d.document_id = $1::uuid "
    "AND d.lease_epoch = $2::bigint AND d.status = 'ready'), "
    "c AS (INSERT INTO chunks (chunk_id, tenant_id, document_id, ordinal, heading, text, "
    "start_offset, end_offset) SELECT id, tenant_id, $1::uuid, ordinal, heading, text, first, last "
    "FROM e) INSERT INTO chunk_words (chunk_id, tenant_id, document_id, words) "
    "SELECT id, tenant_id, $1::uuid, to_tsvector('english', text) || "
    "setweight(to_tsvector('english', title), 'A') || "
    "setweight(to_tsvector('english', COALESCE(heading, '')), 'B') || "
    "array_to_tsvector(string_to_array(cjk, ' ')) FROM e",
    9};

/* The query's words: stems of what is no CJK text, and the bigrams. A single character finds the
 * words that begin with it. */
#define QUERY_WORDS                                                                               \
    "SELECT w, false AS prefix FROM unnest(tsvector_to_array(to_tsvector('english', $1::text))) " \
    "w "                                                                                          \
    "UNION SELECT w, char_length(w) = 1 FROM unnest($2::text[]) w"

static const struct pg_stmt set_query = {
    "search_query",
    "SELECT set_config('app.query', COALESCE((SELECT string_agg('''' || "
    "replace(replace(w, '\\', '\\\\'), '''', '''''') || '''' || CASE WHEN prefix THEN ':*' ELSE '' "
    "END, ' | ') FROM (" QUERY_WORDS ") q), ''), true)",
    2};

#define CHUNK_COLUMNS                                                                         \
    "c.chunk_id, c.document_id, c.ordinal, c.heading, c.text, c.start_offset, c.end_offset, " \
    "d.title, d.source, d.content_type, d.sha256, " SQL_US("d.created_at") ", "

static const struct pg_stmt sel_search = {
    "search",
    "WITH q AS MATERIALIZED (SELECT array_agg(w) AS words FROM (" QUERY_WORDS ") q), "
    "found AS MATERIALIZED (SELECT chunk_id, words, ts_rank_cd(words, app_query(), 33) AS rank "
    "FROM chunk_words WHERE (cardinality($3::uuid[]) = 0 OR document_id = ANY ($3::uuid[])) "
    "ORDER BY rank DESC LIMIT $9::int) "
    "SELECT " CHUNK_COLUMNS "((length(f.words) - length(ts_delete(f.words, q.words)))::float8 "
    "/ cardinality(q.words) + f.rank) / 2 AS score "
    "FROM q, found f JOIN chunks c USING (chunk_id) JOIN documents d USING (document_id) "
    "WHERE ($4::text IS NULL OR d.type = $4) AND ($5::text IS NULL OR d.source = $5) "
    "AND ($6::bigint = 0 OR d.created_at >= " SQL_TIME(
        "$6") ") "
              "AND ($7::bigint = 0 OR d.created_at <= " SQL_TIME(
                  "$7") ") "
                        "ORDER BY score DESC, d.created_at DESC, c.document_id, c.ordinal LIMIT "
                        "$8::int",
    9};

static const struct pg_stmt sel_chunks = {
    "chunks_get",
    "SELECT " CHUNK_COLUMNS "0::float8 FROM chunks c JOIN documents d USING (document_id) "
    "WHERE c.document_id = ANY ($1::uuid[]) "
    "ORDER BY array_position($1::uuid[], c.document_id), c.ordinal LIMIT $2::int",
    2};

static const struct pg_stmt sel_by_id = {
    "chunks_by_id",
    "SELECT " CHUNK_COLUMNS "0::float8 FROM chunks c JOIN documents d USING (document_id) "
    "WHERE c.chunk_id = ANY ($1::uuid[])",
    1};

/* The columns of n chunks, each as an array of its own. */
static void add_chunks(struct pg_batch *b, struct arena *a, const struct document *d,
                       const struct chunk *chunks, int n)
{
    struct uuid *id = arena_array(a, struct uuid, n);
    int64_t *i = arena_array(a, int64_t, 3 * n);
    const char **z = arena_array(a, const char *, 3 * n);
    const char *in_title = words_joined(a, str_of(d->title));

    for (int k = 0; k < n; k++) {
        const struct chunk *c = &chunks[k];
        const char *heading = c->heading == NULL ? "" : c->heading;
        struct str own = str_of(arena_printf(a, "%s\n%.*s", heading, STR_ARG(c->text)));

        id[k] = c->id;
        i[k] = c->ordinal;
        i[n + k] = c->start;
        i[2 * n + k] = c->end;
        z[k] = c->heading;
        z[n + k] = arena_str(a, c->text).p;
        own = str_trim(str_of(arena_printf(a, "%s %s", words_joined(a, own), in_title)));
        z[2 * n + k] = arena_str(a, own).p; /* a blank at the end would make an empty word */
    }
    pg_batch_add(b, &ins_chunks,
                 (struct pg_param[]){pg_uuid(a, d->id), pg_i64(a, d->lease_epoch),
                                     pg_uuids(a, id, n), pg_i64s(a, i, n), pg_texts(a, z, n),
                                     pg_texts(a, z + n, n), pg_i64s(a, i + n, n),
                                     pg_i64s(a, i + 2 * n, n), pg_texts(a, z + 2 * n, n)});
}

int documents_add_ready(struct pg_batch *b, struct arena *a, const struct document *d,
                        const struct chunk *chunks, int n)
{
    const struct pg_param id = pg_uuid(a, d->id), epoch = pg_i64(a, d->lease_epoch);
    int index = pg_batch_add(b, &upd_ready, (struct pg_param[]){id, epoch, pg_i64(a, n)});

    pg_batch_add(b, &del_chunks, (struct pg_param[]){id, epoch});
    if (n > 0)
        add_chunks(b, a, d, chunks, n);
    return index;
}

int documents_add_search(struct pg_batch *b, struct arena *a, const struct search *s)
{
    const char **cjk;
    int n = words_cjk(a, str_of(s->query), &cjk);
    const struct pg_param rest = pg_z(words_rest(a, str_of(s->query))), pairs = pg_texts(a, cjk, n);

    pg_batch_add(b, &set_query, (struct pg_param[]){rest, pairs});
    return pg_batch_add(
        b, &sel_search,
        (struct pg_param[]){rest, pairs, pg_uuids(a, s->documents, s->document_count),
                            pg_z(s->type), pg_z(s->source), pg_i64(a, s->from_us),
                            pg_i64(a, s->to_us), pg_i64(a, s->limit), pg_i64(a, CANDIDATES)});
}

int documents_add_chunks(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n,
                         int max_chunks)
{
    return pg_batch_add(b, &sel_chunks,
                        (struct pg_param[]){pg_uuids(a, ids, n), pg_i64(a, max_chunks)});
}

int chunks_add_by_id(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n)
{
    return pg_batch_add(b, &sel_by_id, (struct pg_param[]){pg_uuids(a, ids, n)});
}

int chunks_read(const struct pg_result *r, int stmt, struct arena *a, struct chunk **out,
                int *count)
{
    int n = pg_rows(r, stmt);
    struct chunk *c = arena_array(a, struct chunk, n);

    for (int i = 0; i < n; i++) {
        struct str sha = pg_get_bytes(r, stmt, i, 10);

        c[i] = (struct chunk){.id = pg_get_uuid(r, stmt, i, 0),
                              .document = pg_get_uuid(r, stmt, i, 1),
                              .ordinal = (int)pg_get_i64(r, stmt, i, 2),
                              .heading = pg_getz(r, stmt, i, 3),
                              .text = pg_get(r, stmt, i, 4),
                              .start = pg_get_i64(r, stmt, i, 5),
                              .end = pg_get_i64(r, stmt, i, 6),
                              .title = pg_getz(r, stmt, i, 7),
                              .source = pg_getz(r, stmt, i, 8),
                              .content_type = pg_getz(r, stmt, i, 9),
                              .created_us = pg_get_i64(r, stmt, i, 11),
                              .score = pg_get_f64(r, stmt, i, 12)};
        if (sha.n == sizeof c[i].sha256)
            memcpy(c[i].sha256, sha.p, sha.n);
    }
    *out = c;
    *count = n;
    return 0;
}
