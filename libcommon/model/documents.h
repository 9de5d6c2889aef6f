/* documents.h: knowledge documents and their chunks, and full-text search over them. */
#pragma once
#include "libcommon/io/pg.h"
#include "libcommon/sec/crypt.h"

struct document {
    struct uuid id, tenant, user;
    const char *title, *content_type, *type, *source; /* type, source may be NULL */
    struct str metadata;                              /* JSON object */
    uint8_t sha256[32];
    struct str content; /* original bytes; only from documents_read with a ring and `content` */
    int64_t bytes;
    int version;
    const char *status; /* queued reading ready failed */
    int64_t progress_done, progress_of;
    const char *error;
    int chunks;
    int64_t lease_epoch;
    int64_t created_us;
};

struct chunk {
    struct uuid id, document;
    int ordinal;
    const char *heading; /* NULL: none */
    struct str text;
    int64_t start, end; /* byte offsets in the original */
    /* from search and load */
    const char *title, *source;
    double score;
    int64_t created_us;
    const char *content_type;
    uint8_t sha256[32]; /* of the document */
};

/* Inserts, unless the tenant has a document of equal content: then that one's id comes back.
 * Returned columns: 0 document_id, 1 inserted (bool). */
int documents_add_insert(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                         const struct document *d);
int documents_add_get(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n,
                      bool content);
int documents_read(const struct pg_result *r, int stmt, int row, struct arena *a,
                   const struct keyring *ring, struct document *out, struct err *err) MUST_CHECK;
/* With its chunks, and with the outbox row that deletes its vectors in the vector store.
 * pg_affected tells whether there was one. */
int documents_add_delete(struct pg_batch *b, struct arena *a, struct uuid id);

/* Reading, by the worker. Claim: queued, or reading with an ended lease. PG_SERVICE. */
int documents_add_claim(struct pg_batch *b, struct arena *a, struct uuid id, int64_t lease_ms);
/* All chunks and the end state, in one transaction, fenced by epoch. */
int documents_add_ready(struct pg_batch *b, struct arena *a, const struct document *d,
                        const struct chunk *chunks, int n);
int documents_add_failed(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                         const char *why);
/* The sweep: queued or stuck; moves updated_at on. Rows: document_id, tenant_id. PG_SERVICE. */
int documents_add_due(struct pg_batch *b, struct arena *a, int64_t grace_ms, int limit);

/* The search terms of a text: English words are left to PostgreSQL's stemmer; runs of Chinese,
 * Japanese and Korean become bigrams (a single character stays one). Used for indexing and for
 * queries. */
int words_cjk(struct arena *a, struct str text, const char ***out);

struct search {
    const char *query;
    const struct uuid *documents; /* only these; n == 0: all of the tenant */
    int document_count;
    const char *type, *source;
    int64_t from_us, to_us;
    int limit;
};
/* Best first: any word may match, rank by ts_rank_cd plus the share of query words found, title
 * counts too. */
int documents_add_search(struct pg_batch *b, struct arena *a, const struct search *s);
/* All chunks of these documents in order, at most max_chunks. */
int documents_add_chunks(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n,
                         int max_chunks);
int chunks_read(const struct pg_result *r, int stmt, struct arena *a, struct chunk **out,
                int *count);
