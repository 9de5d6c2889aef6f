/* tool_calculator.c: one expression, evaluated. It exists so that a model does no arithmetic in
 * its head. */
#include "libcommon/base/compat.h"
#include "libcommon/method/tool_call.h"

#define VARIABLES_MAX 64

int tool_calculator(struct tool_call *c)
{
    const char *name[VARIABLES_MAX];
    double value[VARIABLES_MAX], result;
    struct expr_names names = {.name = name};
    struct expr_fault f;
    struct expr *e;
    const cJSON *v;
    int rc;

    cJSON_ArrayForEach (v, json_get(c->in, "variables")) {
        name[names.count] = v->string;
        value[names.count++] = v->valuedouble;
    }
    rc = tool_expression(c, json_str(c->in, "expression", ""), &names, "/expression", &e);
    if (rc != 0)
        return rc;
    if (expr_eval(e, value, &result, &f) != 0)
        return tool_fail(c, f.reason, "/expression", "%s", f.message);
    json_add_num(c->out, "value", result);
    return 0;
}

int64_t tool_calculator_cost(const cJSON *in UNUSED)
{
    return 50; /* at most 500 operations */
}
