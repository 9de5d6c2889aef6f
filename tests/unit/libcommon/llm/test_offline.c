/* The analyst's turns as a model's answers. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/llm/wire.h"

#define QUESTION                                                                     \
    "\"request\":{\"query\":\"Should we buy Acme for 3 million USD or build it for " \
    "1 million USD?\",\"decision_type\":\"strategy\"},\"material\":[],\"turns\":"

static struct llm_result ask(struct arena *a, const char *analyst)
{
    struct llm_request req = {0};
    struct llm_result r = {0};
    struct err err = {0};
    cJSON *root = NULL;

    assert_int_equal(json_parse(a, str_of(analyst), JSON_DEPTH_MAX, &root, &err), 0);
    req.analyst = root;
    if (offline_answer(&req, a, &r, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(json_scan(r.content_json, JSON_DEPTH_MAX, &err), 0);
    assert_string_equal(r.provider, "offline");
    assert_string_equal(r.model, "offline");
    assert_true(r.cost_usd == 0);
    return r;
}

static const cJSON *parse(struct arena *a, struct str text)
{
    cJSON *root = NULL;

    assert_int_equal(json_parse(a, text, JSON_DEPTH_MAX, &root, NULL), 0);
    return root;
}

static void test_offline__asks_for_tools_as_a_model_does(void **state)
{
    struct arena *a = arena_new();
    struct llm_result r = ask(a, "{" QUESTION "[]}");
    const cJSON *content = parse(a, r.content_json), *last;

    (void)state;
    assert_string_equal(r.stop_reason, "tool_use");
    assert_string_equal(json_str(cJSON_GetArrayItem(content, 0), "type", ""), "text");
    last = cJSON_GetArrayItem(content, cJSON_GetArraySize(content) - 1);
    assert_string_equal(json_str(last, "type", ""), "tool_use");
    assert_true(json_str(last, "id", "")[0] != '\0');
    assert_true(cJSON_IsObject(json_get(last, "input")));
    assert_true(cJSON_GetArraySize(parse(a, r.stages_json)) > 1);
    arena_free(a);
}

static void test_offline__the_same_question_gives_the_same_bytes(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    assert_true(
        str_eq(ask(a, "{" QUESTION "[]}").content_json, ask(a, "{" QUESTION "[]}").content_json));
    arena_free(a);
}

static void test_offline__a_plan_is_submitted(void **state)
{
    struct arena *a = arena_new();
    struct llm_result r = ask(a, "{" QUESTION "[],\"want_plan\":true}");
    const cJSON *content = parse(a, r.content_json);
    const cJSON *last = cJSON_GetArrayItem(content, cJSON_GetArraySize(content) - 1);

    (void)state;
    assert_string_equal(json_str(last, "name", ""), "submit_plan");
    assert_true(cJSON_GetArraySize(json_at(last, "/input/steps")) > 0);
    arena_free(a);
}

/* Every tool fails; the analyst still comes to an end, with gaps. */
static void test_offline__ends_with_submit_decision(void **state)
{
    struct arena *a = arena_new();
    cJSON *turns = json_arr(a);
    const cJSON *last = NULL;
    int rounds = 0;

    (void)state;
    do {
        struct str text = json_print(a, turns);
        struct llm_result r = ask(a, arena_printf(a, "{" QUESTION "%.*s}", STR_ARG(text)));
        const cJSON *block, *content = parse(a, r.content_json);

        cJSON_ArrayForEach (block, content) {
            cJSON *result;

            last = block;
            if (strcmp(json_str(block, "type", ""), "tool_use") != 0)
                continue;
            result = cJSON_CreateObject();
            json_add_str(result, "tool", json_str(block, "name", ""));
            json_add_str(result, "id", json_str(block, "id", ""));
            json_add_copy(result, "input", json_get(block, "input"));
            json_add_str(json_add_obj(result, "error"), "code", "SKILL_EXECUTION_FAILED");
            cJSON_AddItemToArray(turns, result);
        }
    } while (strcmp(json_str(last, "name", ""), "submit_decision") != 0 && ++rounds < 6);
    assert_string_equal(json_str(last, "name", ""), "submit_decision");
    assert_non_null(json_at(last, "/input/situation_analysis"));
    arena_free(a);
}

static void test_offline__no_question_is_refused(void **state)
{
    struct arena *a = arena_new();
    struct llm_request req = {.analyst = json_obj(a)};
    struct llm_result r = {0};

    (void)state;
    assert_int_equal(offline_answer(&req, a, &r, NULL), ERR_INVALID);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offline__asks_for_tools_as_a_model_does),
        cmocka_unit_test(test_offline__the_same_question_gives_the_same_bytes),
        cmocka_unit_test(test_offline__a_plan_is_submitted),
        cmocka_unit_test(test_offline__ends_with_submit_decision),
        cmocka_unit_test(test_offline__no_question_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
