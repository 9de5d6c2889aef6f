/* play.h: a shell made of nothing: it performs the engine's actions at once, in this process, and
 * keeps the log. Tests give it a model and tools; clock and nonces are counted up. Static
 * functions, since each test program is one file. */
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "libcommon/base/buf.h"
#include "services/agent/engine/engine.h"

#define PLAY_EVENTS 420
#define PLAY_OPEN 64

struct play;
typedef const char *play_fn(struct play *p, const struct action *a);

struct play_event {
    enum event_type type;
    const char *name, *action_id, *parent_id;
    struct str payload;
    int64_t at_us;
};

struct play {
    struct arena *a;   /* the log and the request: outlives engines */
    struct arena *run; /* the engine's */
    struct engine *e;
    struct engine_settings s;
    cJSON *request;
    const char *gather;    /* payload of observe gather; NULL: no sources */
    play_fn *model, *tool; /* payloads; NULL: the action stays open */
    void *arg;
    struct play_event log[PLAY_EVENTS];
    int events;
    struct action open[PLAY_OPEN];
    int open_count;
    int models; /* answered so far */
    int64_t now_us;
    struct err err;
};

static const struct engine_tool play_tools[] = {
    {"calculator", "Evaluates an expression.", {"{\"type\":\"object\"}", 17}, false},
    {"financial_model", "Values cash flows.", {"{\"type\":\"object\"}", 17}, false},
    {"decision_matrix", "Compares options.", {"{\"type\":\"object\"}", 17}, false},
    {"risk_assessment", "Scores risks.", {"{\"type\":\"object\"}", 17}, false},
    {"knowledge_retrieval", "Searches the documents.", {"{\"type\":\"object\"}", 17}, false},
    {"send_mail", "Sends a mail.", {"{\"type\":\"object\"}", 17}, true},
};

#define PLAY_REQUEST                                                                               \
    "{\"query\":\"Should we buy or lease the truck?\",\"decision_type\":\"general\",\"options\":[" \
    "\"Buy\",\"Lease\"],\"context\":{\"price\":100000}}"

static UNUSED void play_life(struct play *p) /* a new engine, as after a crash */
{
    arena_free(p->run);
    p->run = arena_new();
    p->e = engine_new(p->run, &p->s, p->request);
    p->open_count = 0;
}

static UNUSED void play_init(struct play *p, const char *request, const char *mode)
{
    memset(p, 0, sizeof(*p));
    p->a = arena_new();
    assert_int_equal(json_parse(p->a, str_of(request), JSON_DEPTH_MAX, &p->request, &p->err), 0);
    p->s = (struct engine_settings){
        .tools = play_tools,
        .tool_count = ARRAY_LEN(play_tools),
        .mode = mode,
        .budget_steps = 40,
        .budget_seconds = 900,
        .budget_tokens = 400000,
        .budget_usd = 5,
        .price_in = NAN,
        .price_out = NAN,
        .max_tokens = 4000,
    };
    p->now_us = 1700000000000000;
    play_life(p);
}

static UNUSED void play_done(struct play *p)
{
    arena_free(p->run);
    arena_free(p->a);
}

static UNUSED int play_fold(struct play *p, struct engine *e, const struct play_event *ev,
                            int64_t seq)
{
    struct engine_event out = {
        .seq = seq,
        .type = ev->type,
        .name = ev->name,
        .action_id = ev->action_id,
        .parent_id = ev->parent_id,
        .actor = "test",
        .payload = ev->payload,
        .at_us = ev->at_us,
        .started_us = ev->at_us,
        .tokens_in = -1,
        .tokens_out = -1,
        .cost_usd = NAN,
    };
    memset(&p->err, 0, sizeof(p->err));
    return engine_apply(e, &out, &p->err);
}

/* Appends and folds; what is refused is not in the log. */
static UNUSED int play_append(struct play *p, enum event_type type, const char *name,
                              const char *action_id, struct str payload)
{
    struct play_event ev = {type, arena_strdup(p->a, name), arena_strdup(p->a, action_id),
                            NULL, arena_str(p->a, payload), p->now_us + 1000000};
    int rc;

    assert_true(p->events < PLAY_EVENTS);
    rc = play_fold(p, p->e, &ev, p->events + 1);
    if (rc == 0) {
        p->log[p->events++] = ev;
        p->now_us = ev.at_us;
    }
    return rc;
}

static UNUSED void play_must(struct play *p, enum event_type type, const char *name,
                             const char *action_id, const char *payload)
{
    if (play_append(p, type, name, action_id, str_of(payload)) != 0)
        fail_msg("%s %s of %s: %s", event_type_name(type), name == NULL ? "" : name,
                 action_id == NULL ? "" : action_id, p->err.msg);
}

static UNUSED const char *play_nonce(const struct play *p)
{
    return arena_printf(p->a, "%016x", 0xabc000 + p->events);
}

static UNUSED void play_perform(struct play *p, const struct action *a)
{
    const char *payload = NULL;

    switch (a->kind) {
    case ACTION_GATHER:
        payload = p->gather != NULL
                      ? p->gather
                      : "{\"material\":[],\"missing\":[],\"nonce\":\"00000000000000aa\"}";
        play_must(p, EV_OBSERVE, "gather", a->id, payload);
        return;
    case ACTION_RECORD:
    case ACTION_FINISH:
        play_must(p, a->record.type, a->record.name, a->id,
                  arena_strndup(p->a, a->record.payload.p, a->record.payload.n));
        return;
    case ACTION_MODEL:
        payload = p->model == NULL ? NULL : p->model(p, a);
        if (payload != NULL) {
            p->models++;
            play_must(p, strstr(payload, "\"content\"") == NULL ? EV_ERROR : EV_REASON, "model",
                      a->id, payload);
            return;
        }
        break;
    case ACTION_TOOL:
        payload = p->tool == NULL ? NULL : p->tool(p, a);
        if (payload != NULL) {
            play_must(p, EV_OBSERVE, a->tool.name, a->id, payload);
            return;
        }
        break;
    }
    assert_true(p->open_count < PLAY_OPEN);
    p->open[p->open_count++] = *a;
}

/* Performs until nothing more can start. */
static UNUSED void play_pump(struct play *p)
{
    struct action a;

    while (engine_next(p->e, &a))
        play_perform(p, &a);
}

static UNUSED bool play_ended(const struct play *p)
{
    struct engine_view v;

    engine_look(p->e, &v);
    return v.ended;
}

static UNUSED const char *play_status(const struct play *p)
{
    struct engine_view v;

    engine_look(p->e, &v);
    return v.ended ? v.status : "running";
}

/* The open action of a kind, taken off the list; fails when there is none. name: of the tool, or
 * NULL. */
static UNUSED struct action play_take(struct play *p, enum action_kind kind, const char *name)
{
    for (int i = 0; i < p->open_count; i++) {
        struct action a = p->open[i];

        if (a.kind != kind || (name != NULL && strcmp(a.tool.name, name) != 0))
            continue;
        p->open_count--;
        memmove(&p->open[i], &p->open[i + 1], sizeof(a) * (size_t)(p->open_count - i));
        return a;
    }
    fail_msg("no open action of kind %d", kind);
    abort();
}

/* A model event's payload. content: the blocks as JSON. */
static UNUSED const char *play_reason(struct play *p, const char *content, const char *stop)
{
    return arena_printf(
        p->a,
        "{\"content\":%s,\"stop_reason\":\"%s\",\"usage\":{\"input_tokens\":1000,"
        "\"output_tokens\":100,\"cache_read_tokens\":0,\"cache_write_tokens\":0},"
        "\"provider\":\"anthropic\",\"model\":\"m1\",\"cost_usd\":0.01,\"degraded\":false,"
        "\"attempts\":1,\"nonce\":\"%s\"}",
        content, stop, play_nonce(p));
}

/* An observe event's payload. */
static UNUSED const char *play_observed(struct play *p, const struct action *a, const char *output)
{
    return arena_printf(
        p->a,
        "{\"tool\":\"%s\",\"tool_use_id\":\"%s\",\"input\":%s,\"output\":%s,\"nonce\":\"%s\"}",
        a->tool.name, a->tool.tool_use_id, json_print(p->a, a->tool.input).p, output,
        play_nonce(p));
}

static UNUSED void play_answer(struct play *p, const char *content, const char *stop)
{
    struct action a = play_take(p, ACTION_MODEL, NULL);

    p->models++;
    play_must(p, EV_REASON, "model", a.id, play_reason(p, content, stop));
    play_pump(p);
}

static UNUSED void play_observe(struct play *p, const char *tool, const char *output)
{
    struct action a = play_take(p, ACTION_TOOL, tool);

    play_must(p, EV_OBSERVE, tool, a.id, play_observed(p, &a, output));
    play_pump(p);
}

static UNUSED struct str play_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct buf b;
    char chunk[4096];
    size_t n;
    struct str text;

    if (f == NULL)
        fail_msg("%s cannot be opened", path);
    buf_init(&b, 16u << 20);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_add(&b, chunk, n);
    fclose(f);
    text = arena_str(a, buf_view(&b));
    buf_done(&b);
    return text;
}

/* An answer to brief 04 that the validator lets pass without sources or tools: the example of the
 * brief without its quotes and documents, its flip points and the figures that have no citation. */
static UNUSED cJSON *play_decision(struct arena *a)
{
    struct str text = play_file(a, "tests/data/briefs/04-kill-or-continue/example-answer.json");
    cJSON *d, *item;
    struct err err;

    assert_int_equal(json_parse(a, text, JSON_DEPTH_MAX, &d, &err), 0);
    cJSON_ReplaceItemInObjectCaseSensitive(
        json_get(d, "situation_analysis"), "summary",
        cJSON_CreateString("Which of three ways costs least from today on?"));
    cJSON_ArrayForEach (item, json_get(d, "sensitivity")) {
        cJSON_ReplaceItemInObjectCaseSensitive(item, "flip_at", cJSON_CreateNull());
    }
    cJSON_ArrayForEach (item, json_get(d, "evidence")) {
        cJSON_DeleteItemFromObjectCaseSensitive(item, "quote");
        cJSON_ReplaceItemInObjectCaseSensitive(item, "kind", cJSON_CreateString("assumption"));
    }
    cJSON_ReplaceItemInObjectCaseSensitive(json_at(d, "/risk_assessment/risk_factors/1"), "reason",
                                           cJSON_CreateString("A single quote without a range."));
    return d;
}

static UNUSED uint64_t play_hash(const struct engine *e)
{
    uint8_t h[8];
    uint64_t v = 0;

    engine_hash(e, h);
    memcpy(&v, h, 8);
    return v;
}

/* Writes the log as a file of tests/data/logs/ (see test_logs.c), when PLAY_RECORD names a
 * directory. */
static UNUSED void play_record(const struct play *p, const char *name)
{
    const char *dir = getenv("PLAY_RECORD");
    cJSON *root = json_obj(p->a), *events, *ev;
    struct str text;
    FILE *f;

    if (dir == NULL)
        return;
    json_add_num(root, "format", ENGINE_FORMAT);
    json_add_str(root, "mode", p->s.mode);
    json_add_bool(root, "offline_only", p->s.offline_only);
    json_add_copy(root, "request", p->request);
    json_add_str(root, "status", play_status(p));
    json_add_str(root, "option",
                 json_str(json_get(engine_final(p->e), "recommendation"), "option", NULL));
    events = json_add_arr(root, "events");
    for (int i = 0; i < p->events; i++) {
        ev = cJSON_CreateObject();
        json_add_str(ev, "type", event_type_name(p->log[i].type));
        json_add_str(ev, "name", p->log[i].name);
        json_add_str(ev, "action_id", p->log[i].action_id);
        json_add_num(ev, "at_us", (double)p->log[i].at_us);
        json_add_strn(ev, "payload", p->log[i].payload);
        cJSON_AddItemToArray(events, ev);
    }
    text = json_print(p->a, root);
    f = fopen(arena_printf(p->a, "%s/%s.json", dir, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    fclose(f);
}
