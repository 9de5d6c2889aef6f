/* test_tool_calibration.c: scores of past probabilities. */
#include "tests/unit/libcommon/method/tooltest.h"

#define TOOL "calibration"

static cJSON *forecasts(const double *p, const int *happened, const int *of, int n)
{
    cJSON *in = json_obj(mem), *list = json_add_arr(in, "forecasts");

    for (int i = 0; i < n; i++)
        for (int k = 0; k < of[i]; k++) {
            cJSON *f = cJSON_CreateObject();

            json_add_num(f, "p", p[i]);
            json_add_num(f, "outcome", k < happened[i]);
            cJSON_AddItemToArray(list, f);
        }
    return in;
}

/* Exact when a bin holds one value (Murphy 1973). */
static void test_tool_calibration__brier_decomposes(void **state UNUSED)
{
    const double p[] = {0.05, 0.3, 0.55, 0.9};
    const int happened[] = {1, 4, 5, 17}, of[] = {20, 10, 10, 20};
    cJSON *out = run_tree(TOOL, forecasts(p, happened, of, 4));

    near(at(out, "/brier"),
         at(out, "/reliability") - at(out, "/resolution") + at(out, "/uncertainty"), 1e-14);
    near(at(out, "/n"), 60, 0);
    assert_int_equal(cJSON_GetArraySize(json_get(out, "bins")), 4);
    near(at(out, "/bins/3/observed"), 0.85, 1e-15);
    near(at(out, "/bins/3/ci_low"), 0.6396, 1e-4); /* Wilson, 17 of 20 */
    near(at(out, "/bins/3/ci_high"), 0.9476, 1e-4);
    near(at(out, "/bins/1/low"), 0.3, 1e-15); /* 0.3 * 10 is 2.9999999999999996 */
    assert_int_equal(cJSON_GetArraySize(json_get(out, "warnings")), 0);
}

static void test_tool_calibration__few_or_one_sided_outcomes_are_said(void **state UNUSED)
{
    const double p[] = {1, 0};
    const int happened[] = {2, 1}, of[] = {2, 1};
    cJSON *out = run_tree(TOOL, forecasts(p, happened, of, 2));

    assert_true(cJSON_IsNull(json_at(out, "/brier_skill")));
    assert_true(warns(out, "few_outcomes") && warns(out, "one_outcome_only"));
    near(at(out, "/log_score"), -log(1e-15) / 3, 1e-12);
    near(at(out, "/bins/1/high"), 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_calibration__brier_decomposes),
        T(test_tool_calibration__few_or_one_sided_outcomes_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
