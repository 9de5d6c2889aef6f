/* Skills are run by the worker, never here: the gateway stores the job, tells the worker and waits.
 * Results of skills without side effects are kept for five minutes. */
#include "libcommon/base/compat.h"
#include "services/api/handlers.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/schema.h"
#include "libcommon/model/jobs.h"
#include "libcommon/model/live.h"
#include "libcommon/sec/crypt.h"
#include "libcommon/skills/registry.h"
#include "services/api/audit.h"
#include "services/api/hint.h"
#include "services/api/job_wait.h"
#include "services/api/skill_search.h"

#define SKILL_TASK "ceoagent.skill"
#define WAIT_MS 30000
#define CACHE_MS 200
#define CACHE_S "300"
#define CATEGORIES "data|decision|knowledge|integration|system"

void h_skill_list(struct req *r)
{
    cJSON *list = json_arr(r->arena);
    bool bad = false;
    const char *category = req_param(r, "category", &bad);

    if (bad)
        return;
    if (category != NULL && !word_in(category, CATEGORIES)) {
        reply_error(r, API_VALIDATION_ERROR, "category", "not_allowed",
                    "category must be one of %s", CATEGORIES);
        return;
    }
    for (int i = 0; i < skill_count(); i++) {
        const struct skill *s = skill_at(i);
        if (category == NULL || strcmp(s->category, category) == 0)
            json_push_copy(list, skill_json(s, r->arena));
    }
    reply_item(r, 200, list);
}

static const struct skill *named_skill(struct req *r)
{
    const struct skill *s = skill_find(r->params[0]);

    if (s == NULL)
        reply_error(r, API_SKILL_NOT_FOUND, NULL, "unknown", "There is no such skill");
    return s;
}

void h_skill_get(struct req *r)
{
    const struct skill *s = named_skill(r);

    if (s != NULL)
        reply_item(r, 200, skill_json(s, r->arena));
}

/* --- execution
 * --- */

struct execution {
    struct job_wait wait;
    const struct skill *skill;
    const char *tool; /* behind an alias */
    const cJSON *params;
    struct uuid job;
    int stmt;             /* of the insert */
    struct str cache_key; /* {NULL,0}: not cached */
};

static void answer(struct req *r, struct str output, bool cached)
{
    struct execution *x = r->state;

    reply_data_with(r, 200, output,
                    arena_printf(r->arena, ",\"cached\":%s,\"tool\":\"%s\"",
                                 cached ? "true" : "false", x->tool),
                    NULL);
}

static enum api_code code_of(const char *name)
{
    for (int i = 0; i < API__MAX; i++)
        if (name != NULL && strcmp(api_codes[i].name, name) == 0)
            return (enum api_code)i;
    return API_SKILL_EXECUTION_FAILED;
}

/* The field as a path of the API: without the slash that a JSON Pointer begins with. */
static void reply_skill_error(struct req *r, const char *code, const char *message,
                              const cJSON *given)
{
    cJSON *d = json_obj(r->arena);
    const cJSON *it;

    cJSON_ArrayForEach (it, given) {
        if (strcmp(it->string, "field") == 0 && cJSON_IsString(it))
            json_add_str(d, "field", it->valuestring + (it->valuestring[0] == '/'));
        else
            json_add_copy(d, it->string, it);
    }
    if (given != NULL && json_get(d, "message") == NULL)
        json_add_str(d, "message", message);
    reply_error_with(r, code_of(code), message,
                     d->child == NULL ? (struct str){NULL, 0} : json_print(r->arena, d), NULL);
}

static void answer_error(struct req *r, const struct job_row *j)
{
    cJSON *e = NULL;

    if (j->error.n > 0 && json_parse(r->arena, j->error, JSON_DEPTH_MAX, &e, NULL) != 0)
        e = NULL;
    reply_skill_error(r, json_str(e, "code", NULL),
                      json_str(e, "message", "The skill reported an error"),
                      json_get(e, "details"));
}

static void keep(struct req *r, struct str output)
{
    struct execution *x = r->state;
    struct str argv[5] = {STR("SET"), x->cache_key, output, STR("EX"), STR(CACHE_S)};

    if (x->cache_key.p != NULL && output.n < 256 * 1024)
        redis_send(r->app->redis, 1, 5, argv);
}

static void ask(struct req *r, struct pg_batch *b)
{
    struct execution *x = r->state;

    jobs_add_get(b, r->arena, &x->job, 1);
}

static void answer_timeout(struct req *r)
{
    struct execution *x = r->state;
    char id[UUID_LEN + 1];

    reply_error_with(r, API_TIMEOUT, "The skill did not end in time",
                     str_of(arena_printf(r->arena, "{\"job_id\":\"%s\"}", uuid_text(x->job, id))),
                     NULL);
}

static bool settle(struct req *r, bool last)
{
    struct job_row j;
    struct err err;

    if (pg_rows(r->pg.result, 0) == 0) {
        reply_error(r, API_SKILL_EXECUTION_FAILED, NULL, "gone", "The job is gone");
        return true;
    }
    if (jobs_read(r->pg.result, 0, 0, r->arena, r->app->ring, &j, &err) != 0) {
        reply_err(r, &err);
        return true;
    }
    if (strcmp(j.status, "success") == 0) {
        keep(r, j.result);
        answer(r, j.result, false);
    } else if (strcmp(j.status, "failure") == 0 || strcmp(j.status, "revoked") == 0) {
        answer_error(r, &j);
    } else if (last) {
        answer_timeout(r);
    } else {
        return false;
    }
    return true;
}

static void stored(struct req *r)
{
    struct execution *x = r->state;

    x->job = pg_get_uuid(r->pg.result, x->stmt, 0, 0);
    hint_job(r->app, r->who->tenant, x->job, SKILL_TASK, r->traceparent);
    x->wait.ask = ask;
    x->wait.settle = settle;
    job_wait_start(&x->wait, r, job_channel(r->arena, r->who->tenant, x->job), WAIT_MS);
}

static void store_job(struct req *r)
{
    struct execution *x = r->state;
    struct pg_batch *b = req_batch(r, PG_SHARE);
    struct str params = STR("{}");
    struct job_row j = {.id = uuid_v7(),
                        .tenant = r->who->tenant,
                        .task = SKILL_TASK,
                        .queue = QUEUE_WORKER,
                        .traceparent = r->traceparent};
    struct buf args;

    if (json_raw(r->http->body, "/params", &params) != 0 || params.p[0] != '{')
        params = STR("{}");
    buf_init(&args, r->http->body.n + 200);
    buf_printf(&args, "{\"name\":\"%s\",\"params\":%.*s}", x->tool, STR_ARG(params));
    j.args = arena_str(r->arena, buf_view(&args));
    buf_done(&args);
    x->stmt = jobs_add_insert(b, r->arena, r->app->ring, &j);
    audit_with(r, b, "skill.execute", "job", &j.id);
    r->failed = NULL;
    req_pg(r, b, stored);
}

static void on_cached(struct op *op)
{
    struct req *r = op->arg;
    struct redis_reply *reply = r->redis.reply;

    if (op->err.code == 0 && reply != NULL && reply->type == REDIS_STRING &&
        json_scan(reply->s, JSON_DEPTH_MAX, NULL) == 0)
        answer(r, reply->s, true);
    else
        store_job(r);
}

static struct str cache_key(struct req *r, const struct execution *x)
{
    struct str canon = json_canon(r->arena, x->params);
    char tenant[UUID_LEN + 1], hex[65];
    uint8_t digest[32];

    sha256(canon.p, canon.n, digest);
    return str_of(arena_printf(r->arena, "t:%s:skill:%s:%.32s", uuid_text(r->who->tenant, tenant),
                               x->tool, hex_encode(digest, 32, hex)));
}

static void look_in_cache(struct req *r)
{
    struct execution *x = r->state;
    const struct skill *tool = skill_find(x->tool);

    if (tool == NULL || tool->side_effects || tool->where == SKILL_STORE ||
        !redis_ready(r->app->redis)) {
        store_job(r);
        return;
    }
    x->cache_key = cache_key(r, x);
    struct str argv[2] = {STR("GET"), x->cache_key};
    redis_command(r->app->redis, r->arena, 1, 2, argv, CACHE_MS, &r->redis, on_cached, r);
}

static bool check_params(struct req *r, struct execution *x)
{
    const cJSON *schema = skill_input_schema(skill_find(x->tool));
    struct schema_fault fault;
    cJSON *d;

    if (schema_validate(schema, schema, x->params, &fault, 1) == 0)
        return true;
    d = json_obj(r->arena);
    json_add_str(d, "field", fault.field[0] == '/' ? fault.field + 1 : fault.field);
    json_add_str(d, "reason", fault.reason);
    json_add_str(d, "message", fault.message);
    reply_error_with(r, API_SKILL_INVALID_PARAMS, "The parameters do not fit the skill's schema",
                     json_print(r->arena, d), NULL);
    return false;
}

static bool may_execute(struct req *r, const struct skill *s)
{
    unsigned perm = perm_parse(s->permission);

    if (perm_allows(r->who->perms, perm))
        return true;
    audit_refused(r, "access.denied");
    reply_error(r, API_AUTH_INSUFFICIENT_PERMISSIONS, NULL, perm_name(perm),
                "Insufficient permissions");
    return false;
}

void h_skill_execute(struct req *r)
{
    struct execution *x = arena_new_of(r->arena, struct execution);
    const cJSON *params = NULL;
    struct fault f;

    r->state = x;
    x->skill = named_skill(r);
    if (x->skill == NULL || !may_execute(r, x->skill))
        return;
    if (field_object(r->body, "", "params", &params, &f) != 0) {
        reply_fault(r, &f);
        return;
    }
    x->params = params != NULL ? params : json_obj(r->arena);
    x->tool = skill_resolve(x->skill->name, x->params);
    if (x->tool == NULL)
        x->tool = x->skill->name;
    if (!check_params(r, x))
        return;
    if (skill_find(x->tool)->where == SKILL_STORE)
        skill_search(r, x->tool, x->params);
    else
        look_in_cache(r);
}
