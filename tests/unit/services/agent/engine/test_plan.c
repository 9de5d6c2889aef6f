/* Plan and execute: the graph is checked as a whole, runs in parallel, and is mended when a step
 * fails. */
#include "libcommon/base/compat.h"
#include "tests/unit/services/agent/engine/play.h"

#define PLAN(steps)                                                                          \
    "[{\"type\":\"tool_use\",\"id\":\"tu_p\",\"name\":\"submit_plan\",\"input\":{\"steps\":" \
    "[" steps "]}}]"
#define STEP(id, tool, input, needs)                                                 \
    "{\"id\":\"" id "\",\"tool\":\"" tool "\",\"input\":" input ",\"needs\":[" needs \
    "],\"purpose\":\"p\"}"

static void start(struct play *p)
{
    play_init(p, PLAY_REQUEST, "plan_and_execute");
    play_pump(p);
}

static const char *last_message(const struct action *m)
{
    return m->model.messages[m->model.message_count - 1].p;
}

static void test_plan__independent_steps_run_at_once_and_needs_are_waited_for(void **state)
{
    struct play p;
    struct action m, t;

    (void)state;
    start(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_plan");
    assert_non_null(strstr(m.model.tools_json.p, "\"name\":\"submit_plan\""));
    assert_true(json_bool(m.model.analyst, "want_plan", false));
    p.open[p.open_count++] = m;
    play_answer(
        &p,
        PLAN(STEP("s1", "financial_model", "{\"rate\":0.1}", "") "," STEP(
            "s2", "risk_assessment", "{}", "") "," STEP("s3", "calculator",
                                                        "{\"expression\":\"x+1\",\"variables\":{"
                                                        "\"x\":{\"$step\":\"s1\",\"pointer\":"
                                                        "\"/npv\"}}}",
                                                        "\"s2\"")),
        "tool_use");
    assert_int_equal(p.open_count, 2);
    play_observe(&p, "financial_model", "{\"npv\":42.5}");
    assert_int_equal(p.open_count, 1);
    play_observe(&p, "risk_assessment", "{\"overall_score\":4}");
    t = play_take(&p, ACTION_TOOL, "calculator");
    assert_true(json_at(t.tool.input, "/variables/x")->valuedouble == 42.5);
    p.open[p.open_count++] = t;
    play_observe(&p, "calculator", "{\"value\":43.5}");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_null(m.model.force_tool);
    assert_int_equal(m.model.message_count, 3);
    assert_non_null(strstr(last_message(&m), "tool_result"));
    assert_non_null(strstr(last_message(&m), "42.5"));
    assert_non_null(strstr(last_message(&m), "Submit the decision now"));
    play_done(&p);
}

static void expect_fault(const char *plan, const char *reason)
{
    struct play p;
    struct action m;

    start(&p);
    play_answer(&p, plan, "tool_use");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_plan");
    if (strstr(last_message(&m), reason) == NULL)
        fail_msg("%s is not in %s", reason, last_message(&m));
    play_done(&p);
}

static void test_plan__a_faulty_graph_goes_back_before_anything_runs(void **state)
{
    (void)state;
    expect_fault(PLAN(STEP("s1", "no_tool", "{}", "")), "unknown_tool");
    expect_fault(PLAN(STEP("s1", "calculator", "{}", "\"s9\"")), "unknown_need");
    expect_fault(
        PLAN(STEP("s1", "calculator", "{}", "\"s2\"") "," STEP("s2", "calculator", "{}", "\"s1\"")),
        "cycle");
    expect_fault(PLAN(STEP("s1", "calculator", "{}", "\"s1\"")), "cycle");
    expect_fault(
        PLAN(STEP("s1", "calculator", "{}", "") "," STEP("s1", "calculator", "{\"a\":1}", "")),
        "duplicate");
    expect_fault(PLAN(STEP("", "calculator", "{}", "")), "pattern");
    expect_fault(PLAN(STEP("s1", "calculator", "[]", "")), "type");
    expect_fault(PLAN(STEP("s1", "calculator", "{\"a\":[{\"$step\":\"s7\"}]}", "")),
                 "unknown_need");
    expect_fault(PLAN(""), "length");
    expect_fault("[{\"type\":\"tool_use\",\"id\":\"x\",\"name\":\"submit_plan\",\"input\":{}}]",
                 "length");
}

static void test_plan__without_a_valid_plan_it_goes_on_in_rounds(void **state)
{
    struct play p;
    struct action m;
    struct engine_view v;

    (void)state;
    start(&p);
    for (int i = 0; i < 3; i++)
        play_answer(&p, PLAN(""), "tool_use");
    engine_look(p.e, &v);
    assert_string_equal(v.mode, "react");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_null(m.model.force_tool);
    play_done(&p);
}

static void fail_step(struct play *p, const char *tool)
{
    struct action t = play_take(p, ACTION_TOOL, tool);

    play_must(p, EV_OBSERVE, tool, t.id,
              "{\"tool\":\"x\",\"error\":{\"code\":\"SKILL_EXECUTION_FAILED\",\"message\":\"no\"},"
              "\"nonce\":"
              "\"0123456789abcdef\"}");
    play_pump(p);
}

static void test_plan__a_failed_step_leads_to_a_new_plan_that_keeps_what_is_done(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_answer(
        &p,
        PLAN(STEP("s1", "financial_model", "{}", "") "," STEP(
            "s2", "risk_assessment", "{}", "") "," STEP("s3", "calculator", "{}", "\"s2\"")),
        "tool_use");
    fail_step(&p, "risk_assessment");
    play_observe(&p, "financial_model", "{\"npv\":1}");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_plan");
    assert_non_null(strstr(last_message(&m), "Step s1 (financial_model): done"));
    assert_non_null(strstr(last_message(&m), "Step s2 (risk_assessment): failed"));
    assert_non_null(strstr(last_message(&m), "Step s3 (calculator): not run"));
    p.open[p.open_count++] = m;
    play_answer(&p,
                PLAN(STEP("s1", "financial_model", "{}", "") "," STEP("s4", "calculator",
                                                                      "{\"b\":1}", "\"s1\"")),
                "tool_use");
    assert_int_equal(p.open_count, 1); /* s1 is not run again */
    play_observe(&p, "calculator", "{\"value\":2}");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_null(m.model.force_tool);
    assert_null(strstr(last_message(&m), "Step s1")); /* told before */
    play_done(&p);
}

static void test_plan__after_two_new_plans_it_submits_with_the_gaps(void **state)
{
    static const char *const plans[] = {PLAN(STEP("s1", "calculator", "{\"n\":1}", "")),
                                        PLAN(STEP("s2", "calculator", "{\"n\":2}", "")),
                                        PLAN(STEP("s3", "calculator", "{\"n\":3}", ""))};
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        play_answer(&p, plans[i], "tool_use");
        fail_step(&p, "calculator");
    }
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_null(m.model.force_tool);
    assert_non_null(strstr(last_message(&m), "Submit the decision now"));
    play_done(&p);
}

static void test_plan__a_reference_to_nothing_fails_that_step(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_answer(&p,
                PLAN(STEP("s1", "financial_model", "{}", "") "," STEP(
                    "s2", "calculator", "{\"x\":{\"$step\":\"s1\",\"pointer\":\"/nothing\"}}", "")),
                "tool_use");
    play_observe(&p, "financial_model", "{\"npv\":1}");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_plan");
    assert_non_null(strstr(last_message(&m), "INPUT_UNRESOLVED"));
    play_done(&p);
}

static void test_plan__time_running_out_in_the_middle_keeps_what_is_done(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_answer(
        &p,
        PLAN(STEP("s1", "financial_model", "{}", "") "," STEP(
            "s2", "risk_assessment", "{}", "") "," STEP("s3", "calculator", "{}", "\"s2\"")),
        "tool_use");
    play_observe(&p, "financial_model", "{\"npv\":42.5}");
    p.open_count = 0;
    play_must(&p, EV_BUDGET, NULL, "shell",
              "{\"budget\":\"seconds\",\"limit\":900,\"used\":766,\"last_call\":true}");
    play_pump(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_decision");
    assert_non_null(strstr(last_message(&m), "\"tool_use_id\":\"tu_p\""));
    assert_non_null(strstr(last_message(&m), "42.5"));
    assert_non_null(strstr(last_message(&m), "Step s2 (risk_assessment): stopped"));
    assert_non_null(strstr(last_message(&m), "Step s3 (calculator): not run"));
    assert_non_null(strstr(last_message(&m), "The budget of seconds has run out"));
    play_done(&p);
}

static const char *mode_chosen(const char *request, const char *mode)
{
    static char kept[32];
    struct play p;
    struct engine_view v;

    play_init(&p, request, mode);
    play_pump(&p);
    engine_look(p.e, &v);
    snprintf(kept, sizeof(kept), "%s", v.mode);
    play_done(&p);
    return kept;
}

static void test_plan__auto_plans_clear_steps_and_figures_and_explores_otherwise(void **state)
{
    (void)state;
    assert_string_equal(
        mode_chosen("{\"query\":\"First, value both; then compare, finally decide.\"}", "auto"),
        "plan_and_execute");
    assert_string_equal(
        mode_chosen("{\"query\":\"Buy or "
                    "lease?\",\"options\":[\"Buy\",\"Lease\"],\"context\":{\"buy\":{\"price\":"
                    "\"100k EUR\",\"upkeep\":\"3k EUR a year\",\"life\":\"8 "
                    "years\"},\"lease\":{\"rent\":\"15k "
                    "EUR a year\",\"deposit\":\"5k EUR\",\"term\":\"5 years\"}}}",
                    "auto"),
        "plan_and_execute");
    assert_string_equal(mode_chosen("{\"query\":\"How might we explore new markets?\"}", "auto"),
                        "react");
    assert_string_equal(mode_chosen("{\"query\":\"Should we do it?\"}", "auto"), "react");
    assert_string_equal(mode_chosen("{\"query\":\"Should we do it?\"}", "plan_and_execute"),
                        "plan_and_execute");
    assert_string_equal(mode_chosen("{\"query\":\"Should we do it?\"}", "something"), "react");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__independent_steps_run_at_once_and_needs_are_waited_for),
        cmocka_unit_test(test_plan__a_faulty_graph_goes_back_before_anything_runs),
        cmocka_unit_test(test_plan__without_a_valid_plan_it_goes_on_in_rounds),
        cmocka_unit_test(test_plan__a_failed_step_leads_to_a_new_plan_that_keeps_what_is_done),
        cmocka_unit_test(test_plan__after_two_new_plans_it_submits_with_the_gaps),
        cmocka_unit_test(test_plan__a_reference_to_nothing_fails_that_step),
        cmocka_unit_test(test_plan__time_running_out_in_the_middle_keeps_what_is_done),
        cmocka_unit_test(test_plan__auto_plans_clear_steps_and_figures_and_explores_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
