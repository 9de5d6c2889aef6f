/* embeddings.h: texts to vectors by any OpenAI-compatible /v1/embeddings. One call is one request
 * of at most EMBEDDINGS_MAX texts, each cut to EMBEDDINGS_CHARS characters. What may succeed later
 * (429, 5xx, timeouts, lost connections) is tried again within the call's deadline, waiting
 * Retry-After or with backoff; a breaker spares a server that is down. Nothing is cached here:
 * vectors of passages are found again by the hash of their text in PostgreSQL (model/vectors.h). */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/ev/op.h"

#define EMBEDDINGS_MAX 64
#define EMBEDDINGS_CHARS 8000
#define EMBEDDINGS_DIMENSION_MAX 16384

struct embeddings;
struct http_client;
struct settings;

/* Keys, URL and prefixes are read from settings at each call. NULL when EMBEDDINGS_URL is unset. */
struct embeddings *embeddings_new(struct loop *l, const struct settings *s,
                                  struct http_client *http);
void embeddings_free(struct embeddings *e); /* every call ended or cancelled before */

enum embeddings_kind { EMBED_QUERY, EMBED_PASSAGE };

struct embeddings_call {
    struct op op; /* 0; ERR_INVALID (refused as wrong), ERR_DENIED (the key), ERR_BUSY, ERR_TIMEOUT,
                     ERR_UNAVAILABLE, ERR_PROTOCOL (no vectors in the answer) */
    /* result, in the arena: one vector a text, of `dimension` finite floats */
    const float **vectors;
    int count, dimension;
    int tries;
    void *priv;
};

/* model NULL: EMBEDDINGS_MODEL. The texts may go after the call has returned. */
void embeddings_start(struct embeddings *e, struct arena *a, enum embeddings_kind kind,
                      const char *model, const struct str *texts, int n, int64_t deadline_ms,
                      struct embeddings_call *call, op_fn *done, void *arg);

/* Pure, for tests: an answer's body to n vectors. */
int embeddings_read(struct str body, int n, struct arena *a, const float ***vectors, int *dimension,
                    struct err *err) MUST_CHECK;
