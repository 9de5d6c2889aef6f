#include "libcommon/base/compat.h"
#include "services/worker/vector_write.h"
#include "libcommon/base/json.h"
#include "services/worker/indexer.h"

#define STORE_MS 10000
#define SEND_MS 12000

static void end(struct vector_write *v, int code, const char *why)
{
    v->done(v, code, code == 0 ? NULL : arena_strdup(v->arena, why));
}

static struct pg_batch *fresh(struct vector_write *v, unsigned flags)
{
    arena_reset(v->round);
    return pg_batch_new(v->round, PG_SERVICE, NULL, NULL, false, flags);
}

static void submit(struct vector_write *v, struct pg_batch *b, op_fn *done)
{
    pg_submit(v->w->pg, b, STORE_MS, &v->pg, done, v);
}

static bool failed(struct vector_write *v, const struct op *op)
{
    if (op->err.code != 0)
        end(v, op->err.code, op->err.msg);
    return op->err.code != 0;
}

/* ---- delete: each document of `gone` from each class of `indexes` ---- */

static void delete_next(struct vector_write *v);

static void on_deleted(struct op *op)
{
    struct vector_write *v = op->arg;

    if (op->err.code != ERR_NOTFOUND && failed(v, op)) /* no such class: gone already */
        return;
    if (++v->gone_at == v->gone_count) {
        v->gone_at = 0;
        v->index_at++;
    }
    delete_next(v);
}

static void delete_next(struct vector_write *v)
{
    if (v->index_at >= v->index_count || v->gone_count == 0) {
        end(v, 0, NULL);
        return;
    }
    arena_reset(v->round);
    weaviate_delete(v->w->weaviate, v->round, v->indexes[v->index_at].class, v->row->tenant,
                    v->gone[v->gone_at], SEND_MS, &v->call, on_deleted, v);
}

static void on_indexes(struct op *op)
{
    struct vector_write *v = op->arg;
    int n;

    if (failed(v, op))
        return;
    n = pg_rows(v->pg.result, v->stmt);
    v->indexes = arena_array(v->arena, struct vector_index, n + 1);
    for (int i = 0; i < n; i++) {
        struct vector_index x;

        if (vectors_read_index(v->pg.result, v->stmt, i, &x) == 0)
            v->indexes[v->index_count++].class = arena_strdup(v->arena, x.class);
    }
    delete_next(v);
}

static void delete_gone(struct vector_write *v)
{
    struct pg_batch *b = fresh(v, PG_READ);

    v->stmt = vectors_add_indexes(b);
    submit(v, b, on_indexes);
}

static void start_delete(struct vector_write *v, const cJSON *payload)
{
    v->gone = arena_array(v->arena, struct uuid, 1);
    v->gone_count = 1;
    if (uuid_parse(str_of(json_str(payload, "document", "")), v->gone) != 0)
        end(v, ERR_INVALID, "the row names no document");
    else
        delete_gone(v);
}

/* ---- put ---- */

static bool listed(const struct uuid *list, int n, struct uuid id)
{
    for (int i = 0; i < n; i++)
        if (memcmp(&list[i], &id, sizeof id) == 0)
            return true;
    return false;
}

static struct pg_batch *load_batch(struct vector_write *v)
{
    struct pg_batch *b = fresh(v, PG_READ);

    vectors_add_of_model(b, v->round, v->model);
    v->stmt = vectors_add_load(b, v->round, v->model, v->chunks, v->chunk_count);
    return b;
}

/* A document that was deleted while its chunks were under way. */
static void on_looked_again(struct op *op)
{
    struct vector_write *v = op->arg;
    struct vector_row *rows;
    struct uuid *have;
    int n;

    if (failed(v, op))
        return;
    n = vectors_read_load(v->pg.result, v->stmt, v->round, &rows);
    have = arena_array(v->round, struct uuid, n + 1);
    for (int i = 0; i < n; i++)
        have[i] = rows[i].document;
    v->gone = arena_array(v->arena, struct uuid, v->sent_count + 1);
    for (int i = 0; i < v->sent_count; i++)
        if (!listed(have, n, v->sent[i]))
            v->gone[v->gone_count++] = v->sent[i];
    if (v->gone_count > 0)
        delete_gone(v);
    else
        end(v, 0, NULL);
}

static void on_imported(struct op *op)
{
    struct vector_write *v = op->arg;

    if (failed(v, op))
        return;
    submit(v, load_batch(v), on_looked_again);
}

static void import(struct vector_write *v, const struct vector_row *rows, int n, int dimension)
{
    struct weaviate_object *o = arena_array(v->round, struct weaviate_object, n);
    int count = 0;

    v->sent = arena_array(v->arena, struct uuid, n);
    for (int i = 0; i < n; i++) {
        float *vector = arena_array(v->round, float, dimension);

        if (rows[i].vector.n != sizeof(float) * (size_t)dimension)
            continue; /* of a server that changed its dimension under one model's name */
        memcpy(vector, rows[i].vector.p, rows[i].vector.n);
        o[count++] = (struct weaviate_object){.id = rows[i].chunk,
                                              .document = rows[i].document,
                                              .type = rows[i].type,
                                              .source = rows[i].source,
                                              .created_us = rows[i].created_us,
                                              .vector = vector};
        if (!listed(v->sent, v->sent_count, rows[i].document))
            v->sent[v->sent_count++] = rows[i].document;
    }
    weaviate_import(v->w->weaviate, v->round, v->class, v->row->tenant, o, count, dimension,
                    SEND_MS, &v->call, on_imported, v);
}

static void on_loaded(struct op *op)
{
    struct vector_write *v = op->arg;
    struct vector_index index;
    struct vector_row *rows;
    int n;

    if (failed(v, op))
        return;
    n = vectors_read_load(v->pg.result, v->stmt, v->round, &rows);
    if (n == 0 || vectors_read_index(v->pg.result, 0, 0, &index) != 0 || index.dimension == 0)
        end(v, 0, NULL); /* deleted, or of a model that is forgotten */
    else
        import(v, rows, n, index.dimension);
}

/* A write into a class that is missing would make one without tenants. */
static void on_checked(struct op *op)
{
    struct vector_write *v = op->arg;

    if (op->err.code == ERR_NOTFOUND)
        indexer_suspect(v->w->indexer);
    if (!failed(v, op))
        submit(v, load_batch(v), on_loaded);
}

static void on_index(struct op *op)
{
    struct vector_write *v = op->arg;
    struct vector_index index;

    if (failed(v, op))
        return;
    if (vectors_read_index(v->pg.result, v->stmt, 0, &index) != 0 ||
        strcmp(index.state, "retired") == 0) {
        end(v, 0, NULL);
        return;
    }
    v->class = arena_strdup(v->arena, index.class);
    arena_reset(v->round);
    weaviate_check(v->w->weaviate, v->round, v->class, SEND_MS, &v->call, on_checked, v);
}

static void ask_index(struct vector_write *v, op_fn *done)
{
    struct pg_batch *b = fresh(v, PG_READ);

    v->stmt = vectors_add_of_model(b, v->round, v->model);
    submit(v, b, done);
}

static void start_put(struct vector_write *v, const cJSON *payload)
{
    const cJSON *list = json_get(payload, "chunks"), *item;

    v->chunks = arena_array(v->arena, struct uuid, cJSON_GetArraySize(list) + 1);
    cJSON_ArrayForEach (item, list)
        if (cJSON_IsString(item) &&
            uuid_parse(str_of(item->valuestring), &v->chunks[v->chunk_count]) == 0)
            v->chunk_count++;
    ask_index(v, on_index);
}

/* ---- drop ---- */

static void on_forgotten(struct op *op)
{
    struct vector_write *v = op->arg;

    if (!failed(v, op))
        end(v, 0, NULL);
}

static void on_dropped(struct op *op)
{
    struct vector_write *v = op->arg;
    struct pg_batch *b;

    if (op->err.code != ERR_NOTFOUND && failed(v, op))
        return;
    b = fresh(v, PG_IDEMPOTENT);
    vectors_add_forget(b, v->round, v->model);
    submit(v, b, on_forgotten);
}

static void on_retired(struct op *op)
{
    struct vector_write *v = op->arg;
    struct vector_index index;

    if (failed(v, op))
        return;
    if (vectors_read_index(v->pg.result, v->stmt, 0, &index) != 0 ||
        strcmp(index.state, "retired") != 0) { /* the model came back */
        end(v, 0, NULL);
        return;
    }
    v->class = arena_strdup(v->arena, index.class);
    arena_reset(v->round);
    weaviate_drop(v->w->weaviate, v->round, v->class, SEND_MS, &v->call, on_dropped, v);
}

static void start_drop(struct vector_write *v, const cJSON *payload UNUSED)
{
    ask_index(v, on_retired);
}

/* ---- start ---- */

static const struct {
    const char *topic;
    void (*start)(struct vector_write *v, const cJSON *payload);
} topics[] = {
    {"vectors.delete", start_delete},
    {"vectors.drop", start_drop},
    {"vectors.put", start_put},
};

void vector_write_start(struct vector_write *v)
{
    cJSON *payload;

    v->round = arena_new();
    if (json_parse(v->arena, v->row->payload, 8, &payload, NULL) != 0) {
        end(v, ERR_INVALID, "the row's payload is no JSON");
        return;
    }
    v->model = json_str(payload, "model", "");
    for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
        if (strcmp(v->row->topic, topics[i].topic) == 0) {
            topics[i].start(v, payload);
            return;
        }
    }
    end(v, ERR_INVALID, "no such topic");
}

void vector_write_stop(struct vector_write *v)
{
    if (v->round == NULL)
        return;
    op_cancel(&v->pg.op);
    op_cancel(&v->call.op);
    arena_free(v->round);
    v->round = NULL;
}
