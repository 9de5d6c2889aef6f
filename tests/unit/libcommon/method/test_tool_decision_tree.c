/* test_tool_decision_tree.c: roll-back, utility, payoff tables, value of information. */
#include "tests/unit/libcommon/method/tooltest.h"
#include "libcommon/method/prng.h"

#define TOOL "decision_tree"

static const char *const venture =
    "{'type':'decision','name':'go?','branches':["
    "{'label':'pilot','cost':10,'node':{'type':'chance','name':'pilot','branches':["
    "{'label':'good','probability':0.6,'node':{'type':'decision','name':'after','branches':["
    "{'label':'scale','cost':20,'node':{'type':'chance','name':'market','branches':["
    "{'label':'up','probability':0.5,'node':{'type':'terminal','value':200}},"
    "{'label':'down','probability':0.5,'node':{'type':'terminal','value':-40}}]}},"
    "{'label':'stop','node':{'type':'terminal','value':0}}]}},"
    "{'label':'bad','probability':0.4,'node':{'type':'terminal','value':0}}]}},"
    "{'label':'nothing','node':{'type':'terminal','value':0}}]}";

static void test_tool_decision_tree__costs_come_off_what_is_behind_them(void **state UNUSED)
{
    cJSON *out = run(TOOL, arena_printf(mem, "{'tree':%s}", venture));

    assert_string_equal(text_at(out, "/choice"), "pilot");
    near(at(out, "/expected_value"), 0.6 * (80 - 20) - 10, 1e-12);
    near(at(out, "/alternatives/1/expected_value"), 0, 0);
    near(at(out, "/risk_profile/0/value"), -70, 1e-12);
    near(at(out, "/risk_profile/0/probability"), 0.3, 1e-15);
    near(at(out, "/risk_profile/1/value"), -10, 1e-12);
    near(at(out, "/risk_profile/2/value"), 170, 1e-12);
    near(at(out, "/probability_of_loss"), 0.7, 1e-15);
    assert_string_equal(text_at(out, "/policy/0/node"), "go?");
    assert_string_equal(text_at(out, "/policy/1/choice"), "scale");
}

static void test_tool_decision_tree__the_cautious_choose_otherwise(void **state UNUSED)
{
    cJSON *out = run(TOOL, arena_printf(mem,
                                        "{'tree':%s,'utility':{'type':'exponential',"
                                        "'risk_tolerance':40}}",
                                        venture));

    assert_string_equal(text_at(out, "/choice"), "nothing");
    assert_string_equal(text_at(out, "/choice_by_expected_value"), "pilot");
    near(at(out, "/expected_value"), 0, 0);
    near(at(out, "/certainty_equivalent"), 0, 1e-12);
}

static void test_tool_decision_tree__a_certainty_equivalent_is_below_the_mean(void **state UNUSED)
{
    struct prng g;

    prng_seed(&g, 5);
    for (int i = 0; i < 30; i++) {
        cJSON *out =
            run(TOOL, arena_printf(mem,
                                   "{'table':{'states':[{'name':'a','probability':0.3},"
                                   "{'name':'b','probability':0.7}],'actions':[{'name':'x',"
                                   "'payoffs':[%.17g,%.17g]}]},'utility':{'type':"
                                   "'exponential','risk_tolerance':%.17g}}",
                                   2000 * prng_uniform(&g) - 1000, 2000 * prng_uniform(&g) - 1000,
                                   10 + 500 * prng_uniform(&g)));

        assert_true(at(out, "/certainty_equivalent") <= at(out, "/expected_value") + 1e-9);
    }
}

/* EVPI >= EVSI >= 0 whatever the numbers. */
static void test_tool_decision_tree__no_test_is_worth_more_than_knowing(void **state UNUSED)
{
    struct prng g;

    prng_seed(&g, 6);
    for (int i = 0; i < 50; i++) {
        double p = prng_uniform(&g), l0 = prng_uniform(&g), l1 = prng_uniform(&g);
        cJSON *out = run(
            TOOL,
            arena_printf(mem,
                         "{'table':{'states':[{'name':'a','probability':%.17g},{'name':'b',"
                         "'probability':%.17g}],'actions':[{'name':'x','payoffs':[%.17g,%.17g]},"
                         "{'name':'y','payoffs':[%.17g,%.17g]}],'test':{'outcomes':['+','-'],"
                         "'likelihoods':[[%.17g,%.17g],[%.17g,%.17g]],'cost':1}}}",
                         p, 1 - p, 100 * prng_uniform(&g), -100 * prng_uniform(&g),
                         50 * prng_uniform(&g), 20 * prng_uniform(&g), l0, 1 - l0, l1, 1 - l1));

        assert_true(at(out, "/evsi") >= 0);
        assert_true(at(out, "/evpi") >= at(out, "/evsi") - 1e-9);
        near(at(out, "/enbs"), at(out, "/evsi") - 1, 1e-12);
    }
}

static void test_tool_decision_tree__an_impossible_result_has_no_action(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'table':{'states':[{'name':'a','probability':1}],'actions':["
                           "{'name':'x','payoffs':[1]},{'name':'y','payoffs':[1]}],'test':{"
                           "'outcomes':['+','-'],'likelihoods':[[1,0]]}}}");

    assert_int_equal(cJSON_GetArraySize(json_at(out, "/test/1/posterior")), 0);
    assert_true(cJSON_IsNull(json_at(out, "/test/1/action")));
    assert_true(cJSON_IsNull(json_at(out, "/enbs")));
    assert_string_equal(text_at(out, "/choice"), "x");
    assert_true(warns(out, "tie") && warns(out, "test_cost_unknown"));
}

static void test_tool_decision_tree__faults(void **state UNUSED)
{
    refuses(
        TOOL,
        "{'tree':{'type':'chance','name':'c','branches':[{'label':'a','probability':0.5,'node':{"
        "'type':'terminal','value':1}}]}}",
        "probabilities_not_one", "/tree");
    refuses(TOOL,
            "{'tree':{'type':'decision','name':'c','branches':[{'label':'a','node':{'type':"
            "'terminal','value':1}},{'label':'a','node':{'type':'terminal','value':2}}]}}",
            "duplicate_name", "/tree/branches/1/label");
    refuses(TOOL,
            "{'table':{'states':[{'name':'a','probability':0.9}],'actions':[{'name':'x',"
            "'payoffs':[1]}]}}",
            "probabilities_not_one", "/table/states");
    refuses(TOOL,
            "{'table':{'states':[{'name':'a','probability':1}],'actions':[{'name':'x',"
            "'payoffs':[1,2]}]}}",
            "dimension_mismatch", "/table/actions/0/payoffs");
    refuses(TOOL,
            "{'table':{'states':[{'name':'a','probability':1}],'actions':[{'name':'x',"
            "'payoffs':[1]}],'test':{'outcomes':['+'],'likelihoods':[[0.9]]}}}",
            "probabilities_not_one", "/table/test/likelihoods/0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_decision_tree__costs_come_off_what_is_behind_them),
        T(test_tool_decision_tree__the_cautious_choose_otherwise),
        T(test_tool_decision_tree__a_certainty_equivalent_is_below_the_mean),
        T(test_tool_decision_tree__no_test_is_worth_more_than_knowing),
        T(test_tool_decision_tree__an_impossible_result_has_no_action),
        T(test_tool_decision_tree__faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
