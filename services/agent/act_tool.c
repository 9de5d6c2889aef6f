/* act_tool.c: a tool call. Cheap tools run here and now; knowledge_retrieval asks the store; the
 * others are jobs on the worker with a row in PostgreSQL, waited for by a message and, since
 * messages may be lost, by a look each second. Every end, a fault too, is an `observe` event. */
#include "libcommon/base/compat.h"
#include "services/agent/actions.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/schema.h"
#include "libcommon/knowledge/search.h"
#include "libcommon/method/tool.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/jobs.h"
#include "libcommon/model/live.h"
#include "libcommon/queue/broker.h"
#include "libcommon/skills/registry.h"

#define QUERY_MS 15000
#define LOOK_MS 1000
#define JOB_TASK "ceoagent.skill"

struct work {
    struct action_flow *flow;
    const char *tool; /* behind an alias */
    struct pg_op op;
    struct search search;
    struct knowledge_search found;
    struct redis_op hint;
    struct redis_sub *sub;
    struct timer timer;
    struct arena *reply; /* of the query in flight */
    struct uuid job;
    int stmt;
    bool has_job, ended;
};

/* --- the outcome
 * ----------------------------------------------------------------------------------- */

static struct append *observed(struct action_flow *f, const char *key, const cJSON *value,
                               bool taint)
{
    struct work *w = f->work;
    struct append *ap = action_append(f, 1);
    struct event *e = &ap->events[0];
    cJSON *payload = json_obj(ap->arena);
    char id[UUID_LEN + 1];

    json_add_str(payload, "tool", w->tool);
    json_add_str(payload, "tool_use_id", f->action.tool.tool_use_id);
    json_add_copy(payload, "input", f->action.tool.input);
    json_add_copy(payload, key, value);
    json_add_str(payload, "nonce", action_nonce(ap->arena));
    if (w->has_job)
        json_add_str(payload, "job_id", uuid_text(w->job, id));
    e->type = "observe";
    e->name = arena_strdup(ap->arena, f->action.tool.name);
    e->actor = arena_printf(ap->arena, "tool:%s", w->tool);
    e->taint = e->taint || taint;
    e->payload = json_print(ap->arena, payload);
    return ap;
}

static void settle(struct action_flow *f, const char *key, const cJSON *value, bool taint)
{
    struct work *w = f->work;
    const char *status = strcmp(key, "output") == 0 ? "success" : "failure";

    if (w->ended)
        return;
    w->ended = true;
    timer_stop(&w->timer);
    metric_add(M_SKILLS, 1, w->tool, status, NULL);
    metric_observe(M_SKILL_DURATION, (double)(clock_wall_us() - f->started_us) / 1e6, w->tool, NULL,
                   NULL);
    span_set_str(&f->span, "skill.name", w->tool);
    span_set_bool(&f->span, "skill.success", strcmp(status, "success") == 0);
    if (strcmp(status, "success") != 0)
        span_fail(&f->span, "the tool reported an error");
    action_outcome(f, observed(f, key, value, taint));
}

static void refuse(struct action_flow *f, const char *code, const char *field, const char *reason,
                   const char *message)
{
    cJSON *error = json_obj(f->arena), *details;

    json_add_str(error, "code", code);
    json_add_str(error, "message", message);
    details = json_add_obj(error, "details");
    json_add_str(details, "field", field);
    json_add_str(details, "reason", reason);
    settle(f, "error", error, false);
}

/* --- in the loop
 * ------------------------------------------------------------------------------------ */

static void run_inline(struct action_flow *f)
{
    struct work *w = f->work;
    struct tool_fault fault = {0};
    cJSON *out;
    int rc = tool_run(w->tool, f->action.tool.input, f->arena, &out, &fault);

    if (rc == 0)
        settle(f, "output", out, false);
    else
        refuse(f, rc == ERR_INVALID ? "SKILL_INVALID_PARAMS" : "SKILL_EXECUTION_FAILED",
               fault.field, fault.reason, fault.message);
}

/* --- the knowledge base
 * ------------------------------------------------------------------------------ */

static cJSON *results_of(struct action_flow *f, const struct knowledge_search *found)
{
    const struct chunk *chunks = found->chunks;
    cJSON *out = json_obj(f->arena);
    cJSON *results = json_add_arr(out, "results");
    char id[UUID_LEN + 1], iso[CLOCK_ISO_LEN];

    for (int i = 0; i < found->count; i++) {
        cJSON *item = cJSON_CreateObject();

        json_add_str(item, "chunk_id", uuid_text(chunks[i].id, id));
        json_add_str(item, "document_id", uuid_text(chunks[i].document, id));
        json_add_str(item, "title", chunks[i].title);
        json_add_strn(item, "text", chunks[i].text);
        json_add_num(item, "start", (double)chunks[i].start);
        json_add_num(item, "end", (double)chunks[i].end);
        json_add_num(item, "score", chunks[i].score);
        json_add_str(item, "source", chunks[i].source);
        json_add_str(item, "created_at", clock_iso(chunks[i].created_us, iso));
        cJSON_AddItemToArray(results, item);
    }
    json_add_bool(out, "degraded", found->degraded);
    return out;
}

static void on_searched(struct op *op)
{
    struct action_flow *f = op->arg;
    struct work *w = f->work;

    if (op->err.code != 0)
        refuse(f, "DATA_SOURCE_UNAVAILABLE", "", "store", "the knowledge base did not answer");
    else
        settle(f, "output", results_of(f, &w->found), w->found.count > 0);
}

static int read_date(const cJSON *input, const char *key, int64_t *out)
{
    const char *text = json_str(input, key, NULL);

    *out = 0;
    return text == NULL ? 0 : clock_parse_iso(text, out);
}

/* Only the documents that the decision names, when it names some. */
static int choose_documents(struct action_flow *f, struct search *s)
{
    const struct decision *d = &f->run->decision;
    const cJSON *item, *wanted = json_get(f->action.tool.input, "document_ids");
    struct uuid *ids =
        arena_array(f->arena, struct uuid, cJSON_GetArraySize(wanted) + d->document_count + 1);

    s->documents = ids;
    cJSON_ArrayForEach (item, wanted)
        if (cJSON_IsString(item) &&
            uuid_parse(str_of(item->valuestring), &ids[s->document_count]) == 0)
            s->document_count++;
    if (cJSON_GetArraySize(wanted) > 0 && s->document_count == 0)
        return ERR_NOTFOUND;
    if (s->document_count > 0 || d->document_count == 0)
        return 0;
    memcpy(ids, d->documents, sizeof(*ids) * (size_t)d->document_count);
    s->document_count = d->document_count;
    return 0;
}

static void search(struct action_flow *f)
{
    const cJSON *input = f->action.tool.input;
    struct work *w = f->work;
    struct search s = {.query = json_str(input, "query", ""),
                       .type = json_str(input, "type", NULL),
                       .limit = (int)json_i64(input, "limit", 10)};
    struct schema_fault fault;

    if (schema_validate(tool_input_schema(w->tool), tool_schema_root(), input, &fault, 1) > 0) {
        refuse(f, "SKILL_INVALID_PARAMS", fault.field, "schema", fault.message);
        return;
    }
    if (read_date(input, "from", &s.from_us) < 0 || read_date(input, "to", &s.to_us) < 0) {
        refuse(f, "SKILL_INVALID_PARAMS", "/from", "bad_date", "from and to are ISO 8601 dates");
        return;
    }
    if (choose_documents(f, &s) < 0) {
        refuse(f, "SKILL_INVALID_PARAMS", "/document_ids", "schema", "no such document");
        return;
    }
    arena_reset(w->reply);
    w->search = s;
    knowledge_search_start(f->run->app->knowledge, w->reply, f->run->decision.tenant, &w->search,
                           KNOWLEDGE_HYBRID, QUERY_MS, &w->found, on_searched, f);
}

/* --- a job on the worker
 * ------------------------------------------------------------------------------ */

static void look(struct action_flow *f);

static void job_failed(struct action_flow *f, const struct job_row *j)
{
    cJSON *error = NULL;
    struct err err;

    if (j->error.p != NULL && json_parse(f->arena, j->error, JSON_DEPTH_MAX, &error, &err) == 0)
        settle(f, "error", error, false);
    else
        refuse(f, "SKILL_EXECUTION_FAILED", "", "job", "the job failed");
}

static void on_looked(struct op *op)
{
    struct action_flow *f = op->arg;
    struct work *w = f->work;
    struct job_row j;
    struct err err;
    cJSON *out;

    if (op->err.code == 0 && pg_rows(w->op.result, w->stmt) == 0) {
        refuse(f, "SKILL_EXECUTION_FAILED", "", "job", "the job is gone");
        return;
    }
    if (op->err.code != 0 ||
        jobs_read(w->op.result, w->stmt, 0, w->reply, f->run->app->ring, &j, &err) < 0) {
        timer_start(&w->timer, LOOK_MS);
        return;
    }
    if (strcmp(j.status, "success") == 0 &&
        json_parse(f->arena, j.result, JSON_DEPTH_MAX, &out, &err) == 0)
        settle(f, "output", out, false);
    else if (strcmp(j.status, "pending") == 0 || strcmp(j.status, "running") == 0)
        timer_start(&w->timer, LOOK_MS);
    else
        job_failed(f, &j);
}

static void look(struct action_flow *f)
{
    struct work *w = f->work;
    struct pg_batch *b;

    if (w->ended || op_running(&w->op.op))
        return;
    arena_reset(w->reply);
    b = pg_batch_new(w->reply, PG_APP, &f->run->decision.tenant, NULL, true, PG_READ);
    w->stmt = jobs_add_get(b, w->reply, &w->job, 1);
    pg_submit(f->run->app->pg, b, QUERY_MS, &w->op, on_looked, f);
}

static void on_timer(struct timer *t)
{
    look(CONTAINER_OF(t, struct work, timer)->flow);
}

static void on_message(void *arg, struct str channel UNUSED, struct str message UNUSED)
{
    look(arg);
}

static void on_gap(void *arg)
{
    look(arg);
}

static void on_hinted(struct op *op)
{
    if (op->err.code != 0) /* the sweep enqueues it from its row */
        log_debug("job not enqueued yet", LOG_S("error", op->err.msg));
}

static void enqueue(struct action_flow *f)
{
    const struct decision *d = &f->run->decision;
    struct work *w = f->work;
    char *job = arena_alloc(f->arena, UUID_LEN + 1),
         *decision = arena_alloc(f->arena, UUID_LEN + 1);
    char *tenant = arena_alloc(f->arena, UUID_LEN + 1);
    struct publish p = {
        .queue = QUEUE_WORKER,
        .task = JOB_TASK,
        .id = uuid_text(w->job, job),
        .kwargs_json = str_of(arena_printf(f->arena, "{\"job_id\":\"%s\"}", job)),
        .tenant = uuid_text(d->tenant, tenant),
        .decision = uuid_text(d->id, decision),
        .traceparent = action_traceparent(f),
    };

    broker_publish(f->run->app->broker, f->arena, &p, 5000, &w->hint, on_hinted, f);
}

static void on_inserted(struct op *op)
{
    struct action_flow *f = op->arg;
    struct work *w = f->work;

    if (op->err.code != 0) {
        refuse(f, "SKILL_EXECUTION_FAILED", "", "store", "the job could not be stored");
        return;
    }
    w->job = pg_get_uuid(w->op.result, w->stmt, 0, 0);
    w->has_job = true;
    w->sub =
        redis_subscribe(f->run->app->redis, job_channel(f->arena, f->run->decision.tenant, w->job),
                        false, on_message, on_gap, f);
    if (strcmp(pg_getz(w->op.result, w->stmt, 0, 1), "pending") == 0)
        enqueue(f);
    timer_start(&w->timer, LOOK_MS);
}

static void start_job(struct action_flow *f)
{
    const struct decision *d = &f->run->decision;
    struct work *w = f->work;
    cJSON *args = json_obj(f->arena);
    struct pg_batch *b =
        pg_batch_new(w->reply, PG_APP, &d->tenant, NULL, true, PG_SHARE | PG_IDEMPOTENT);
    struct job_row j = {
        .id = uuid_v7(),
        .tenant = d->tenant,
        .task = JOB_TASK,
        .queue = QUEUE_WORKER,
        .has_decision = true,
        .decision = d->id,
        .action_id = f->action.id,
        .traceparent = action_traceparent(f),
    };

    json_add_str(args, "name", w->tool);
    json_add_copy(args, "params", f->action.tool.input);
    j.args = json_print(f->arena, args);
    w->stmt = jobs_add_insert(b, w->reply, f->run->app->ring, &j);
    pg_submit(f->run->app->pg, b, QUERY_MS, &w->op, on_inserted, f);
}

/* --- the performer
 * -------------------------------------------------------------------------------------- */

static void start_tool(struct action_flow *f)
{
    struct work *w = arena_new_of(f->arena, struct work);
    const struct skill *skill = skill_find(f->action.tool.name);

    f->work = w;
    w->flow = f;
    w->reply = arena_new();
    timer_init(&w->timer, f->run->app->loop, on_timer);
    w->tool = skill_resolve(f->action.tool.name, f->action.tool.input);
    if (skill == NULL || w->tool == NULL) {
        w->tool = f->action.tool.name;
        refuse(f, "SKILL_NOT_FOUND", "", "unknown", "there is no such tool");
        return;
    }
    switch (skill_where_now(skill_find(w->tool), f->action.tool.input)) {
    case SKILL_INLINE:
        run_inline(f);
        break;
    case SKILL_STORE:
        search(f);
        break;
    case SKILL_JOB:
        start_job(f);
        break;
    }
}

static void stop_tool(struct action_flow *f)
{
    struct work *w = f->work;

    if (w == NULL)
        return;
    op_cancel(&w->op.op);
    op_cancel(&w->found.op);
    op_cancel(&w->hint.op);
    timer_done(&w->timer);
    redis_unsubscribe(w->sub);
    arena_free(w->reply);
}

const struct performer perform_tool = {start_tool, stop_tool, NULL};
