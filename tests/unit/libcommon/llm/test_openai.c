/* Chat completions: recorded streams cut at every place, and canonical messages in translation. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "tests/unit/libcommon/llm/wire_test.h"

static const struct stream_case streams[] = {
    {.file = "openai_text.sse",
     .content = "[{\"type\":\"text\",\"text\":\"Hello 世界 😀\"}]",
     .stop = "end_turn",
     .in = 20,
     .out = 7,
     .read = 100,
     .write = -1,
     .streamed = "T0:Hello 世界 😀"},
    {.file = "openai_tools.sse",
     .content = "[{\"type\":\"tool_use\",\"id\":\"call_a\",\"name\":\"calculator\",\"input\":"
                "{\"expression\":\"1+1\",\"n\":1234567890123456789}},"
                "{\"type\":\"tool_use\",\"id\":\"call_b\",\"name\":\"forecast\",\"input\":{}}]",
     .stop = "tool_use",
     .in = -1,
     .out = -1,
     .read = -1,
     .write = -1,
     .streamed = "J0:{\"expression\":\"1+1\",\"n\":1234567890123456789} J1:{}"},
    {.file = "openai_loose.sse",
     .content = "[{\"type\":\"text\",\"text\":\"Let me see.\"},"
                "{\"type\":\"tool_use\",\"id\":\"x1\",\"name\":\"calculator\",\"input\":"
                "{\"expression\":\"2\"}},"
                "{\"type\":\"tool_use\",\"id\":\"x2\",\"name\":\"calculator\",\"input\":"
                "{\"expression\":\"3\"}}]",
     .stop = "tool_use",
     .in = -1,
     .out = -1,
     .read = -1,
     .write = -1},
    {.file = "openai_reasoning.sse",
     .content = "[{\"type\":\"thinking\",\"thinking\":\"Hmm, yes.\",\"signature\":\"\"},"
                "{\"type\":\"text\",\"text\":\"Yes.\"}]",
     .stop = "max_tokens",
     .in = 5,
     .out = 6,
     .read = -1,
     .write = -1,
     .streamed = "H0:Hmm, yes. T1:Yes."},
    {.file = "openai_error.sse", .failure = 503, .message = "engine died"},
    {.file = "openai_cut.sse", .streamed = "T0:cut"},
};

static void test_openai__streams_do_not_depend_on_the_cuts(void **state)
{
    (void)state;
    check_streams(&llm_openai, streams, ARRAY_LEN(streams));
}

static void test_openai__a_whole_answer_is_read_too(void **state)
{
    static const struct stream_case whole = {
        .file = "openai_whole.json",
        .content = "[{\"type\":\"text\",\"text\":\"Hi\"},"
                   "{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"calculator\",\"input\":"
                   "{\"n\": 12345678901234567890}}]",
        .stop = "tool_use",
        .in = 3,
        .out = 4,
        .read = -1,
        .write = -1};

    (void)state;
    check_whole(&llm_openai, &whole);
}

/* Each canonical message and what it becomes. */
static const struct {
    const char *canonical, *translated;
} messages[] = {
    {"{\"role\":\"user\",\"content\":\"plain\"}", "{\"role\":\"user\",\"content\":\"plain\"}"},
    {"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
     "\"text\":\"b\"}]}",
     "{\"role\":\"user\",\"content\":\"a\\n\\nb\"}"},
    {"{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":"
     "\"s\"},{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"n\","
     "\"input\":{\"x\": 12345678901234567890}},{\"type\":\"tool_use\",\"id\":\"j\",\"name\":\"m\","
     "\"input\":{}}]}",
     "{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"id\":\"i\",\"type\":"
     "\"function\",\"function\":{\"name\":\"n\",\"arguments\":\"{\\\"x\\\": "
     "12345678901234567890}\"}},{\"id\":\"j\",\"type\":\"function\",\"function\":{\"name\":\"m\","
     "\"arguments\":\"{}\"}}]}"},
    {"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"i\",\"name\":\"n\","
     "\"input\":{}}]}",
     "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"i\",\"type\":\"function\","
     "\"function\":{\"name\":\"n\",\"arguments\":\"{}\"}}]}"},
    {"{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":"
     "\"s\"}]}",
     "{\"role\":\"assistant\",\"content\":\"\"}"},
    {"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"i\",\"content\":"
     "\"4\"},{\"type\":\"tool_result\",\"tool_use_id\":\"j\",\"is_error\":true,\"content\":[{"
     "\"type\":\"text\",\"text\":\"no\"}]},{\"type\":\"text\",\"text\":\"go on\"}]}",
     "{\"role\":\"tool\",\"tool_call_id\":\"i\",\"content\":\"4\"},{\"role\":\"tool\","
     "\"tool_call_id\":\"j\",\"content\":\"The tool failed: no\"},{\"role\":\"user\",\"content\":"
     "\"go on\"}"},
    {"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"i\"}]}",
     "{\"role\":\"tool\",\"tool_call_id\":\"i\",\"content\":\"\"}"},
};

static void test_openai__messages_in_translation(void **state)
{
    struct llm_terms t = {
        .base_url = "http://h/v1", .model = "m", .max_tokens = 9, .temperature = NAN};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct arena *a = arena_new();
        struct str message = str_of(messages[i].canonical);
        struct llm_request req = {.messages = &message, .message_count = 1};

        assert_string_equal(
            built(&llm_openai, a, &req, &t).p,
            arena_printf(a,
                         "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":"
                         "true},\"messages\":[%s],\"max_tokens\":9}",
                         messages[i].translated));
        arena_free(a);
    }
}

static void test_openai__tools_and_what_changes_stand_in_their_places(void **state)
{
    struct arena *a = arena_new();
    struct llm_terms t = {
        .base_url = "https://api.openai.com/v1", .model = "m", .max_tokens = 9, .temperature = 0.5};
    struct llm_request req = {
        .system = STR("s"),
        .tools_json = STR("[{\"name\":\"c\",\"description\":\"d\",\"input_schema\":{\"type\":"
                          "\"object\",\"maximum\":1.0}}]"),
        .force_tool = "c"};

    (void)state;
    assert_string_equal(
        built(&llm_openai, a, &req, &t).p,
        "{\"model\":\"m\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"c\","
        "\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"maximum\":1.0}}}],"
        "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[{\"role\":"
        "\"system\",\"content\":\"s\"}],\"max_completion_tokens\":9,\"temperature\":0.5,"
        "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"c\"}}}");
    arena_free(a);
}

static void test_openai__a_message_that_is_no_json_is_an_error(void **state)
{
    struct llm_terms t = {.base_url = "", .model = "m", .max_tokens = 9, .temperature = NAN};
    struct str message = STR("{\"role\":");
    struct llm_request req = {.messages = &message, .message_count = 1};
    struct buf b;

    (void)state;
    buf_init(&b, LLM_REQUEST_MAX);
    assert_int_equal(llm_openai.build(&b, &req, &t, NULL), ERR_INVALID);
    buf_done(&b);
}

static const struct {
    const char *base, *url;
} urls[] = {
    {"", "https://api.openai.com/v1/chat/completions"},
    {"http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"},
    {"http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"},
    {"http://h/openai/deployments/x/", "http://h/openai/deployments/x/chat/completions"},
};

static void test_openai__base_urls_with_and_without_version(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        assert_string_equal(llm_url(a, &llm_openai, urls[i].base), urls[i].url);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openai__streams_do_not_depend_on_the_cuts),
        cmocka_unit_test(test_openai__a_whole_answer_is_read_too),
        cmocka_unit_test(test_openai__messages_in_translation),
        cmocka_unit_test(test_openai__tools_and_what_changes_stand_in_their_places),
        cmocka_unit_test(test_openai__a_message_that_is_no_json_is_an_error),
        cmocka_unit_test(test_openai__base_urls_with_and_without_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
