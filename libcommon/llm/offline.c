/* offline.c: the analyst of the decision method, seen as a model. What a turn of it says becomes
 * canonical blocks: its sentence a text, its tool calls, plan and final answer tool uses. A turn
 * that has none of those says pause_turn. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/wire.h"

#include <math.h>

#include "libcommon/method/analyst.h"

static cJSON *push_block(cJSON *content, const char *type)
{
    cJSON *block = cJSON_CreateObject();

    cJSON_AddItemToArray(content, block);
    json_add_str(block, "type", type);
    return block;
}

static void push_tool(cJSON *content, const char *id, const char *name, const cJSON *input)
{
    cJSON *block = push_block(content, "tool_use");

    json_add_str(block, "id", id);
    json_add_str(block, "name", name);
    json_add_copy(block, "input", input);
}

static cJSON *blocks_of(const cJSON *turn, int turn_number, struct arena *a)
{
    cJSON *content = json_arr(a);
    const cJSON *call, *final = json_get(turn, "final"), *plan = json_get(turn, "plan");
    const char *text = json_str(turn, "text", "");

    if (text[0] != '\0')
        json_add_str(push_block(content, "text"), "text", text);
    cJSON_ArrayForEach (call, json_get(turn, "tool_calls")) {
        push_tool(content, json_str(call, "id", ""), json_str(call, "name", ""),
                  json_get(call, "input"));
    }
    if (plan != NULL) {
        cJSON *steps = json_obj(a);

        json_add_copy(steps, "steps", plan);
        push_tool(content, arena_printf(a, "plan_%d", turn_number), "submit_plan", steps);
    }
    if (final != NULL)
        push_tool(content, arena_printf(a, "final_%d", turn_number), "submit_decision", final);
    return content;
}

static bool calls_tool(const cJSON *content)
{
    const cJSON *last = cJSON_GetArrayItem(content, cJSON_GetArraySize(content) - 1);

    return strcmp(json_str(last, "type", ""), "tool_use") == 0;
}

int offline_answer(const struct llm_request *req, struct arena *a, struct llm_result *r,
                   struct err *err)
{
    struct analyst_input in = {
        .request = json_get(req->analyst, "request"),
        .material = json_get(req->analyst, "material"),
        .turns = json_get(req->analyst, "turns"),
        .want_plan = json_bool(req->analyst, "want_plan", false),
    };
    cJSON *turn = NULL, *content;
    const cJSON *stages;
    int code = analyst_next(&in, a, &turn, err);

    if (code != 0)
        return code;
    content = blocks_of(turn, req->message_count, a);
    stages = json_get(turn, "stages");
    r->content_json = json_print(a, content);
    r->stages_json = stages == NULL ? STR("[]") : json_print(a, stages);
    r->stop_reason = calls_tool(content) ? "tool_use" : "pause_turn";
    r->input_tokens = r->output_tokens = 0;
    r->cache_read_tokens = r->cache_write_tokens = 0;
    r->provider = r->model = "offline";
    r->cost_usd = 0;
    return 0;
}
