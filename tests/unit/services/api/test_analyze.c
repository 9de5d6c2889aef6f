/* The bodies of the analyze endpoints; the long table of refusals is in tests/blackbox. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "services/api/analyze.h"

static const struct analyze_limits limits = {40, 900, 400000, 5};

static int read(struct arena *a, const char *text, enum analyze_form form, struct analyze *out,
                struct fault *f)
{
    cJSON *body = NULL;
    struct err err;

    assert_int_equal(json_parse(a, str_of(text), JSON_DEPTH_MAX, &body, &err), 0);
    return analyze_read(a, str_of(text), body, form, &limits, out, f);
}

static void test_analyze__fills_the_defaults(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct analyze in;
    struct fault f;

    assert_int_equal(read(a, "{\"query\":\" \\u3000Buy it?\\n\"}", FORM_LONG, &in, &f), 0);
    assert_string_equal(in.query, "Buy it?");
    assert_string_equal(in.type, "general");
    assert_string_equal(in.mode, "sync");
    assert_string_equal(in.agent_mode, "auto");
    assert_true(in.include_analysis);
    assert_false(in.has_session);
    assert_null(in.context.p);
    assert_true(str_eq(in.params, STR("{\"include_analysis\":true}")));
    arena_free(a);
}

static void test_analyze__keeps_the_context_byte_by_byte(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct analyze in;
    struct fault f;

    assert_int_equal(read(a,
                          "{\"query\":\"x\",\"context\": {\"n\": 12345678901234567890, \"e\":[]} }",
                          FORM_LONG, &in, &f),
                     0);
    assert_true(str_eq(in.context, STR("{\"n\": 12345678901234567890, \"e\":[]}")));
    arena_free(a);
}

static void test_analyze__counts_characters_not_bytes(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct analyze in;
    struct fault f;
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"query\":\"");
    for (int i = 0; i < 10000; i++)
        buf_puts(&b, "\xe6\xb1\x89");
    buf_puts(&b, "\"}");
    assert_int_equal(read(a, b.p, FORM_LONG, &in, &f), 0);
    assert_int_equal(read(a, b.p, FORM_SHORT, &in, &f), -1);
    assert_string_equal(f.message, "query exceeds maximum length");
    buf_done(&b);
    arena_free(a);
}

static void test_analyze__the_alias_stands_in(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct analyze in;
    struct fault f;

    assert_int_equal(read(a,
                          "{\"query\":\"x\",\"analysis_type\":\"risk\",\"conversation_id\":"
                          "\"01890000-0000-7000-8000-000000000000\"}",
                          FORM_LONG, &in, &f),
                     0);
    assert_string_equal(in.type, "risk");
    assert_true(in.has_session);
    arena_free(a);
}

static void test_analyze__a_deep_value_is_looked_at_once(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct analyze in;
    struct fault f;
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"query\":\"x\",\"context\":");
    for (int i = 0; i < 60; i++)
        buf_puts(&b, "{\"a\":");
    buf_putc(&b, '1');
    for (int i = 0; i < 61; i++)
        buf_putc(&b, '}');
    assert_int_equal(read(a, b.p, FORM_LONG, &in, &f), -1);
    assert_int_equal(f.code, API_INVALID_INPUT);
    assert_string_equal(f.reason, "too_deep");
    buf_done(&b);
    arena_free(a);
}

static void test_analyze__the_form_s_fields_become_context(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct analyze in;
    struct fault f;

    assert_int_equal(
        read(a,
             "{\"query\":\"Should we grow abroad?\",\"context\":{\"a~/b\":1.50,\"swot\":0},"
             "\"business_status\":{\"x\":1},\"strategic_goals\":[\"g\"]}",
             FORM_STRATEGY, &in, &f),
        0);
    assert_string_equal(in.type, "strategy");
    assert_true(
        str_eq(in.context, STR("{\"a~/b\":1.50,\"business_status\":{\"x\":1},"
                               "\"strategic_goals\":[\"g\"],\"time_horizon\":\"12_months\"}")));
    assert_true(str_find(in.params, STR("\"form\":\"strategy\"")) > 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_analyze__fills_the_defaults),
        cmocka_unit_test(test_analyze__keeps_the_context_byte_by_byte),
        cmocka_unit_test(test_analyze__counts_characters_not_bytes),
        cmocka_unit_test(test_analyze__the_alias_stands_in),
        cmocka_unit_test(test_analyze__a_deep_value_is_looked_at_once),
        cmocka_unit_test(test_analyze__the_form_s_fields_become_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
