#include "libcommon/base/compat.h"
#include "libcommon/base/schema.h"
#include <setjmp.h>
#include <cmocka.h>

/* '...' for "..." in the tables, so that they can be read. */
static cJSON *parse(struct arena *a, const char *text)
{
    char *copy = arena_strdup(a, text);
    struct err err = {0};
    cJSON *v = NULL;

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    if (json_parse(a, str_of(copy), JSON_DEPTH_MAX, &v, &err) != 0)
        fail_msg("%s: %s", text, err.msg);
    return v;
}

struct row {
    const char *schema, *value;
    const char *faults; /* "field reason" joined by "; ", or "" */
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct arena *a = arena_new();
        struct schema_fault faults[8];
        cJSON *schema = parse(a, rows[i].schema);
        int count = schema_validate(schema, schema, parse(a, rows[i].value), faults, 8);
        char *got = arena_strdup(a, "");

        for (int k = 0; k < count; k++)
            got = arena_printf(a, "%s%s%s %s", got, k == 0 ? "" : "; ", faults[k].field,
                               faults[k].reason);
        if (strcmp(got, rows[i].faults) != 0)
            fail_msg("%s of %s: \"%s\" (%s)", rows[i].value, rows[i].schema, got,
                     count > 0 ? faults[0].message : "");
        arena_free(a);
    }
}

static void test_schema__types(void **state)
{
    static const struct row rows[] = {
        {"{'type':'string'}", "'x'", ""},
        {"{'type':'string'}", "1", " type"},
        {"{'type':'integer'}", "1.0", ""},
        {"{'type':'integer'}", "1.5", " type"},
        {"{'type':'number'}", "1.5", ""},
        {"{'type':'boolean'}", "false", ""},
        {"{'type':'boolean'}", "null", " type"},
        {"{'type':['string','null']}", "null", ""},
        {"{'type':['string','null']}", "[]", " type"},
        {"{'type':'object','required':['a']}", "[]", " type"},
        {"true", "1", ""},
        {"false", "1", " false"},
        {"{'unknownKeyword':1}", "1", ""},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_schema__objects(void **state)
{
    static const struct row rows[] = {
        {"{'properties':{'a':{'type':'string'}}}", "{'a':1}", "/a type"},
        {"{'properties':{'a':{'type':'string'}}}", "{'A':1}", ""},
        {"{'properties':{'a':{'type':'string'}}}", "[1]", ""},
        {"{'required':['a','b']}", "{'a':null}", "/b required"},
        {"{'required':['a~/']}", "{}", "/a~0~1 required"},
        {"{'properties':{'a':true},'additionalProperties':false}", "{'a':1,'b':2}",
         "/b additionalProperties"},
        {"{'additionalProperties':{'type':'number'}}", "{'a':1,'b':'x'}", "/b type"},
        {"{'patternProperties':{'^x-':{'type':'string'}},'additionalProperties':false}",
         "{'x-a':'y','x-b':1,'c':2}", "/x-b type; /c additionalProperties"},
        {"{'propertyNames':{'pattern':'^[a-z]+$'}}", "{'ab':1,'A':2}", "/A pattern"},
        {"{'minProperties':1}", "{}", " minProperties"},
        {"{'maxProperties':1}", "{'a':1,'b':1}", " maxProperties"},
        {"{'maxProperties':1}", "[1,2]", ""},
        {"{'properties':{'a':{'properties':{'b':{'minimum':3}}}}}", "{'a':{'b':2}}",
         "/a/b minimum"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_schema__arrays(void **state)
{
    static const struct row rows[] = {
        {"{'items':{'type':'number'}}", "[1,'a',2,'b']", "/1 type; /3 type"},
        {"{'minItems':2}", "[1]", " minItems"},
        {"{'maxItems':1}", "[1,2]", " maxItems"},
        {"{'uniqueItems':true}", "[1,2,'1',[1],{'a':1,'b':2}]", ""},
        {"{'uniqueItems':true}", "[{'a':1,'b':2},{'b':2,'a':1.0}]", "/1 uniqueItems"},
        {"{'uniqueItems':false}", "[1,1]", ""},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_schema__strings(void **state)
{
    static const struct row rows[] = {
        {"{'minLength':2}", "'\xC3\xA9'", " minLength"},
        {"{'maxLength':2}", "'\xE4\xB8\xAD\xE6\x96\x87'", ""},
        {"{'maxLength':2}", "'abc'", " maxLength"},
        {"{'maxLength':2}", "12345", ""},
        {"{'pattern':'b'}", "'abc'", ""},
        {"{'pattern':'^b'}", "'abc'", " pattern"},
        {"{'pattern':'^[A-Za-z_][A-Za-z0-9_]{0,63}$'}", "'a1_'", ""},
        {"{'pattern':'^[A-Za-z_][A-Za-z0-9_]{0,63}$'}", "'1a'", " pattern"},
        {"{'pattern':'^\\\\d+$'}", "'123'", ""},
        {"{'pattern':'^\\\\d+$'}", "'12a'", " pattern"},
        {"{'pattern':'^[\\\\w.\\\\-]+$'}", "'a-b.c_9'", ""},
        {"{'pattern':'^[\\\\w.\\\\-]+$'}", "'a b'", " pattern"},
        {"{'pattern':'^[^\\\\s\\\\]]+$'}", "'ab'", ""},
        {"{'pattern':'^[^\\\\s\\\\]]+$'}", "'a]'", " pattern"},
        {"{'pattern':'^(?:a|b)\\\\.\\\\S$'}", "'b.x'", ""},
        {"{'pattern':'^(?:a|b)\\\\.\\\\S$'}", "'bxx'", " pattern"},
        {"{'pattern':'^(?=x)y'}", "'cannot be translated'", ""},
        {"{'pattern':'(((a{200}){200}){200})'}", "'would cost too much'", ""},
        {"{'pattern':'((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)'}", "'likewise'", ""},
        {"{'pattern':'^a++$'}", "'an error'", ""},
        {"{'pattern':'^(a{2,3}b?){2}$'}", "'aabaaa'", ""},
        {"{'pattern':'^(a{2,3}b?){2}$'}", "'aab'", " pattern"},
        {"{'pattern':'^a+?$'}", "''", " pattern"},
        {"{'pattern':'^a{,3}$'}", "'x'", ""},
        {"{'pattern':'['}", "'broken'", ""},
        {"{'pattern':'a{'}", "'broken'", ""},
        {"{'pattern':'\\\\'}", "'broken'", ""},
        {"{'pattern':'x'}", "7", ""},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_schema__numbers(void **state)
{
    static const struct row rows[] = {
        {"{'minimum':1,'maximum':3}", "1", ""},
        {"{'minimum':1}", "0.999", " minimum"},
        {"{'maximum':3}", "3.1", " maximum"},
        {"{'exclusiveMinimum':0}", "0", " exclusiveMinimum"},
        {"{'exclusiveMaximum':1}", "1", " exclusiveMaximum"},
        {"{'multipleOf':0.1}", "0.3", ""},
        {"{'multipleOf':5}", "12", " multipleOf"},
        {"{'minimum':1}", "'x'", ""},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_schema__choices(void **state)
{
    static const struct row rows[] = {
        {"{'enum':['a',1,null]}", "1.0", ""},
        {"{'enum':['a',1,null]}", "'A'", " enum"},
        {"{'const':{'a':[1]}}", "{'a':[1]}", ""},
        {"{'const':'x'}", "'y'", " const"},
        {"{'not':{'type':'string'}}", "1", ""},
        {"{'not':{'type':'string'}}", "'x'", " not"},
        {"{'allOf':[{'minimum':1},{'maximum':0}]}", "0.5", " minimum;  maximum"},
        {"{'anyOf':[{'type':'string'},{'minimum':5}]}", "6", ""},
        {"{'anyOf':[{'type':'string'},{'minimum':5}]}", "4", " anyOf"},
        {"{'oneOf':[{'minimum':1},{'minimum':5}]}", "3", ""},
        {"{'oneOf':[{'minimum':1},{'minimum':5}]}", "6", " oneOf"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_schema__the_alternative_that_was_meant_is_explained(void **state)
{
    static const char shapes[] =
        "{'oneOf':[{'properties':{'kind':{'const':'circle'},'r':{'type':'number'}},'required':['"
        "kind','r']},"
        "{'properties':{'kind':{'const':'box'},'w':{'type':'number'}},'required':['kind','w']}]}";
    const struct row rows[] = {
        {shapes, "{'kind':'box','w':1}", ""},
        {shapes, "{'kind':'box','w':'1'}", "/w type"},
        {shapes, "{'kind':'circle'}", "/r required"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_schema__references(void **state)
{
    static const char tree[] =
        "{'$ref':'#/$defs/node','$defs':{'node':{'type':'object','required':['v'],'properties':"
        "{'v':{'type':'number'},'kids':{'items':{'$ref':'#/$defs/node'}}}}}}";
    const struct row rows[] = {
        {tree, "{'v':1,'kids':[{'v':2,'kids':[]}]}", ""},
        {tree, "{'v':1,'kids':[{'v':2},{'kids':[{'v':'x'}]}]}",
         "/kids/1/v required; /kids/1/kids/0/v type"},
        {"{'$ref':'#/$defs/none'}", "1", " $ref"},
        {"{'$ref':'http://elsewhere/'}", "1", " $ref"},
        {"{'$ref':'#'}", "1", " limit"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

/* Alternatives that each refer back multiply with the depth of the value. */
static void test_schema__hostile_schemas_end(void **state)
{
    static const char bomb[] =
        "{'anyOf':[{'items':{'$ref':'#'},'maxItems':1},{'items':{'$ref':'#'}"
        ",'maxItems':1},{'items':{'$ref':'#'},'maxItems':1}],'not':{'const':0}}";
    struct arena *a = arena_new();
    struct schema_fault fault;
    char value[2 * 40 + 2];
    cJSON *schema = parse(a, bomb);

    (void)state;
    memset(value, '[', 40);
    value[40] = '0';
    memset(value + 41, ']', 40);
    value[81] = '\0';
    assert_int_equal(schema_validate(schema, schema, parse(a, value), &fault, 1), 1);
    arena_free(a);
}

static void test_schema__messages_say_what_is_allowed(void **state)
{
    static const struct {
        const char *schema, *value, *message;
    } rows[] = {
        {"{'type':'string'}", "1", "must be of type string"},
        {"{'type':['string','null']}", "1", "must be of type string, null"},
        {"{'enum':['a',2]}", "1", "must be one of: a, 2"},
        {"{'const':'a'}", "1", "must be \"a\""},
        {"{'maxLength':2}", "'abc'", "must have at most 2 characters"},
        {"{'exclusiveMinimum':0.5}", "0", "must be greater than 0.5"},
        {"{'required':['a']}", "{}", "a is required"},
        {"{'additionalProperties':false}", "{'b':1}", "b is not a known property"},
        {"{'anyOf':[{'minimum':5},{'type':'null'}]}", "4",
         "fits none of the allowed forms: must be at least 5"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new();
        struct schema_fault fault;
        cJSON *schema = parse(a, rows[i].schema);

        assert_int_equal(schema_validate(schema, schema, parse(a, rows[i].value), &fault, 1), 1);
        assert_string_equal(fault.message, rows[i].message);
        arena_free(a);
    }
}

static void test_schema__long_paths_name_an_ancestor(void **state)
{
    struct arena *a = arena_new();
    struct schema_fault fault;
    cJSON *value = json_obj(a), *schema = parse(a, "{'properties':{'k':{}}}");
    char name[300];

    (void)state;
    memset(name, 'k', sizeof name);
    name[299] = '\0';
    json_add_num(value, name, 1);
    json_add_bool(schema, "additionalProperties", false);
    assert_int_equal(schema_validate(schema, schema, value, &fault, 1), 1);
    assert_string_equal(fault.field, "");
    assert_string_equal(fault.reason, "additionalProperties");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__types),
        cmocka_unit_test(test_schema__objects),
        cmocka_unit_test(test_schema__arrays),
        cmocka_unit_test(test_schema__strings),
        cmocka_unit_test(test_schema__numbers),
        cmocka_unit_test(test_schema__choices),
        cmocka_unit_test(test_schema__the_alternative_that_was_meant_is_explained),
        cmocka_unit_test(test_schema__references),
        cmocka_unit_test(test_schema__hostile_schemas_end),
        cmocka_unit_test(test_schema__messages_say_what_is_allowed),
        cmocka_unit_test(test_schema__long_paths_name_an_ancestor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
