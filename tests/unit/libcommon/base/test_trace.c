#include "libcommon/base/compat.h"
#include "libcommon/base/trace.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/err.h"
#include <setjmp.h>
#include <cmocka.h>

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void test_trace__traceparent_goes_both_ways(void **state)
{
    struct trace_context c;
    char out[TRACEPARENT_LEN + 1], id[33];

    (void)state;
    assert_int_equal(trace_parse(STR(GOOD), &c), 0);
    assert_true(c.sampled);
    assert_string_equal(trace_format(&c, out), GOOD);
    assert_string_equal(trace_id_text(&c, id), "0af7651916cd43dd8448eb211c80319c");
    assert_int_equal(
        trace_parse(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), &c), 0);
    assert_false(c.sampled);
    assert_int_equal(
        trace_parse(STR("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-09-what-comes"), &c),
        0);
    assert_true(c.sampled);
}

static void test_trace__bad_traceparents_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    struct trace_context c = {.sampled = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (trace_parse(str_of(bad[i]), &c) != ERR_INVALID)
            fail_msg("accepted: %s", bad[i]);
    assert_true(c.sampled);
}

static void test_trace__shares_are_of_the_trace_id(void **state)
{
    struct trace_context c = trace_new();
    int in = 0;

    (void)state;
    assert_true(trace_in_share(&c, 1));
    assert_false(trace_in_share(&c, 0));
    for (int i = 0; i < 2000; i++) {
        c = trace_new();
        in += trace_in_share(&c, 0.25);
    }
    assert_true(in > 350 && in < 650);
    memset(c.trace_id + 9, 0, 7);
    assert_true(trace_in_share(&c, 1e-9));
}

static struct {
    int spans;
    struct span last;
    char attributes[SPAN_ATTRIBUTES_MAX_BYTES + 1];
} seen;

static void on_span(const struct span *s, void *arg)
{
    assert_ptr_equal(arg, &seen);
    seen.spans++;
    seen.last = *s;
    snprintf(seen.attributes, sizeof seen.attributes, "%.*s", STR_ARG(buf_view(&s->attributes)));
}

static int64_t mono_us = 1000, wall_us = 5000000;

static int64_t fake_mono(void)
{
    return mono_us;
}

static int64_t fake_wall(void)
{
    return wall_us;
}

static void test_trace__a_span_reaches_the_sink_when_it_ends(void **state)
{
    struct span root = {0}, child = {0};
    struct trace_context peer;

    (void)state;
    trace_set_sink(on_span, &seen);
    clock_replace(fake_mono, fake_wall);
    assert_int_equal(trace_parse(STR(GOOD), &peer), 0);
    span_start_root(&root, &peer, "request", SPAN_SERVER);
    span_start(&child, &root.context, "llm_call", SPAN_CLIENT);
    span_set_str(&child, "llm.model", "m\"x");
    span_set_i64(&child, "llm.tokens", INT64_C(9007199254740993));
    span_set_real(&child, "share", 0.5);
    span_set_bool(&child, "ok", true);
    span_set_str(&child, "none", NULL);
    mono_us += 250;
    wall_us -= 3600000000; /* a step of the wall clock does not make a span negative */
    span_fail(&child, "no answer");
    span_end(&child);
    span_end(&child);
    clock_replace(NULL, NULL);
    assert_int_equal(seen.spans, 1);
    assert_string_equal(
        seen.attributes,
        "{\"key\":\"llm.model\",\"value\":{\"stringValue\":\"m\\\"x\"}},{\"key\":\"llm.tokens\","
        "\"value\":{\"intValue\":\"9007199254740993\"}},{\"key\":\"share\",\"value\":{"
        "\"doubleValue\":"
        "0.5}},{\"key\":\"ok\",\"value\":{\"boolValue\":true}}");
    assert_int_equal(seen.last.end_us - seen.last.start_us, 250);
    assert_true(seen.last.failed && !seen.last.local_root && seen.last.context.sampled);
    assert_string_equal(seen.last.message, "no answer");
    assert_memory_equal(seen.last.parent, root.context.span_id, SPAN_ID_LEN);
    assert_memory_equal(seen.last.context.trace_id, peer.trace_id, TRACE_ID_LEN);
    span_drop(&root);
    span_end(&root);
    assert_int_equal(seen.spans, 1);
    trace_set_sink(NULL, NULL);
}

static void test_trace__attributes_have_a_bound(void **state)
{
    struct span s = {0};
    char text[2000];

    (void)state;
    trace_set_sink(on_span, &seen);
    memset(text, 'x', sizeof text);
    text[1999] = '\0';
    span_set_str(&s, "not", "running");
    span_start_root(&s, NULL, "busy", SPAN_INTERNAL);
    assert_false(s.has_parent);
    for (int i = 0; i < 100; i++)
        span_set_str(&s, "k", text);
    span_end(&s);
    assert_true(strlen(seen.attributes) < SPAN_ATTRIBUTES_MAX_BYTES);
    assert_string_equal(seen.attributes + strlen(seen.attributes) - 4, "x\"}}");
    trace_set_sink(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace__traceparent_goes_both_ways),
        cmocka_unit_test(test_trace__bad_traceparents_are_refused),
        cmocka_unit_test(test_trace__shares_are_of_the_trace_id),
        cmocka_unit_test(test_trace__a_span_reaches_the_sink_when_it_ends),
        cmocka_unit_test(test_trace__attributes_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
