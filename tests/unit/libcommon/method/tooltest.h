/* tooltest.h: what the tests of the tools share: JSON written with single quotes, a run of a tool
 * whose output is held against its schema, and the fault of a run that must fail. */
#pragma once
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include "libcommon/base/json.h"
#include "libcommon/base/schema.h"
#include "libcommon/method/tool.h"

/* One arena a test: tests run one after the other. */
static struct arena *mem;

static UNUSED int set_up(void **state UNUSED)
{
    mem = arena_new();
    return 0;
}

static UNUSED int tear_down(void **state UNUSED)
{
    arena_free(mem);
    return 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* 'x' stands for "x", so that JSON is readable in C. */
static UNUSED cJSON *js(const char *text)
{
    char *z = arena_strdup(mem, text);
    struct err err = {0};
    cJSON *v = NULL;

    for (char *p = z; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    if (json_parse(mem, str_of(z), JSON_DEPTH_MAX, &v, &err) != 0)
        fail_msg("%s: %s", err.msg, z);
    return v;
}

static UNUSED void fits_schema(const char *tool, const cJSON *out)
{
    struct schema_fault f;

    if (schema_validate(tool_output_schema(tool), tool_schema_root(), out, &f, 1) != 0)
        fail_msg("%s output %s: %s", tool, f.field, f.message);
}

static UNUSED cJSON *run_tree(const char *tool, const cJSON *in)
{
    struct tool_fault f;
    cJSON *out = NULL;

    if (tool_run(tool, in, mem, &out, &f) != 0)
        fail_msg("%s refuses %s: %s %s", tool, f.field, f.reason, f.message);
    fits_schema(tool, out);
    return out;
}

static UNUSED cJSON *run(const char *tool, const char *text)
{
    return run_tree(tool, js(text));
}

static UNUSED void refuses_tree(const char *tool, const cJSON *in, const char *reason,
                                const char *field)
{
    struct tool_fault f;
    cJSON *out = NULL;
    int rc = tool_run(tool, in, mem, &out, &f);

    if (rc == 0)
        fail_msg("%s takes what it must refuse: %s", tool, json_print(mem, in).p);
    assert_int_equal(rc, ERR_INVALID);
    assert_null(out);
    assert_string_equal(f.reason, reason);
    assert_string_equal(f.field, field);
    assert_true(f.message[0] != '\0');
}

static UNUSED void refuses(const char *tool, const char *text, const char *reason,
                           const char *field)
{
    refuses_tree(tool, js(text), reason, field);
}

static UNUSED double at(const cJSON *out, const char *pointer)
{
    const cJSON *v = json_at(out, pointer);

    if (!cJSON_IsNumber(v))
        fail_msg("%s is no number in %s", pointer, json_print(mem, out).p);
    return v->valuedouble;
}

static UNUSED const char *text_at(const cJSON *out, const char *pointer)
{
    const cJSON *v = json_at(out, pointer);

    if (!cJSON_IsString(v))
        fail_msg("%s is no string in %s", pointer, json_print(mem, out).p);
    return v->valuestring;
}

static UNUSED void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g is not %.17g +- %g", got, want, tolerance);
}

static UNUSED bool warns(const cJSON *out, const char *code)
{
    const cJSON *w;

    cJSON_ArrayForEach (w, json_get(out, "warnings"))
        if (strcmp(json_str(w, "code", ""), code) == 0)
            return true;
    return false;
}
