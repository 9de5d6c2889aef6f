/* indexer.c: a lane's round is claim, then (missing, embed, store) until nothing is missing, then
 * complete. The guard's round is ensure the index's row, then look at each class. Whatever fails is
 * left to the next round: all state is in PostgreSQL. */
#include "libcommon/base/compat.h"
#include "services/worker/indexer.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/io/weaviate.h"
#include "libcommon/llm/embeddings.h"
#include "libcommon/model/vectors.h"

#define LANES 4
#define BATCH 32
#define STORE_MS 15000
#define EMBED_MS 90000
#define SEND_MS 20000
#define HOLD_MS 180000 /* more than an embedding and its store take */
#define IDLE_MS 2000
#define OUTAGE_MS 3000 /* the server for embeddings is away */
#define FAULT_MS 10000 /* the first pause of a document that can't be embedded; doubles */
#define FAULT_MAX_MS 600000
#define GUARD_MS 10000

struct lane {
    struct indexer *x;
    struct arena *arena;
    struct timer timer;
    struct pg_op pg;
    struct embeddings_call embed;
    struct uuid document, tenant;
    int tries, stmt, count;
    struct vector_text *texts;
};

struct indexer {
    struct worker *w;
    struct lane lanes[LANES];
    bool stopped;
    /* the guard */
    struct arena *arena;
    struct timer timer;
    struct pg_op pg;
    struct weaviate_call call;
    struct vector_index *indexes;
    int count, at, stmt;
    char class[INDEX_CLASS_LEN + 1];
    bool aliased; /* this process saw the alias right */
};

char *index_class(const char *model, char out[INDEX_CLASS_LEN + 1])
{
    uint8_t digest[32];
    char hex[65];

    sha256(model, strlen(model), digest);
    hex_encode(digest, 4, hex);
    snprintf(out, INDEX_CLASS_LEN + 1, "Document_%.8s", hex);
    return out;
}

static const char *model_of(const struct indexer *x)
{
    return x->w->settings.embeddings_model;
}

/* ---- a lane ---- */

static void rest(struct lane *l, int64_t ms)
{
    arena_reset(l->arena);
    if (!l->x->stopped)
        timer_start(&l->timer, ms);
}

static struct pg_batch *lane_batch(struct lane *l, unsigned flags)
{
    return pg_batch_new(l->arena, PG_SERVICE, NULL, NULL, false, flags);
}

static void lane_submit(struct lane *l, struct pg_batch *b, op_fn *done)
{
    pg_submit(l->x->w->pg, b, STORE_MS, &l->pg, done, l);
}

static void on_complete(struct op *op)
{
    rest(op->arg, op->err.code == 0 ? 0 : IDLE_MS);
}

static void on_paused(struct op *op)
{
    rest(op->arg, OUTAGE_MS);
}

/* What the document itself is at fault for is tried less and less often. */
static void give_up(struct lane *l, const struct err *err)
{
    bool own = err->code == ERR_INVALID || err->code == ERR_TOOBIG || err->code == ERR_PROTOCOL;
    int64_t pause = own ? MIN((int64_t)FAULT_MS << MIN(l->tries - 1, 10), FAULT_MAX_MS) : OUTAGE_MS;
    struct pg_batch *b = lane_batch(l, PG_IDEMPOTENT);
    char id[UUID_LEN + 1];

    log_warning("a document was not embedded", LOG_S("document_id", uuid_text(l->document, id)),
                LOG_S("error", err->msg));
    vectors_add_pause(b, l->arena, l->document, pause, own);
    lane_submit(l, b, on_paused);
}

static void on_missing(struct op *op);

static void on_embedded(struct op *op)
{
    struct lane *l = op->arg;
    struct pg_batch *b;

    if (op->err.code != 0) {
        give_up(l, &op->err);
        return;
    }
    b = lane_batch(l, PG_IDEMPOTENT);
    vectors_add_store(b, l->arena, model_of(l->x), l->tenant, l->texts, l->embed.vectors,
                      l->embed.dimension, l->count);
    vectors_add_pause(b, l->arena, l->document, HOLD_MS, true); /* still in hand */
    l->stmt = vectors_add_missing(b, l->arena, model_of(l->x), l->document, BATCH);
    lane_submit(l, b, on_missing);
}

static void embed(struct lane *l)
{
    struct str *texts = arena_array(l->arena, struct str, l->count);

    for (int i = 0; i < l->count; i++)
        texts[i] = l->texts[i].text;
    embeddings_start(l->x->w->embeddings, l->arena, EMBED_PASSAGE, model_of(l->x), texts, l->count,
                     EMBED_MS, &l->embed, on_embedded, l);
}

static void on_missing(struct op *op)
{
    struct lane *l = op->arg;
    struct pg_batch *b;

    if (op->err.code != 0 || l->x->stopped) {
        rest(l, IDLE_MS);
        return;
    }
    l->count = vectors_read_missing(l->pg.result, l->stmt, l->arena, &l->texts);
    if (l->count > 0) {
        embed(l);
        return;
    }
    b = lane_batch(l, PG_IDEMPOTENT);
    vectors_add_complete(b, l->arena, model_of(l->x), l->document);
    lane_submit(l, b, on_complete);
}

static void on_claimed(struct op *op)
{
    struct lane *l = op->arg;
    struct pg_batch *b;

    if (op->err.code != 0 || pg_rows(l->pg.result, 0) == 0) {
        rest(l, IDLE_MS);
        return;
    }
    l->document = pg_get_uuid(l->pg.result, 0, 0, 0);
    l->tenant = pg_get_uuid(l->pg.result, 0, 0, 1);
    l->tries = (int)pg_get_i64(l->pg.result, 0, 0, 2);
    b = lane_batch(l, PG_IDEMPOTENT);
    l->stmt = vectors_add_missing(b, l->arena, model_of(l->x), l->document, BATCH);
    lane_submit(l, b, on_missing);
}

static void on_lane(struct timer *t)
{
    struct lane *l = CONTAINER_OF(t, struct lane, timer);
    struct pg_batch *b = lane_batch(l, 0);

    vectors_add_claim(b, l->arena, model_of(l->x), HOLD_MS, 1);
    lane_submit(l, b, on_claimed);
}

/* ---- the guard ---- */

static void guard_rest(struct indexer *x, int64_t ms)
{
    arena_reset(x->arena);
    if (!x->stopped)
        timer_start(&x->timer, ms);
}

static struct pg_batch *guard_batch(struct indexer *x)
{
    return pg_batch_new(x->arena, PG_SERVICE, NULL, NULL, false, 0);
}

static void next_class(struct indexer *x);

static void on_changed(struct op *op)
{
    struct indexer *x = op->arg;

    if (op->err.code == 0 && pg_affected(x->pg.result, x->stmt) == 1) {
        log_info("a new vector index serves", LOG_S("model", model_of(x)));
        x->aliased = false;
    }
    guard_rest(x, GUARD_MS);
}

static void change_over(struct indexer *x)
{
    struct pg_batch *b = guard_batch(x);

    x->stmt = vectors_add_switch(b, x->arena, model_of(x));
    pg_submit(x->w->pg, b, STORE_MS, &x->pg, on_changed, x);
}

static bool building(const struct indexer *x)
{
    for (int i = 0; i < x->count; i++)
        if (strcmp(x->indexes[i].state, "building") == 0 &&
            strcmp(x->indexes[i].model, model_of(x)) == 0)
            return true;
    return false;
}

/* The alias is a convenience for people who look at the store; nothing of ours depends on it. */
static void on_aliased(struct op *op)
{
    struct indexer *x = op->arg;

    x->aliased = true;
    x->at++;
    next_class(x);
    (void)op;
}

static void on_alias_made(struct op *op)
{
    struct indexer *x = op->arg;

    if (op->err.code == 0)
        on_aliased(op);
    else
        weaviate_alias(x->w->weaviate, x->arena, x->indexes[x->at].class, false, SEND_MS, &x->call,
                       on_aliased, x);
}

static void class_is_there(struct indexer *x)
{
    if (strcmp(x->indexes[x->at].state, "serving") == 0 && !x->aliased) {
        weaviate_alias(x->w->weaviate, x->arena, x->indexes[x->at].class, true, SEND_MS, &x->call,
                       on_alias_made, x);
        return;
    }
    x->at++;
    next_class(x);
}

static void on_made(struct op *op)
{
    struct indexer *x = op->arg;

    if (op->err.code != 0) {
        log_warning("a class was not made in Weaviate", LOG_S("error", op->err.msg));
        guard_rest(x, GUARD_MS);
        return;
    }
    x->aliased = false;
    class_is_there(x);
}

static void on_dropped(struct op *op)
{
    struct indexer *x = op->arg;

    weaviate_create(x->w->weaviate, x->arena, x->indexes[x->at].class, SEND_MS, &x->call, on_made,
                    x);
    (void)op;
}

/* Rows first: a crash between the two leaves the class missing, and the next guard starts again. A
 * class of the name that is not ours, made by a stray write, makes room. */
static void on_refilled(struct op *op)
{
    struct indexer *x = op->arg;

    if (op->err.code != 0) {
        guard_rest(x, GUARD_MS);
        return;
    }
    log_info("a class is missing in Weaviate: it is made and filled",
             LOG_S("class", x->indexes[x->at].class),
             LOG_I("outbox_rows", pg_affected(x->pg.result, 0)));
    weaviate_drop(x->w->weaviate, x->arena, x->indexes[x->at].class, SEND_MS, &x->call, on_dropped,
                  x);
}

static void on_checked(struct op *op)
{
    struct indexer *x = op->arg;
    struct pg_batch *b;

    if (op->err.code == 0) {
        class_is_there(x);
    } else if (op->err.code == ERR_NOTFOUND) {
        b = guard_batch(x);
        vectors_add_refill(b, x->arena, x->indexes[x->at].model, false);
        pg_submit(x->w->pg, b, STORE_MS, &x->pg, on_refilled, x);
    } else {
        log_warning("Weaviate can't be looked at", LOG_S("error", op->err.msg));
        guard_rest(x, GUARD_MS);
    }
}

static void next_class(struct indexer *x)
{
    while (x->at < x->count && strcmp(x->indexes[x->at].state, "retired") == 0)
        x->at++;
    if (x->at < x->count)
        weaviate_check(x->w->weaviate, x->arena, x->indexes[x->at].class, SEND_MS, &x->call,
                       on_checked, x);
    else if (building(x))
        change_over(x);
    else
        guard_rest(x, GUARD_MS);
}

static void on_ensured(struct op *op)
{
    struct indexer *x = op->arg;
    int n;

    if (op->err.code != 0) {
        guard_rest(x, IDLE_MS);
        return;
    }
    n = pg_rows(x->pg.result, x->stmt);
    x->indexes = arena_array(x->arena, struct vector_index, n + 1);
    x->count = 0;
    x->at = 0;
    for (int i = 0; i < n; i++)
        if (vectors_read_index(x->pg.result, x->stmt, i, &x->indexes[x->count]) == 0)
            x->count++;
    next_class(x);
}

static void on_guard(struct timer *t)
{
    struct indexer *x = CONTAINER_OF(t, struct indexer, timer);
    struct pg_batch *b = guard_batch(x);

    vectors_add_index(b, x->arena, model_of(x), x->class);
    x->stmt = vectors_add_indexes(b);
    pg_submit(x->w->pg, b, STORE_MS, &x->pg, on_ensured, x);
}

/* ---- from outside ---- */

void indexer_poke(struct indexer *x)
{
    if (x == NULL || x->stopped)
        return;
    for (int i = 0; i < LANES; i++) {
        if (x->lanes[i].timer.armed) {
            timer_start(&x->lanes[i].timer, 0);
            return;
        }
    }
}

void indexer_suspect(struct indexer *x)
{
    if (x != NULL && !x->stopped && x->timer.armed)
        timer_start(&x->timer, 0);
}

struct indexer *indexer_new(struct worker *w)
{
    struct indexer *x;

    if (w->weaviate == NULL || w->embeddings == NULL)
        return NULL;
    x = xcalloc(1, sizeof *x);
    x->w = w;
    x->arena = arena_new();
    index_class(w->settings.embeddings_model, x->class);
    timer_init(&x->timer, w->loop, on_guard);
    timer_start(&x->timer, 0);
    for (int i = 0; i < LANES; i++) {
        struct lane *l = &x->lanes[i];

        l->x = x;
        l->arena = arena_new();
        timer_init(&l->timer, w->loop, on_lane);
        timer_start(&l->timer, IDLE_MS / LANES * i);
    }
    return x;
}

void indexer_stop(struct indexer *x)
{
    if (x == NULL)
        return;
    x->stopped = true;
    timer_stop(&x->timer);
    for (int i = 0; i < LANES; i++)
        timer_stop(&x->lanes[i].timer);
}

void indexer_free(struct indexer *x)
{
    if (x == NULL)
        return;
    op_cancel(&x->pg.op);
    op_cancel(&x->call.op);
    timer_done(&x->timer);
    arena_free(x->arena);
    for (int i = 0; i < LANES; i++) {
        struct lane *l = &x->lanes[i];

        op_cancel(&l->pg.op);
        op_cancel(&l->embed.op);
        timer_done(&l->timer);
        arena_free(l->arena);
    }
    free(x);
}

/* ---- the command ---- */

int indexer_refill_all(const char *database_url, int64_t *rows, struct err *err)
{
    struct arena *a = arena_new();
    struct pg_batch *b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, PG_READ);
    struct pg_result *r;
    struct pg_sync *s = NULL;
    struct vector_index index;
    int rc = pg_sync_open(database_url, &s, err), list = vectors_add_indexes(b);

    *rows = 0;
    if (rc == 0)
        rc = pg_sync_run(s, b, &r, err);
    for (int i = 0; rc == 0 && vectors_read_index(r, list, i, &index) == 0; i++) {
        struct pg_result *sent;

        if (strcmp(index.state, "retired") == 0)
            continue;
        b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, 0);
        vectors_add_refill(b, a, index.model, true);
        rc = pg_sync_run(s, b, &sent, err);
        if (rc == 0)
            *rows += pg_affected(sent, 0);
    }
    pg_sync_close(s);
    arena_free(a);
    return rc;
}
