/* tool.h: the computing tools of the decision method, behind one door. A tool is a pure function
 * from a JSON object to a JSON object: no clock, no I/O, no state, the same bytes for the same
 * input on every platform. Formulas are those of docs/decision-method.md, section 2; the shapes are
 * `$defs/NAME.input` and `$defs/NAME.output` of decision-tools.schema.json, which is compiled in.
 *
 * What cannot be said is null and has an entry in `warnings`; what was asked wrongly is a fault. */
#pragma once
#include "libcommon/base/json.h"

struct tool_fault {
    char field[256];   /* JSON Pointer into the input; "" is the input itself */
    char reason[48];   /* schema, not_finite, unknown_name, ... (docs/tools.md has the list) */
    char message[256]; /* one sentence for people and models */
};

/* Checks the input against its schema, then runs the tool.
 *   0             *out is the output, the arena's
 *   ERR_INVALID   the input is wrong: *fault says where and why
 *   ERR_TIMEOUT   5 s of CPU time were not enough: *fault says so
 *   ERR_NOTFOUND  there is no tool of that name
 * *out is untouched unless 0 is returned. */
int tool_run(const char *name, const cJSON *input, struct arena *a, cJSON **out,
             struct tool_fault *fault) MUST_CHECK;

/* Only the checks that tool_run starts with: 0, ERR_INVALID or ERR_NOTFOUND. For a caller that
 * wants to refuse early what a job would refuse later. */
int tool_check(const char *name, const cJSON *input, struct tool_fault *fault) MUST_CHECK;

/* An estimate of the CPU time in microseconds, from the sizes in the input, which need not be
 * valid. INT64_MAX for an unknown tool. */
int64_t tool_cost_us(const char *name, const cJSON *input);

/* Whether tool_run knows the name. */
bool tool_exists(const char *name);

/* The whole document of schemas (its `$defs` is what "#/$defs/..." names), parsed once for the
 * life of the process; and one tool's input or output schema in it, NULL when there is none. */
const cJSON *tool_schema_root(void);
const cJSON *tool_input_schema(const char *name);
const cJSON *tool_output_schema(const char *name);
