/* task_ingest.c: ceoagent.ingest {document_id}. The parent claims the document's row and opens its
 * content; a child cuts it into parts, since that may take longer than a turn of the loop; the
 * parent stores them in one transaction, fenced by the row's epoch. What is no text ends as
 * `failed` with the reason, which is a success of the job. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/live.h"
#include "services/worker/child.h"
#include "services/worker/extract.h"
#include "services/worker/indexer.h"
#include "services/worker/job.h"

#define STORE_MS 60000
#define LEASE_MS 120000 /* more than the hard limit and the store together */

struct ingest {
    struct pg_op op;
    struct document doc;
    const char *status;
};

/* --- in the child --------------------------------------------------------------------------- */

static void put_parts(struct buf *b, const struct chunk_part *parts, size_t n)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s[%zu,%zu,", i > 0 ? "," : "", parts[i].start, parts[i].end);
        if (parts[i].heading != NULL)
            json_quote(b, str_of(parts[i].heading));
        else
            buf_puts(b, "null");
        buf_putc(b, ']');
    }
    buf_puts(b, "]\n");
}

int child_chunks(struct arena *a, struct str input, struct str *out, struct child_fault *fault)
{
    struct str type = str_split(&input, '\n');
    struct chunk_part *parts;
    struct err err = {0};
    struct extract x;
    size_t n;
    struct buf b;

    fault->code = "DATA_INVALID_FORMAT";
    if (extract(a, type, input, &x, &err) != 0 ||
        chunk_split(a, x.text, x.kind, &parts, &n, &err) != 0) {
        fault->message = arena_strdup(a, err.msg);
        return err.code;
    }
    if (n == 0 && !x.original) {
        fault->message = "there is no text in the document";
        return ERR_INVALID;
    }
    buf_init(&b, CHILD_FRAME_MAX);
    put_parts(&b, parts, n);
    if (!x.original)
        buf_str(&b, x.text);
    *out = arena_str(a, buf_view(&b));
    n = b.overflow;
    buf_done(&b);
    return n ? ERR_TOOBIG : 0;
}

/* --- in the parent -------------------------------------------------------------------------- */

static void tell(struct job *j, const char *status)
{
    struct ingest *g = j->work;
    struct str argv[3] = {STR("PUBLISH"), document_channel(j->arena, g->doc.tenant, g->doc.id)};

    metric_add(M_DOCUMENTS, 1, status, NULL, NULL);
    argv[2] = str_of(arena_printf(j->arena, "{\"k\":\"end\",\"status\":\"%s\"}", status));
    redis_send(j->w->redis, 1, 3, argv);
}

static void on_stored(struct op *op)
{
    struct job *j = op->arg;
    struct ingest *g = j->work;

    if (op->err.code != 0) {
        log_warning("a document was not stored", LOG_S("error", op->err.msg));
        job_fail(j, "DATA_SOURCE_UNAVAILABLE", op->err.msg, true);
        return;
    }
    if (pg_affected(g->op.result, 0) == 1) {
        tell(j, g->status);
        indexer_poke(j->w->indexer);
    }
    job_succeed(j, str_of(arena_printf(j->arena, "{\"status\": \"%s\"}", g->status)));
}

static void store_failed(struct job *j, const char *why)
{
    struct ingest *g = j->work;
    struct pg_batch *b = pg_batch_new(j->arena, PG_SERVICE, NULL, NULL, false, PG_IDEMPOTENT);

    g->status = "failed";
    documents_add_failed(b, j->arena, g->doc.id, g->doc.lease_epoch, why);
    pg_submit(j->w->pg, b, STORE_MS, &g->op, on_stored, j);
}

static int read_chunks(struct job *j, struct chunk **out)
{
    struct ingest *g = j->work;
    struct str text = buf_view(&j->call.answer), list = str_split(&text, '\n');
    struct chunk *chunks;
    cJSON *rows, *row;
    int n = 0;

    if (json_parse(j->arena, list, 4, &rows, NULL) != 0)
        return ERR_PROTOCOL;
    if (text.n == 0) /* offsets are in the original */
        text = g->doc.content;
    chunks = arena_array(j->arena, struct chunk, cJSON_GetArraySize(rows) + 1);
    cJSON_ArrayForEach (row, rows) {
        int64_t start = (int64_t)cJSON_GetNumberValue(cJSON_GetArrayItem(row, 0));
        int64_t end = (int64_t)cJSON_GetNumberValue(cJSON_GetArrayItem(row, 1));

        if (start < 0 || end < start || (size_t)end > text.n)
            return ERR_PROTOCOL;
        chunks[n] = (struct chunk){.id = uuid_v7(),
                                   .document = g->doc.id,
                                   .ordinal = n,
                                   .heading = cJSON_GetStringValue(cJSON_GetArrayItem(row, 2)),
                                   .text = {text.p + start, (size_t)(end - start)},
                                   .start = start,
                                   .end = end};
        n++;
    }
    *out = chunks;
    return n;
}

static void on_cut(struct pool_call *c)
{
    struct job *j = c->arg;
    struct ingest *g = j->work;
    struct chunk *chunks = NULL;
    struct pg_batch *b;
    cJSON *fault = NULL;
    int n;

    if (c->outcome == POOL_FAULT) {
        if (json_parse(j->arena, buf_view(&c->answer), 8, &fault, NULL) != 0)
            fault = NULL;
        store_failed(j, json_str(fault, "message", "the document could not be read"));
        return;
    }
    if (c->outcome != POOL_DONE) { /* the row's lease ends; the sweep sends it again */
        if (j->delivery->msg.redeliveries >= j->w->settings.max_redeliveries)
            store_failed(j, "the document could not be read: its reader died");
        else
            job_fail(j, "INTERNAL_ERROR", "the reader of the document died", true);
        return;
    }
    n = read_chunks(j, &chunks);
    if (n < 0) {
        job_fail(j, "INTERNAL_ERROR", "the reader's answer is not understood", false);
        return;
    }
    g->status = "ready";
    b = pg_batch_new(j->arena, PG_SERVICE, NULL, NULL, false, 0);
    documents_add_ready(b, j->arena, &g->doc, chunks, n);
    pg_submit(j->w->pg, b, STORE_MS, &g->op, on_stored, j);
}

static void on_claimed(struct op *op)
{
    struct job *j = op->arg;
    struct ingest *g = j->work;
    struct err err = {0};
    struct buf b;

    if (op->err.code != 0) {
        job_fail(j, "DATA_SOURCE_UNAVAILABLE", op->err.msg, true);
        return;
    }
    if (pg_rows(g->op.result, 0) == 0) { /* read already, or being read, or deleted */
        job_succeed(j, STR("{\"status\": \"unchanged\"}"));
        return;
    }
    if (documents_read(g->op.result, 0, 0, j->arena, j->w->ring, &g->doc, &err) != 0) {
        g->doc.id = pg_get_uuid(g->op.result, 0, 0, 0);
        job_fail(j, "INTERNAL_ERROR", err.msg, false);
        return;
    }
    buf_init(&b, CHILD_FRAME_MAX);
    buf_printf(&b, "%s\n", g->doc.content_type);
    buf_str(&b, g->doc.content);
    if (b.overflow)
        store_failed(j, "the document is too big");
    else
        job_call(j, "chunks", arena_str(j->arena, buf_view(&b)), on_cut);
    buf_done(&b);
}

void task_ingest_start(struct job *j)
{
    struct ingest *g = arena_new_of(j->arena, struct ingest);
    struct pg_batch *b;
    struct str raw;
    struct uuid id;

    if ((json_raw(j->body.kwargs, "/document_id", &raw) != 0 &&
         json_raw(j->body.args, "/0", &raw) != 0) ||
        raw.n != UUID_LEN + 2 || uuid_parse((struct str){raw.p + 1, UUID_LEN}, &id) != 0) {
        job_fail(j, "INVALID_REQUEST", "ceoagent.ingest needs a document_id", false);
        return;
    }
    j->work = g;
    b = pg_batch_new(j->arena, PG_SERVICE, NULL, NULL, false, 0);
    documents_add_claim(b, j->arena, id, LEASE_MS);
    pg_submit(j->w->pg, b, STORE_MS, &g->op, on_claimed, j);
}

void task_ingest_stop(struct job *j)
{
    op_cancel(&((struct ingest *)j->work)->op.op);
}
