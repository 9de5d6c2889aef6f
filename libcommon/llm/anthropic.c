/* anthropic.c: Anthropic's Messages API (/v1/messages, version 2023-06-01), streamed.
 *
 * Prompt caches work by prefix, so the body's order is: model, system, tools, stream, messages,
 * and only then what changes from call to call. The system text carries a cache mark (it is the
 * same for many runs); the one at the end lets the server move its mark along as a run grows.
 *
 * A stream is: message_start, then for each block start, deltas, stop, then message_delta with
 * the stop reason and the tokens, then message_stop. `error` may come anywhere; events and blocks
 * that we do not know are skipped. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/wire.h"

#include <math.h>

/* ---- the request ---- */

static void write_blocks_signed(struct buf *out, struct str message, const cJSON *root)
{
    const char *separator = "";
    char pointer[40];
    int i = 0;
    const cJSON *block;
    struct str raw;

    buf_puts(out, "{\"role\":");
    json_quote(out, str_of(json_str(root, "role", "user")));
    buf_puts(out, ",\"content\":[");
    cJSON_ArrayForEach (block, json_get(root, "content")) {
        bool thinking = strcmp(json_str(block, "type", ""), "thinking") == 0;

        snprintf(pointer, sizeof(pointer), "/content/%d", i++);
        if ((thinking && json_str(block, "signature", "")[0] == '\0') ||
            json_raw(message, pointer, &raw) != 0)
            continue;
        buf_puts(out, separator);
        buf_str(out, raw);
        separator = ",";
    }
    buf_puts(out, "]}");
}

/* Thinking that another provider did has no signature and would be refused: it is left out. Any
 * other message keeps its bytes. */
static void write_message(struct buf *out, struct str message)
{
    struct arena *a;
    cJSON *root = NULL;

    if (str_find(message, STR("\"signature\":\"\"")) < 0) {
        buf_str(out, message);
        return;
    }
    a = arena_new();
    if (json_parse(a, message, JSON_DEPTH_MAX, &root, NULL) == 0)
        write_blocks_signed(out, message, root);
    else
        buf_str(out, message);
    arena_free(a);
}

static void write_tool_choice(struct buf *out, const char *tool)
{
    if (strcmp(tool, "any") == 0) {
        buf_puts(out, ",\"tool_choice\":{\"type\":\"any\"}");
        return;
    }
    buf_puts(out, ",\"tool_choice\":{\"type\":\"tool\",\"name\":");
    json_quote(out, str_of(tool));
    buf_putc(out, '}');
}

static int build(struct buf *out, const struct llm_request *req, const struct llm_terms *terms,
                 struct err *err)
{
    buf_puts(out, "{\"model\":");
    json_quote(out, str_of(terms->model));
    if (req->system.n > 0) {
        buf_puts(out, ",\"system\":[{\"type\":\"text\",\"text\":");
        json_quote(out, req->system);
        buf_puts(out, ",\"cache_control\":{\"type\":\"ephemeral\"}}]");
    }
    if (req->tools_json.n > 0) {
        buf_puts(out, ",\"tools\":");
        buf_str(out, req->tools_json);
    }
    buf_puts(out, ",\"stream\":true,\"messages\":[");
    for (int i = 0; i < req->message_count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        write_message(out, req->messages[i]);
    }
    buf_printf(out, "],\"max_tokens\":%" PRId64, terms->max_tokens);
    if (!isnan(terms->temperature))
        buf_printf(out, ",\"temperature\":%.6g", terms->temperature);
    if (req->force_tool != NULL)
        write_tool_choice(out, req->force_tool);
    buf_puts(out, ",\"cache_control\":{\"type\":\"ephemeral\"}}");
    return buf_check(out, err);
}

/* ---- the answer ---- */

static const char *const stop_reasons[] = {"end_turn",      "tool_use",   "max_tokens",
                                           "stop_sequence", "pause_turn", "refusal"};

static void take_stop_reason(struct answer *ans, const char *reason)
{
    if (reason == NULL)
        return;
    ans->stop_reason = strstr(reason, "window") != NULL ? "max_tokens" : "end_turn";
    for (size_t i = 0; i < ARRAY_LEN(stop_reasons); i++)
        if (strcmp(reason, stop_reasons[i]) == 0)
            ans->stop_reason = stop_reasons[i];
}

/* The counts of message_delta are cumulative: the last one holds. */
static void take_usage(struct answer *ans, const cJSON *usage)
{
    ans->input_tokens = json_i64(usage, "input_tokens", ans->input_tokens);
    ans->output_tokens = json_i64(usage, "output_tokens", ans->output_tokens);
    ans->cache_read_tokens = json_i64(usage, "cache_read_input_tokens", ans->cache_read_tokens);
    ans->cache_write_tokens =
        json_i64(usage, "cache_creation_input_tokens", ans->cache_write_tokens);
}

static const struct {
    const char *type;
    int status;
} error_types[] = {
    {"api_error", 500},         {"authentication_error", 401},
    {"billing_error", 402},     {"invalid_request_error", 400},
    {"not_found_error", 404},   {"overloaded_error", 529},
    {"permission_error", 403},  {"rate_limit_error", 429},
    {"request_too_large", 413}, {"timeout_error", 504},
};

static void take_error(struct answer *ans, const cJSON *error)
{
    const char *type = json_str(error, "type", "");
    int status = 500;

    for (size_t i = 0; i < ARRAY_LEN(error_types); i++)
        if (strcmp(type, error_types[i].type) == 0)
            status = error_types[i].status;
    failure_set(&ans->failure, status, str_of(json_str(error, "message", type)));
}

static char *dup_str(const cJSON *obj, const char *key)
{
    const char *s = json_str(obj, key, NULL);

    return s == NULL ? NULL : xstrdup(s);
}

static int index_of(const cJSON *e)
{
    int64_t i = json_i64(e, "index", -1);

    return i < 0 || i > INT32_MAX ? -1 : (int)i;
}

/* A block as it stands in an answer or at its start in a stream; raw: its JSON text. */
static void take_block(struct answer *ans, const cJSON *block, int key, struct str raw)
{
    static const struct {
        const char *type, *text;
        enum block_kind kind;
    } kinds[] = {
        {"text", "text", BLOCK_TEXT},
        {"thinking", "thinking", BLOCK_THINKING},
        {"redacted_thinking", "data", BLOCK_REDACTED},
        {"tool_use", "", BLOCK_TOOL},
    };
    const char *type = json_str(block, "type", "");
    struct answer_block *b = NULL;
    struct str input;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(type, kinds[i].type) == 0 && (b = answer_open(ans, kinds[i].kind, key)) != NULL)
            answer_add(ans, b, str_of(json_str(block, kinds[i].text, "")));
    if (b == NULL)
        return;
    answer_sign(ans, b, str_of(json_str(block, "signature", "")));
    if (b->kind != BLOCK_TOOL)
        return;
    b->id = dup_str(block, "id");
    b->name = dup_str(block, "name");
    if (json_raw(raw, "/input", &input) == 0 && !str_eq(input, STR("{}")) &&
        !str_eq(input, STR("null")))
        answer_add(ans, b, input);
}

static void on_message_start(struct answer *ans, const cJSON *e, struct str raw)
{
    const cJSON *message = json_get(e, "message");

    (void)raw;
    answer_model(ans, json_str(message, "model", NULL));
    take_usage(ans, json_get(message, "usage"));
}

static void on_block_start(struct answer *ans, const cJSON *e, struct str raw)
{
    struct str block = STR("{}");

    if (json_raw(raw, "/content_block", &block) == 0)
        take_block(ans, json_get(e, "content_block"), index_of(e), block);
}

static void on_block_delta(struct answer *ans, const cJSON *e, struct str raw)
{
    static const struct {
        const char *type, *text;
        enum block_kind kind;
    } deltas[] = {
        {"text_delta", "text", BLOCK_TEXT},
        {"thinking_delta", "thinking", BLOCK_THINKING},
        {"input_json_delta", "partial_json", BLOCK_TOOL},
    };
    struct answer_block *b = answer_find(ans, index_of(e));
    const cJSON *delta = json_get(e, "delta");
    const char *type = json_str(delta, "type", "");

    (void)raw;
    if (b == NULL || b->closed)
        return;
    for (size_t i = 0; i < ARRAY_LEN(deltas); i++)
        if (b->kind == deltas[i].kind && strcmp(type, deltas[i].type) == 0)
            answer_add(ans, b, str_of(json_str(delta, deltas[i].text, "")));
    if (strcmp(type, "signature_delta") == 0)
        answer_sign(ans, b, str_of(json_str(delta, "signature", "")));
}

static void on_block_stop(struct answer *ans, const cJSON *e, struct str raw)
{
    struct answer_block *b = answer_find(ans, index_of(e));

    (void)raw;
    if (b != NULL)
        b->closed = true;
}

static void on_message_delta(struct answer *ans, const cJSON *e, struct str raw)
{
    (void)raw;
    take_stop_reason(ans, json_str(json_get(e, "delta"), "stop_reason", NULL));
    take_usage(ans, json_get(e, "usage"));
}

static void on_message_stop(struct answer *ans, const cJSON *e, struct str raw)
{
    (void)e;
    (void)raw;
    ans->complete = true;
}

static void on_error(struct answer *ans, const cJSON *e, struct str raw)
{
    (void)raw;
    take_error(ans, json_get(e, "error"));
}

static const struct {
    const char *type;
    void (*fn)(struct answer *ans, const cJSON *e, struct str raw);
} events[] = {
    {"content_block_delta", on_block_delta}, {"content_block_start", on_block_start},
    {"content_block_stop", on_block_stop},   {"error", on_error},
    {"message_delta", on_message_delta},     {"message_start", on_message_start},
    {"message_stop", on_message_stop},
};

/* The event's name and the type inside its JSON are the same; some servers send only one. */
static bool on_event(void *arg, const struct sse_event *e)
{
    struct answer *ans = arg;
    cJSON *root = NULL;
    bool named = false;
    const char *type;

    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        named = named || str_eqz(e->type, events[i].type);
    if ((!named && !str_eqz(e->type, "message")) || ans->complete)
        return true;
    arena_reset(ans->scratch);
    if (json_parse(ans->scratch, e->data, JSON_DEPTH_MAX, &root, &ans->err) != 0) {
        ans->err.code = ERR_PROTOCOL;
        return false;
    }
    type = json_str(root, "type", named ? arena_strndup(ans->scratch, e->type.p, e->type.n) : "");
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (strcmp(type, events[i].type) == 0)
            events[i].fn(ans, root, e->data);
    return ans->err.code == 0 && ans->failure.status == 0;
}

static void on_whole(struct answer *ans, struct str body)
{
    cJSON *root = NULL;
    const cJSON *block;
    char pointer[40];
    int i = 0;

    if (json_parse(ans->scratch, body, JSON_DEPTH_MAX, &root, &ans->err) != 0) {
        ans->err.code = ERR_PROTOCOL;
        return;
    }
    if (json_get(root, "error") != NULL) {
        take_error(ans, json_get(root, "error"));
        return;
    }
    answer_model(ans, json_str(root, "model", NULL));
    take_usage(ans, json_get(root, "usage"));
    take_stop_reason(ans, json_str(root, "stop_reason", NULL));
    cJSON_ArrayForEach (block, json_get(root, "content")) {
        struct str raw = STR("{}");
        struct answer_block *b;

        snprintf(pointer, sizeof(pointer), "/content/%d", i);
        if (json_raw(body, pointer, &raw) == 0)
            take_block(ans, block, i, raw);
        if ((b = answer_find(ans, i)) != NULL)
            b->closed = true;
        i++;
    }
    ans->complete = ans->stop_reason != NULL;
}

const struct llm_wire llm_anthropic = {
    .name = "anthropic",
    .official_url = "https://api.anthropic.com",
    .path = "/messages",
    .auth = "x-api-key: ",
    .version = "anthropic-version: 2023-06-01",
    .build = build,
    .on_event = on_event,
    .on_whole = on_whole,
};
