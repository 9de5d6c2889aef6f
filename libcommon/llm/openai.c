/* openai.c: /v1/chat/completions of OpenAI and of the many servers that speak it, streamed.
 *
 * The conversation is kept in canonical blocks; each message is translated by itself and always to
 * the same bytes, so that the servers' prefix caches work here too. What changes from call to call
 * stands behind the messages. Content goes out as plain strings, since the chat templates of small
 * servers often know nothing else.
 *
 * Servers differ in what they leave out: tool calls without an index or an id, no usage, no
 * "[DONE]", reasons of their own, a whole JSON answer instead of a stream. All of that is read. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/wire.h"

#include <math.h>

#include "libcommon/base/id.h"

/* Keys of blocks: tool calls have their index; the running text and the reasoning these. */
#define KEY_TEXT -1
#define KEY_THINKING -2

/* ---- the request ---- */

static bool is_type(const cJSON *block, const char *type)
{
    return strcmp(json_str(block, "type", ""), type) == 0;
}

/* The text of a string, or of the text blocks of an array, with an empty line between them. */
static void gather_text(struct buf *out, const cJSON *content)
{
    const char *separator = "";
    const cJSON *block;

    if (cJSON_IsString(content)) {
        buf_puts(out, content->valuestring);
        return;
    }
    cJSON_ArrayForEach (block, content) {
        if (!is_type(block, "text"))
            continue;
        buf_puts(out, separator);
        buf_puts(out, json_str(block, "text", ""));
        separator = "\n\n";
    }
}

static void write_text(struct buf *out, const char *prefix, const cJSON *content)
{
    struct buf text;

    buf_init(&text, LLM_REQUEST_MAX);
    buf_puts(&text, prefix);
    gather_text(&text, content);
    json_quote(out, buf_view(&text));
    out->overflow = out->overflow || text.overflow;
    buf_done(&text);
}

static bool has_block(const cJSON *content, const char *type)
{
    const cJSON *block;

    if (cJSON_IsString(content))
        return strcmp(type, "text") == 0;
    cJSON_ArrayForEach (block, content)
        if (is_type(block, type))
            return true;
    return false;
}

/* Results of tools become messages of their own, before the text of the same turn. */
static void write_user(struct buf *out, const cJSON *content)
{
    const cJSON *block;
    const char *separator = "";

    cJSON_ArrayForEach (block, content) {
        if (!is_type(block, "tool_result"))
            continue;
        buf_puts(out, separator);
        buf_puts(out, "{\"role\":\"tool\",\"tool_call_id\":");
        json_quote(out, str_of(json_str(block, "tool_use_id", "")));
        buf_puts(out, ",\"content\":");
        write_text(out, json_bool(block, "is_error", false) ? "The tool failed: " : "",
                   json_get(block, "content"));
        buf_putc(out, '}');
        separator = ",";
    }
    if (separator[0] == '\0' || has_block(content, "text")) {
        buf_puts(out, separator);
        buf_puts(out, "{\"role\":\"user\",\"content\":");
        write_text(out, "", content);
        buf_putc(out, '}');
    }
}

static void write_calls(struct buf *out, struct str message, const cJSON *content)
{
    const cJSON *block;
    const char *separator = ",\"tool_calls\":[";
    char pointer[40];
    int i = -1;

    cJSON_ArrayForEach (block, content) {
        struct str input = STR("{}");

        i++;
        if (!is_type(block, "tool_use"))
            continue;
        snprintf(pointer, sizeof(pointer), "/content/%d/input", i);
        if (json_raw(message, pointer, &input) != 0)
            input = STR("{}");
        buf_puts(out, separator);
        buf_puts(out, "{\"id\":");
        json_quote(out, str_of(json_str(block, "id", "")));
        buf_puts(out, ",\"type\":\"function\",\"function\":{\"name\":");
        json_quote(out, str_of(json_str(block, "name", "")));
        buf_puts(out, ",\"arguments\":");
        json_quote(out, input);
        buf_puts(out, "}}");
        separator = ",";
    }
    if (separator[1] == '\0')
        buf_putc(out, ']');
}

static void write_assistant(struct buf *out, struct str message, const cJSON *content)
{
    buf_puts(out, "{\"role\":\"assistant\",\"content\":");
    if (has_block(content, "tool_use") && !has_block(content, "text"))
        buf_puts(out, "null");
    else
        write_text(out, "", content);
    write_calls(out, message, content);
    buf_putc(out, '}');
}

static int write_message(struct buf *out, struct str message, struct err *err)
{
    struct arena *a = arena_new();
    cJSON *root = NULL;
    int code = json_parse(a, message, JSON_DEPTH_MAX, &root, err);

    if (code == 0 && strcmp(json_str(root, "role", ""), "assistant") == 0)
        write_assistant(out, message, json_get(root, "content"));
    else if (code == 0)
        write_user(out, json_get(root, "content"));
    arena_free(a);
    return code;
}

static int write_tools(struct buf *out, struct str tools, struct err *err)
{
    struct arena *a = arena_new();
    cJSON *root = NULL;
    const cJSON *tool;
    int code = json_parse(a, tools, JSON_DEPTH_MAX, &root, err), i = 0;
    char pointer[40];

    buf_puts(out, ",\"tools\":[");
    cJSON_ArrayForEach (tool, root) {
        struct str schema = STR("{\"type\":\"object\"}");

        snprintf(pointer, sizeof(pointer), "/%d/input_schema", i);
        if (json_raw(tools, pointer, &schema) != 0)
            schema = STR("{\"type\":\"object\"}");
        buf_puts(out, i++ > 0 ? "," : "");
        buf_puts(out, "{\"type\":\"function\",\"function\":{\"name\":");
        json_quote(out, str_of(json_str(tool, "name", "")));
        buf_puts(out, ",\"description\":");
        json_quote(out, str_of(json_str(tool, "description", "")));
        buf_puts(out, ",\"parameters\":");
        buf_str(out, schema);
        buf_puts(out, "}}");
    }
    buf_putc(out, ']');
    arena_free(a);
    return code;
}

static void write_tool_choice(struct buf *out, const char *tool)
{
    if (strcmp(tool, "any") == 0) {
        buf_puts(out, ",\"tool_choice\":\"required\"");
        return;
    }
    buf_puts(out, ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":");
    json_quote(out, str_of(tool));
    buf_puts(out, "}}");
}

/* OpenAI's own newer models refuse max_tokens; other servers often know only that. */
static const char *limit_name(const char *base_url)
{
    return strstr(base_url, "://api.openai.com") != NULL ? "max_completion_tokens" : "max_tokens";
}

static int build(struct buf *out, const struct llm_request *req, const struct llm_terms *terms,
                 struct err *err)
{
    const char *separator = "";
    int code = 0;

    buf_puts(out, "{\"model\":");
    json_quote(out, str_of(terms->model));
    if (req->tools_json.n > 2)
        code = write_tools(out, req->tools_json, err);
    buf_puts(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[");
    if (req->system.n > 0) {
        buf_puts(out, "{\"role\":\"system\",\"content\":");
        json_quote(out, req->system);
        buf_putc(out, '}');
        separator = ",";
    }
    for (int i = 0; i < req->message_count && code == 0; i++) {
        buf_puts(out, separator);
        code = write_message(out, req->messages[i], err);
        separator = ",";
    }
    buf_printf(out, "],\"%s\":%" PRId64, limit_name(terms->base_url), terms->max_tokens);
    if (!isnan(terms->temperature))
        buf_printf(out, ",\"temperature\":%.6g", terms->temperature);
    if (req->force_tool != NULL && req->tools_json.n > 2)
        write_tool_choice(out, req->force_tool);
    buf_putc(out, '}');
    return code != 0 ? code : buf_check(out, err);
}

/* ---- the answer ---- */

static const struct {
    const char *finish, *stop;
} finishes[] = {
    {"content_filter", "refusal"}, {"function_call", "tool_use"},
    {"length", "max_tokens"},      {"max_tokens", "max_tokens"},
    {"stop", "end_turn"},          {"stop_sequence", "stop_sequence"},
    {"tool_call", "tool_use"},     {"tool_calls", "tool_use"},
};

static bool has_tools(const struct answer *ans)
{
    for (int i = 0; i < ans->count; i++)
        if (ans->blocks[i].kind == BLOCK_TOOL)
            return true;
    return false;
}

static void take_finish(struct answer *ans, const char *finish)
{
    if (finish == NULL || finish[0] == '\0')
        return;
    if (strcmp(finish, "abort") == 0 || strcmp(finish, "error") == 0) {
        failure_set(&ans->failure, 500, STR("the server gave up its answer"));
        return;
    }
    ans->stop_reason = "end_turn";
    for (size_t i = 0; i < ARRAY_LEN(finishes); i++)
        if (strcmp(finish, finishes[i].finish) == 0)
            ans->stop_reason = finishes[i].stop;
}

/* "stop" is often said after a tool call, and "tool_calls" at times without one. */
static void settle_stop(struct answer *ans)
{
    bool tools = has_tools(ans);

    if (ans->stop_reason == NULL)
        ans->stop_reason = "end_turn";
    if (tools && strcmp(ans->stop_reason, "end_turn") == 0)
        ans->stop_reason = "tool_use";
    if (!tools && strcmp(ans->stop_reason, "tool_use") == 0)
        ans->stop_reason = "end_turn";
    if (strcmp(ans->stop_reason, "max_tokens") != 0)
        return;
    for (int i = 0; i < ans->count - 1; i++) /* only the last one can have been cut */
        ans->blocks[i].closed = true;
}

/* prompt_tokens holds the cached ones too. */
static void take_usage(struct answer *ans, const cJSON *usage)
{
    int64_t prompt = json_i64(usage, "prompt_tokens", -1);
    int64_t cached = json_i64(json_get(usage, "prompt_tokens_details"), "cached_tokens", -1);

    ans->output_tokens = json_i64(usage, "completion_tokens", ans->output_tokens);
    if (cached >= 0 && cached <= prompt) {
        ans->cache_read_tokens = cached;
        prompt -= cached;
    }
    if (prompt >= 0)
        ans->input_tokens = prompt;
}

static bool take_error(struct answer *ans, const cJSON *root, struct str raw)
{
    const cJSON *error = json_get(root, "error");
    int64_t status;

    if (strcmp(json_str(root, "object", ""), "error") == 0)
        error = root;
    if (error == NULL || cJSON_IsNull(error))
        return false;
    status = json_i64(error, "code", json_i64(error, "status", 500));
    if (status < 400 || status > 599)
        status = 500;
    failure_of_body(&ans->failure, (int)status, raw);
    return true;
}

static void take_text(struct answer *ans, int key, enum block_kind kind, const char *text)
{
    struct answer_block *b;

    if (text == NULL || text[0] == '\0')
        return;
    b = answer_find(ans, key);
    if (b == NULL)
        b = answer_open(ans, kind, key);
    if (b != NULL)
        answer_add(ans, b, str_of(text));
}

/* By index; where a server sends none, an id that is new starts a call and the rest continues the
 * last one. */
static struct answer_block *call_of(struct answer *ans, const cJSON *call)
{
    int64_t index = json_i64(call, "index", -1);
    const char *id = json_str(call, "id", "");
    int last = -1;
    struct answer_block *b;

    for (int i = 0; i < ans->count; i++)
        if (ans->blocks[i].kind == BLOCK_TOOL)
            last = MAX(last, ans->blocks[i].key);
    if (index < 0 || index > ANSWER_BLOCKS_MAX) {
        b = last < 0 ? NULL : answer_find(ans, last);
        index = last;
        if (b == NULL || (id[0] != '\0' && (b->id == NULL || strcmp(b->id, id) != 0)))
            index = last + 1;
    }
    b = answer_find(ans, (int)index);
    return b != NULL ? b : answer_open(ans, BLOCK_TOOL, (int)index);
}

static void keep_first(char **member, const cJSON *obj, const char *key)
{
    const char *s = json_str(obj, key, "");

    if (*member == NULL && s[0] != '\0')
        *member = xstrdup(s);
}

/* arguments is a string of JSON; some servers send the object itself. */
static void take_call(struct answer *ans, const cJSON *call)
{
    const cJSON *function = json_get(call, "function");
    const cJSON *arguments = json_get(function, "arguments");
    struct answer_block *b = call_of(ans, call);

    if (b == NULL)
        return;
    keep_first(&b->id, call, "id");
    keep_first(&b->name, function, "name");
    if (cJSON_IsString(arguments))
        answer_add(ans, b, str_of(arguments->valuestring));
    else if (cJSON_IsObject(arguments))
        answer_add(ans, b, json_print(ans->scratch, arguments));
}

/* message: `delta` of a chunk or `message` of a whole answer. */
static void take_message(struct answer *ans, const cJSON *message)
{
    const cJSON *call;

    take_text(ans, KEY_THINKING, BLOCK_THINKING, json_str(message, "reasoning_content", NULL));
    take_text(ans, KEY_THINKING, BLOCK_THINKING, json_str(message, "reasoning", NULL));
    take_text(ans, KEY_TEXT, BLOCK_TEXT, json_str(message, "content", NULL));
    take_text(ans, KEY_TEXT, BLOCK_TEXT, json_str(message, "refusal", NULL));
    cJSON_ArrayForEach (call, json_get(message, "tool_calls")) {
        take_call(ans, call);
    }
}

/* One choice is asked for; further ones are not read. */
static void take_chunk(struct answer *ans, const cJSON *root, const char *part)
{
    const cJSON *choice = cJSON_GetArrayItem(json_get(root, "choices"), 0);

    answer_model(ans, json_str(root, "model", NULL));
    take_usage(ans, json_get(root, "usage"));
    take_message(ans, json_get(choice, part));
    take_finish(ans, json_str(choice, "finish_reason", NULL));
}

static bool on_event(void *arg, const struct sse_event *e)
{
    struct answer *ans = arg;
    cJSON *root = NULL;

    if (str_eqz(str_trim(e->data), "[DONE]")) {
        settle_stop(ans);
        ans->complete = true;
        return true;
    }
    arena_reset(ans->scratch);
    if (json_parse(ans->scratch, e->data, JSON_DEPTH_MAX, &root, &ans->err) != 0) {
        ans->err.code = str_eqz(e->type, "message") ? ERR_PROTOCOL : 0; /* a gateway's own event */
        return ans->err.code == 0;
    }
    if (!take_error(ans, root, e->data))
        take_chunk(ans, root, "delta");
    return ans->err.code == 0 && ans->failure.status == 0;
}

static void on_whole(struct answer *ans, struct str body)
{
    cJSON *root = NULL;

    if (json_parse(ans->scratch, body, JSON_DEPTH_MAX, &root, &ans->err) != 0) {
        ans->err.code = ERR_PROTOCOL;
        return;
    }
    if (take_error(ans, root, body))
        return;
    take_chunk(ans, root, "message");
    ans->complete = ans->stop_reason != NULL;
    settle_stop(ans);
}

/* The stream's end without "[DONE]" is good when a reason came before. */
static void on_end(struct answer *ans)
{
    if (ans->stop_reason == NULL)
        return;
    settle_stop(ans);
    ans->complete = true;
}

const struct llm_wire llm_openai = {
    .name = "openai",
    .official_url = "https://api.openai.com/v1",
    .path = "/chat/completions",
    .auth = "authorization: Bearer ",
    .build = build,
    .on_event = on_event,
    .on_whole = on_whole,
    .on_end = on_end,
};
