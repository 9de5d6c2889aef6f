/* test_registry.c: the catalogue as clients, the model and the agent see it. */
#include "tests/unit/libcommon/method/tooltest.h"
#include "libcommon/skills/registry.h"

static void test_registry__rows_are_sorted_and_complete(void **state UNUSED)
{
    for (int i = 0; i < skill_count(); i++) {
        const struct skill *s = skill_at(i);

        assert_true(i == 0 || strcmp(skill_at(i - 1)->name, s->name) < 0);
        assert_ptr_equal(skill_find(s->name), s);
        assert_true(strlen(s->description) > 20);
        assert_string_equal(s->version, "1.0.0");
        assert_true(s->alias_of != NULL || s->where == SKILL_STORE || tool_exists(s->name));
        assert_int_equal(skill_offered(s), s->alias_of == NULL);
    }
    assert_null(skill_find("optimization"));
    assert_null(skill_find(""));
}

static bool has_reference(const cJSON *v)
{
    if (cJSON_IsString(json_get(v, "$ref")))
        return true;
    for (const cJSON *c = v->child; c != NULL; c = c->next)
        if (has_reference(c))
            return true;
    return false;
}

/* Every reference is answered by the schema itself. */
static void resolves(const cJSON *schema, const cJSON *v)
{
    const char *ref = json_str(v, "$ref", NULL);

    if (ref != NULL)
        assert_non_null(json_at(schema, ref + 1));
    for (const cJSON *c = v->child; c != NULL; c = c->next)
        resolves(schema, c);
}

static void test_registry__schemas_are_self_contained(void **state UNUSED)
{
    for (int i = 0; i < skill_count(); i++) {
        const cJSON *schema = skill_input_schema(skill_at(i));

        resolves(schema, schema);
        assert_non_null(schema->child);
    }
    assert_false(has_reference(skill_input_schema(skill_find("financial_model"))));
}

static void test_registry__a_model_gets_an_object_without_references_or_choices_at_the_top(
    void **state UNUSED)
{
    for (int i = 0; i < skill_count(); i++) {
        const struct skill *s = skill_at(i);
        struct str text = skill_model_schema(s);
        struct err err = {0};
        cJSON *schema;

        if (!skill_offered(s))
            continue;
        assert_int_equal(json_parse(mem, text, JSON_DEPTH_MAX, &schema, &err), 0);
        assert_string_equal(json_str(schema, "type", ""), "object");
        assert_null(json_get(schema, "oneOf"));
        assert_false(has_reference(schema));
        assert_ptr_equal(skill_model_schema(s).p, text.p);
    }
}

static void test_registry__the_object_of_the_api(void **state UNUSED)
{
    cJSON *o = skill_json(skill_find("risk_assessment"), mem);

    assert_string_equal(json_str(o, "name", ""), "risk_assessment");
    assert_string_equal(json_str(o, "category", ""), "decision");
    assert_string_equal(json_str(o, "version", ""), "1.0.0");
    assert_string_equal(json_str(o, "permission", ""), "decision:read");
    assert_int_equal(cJSON_GetArraySize(json_get(o, "required_skills")), 0);
    assert_true(cJSON_IsObject(json_at(o, "/input_schema/properties/risks")));
    assert_true(cJSON_IsNull(json_get(skill_json(skill_find("calculator"), mem), "permission")));
}

static void alias(const char *name, const char *params, const char *tool)
{
    assert_string_equal(skill_resolve(name, js(params)), tool);
}

static void test_registry__an_alias_finds_its_tool(void **state UNUSED)
{
    alias("scenario_analysis", "{'rate':0.1,'cash_flows':[-1,2],'scenarios':[]}",
          "financial_model");
    alias("scenario_analysis", "{'inputs':[],'expression':'x'}", "monte_carlo");
    alias("decision_recommendation", "{'alternatives':['a','b']}", "decision_matrix");
    alias("decision_recommendation", "{}", "decision_matrix");
    alias("decision_recommendation", "{'table':{}}", "decision_tree");
    alias("calculator", "{}", "calculator");
    assert_null(skill_resolve("nothing", js("{}")));
}

static bool fits(const char *skill, const char *params)
{
    const cJSON *schema = skill_input_schema(skill_find(skill));
    struct schema_fault f;

    return schema_validate(schema, schema, js(params), &f, 1) == 0;
}

static void test_registry__an_alias_takes_what_one_of_its_tools_takes(void **state UNUSED)
{
    assert_true(fits("scenario_analysis",
                     "{'rate':0.1,'cash_flows':[-1,2],'scenarios':[{'name':'bad','rate':0.2}]}"));
    assert_false(fits("scenario_analysis", "{'rate':0.1,'cash_flows':[-1,2]}"));
    assert_true(fits("scenario_analysis",
                     "{'inputs':[{'name':'x','distribution':{'type':'uniform','min':0,'max':1}}],"
                     "'expression':'x'}"));
    assert_false(fits("scenario_analysis", "{}"));
    assert_true(fits("decision_recommendation", "{'tree':{'type':'terminal','value':1}}"));
}

static enum skill_where where(const char *skill, const char *params)
{
    return skill_where_now(skill_find(skill), js(params));
}

static void test_registry__small_calls_stay_in_the_loop(void **state UNUSED)
{
    assert_int_equal(where("calculator", "{'expression':'1+1'}"), SKILL_INLINE);
    assert_int_equal(where("financial_model", "{'rate':0.1,'cash_flows':[-1,2,3]}"), SKILL_INLINE);
    assert_int_equal(where("financial_model", "{'rate':0.1,'formula':{'periods':600}}"), SKILL_JOB);
    assert_int_equal(where("decision_matrix", "{'alternatives':['a','b']}"), SKILL_INLINE);
    assert_int_equal(where("decision_matrix", "{'alternatives':['a','b'],'criteria':[{},{}],"
                                              "'smaa':{'samples':1000000,'seed':1}}"),
                     SKILL_JOB);
    assert_int_equal(where("monte_carlo", "{'iterations':100}"), SKILL_JOB);
    assert_int_equal(where("scenario_analysis", "{'inputs':[]}"), SKILL_JOB);
    assert_int_equal(where("knowledge_retrieval", "{'query':'x'}"), SKILL_STORE);
    assert_int_equal(where("calculator", "[]"), SKILL_INLINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registry__rows_are_sorted_and_complete, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_registry__schemas_are_self_contained, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_registry__a_model_gets_an_object_without_references_or_choices_at_the_top, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_registry__the_object_of_the_api, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registry__an_alias_finds_its_tool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registry__an_alias_takes_what_one_of_its_tools_takes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registry__small_calls_stay_in_the_loop, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
