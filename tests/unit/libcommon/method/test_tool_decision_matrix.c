/* test_tool_decision_matrix.c: weights, normalisation, ranks, dominance, flips, SMAA. */
#include "tests/unit/libcommon/method/tooltest.h"

#define TOOL "decision_matrix"

static const char *const criteria =
    "{'name':'value','direction':'benefit','weight':5,'low':0,'high':100},"
    "{'name':'price','direction':'cost','weight':3,'low':0,'high':50},"
    "{'name':'risk','direction':'cost','weight':2,'low':0,'high':10}";

static cJSON *compare(const char *names, const char *rows, const char *rest)
{
    return run(TOOL, arena_printf(mem,
                                  "{'alternatives':[%s],'criteria':[%s],'scores':[%s],"
                                  "'weighting':{'method':'direct'}%s}",
                                  names, criteria, rows, rest));
}

static double score_of(const cJSON *out, const char *name)
{
    const cJSON *s;

    cJSON_ArrayForEach (s, json_get(out, "scores"))
        if (strcmp(json_str(s, "alternative", ""), name) == 0)
            return json_num(s, "score", NAN);
    fail_msg("%s has no score", name);
    return 0;
}

static void permuted(const char *rest)
{
    cJSON *x = compare("'a','b','c'", "[80,40,5],[84,20,8],[90,45,9]", rest);
    cJSON *y = compare("'c','a','b'", "[90,45,9],[80,40,5],[84,20,8]", rest);

    for (const char *const *n = (const char *const[]){"a", "b", "c", NULL}; *n != NULL; n++)
        near(score_of(x, *n), score_of(y, *n), 1e-14);
    assert_true(json_same(json_get(x, "ranking"), json_get(y, "ranking")));
    for (int j = 0; j < 3; j++) {
        const char *w = arena_printf(mem, "/flips/%d/weight_at_flip", j);
        const char *who = arena_printf(mem, "/flips/%d/new_winner", j);

        assert_true(json_same(json_at(x, who), json_at(y, who)));
        if (!cJSON_IsNull(json_at(x, w)))
            near(at(x, w), at(y, w), 1e-6);
    }
}

static void test_tool_decision_matrix__permuting_permutes_the_answer(void **state UNUSED)
{
    permuted(",'method':'weighted_sum','sensitivity':true");
    permuted(",'method':'topsis','sensitivity':true");
    permuted(",'method':'weighted_sum','normalisation':'sum','sensitivity':true");
}

static void normalised(const char *how, double a, double b, double c)
{
    cJSON *out = compare("'a','b','c'", "[80,40,5],[60,20,4],[90,45,9]",
                         arena_printf(mem, ",'method':'weighted_sum','normalisation':'%s'", how));

    near(at(out, "/normalised/0/0"), a, 1e-12);
    near(at(out, "/normalised/0/1"), b, 1e-12);
    near(at(out, "/normalised/1/2"), c, 1e-12);
    assert_int_equal(warns(out, "rank_reversal_possible"),
                     strcmp(how, "range") != 0 && strcmp(how, "none") != 0);
}

static void test_tool_decision_matrix__normalisations(void **state UNUSED)
{
    normalised("minmax", 20.0 / 30, 1 - 20.0 / 25, 1);
    normalised("max", 80.0 / 90, 0.5, 1);
    normalised("sum", 80.0 / 230, (1 / 40.0) / (1 / 40.0 + 1 / 20.0 + 1 / 45.0),
               (1 / 4.0) / (1 / 5.0 + 1 / 4.0 + 1 / 9.0));
    normalised("vector", 80 / sqrt(6400 + 3600 + 8100), 1 - 40 / sqrt(1600 + 400 + 2025),
               1 - 4 / sqrt(25 + 16 + 81));
    normalised("range", 0.8, 0.2, 0.6);
    normalised("none", 80, -40, -4);
}

static void test_tool_decision_matrix__range_is_clamped_and_needs_its_ends(void **state UNUSED)
{
    cJSON *out = compare("'a','b'", "[180,40,5],[60,20,-4]",
                         ",'method':'weighted_sum','normalisation':'range'");

    near(at(out, "/normalised/0/0"), 1, 0);
    near(at(out, "/normalised/1/2"), 1, 0);
    refuses(TOOL,
            "{'alternatives':['a','b'],'criteria':[{'name':'c','direction':'cost','low':1}],"
            "'scores':[[1],[2]],'weighting':{'method':'equal'},'method':'weighted_sum',"
            "'normalisation':'range'}",
            "schema", "/criteria/0/high");
}

static void test_tool_decision_matrix__a_constant_criterion_decides_nothing(void **state UNUSED)
{
    cJSON *out = compare("'a','b'", "[80,40,5],[60,20,5]", ",'method':'weighted_sum'");

    near(at(out, "/normalised/0/2"), 1, 0);
    near(at(out, "/normalised/1/2"), 1, 0);
    assert_string_equal(text_at(out, "/warnings/0/code"), "constant_criterion");
    assert_string_equal(text_at(out, "/warnings/1/code"), "rank_reversal_possible");
}

static void test_tool_decision_matrix__equal_scores_share_the_rank(void **state UNUSED)
{
    cJSON *out =
        compare("'a','b','c'", "[80,40,5],[80,40,5],[10,45,9]", ",'method':'weighted_sum'");

    near(at(out, "/scores/0/rank"), 1, 0);
    near(at(out, "/scores/1/rank"), 1, 0);
    near(at(out, "/scores/2/rank"), 3, 0);
    assert_string_equal(text_at(out, "/ranking/0"), "a");
    assert_int_equal(cJSON_GetArraySize(json_get(out, "dominated")), 2);
    assert_string_equal(text_at(out, "/dominated/0/by"), "a");
}

/* Both ways of looking for a flip agree on where the scores meet. */
static void test_tool_decision_matrix__scores_meet_at_the_flip(void **state UNUSED)
{
    static const char *const methods[] = {"weighted_sum", "topsis"};

    for (int k = 0; k < 2; k++) {
        cJSON *in =
            js(arena_printf(mem,
                            "{'alternatives':['a','b'],'criteria':[%s],"
                            "'scores':[[80,40,5],[60,20,4]],'weighting':{'method':'direct'},"
                            "'method':'%s','sensitivity':true}",
                            criteria, methods[k]));
        cJSON *out = run_tree(TOOL, in);
        double w = at(out, "/flips/0/weight_at_flip");

        cJSON_SetNumberValue(json_at(in, "/criteria/0/weight"), w);
        cJSON_SetNumberValue(json_at(in, "/criteria/1/weight"), 0.6 * (1 - w));
        cJSON_SetNumberValue(json_at(in, "/criteria/2/weight"), 0.4 * (1 - w));
        out = run_tree(TOOL, in);
        near(at(out, "/scores/0/score"), at(out, "/scores/1/score"), k == 0 ? 1e-12 : 1e-5);
    }
}

static void test_tool_decision_matrix__weights(void **state UNUSED)
{
    const char *rest = "'scores':[[1,2],[2,1]],'method':'weighted_sum',"
                       "'alternatives':['a','b'],'criteria':[{'name':'x','direction':'benefit'},"
                       "{'name':'y','direction':'benefit'}]";
    cJSON *out =
        run(TOOL, arena_printf(mem, "{%s,'weighting':{'method':'swing','swing':[100,25]}}", rest));

    near(at(out, "/weights/0"), 0.8, 1e-15);
    out = run(TOOL, arena_printf(mem, "{%s,'weighting':{'method':'equal'}}", rest));
    near(at(out, "/weights/1"), 0.5, 0);
    out =
        run(TOOL, arena_printf(mem, "{%s,'weighting':{'method':'ahp','pairwise':[[1,4],[0.25,1]]}}",
                               rest));
    near(at(out, "/weights/0"), 0.8, 1e-12);
    near(at(out, "/ahp/cr"), 0, 0);
    refuses(TOOL, arena_printf(mem, "{%s,'weighting':{'method':'swing','swing':[0,0]}}", rest),
            "weights_zero", "/weighting/swing");
    refuses(TOOL, arena_printf(mem, "{%s,'weighting':{'method':'swing','swing':[1]}}", rest),
            "dimension_mismatch", "/weighting/swing");
    refuses(TOOL, arena_printf(mem, "{%s,'weighting':{'method':'direct'}}", rest), "schema",
            "/criteria/0/weight");
    refuses(TOOL,
            arena_printf(mem, "{%s,'weighting':{'method':'ahp','pairwise':[[1,4],[0.5,1]]}}", rest),
            "pairwise_not_reciprocal", "/weighting/pairwise/1/0");
    refuses(TOOL, arena_printf(mem, "{%s,'weighting':{'method':'ahp','pairwise':[[1]]}}", rest),
            "dimension_mismatch", "/weighting/pairwise");
}

static void test_tool_decision_matrix__contradicting_comparisons_are_named(void **state UNUSED)
{
    cJSON *out =
        run(TOOL, "{'alternatives':['a','b'],'criteria':[{'name':'x','direction':'benefit'},"
                  "{'name':'y','direction':'benefit'},{'name':'z','direction':'benefit'}],"
                  "'scores':[[1,2,3],[3,2,1]],'method':'weighted_sum','weighting':{"
                  "'method':'ahp','pairwise':[[1,5,0.2],[0.2,1,5],[5,0.2,1]]}}");

    assert_true(cJSON_IsFalse(json_at(out, "/ahp/consistent")));
    assert_string_equal(text_at(out, "/warnings/0/code"), "ahp_inconsistent");
}

static void test_tool_decision_matrix__shapes_must_fit(void **state UNUSED)
{
    const char *rest = "'weighting':{'method':'equal'},'method':'weighted_sum','criteria':["
                       "{'name':'x','direction':'benefit'},{'name':'y','direction':'benefit'}]";

    refuses(TOOL,
            arena_printf(mem, "{%s,'alternatives':['a','b'],'scores':[[1,2],[1,2],[1,2]]}", rest),
            "dimension_mismatch", "/scores");
    refuses(TOOL, arena_printf(mem, "{%s,'alternatives':['a','b'],'scores':[[1,2],[1]]}", rest),
            "dimension_mismatch", "/scores/1");
    refuses(TOOL, arena_printf(mem, "{%s,'alternatives':['a','a'],'scores':[[1,2],[1,3]]}", rest),
            "duplicate_name", "/alternatives/1");
    refuses(TOOL,
            arena_printf(
                mem, "{%s,'alternatives':['a','b'],'scores':[[1,2],[1,0]],'normalisation':'max'}",
                rest),
            "schema", "/scores/1/1");
}

static void test_tool_decision_matrix__smaa(void **state UNUSED)
{
    cJSON *out = compare("'a','b','c'", "[80,40,5],[60,20,4],[10,49,9]",
                         ",'method':'weighted_sum','smaa':{'samples':2000,'seed':9}");
    double first =
        at(out, "/smaa/rank_acceptability/0/0") + at(out, "/smaa/rank_acceptability/1/0");

    near(first, 1, 1e-12);
    near(at(out, "/smaa/rank_acceptability/2/2"), 1, 0);
    assert_true(cJSON_IsNull(json_at(out, "/smaa/central_weights/2")));
    near(at(out, "/smaa/central_weights/0/0") + at(out, "/smaa/central_weights/0/1") +
             at(out, "/smaa/central_weights/0/2"),
         1, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tool_decision_matrix__permuting_permutes_the_answer),
        T(test_tool_decision_matrix__normalisations),
        T(test_tool_decision_matrix__range_is_clamped_and_needs_its_ends),
        T(test_tool_decision_matrix__a_constant_criterion_decides_nothing),
        T(test_tool_decision_matrix__equal_scores_share_the_rank),
        T(test_tool_decision_matrix__scores_meet_at_the_flip),
        T(test_tool_decision_matrix__weights),
        T(test_tool_decision_matrix__contradicting_comparisons_are_named),
        T(test_tool_decision_matrix__shapes_must_fit),
        T(test_tool_decision_matrix__smaa),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
