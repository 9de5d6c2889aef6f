/* test_tool_monte_carlo.c: distributions, correlation, convergence, tornado. */
#include "tests/unit/libcommon/method/tooltest.h"

#define TOOL "monte_carlo"

static cJSON *simulate(const char *distribution, const char *rest)
{
    return run(TOOL, arena_printf(mem,
                                  "{'inputs':[{'name':'x','distribution':%s}],'expression':'x',"
                                  "'iterations':40000,'seed':3%s}",
                                  distribution, rest));
}

/* Mean and standard deviation within 4 standard errors. */
static void moments(const char *distribution, double mean, double sd)
{
    cJSON *out = simulate(distribution, "");
    double se = sd / sqrt(40000);

    near(at(out, "/mean"), mean, 4 * se);
    near(at(out, "/sd"), sd, 8 * se);
}

static void test_tool_monte_carlo__each_distribution_has_its_moments(void **state UNUSED)
{
    moments("{'type':'normal','mean':5,'sd':2}", 5, 2);
    moments("{'type':'lognormal','mean':10,'sd':3}", 10, 3);
    moments("{'type':'lognormal','mu':0,'sigma':0.5}", exp(0.125),
            exp(0.125) * sqrt(exp(0.25) - 1));
    moments("{'type':'triangular','min':0,'mode':0,'max':3}", 1, sqrt(0.5));
    moments("{'type':'uniform','min':-1,'max':1}", 0, sqrt(1.0 / 3));
    moments("{'type':'pert','min':0,'mode':2,'max':10}", 3, sqrt(3 * 7 / 7.0));
    moments("{'type':'pert','min':-1,'mode':-1,'max':1,'lambda':2}", -0.5, sqrt(0.5 * 1.5 / 5));
    moments("{'type':'discrete','values':[1,2,10],'probabilities':[0.5,0.3,0.2]}", 3.1,
            sqrt(0.5 + 1.2 + 20 - 9.61));
}

static void test_tool_monte_carlo__the_shortfall_is_below_its_quantile(void **state UNUSED)
{
    for (int i = 1; i <= 10; i++) {
        cJSON *out =
            simulate("{'type':'normal','mean':0,'sd':1}",
                     arena_printf(mem, ",'cvar_alpha':%g,'quantiles':[%g]", i * 0.05, i * 0.05));

        assert_true(at(out, "/cvar/value") <= at(out, "/quantiles/0/value"));
    }
}

static void test_tool_monte_carlo__lower_may_be_better(void **state UNUSED)
{
    cJSON *out = simulate("{'type':'uniform','min':0,'max':1}",
                          ",'direction':'lower_is_better','loss_threshold':0.9");

    near(at(out, "/probability_of_loss"), 0.1, 0.006);
    near(at(out, "/cvar/value"), 0.975, 0.003);
}

static void test_tool_monte_carlo__correlated_marginals_stay_what_they_are(void **state UNUSED)
{
    cJSON *out =
        run(TOOL, "{'inputs':[{'name':'a','distribution':{'type':'pert','min':0,'mode':1,'max':4}},"
                  "{'name':'b','distribution':{'type':'uniform','min':0,'max':1}}],"
                  "'correlations':[{'a':'a','b':'b','rho':-0.8}],'expression':'b',"
                  "'iterations':20000,'tornado':true}");

    near(at(out, "/mean"), 0.5, 4 * 0.2887 / sqrt(20000));
    assert_string_equal(text_at(out, "/tornado/rank_correlation/0/name"), "b");
    near(at(out, "/tornado/rank_correlation/0/rho"), 1, 1e-12);
    near(at(out, "/tornado/rank_correlation/1/rho"), -0.8, 0.012);
}

static void test_tool_monte_carlo__stops_when_precise_enough(void **state UNUSED)
{
    cJSON *out = simulate("{'type':'uniform','min':9,'max':11}",
                          ",'convergence':{'relative_error':0.001,'minimum':1000}");

    double n = at(out, "/iterations");

    assert_true(cJSON_IsTrue(json_at(out, "/converged")));
    near(n, 13000, 1000); /* 1.96 * 0.577 / sqrt(n) is at most 0.01 from 12,800 on */
    near(fmod(n, 1000), 0, 0);
}

static void test_tool_monte_carlo__says_that_it_did_not_converge(void **state UNUSED)
{
    cJSON *out =
        simulate("{'type':'normal','mean':0,'sd':1}", ",'convergence':{'relative_error':1e-6}");

    assert_true(cJSON_IsFalse(json_at(out, "/converged")));
    assert_true(warns(out, "not_converged"));
    near(at(out, "/iterations"), 40000, 0);
    assert_true(
        cJSON_IsNull(json_at(simulate("{'type':'normal','mean':0,'sd':1}", ""), "/converged")));
}

static void test_tool_monte_carlo__tornado(void **state UNUSED)
{
    cJSON *out =
        run(TOOL, "{'inputs':[{'name':'small','distribution':{'type':'uniform','min':0,"
                  "'max':1}},{'name':'big','distribution':{'type':'uniform','min':0,'max':10}},"
                  "{'name':'none','distribution':{'type':'discrete','values':[4],"
                  "'probabilities':[1]}}],'expression':'small-big+none','tornado':true,"
                  "'iterations':2000}");

    assert_string_equal(text_at(out, "/tornado/one_at_a_time/0/name"), "big");
    near(at(out, "/tornado/one_at_a_time/0/low"), 0.5 - 1 + 4, 1e-12);
    near(at(out, "/tornado/one_at_a_time/0/high"), 0.5 - 9 + 4, 1e-12);
    near(at(out, "/tornado/one_at_a_time/0/swing"), 8, 1e-12);
    near(at(out, "/tornado/one_at_a_time/2/swing"), 0, 0);
    assert_true(at(out, "/tornado/rank_correlation/0/rho") < -0.9);
    assert_true(cJSON_IsNull(json_at(out, "/tornado/rank_correlation/2/rho")));
    assert_true(warns(out, "no_variance"));
}

static void fault(const char *inputs, const char *rest, const char *reason, const char *field)
{
    refuses(TOOL, arena_printf(mem, "{'inputs':[%s]%s}", inputs, rest), reason, field);
}

static void test_tool_monte_carlo__faults(void **state UNUSED)
{
    const char *a = "{'name':'a','distribution':{'type':'uniform','min':0,'max':1}}";
    const char *ab = "{'name':'a','distribution':{'type':'uniform','min':0,'max':1}},"
                     "{'name':'b','distribution':{'type':'uniform','min':0,'max':1}},"
                     "{'name':'c','distribution':{'type':'uniform','min':0,'max':1}}";

    fault("{'name':'a','distribution':{'type':'uniform','min':1,'max':1}}", ",'expression':'a'",
          "bad_order", "/inputs/0/distribution");
    fault("{'name':'a','distribution':{'type':'pert','min':0,'mode':2,'max':1}}",
          ",'expression':'a'", "bad_order", "/inputs/0/distribution");
    fault("{'name':'a','distribution':{'type':'discrete','values':[1,2],'probabilities':[1]}}",
          ",'expression':'a'", "dimension_mismatch", "/inputs/0/distribution/probabilities");
    fault(
        "{'name':'a','distribution':{'type':'discrete','values':[1,2],'probabilities':[0.5,0.4]}}",
        ",'expression':'a'", "probabilities_not_one", "/inputs/0/distribution/probabilities");
    fault(arena_printf(mem, "%s,%s", a, a), ",'expression':'a'", "duplicate_name",
          "/inputs/1/name");
    fault(a, ",'expression':'a','constants':{'a':1}", "duplicate_name", "/constants/a");
    fault(a, ",'expression':'b'", "unknown_name", "/expression");
    fault(a, ",'expression':'1/(a*0)'", "expression_not_finite", "/expression");
    fault(ab, ",'expression':'a','correlations':[{'a':'a','b':'z','rho':0.1}]", "unknown_name",
          "/correlations/0/b");
    fault(ab,
          ",'expression':'a','correlations':[{'a':'a','b':'b','rho':0.9},"
          "{'a':'b','b':'c','rho':0.9},{'a':'a','b':'c','rho':-0.9}]",
          "correlation_not_psd", "/correlations");
    fault(ab,
          ",'expression':'a','correlations':[{'a':'a','b':'b','rho':0.9},"
          "{'a':'b','b':'a','rho':0.9}]",
          "duplicate_name", "/correlations/1");
    fault(a, ",'expression':'a','iterations':99", "schema", "/iterations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_monte_carlo__each_distribution_has_its_moments),
        T(test_tool_monte_carlo__the_shortfall_is_below_its_quantile),
        T(test_tool_monte_carlo__lower_may_be_better),
        T(test_tool_monte_carlo__correlated_marginals_stay_what_they_are),
        T(test_tool_monte_carlo__stops_when_precise_enough),
        T(test_tool_monte_carlo__says_that_it_did_not_converge),
        T(test_tool_monte_carlo__tornado),
        T(test_tool_monte_carlo__faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
