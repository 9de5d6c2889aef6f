/* act_gather.c: what the run works from. Documents named in the request: all their passages, once
 * they are read (those still being read are waited for at most 60 s, then named as missing). None
 * named: the best passages of the tenant's knowledge for the question. */
#include "libcommon/base/compat.h"
#include "services/agent/actions.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/knowledge/search.h"
#include "libcommon/model/documents.h"

#define WAIT_MS 60000
#define LOOK_MS 250
#define QUERY_MS 15000
#define PASSAGES_SUPPLIED 400
#define PASSAGES_FOUND 12

struct work {
    struct action_flow *flow;
    struct pg_op op;
    struct search search;
    struct knowledge_search found;
    struct timer timer;
    struct arena *reply; /* of the query in flight */
    int64_t began_us;
    int tries, stmt;
    cJSON *missing; /* array of sentences */
};

static void gathered(struct action_flow *f, cJSON *material)
{
    struct work *w = f->work;
    struct append *ap = action_append(f, 1);
    struct event *e = &ap->events[0];
    cJSON *payload = json_obj(ap->arena);

    json_add_copy(payload, "material", material);
    json_add_copy(payload, "missing", w->missing);
    json_add_str(payload, "nonce", action_nonce(ap->arena));
    e->type = "observe";
    e->name = "gather";
    e->actor = "tool:knowledge_retrieval";
    e->taint = cJSON_GetArraySize(material) > 0;
    e->payload = json_print(ap->arena, payload);
    action_outcome(f, ap);
}

static void add_chunk(cJSON *material, const struct chunk *c, bool supplied)
{
    cJSON *item = cJSON_CreateObject();
    char id[UUID_LEN + 1], hex[65];

    json_add_str(item, "chunk_id", uuid_text(c->id, id));
    json_add_str(item, "document_id", uuid_text(c->document, id));
    json_add_str(item, "title", c->title);
    json_add_strn(item, "text", c->text);
    json_add_num(item, "start", (double)c->start);
    json_add_num(item, "end", (double)c->end);
    if (c->source != NULL)
        json_add_str(item, "source", c->source);
    json_add_str(item, "content_sha256", hex_encode(c->sha256, 32, hex));
    json_add_bool(item, "supplied", supplied);
    cJSON_AddItemToArray(material, item);
}

static void again(struct action_flow *f, const char *why)
{
    struct work *w = f->work;

    log_warning("knowledge query failed", LOG_S("error", why));
    if (++w->tries < 20) {
        timer_start(&w->timer, 500);
        return;
    }
    json_push_str(w->missing, "the knowledge base did not answer");
    gathered(f, json_arr(f->arena));
}

static void use(struct action_flow *f, const struct chunk *chunks, int n, bool supplied)
{
    cJSON *material = json_arr(f->arena);

    for (int i = 0; i < n; i++)
        add_chunk(material, &chunks[i], supplied);
    gathered(f, material);
}

static void on_passages(struct op *op)
{
    struct action_flow *f = op->arg;
    struct work *w = f->work;
    struct chunk *chunks = NULL;
    int n = 0;

    if (op->err.code != 0 || chunks_read(w->op.result, w->stmt, w->reply, &chunks, &n) < 0)
        again(f, op->err.msg);
    else
        use(f, chunks, n, true);
}

static void on_searched(struct op *op)
{
    struct action_flow *f = op->arg;
    struct work *w = f->work;

    if (op->err.code != 0) {
        again(f, op->err.msg);
        return;
    }
    if (w->found.degraded)
        json_push_str(w->missing, "the vector half of the knowledge search");
    use(f, w->found.chunks, w->found.count, false);
}

static struct pg_batch *fresh_batch(struct action_flow *f)
{
    struct work *w = f->work;

    arena_reset(w->reply);
    return pg_batch_new(w->reply, PG_APP, &f->run->decision.tenant, NULL, true, PG_READ);
}

static void fetch_passages(struct action_flow *f)
{
    const struct decision *d = &f->run->decision;
    struct work *w = f->work;
    struct pg_batch *b;

    if (d->document_count == 0) {
        arena_reset(w->reply);
        w->search = (struct search){.query = d->query, .limit = PASSAGES_FOUND};
        knowledge_search_start(f->run->app->knowledge, w->reply, d->tenant, &w->search,
                               KNOWLEDGE_HYBRID, QUERY_MS, &w->found, on_searched, f);
        return;
    }
    b = fresh_batch(f);
    w->stmt = documents_add_chunks(b, w->reply, d->documents, d->document_count, PASSAGES_SUPPLIED);
    pg_submit(f->run->app->pg, b, QUERY_MS, &w->op, on_passages, f);
}

static bool waiting(const struct document *d)
{
    return strcmp(d->status, "queued") == 0 || strcmp(d->status, "reading") == 0;
}

static void on_states(struct op *op)
{
    struct action_flow *f = op->arg;
    struct work *w = f->work;
    bool late = clock_mono_us() - w->began_us > WAIT_MS * 1000;
    int open = 0, n;
    struct document d;
    struct err err;

    if (op->err.code != 0) {
        again(f, op->err.msg);
        return;
    }
    w->missing = json_arr(f->arena);
    n = pg_rows(w->op.result, w->stmt);
    for (int row = 0; row < n; row++) {
        if (documents_read(w->op.result, w->stmt, row, w->reply, NULL, &d, &err) < 0)
            continue;
        open += waiting(&d);
        if (strcmp(d.status, "ready") != 0)
            json_push_str(w->missing,
                          arena_printf(w->reply, "document \"%s\" (%s)", d.title, d.status));
    }
    if (n < f->run->decision.document_count)
        json_push_str(w->missing, arena_printf(w->reply, "%d documents that were deleted",
                                               f->run->decision.document_count - n));
    if (open > 0 && !late)
        timer_start(&w->timer, LOOK_MS);
    else
        fetch_passages(f);
}

static void look(struct action_flow *f)
{
    const struct decision *d = &f->run->decision;
    struct work *w = f->work;
    struct pg_batch *b;

    if (d->document_count == 0) {
        fetch_passages(f);
        return;
    }
    b = fresh_batch(f);
    w->stmt = documents_add_get(b, w->reply, d->documents, d->document_count, false);
    pg_submit(f->run->app->pg, b, QUERY_MS, &w->op, on_states, f);
}

static void on_timer(struct timer *t)
{
    look(CONTAINER_OF(t, struct work, timer)->flow);
}

static void start_gather(struct action_flow *f)
{
    struct work *w = arena_new_of(f->arena, struct work);

    f->work = w;
    w->flow = f;
    w->reply = arena_new();
    w->missing = json_arr(f->arena);
    w->began_us = clock_mono_us();
    timer_init(&w->timer, f->run->app->loop, on_timer);
    look(f);
}

static void stop_gather(struct action_flow *f)
{
    struct work *w = f->work;

    if (w == NULL)
        return;
    op_cancel(&w->op.op);
    op_cancel(&w->found.op);
    timer_done(&w->timer);
    arena_free(w->reply);
}

const struct performer perform_gather = {start_gather, stop_gather, NULL};
