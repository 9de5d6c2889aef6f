/* app.h: the agent process: one loop, the clients of its peers, the runs it holds. */
#pragma once
#include "libcommon/base/map.h"
#include "libcommon/base/settings.h"
#include "libcommon/io/http_client.h"
#include "libcommon/io/http_server.h"
#include "libcommon/io/pg.h"
#include "libcommon/io/redis.h"
#include "libcommon/llm/provider.h"
#include "libcommon/queue/consumer.h"
#include "libcommon/sec/crypt.h"
#include "services/agent/engine/engine.h"

struct lease;
struct sweep;
struct prompts;
struct otlp;
struct knowledge;

struct app {
    struct settings settings;
    struct arena *arena; /* of the process: names, the tool table */
    const char *node;    /* unique among living agents */
    struct loop *loop;
    struct pg *pg;
    struct redis *redis;
    struct broker *broker;
    struct consumer *consumer;
    struct keyring *ring;
    struct http_client *http;
    struct otlp *traces; /* NULL: not exported */
    struct llm_chain *chain;
    struct knowledge *knowledge;
    struct http_server *health;
    struct redis_sub *control;

    const struct engine_tool *tools; /* what the model is offered */
    int tool_count;
    struct engine_tools_text tools_text;
    struct prompts *prompts;

    struct map *runs; /* by the 16 bytes of the decision's id */
    int64_t max_runs;
    struct lease *lease;
    struct sweep *sweep;
    bool draining, forced, drained; /* forced: the grace period is over; drained: nothing in hand */
    int flushes;                    /* of the last traces */
    struct timer drain_timer;
};

/* Builds everything; nothing runs before loop_run. */
int app_new(struct app *app, struct err *err) MUST_CHECK;
void app_free(struct app *app);
/* SIGTERM: stops claiming, hands back or finishes what is in hand within GRACE_SECONDS, then stops
 * the loop. Repeatable. */
void app_drain(struct app *app);
/* Room for how many more runs; 0 while draining. */
int app_room(const struct app *app);
