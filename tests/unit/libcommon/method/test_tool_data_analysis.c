/* test_tool_data_analysis.c: description, outliers, trend, correlation. */
#include "tests/unit/libcommon/method/tooltest.h"
#include "libcommon/method/prng.h"
#include "libcommon/method/stat.h"
#include "libcommon/method/trend.h"

#define TOOL "data_analysis"

static void test_tool_data_analysis__missing_values_are_counted_not_guessed(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[{'name':'a','values':[null,1,2,3,10,null]},"
                           "{'name':'b','values':[null]},{'name':'c','values':[4]}]}");

    near(at(out, "/series/0/n"), 4, 0);
    near(at(out, "/series/0/missing"), 2, 0);
    near(at(out, "/series/0/median"), 2.5, 0);
    near(at(out, "/series/0/mad"), 1, 0);
    near(at(out, "/series/0/q1"), 1.75, 1e-15);
    near(at(out, "/series/0/q3"), 4.75, 1e-15);
    near(at(out, "/series/0/sd"), 4.08248290463863, 1e-13);
    assert_true(cJSON_IsNull(json_at(out, "/series/1/mean")));
    assert_true(cJSON_IsNull(json_at(out, "/series/2/sd")));
    assert_string_equal(text_at(out, "/warnings/0/path"), "/series/1/mean");
    assert_string_equal(text_at(out, "/warnings/1/path"), "/series/2/sd");
}

static void test_tool_data_analysis__outliers_are_reported_with_their_place(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[{'name':'a','values':[null,5,5,5,5,5,9]}],"
                           "'outliers':{'method':'mad'}}");

    near(at(out, "/series/0/outliers/0/index"), 6, 0);
    near(at(out, "/series/0/outliers/0/score"), 4 / (1.253314 * 4 / 6), 1e-12);
    out = run(TOOL, "{'series':[{'name':'a','values':[1,2,3,4,30,-20]}],"
                    "'outliers':{'method':'iqr'}}");
    assert_int_equal(cJSON_GetArraySize(json_at(out, "/series/0/outliers")), 2);
    assert_true(at(out, "/series/0/outliers/0/score") > 1.5);
    assert_true(at(out, "/series/0/outliers/1/score") < -1.5);
    out = run(TOOL, "{'series':[{'name':'a','values':[5,5,5,5,5,5,9]}],"
                    "'outliers':{'method':'iqr'}}");
    assert_true(cJSON_IsNull(json_at(out, "/series/0/outliers/0/score")));
    assert_true(warns(out, "no_spread"));
}

static void test_tool_data_analysis__trend(void **state UNUSED)
{
    cJSON *out =
        run(TOOL, "{'series':[{'name':'a','values':[1,3,2,5,7,8,8,12,100,11]}],'trend':true}");

    near(at(out, "/series/0/trend/slope"), 10.0 / 7, 0.2);
    assert_true(at(out, "/series/0/trend/slope_low") < at(out, "/series/0/trend/slope"));
    assert_true(at(out, "/series/0/trend/slope_high") > at(out, "/series/0/trend/slope"));
    assert_true(at(out, "/series/0/trend/mann_kendall_p") < 0.001);
    out = run(TOOL, "{'series':[{'name':'a','values':[3,3,3],'times':[1,2,4]}],'trend':true}");
    near(at(out, "/series/0/trend/slope"), 0, 0);
    assert_true(cJSON_IsNull(json_at(out, "/series/0/trend/mann_kendall_p")));
    out = run(TOOL, "{'series':[{'name':'a','values':[3,4],'times':[1,1]}],'trend':true}");
    assert_null(json_at(out, "/series/0/trend"));
    assert_true(warns(out, "too_few"));
}

/* S = 8 of 10 pairs, sigma = sqrt(50/3), p = 2 (1 - Phi(7 / sigma)). */
static void test_tool_data_analysis__mann_kendall(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[{'name':'a','values':[1,2,4,3,5]}],'trend':true}");

    near(at(out, "/series/0/trend/mann_kendall_p"), 0.0864107329737, 1e-12);
}

static int no_tick(void *arg UNUSED, unsigned microseconds UNUSED)
{
    return 0;
}

/* Beyond two million pairs the slopes are counted, not listed: the same answer. */
static void test_trend__counting_agrees_with_listing(void **state UNUSED)
{
    enum { N = 2100 };
    double t[N], y[N], *slopes = xcalloc(N * (N - 1) / 2, sizeof(double));
    struct trend got;
    struct prng g;
    size_t pairs = 0;

    prng_seed(&g, 3);
    for (int i = 0; i < N; i++) {
        t[i] = floor(N * prng_uniform(&g) / 2); /* some times are there twice */
        y[i] = 0.01 * t[i] + floor(20 * prng_uniform(&g));
    }
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++)
            if (t[i] != t[j])
                slopes[pairs++] = (y[j] - y[i]) / (t[j] - t[i]);
    assert_true(pairs > 1u << 21);
    stat_sort(slopes, pairs);
    assert_int_equal(trend_fit(t, y, N, no_tick, NULL, &got), 0);
    near(got.slope, stat_quantile(slopes, pairs, 0.5), 1e-13);
    assert_true(got.low < got.slope && got.slope < got.high);
    assert_true(got.p < 1e-6);
    free(slopes);
}

static void test_tool_data_analysis__correlation(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[{'name':'a','values':[1,2,3,4,null]},{'name':'b',"
                           "'values':[1,4,9,16,2]},{'name':'c','values':[2,2,2,2,2]}],"
                           "'correlation':{'method':'spearman'}}");

    near(at(out, "/correlations/0/r"), 1, 1e-15);
    near(at(out, "/correlations/0/n"), 4, 0);
    near(at(out, "/correlations/0/p"), 0, 1e-6);
    assert_true(cJSON_IsNull(json_at(out, "/correlations/1/r")));
    assert_string_equal(text_at(out, "/correlations/2/a"), "b");
    assert_true(warns(out, "no_variance") && warns(out, "many_comparisons"));
    refuses(TOOL,
            "{'series':[{'name':'a','values':[1,2]},{'name':'b','values':[1]}],'correlation':{"
            "'method':'pearson'}}",
            "dimension_mismatch", "/series/1/values");
    refuses(TOOL, "{'series':[{'name':'a','values':[1,2],'times':[1]}]}", "dimension_mismatch",
            "/series/0/times");
    refuses(TOOL, "{'series':[{'name':'a','values':[1]},{'name':'a','values':[1]}]}",
            "duplicate_name", "/series/1/name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_data_analysis__missing_values_are_counted_not_guessed),
        T(test_tool_data_analysis__outliers_are_reported_with_their_place),
        T(test_tool_data_analysis__trend),
        T(test_tool_data_analysis__mann_kendall),
        T(test_trend__counting_agrees_with_listing),
        T(test_tool_data_analysis__correlation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
