#include "libcommon/base/compat.h"
#include "services/api/hint.h"
#include "libcommon/base/log.h"
#include "libcommon/model/live.h"

#define HINT_MS 2000

struct hint {
    struct list link; /* app->hints */
    struct arena *arena;
    struct redis_op op;
};

static void on_published(struct op *op)
{
    struct hint *h = op->arg;

    if (op->err.code != 0)
        log_warning("a hint was not published; a sweep will find the row",
                    LOG_S("error", op->err.msg));
    list_remove(&h->link);
    arena_free(h->arena);
}

void hints_drop(struct app *app)
{
    LIST_FOREACH_SAFE (it, tmp, &app->hints) {
        struct hint *h = LIST_ENTRY(it, struct hint, link);
        op_cancel(&h->op.op);
        list_remove(&h->link);
        arena_free(h->arena);
    }
}

static void publish(struct app *app, const struct publish *p, struct arena *a)
{
    struct hint *h = arena_new_of(a, struct hint);

    h->arena = a;
    list_push(&app->hints, &h->link);
    broker_publish(app->broker, a, p, HINT_MS, &h->op, on_published, h);
}

static const char *text_of(struct arena *a, struct uuid u)
{
    char text[UUID_LEN + 1];

    return arena_strdup(a, uuid_text(u, text));
}

void hint_decision(struct app *app, struct uuid tenant, struct uuid decision,
                   const char *traceparent)
{
    struct arena *a = arena_new();
    const char *id = text_of(a, decision);
    struct publish p = {.queue = QUEUE_AGENT,
                        .task = "ceoagent.decision",
                        .id = id,
                        .kwargs_json = str_of(arena_printf(a, "{\"decision_id\":\"%s\"}", id)),
                        .ignore_result = true,
                        .tenant = text_of(a, tenant),
                        .decision = id,
                        .traceparent = arena_strdup(a, traceparent)};

    publish(app, &p, a);
}

void hint_job(struct app *app, struct uuid tenant, struct uuid job, const char *task,
              const char *traceparent)
{
    struct arena *a = arena_new();
    const char *id = text_of(a, job);
    struct publish p = {.queue = QUEUE_WORKER,
                        .task = task,
                        .id = id,
                        .kwargs_json = str_of(arena_printf(a, "{\"job_id\":\"%s\"}", id)),
                        .ignore_result = true,
                        .tenant = text_of(a, tenant),
                        .traceparent = arena_strdup(a, traceparent)};

    publish(app, &p, a);
}

void hint_document(struct app *app, struct uuid tenant, struct uuid document,
                   const char *traceparent)
{
    struct arena *a = arena_new();
    const char *id = text_of(a, document);
    struct publish p = {.queue = QUEUE_WORKER,
                        .task = "ceoagent.ingest",
                        .kwargs_json = str_of(arena_printf(a, "{\"document_id\":\"%s\"}", id)),
                        .ignore_result = true,
                        .tenant = text_of(a, tenant),
                        .traceparent = arena_strdup(a, traceparent)};

    publish(app, &p, a);
}

void hint_cancel(struct app *app, struct uuid tenant, struct uuid decision)
{
    struct arena *a = arena_new();
    struct str argv[3] = {STR("PUBLISH"), control_channel(a, tenant, decision),
                          STR("{\"k\":\"cancel\"}")};

    redis_send(app->redis, 1, 3, argv);
    arena_free(a);
}
