/* vector_write.h: one outbox row of the target "weaviate" on its way (see model/vectors.h for the
 * payloads). Rows may go out in any order and more than once: a put sends what PostgreSQL has at
 * that moment, and looks again afterwards, so that a deletion in between is carried out too. */
#pragma once
#include "libcommon/io/weaviate.h"
#include "libcommon/model/outbox.h"
#include "libcommon/model/vectors.h"
#include "services/worker/app.h"

struct vector_write {
    struct worker *w;
    struct arena *arena;
    const struct outbox_row *row;
    void (*done)(struct vector_write *v, int code, const char *why);
    void *arg;
    struct pg_op pg;
    struct weaviate_call call;
    struct arena *round; /* of the answers, emptied between them */
    const char *model;
    struct vector_index *indexes; /* whose classes a document is deleted from */
    int index_count, index_at;
    struct uuid *chunks, *gone; /* gone: documents to delete */
    int chunk_count, gone_count, gone_at;
    struct uuid *sent; /* the documents of the chunks that were sent */
    int sent_count;
    int stmt;
    const char *class;
};

/* done is called once, unless stopped; maybe before this returns, when the payload is broken. The
 * owner sets w, arena, row, done and arg, the rest is zero. */
void vector_write_start(struct vector_write *v);
void vector_write_stop(struct vector_write *v); /* repeatable; also on zeroed ones */
