/* The Messages API: recorded streams cut at every place, and the bytes of requests. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "tests/unit/libcommon/llm/wire_test.h"

static const struct stream_case streams[] = {
    {.file = "anthropic_text.sse",
     .content = "[{\"type\":\"text\",\"text\":\"Hello, 世界 😀 \\\"q\\\"\\n\"}]",
     .stop = "end_turn",
     .in = 25,
     .out = 15,
     .read = 1000,
     .write = 100,
     .streamed = "T0:Hello, 世界 😀 \"q\"\n"},
    {.file = "anthropic_blocks.sse",
     .content = "[{\"type\":\"thinking\",\"thinking\":\"First compare.\",\"signature\":"
                "\"EqQBCgIYAhIM/+==\"},"
                "{\"type\":\"redacted_thinking\",\"data\":\"EmwKAhgB\"},"
                "{\"type\":\"text\",\"text\":\"I need figures.\"},"
                "{\"type\":\"tool_use\",\"id\":\"toolu_01A\",\"name\":\"calculator\",\"input\":"
                "{\"expression\": \"1234567890123456789 * 2\", \"big\": 1234567890123456789, "
                "\"e\": \"\\ud83d\\ude00\", \"s\": 1.10}},"
                "{\"type\":\"tool_use\",\"id\":\"toolu_01B\",\"name\":\"ask_human\",\"input\":{}},"
                "{\"type\":\"tool_use\",\"id\":\"call_~\",\"name\":\"calculator\",\"input\":"
                "{\"expression\":\"2+2\"}}]",
     .stop = "tool_use",
     .in = 12,
     .out = 89,
     .read = 0,
     .write = -1},
    {.file = "anthropic_error.sse", .failure = 529, .message = "Overloaded"},
    {.file = "anthropic_max_tokens.sse",
     .content = "[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"a\",\"input\":{\"x\":1}}]",
     .stop = "max_tokens",
     .in = 10,
     .out = 50,
     .read = -1,
     .write = -1},
    {.file = "anthropic_bad_input.sse",
     .content =
         "[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"a\",\"input\":{\"invalid_json\":"
         "\"{\\\"x\\\": oops}\"}},"
         "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"b\",\"input\":{\"invalid_json\":\"[1]\"}}"
         "]",
     .stop = "tool_use",
     .in = 10,
     .out = 50,
     .read = -1,
     .write = -1},
    {.file = "anthropic_cut.sse", .streamed = "T0:cut"},
};

static void test_anthropic__streams_do_not_depend_on_the_cuts(void **state)
{
    (void)state;
    check_streams(&llm_anthropic, streams, ARRAY_LEN(streams));
}

static void test_anthropic__a_whole_answer_is_read_too(void **state)
{
    static const struct stream_case whole = {
        .file = "anthropic_whole.json",
        .content = "[{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"sig\"},"
                   "{\"type\":\"text\",\"text\":\"Hi\"},"
                   "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"calculator\",\"input\":"
                   "{\"n\": 12345678901234567890}}]",
        .stop = "tool_use",
        .in = 3,
        .out = 4,
        .read = -1,
        .write = -1};

    (void)state;
    check_whole(&llm_anthropic, &whole);
}

static void test_anthropic__a_request_begins_with_the_bytes_of_the_one_before(void **state)
{
    struct arena *a = arena_new();
    struct llm_terms t = {.base_url = "", .model = "m", .max_tokens = 100, .temperature = NAN};
    struct str messages[] = {
        STR("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}"),
        STR("{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
            "\"c\",\"input\":{\"n\":12345678901234567890}}]}"),
        STR("{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\","
            "\"content\":\"4\"}]}"),
    };
    struct llm_request req = {.system = STR("Be \"brief\"."),
                              .tools_json = STR("[{\"name\":\"c\",\"input_schema\":{}}]"),
                              .messages = messages,
                              .message_count = 1};
    struct str first = built(&llm_anthropic, a, &req, &t), second;

    (void)state;
    assert_string_equal(
        first.p, "{\"model\":\"m\",\"system\":[{\"type\":\"text\",\"text\":\"Be \\\"brief\\\".\","
                 "\"cache_control\":{\"type\":\"ephemeral\"}}],\"tools\":[{\"name\":\"c\","
                 "\"input_schema\":{}}],\"stream\":true,\"messages\":[{\"role\":\"user\","
                 "\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}],\"max_tokens\":100,"
                 "\"cache_control\":{\"type\":\"ephemeral\"}}");
    req.message_count = 3;
    req.force_tool = "c";
    t.max_tokens = 200;
    t.temperature = 0.2;
    second = built(&llm_anthropic, a, &req, &t);
    first.n = (size_t)str_find(first, STR("],\"max_tokens\""));
    assert_true(str_starts(second, first));
    assert_true(str_find(second, STR("12345678901234567890")) > 0);
    assert_true(str_find(second, STR("\"max_tokens\":200,\"temperature\":0.2,\"tool_choice\":{"
                                     "\"type\":\"tool\",\"name\":\"c\"}")) > 0);
    arena_free(a);
}

static void test_anthropic__thinking_of_others_is_left_out(void **state)
{
    struct arena *a = arena_new();
    struct llm_terms t = {.base_url = "", .model = "m", .max_tokens = 1, .temperature = NAN};
    struct str messages[] = {
        STR("{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"x\","
            "\"signature\":\"\"},{\"type\":\"thinking\",\"thinking\":\"y\",\"signature\":\"s\"},"
            "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"c\",\"input\":{\"n\":1.50}}]}")};
    struct llm_request req = {.messages = messages, .message_count = 1};

    (void)state;
    assert_true(
        str_find(built(&llm_anthropic, a, &req, &t),
                 STR("[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
                     "\"y\",\"signature\":\"s\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
                     "\"c\",\"input\":{\"n\":1.50}}]}]")) > 0);
    arena_free(a);
}

static const struct {
    const char *base, *url;
} urls[] = {
    {"", "https://api.anthropic.com/v1/messages"},
    {"http://127.0.0.1:4010", "http://127.0.0.1:4010/v1/messages"},
    {"http://127.0.0.1:4010/", "http://127.0.0.1:4010/v1/messages"},
    {"http://h/v1/", "http://h/v1/messages"},
    {"http://h/anthropic", "http://h/anthropic/v1/messages"},
};

static void test_anthropic__base_urls_with_and_without_version(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        assert_string_equal(llm_url(a, &llm_anthropic, urls[i].base), urls[i].url);
    arena_free(a);
}

static const struct {
    const char *body, *words;
} bodies[] = {
    {"{\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"max_tokens: too large\"}}",
     "max_tokens: too large"},
    {"{\"error\":{\"message\":\"Incorrect API key provided: sk-proj-abcd1234.\"}}",
     "Incorrect API key provided: sk-***."},
    {"{\"error\":\"model not found\"}", "model not found"},
    {"{\"object\":\"error\",\"message\":\"too long\"}", "too long"},
    {"{\"detail\":\"Not Found\"}", "Not Found"},
    {"  upstream connect error\n\tor disconnect ", "upstream connect error  or disconnect"},
    {"", ""},
};

static void test_anthropic__error_bodies_of_any_shape(void **state)
{
    struct llm_failure f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        failure_of_body(&f, 400, str_of(bodies[i].body));
        assert_string_equal(f.message, bodies[i].words);
        assert_int_equal(f.status, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anthropic__streams_do_not_depend_on_the_cuts),
        cmocka_unit_test(test_anthropic__a_whole_answer_is_read_too),
        cmocka_unit_test(test_anthropic__a_request_begins_with_the_bytes_of_the_one_before),
        cmocka_unit_test(test_anthropic__thinking_of_others_is_left_out),
        cmocka_unit_test(test_anthropic__base_urls_with_and_without_version),
        cmocka_unit_test(test_anthropic__error_bodies_of_any_shape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
