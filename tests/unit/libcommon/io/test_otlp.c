/* Against a collector in this process: our own HTTP server on a free port of the loopback. */
#include "libcommon/base/compat.h"
#include "libcommon/io/otlp.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/trace.h"
#include "libcommon/io/http_client.h"
#include "libcommon/io/http_server.h"
#include <setjmp.h>
#include <cmocka.h>

static struct collector {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    struct otlp *otlp;
    struct arena *arena;
    int status, requests, spans;
    char names[512]; /* of the spans, in order */
    cJSON *last;
} c;

static void on_request(struct http_req *req, void *arg)
{
    cJSON *root, *span;

    (void)arg;
    assert_true(str_eqz(req->path, "/v1/traces"));
    assert_true(str_eqz(http_req_header(req, "content-type"), "application/json"));
    assert_int_equal(json_parse(c.arena, req->body, 32, &root, NULL), 0);
    c.last = root;
    c.requests++;
    cJSON_ArrayForEach (span, json_at(root, "/resourceSpans/0/scopeSpans/0/spans")) {
        size_t n = strlen(c.names);

        snprintf(c.names + n, sizeof c.names - n, "%s ", json_str(span, "name", "?"));
        c.spans++;
    }
    http_reply(req, c.status, NULL, STR("{}"));
}

static void start(double sample, int64_t slow_us)
{
    struct http_server_options server = {.host = "127.0.0.1"};
    struct http_client_options client = {.max_connections = 2, .max_host_connections = 2};
    struct http_handler handler = {.on_request = on_request};
    struct otlp_options opt = {
        .service = "ceoagent-test", .instance = "pod-1", .sample = sample, .slow_us = slow_us};
    char endpoint[64];

    metrics_reset();
    c = (struct collector){.loop = loop_new(), .arena = arena_new(), .status = 200};
    assert_int_equal(http_server_new(c.loop, &server, &handler, &c.server, NULL), 0);
    assert_int_equal(http_client_new(c.loop, &client, &c.client, NULL), 0);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d/", http_server_port(c.server));
    opt.endpoint = endpoint;
    c.otlp = otlp_new(c.loop, c.client, &opt);
}

static bool is_idle(void *arg)
{
    (void)arg;
    return otlp_idle(c.otlp);
}

static void flush(void)
{
    otlp_flush(c.otlp);
    assert_true(loop_until(c.loop, is_idle, NULL, 5000));
}

static int stop(void **state)
{
    (void)state;
    otlp_free(c.otlp);
    http_client_free(c.client);
    http_server_free(c.server);
    loop_free(c.loop);
    arena_free(c.arena);
    metrics_reset();
    return 0;
}

static double counted(const char *status)
{
    return metric_value(M_TRACES, status, NULL, NULL);
}

static void test_otlp__spans_arrive_as_the_protocol_has_them(void **state)
{
    struct span root, child;
    const cJSON *span;

    (void)state;
    start(1, 0);
    span_start_root(&root, NULL, "request", SPAN_SERVER);
    span_start(&child, &root.context, "llm_call", SPAN_CLIENT);
    span_set_i64(&child, "llm.tokens", 7);
    span_fail(&child, "no \"answer\"");
    span_end(&child);
    span_end(&root);
    flush();
    assert_string_equal(c.names, "llm_call request ");
    assert_int_equal(c.requests, 1);
    assert_true(counted("exported") == 2);
    assert_string_equal(json_str(json_at(c.last, "/resourceSpans/0/resource/attributes/0/value"),
                                 "stringValue", ""),
                        "ceoagent-test");
    span = json_at(c.last, "/resourceSpans/0/scopeSpans/0/spans/0");
    assert_int_equal(strlen(json_str(span, "traceId", "")), 32);
    assert_int_equal(strlen(json_str(span, "parentSpanId", "")), 16);
    assert_int_equal(json_i64(span, "kind", 0), 3);
    assert_int_equal(json_i64(json_get(span, "status"), "code", 0), 2);
    assert_string_equal(json_str(json_get(span, "status"), "message", ""), "no \"answer\"");
    assert_string_equal(json_str(json_at(span, "/attributes/0"), "key", ""), "llm.tokens");
    assert_int_equal(strlen(json_str(span, "startTimeUnixNano", "")), 19);
    assert_null(json_at(c.last, "/resourceSpans/0/scopeSpans/0/spans/1/parentSpanId"));
}

static void run_trace(const char *name, bool fail_inner, bool fail_root)
{
    struct span root, early, late;

    span_start_root(&root, NULL, name, SPAN_SERVER);
    span_start(&early, &root.context, "early", SPAN_INTERNAL);
    span_end(&early);
    span_start(&late, &root.context, "late", SPAN_INTERNAL);
    if (fail_inner)
        span_fail(&late, "x");
    span_end(&late);
    if (fail_root)
        span_fail(&root, "x");
    span_end(&root);
}

static void test_otlp__failed_traces_are_kept_whole(void **state)
{
    (void)state;
    start(0, 0);
    run_trace("good", false, false);
    run_trace("inner", true, false);
    run_trace("root", false, true);
    flush();
    assert_string_equal(c.names, "early late inner early late root ");
    assert_true(counted("dropped") == 0); /* not being sampled is no loss */
}

static int64_t now_us = 1000000;

static int64_t fake_mono(void)
{
    return now_us;
}

static void test_otlp__slow_traces_are_kept(void **state)
{
    struct span root, child;

    (void)state;
    start(0, 500000);
    clock_replace(fake_mono, NULL);
    run_trace("fast", false, false);
    span_start_root(&root, NULL, "slow", SPAN_SERVER);
    span_start(&child, &root.context, "child", SPAN_INTERNAL);
    span_end(&child);
    now_us += 500000;
    span_end(&root);
    clock_replace(NULL, NULL);
    flush();
    assert_string_equal(c.names, "child slow ");
}

static void test_otlp__the_callers_flag_is_kept(void **state)
{
    struct trace_context peer = trace_new();
    struct span root;

    (void)state;
    start(0, 0);
    peer.sampled = true;
    span_start_root(&root, &peer, "asked", SPAN_SERVER);
    span_end(&root);
    flush();
    assert_string_equal(c.names, "asked ");
}

static bool has_full_batch(void *arg)
{
    (void)arg;
    return c.requests > 0;
}

static void test_otlp__full_batches_go_at_once_and_the_queue_is_bounded(void **state)
{
    (void)state;
    start(1, 0);
    for (int i = 0; i < 1000; i++)
        run_trace("r", false, false); /* 3000 spans, 2048 fit */
    assert_true(counted("dropped") == 3000 - 2048);
    assert_true(loop_until(c.loop, has_full_batch, NULL, 1500)); /* before the pause of 2 s */
    flush();
    assert_int_equal(c.spans, 2048);
    assert_int_equal(c.requests, 8);
    assert_true(counted("exported") == 2048);
}

static void test_otlp__what_waits_for_its_root_is_bounded(void **state)
{
    struct trace_context root;
    struct span s;

    (void)state;
    start(0, 0);
    for (int i = 0; i < 5000; i++) {
        root = trace_new();
        span_start(&s, &root, "orphan", SPAN_INTERNAL);
        span_end(&s);
    }
    assert_true(counted("dropped") == 5000 - 4096);
    root = trace_new();
    for (int i = 0; i < 200; i++) {
        span_start(&s, &root, "many", SPAN_INTERNAL);
        span_end(&s);
    }
    assert_true(otlp_idle(c.otlp));
}

static void test_otlp__a_refused_batch_is_dropped_and_a_busy_collector_is_asked_again(void **state)
{
    (void)state;
    start(1, 0);
    c.status = 400;
    run_trace("r", false, false);
    flush();
    assert_true(counted("dropped") == 3);
    stop(state);
    start(1, 0);
    c.status = 503;
    for (int i = 0; i < 100; i++)
        run_trace("r", false, false);
    assert_true(loop_until(c.loop, has_full_batch, NULL, 1500));
    (void)loop_until(c.loop, is_idle, NULL, 100); /* the answer is read, the pause goes on */
    assert_false(otlp_idle(c.otlp));
    assert_true(counted("dropped") == 0);
    c.status = 200;
    flush();
    assert_true(counted("exported") == 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_otlp__spans_arrive_as_the_protocol_has_them, stop),
        cmocka_unit_test_teardown(test_otlp__failed_traces_are_kept_whole, stop),
        cmocka_unit_test_teardown(test_otlp__slow_traces_are_kept, stop),
        cmocka_unit_test_teardown(test_otlp__the_callers_flag_is_kept, stop),
        cmocka_unit_test_teardown(test_otlp__full_batches_go_at_once_and_the_queue_is_bounded,
                                  stop),
        cmocka_unit_test_teardown(test_otlp__what_waits_for_its_root_is_bounded, stop),
        cmocka_unit_test_teardown(
            test_otlp__a_refused_batch_is_dropped_and_a_busy_collector_is_asked_again, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
