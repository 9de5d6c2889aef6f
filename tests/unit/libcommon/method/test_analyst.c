/* test_analyst.c: the offline analyst on small cases, one idea each. */
#include "libcommon/base/compat.h"
#include "tests/unit/libcommon/method/brief_case.h"
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

static void decide(struct brief_case *b, const char *request)
{
    b->a = arena_new();
    brief_start(b, brief_json(b->a, str_of(request)));
    assert_non_null(b->request);
}

static const char *choice_of(const struct brief_case *b)
{
    return json_str(json_get(b->final, "final_recommendation"), "choice", "");
}

static double confidence_of(const struct brief_case *b)
{
    return json_num(json_get(b->final, "final_recommendation"), "confidence", 2);
}

static bool says(const struct brief_case *b, const char *pointer, const char *text)
{
    return str_find(json_print(b->a, json_at(b->final, pointer)), str_of(text)) >= 0;
}

/* The present value that the record gives an alternative. */
static double value_of(const struct brief_case *b, const char *name)
{
    const cJSON *x;

    cJSON_ArrayForEach (x, json_at(b->final, "/decision_record/alternatives"))
        if (strcmp(json_str(x, "name", ""), name) == 0)
            return json_num(x, "expected_value", NAN);
    return NAN;
}

static void test_analyst__an_outlay_with_yearly_savings_is_valued(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b, "{\"query\":\"Should we invest in the "
               "line?\",\"decision_type\":\"investment\",\"options\":[\"Invest\","
               "\"Do not invest\"],\"context\":{\"investment\":\"2M "
               "USD\",\"annual_savings\":\"450,000 USD\","
               "\"useful_life\":\"7 years\",\"discount_rate\":0.08}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(fabs(value_of(&b, "Invest") - 342866.5) < 1);
    assert_true(value_of(&b, "Do not invest") == 0);
    assert_string_equal(choice_of(&b), "Invest");
    assert_int_equal(brief_faults(&b), 0);
    arena_free(b.a);
}

static void test_analyst__a_negative_value_never_beats_doing_nothing(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b, "{\"query\":\"Should we buy the "
               "plant?\",\"decision_type\":\"investment\",\"options\":[\"Buy the plant\","
               "\"Do nothing\"],\"context\":{\"capex\":\"EUR 10M\",\"annual_benefit\":\"EUR "
               "1M\",\"life_years\":8}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(value_of(&b, "Buy the plant") < 0);
    assert_string_equal(choice_of(&b), "Do nothing");
    assert_true(says(&b, "/final_recommendation/key_assumptions", "10%"));
    arena_free(b.a);
}

static void test_analyst__an_option_over_the_budget_is_not_chosen(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b, "{\"query\":\"预算内应选哪个方案？\",\"decision_type\":\"investment\",\"options\":["
               "\"自建机房\",\"租用云服务\"],"
               "\"context\":{\"预算上限\":\"500万元\",\"年限\":\"5年\",\"自建机房投资\":"
               "\"800万元\",\"自建机房年收益\":\"400万元\","
               "\"租用云服务投资\":\"100万元\",\"租用云服务年收益\":\"60万元\"}}");
    assert_true(brief_decide(&b, false, true));
    assert_string_equal(choice_of(&b), "租用云服务");
    assert_true(says(&b, "/situation_analysis/key_findings", "超过预算上限"));
    assert_int_equal(brief_faults(&b), 0);
    arena_free(b.a);
}

static void test_analyst__amounts_in_another_currency_need_a_rate(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b, "{\"query\":\"是否投资新线？\",\"decision_type\":\"investment\",\"options\":["
               "\"投资新线\",\"暂不投资\"],"
               "\"context\":{\"币种\":\"人民币\",\"汇率\":\"1美元=7.2元\",\"投资额\":\"100万美元\","
               "\"年收益\":\"300万元\","
               "\"年限\":\"4年\",\"折现率\":\"10%\"}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(fabs(value_of(&b, "投资新线") - (-7.2e6 + 3e6 * (1 - pow(1.1, -4)) / 0.1)) < 1);
    assert_true(says(&b, "/final_recommendation/key_assumptions", "7.2"));
    arena_free(b.a);
    decide(&b, "{\"query\":\"Invest in the line?\",\"options\":[\"Invest\",\"Do "
               "nothing\"],\"context\":{\"currency\":\"EUR\","
               "\"investment\":\"USD 1M\",\"annual_benefit\":\"EUR 0.3M\",\"life_years\":4}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(says(&b, "/decision_record/information/missing", "exchange rate of USD to EUR"));
    arena_free(b.a);
}

static void test_analyst__a_table_of_flows_by_option_is_read(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b,
           "{\"query\":\"Refit the store or close "
           "it?\",\"decision_type\":\"investment\",\"options\":[\"Refit the store\","
           "\"Close the store\"],\"context\":{\"currency\":\"GBP\",\"discount_rate\":\"10%\"}}");
    brief_add_document(&b, "flows.csv",
                       STR("# GBP thousands\noption,year 0,year 1,year 2\nRefit the "
                           "store,-100,60,80\nClose the store,-10,0,0\n"));
    assert_true(brief_decide(&b, false, true));
    assert_true(fabs(value_of(&b, "Refit the store") - (-100000 + 60000 / 1.1 + 80000 / 1.21)) < 1);
    arena_free(b.a);
}

static void test_analyst__a_table_down_the_years_is_read_by_column(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b, "{\"query\":\"Electrify the "
               "vans?\",\"decision_type\":\"investment\",\"options\":[\"Electrify all vans\","
               "\"Electrify in stages\",\"Keep diesel "
               "vans\"],\"context\":{\"currency\":\"EUR\",\"discount_rate\":\"8%\"}}");
    brief_add_document(&b, "model.csv",
                       STR("# EUR thousands\nyear,Electrify all vans,Electrify in stages,Keep "
                           "diesel vans\n0,-1500,-500,0\n"
                           "1,300,300,0\n2,300,400,0\n"));
    assert_true(brief_decide(&b, false, true));
    assert_true(fabs(value_of(&b, "Electrify in stages") -
                     (-500000 + 300000 / 1.08 + 400000 / 1.08 / 1.08)) < 1);
    assert_true(value_of(&b, "Electrify all vans") < -900000);
    arena_free(b.a);
}

static void test_analyst__two_ways_without_income_are_compared_by_cost(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b,
           "{\"query\":\"Move to Docklands or stay in Soho?\",\"options\":[\"Move to "
           "Docklands\",\"Stay in Soho\"],"
           "\"context\":{\"currency\":\"GBP\",\"soho_rent\":\"22k a "
           "month\",\"docklands_rent\":\"15k a month\","
           "\"docklands_moving_cost\":\"180k\",\"horizon\":\"4 years\",\"discount_rate\":0.07}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(fabs(value_of(&b, "Stay in Soho") + 264000 * (1 - pow(1.07, -4)) / 0.07) < 1);
    assert_true(value_of(&b, "Move to Docklands") > value_of(&b, "Stay in Soho"));
    assert_string_equal(choice_of(&b), "Move to Docklands");
    assert_int_equal(brief_faults(&b), 0);
    arena_free(b.a);
}

static void test_analyst__ranges_are_simulated(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b,
           "{\"query\":\"Should we "
           "launch?\",\"decision_type\":\"investment\",\"options\":[\"Launch\",\"Do not launch\"],"
           "\"context\":{\"currency\":\"USD\",\"launch_cost\":\"1M\",\"annual_benefit\":{\"low\":"
           "\"0.1M\",\"base\":\"0.4M\","
           "\"high\":\"0.6M\"},\"horizon\":\"4 years\",\"discount_rate\":0.1}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(says(&b, "/situation_analysis/key_findings", "of runs"));
    assert_true(says(&b, "/decision_record/uncertainties", "range given"));
    arena_free(b.a);
}

static void test_analyst__states_with_probabilities_give_expected_values(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b,
           "{\"query\":\"Large plant, small plant or "
           "none?\",\"decision_type\":\"investment\",\"options\":[\"Large plant\","
           "\"Small plant\",\"Do not "
           "build\"],\"context\":{\"currency\":\"EUR\",\"states\":[{\"name\":\"high\","
           "\"probability\":0.5,"
           "\"payoffs\":{\"Large plant\":\"10M\",\"Small plant\":\"4M\",\"Do not "
           "build\":0}},{\"name\":\"low\",\"probability\":0.5,"
           "\"payoffs\":{\"Large plant\":\"-6M\",\"Small plant\":\"1M\",\"Do not build\":0}}]}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(value_of(&b, "Small plant") == 2.5e6);
    assert_string_equal(choice_of(&b), "Small plant");
    assert_true(
        says(&b, "/situation_analysis/key_findings", "EUR 3M")); /* of perfect information */
    assert_int_equal(brief_faults(&b), 0);
    arena_free(b.a);
}

static void test_analyst__a_long_series_is_forecast(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b,
           "{\"query\":\"Should we expand now or wait?\",\"options\":[\"Expand now\",\"Wait\"]}");
    brief_add_document(
        &b, "demand.csv",
        STR("month,orders\n2025-01,100\n2025-02,104\n2025-03,109\n2025-04,113\n2025-05,120\n"
            "2025-06,124\n2025-07,131\n2025-08,133\n2025-09,140\n2025-10,146\n"));
    assert_true(brief_decide(&b, false, true));
    assert_true(says(&b, "/situation_analysis/key_findings", "orders: the next value is forecast"));
    arena_free(b.a);
}

static void test_analyst__without_options_the_query_is_split(void **state)
{
    static const struct {
        const char *request, *first, *second;
    } rows[] = {
        {"{\"query\":\"Should we hire a sales team or use resellers?\"}", "hire a sales team",
         "use resellers"},
        {"{\"query\":\"我们应该自建仓库还是外包？\"}", "自建仓库", "外包"},
        {"{\"query\":\"Should we enter Brazil?\"}", "enter Brazil", "Not now"},
        {"{\"query\":\"是否进入越南市场？\"}", "进入越南市场", "暂不"},
        {"{\"query\":\"Our market\"}", "Proceed", "Do not proceed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct brief_case b;
        decide(&b, rows[i].request);
        assert_true(brief_decide(&b, false, true));
        const cJSON *list = json_at(b.final, "/decision_record/alternatives");
        assert_string_equal(json_str(cJSON_GetArrayItem(list, 0), "name", ""), rows[i].first);
        assert_string_equal(json_str(cJSON_GetArrayItem(list, 1), "name", ""), rows[i].second);
        assert_true(confidence_of(&b) <= (i == 4 ? 0.35 : 0.40));
        assert_int_equal(brief_faults(&b), 0);
        arena_free(b.a);
    }
}

static void test_analyst__every_type_has_its_parts(void **state)
{
    static const char *const types[] = {"investment", "risk", "strategy", "general"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct brief_case b;
        b.a = arena_new();
        brief_start(&b, json_obj(b.a));
        json_add_str(b.request, "query", "Should we open a second office?");
        json_add_str(b.request, "decision_type", types[i]);
        json_push_str(json_add_arr(b.request, "options"), "Open it");
        json_push_str(json_get(b.request, "options"), "Wait a year");
        assert_true(brief_decide(&b, false, true));
        assert_int_equal(brief_faults(&b), 0);
        arena_free(b.a);
    }
}

static void test_analyst__a_measure_far_worse_than_its_industry_scores_high(void **state)
{
    struct brief_case b;

    (void)state;
    decide(
        &b,
        "{\"query\":\"How risky is our balance sheet? Refinance now or "
        "later?\",\"decision_type\":\"risk\","
        "\"options\":[\"Refinance now\",\"Refinance later\"],\"context\":{\"debt_to_equity\":2.4,"
        "\"industry_average_debt_to_equity\":1.1}}");
    assert_true(brief_decide(&b, false, true));
    assert_true(json_num(json_at(b.final, "/risk_assessment/risk_breakdown/0"), "score", 0) >= 8);
    arena_free(b.a);
}

static void test_analyst__own_criteria_replace_the_defaults(void **state)
{
    struct brief_case b;

    (void)state;
    decide(
        &b,
        "{\"query\":\"Which "
        "supplier?\",\"options\":[\"Acme\",\"Bolt\"],\"context\":{\"criteria\":[{\"name\":\"risk\","
        "\"weight\":3},{\"name\":\"reversibility\",\"weight\":1}]}}");
    assert_true(brief_decide(&b, false, true));
    const cJSON *list = json_at(b.final, "/decision_record/objectives");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    assert_true(fabs(json_num(list->child, "weight", 0) - 0.75) < 1e-9);
    arena_free(b.a);
}

static void test_analyst__the_plan_has_at_most_twelve_steps(void **state)
{
    struct brief_case b;
    struct err err = {0};
    cJSON *turn = NULL;

    (void)state;
    brief_load(&b, "tests/data/briefs/05-make-or-buy");
    struct analyst_input in = {b.request, b.material, b.turns, true};
    assert_int_equal(analyst_next(&in, b.a, &turn, &err), 0);
    int n = cJSON_GetArraySize(json_get(turn, "plan"));
    assert_true(n > 0 && n <= 12);
    assert_null(json_get(turn, "tool_calls"));
    assert_non_null(json_str(json_at(turn, "/plan/0"), "purpose", NULL));
    arena_free(b.a);
}

static void test_analyst__results_under_other_ids_are_recognised(void **state)
{
    struct brief_case b;
    cJSON *t;
    int n = 0;

    (void)state;
    brief_load(&b, "tests/data/briefs/04-kill-or-continue");
    assert_true(brief_decide(&b, false, true));
    struct str first = json_canon(b.a, b.final);
    cJSON_ArrayForEach (t, b.turns)
        if (json_get(t, "tool") != NULL)
            cJSON_ReplaceItemInObjectCaseSensitive(
                t, "id", cJSON_CreateString(arena_printf(b.a, "toolu_%d", n++)));
    struct analyst_input in = {b.request, b.material, b.turns, false};
    struct err err = {0};
    cJSON *turn = NULL;
    assert_int_equal(analyst_next(&in, b.a, &turn, &err), 0);
    assert_true(str_eq(first, json_canon(b.a, json_get(turn, "final"))));
    arena_free(b.a);
}

/* As an engine refuses calls when the budget is out: the next turn is the last. */
static void test_analyst__a_budget_that_is_out_ends_the_case(void **state)
{
    struct brief_case b;
    struct err err = {0};
    cJSON *turn = NULL, *x;

    (void)state;
    brief_load(&b, "tests/data/briefs/04-kill-or-continue");
    struct analyst_input in = {b.request, b.material, b.turns, false};
    assert_int_equal(analyst_next(&in, b.a, &turn, &err), 0);
    cJSON_ArrayForEach (x, json_get(turn, "tool_calls")) {
        cJSON *t = cJSON_CreateObject();
        json_add_str(t, "tool", json_str(x, "name", ""));
        json_add_str(t, "id", json_str(x, "id", ""));
        json_add_copy(t, "input", json_get(x, "input"));
        json_add_str(json_add_obj(t, "error"), "code", "BUDGET_EXCEEDED");
        cJSON_AddItemToArray(b.turns, t);
    }
    assert_int_equal(analyst_next(&in, b.a, &turn, &err), 0);
    b.final = json_get(turn, "final");
    assert_non_null(b.final);
    assert_int_equal(brief_faults(&b), 0);
    arena_free(b.a);
}

/* Cases of other shapes than the briefs: what each context says must find its option. */
static const struct {
    const char *request, *choice;
} other_cases[] = {
    {"{\"query\":\"Should Orbit Air lease two aircraft, buy two, or keep the current fleet?\","
     "\"decision_type\":\"investment\",\"options\":[\"Lease two aircraft\",\"Buy two aircraft"
     "\",\"Keep the current fleet\"],\"context\":{\"currency\":\"USD\",\"discount_rate\":\"9%"
     "\",\"horizon\":\"8 years\",\"lease\":{\"deposit\":\"$3M\",\"lease_rate\":\"$310k a month"
     "\",\"operating_profit\":\"$6.1M a year\"},\"buy\":{\"purchase_price\":\"$58M\",\"residua"
     "l_value\":\"$30M in year 8\",\"operating_profit\":\"$6.1M a year\"},\"covenant\":\"debt "
     "at most 3 times EBITDA\",\"cash_minimum\":\"$10M\"}}",
     "Lease two aircraft"},
    {"{\"query\":\"We pay $1.2M a year for data center space. Move to cloud, renegotiate, or s"
     "tay?\",\"options\":[\"Move to cloud\",\"Renegotiate the lease\",\"Stay as we are\"],\"co"
     "ntext\":{\"currency\":\"USD\",\"time_horizon\":\"3 years\",\"cloud_migration\":\"$600k\""
     ",\"cloud_annual_cost\":\"$700k\",\"renegotiated_cost\":\"$1.0M a year\",\"current_cost\""
     ":\"$1.2M a year\",\"discount_rate\":\"8%\"}}",
     "Move to cloud"},
    {"{\"query\":\"Should Tern Bank migrate its core system now, in phases, or not at all this"
     " year?\",\"decision_type\":\"risk\",\"options\":[\"Migrate everything now\",\"Migrate in"
     " phases\",\"Do not migrate this year\"],\"context\":{\"currency\":\"EUR\",\"budget\":\"9"
     "M\",\"full_migration_cost\":\"11M\",\"phased_migration_cost\":\"8M\",\"annual_savings_af"
     "ter_migration\":\"2.6M\",\"horizon\":\"6 years\",\"discount_rate\":\"9%\"}}",
     "Migrate in phases"},
    {"{\"query\":\"Should we build our own scheduling tool, buy the vendor's product, or keep "
     "the spreadsheets?\",\"decision_type\":\"investment\",\"options\":[\"Build in-house\",\"B"
     "uy the vendor's product\",\"Keep the spreadsheets\"],\"context\":{\"currency\":\"USD\","
     "\"discount_rate\":\"10%\",\"horizon\":\"5 years\",\"build\":{\"development_cost\":\"$400"
     "k\",\"maintenance\":\"$120k a year\",\"savings\":\"$260k a year from year 2\"},\"vendor"
     "\":{\"implementation\":\"$80k once\",\"licence\":\"$150k a year\",\"savings\":\"$240k a "
     "year\"}}}",
     "Buy the vendor's product"},
};

static void test_analyst__contexts_of_other_shapes_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(other_cases); i++) {
        struct brief_case b;

        decide(&b, other_cases[i].request);
        assert_true(brief_decide(&b, false, true));
        assert_string_equal(choice_of(&b), other_cases[i].choice);
        assert_int_equal(brief_faults(&b), 0);
        arena_free(b.a);
    }
}

static void test_analyst__no_query_is_refused(void **state)
{
    struct arena *a = arena_new();
    struct err err = {0};
    cJSON *request = json_obj(a), *turn = NULL;
    struct analyst_input in = {request, NULL, NULL, false};

    (void)state;
    assert_int_equal(analyst_next(&in, a, &turn, &err), ERR_INVALID);
    json_add_str(request, "query", "  ");
    assert_int_equal(analyst_next(&in, a, &turn, &err), ERR_INVALID);
    arena_free(a);
}

static void test_analyst__another_language_is_answered_in_english_and_said(void **state)
{
    struct brief_case b;

    (void)state;
    decide(&b, "{\"query\":\"Sollen wir die Fabrik in Polen bauen oder in "
               "Ungarn?\",\"options\":[\"Polen\",\"Ungarn\"]}");
    assert_true(brief_decide(&b, false, true));
    assert_true(says(&b, "/situation_analysis/key_findings", "in English"));
    arena_free(b.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_analyst__an_outlay_with_yearly_savings_is_valued),
        cmocka_unit_test(test_analyst__a_negative_value_never_beats_doing_nothing),
        cmocka_unit_test(test_analyst__an_option_over_the_budget_is_not_chosen),
        cmocka_unit_test(test_analyst__amounts_in_another_currency_need_a_rate),
        cmocka_unit_test(test_analyst__a_table_of_flows_by_option_is_read),
        cmocka_unit_test(test_analyst__a_table_down_the_years_is_read_by_column),
        cmocka_unit_test(test_analyst__two_ways_without_income_are_compared_by_cost),
        cmocka_unit_test(test_analyst__ranges_are_simulated),
        cmocka_unit_test(test_analyst__states_with_probabilities_give_expected_values),
        cmocka_unit_test(test_analyst__a_long_series_is_forecast),
        cmocka_unit_test(test_analyst__without_options_the_query_is_split),
        cmocka_unit_test(test_analyst__every_type_has_its_parts),
        cmocka_unit_test(test_analyst__a_measure_far_worse_than_its_industry_scores_high),
        cmocka_unit_test(test_analyst__own_criteria_replace_the_defaults),
        cmocka_unit_test(test_analyst__the_plan_has_at_most_twelve_steps),
        cmocka_unit_test(test_analyst__results_under_other_ids_are_recognised),
        cmocka_unit_test(test_analyst__contexts_of_other_shapes_are_understood),
        cmocka_unit_test(test_analyst__a_budget_that_is_out_ends_the_case),
        cmocka_unit_test(test_analyst__no_query_is_refused),
        cmocka_unit_test(test_analyst__another_language_is_answered_in_english_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
