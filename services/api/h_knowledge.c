#include "libcommon/base/compat.h"
#include "services/api/handlers.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/metrics.h"
#include "libcommon/knowledge/search.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/live.h"
#include "services/api/audit.h"
#include "services/api/hint.h"
#include "services/api/job_wait.h"
#include "services/api/multipart.h"

#define DOCX "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
#define CONTENT_TYPES "text/plain|text/markdown|text/csv|text/html|application/json|" DOCX
#define METADATA_MAX (16 * 1024)
#define WAIT_MAX_S 60

static cJSON *document_json(struct arena *a, const struct document *d)
{
    cJSON *o = json_obj(a), *progress;
    char hex[65];

    item_add_uuid(o, "id", d->id);
    json_add_str(o, "title", d->title);
    json_add_str(o, "content_type", d->content_type);
    json_add_str(o, "type", d->type);
    json_add_str(o, "source", d->source);
    item_add_raw(o, "metadata", d->metadata.n > 0 ? d->metadata : STR("{}"));
    json_add_str(o, "status", d->status);
    progress = json_add_obj(o, "progress");
    json_add_num(progress, "done", (double)d->progress_done);
    json_add_num(progress, "of", (double)d->progress_of);
    json_add_str(o, "error", d->error);
    json_add_num(o, "chunks", d->chunks);
    json_add_str(o, "sha256", hex_encode(d->sha256, 32, hex));
    json_add_num(o, "version", d->version);
    item_add_time(o, "created_at", d->created_us);
    return o;
}

static void not_found(struct req *r)
{
    reply_error(r, API_DATA_NOT_FOUND, NULL, NULL, "There is no such document");
}

/* --- create
 * --- */

struct upload {
    struct document d;
    int stmt;
};

static void answer_upload(struct req *r, struct uuid id, bool fresh, const char *status,
                          double chunks)
{
    cJSON *o = json_obj(r->arena);

    item_add_uuid(o, "id", id);
    json_add_str(o, "status", status);
    json_add_num(o, "chunks", chunks);
    reply_item(r, fresh ? 201 : 200, o);
}

static void old_loaded(struct req *r)
{
    struct document d;
    struct err err;

    if (pg_rows(r->pg.result, 0) == 0)
        not_found(r);
    else if (documents_read(r->pg.result, 0, 0, r->arena, NULL, &d, &err) != 0)
        reply_err(r, &err);
    else
        answer_upload(r, d.id, false, d.status, d.chunks);
}

static void stored(struct req *r)
{
    const struct upload *u = r->state;
    struct uuid id = pg_get_uuid(r->pg.result, u->stmt, 0, 0);
    bool fresh = pg_get_bool(r->pg.result, u->stmt, 0, 1);
    struct pg_batch *b;

    if (fresh) {
        metric_add(M_DOCUMENTS, 1, "queued", NULL, NULL);
        hint_document(r->app, r->who->tenant, id, r->traceparent);
        answer_upload(r, id, true, "queued", 0);
        return;
    }
    b = req_batch(r, PG_READ);
    documents_add_get(b, r->arena, &id, 1, false);
    req_pg(r, b, old_loaded);
}

static int read_upload(const cJSON *body, struct document *d, struct fault *f)
{
    const cJSON *metadata = NULL;
    const char *content = NULL;

    d->content_type = "text/plain";
    if (field_required(body, "", "title", f) != 0 ||
        field_text(body, "", "title", 1, 500, API_VALIDATION_ERROR, &d->title, f) != 0 ||
        field_required(body, "", "content", f) != 0 ||
        field_string(body, "", "content", &content, f) != 0 ||
        field_enum(body, "", "content_type", CONTENT_TYPES, API_DATA_INVALID_FORMAT,
                   &d->content_type, f) != 0 ||
        field_text(body, "", "type", 1, 100, API_VALIDATION_ERROR, &d->type, f) != 0 ||
        field_text(body, "", "source", 1, 500, API_VALIDATION_ERROR, &d->source, f) != 0 ||
        field_object(body, "", "metadata", &metadata, f) != 0)
        return -1;
    if (strcmp(d->content_type, DOCX) == 0 && d->content.p == NULL)
        return fault_set(f, API_DATA_INVALID_FORMAT, "", "content_type", "not_text",
                         "a Word document is uploaded as multipart/form-data");
    if (d->content.p == NULL)
        d->content = str_of(content);
    if (text_trim(d->content).n == 0)
        return fault_set(f, API_VALIDATION_ERROR, "", "content", "empty",
                         "content must not be empty");
    if (d->metadata.n > METADATA_MAX)
        return fault_set(f, API_VALIDATION_ERROR, "", "metadata", "too_large",
                         "metadata is larger than 16 KiB");
    return 0;
}

/* What the kind of a file is: its part's type where that says something, else its name. */
static const char *type_of_file(struct arena *a, const struct form_part *p)
{
    static const struct {
        const char *suffix, *type;
    } rows[] = {{".md", "text/markdown"}, {".csv", "text/csv"},  {".txt", "text/plain"},
                {".html", "text/html"},   {".htm", "text/html"}, {".json", "application/json"},
                {".docx", DOCX}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str s = str_of(rows[i].suffix);
        if (p->filename.n > s.n &&
            str_ieq((struct str){p->filename.p + p->filename.n - s.n, s.n}, s))
            return rows[i].type;
    }
    return p->type.n == 0 ? "text/plain" : arena_strndup(a, p->type.p, p->type.n);
}

static int add_part(struct arena *a, cJSON *body, const struct form_part *p, struct document *d,
                    struct fault *f)
{
    bool file = str_eq(p->name, STR("file")) || str_eq(p->name, STR("content"));
    const char *name = arena_strndup(a, p->name.p, MIN(p->name.n, 100));
    cJSON *metadata = NULL;

    if (file && utf8_valid(p->filename) && strcmp(type_of_file(a, p), DOCX) == 0) {
        d->content = p->body; /* binary: it goes past the JSON body */
        json_add_str(body, "content", "");
        json_add_str(body, "content_type", DOCX);
        if (p->filename.n > 0)
            json_add_strn(body, "filename", p->filename);
        return 0;
    }
    if (!utf8_valid(p->body) || memchr(p->body.p, 0, p->body.n) != NULL || !utf8_valid(p->filename))
        return fault_set(f, API_DATA_INVALID_FORMAT, "", name, "not_text",
                         "the part must be text in UTF-8");
    if (strcmp(name, "metadata") == 0) {
        if (json_parse(a, p->body, 32, &metadata, NULL) != 0)
            return fault_set(f, API_INVALID_REQUEST, "", "metadata", "invalid_json",
                             "metadata must be a JSON object");
        d->metadata = p->body;
        json_add_copy(body, "metadata", metadata);
    } else if (file) {
        json_add_strn(body, "content", p->body);
        json_add_str(body, "content_type", type_of_file(a, p));
        if (p->filename.n > 0)
            json_add_strn(body, "filename", p->filename);
    } else if (json_get(body, name) == NULL && word_in(name, "title|type|source")) {
        json_add_strn(body, name, p->body);
    }
    return 0;
}

/* The form as the JSON body would be. */
static int form_body(struct req *r, struct document *d, cJSON **out, struct fault *f)
{
    cJSON *body = json_obj(r->arena);
    struct form_part *parts;
    struct err err;
    int n;

    if (multipart_read(r->arena, http_req_header(r->http, "content-type"), r->http->body, &parts,
                       &n, &err) != 0)
        return fault_set(f, API_INVALID_REQUEST, "", "", "malformed_form", "%s", err.msg);
    for (int i = 0; i < n; i++) {
        bool again = json_get(body, "content") != NULL &&
                     (str_eq(parts[i].name, STR("file")) || str_eq(parts[i].name, STR("content")));
        if (again)
            return fault_set(f, API_INVALID_REQUEST, "", "file", "duplicate", "one file at a time");
        if (add_part(r->arena, body, &parts[i], d, f) != 0)
            return -1;
    }
    if (json_get(body, "title") == NULL)
        json_add_str(body, "title", json_str(body, "filename", NULL));
    *out = body;
    return 0;
}

static int read_body(struct req *r, struct document *d, struct fault *f)
{
    cJSON *body = r->body;

    d->metadata = STR("{}");
    if (body == NULL && form_body(r, d, &body, f) != 0)
        return -1;
    if (r->body != NULL && cJSON_IsObject(json_get(body, "metadata")) &&
        json_raw(r->http->body, "/metadata", &d->metadata) != 0)
        d->metadata = STR("{}");
    return read_upload(body, d, f);
}

void h_document_create(struct req *r)
{
    struct upload *u = arena_new_of(r->arena, struct upload);
    struct fault f;
    struct pg_batch *b;

    if (read_body(r, &u->d, &f) != 0) {
        reply_fault(r, &f);
        return;
    }
    u->d.id = uuid_v7();
    u->d.tenant = r->who->tenant;
    u->d.user = r->who->user;
    u->d.bytes = (int64_t)u->d.content.n;
    u->d.version = 1;
    sha256(u->d.content.p, u->d.content.n, u->d.sha256);
    b = req_batch(r, PG_IDEMPOTENT);
    r->state = u;
    u->stmt = documents_add_insert(b, r->arena, r->app->ring, &u->d);
    audit_with(r, b, "document.create", "document", &u->d.id);
    req_pg(r, b, stored);
}

/* --- read
 * --- */

struct reading {
    struct job_wait wait;
    struct uuid id;
};

static void ask(struct req *r, struct pg_batch *b)
{
    struct reading *x = r->state;

    documents_add_get(b, r->arena, &x->id, 1, false);
}

static bool settle(struct req *r, bool last)
{
    struct document d;
    struct err err;

    if (pg_rows(r->pg.result, 0) == 0) {
        not_found(r);
        return true;
    }
    if (documents_read(r->pg.result, 0, 0, r->arena, NULL, &d, &err) != 0) {
        reply_err(r, &err);
        return true;
    }
    if (!last && strcmp(d.status, "ready") != 0 && strcmp(d.status, "failed") != 0)
        return false;
    reply_item(r, 200, document_json(r->arena, &d));
    return true;
}

static void loaded(struct req *r)
{
    settle(r, true);
}

static bool read_wait(struct req *r, int64_t *out)
{
    bool bad = false;
    const char *z = req_param(r, "wait", &bad);

    if (bad)
        return false;
    if (z != NULL && (str_i64(str_of(z), out) != 0 || *out < 0 || *out > WAIT_MAX_S)) {
        reply_error(r, API_VALIDATION_ERROR, "wait", "out_of_range",
                    "wait must be between 0 and %d seconds", WAIT_MAX_S);
        return false;
    }
    return true;
}

void h_document_get(struct req *r)
{
    struct reading *x = arena_new_of(r->arena, struct reading);
    int64_t wait_s = 0;
    struct pg_batch *b;

    r->state = x;
    if (!read_wait(r, &wait_s))
        return;
    if (!req_uuid(r, 0, &x->id)) {
        not_found(r);
    } else if (wait_s > 0) {
        x->wait.ask = ask;
        x->wait.settle = settle;
        job_wait_start(&x->wait, r, document_channel(r->arena, r->who->tenant, x->id),
                       wait_s * 1000);
    } else {
        b = req_batch(r, PG_READ);
        ask(r, b);
        req_pg(r, b, loaded);
    }
}

/* --- delete
 * --- */

static void deleted(struct req *r)
{
    if (pg_affected(r->pg.result, 0) == 0) {
        not_found(r);
        return;
    }
    reply_empty(r, 204);
}

void h_document_delete(struct req *r)
{
    struct uuid id;
    struct pg_batch *b;

    if (!req_uuid(r, 0, &id)) {
        not_found(r);
        return;
    }
    b = req_batch(r, 0);
    documents_add_delete(b, r->arena, id);
    audit_with(r, b, "document.delete", "document", &id);
    req_pg(r, b, deleted);
}

/* --- search
 * --- */

#define SNIPPET_CHARS 300

struct query {
    struct search search;
    struct knowledge_search found;
};

static void on_found(struct op *op)
{
    struct req *r = op->arg;
    const struct knowledge_search *f = &((struct query *)r->state)->found;
    cJSON *o = json_obj(r->arena);
    cJSON *list = json_add_arr(o, "results");

    if (op->err.code != 0) {
        reply_err(r, &op->err);
        return;
    }
    for (int i = 0; i < f->count; i++) {
        const struct chunk *c = &f->chunks[i];
        cJSON *x = json_obj(r->arena);

        item_add_uuid(x, "id", c->document);
        item_add_uuid(x, "chunk_id", c->id);
        json_add_str(x, "title", c->title);
        json_add_strn(x, "snippet", utf8_cut(c->text, SNIPPET_CHARS));
        json_add_num(x, "score", c->score);
        json_add_str(x, "source", c->source);
        item_add_time(x, "created_at", c->created_us);
        json_push_copy(list, x);
    }
    json_add_bool(o, "degraded", f->degraded);
    json_add_str(o, "backend", f->backend);
    reply_item(r, 200, o);
}

static void end_query(struct req *r)
{
    op_cancel(&((struct query *)r->state)->found.op);
}

static bool read_search(struct req *r, struct search *s)
{
    bool bad = false;
    const char *limit, *from, *to;

    s->query = req_param(r, "q", &bad);
    limit = bad ? NULL : req_param(r, "limit", &bad);
    from = bad ? NULL : req_param(r, "from", &bad);
    to = bad ? NULL : req_param(r, "to", &bad);
    s->type = bad ? NULL : req_param(r, "type", &bad);
    s->source = bad ? NULL : req_param(r, "source", &bad);
    if (bad)
        return false;
    int64_t n = 10;
    if (s->query == NULL || text_trim(str_of(s->query)).n == 0)
        reply_error(r, API_INVALID_REQUEST, "q", "missing_required_field", "q is required");
    else if (utf8_chars(str_of(s->query)) > 1000)
        reply_error(r, API_VALIDATION_ERROR, "q", "too_long",
                    "q must have at most 1000 characters");
    else if (limit != NULL && (str_i64(str_of(limit), &n) != 0 || n < 1 || n > 100))
        reply_error(r, API_VALIDATION_ERROR, "limit", "out_of_range",
                    "limit must be between 1 and 100");
    else if (from != NULL && clock_parse_iso(from, &s->from_us) != 0)
        reply_error(r, API_VALIDATION_ERROR, "from", "malformed", "from must be an ISO 8601 time");
    else if (to != NULL && clock_parse_iso(to, &s->to_us) != 0)
        reply_error(r, API_VALIDATION_ERROR, "to", "malformed", "to must be an ISO 8601 time");
    else {
        s->limit = (int)n;
        return true;
    }
    return false;
}

void h_knowledge_search(struct req *r)
{
    struct query *q = arena_new_of(r->arena, struct query);

    if (!read_search(r, &q->search))
        return;
    r->state = q;
    r->on_end = end_query;
    knowledge_search_start(r->app->knowledge, r->arena, r->who->tenant, &q->search,
                           KNOWLEDGE_HYBRID, REQ_PG_MS, &q->found, on_found, r);
}
