#include "libcommon/base/compat.h"
#include "services/api/handlers.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/metrics.h"

#define METRICS_MAX (16 * 1024 * 1024)

static void add_checks(const struct app *app, cJSON *o)
{
    static const char *const names[] = {"database", "redis", "weaviate"};
    cJSON *checks = json_add_obj(o, "checks");

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (i < 2 || app->set->weaviate_url != NULL)
            json_add_bool(checks, names[i], app_check(app, names[i]));
}

static cJSON *healthy(struct req *r)
{
    cJSON *o = json_obj(r->arena);

    json_add_str(o, "status", "healthy");
    item_add_time(o, "timestamp", clock_wall_us());
    return o;
}

void h_health(struct req *r)
{
    reply_raw(r, 200, "application/json", json_print(r->arena, healthy(r)));
}

void h_api_health(struct req *r)
{
    cJSON *o = healthy(r);

    json_add_str(o, "version", CEO_VERSION);
    add_checks(r->app, o);
    reply_raw(r, 200, "application/json", json_print(r->arena, o));
}

/* What depends on what is nobody's business on the public port, when there is another. */
void h_ready(struct req *r)
{
    bool ready = app_ready(r->app);
    cJSON *o = json_obj(r->arena);

    json_add_str(o, ready ? "status" : "detail", ready ? "ready" : "Not ready");
    if (!ready && (r->ops_port || r->app->set->metrics_port == 0))
        add_checks(r->app, o);
    reply_raw(r, ready ? 200 : 503, "application/json", json_print(r->arena, o));
}

void h_metrics(struct req *r)
{
    struct buf b;

    if (!r->ops_port && r->app->set->metrics_port != 0) {
        reply_error(r, API_NOT_FOUND, NULL, NULL, "There is no such endpoint");
        return;
    }
    buf_init(&b, METRICS_MAX);
    metrics_render(&b);
    reply_raw(r, 200, "text/plain; version=0.0.4; charset=utf-8",
              arena_str(r->arena, buf_view(&b)));
    buf_done(&b);
}

void h_openapi(struct req *r)
{
    reply_raw(r, 200, "application/json", r->app->openapi);
}

void h_docs(struct req *r)
{
    reply_raw(r, 200, "text/html; charset=utf-8", r->app->docs);
}
