#include "libcommon/base/compat.h"
#include "libcommon/base/metrics.h"
#include <setjmp.h>
#include <cmocka.h>

static struct buf text;

static int reset(void **state)
{
    (void)state;
    metrics_reset();
    buf_done(&text);
    buf_init(&text, 1 << 20);
    return 0;
}

static const char *render(void)
{
    buf_clear(&text);
    metrics_render(&text);
    return text.p;
}

static void test_metrics__counters_and_gauges_render(void **state)
{
    (void)state;
    metric_add(M_HTTP_REQUESTS, 1, "GET", "/x", "200");
    metric_add(M_HTTP_REQUESTS, 2, "GET", "/x", "200");
    metric_set(M_CONNECTIONS, 7, NULL, NULL, NULL);
    metric_set(M_CONNECTIONS, 2.5, NULL, NULL, NULL);
    assert_non_null(strstr(render(),
                           "# TYPE http_requests_total counter\nhttp_requests_total{method="
                           "\"GET\",endpoint=\"/x\",status=\"200\"} 3\n"));
    assert_non_null(strstr(text.p, "\nactive_connections 2.5\n"));
    assert_non_null(strstr(text.p, "\nagent_runs_resumed_total 0\n")); /* there before it moves */
    assert_true(metric_value(M_HTTP_REQUESTS, "GET", "/x", "200") == 3);
    assert_true(metric_value(M_HTTP_REQUESTS, "GET", "/y", "200") == 0);
    assert_null(strstr(render(), "/y"));
}

static void test_metrics__histograms_cumulate(void **state)
{
    (void)state;
    metric_observe(M_HTTP_DURATION, 0.1, "GET", "/x", NULL);
    metric_observe(M_HTTP_DURATION, 0.3, "GET", "/x", NULL);
    metric_observe(M_HTTP_DURATION, 99, "GET", "/x", NULL);
    assert_non_null(strstr(
        render(),
        "http_request_duration_seconds_bucket{method=\"GET\",endpoint=\"/x\",le=\"0.1\"} 1\n"
        "http_request_duration_seconds_bucket{method=\"GET\",endpoint=\"/x\",le=\"0.5\"} 2\n"));
    assert_non_null(strstr(text.p, "le=\"10\"} 2\n"));
    assert_non_null(strstr(text.p, "le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text.p, "_sum{method=\"GET\",endpoint=\"/x\"} 99.4\n"));
    assert_non_null(strstr(text.p, "_count{method=\"GET\",endpoint=\"/x\"} 3\n"));
    assert_true(metric_value(M_HTTP_DURATION, "GET", "/x", NULL) == 3);
    assert_non_null(strstr(text.p, "\ndecision_confidence_bucket{le=\"0.5\"} 0\n"));
}

static void test_metrics__summaries_have_sum_and_count(void **state)
{
    (void)state;
    metric_observe(M_AGENT_DURATION, 1.5, "react", "success", NULL);
    assert_non_null(strstr(render(),
                           "agent_execution_duration_seconds_sum{agent_type=\"react\",status="
                           "\"success\"} 1.5\nagent_execution_duration_seconds_count{"));
    assert_null(strstr(text.p, "agent_execution_duration_seconds_bucket"));
}

static void test_metrics__label_values_are_escaped_and_cut(void **state)
{
    char longest[1000];

    (void)state;
    metric_add(M_RATE_LIMITED, 1, "a\"b\\c\nd\xFF", NULL, NULL);
    metric_add(M_BUDGET_EXCEEDED, 1, NULL, NULL, NULL);
    assert_non_null(
        strstr(render(), "rate_limited_total{scope=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\n"));
    assert_non_null(strstr(text.p, "budget_exceeded_total{budget=\"\"} 1\n"));
    memset(longest, 'x', sizeof longest);
    longest[999] = '\0';
    metric_add(M_RATE_LIMITED, 1, longest, NULL, NULL);
    longest[128] = '\0';
    assert_true(metric_value(M_RATE_LIMITED, longest, NULL, NULL) == 1);
}

static void test_metrics__series_have_a_cap(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < METRIC_SERIES_MAX + 50; i++) {
        snprintf(name, sizeof name, "s%d", i);
        metric_add(M_SKILLS, 1, name, "success", NULL);
    }
    assert_true(metric_value(M_SKILLS, "s999", "success", NULL) == 1);
    assert_true(metric_value(M_SKILLS, "s1000", "success", NULL) == 0);
    assert_true(metric_value(M_SKILLS, "other", "other", NULL) == 50);
    metric_add(M_SKILLS, 1, "s5", "success", NULL);
    assert_true(metric_value(M_SKILLS, "s5", "success", NULL) == 2);
}

static void set_gauge(void *arg)
{
    metric_set(M_REQUESTS, *(int *)arg, NULL, NULL, NULL);
}

static void test_metrics__gauges_are_set_at_render(void **state)
{
    int live = 5;

    (void)state;
    metrics_on_render(set_gauge, &live);
    assert_non_null(strstr(render(), "\nactive_requests 5\n"));
    live = 6;
    assert_non_null(strstr(render(), "\nactive_requests 6\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_metrics__counters_and_gauges_render, reset),
        cmocka_unit_test_setup(test_metrics__histograms_cumulate, reset),
        cmocka_unit_test_setup(test_metrics__summaries_have_sum_and_count, reset),
        cmocka_unit_test_setup(test_metrics__label_values_are_escaped_and_cut, reset),
        cmocka_unit_test_setup(test_metrics__series_have_a_cap, reset),
        cmocka_unit_test_setup(test_metrics__gauges_are_set_at_render, reset),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    reset(NULL);
    return rc;
}
