/* test_tool_risk_assessment.c: bands, levels, sums, mitigation. */
#include "tests/unit/libcommon/method/tooltest.h"

#define TOOL "risk_assessment"

static cJSON *one(const char *fields)
{
    return run(TOOL,
               arena_printf(mem, "{'reference_amount':100,'risks':[{'name':'r',%s}]}", fields));
}

static void test_tool_risk_assessment__figures_fall_into_bands(void **state UNUSED)
{
    static const double p[] = {0, .049, .05, .199, .2, .499, .5, .799, .8, 1};
    static const double loss[] = {0, .99, 1, 4.9, 5, 14.9, 15, 39.9, 40, 1000};

    for (int i = 0; i < 10; i++) {
        cJSON *out = one(arena_printf(mem, "'probability':%g,'loss':%g", p[i], loss[i]));

        near(at(out, "/risks/0/probability_score"), i / 2 + 1, 0);
        near(at(out, "/risks/0/impact_score"), i / 2 + 1, 0);
    }
}

static void test_tool_risk_assessment__levels_agree_with_the_overall_score(void **state UNUSED)
{
    for (int p = 1; p <= 5; p++)
        for (int i = 1; i <= 5; i++) {
            cJSON *out = one(arena_printf(mem, "'probability_score':%d,'impact_score':%d", p, i));
            int tenths = (10 * p * i + 24) / 25;
            const char *level = tenths <= 3   ? "low"
                                : tenths <= 5 ? "medium"
                                : tenths <= 7 ? "high"
                                              : "critical";

            assert_string_equal(text_at(out, "/risks/0/level"), level);
            near(at(out, "/overall_score"), MAX(1, (20 * p * i + 25) / 50), 0);
        }
}

static void test_tool_risk_assessment__one_grave_risk_is_not_averaged_away(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'risks':[{'name':'a','probability_score':5,'impact_score':5},"
                           "{'name':'b','probability_score':1,'impact_score':1},"
                           "{'name':'c','probability_score':1,'impact_score':1},"
                           "{'name':'d','probability_score':1,'impact_score':1}]}");

    near(at(out, "/overall_score"), 8, 0);
    assert_string_equal(text_at(out, "/risk_level"), "critical");
    assert_string_equal(text_at(out, "/matrix/high_probability_high_impact/0"), "a");
    assert_int_equal(cJSON_GetArraySize(json_at(out, "/matrix/low_probability_low_impact")), 3);
}

static void test_tool_risk_assessment__what_is_not_known_is_null_and_said(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'risks':[{'name':'a','probability_score':2,'impact_score':2},"
                           "{'name':'b','probability':0.5,'impact_score':3,'loss':10}]}");

    assert_true(cJSON_IsNull(json_at(out, "/risks/0/expected_loss")));
    near(at(out, "/expected_loss"), 5, 0);
    near(at(out, "/probability_any"), 0.5, 1e-15);
    assert_string_equal(text_at(out, "/warnings/0/code"), "partial");
    assert_true(warns(out, "assumes_independence"));
    out = one("'probability_score':2,'impact_score':2");
    assert_true(cJSON_IsNull(json_at(out, "/expected_loss")));
    assert_true(cJSON_IsNull(json_at(out, "/probability_any")));
}

static void test_tool_risk_assessment__scores_that_disagree_with_figures(void **state UNUSED)
{
    cJSON *out = one("'probability_score':5,'probability':0.1,'impact_score':2,'loss':5");

    near(at(out, "/risks/0/probability_score"), 5, 0);
    assert_string_equal(text_at(out, "/warnings/0/code"), "score_disagrees");
    assert_string_equal(text_at(out, "/warnings/0/path"), "/risks/0/probability_score");
    assert_false(
        warns(one("'probability_score':3,'probability':0.1,'impact_score':3"), "score_disagrees"));
}

static void test_tool_risk_assessment__mitigation(void **state UNUSED)
{
    cJSON *out = one("'probability':0.5,'loss':100,'mitigated_probability':0.1,'mitigated_loss':50,"
                     "'mitigation_cost':20");

    near(at(out, "/risks/0/mitigation_net_benefit"), 25, 1e-12);
    out = one("'probability':0.5,'loss':100,'mitigated_probability':0.1");
    assert_true(cJSON_IsNull(json_at(out, "/risks/0/mitigation_net_benefit")));
    assert_true(warns(out, "mitigation_unknown"));
    assert_null(json_at(one("'probability':0.5,'loss':1"), "/risks/0/mitigation_net_benefit"));
}

static void test_tool_risk_assessment__unknown_sizes_are_faults(void **state UNUSED)
{
    refuses(TOOL, "{'risks':[{'name':'a','impact_score':2}]}", "probability_unknown", "/risks/0");
    refuses(TOOL, "{'risks':[{'name':'a','probability':0.1,'loss':5}]}", "impact_unknown",
            "/risks/0");
    refuses(TOOL, "{'risks':[{'name':'a','probability_score':6,'impact_score':1}]}", "schema",
            "/risks/0/probability_score");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_risk_assessment__figures_fall_into_bands),
        T(test_tool_risk_assessment__levels_agree_with_the_overall_score),
        T(test_tool_risk_assessment__one_grave_risk_is_not_averaged_away),
        T(test_tool_risk_assessment__what_is_not_known_is_null_and_said),
        T(test_tool_risk_assessment__scores_that_disagree_with_figures),
        T(test_tool_risk_assessment__mitigation),
        T(test_tool_risk_assessment__unknown_sizes_are_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
