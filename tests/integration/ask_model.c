/* ask_model QUESTION...: asks the providers that the environment names (PROVIDERS,
 * ANTHROPIC_BASE_URL, ...) as the agent does, each question by itself, and prints one JSON line an
 * answer. With FORCE_TOOL=name the model must call the one tool on offer. For trying real servers
 * by hand and from tests/blackbox/test_real_models.py. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/base/settings.h"
#include "libcommon/io/http_client.h"
#include "libcommon/llm/provider.h"

static const char tools[] =
    "[{\"name\":\"calculator\",\"description\":\"Computes an arithmetic expression.\","
    "\"input_schema\":{\"type\":\"object\",\"properties\":{\"expression\":{\"type\":\"string\"}},"
    "\"required\":[\"expression\"]}}]";

static struct buf streamed;

static void on_delta(struct llm_call *call, enum llm_delta kind, int block, struct str text)
{
    (void)call;
    (void)block;
    if (kind == LLM_TEXT)
        buf_str(&streamed, text);
}

static void on_attempt(struct llm_call *call, int n)
{
    (void)call;
    (void)n;
    buf_clear(&streamed);
}

static void on_done(struct op *op)
{
    *(bool *)op->arg = true;
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

static struct str question(struct arena *a, const char *text)
{
    cJSON *root = json_obj(a), *block = cJSON_CreateObject();

    json_add_str(root, "role", "user");
    cJSON_AddItemToArray(json_add_arr(root, "content"), block);
    json_add_str(block, "type", "text");
    json_add_str(block, "text", text);
    return json_print(a, root);
}

static void print_result(struct arena *a, const struct llm_call *call)
{
    const struct llm_result *r = &call->result;
    cJSON *out = json_obj(a), *content = NULL;

    json_add_str(out, "error", call->op.err.code == 0 ? NULL : api_codes[call->api_error].name);
    json_add_str(out, "message", call->op.err.msg);
    json_add_str(out, "provider_message", call->provider_message);
    json_add_num(out, "retry_after_ms", (double)call->retry_after_ms);
    json_add_str(out, "provider", r->provider);
    json_add_str(out, "model", r->model);
    json_add_str(out, "stop_reason", r->stop_reason);
    json_add_num(out, "attempts", r->attempts);
    json_add_num(out, "input_tokens", (double)r->input_tokens);
    json_add_num(out, "output_tokens", (double)r->output_tokens);
    json_add_num(out, "first_token_us", (double)r->first_token_us);
    json_add_strn(out, "streamed", buf_view(&streamed));
    if (call->op.err.code == 0 &&
        json_parse(a, r->content_json, JSON_DEPTH_MAX, &content, NULL) == 0)
        json_add_copy(out, "content", content);
    printf("%.*s\n", STR_ARG(json_print(a, out)));
    fflush(stdout);
}

static void ask(struct loop *l, struct llm_chain *chain, const char *text)
{
    struct arena *a = arena_new();
    struct str message = question(a, text);
    struct llm_request req = {.system = STR("Answer in one short sentence."),
                              .messages = &message,
                              .message_count = 1,
                              .max_tokens = 64,
                              .force_tool = getenv("FORCE_TOOL"),
                              .temperature = NAN};
    struct llm_call call = {.on_delta = on_delta, .on_attempt = on_attempt};
    bool ended = false;

    if (getenv("TOOLS") != NULL || req.force_tool != NULL)
        req.tools_json = str_of(tools);
    llm_chain_start(chain, a, &req, 120000, &call, on_done, &ended);
    if (!loop_until(l, is_set, &ended, 130000))
        abort();
    print_result(a, &call);
    arena_free(a);
}

/* What the programs need and a model call does not. */
static void fill_in(void)
{
    setenv("DATABASE_URL", "postgresql://127.0.0.1/none", 0);
    setenv("REDIS_URL", "redis://127.0.0.1:1", 0);
    setenv("ENCRYPTION_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", 0);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    struct http_client_options opt = {.max_connections = 8, .max_host_connections = 8};
    struct loop *l = loop_new();
    struct http_client *http = NULL;
    struct llm_chain *chain = NULL;
    struct err err = {0};

    fill_in();
    buf_init(&streamed, 1 << 20);
    if (settings_load(&s, CFG_AGENT, &err) != 0 || http_client_new(l, &opt, &http, &err) != 0 ||
        llm_chain_new(l, &s, http, NULL, &chain, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        ask(l, chain, argv[i]);
    llm_chain_free(chain);
    http_client_free(http);
    settings_free(&s);
    buf_done(&streamed);
    loop_free(l);
    return 0;
}
