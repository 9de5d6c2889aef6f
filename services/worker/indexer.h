/* indexer.h: the standing duty that keeps the vectors complete, where WEAVIATE_URL and
 * EMBEDDINGS_URL are set. Lanes take documents that lack vectors of the configured model, embed
 * them and store the vectors in PostgreSQL, each with the outbox row that sends it. A guard makes
 * the classes in Weaviate, sends everything again when one is missing (the store lost its data),
 * and lets the index of a new model serve once it is complete. Several workers share the work; none
 * is needed twice. */
#pragma once
#include "services/worker/app.h"

struct indexer *indexer_new(struct worker *w); /* NULL when it has nothing to do */
void indexer_free(struct indexer *x);
void indexer_stop(struct indexer *x);    /* takes nothing new */
void indexer_poke(struct indexer *x);    /* there may be a new document; NULL is fine */
void indexer_suspect(struct indexer *x); /* a class is missing in the store; NULL is fine */

/* The class of a model: "Document_" and 8 hex digits. */
#define INDEX_CLASS_LEN 17
char *index_class(const char *model, char out[INDEX_CLASS_LEN + 1]);

/* `ceoagent-worker reindex`: writes outbox rows that send every vector again. Blocking. */
int indexer_refill_all(const char *database_url, int64_t *rows, struct err *err) MUST_CHECK;
