/* The tools: a line with a tool's name, then JSON. Any input gives an output that fits the tool's
 * schema, or a fault with a reason. Dear inputs are left out: the search wants many runs. */
#include "libcommon/base/compat.h"
#include "libcommon/base/schema.h"
#include "libcommon/method/tool.h"

#define DEAR_US 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const char *tool, const cJSON *in, struct arena *a)
{
    struct tool_fault f;
    struct schema_fault s;
    cJSON *out = NULL;
    int rc;

    if (!tool_exists(tool) || tool_cost_us(tool, in) > DEAR_US)
        return;
    rc = tool_run(tool, in, a, &out, &f);
    if (rc != 0)
        assert(out == NULL && f.reason[0] != '\0' && f.message[0] != '\0');
    else
        assert(schema_validate(tool_output_schema(tool), tool_schema_root(), out, &s, 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, line = str_split(&text, '\n');
    struct arena *a = arena_new();
    struct err err;
    cJSON *in;

    if (text.p != NULL && json_parse(a, text, JSON_DEPTH_MAX, &in, &err) == 0)
        run(arena_strndup(a, line.p, line.n), in, a);
    arena_free(a);
    return 0;
}
