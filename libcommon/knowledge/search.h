/* search.h: the one search over the knowledge base, used by the gateway and the agents.
 *
 * Hybrid: PostgreSQL's full text (stems and CJK bigrams) and the nearest vectors of Weaviate, each
 * at most KNOWLEDGE_CANDIDATES, joined by KNOWLEDGE_VECTOR_WEIGHT after each list's scores are
 * brought to 0..1 (fuse.c). Texts and titles always come from PostgreSQL under the tenant's policy,
 * so neither a deleted document nor another tenant's can come out of the vector store.
 *
 * The vector half has VECTOR_MS; when it fails or is not to be had (no server for embeddings, the
 * store down, no index yet) the full-text half answers alone and `degraded` says so. Only a failure
 * of PostgreSQL fails the search. */
#pragma once
#include "libcommon/io/pg.h"
#include "libcommon/model/documents.h"

#define KNOWLEDGE_CANDIDATES 100
#define KNOWLEDGE_VECTOR_WEIGHT 0.7

struct http_client;
struct knowledge;
struct settings;

/* http may be NULL where neither WEAVIATE_URL nor EMBEDDINGS_URL is set. */
struct knowledge *knowledge_new(struct loop *l, const struct settings *s, struct pg *pg,
                                struct http_client *http);
void knowledge_free(struct knowledge *k); /* every search ended or cancelled before */

enum knowledge_mode { KNOWLEDGE_HYBRID, KNOWLEDGE_FULL_TEXT, KNOWLEDGE_VECTORS };

struct knowledge_search {
    struct op op;         /* 0, or as pg_submit */
    struct chunk *chunks; /* best first, in the arena; score 0..1 */
    int count;
    bool degraded;       /* vectors were wanted and are missing */
    const char *backend; /* "hybrid" or "postgresql" */
    void *priv;
};

/* As the tenant, over all its documents. The search's pointers must live until the callback. */
void knowledge_search_start(struct knowledge *k, struct arena *a, struct uuid tenant,
                            const struct search *s, enum knowledge_mode mode, int64_t deadline_ms,
                            struct knowledge_search *out, op_fn *done, void *arg);

/* Pure: joins two lists of ids with scores. Each list is best first. Writes at most limit rows,
 * best first, and returns their number. */
struct knowledge_rank {
    struct uuid id;
    double score;
};
int knowledge_fuse(struct arena *a, const struct knowledge_rank *text, int text_count,
                   const struct knowledge_rank *vectors, int vector_count, double vector_weight,
                   struct knowledge_rank *out, int limit);
