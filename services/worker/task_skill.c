/* task_skill.c: ceoagent.skill {name, params}: one computing tool of the decision method, in a
 * child. The input is {"args": [...], "kwargs": {...}}; name and params may be given by position
 * too. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"
#include "libcommon/method/tool.h"
#include "libcommon/skills/registry.h"
#include "services/worker/child.h"

static int refuse(struct arena *a, int code, const char *api_code, const char *field,
                  const char *reason, const char *message, struct child_fault *fault)
{
    *fault = (struct child_fault){.code = api_code,
                                  .field = arena_strdup(a, field),
                                  .reason = arena_strdup(a, reason),
                                  .message = arena_strdup(a, message)};
    return code;
}

int child_skill(struct arena *a, struct str input, struct str *out, struct child_fault *fault)
{
    const cJSON *args, *kwargs, *name, *params;
    struct tool_fault tf = {0};
    struct err err = {0};
    cJSON *in, *output;
    const char *tool;
    int rc;

    if ((rc = json_parse(a, input, JSON_DEPTH_MAX, &in, &err)) != 0)
        return refuse(a, rc, "SKILL_INVALID_PARAMS", "", "schema", err.msg, fault);
    args = json_get(in, "args");
    kwargs = json_get(in, "kwargs");
    name = json_get(kwargs, "name");
    params = json_get(kwargs, "params");
    if (name == NULL)
        name = cJSON_GetArrayItem(args, 0);
    if (params == NULL)
        params = cJSON_GetArrayItem(args, 1);
    if (!cJSON_IsString(name) || !cJSON_IsObject(params))
        return refuse(a, ERR_INVALID, "SKILL_INVALID_PARAMS", "", "schema",
                      "a skill needs its name and an object of params", fault);
    tool = skill_resolve(name->valuestring, params);
    if (tool == NULL || !tool_exists(tool))
        return refuse(a, ERR_NOTFOUND, "SKILL_NOT_FOUND", "", "unknown_name",
                      "there is no skill of that name that computes", fault);
    rc = tool_run(tool, params, a, &output, &tf);
    if (rc != 0)
        return refuse(a, rc, rc == ERR_INVALID ? "SKILL_INVALID_PARAMS" : "SKILL_EXECUTION_FAILED",
                      tf.field, tf.reason, tf.message, fault);
    *out = json_print(a, output);
    return 0;
}
