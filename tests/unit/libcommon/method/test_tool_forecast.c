/* test_tool_forecast.c: the methods against values computed by hand, intervals, backtests, and the
 * choice among them. */
#include "tests/unit/libcommon/method/tooltest.h"
#include "libcommon/method/prng.h"

#define TOOL "forecast"
#define SEASONAL "'series':[30,21,29,36,33,24,32,40,37,27,36,44,41,30,39,49],'frequency':4"

static cJSON *forecast(const char *rest)
{
    return run(TOOL, arena_printf(mem, "{" SEASONAL ",%s}", rest));
}

static void test_tool_forecast__holt_and_damped_holt(void **state UNUSED)
{
    cJSON *out = forecast("'horizon':3,'method':'holt','parameters':{'alpha':0.8,'beta':0.2}");

    near(at(out, "/forecasts/0/mean"), 48.75802248787172, 1e-10);
    near(at(out, "/forecasts/2/mean"), 52.78943307608843, 1e-10);
    near(at(out, "/residual_sd"), 9.530964361237917, 1e-10);
    near(at(out, "/parameters/trend0"), -9, 0);
    out = forecast("'horizon':3,'method':'holt_damped','parameters':{'alpha':0.8,'beta':0.2,"
                   "'phi':0.9}");
    near(at(out, "/forecasts/0/mean"), 48.593740898702976, 1e-10);
    near(at(out, "/forecasts/2/mean"), 51.74086464410082, 1e-10);
}

static void test_tool_forecast__holt_winters(void **state UNUSED)
{
    cJSON *out = forecast("'horizon':5,'method':'holt_winters','parameters':{'alpha':0.5,"
                          "'beta':0.1,'gamma':0.3},'intervals':[0.95]");
    double c1 = 0.5 + 0.05, c4 = 0.5 + 0.2 + 0.3, half;

    near(at(out, "/forecasts/0/mean"), 44.35182476798279, 1e-10);
    near(at(out, "/forecasts/4/mean"), 47.82656756672398, 1e-10);
    near(at(out, "/residual_sd"), 1.0970425342663217, 1e-10);
    half = 1.959963984540054 * 1.0970425342663217;
    near(at(out, "/forecasts/4/intervals/0/upper") - at(out, "/forecasts/4/mean"),
         half * sqrt(1 + c1 * c1 + 0.6 * 0.6 + 0.65 * 0.65 + c4 * c4), 1e-9);
}

static void test_tool_forecast__parameters_are_fitted(void **state UNUSED)
{
    cJSON *out = forecast("'horizon':1,'method':'ses'");

    near(at(out, "/parameters/alpha"), 0.27826, 2e-4);
    near(at(out, "/residual_sd"), sqrt(769.836716311056 / 15), 1e-6);
}

static void test_tool_forecast__theta(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[10,12,11,15,14,18,17,21,20,24],'horizon':3,'method':'theta',"
                           "'parameters':{'alpha':0.4}}");

    near(at(out, "/forecasts/0/mean"), 22.66813023573333, 1e-10);
    near(at(out, "/forecasts/2/mean"), 24.134796902399998, 1e-10);
    out = forecast("'horizon':4,'method':'theta'");
    assert_true(cJSON_IsTrue(json_at(out, "/parameters/seasonal")));
    assert_true(at(out, "/forecasts/1/mean") < at(out, "/forecasts/0/mean") - 8);
}

static void test_tool_forecast__auto_takes_the_season(void **state UNUSED)
{
    cJSON *out = forecast("'horizon':4");
    const char *method = text_at(out, "/method");

    assert_true(strcmp(method, "holt_winters") == 0 || strcmp(method, "theta") == 0);
    assert_true(at(out, "/backtest/mase") < 1);
    assert_true(cJSON_GetArraySize(json_at(out, "/backtest/by_method")) == 8);
    assert_string_equal(text_at(out, "/backtest/by_method/0/method"), "naive");
    near(at(out, "/forecasts/0/mean"), 45, 1.5);
    near(at(out, "/forecasts/1/mean"), 33, 3);
}

static void test_tool_forecast__noise_is_left_to_the_simplest(void **state UNUSED)
{
    cJSON *in = js("{'series':[],'horizon':2}"), *out;
    struct prng g;
    double y = 0;

    prng_seed(&g, 4);
    for (int i = 0; i < 200; i++) {
        y += prng_uniform(&g) - 0.5;
        json_push_num(json_get(in, "series"), y);
    }
    out = run_tree(TOOL, in);
    assert_string_equal(text_at(out, "/method"), "naive");
    near(at(out, "/backtest/origins"), 50, 0);
}

static void test_tool_forecast__too_short_for_a_contest(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[1,2,3,5],'horizon':2}");

    assert_string_equal(text_at(out, "/method"), "naive");
    near(at(out, "/forecasts/1/mean"), 5, 0);
    assert_string_equal(text_at(out, "/warnings/0/code"), "interval_assumes_stability");
    assert_string_equal(text_at(out, "/warnings/1/code"), "short_series");
    assert_null(json_get(out, "backtest"));
}

static void test_tool_forecast__no_spread_can_be_said_of_two_values(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[1,2],'horizon':1,'method':'drift'}");

    near(at(out, "/forecasts/0/mean"), 3, 1e-15);
    assert_true(cJSON_IsNull(json_get(out, "residual_sd")));
    assert_int_equal(cJSON_GetArraySize(json_at(out, "/forecasts/0/intervals")), 0);
    assert_true(warns(out, "too_few_residuals"));
}

static void test_tool_forecast__a_flat_series_has_no_scale(void **state UNUSED)
{
    cJSON *out = run(TOOL, "{'series':[4,4,4,4,4,4,4,4,4],'horizon':1}");

    assert_string_equal(text_at(out, "/method"), "naive");
    assert_true(cJSON_IsNull(json_at(out, "/backtest/mase")));
    assert_true(warns(out, "scale_zero"));
}

static void test_tool_forecast__a_backtest_covers_what_it_should(void **state UNUSED)
{
    cJSON *in = js("{'series':[],'horizon':1,'method':'ses','intervals':[0.8],"
                   "'backtest':{'min_train':100,'horizon':1}}");
    cJSON *out;
    struct prng g;

    prng_seed(&g, 8);
    for (int i = 0; i < 400; i++) {
        double u = 0;

        for (int k = 0; k < 12; k++)
            u += prng_uniform(&g);
        json_push_num(json_get(in, "series"), u);
    }
    out = run_tree(TOOL, in);
    near(at(out, "/backtest/origins"), 300, 0);
    near(at(out, "/backtest/coverage"), 0.8, 4 * sqrt(0.16 / 300));
    near(at(out, "/backtest/rmse"), 1, 0.2);
}

static void test_tool_forecast__faults(void **state UNUSED)
{
    refuses(TOOL, "{'series':[1,2,3,4,5],'horizon':1,'method':'holt_winters','frequency':4}",
            "too_short", "/series");
    refuses(TOOL, "{'series':[1,2,3],'horizon':1,'method':'holt_winters'}", "schema", "/frequency");
    refuses(TOOL, "{'series':[1,2,3],'horizon':1,'backtest':{'min_train':3,'horizon':1}}",
            "too_short", "/backtest");
    refuses(TOOL,
            "{'series':[1,2,3,4,5,6,7,8,9],'horizon':1,'method':'holt_winters','frequency':4,"
            "'backtest':{'min_train':4,'horizon':1}}",
            "too_short", "/backtest/min_train");
    refuses(TOOL, "{'series':[1,2,3],'horizon':1,'method':'ses','parameters':{'alpha':1.5}}",
            "schema", "/parameters/alpha");
    refuses(TOOL,
            "{'series':[1,2,3,4],'horizon':1,'method':'holt_winters','frequency':2,"
            "'parameters':{'seasonal0':[1]}}",
            "dimension_mismatch", "/parameters/seasonal0");
    refuses(TOOL, "{'series':[-1e308,1e308],'horizon':366,'method':'drift'}", "not_finite",
            "/series/0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_forecast__holt_and_damped_holt),
        T(test_tool_forecast__holt_winters),
        T(test_tool_forecast__parameters_are_fitted),
        T(test_tool_forecast__theta),
        T(test_tool_forecast__auto_takes_the_season),
        T(test_tool_forecast__noise_is_left_to_the_simplest),
        T(test_tool_forecast__too_short_for_a_contest),
        T(test_tool_forecast__no_spread_can_be_said_of_two_values),
        T(test_tool_forecast__a_flat_series_has_no_scale),
        T(test_tool_forecast__a_backtest_covers_what_it_should),
        T(test_tool_forecast__faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
