/* live.c: builds the messages of the live channel and publishes them without waiting. */
#include "libcommon/base/compat.h"
#include "services/agent/live.h"

#include "libcommon/model/live.h"

static void say(struct run *r, cJSON *message)
{
    struct arena *a = arena_new();
    struct str channel = live_channel(a, r->decision.tenant, r->decision.id);
    struct str argv[3] = {STR("PUBLISH"), channel, json_print(a, json_own(a, message))};

    redis_send(r->app->redis, 1, 3, argv);
    arena_free(a);
}

static cJSON *message(const char *kind)
{
    cJSON *m = cJSON_CreateObject();

    json_add_str(m, "k", kind);
    return m;
}

void say_commit(struct run *r, int64_t seq)
{
    cJSON *m = message("commit");

    json_add_num(m, "seq", (double)seq);
    say(r, m);
}

void say_start(struct run *r, const char *step, const char *type, const char *name)
{
    cJSON *m = message("start");

    json_add_str(m, "step", step);
    json_add_str(m, "type", type);
    json_add_str(m, "name", name);
    say(r, m);
}

void say_chunk(struct run *r, const char *step, int attempt, int index, struct str text)
{
    cJSON *m = message("chunk");

    json_add_num(m, "seq", (double)r->decision.head_seq);
    json_add_str(m, "step", step);
    json_add_num(m, "attempt", attempt);
    json_add_num(m, "index", index);
    json_add_strn(m, "text", text);
    say(r, m);
}

void say_reset(struct run *r, const char *step, int attempt)
{
    cJSON *m = message("reset");

    json_add_str(m, "step", step);
    json_add_num(m, "attempt", attempt);
    say(r, m);
}

void say_end(struct run *r, const char *status)
{
    cJSON *m = message("end");

    json_add_str(m, "status", status);
    say(r, m);
}
