/* weaviate.h: the vector store, over its REST and GraphQL interface. An index is a class with
 * vectors of our own (vectorizer none) and one tenant of Weaviate a tenant of ours; an object has
 * the chunk's id and what searches filter by, but not its text: that is read from PostgreSQL, so
 * nothing of a deleted document can come out of here. Several classes may exist (one a model); the
 * alias "Document" names the one that serves.
 *
 * Every call: 0, or ERR_NOTFOUND (no such class or tenant), ERR_INVALID (refused), ERR_DENIED (the
 * key), ERR_TIMEOUT, ERR_UNAVAILABLE, ERR_PROTOCOL. Nothing is tried again here; a breaker spares a
 * store that is down. Arguments may go when the starting function has returned. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/id.h"
#include "libcommon/io/http_client.h"

struct settings;
struct weaviate;

/* NULL when WEAVIATE_URL is unset. URL and key are read from settings at each call. */
struct weaviate *weaviate_new(struct loop *l, const struct settings *s, struct http_client *http);
void weaviate_free(struct weaviate *w); /* every call ended or cancelled before */

struct weaviate_hit {
    struct uuid id;
    double similarity; /* 1 - cosine distance */
};

struct weaviate_call {
    struct op op;
    struct weaviate_hit *hits; /* of weaviate_near, nearest first, in the arena */
    int hit_count;
    struct http_call http;
    void *priv;
};

/* ERR_NOTFOUND: there is no such class, or one that is not ours (made by a stray write). */
void weaviate_check(struct weaviate *w, struct arena *a, const char *class, int64_t deadline_ms,
                    struct weaviate_call *call, op_fn *done, void *arg);
/* Made by another in the meantime: 0 as well. */
void weaviate_create(struct weaviate *w, struct arena *a, const char *class, int64_t deadline_ms,
                     struct weaviate_call *call, op_fn *done, void *arg);
/* None there: 0. */
void weaviate_drop(struct weaviate *w, struct arena *a, const char *class, int64_t deadline_ms,
                   struct weaviate_call *call, op_fn *done, void *arg);
/* Points the alias "Document" to the class; make: it does not exist yet. */
void weaviate_alias(struct weaviate *w, struct arena *a, const char *class, bool make,
                    int64_t deadline_ms, struct weaviate_call *call, op_fn *done, void *arg);

struct weaviate_object {
    struct uuid id, document;
    const char *type, *source; /* NULL: none */
    int64_t created_us;
    const float *vector;
};
/* Adds or replaces; 0 when every object is stored. */
void weaviate_import(struct weaviate *w, struct arena *a, const char *class, struct uuid tenant,
                     const struct weaviate_object *o, int n, int dimension, int64_t deadline_ms,
                     struct weaviate_call *call, op_fn *done, void *arg);
/* Every object of a document; none there (or no such tenant): 0. */
void weaviate_delete(struct weaviate *w, struct arena *a, const char *class, struct uuid tenant,
                     struct uuid document, int64_t deadline_ms, struct weaviate_call *call,
                     op_fn *done, void *arg);

struct weaviate_query {
    const char *class;
    struct uuid tenant;
    const float *vector;
    int dimension, limit;
    const struct uuid *documents; /* only these; document_count 0: all */
    int document_count;
    const char *type, *source; /* NULL: any */
    int64_t from_us, to_us;    /* 0: open */
};
void weaviate_near(struct weaviate *w, struct arena *a, const struct weaviate_query *q,
                   int64_t deadline_ms, struct weaviate_call *call, op_fn *done, void *arg);
