/* app.h: the gateway process: its settings, its connections to the stores, its HTTP servers and the
 * requests in hand.
 *
 * Life: app_start connects lazily and listens; app_drain (SIGTERM) answers waiting requests, ends
 * streams, and stops the loop when nothing is left or the grace period is over; app_stop frees. */
#pragma once
#include "libcommon/base/list.h"
#include "libcommon/base/settings.h"
#include "libcommon/ev/loop.h"
#include "libcommon/ev/timer.h"
#include "libcommon/io/http_client.h"
#include "libcommon/io/http_server.h"
#include "libcommon/io/pg.h"
#include "libcommon/io/redis.h"
#include "libcommon/queue/broker.h"
#include "libcommon/sec/crypt.h"
#include "libcommon/sec/ratelimit.h"

struct auth;
struct cJSON;
struct knowledge;
struct otlp;
struct live;
struct peers;

struct app {
    struct loop *loop;
    const struct settings *set;
    struct pg *pg;
    struct redis *redis;        /* cache, limits, live fan-out */
    struct redis *broker_redis; /* the same as redis unless BROKER_URL differs */
    struct broker *broker;
    struct keyring *ring;
    struct auth *auth;
    struct ratelimit *limits;
    struct live *live;
    struct peers *trusted;
    struct http_client
        *client; /* the vector half of searches, traces; NULL: neither is configured */
    struct knowledge *knowledge;
    struct otlp *traces;
    int flushes;
    struct http_server *http, *metrics_http;
    struct list requests; /* struct req, linked by `link` */
    struct list hints;    /* of hint.c */
    struct list audits;   /* of audit.c, audit_count of them */
    int audit_count;
    int active;
    bool draining;
    int64_t leave_by_us; /* the grace period's end, monotonic */
    bool weaviate_ok;
    struct http_call weaviate_call;
    struct arena *weaviate_arena;
    struct timer weaviate_timer, grace;
    struct cJSON *schemas;    /* of the bodies, by name */
    struct str openapi, docs; /* made once at the start; in `arena` */
    struct arena *arena;
};

int app_start(struct app *app, struct loop *loop, const struct settings *set,
              struct err *err) MUST_CHECK;
void app_drain(struct app *app);
void app_stop(struct app *app);

bool app_production(const struct app *app);
/* Whether a dependency answers: "database", "redis", "weaviate". Unconfigured ones do. */
bool app_check(const struct app *app, const char *name);
/* Each name of READY_REQUIRES; false when one does not answer, or while draining. */
bool app_ready(const struct app *app);
