/* vectors.h: the vectors of chunks, and which embedding model serves. The rows are the truth: what
 * the vector store holds is sent to it by outbox rows (target "weaviate") that are written in the
 * transaction of their cause, and sent again from here when it has lost its data.
 *
 * The life of an index (one a model):
 *   (none) --first model--> serving --another one took over--> retired --dropped--> (none)
 *   (none) --change of model--> building --every document has its vectors--> serving
 *
 * Payloads of outbox rows, topic: payload
 *   vectors.put      {"model", "chunks": [chunk_id, ...]}  at most VECTORS_PUT_MAX
 *   vectors.delete   {"document": document_id}
 *   vectors.drop     {"model"}
 * A put loads its rows when it is sent, so what is gone by then is not sent; a put that overlaps a
 * delete looks once more after it went out (vectors_add_load). All functions: PG_SERVICE, but
 * vectors_add_serving and chunks_add_by_id. */
#pragma once
#include "libcommon/model/documents.h"

#define VECTORS_PUT_MAX 128
#define VECTORS_DIMENSION_MAX 16384

struct vector_index {
    const char *model, *class, *state;
    int dimension; /* 0: not known yet */
};

/* The index of a new model: serving when there is no other, else building. */
int vectors_add_index(struct pg_batch *b, struct arena *a, const char *model, const char *class);
/* Rows by vectors_read_index: the serving index, if any; every index; that of a model. */
int vectors_add_serving(struct pg_batch *b);
int vectors_add_indexes(struct pg_batch *b);
int vectors_add_of_model(struct pg_batch *b, struct arena *a, const char *model);
int vectors_read_index(const struct pg_result *r, int stmt, int row, struct vector_index *out);

/* Takes ready documents that lack vectors of the model, for hold_ms. Rows: document_id, tenant_id,
 * tries (1: the first). */
int vectors_add_claim(struct pg_batch *b, struct arena *a, const char *model, int64_t hold_ms,
                      int limit);
/* Takes over vectors of equal texts of the same tenant, then returns the chunks that still have
 * none, as embedded: read by vectors_read_missing. */
struct vector_text {
    struct uuid chunk;
    struct str text; /* title, heading and text, a line feed between */
    uint8_t sha256[32];
};
int vectors_add_missing(struct pg_batch *b, struct arena *a, const char *model,
                        struct uuid document, int limit);
int vectors_read_missing(const struct pg_result *r, int stmt, struct arena *a,
                         struct vector_text **out);
/* Stores vectors (n <= VECTORS_PUT_MAX, float32 little endian) with the outbox row that sends them.
 * Chunks that are gone are left out. Records the dimension. */
void vectors_add_store(struct pg_batch *b, struct arena *a, const char *model, struct uuid tenant,
                       const struct vector_text *texts, const float *const *vectors, int dimension,
                       int n);
/* The document has all its vectors. */
void vectors_add_complete(struct pg_batch *b, struct arena *a, const char *model,
                          struct uuid document);
/* It is left alone for pause_ms; its try counts unless the fault was not its own. */
void vectors_add_pause(struct pg_batch *b, struct arena *a, struct uuid document, int64_t pause_ms,
                       bool counts);

/* Lets the model's index serve when no document lacks vectors and no put of it waits; the one that
 * served is retired, with the outbox row that drops it. pg_affected of the returned statement: 1
 * when it changed. */
int vectors_add_switch(struct pg_batch *b, struct arena *a, const char *model);
/* Writes outbox rows that send every vector of the model; not twice within 5 s (several workers see
 * the same loss) unless forced. Rows affected: outbox rows. */
int vectors_add_refill(struct pg_batch *b, struct arena *a, const char *model, bool force);
/* Forgets a retired index and its vectors. */
void vectors_add_forget(struct pg_batch *b, struct arena *a, const char *model);

/* What a put sends: read by vectors_read_load. */
struct vector_row {
    struct uuid chunk, document, tenant;
    const char *type, *source;
    int64_t created_us;
    struct str vector;
};
int vectors_add_load(struct pg_batch *b, struct arena *a, const char *model,
                     const struct uuid *chunks, int n);
int vectors_read_load(const struct pg_result *r, int stmt, struct arena *a,
                      struct vector_row **out);

/* Chunks by id, in no order; read by chunks_read. PG_APP. */
int chunks_add_by_id(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n);
