/* Any log. A line is an event: `type name action payload`, `-` for none; the action `?` stands for
 * the last that engine_next gave, and `!` for the event that it wants recorded. Whatever the lines
 * say: no crash, ids once each, one final at most, and the accepted events fold to the same state
 * again. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "services/agent/engine/engine.h"

#define LINES_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct engine_tool tools[] = {
    {"calculator", "Counts.", {"{}", 2}, false},
    {"risk_assessment", "Scores.", {"{}", 2}, false},
    {"send_mail", "Sends.", {"{}", 2}, true},
};
static const char request_text[] = "{\"query\":\"Buy or lease?\",\"options\":[\"Buy\",\"Lease\"]}";

struct fuzz {
    struct arena *a;
    struct engine_settings s;
    cJSON *request;
    struct engine *e;
    struct engine_event log[LINES_MAX];
    int count;
    struct action last;
    int64_t last_id;
    bool has_last;
};

static void start(struct fuzz *f, const char *mode)
{
    f->a = arena_new();
    f->s = (struct engine_settings){
        .tools = tools,
        .tool_count = ARRAY_LEN(tools),
        .mode = mode,
        .budget_steps = 12,
        .budget_tokens = 100000,
        .budget_seconds = 900,
        .price_in = NAN,
        .price_out = NAN,
        .max_tokens = 2000,
    };
    assert(json_parse(f->a, str_of(request_text), 8, &f->request, NULL) == 0);
    f->e = engine_new(f->a, &f->s, f->request);
}

static void take_actions(struct fuzz *f)
{
    struct action a;
    int64_t id;

    while (engine_next(f->e, &a)) {
        assert(a.id[0] == 'a' && str_i64(str_of(a.id + 1), &id) == 0);
        f->last = a;
        f->has_last = true;
    }
}

static char *word(struct fuzz *f, struct str *line)
{
    struct str w = str_split(line, ' ');

    return str_eqz(w, "-") ? NULL : arena_strndup(f->a, w.p == NULL ? "" : w.p, w.n);
}

static bool event_of(struct fuzz *f, struct str line, struct engine_event *ev)
{
    const char *type = word(f, &line), *name = word(f, &line), *action = word(f, &line);

    *ev = (struct engine_event){.seq = f->count + 1,
                                .name = name,
                                .action_id = action,
                                .payload = line,
                                .at_us = 1000000 * (f->count + 1),
                                .tokens_in = -1,
                                .tokens_out = -1,
                                .cost_usd = NAN};
    if (action != NULL && f->has_last && strcmp(action, "?") == 0)
        ev->action_id = f->last.id;
    if (action != NULL && f->has_last && strcmp(action, "!") == 0 &&
        (f->last.kind == ACTION_RECORD || f->last.kind == ACTION_FINISH)) {
        ev->action_id = f->last.id;
        ev->type = f->last.record.type;
        ev->name = f->last.record.name;
        ev->payload = f->last.record.payload;
        return true;
    }
    return type != NULL && event_type_parse(type, &ev->type) == 0;
}

static void play(struct fuzz *f, struct str in)
{
    while (in.n > 0 && f->count < LINES_MAX) {
        struct engine_event ev;
        struct engine_view v;

        take_actions(f);
        if (!event_of(f, str_split(&in, '\n'), &ev))
            continue;
        engine_look(f->e, &v);
        if (engine_apply(f->e, &ev, NULL) == 0) {
            assert(!v.ended);
            f->log[f->count++] = ev;
        }
    }
    take_actions(f);
}

static void refold(struct fuzz *f)
{
    struct arena *a = arena_new();
    struct engine *e = engine_new(a, &f->s, f->request);
    uint8_t one[8], two[8];

    for (int i = 0; i < f->count; i++)
        assert(engine_apply(e, &f->log[i], NULL) == 0);
    engine_hash(f->e, one);
    engine_hash(e, two);
    assert(memcmp(one, two, 8) == 0);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {0};

    if (size < 1 || size > 65536)
        return 0;
    start(&f, data[0] == 'p' ? "plan_and_execute" : data[0] == 'c' ? "council" : "react");
    play(&f, (struct str){(const char *)data + 1, size - 1});
    refold(&f);
    arena_free(f.a);
    return 0;
}
