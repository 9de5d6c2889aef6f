/* search.c: one search, step by step:
 *
 *   find   PostgreSQL: the full-text half, and which index serves
 *   embed  the query's vector, by the model of that index
 *   near   Weaviate: the nearest chunks
 *   load   PostgreSQL: those of them that the first step did not bring
 *
 * A failure of embed or near goes to the end with what there is. */
#include "libcommon/base/compat.h"
#include "libcommon/knowledge/search.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/map.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/settings.h"
#include "libcommon/io/weaviate.h"
#include "libcommon/llm/embeddings.h"
#include "libcommon/model/vectors.h"

#define VECTOR_MS 3000

struct knowledge {
    struct loop *loop;
    const struct settings *set;
    struct pg *pg;
    struct weaviate *weaviate;     /* NULL: not configured */
    struct embeddings *embeddings; /* the same */
};

struct look { /* the private part of a search, in its arena */
    struct knowledge *k;
    struct knowledge_search *out;
    struct arena *arena;
    const struct search *asked;
    struct search search; /* with our number of candidates */
    struct uuid tenant;
    enum knowledge_mode mode;
    int stmt, index_stmt;
    int64_t until_us, vectors_until_us;
    struct pg_op pg;
    struct vector_index index;
    struct embeddings_call embed;
    struct weaviate_call near;
    struct chunk *text, *more;
    int text_count, more_count;
    bool has_vectors;
};

struct knowledge *knowledge_new(struct loop *l, const struct settings *s, struct pg *pg,
                                struct http_client *http)
{
    struct knowledge *k = xcalloc(1, sizeof *k);

    k->loop = l;
    k->set = s;
    k->pg = pg;
    if (http != NULL) {
        k->weaviate = weaviate_new(l, s, http);
        k->embeddings = embeddings_new(l, s, http);
    }
    return k;
}

void knowledge_free(struct knowledge *k)
{
    if (k == NULL)
        return;
    weaviate_free(k->weaviate);
    embeddings_free(k->embeddings);
    free(k);
}

/* ---- the end ---- */

static void abort_look(struct op *op)
{
    struct look *l = CONTAINER_OF(op, struct knowledge_search, op)->priv;

    op_cancel(&l->pg.op);
    op_cancel(&l->embed.op);
    op_cancel(&l->near.op);
}

static void finish(struct look *l, int code)
{
    metric_add(M_KNOWLEDGE, 1, l->out->backend, code == 0 ? "success" : "failure", NULL);
    op_finish(&l->out->op, code);
}

static struct map *chunks_by_id(struct look *l)
{
    struct map *m = map_new();

    for (int i = 0; i < l->text_count; i++)
        map_set(m, (struct str){(const char *)l->text[i].id.b, 16}, &l->text[i]);
    for (int i = 0; i < l->more_count; i++)
        map_set(m, (struct str){(const char *)l->more[i].id.b, 16}, &l->more[i]);
    return m;
}

/* Vectors whose chunk PostgreSQL does not have (any more) are no results, nor do they shift the
 * scores of the others. */
static int vector_ranks(struct look *l, const struct map *chunks, struct knowledge_rank *out)
{
    int n = 0;

    for (int i = 0; i < l->near.hit_count; i++)
        if (map_get(chunks, (struct str){(const char *)l->near.hits[i].id.b, 16}) != NULL)
            out[n++] = (struct knowledge_rank){l->near.hits[i].id, l->near.hits[i].similarity};
    return n;
}

static void join(struct look *l)
{
    int most = l->text_count + l->near.hit_count, n, v;
    struct knowledge_rank *text = arena_array(l->arena, struct knowledge_rank, most + 1);
    struct knowledge_rank *near = arena_array(l->arena, struct knowledge_rank, most + 1);
    struct knowledge_rank *best = arena_array(l->arena, struct knowledge_rank, most + 1);
    struct map *chunks = chunks_by_id(l);

    for (n = 0; n < l->text_count; n++)
        text[n] = (struct knowledge_rank){l->text[n].id, l->text[n].score};
    v = vector_ranks(l, chunks, near);
    n = knowledge_fuse(l->arena, text, l->mode == KNOWLEDGE_VECTORS ? 0 : n, near, v,
                       l->mode == KNOWLEDGE_VECTORS ? 1 : KNOWLEDGE_VECTOR_WEIGHT, best,
                       l->asked->limit);
    l->out->chunks = arena_array(l->arena, struct chunk, n + 1);
    for (int i = 0; i < n; i++) {
        const struct chunk *c = map_get(chunks, (struct str){(const char *)best[i].id.b, 16});

        l->out->chunks[i] = *c;
        l->out->chunks[i].score = best[i].score;
    }
    l->out->count = n;
    map_free(chunks);
    l->out->backend = "hybrid";
    finish(l, 0);
}

static void text_alone(struct look *l, bool degraded)
{
    l->out->degraded = degraded;
    l->out->chunks = l->text;
    l->out->count = l->mode == KNOWLEDGE_VECTORS ? 0 : MIN(l->text_count, l->asked->limit);
    finish(l, 0);
}

/* ---- the vector half ---- */

static void on_loaded(struct op *op)
{
    struct look *l = op->arg;

    if (op->err.code != 0 ||
        chunks_read(l->pg.result, l->stmt, l->arena, &l->more, &l->more_count) != 0) {
        l->out->op.err = op->err;
        finish(l, op->err.code != 0 ? op->err.code : ERR_INTERNAL);
        return;
    }
    join(l);
}

static int64_t left_ms(int64_t until_us)
{
    return MAX(1, (until_us - clock_mono_us()) / 1000);
}

static void load(struct look *l)
{
    struct uuid *ids = arena_array(l->arena, struct uuid, l->near.hit_count + 1);
    struct map *have = chunks_by_id(l);
    struct pg_batch *b;
    int n = 0;

    for (int i = 0; i < l->near.hit_count; i++)
        if (map_get(have, (struct str){(const char *)l->near.hits[i].id.b, 16}) == NULL)
            ids[n++] = l->near.hits[i].id;
    map_free(have);
    if (n == 0) {
        join(l);
        return;
    }
    b = pg_batch_new(l->arena, PG_APP, &l->tenant, NULL, true, PG_READ);
    l->stmt = chunks_add_by_id(b, l->arena, ids, n);
    pg_submit(l->k->pg, b, left_ms(l->until_us), &l->pg, on_loaded, l);
}

static void no_vectors(struct look *l, const struct err *err)
{
    log_warning("a search goes on without vectors", LOG_S("error", err->msg));
    text_alone(l, true);
}

static void on_near(struct op *op)
{
    struct look *l = op->arg;

    if (op->err.code == ERR_NOTFOUND) /* nothing of this tenant is there yet */
        text_alone(l, l->text_count > 0);
    else if (op->err.code != 0)
        no_vectors(l, &op->err);
    else
        load(l);
}

static void on_embedded(struct op *op)
{
    struct look *l = op->arg;
    const struct search *s = l->asked;
    struct weaviate_query q = {.class = l->index.class,
                               .tenant = l->tenant,
                               .limit = l->search.limit,
                               .documents = s->documents,
                               .document_count = s->document_count,
                               .type = s->type,
                               .source = s->source,
                               .from_us = s->from_us,
                               .to_us = s->to_us};

    if (op->err.code != 0) {
        no_vectors(l, &op->err);
        return;
    }
    q.vector = l->embed.vectors[0];
    q.dimension = l->embed.dimension;
    weaviate_near(l->k->weaviate, l->arena, &q, left_ms(l->vectors_until_us), &l->near, on_near, l);
}

/* ---- the full-text half ---- */

static void on_found(struct op *op)
{
    struct look *l = op->arg;
    const struct knowledge *k = l->k;
    struct str query = str_of(l->asked->query);

    if (op->err.code != 0 ||
        chunks_read(l->pg.result, l->stmt, l->arena, &l->text, &l->text_count) != 0) {
        l->out->op.err = op->err;
        finish(l, op->err.code != 0 ? op->err.code : ERR_INTERNAL);
        return;
    }
    if (l->mode == KNOWLEDGE_FULL_TEXT || k->weaviate == NULL)
        text_alone(l, false);
    else if (k->embeddings == NULL ||
             vectors_read_index(l->pg.result, l->index_stmt, 0, &l->index) != 0)
        text_alone(l, true);
    else
        embeddings_start(k->embeddings, l->arena, EMBED_QUERY, l->index.model, &query, 1,
                         left_ms(l->vectors_until_us), &l->embed, on_embedded, l);
}

void knowledge_search_start(struct knowledge *k, struct arena *a, struct uuid tenant,
                            const struct search *s, enum knowledge_mode mode, int64_t deadline_ms,
                            struct knowledge_search *out, op_fn *done, void *arg)
{
    struct look *l = arena_new_of(a, struct look);
    struct pg_batch *b = pg_batch_new(a, PG_APP, &tenant, NULL, true, PG_READ);

    memset(out, 0, sizeof *out);
    out->priv = l;
    out->backend = "postgresql";
    l->k = k;
    l->out = out;
    l->arena = a;
    l->asked = s;
    l->search = *s;
    l->search.limit = MAX(s->limit, KNOWLEDGE_CANDIDATES);
    l->tenant = tenant;
    l->mode = mode;
    l->until_us = clock_mono_us() + deadline_ms * 1000;
    l->vectors_until_us = MIN(l->until_us, clock_mono_us() + VECTOR_MS * 1000);
    l->index_stmt = vectors_add_serving(b);
    l->stmt = documents_add_search(b, a, &l->search);
    op_begin(&out->op, k->loop, deadline_ms, done, arg, abort_look);
    pg_submit(k->pg, b, deadline_ms, &l->pg, on_found, l);
}
