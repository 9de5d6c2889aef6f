#include "libcommon/base/compat.h"
#include "services/api/skill_search.h"
#include "libcommon/base/clock.h"
#include "libcommon/model/documents.h"

struct looking {
    const char *tool;
    int stmt;
};

static cJSON *result_json(struct arena *a, const struct chunk *c)
{
    cJSON *o = json_obj(a);

    item_add_uuid(o, "chunk_id", c->id);
    item_add_uuid(o, "document_id", c->document);
    json_add_str(o, "title", c->title);
    json_add_strn(o, "text", c->text);
    json_add_num(o, "start", (double)c->start);
    json_add_num(o, "end", (double)c->end);
    json_add_num(o, "score", c->score);
    json_add_str(o, "source", c->source);
    item_add_time(o, "created_at", c->created_us);
    return o;
}

static void found(struct req *r)
{
    const struct looking *l = r->state;
    cJSON *o = json_obj(r->arena);
    cJSON *results = json_add_arr(o, "results");
    struct chunk *chunks = NULL;
    int n = 0;

    if (chunks_read(r->pg.result, l->stmt, r->arena, &chunks, &n) != 0)
        n = 0;
    for (int i = 0; i < n; i++)
        json_push_copy(results, result_json(r->arena, &chunks[i]));
    json_add_bool(o, "degraded", r->app->set->weaviate_url != NULL);
    reply_data_with(r, 200, json_print(r->arena, o),
                    arena_printf(r->arena, ",\"cached\":false,\"tool\":\"%s\"", l->tool), NULL);
}

static bool read_date(struct req *r, const cJSON *params, const char *key, int64_t *out)
{
    const char *text = json_str(params, key, NULL);

    if (text == NULL || clock_parse_iso(text, out) == 0)
        return true;
    reply_error(r, API_SKILL_INVALID_PARAMS, key, "bad_date", "%s must be an ISO 8601 date", key);
    return false;
}

static bool read_documents(struct req *r, const cJSON *params, struct search *s)
{
    const cJSON *list = json_get(params, "document_ids"), *item;
    struct uuid *ids = arena_array(r->arena, struct uuid, cJSON_GetArraySize(list) + 1);
    int n = 0;

    cJSON_ArrayForEach (item, list) {
        if (!cJSON_IsString(item) || uuid_parse(str_of(item->valuestring), &ids[n++]) != 0) {
            reply_error(r, API_DATA_NOT_FOUND, "document_ids", "unknown",
                        "There is no such document");
            return false;
        }
    }
    s->documents = ids;
    s->document_count = n;
    return true;
}

void skill_search(struct req *r, const char *tool, const cJSON *params)
{
    struct looking *l = arena_new_of(r->arena, struct looking);
    struct search s = {.query = json_str(params, "query", ""),
                       .type = json_str(params, "type", NULL),
                       .limit = (int)json_i64(params, "limit", 10)};
    struct pg_batch *b;

    if (!read_date(r, params, "from", &s.from_us) || !read_date(r, params, "to", &s.to_us) ||
        !read_documents(r, params, &s))
        return;
    l->tool = tool;
    r->state = l;
    b = req_batch(r, PG_READ);
    l->stmt = documents_add_search(b, r->arena, &s);
    req_pg(r, b, found);
}
