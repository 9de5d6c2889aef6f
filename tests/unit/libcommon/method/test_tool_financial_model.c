/* test_tool_financial_model.c: NPV, rates of return, payback, scenarios, break-even. */
#include "tests/unit/libcommon/method/tooltest.h"
#include "libcommon/method/prng.h"

#define TOOL "financial_model"

static cJSON *model(double rate, const double *flows, int n)
{
    cJSON *in = json_obj(mem), *list;

    json_add_num(in, "rate", rate);
    list = json_add_arr(in, "cash_flows");
    for (int i = 0; i < n; i++)
        json_push_num(list, flows[i]);
    return run_tree(TOOL, in);
}

static void test_tool_financial_model__npv_is_additive_and_falls_in_the_rate(void **state UNUSED)
{
    struct prng g;
    double a[8], b[8], both[8];

    prng_seed(&g, 7);
    for (int round = 0; round < 20; round++) {
        double rate = prng_uniform(&g);

        for (int i = 0; i < 8; i++) {
            a[i] = (i == 0 ? -1000 : 400) * prng_uniform(&g);
            b[i] = (i == 0 ? -1000 : 400) * prng_uniform(&g);
            both[i] = a[i] + b[i];
        }
        near(at(model(rate, both, 8), "/npv"),
             at(model(rate, a, 8), "/npv") + at(model(rate, b, 8), "/npv"), 1e-9);
        assert_true(at(model(rate + 0.01, a, 8), "/npv") < at(model(rate, a, 8), "/npv"));
    }
}

static void test_tool_financial_model__scaling_leaves_the_irr_alone(void **state UNUSED)
{
    const double a[] = {-1000, 300, 420, 680}, b[] = {-1e9, 3e8, 4.2e8, 6.8e8};
    double irr = at(model(0.1, a, 4), "/irr/value");

    near(at(model(0.1, b, 4), "/irr/value"), irr, 1e-12);
    near(irr, 0.163405600688989, 1e-10);
    near(at(model(irr, a, 4), "/npv"), 0, 1e-8);
}

static void test_tool_financial_model__all_roots_are_found(void **state UNUSED)
{
    /* -(1 - 1.1 v)(1 - 1.5 v)(1 - 3 v), v = 1/(1 + r) */
    const double three[] = {-1, 1.1 + 1.5 + 3, -(1.1 * 1.5 + 1.1 * 3 + 1.5 * 3), 1.1 * 1.5 * 3};
    const double twice[] = {-100, 220, -121};
    cJSON *out = model(0.1, three, 4);

    assert_string_equal(text_at(out, "/irr/status"), "multiple");
    assert_true(cJSON_IsNull(json_at(out, "/irr/value")));
    near(at(out, "/irr/roots/0"), 0.1, 1e-10);
    near(at(out, "/irr/roots/1"), 0.5, 1e-10);
    near(at(out, "/irr/roots/2"), 2, 1e-10);
    near(at(out, "/irr/sign_changes"), 3, 0);
    assert_true(warns(out, "irr_not_unique"));
    out = model(0.2, twice, 3);
    assert_string_equal(text_at(out, "/irr/status"), "unique");
    near(at(out, "/irr/value"), 0.1, 1e-9);
}

static void test_tool_financial_model__long_series_neither_overflow_nor_vanish(void **state UNUSED)
{
    double flows[600] = {0}, late[600] = {0};
    cJSON *out;

    flows[0] = -1000;
    for (int i = 1; i < 600; i++)
        flows[i] = 10.5;
    out = model(0.01, flows, 600);
    near(at(out, "/irr/value"), 0.0104786, 1e-5);
    late[598] = -100;
    late[599] = 110;
    near(at(model(0.05, late, 600), "/irr/value"), 0.1, 1e-10);
}

static void test_tool_financial_model__no_sign_change_means_no_rate(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'rate':0.1,'cash_flows':[100,200]}");

    assert_string_equal(text_at(out, "/irr/status"), "not_applicable");
    assert_true(cJSON_IsNull(json_at(out, "/mirr")));
    near(at(out, "/payback"), 0, 0);
    assert_true(cJSON_IsNull(json_at(out, "/profitability_index")));
    assert_true(warns(out, "irr_not_unique"));
    assert_true(warns(out, "mirr_not_applicable"));
    assert_true(warns(out, "profitability_index_not_applicable"));
    assert_true(warns(out, "terminal_value_share"));
}

static void test_tool_financial_model__payback(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'rate':0,'cash_flows':[-0.3,0.1,0.1,0.1]}");

    near(at(out, "/payback"), 3, 1e-9);
    out = run(TOOL, "{'rate':0,'cash_flows':[-100,150,-100,20]}");
    near(at(out, "/payback"), 2.0 / 3, 1e-12);
    assert_true(warns(out, "payback_not_final"));
    out = run(TOOL, "{'rate':0,'cash_flows':[-100,20]}");
    assert_true(cJSON_IsNull(json_at(out, "/payback")));
    assert_true(warns(out, "payback_never"));
    near(at(run(TOOL, "{'rate':0,'cash_flows':[10,-100,180]}"), "/payback"), 1.5, 1e-12);
}

static void test_tool_financial_model__dated_flows_are_sorted_and_need_real_days(
    void **state UNUSED)
{
    cJSON *out =
        run(TOOL, "{'rate':0.1,'dated_flows':[{'date':'2025-01-01','amount':110},"
                  "{'date':'2024-01-02','amount':-60},{'date':'2024-01-02','amount':-40}]}");

    near(at(out, "/npv"), 0, 1e-9); /* 2024 is a leap year: 365 days */
    near(at(out, "/irr/value"), 0.1, 1e-9);
    near(at(out, "/cash_flows/0"), -100, 0);
    assert_true(cJSON_IsNull(json_at(out, "/payback")));
    refuses(TOOL, "{'rate':0.1,'dated_flows':[{'date':'2023-02-29','amount':1}]}", "bad_date",
            "/dated_flows/0/date");
    refuses(TOOL, "{'rate':0.1,'dated_flows':[{'date':'2023-13-01','amount':1}]}", "bad_date",
            "/dated_flows/0/date");
}

static void test_tool_financial_model__scenarios(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'rate':0.1,'formula':{'expression':'if(t==0,-100,a)','periods':2,"
                           "'variables':{'a':60}},'scenarios':["
                           "{'name':'bad','probability':0.25,'variables':{'a':40}},"
                           "{'name':'usual','probability':0.75},"
                           "{'name':'other','probability':0,'cash_flows':[-1,2],'rate':0}]}");
    double bad = -100 + 40 / 1.1 + 40 / 1.21, usual = -100 + 60 / 1.1 + 60 / 1.21;

    near(at(out, "/scenarios/0/npv"), bad, 1e-12);
    near(at(out, "/scenarios/1/npv"), usual, 1e-12);
    near(at(out, "/scenarios/2/npv"), 1, 1e-12);
    near(at(out, "/scenario_expected_npv"), 0.25 * bad + 0.75 * usual, 1e-12);
    near(at(out, "/scenario_probability_of_loss"), 0.25, 1e-15);
    out = run(TOOL, "{'rate':0.1,'cash_flows':[-1,2],'scenarios':[{'name':'a','probability':0.5},"
                    "{'name':'b','rate':0.2}]}");
    assert_true(cJSON_IsNull(json_at(out, "/scenario_expected_npv")));
    assert_true(warns(out, "probabilities_missing"));
    out =
        run(TOOL, "{'rate':0.1,'cash_flows':[-1,2],'scenarios':[{'name':'a','probability':0.5}]}");
    assert_true(cJSON_IsNull(json_at(out, "/scenario_probability_of_loss")));
    assert_true(warns(out, "probabilities_not_one"));
    refuses(TOOL, "{'rate':0.1,'cash_flows':[-1,2],'scenarios':[{'name':'a','variables':{'q':1}}]}",
            "unknown_name", "/scenarios/0/variables/q");
    refuses(TOOL, "{'rate':0.1,'cash_flows':[-1,2],'scenarios':[{'name':'a'},{'name':'a'}]}",
            "duplicate_name", "/scenarios/1/name");
}

static void test_tool_financial_model__break_even(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'rate':0.1,'break_even':[{'fixed_cost':1000,'price':15,'unit_cost':10,"
                           "'volume':250},{'fixed_cost':1,'price':1,'unit_cost':2}]}");

    assert_true(cJSON_IsNull(json_at(out, "/npv")));
    near(at(out, "/break_even/0/value"), 200, 1e-12);
    near(at(out, "/break_even/0/margin_of_safety"), 0.2, 1e-12);
    assert_string_equal(text_at(out, "/break_even/1/status"), "not_applicable");
    out = run(TOOL, "{'rate':0,'formula':{'expression':'(x-1)*(x-2)*t','periods':1,"
                    "'variables':{'x':3}},'break_even':[{'variable':'x','low':0,'high':5},"
                    "{'variable':'x','low':5,'high':9}]}");
    assert_string_equal(text_at(out, "/break_even/0/status"), "multiple");
    near(at(out, "/break_even/0/values/0"), 1, 1e-9);
    near(at(out, "/break_even/0/values/1"), 2, 1e-9);
    assert_string_equal(text_at(out, "/break_even/1/status"), "none_in_range");
    assert_true(warns(out, "break_even_none_in_range"));
}

/* 1/x changes sign at 0 without being 0 there. */
static void test_tool_financial_model__a_pole_is_no_break_even(void **state UNUSED)
{
    cJSON *out =
        run(TOOL, "{'rate':0,'formula':{'expression':'t/x','periods':1,"
                  "'variables':{'x':3}},'break_even':[{'variable':'x','low':-1.03,'high':1},"
                  "{'variable':'x','low':-1,'high':1}]}");

    assert_string_equal(text_at(out, "/break_even/0/status"), "none_in_range");
    assert_string_equal(text_at(out, "/break_even/1/status"), "none_in_range");
    assert_true(warns(out, "break_even_gaps"));
}

static void test_tool_financial_model__faults(void **state UNUSED)
{
    refuses(TOOL, "{'rate':0.1,'formula':{'expression':'q','periods':1}}", "unknown_name",
            "/formula/expression");
    refuses(TOOL, "{'rate':0.1,'formula':{'expression':'1+','periods':1}}", "expression_syntax",
            "/formula/expression");
    refuses(TOOL, "{'rate':0.1,'formula':{'expression':'1/t','periods':1}}",
            "expression_not_finite", "/formula/expression");
    refuses(TOOL, "{'rate':0.1,'formula':{'expression':'t','periods':1,'variables':{'t':1}}}",
            "duplicate_name", "/formula/variables/t");
    refuses(TOOL,
            "{'rate':0.1,'cash_flows':[-1,2],'break_even':[{'variable':'x','low':0,'high':1}]}",
            "unknown_name", "/break_even/0/variable");
    refuses(TOOL,
            "{'rate':0.1,'formula':{'expression':'x','periods':1,'variables':{'x':1}},"
            "'break_even':[{'variable':'x','low':1,'high':1}]}",
            "bad_order", "/break_even/0");
    refuses(TOOL, "{'rate':-1,'cash_flows':[1]}", "schema", "/rate");
    refuses(TOOL, "{'rate':0.1,'cash_flows':[1e308,1e308,1e308]}", "not_finite", "/cash_flows/0");
    refuses(TOOL, "{'rate':-0.9999999,'formula':{'expression':'1e300','periods':9}}", "not_finite",
            "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_financial_model__npv_is_additive_and_falls_in_the_rate),
        T(test_tool_financial_model__scaling_leaves_the_irr_alone),
        T(test_tool_financial_model__all_roots_are_found),
        T(test_tool_financial_model__long_series_neither_overflow_nor_vanish),
        T(test_tool_financial_model__no_sign_change_means_no_rate),
        T(test_tool_financial_model__payback),
        T(test_tool_financial_model__dated_flows_are_sorted_and_need_real_days),
        T(test_tool_financial_model__scenarios),
        T(test_tool_financial_model__break_even),
        T(test_tool_financial_model__a_pole_is_no_break_even),
        T(test_tool_financial_model__faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
