/* test_tool.c: the door that all tools share: what no tool takes. */
#include "tests/unit/libcommon/method/tooltest.h"

/* One valid input each. */
static const struct sample {
    const char *tool, *input, *number; /* number: a JSON Pointer to some number in it */
} samples[] = {
    {"calculator", "{'expression':'x+1','variables':{'x':1}}", "/variables/x"},
    {"calibration", "{'forecasts':[{'p':0.5,'outcome':1}]}", "/forecasts/0/p"},
    {"data_analysis", "{'series':[{'name':'a','values':[1,2,null]}]}", "/series/0/values/1"},
    {"decision_matrix",
     "{'alternatives':['a','b'],'criteria':[{'name':'c','direction':'benefit','weight':1}],"
     "'scores':[[1],[2]],'weighting':{'method':'direct'},'method':'weighted_sum'}",
     "/scores/1/0"},
    {"decision_tree", "{'tree':{'type':'terminal','value':1}}", "/tree/value"},
    {"financial_model", "{'rate':0.1,'cash_flows':[-1,2]}", "/cash_flows/0"},
    {"forecast", "{'series':[1,2,3,4],'horizon':2}", "/series/3"},
    {"monte_carlo",
     "{'inputs':[{'name':'x','distribution':{'type':'uniform','min':0,'max':1}}],"
     "'expression':'x','iterations':100}",
     "/inputs/0/distribution/max"},
    {"risk_assessment", "{'risks':[{'name':'r','probability_score':1,'impact_score':2}]}",
     "/risks/0/impact_score"},
};

static void test_tool__every_tool_takes_its_smallest_input(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        assert_true(tool_exists(samples[i].tool));
        assert_true(tool_cost_us(samples[i].tool, js(samples[i].input)) > 0);
        run(samples[i].tool, samples[i].input);
    }
}

static void test_tool__numbers_that_are_not_finite_are_refused(void **state UNUSED)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};

    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
            cJSON *in = js(samples[i].input);

            cJSON_SetNumberValue(json_at(in, samples[i].number), bad[k]);
            refuses_tree(samples[i].tool, in, "not_finite", samples[i].number);
        }
}

static void refuses_somehow(const char *tool, const cJSON *in)
{
    struct tool_fault f;
    cJSON *out = NULL;

    assert_int_equal(tool_run(tool, in, mem, &out, &f), ERR_INVALID);
    assert_string_equal(f.reason, "schema");
}

static void test_tool__what_does_not_fit_the_schema_is_refused(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        cJSON *in = js(samples[i].input);

        refuses_somehow(samples[i].tool, js("{}"));
        refuses_somehow(samples[i].tool, js("[]"));
        refuses_somehow(samples[i].tool, js("null"));
        json_add_num(in, "nobody_knows_this", 1);
        refuses_somehow(samples[i].tool, in);
    }
}

static cJSON *big_array(cJSON *in, const char *key, int n)
{
    cJSON *list = cJSON_CreateArray();

    for (int i = 0; i < n; i++)
        json_push_num(list, i % 7);
    cJSON_ReplaceItemInObjectCaseSensitive(in, key, list);
    return in;
}

static void test_tool__input_over_its_size_is_refused(void **state UNUSED)
{
    cJSON *long_text = js("{'expression':'1'}");
    char *ones = arena_alloc(mem, 2002);

    refuses_somehow("financial_model", big_array(js(samples[5].input), "cash_flows", 601));
    refuses_somehow("forecast", big_array(js(samples[6].input), "series", 5001));
    big_array(json_at(js("{'series':[{'name':'a','values':[]}]}"), "/series/0"), "values", 1);
    memset(ones, '1', 2001);
    cJSON_SetValuestring(json_get(long_text, "expression"), ones);
    refuses_somehow("calculator", long_text);
    refuses("calculator", "{'expression':'1','variables':{'a/b~c':1e101}}", "not_finite",
            "/variables/a~1b~0c");
}

static void test_tool__a_tree_too_deep_is_refused_before_it_is_walked(void **state UNUSED)
{
    cJSON *root = json_obj(mem), *at = root;

    for (int i = 0; i < 200; i++)
        at = json_add_obj(at, "node");
    refuses_somehow("decision_tree", root);
}

static void test_tool__an_unknown_tool_is_not_found(void **state UNUSED)
{
    struct tool_fault f;
    cJSON *out = NULL;

    assert_int_equal(tool_run("optimization", js("{}"), mem, &out, &f), ERR_NOTFOUND);
    assert_false(tool_exists("prng"));
    assert_null(tool_input_schema("optimization"));
    assert_true(tool_cost_us("optimization", NULL) == INT64_MAX);
}

static void test_tool__the_same_input_gives_the_same_bytes(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct str a = json_print(mem, run(samples[i].tool, samples[i].input));
        struct str b = json_print(mem, run(samples[i].tool, samples[i].input));

        assert_true(str_eq(a, b));
    }
}

static void test_tool__more_than_five_seconds_is_a_timeout(void **state UNUSED)
{
    struct tool_fault f;
    cJSON *out = NULL;
    cJSON *in = js("{'inputs':[],'expression':'a0','iterations':1000000,'tornado':true}");

    for (int i = 0; i < 50; i++) {
        cJSON *one = js("{'distribution':{'type':'pert','min':0,'mode':0.3,'max':1}}");

        json_add_str(one, "name", arena_printf(mem, "a%d", i));
        json_push_copy(json_get(in, "inputs"), one);
    }
    assert_int_equal(tool_run("monte_carlo", in, mem, &out, &f), ERR_TIMEOUT);
    assert_string_equal(f.reason, "timeout");
    assert_null(out);
}

int main(int argc, char **argv UNUSED)
{
    const struct CMUnitTest tests[] = {
        T(test_tool__every_tool_takes_its_smallest_input),
        T(test_tool__numbers_that_are_not_finite_are_refused),
        T(test_tool__what_does_not_fit_the_schema_is_refused),
        T(test_tool__input_over_its_size_is_refused),
        T(test_tool__a_tree_too_deep_is_refused_before_it_is_walked),
        T(test_tool__an_unknown_tool_is_not_found),
        T(test_tool__the_same_input_gives_the_same_bytes),
    };
    const struct CMUnitTest slow[] = {T(test_tool__more_than_five_seconds_is_a_timeout)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    return argc > 1 ? rc + cmocka_run_group_tests(slow, NULL, NULL) : rc; /* any argument: all */
}
