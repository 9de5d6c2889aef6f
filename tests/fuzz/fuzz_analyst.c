/* Any question (the first line), context (the second, when it is JSON) and document (the rest): the
 * analyst comes to a final answer in a few turns, and the answer has no hard fault. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analyst.h"
#include "libcommon/method/tool.h"
#include "libcommon/method/validate.h"

#define TURNS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str next_line(struct str *rest)
{
    return str_split(rest, '\n');
}

static void add_text(struct arena *a, cJSON *obj, const char *key, struct str s)
{
    struct buf b;
    cJSON *value = NULL;
    struct err err = {0};

    buf_init(&b, 1u << 20);
    json_quote(&b, s); /* whatever is no UTF-8 becomes so */
    if (!b.overflow && json_parse(a, buf_view(&b), 2, &value, &err) == 0)
        json_add_copy(obj, key, value);
    buf_done(&b);
}

static cJSON *run_tool(struct arena *a, const cJSON *call, int seq)
{
    const char *name = json_str(call, "name", "");
    struct tool_fault fault;
    cJSON *t = cJSON_CreateObject(), *out = NULL;

    json_add_str(t, "tool", name);
    json_add_str(t, "id", json_str(call, "id", ""));
    json_add_copy(t, "input", json_get(call, "input"));
    json_add_num(t, "seq", seq);
    if (tool_run(name, json_get(call, "input"), a, &out, &fault) == 0)
        json_add_copy(t, "output", out);
    else
        json_add_str(t, "error", fault.reason);
    return t;
}

static cJSON *decide(struct arena *a, cJSON *request, cJSON *material, cJSON *turns)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        struct analyst_input in = {request, material, turns, false};
        struct err err = {0};
        cJSON *turn = NULL, *x;

        if (analyst_next(&in, a, &turn, &err) != 0)
            return NULL;
        cJSON_ArrayForEach (x, json_get(turn, "stages"))
            json_push_copy(turns, x);
        if (json_get(turn, "final") != NULL)
            return json_get(turn, "final");
        cJSON_ArrayForEach (x, json_get(turn, "tool_calls"))
            cJSON_AddItemToArray(turns, run_tool(a, x, cJSON_GetArraySize(turns) + 1));
    }
    assert(!"no final answer");
    return NULL;
}

static void check(struct arena *a, const cJSON *request, const cJSON *material, const cJSON *turns,
                  const cJSON *final)
{
    cJSON *copy = json_own(a, cJSON_Duplicate(final, true)), *faults = NULL, *events = json_arr(a);
    const cJSON *t, *f;
    struct validate_ctx ctx = {request, NULL, events, material, true};

    cJSON_ArrayForEach (t, turns)
        if (json_get(t, "tool") != NULL)
            json_push_copy(events, t);
    assert(decision_validate(copy, &ctx, a, &faults) == 0);
    cJSON_ArrayForEach (f, faults)
        assert(json_bool(f, "soft", false));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str rest = {(const char *)data, size > 4096 ? 4096 : size};
    struct str query = next_line(&rest), context_text = next_line(&rest);
    cJSON *request = json_obj(a), *material = json_arr(a), *turns = json_arr(a), *context = NULL;
    cJSON *chunk = cJSON_CreateObject();
    struct err err = {0};

    cJSON_AddItemToArray(material, chunk);
    add_text(a, request, "query", query);
    if (json_parse(a, context_text, 16, &context, &err) == 0 && cJSON_IsObject(context))
        json_add_copy(request, "context", context);
    json_add_str(chunk, "chunk_id", "c1");
    json_add_str(chunk, "document_id", "d1");
    json_add_str(chunk, "title", "note.md");
    add_text(a, chunk, "text", rest.p == NULL ? STR("") : rest);
    json_add_bool(chunk, "supplied", true);
    const cJSON *final = decide(a, request, material, turns);
    if (final != NULL)
        check(a, request, material, turns, final);
    arena_free(a);
    return 0;
}
