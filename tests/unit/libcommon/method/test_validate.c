/* test_validate.c: what a model's answer must satisfy, and what is read out of its text. */
#include "libcommon/base/compat.h"
#include "tests/unit/libcommon/method/brief_case.h"
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

#define BRIEF "tests/data/briefs/04-kill-or-continue"

/* A valid answer to start from: the offline analyst's own. */
static void good_answer(struct brief_case *b)
{
    brief_load(b, BRIEF);
    assert_true(brief_decide(b, false, true));
}

static cJSON *check(struct brief_case *b, cJSON *answer, bool tolerate)
{
    struct validate_ctx ctx = {b->request, NULL, brief_events(b), b->material, tolerate};
    cJSON *faults = NULL;

    assert_int_equal(decision_validate(answer, &ctx, b->a, &faults), 0);
    return faults;
}

static bool has_fault(const cJSON *faults, const char *reason, bool soft)
{
    const cJSON *f;

    cJSON_ArrayForEach (f, faults)
        if (strcmp(json_str(f, "reason", ""), reason) == 0 && json_bool(f, "soft", false) == soft)
            return true;
    return false;
}

static void set_text(cJSON *root, const char *parent, const char *key, const char *text)
{
    cJSON_ReplaceItemInObjectCaseSensitive(json_at(root, parent), key, cJSON_CreateString(text));
}

static void set_num(cJSON *root, const char *parent, const char *key, double v)
{
    cJSON_ReplaceItemInObjectCaseSensitive(json_at(root, parent), key, cJSON_CreateNumber(v));
}

static void break_choice(cJSON *a)
{
    set_text(a, "/final_recommendation", "choice", "Buy a yacht");
}

static void break_weights(cJSON *a)
{
    set_num(a, "/decision_record/objectives/0", "weight", 0.9);
}

static void break_level(cJSON *a)
{
    set_text(a, "/risk_assessment", "risk_level", "critical");
}

static void break_confidence(cJSON *a)
{
    set_text(a, "/final_recommendation", "confidence_level", "high");
}

static void break_citation(cJSON *a)
{
    set_text(a, "/final_recommendation", "reasoning", "It is so [E99].");
}

static void break_flip(cJSON *a)
{
    set_num(a, "/sensitivity/0", "flip_at", 123.456);
}

static void break_language(cJSON *a)
{
    set_text(a, "/final_recommendation", "reasoning",
             "应选择托管产品，因为其净现值最高，风险较低，且更易撤回。");
    set_text(a, "/situation_analysis", "summary",
             "问题在于是否继续该项目，还是改用托管产品或停止。");
}

static void break_quote(cJSON *a)
{
    cJSON *e;

    cJSON_ArrayForEach (e, json_get(a, "evidence"))
        if (strcmp(json_str(e, "kind", ""), "document") == 0)
            cJSON_ReplaceItemInObjectCaseSensitive(e, "quote",
                                                   cJSON_CreateString("Nobody wrote this."));
}

static void break_figure(cJSON *a)
{
    set_text(a, "/final_recommendation", "reasoning", "Switching saves EUR 77.7M at once.");
}

static void break_shape(cJSON *a)
{
    cJSON_DeleteItemFromObjectCaseSensitive(a, "recommendations");
}

static void test_validate__names_what_is_wrong(void **state)
{
    static const struct {
        void (*damage)(cJSON *answer);
        const char *reason;
        bool soft;
    } rows[] = {
        {break_choice, "not_an_option", false},
        {break_weights, "weights_not_one", false},
        {break_level, "level_mismatch", false},
        {break_confidence, "level_mismatch", false},
        {break_citation, "unresolved_citation", false},
        {break_flip, "not_computed", false},
        {break_language, "language", false},
        {break_quote, "quote_not_found", true},
        {break_figure, "uncited_figure", true},
        {break_shape, "required", false},
    };
    struct brief_case b;

    (void)state;
    good_answer(&b);
    assert_int_equal(
        cJSON_GetArraySize(check(&b, json_own(b.a, cJSON_Duplicate(b.final, true)), false)), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *answer = json_own(b.a, cJSON_Duplicate(b.final, true));
        rows[i].damage(answer);
        if (!has_fault(check(&b, answer, false), rows[i].reason, rows[i].soft))
            fail_msg("no fault %s", rows[i].reason);
    }
    arena_free(b.a);
}

static void test_validate__soft_faults_are_marked_the_second_time(void **state)
{
    struct brief_case b;
    cJSON *answer, *e;
    bool assumed = false, unverified = false;

    (void)state;
    good_answer(&b);
    answer = json_own(b.a, cJSON_Duplicate(b.final, true));
    break_figure(answer);
    break_quote(answer);
    assert_int_equal(cJSON_GetArraySize(check(&b, answer, true)), 0);
    cJSON_ArrayForEach (e, json_get(answer, "evidence")) {
        assumed = assumed || (strcmp(json_str(e, "kind", ""), "assumption") == 0 &&
                              json_num(e, "value", 0) == 77.7e6);
        unverified = unverified || cJSON_IsFalse(json_get(e, "verified"));
    }
    assert_true(assumed);
    assert_true(unverified);
    arena_free(b.a);
}

static void test_validate__a_quote_is_found_whatever_its_spaces_and_width(void **state)
{
    struct brief_case b;
    cJSON *answer, *e;

    (void)state;
    good_answer(&b);
    answer = json_own(b.a, cJSON_Duplicate(b.final, true));
    e = cJSON_CreateObject();
    json_add_str(e, "id", "E500");
    json_add_str(e, "kind", "document");
    json_add_str(e, "ref", "steering-memo.md");
    json_add_str(e, "quote", "To  stop now would mean\nwriting off ｅｖｅｒｙthing");
    cJSON_AddItemToArray(json_get(answer, "evidence"), e);
    assert_int_equal(cJSON_GetArraySize(check(&b, answer, false)), 0);
    assert_true(cJSON_IsTrue(json_get(e, "verified")));
    arena_free(b.a);
}

static void test_validate__variants_are_renamed(void **state)
{
    static const char text[] =
        "{\"risk_assessment\":{\"risk_score\":\"12/10\",\"risk_factors\":[{\"category\":\"x\","
        "\"severity\":\"Medium-High\",\"reason\":\"y\"}]},"
        "\"final_recommendation\":{\"chosen_option\":\"A\",\"confidence\":\"85%\"}}";
    struct arena *a = arena_new();
    cJSON *out = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(decision_extract(str_of(text), a, &out, &err), 0);
    assert_true(json_num(json_get(out, "risk_assessment"), "overall_score", 0) == 10);
    assert_string_equal(json_str(json_get(out, "risk_assessment"), "risk_level", ""), "critical");
    assert_string_equal(json_str(json_at(out, "/risk_assessment/risk_factors/0"), "name", ""), "x");
    assert_string_equal(json_str(json_at(out, "/risk_assessment/risk_factors/0"), "level", ""),
                        "high");
    assert_string_equal(json_str(json_get(out, "final_recommendation"), "choice", ""), "A");
    assert_true(fabs(json_num(json_get(out, "final_recommendation"), "confidence", 0) - 0.85) <
                1e-9);
    assert_string_equal(json_str(json_get(out, "final_recommendation"), "confidence_level", ""),
                        "high");
    arena_free(a);
}

static void test_validate__the_object_is_found_in_the_text(void **state)
{
    static const char *const good[] = {
        "{\"a\": 1}",
        "  {\"a\": 1}\n",
        "Here it is:\n```json\n{\"a\": 1}\n```\nDone.",
        "```\n{\"a\": 1}\n```",
        "I think {\"a\": 1} is it.",
        "First {\"a\": 1} and a stray } behind",
        "{\"a\": 1} trailing \"}\" text",
    };
    static const char *const bad[] = {"",         "no json",           "[1,2]",
                                      "{\"a\": ", "```json\n[1]\n```", "{'a': 1}"};
    struct arena *a = arena_new();
    cJSON *out = NULL;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        out = NULL;
        if (decision_extract(str_of(good[i]), a, &out, &err) != 0)
            fail_msg("not read: %s", good[i]);
        assert_true(json_num(out, "a", 0) == 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(decision_extract(str_of(bad[i]), a, &out, &err), ERR_INVALID);
    arena_free(a);
}

static void test_validate__confidence_is_cut_to_the_cap_and_says_so(void **state)
{
    struct brief_case b;
    cJSON *answer;

    (void)state;
    good_answer(&b);
    answer = json_own(b.a, cJSON_Duplicate(b.final, true));
    set_num(answer, "/final_recommendation", "confidence", 0.99);
    struct validate_ctx ctx = {b.request, NULL, brief_events(&b), b.material, false};
    double cap = decision_cap_confidence(answer, &ctx, b.a);
    assert_true(cap < 0.95 && cap > 0.3);
    const cJSON *final = json_get(answer, "final_recommendation");
    assert_true(json_num(final, "confidence", 0) == cap);
    struct str basis = json_print(b.a, json_get(final, "confidence_basis"));
    assert_true(str_find(basis, STR("was cut")) >= 0);
    assert_int_equal(cJSON_GetArraySize(check(&b, answer, false)), 0);
    arena_free(b.a);
}

static void test_validate__a_lower_confidence_stays(void **state)
{
    struct brief_case b;
    cJSON *answer;

    (void)state;
    good_answer(&b);
    answer = json_own(b.a, cJSON_Duplicate(b.final, true));
    set_num(answer, "/final_recommendation", "confidence", 0.3);
    struct validate_ctx ctx = {b.request, NULL, brief_events(&b), b.material, false};
    assert_true(decision_cap_confidence(answer, &ctx, b.a) > 0.3);
    assert_true(json_num(json_get(answer, "final_recommendation"), "confidence", 0) == 0.3);
    arena_free(b.a);
}

static void test_validate__type_parts_are_asked_for(void **state)
{
    struct brief_case b;

    (void)state;
    good_answer(&b);
    cJSON *answer = json_own(b.a, cJSON_Duplicate(b.final, true));
    cJSON_ReplaceItemInObjectCaseSensitive(b.request, "decision_type", cJSON_CreateString("risk"));
    assert_true(has_fault(check(&b, answer, false), "type_part", false));
    arena_free(b.a);
}

static void test_validate__the_rubric_scores_eight_links(void **state)
{
    struct brief_case b;

    (void)state;
    good_answer(&b);
    struct validate_ctx ctx = {b.request, NULL, brief_events(&b), b.material, false};
    cJSON *q = decision_quality(b.final, &ctx, b.a);
    assert_true(json_num(q, "chain", 0) >= 4);
    cJSON *answer = json_own(b.a, cJSON_Duplicate(b.final, true));
    cJSON_DeleteItemFromObjectCaseSensitive(json_get(answer, "decision_record"), "commitment");
    assert_true(json_num(decision_quality(answer, &ctx, b.a), "chain", 9) <= 1);
    arena_free(b.a);
}

static void test_validate__no_object_is_one_fault(void **state)
{
    struct arena *a = arena_new();
    cJSON *faults = NULL, *request = json_obj(a);
    struct validate_ctx ctx = {request, NULL, NULL, NULL, false};

    (void)state;
    assert_int_equal(decision_validate(json_arr(a), &ctx, a, &faults), ERR_INVALID);
    assert_int_equal(cJSON_GetArraySize(faults), 1);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate__names_what_is_wrong),
        cmocka_unit_test(test_validate__soft_faults_are_marked_the_second_time),
        cmocka_unit_test(test_validate__a_quote_is_found_whatever_its_spaces_and_width),
        cmocka_unit_test(test_validate__variants_are_renamed),
        cmocka_unit_test(test_validate__the_object_is_found_in_the_text),
        cmocka_unit_test(test_validate__confidence_is_cut_to_the_cap_and_says_so),
        cmocka_unit_test(test_validate__a_lower_confidence_stays),
        cmocka_unit_test(test_validate__type_parts_are_asked_for),
        cmocka_unit_test(test_validate__the_rubric_scores_eight_links),
        cmocka_unit_test(test_validate__no_object_is_one_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
