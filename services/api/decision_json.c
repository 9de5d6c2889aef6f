#include "libcommon/base/compat.h"
#include "services/api/decision_json.h"
#include "libcommon/base/clock.h"

bool decision_ended(const char *status)
{
    return strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 ||
           strcmp(status, "cancelled") == 0;
}

static cJSON *parsed(struct arena *a, struct str raw)
{
    cJSON *tree = NULL;
    struct err err;

    if (raw.n == 0 || json_parse(a, raw, JSON_DEPTH_MAX, &tree, &err) != 0)
        return NULL;
    return tree;
}

static void add_raw_or_null(cJSON *obj, const char *key, struct str raw)
{
    if (raw.n > 0)
        item_add_raw(obj, key, raw);
    else
        json_add_null(obj, key);
}

static void copy_texts(cJSON *to, const cJSON *from, const char *key)
{
    for (const cJSON *it = from == NULL ? NULL : from->child; it != NULL; it = it->next) {
        const char *z =
            key == NULL ? (cJSON_IsString(it) ? it->valuestring : NULL) : json_str(it, key, NULL);
        if (z != NULL)
            json_push_str(to, z);
    }
}

/* The short form of the result: what most clients show. */
static void add_recommendation(cJSON *obj, const cJSON *result)
{
    const cJSON *final = json_get(result, "final_recommendation");
    cJSON *r;

    if (!cJSON_IsObject(final)) {
        json_add_null(obj, "recommendation");
        return;
    }
    r = json_add_obj(obj, "recommendation");
    json_add_str(r, "option", json_str(final, "choice", NULL));
    json_add_num(r, "confidence", json_num(final, "confidence", 0));
    json_add_str(r, "reasoning", json_str(final, "reasoning", NULL));
    copy_texts(json_add_arr(r, "risks"), json_at(result, "/risk_assessment/risk_factors"), "name");
    copy_texts(json_add_arr(r, "benefits"), json_at(result, "/recommendations/0/pros"), NULL);
}

/* Before an agent has said more. */
static void add_agent(cJSON *obj, const struct decision *d)
{
    cJSON *agent;

    if (d->agent.n > 0) {
        item_add_raw(obj, "agent", d->agent);
        return;
    }
    agent = json_add_obj(obj, "agent");
    json_add_null(agent, "mode");
    json_add_str(agent, "requested_mode", d->agent_mode);
    json_add_num(agent, "steps", 0);
}

/* PostgreSQL wrote the time in its own way. */
static void add_feedback(cJSON *obj, struct arena *a, struct str raw)
{
    cJSON *f = parsed(a, raw);
    int64_t us;

    if (!cJSON_IsObject(f)) {
        json_add_null(obj, "feedback");
        return;
    }
    if (clock_parse_iso(json_str(f, "updated_at", ""), &us) == 0) {
        cJSON_DeleteItemFromObjectCaseSensitive(f, "updated_at");
        item_add_time(f, "updated_at", us);
    }
    json_add_copy(obj, "feedback", f);
}

cJSON *decision_json(struct arena *a, const struct decision *d, bool with_result)
{
    cJSON *o = json_obj(a);
    cJSON *skills;

    item_add_uuid(o, "decision_id", d->id);
    item_add_uuid(o, "analysis_id", d->id);
    json_add_str(o, "query", d->query);
    json_add_str(o, "decision_type", d->type);
    json_add_str(o, "status", d->status);
    item_add_uuid(o, "session_id", d->session);
    add_recommendation(o, parsed(a, d->result));
    if (with_result)
        add_raw_or_null(o, "result", d->result);
    skills = json_add_arr(o, "skills_used");
    for (int i = 0; i < d->skill_count; i++)
        json_push_str(skills, d->skills[i]);
    add_agent(o, d);
    add_raw_or_null(o, "usage", d->usage);
    json_add_bool(o, "degraded", d->degraded);
    json_add_str(o, "lang", d->lang);
    add_raw_or_null(o, "error", d->error);
    add_feedback(o, a, d->feedback);
    item_add_time(o, "created_at", d->created_us);
    item_add_time(o, "completed_at", d->completed_us);
    return o;
}

const char *decision_metadata(struct arena *a, const struct decision *d)
{
    const cJSON *agent = parsed(a, d->agent), *usage = parsed(a, d->usage);
    const char *model = json_str(agent, "model", NULL);
    struct buf b;
    const char *out;

    if (model == NULL)
        return NULL;
    buf_init(&b, 4096);
    buf_puts(&b, ",\"model\":");
    json_quote(&b, str_of(model));
    buf_printf(&b, ",\"tokens_used\":%" PRId64,
               json_i64(usage, "tokens_in", 0) + json_i64(usage, "tokens_out", 0));
    if (json_str(agent, "prompt_version", NULL) != NULL) {
        buf_puts(&b, ",\"prompt_version\":");
        json_quote(&b, str_of(json_str(agent, "prompt_version", "")));
    }
    out = arena_strndup(a, b.p, b.n);
    buf_done(&b);
    return out;
}

struct str details_with_decision(struct arena *a, struct str details, struct uuid id)
{
    cJSON *given = parsed(a, details);
    cJSON *o = json_obj(a);

    if (cJSON_IsObject(given))
        for (const cJSON *it = given->child; it != NULL; it = it->next)
            if (strcmp(it->string, "decision_id") != 0)
                json_add_copy(o, it->string, it);
    item_add_uuid(o, "decision_id", id);
    return json_print(a, o);
}

static enum api_code code_of(const char *name)
{
    for (int i = 0; i < API__MAX; i++)
        if (name != NULL && strcmp(api_codes[i].name, name) == 0)
            return (enum api_code)i;
    return API_DECISION_EXECUTION_FAILED;
}

static void reply_failed(struct req *r, const struct decision *d, const char *headers)
{
    const cJSON *e = parsed(r->arena, d->error);
    const cJSON *details = json_get(e, "details");
    enum api_code code = code_of(json_str(e, "code", NULL));
    struct str raw =
        cJSON_IsObject(details) ? json_print(r->arena, details) : (struct str){NULL, 0};

    if (api_codes[code].status == 503)
        headers = arena_printf(r->arena, "%sRetry-After: 30\r\n", headers == NULL ? "" : headers);
    reply_error_with(r, code, json_str(e, "message", "The analysis failed"),
                     details_with_decision(r->arena, raw, d->id), headers);
}

static bool wants_analysis(struct arena *a, const struct decision *d)
{
    return json_bool(parsed(a, d->params), "include_analysis", true);
}

void reply_decision(struct req *r, const struct decision *d, int status, const char *headers)
{
    if (strcmp(d->status, "failed") == 0) {
        reply_failed(r, d, headers);
        return;
    }
    reply_data_with(r, status,
                    json_print(r->arena, decision_json(r->arena, d, wants_analysis(r->arena, d))),
                    decision_metadata(r->arena, d), headers);
}

void reply_accepted(struct req *r, const struct decision *d, const char *headers)
{
    char id[UUID_LEN + 1];

    reply_data_with(
        r, 202, json_print(r->arena, decision_json(r->arena, d, wants_analysis(r->arena, d))), NULL,
        arena_printf(r->arena, "%sLocation: /api/v1/decisions/%s\r\n",
                     headers == NULL ? "" : headers, uuid_text(d->id, id)));
}
