/* tool_call.h: what a tool's function sees. Private to the tool_*.c files.
 *
 * A function reads c->in, which fits its schema and holds only finite numbers, adds the output's
 * properties to c->out in the schema's order, and returns 0, or what tool_fail or tool_tick gave
 * it. `warnings` is added by the caller. */
#pragma once
#include "libcommon/base/json.h"
#include "libcommon/method/expr.h"
#include "libcommon/method/tool.h"

struct tool_call {
    struct arena *a;
    const cJSON *in;
    cJSON *out;
    cJSON *warnings;
    struct tool_fault *fault;
    int64_t cpu_end_us; /* of this thread's CPU clock */
    unsigned ticks;
};

typedef int tool_fn(struct tool_call *c);
typedef int64_t tool_cost_fn(const cJSON *in);

/* Sorted. */
#define TOOLS(X)       \
    X(calculator)      \
    X(calibration)     \
    X(data_analysis)   \
    X(decision_matrix) \
    X(decision_tree)   \
    X(financial_model) \
    X(forecast)        \
    X(monte_carlo)     \
    X(risk_assessment)

#define X(name)          \
    tool_fn tool_##name; \
    tool_cost_fn tool_##name##_cost;
TOOLS(X)
#undef X

/* Fills the fault and returns ERR_INVALID. field is a JSON Pointer. */
int tool_fail(struct tool_call *c, const char *reason, const char *field, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Adds {code, message, path}. path is a JSON Pointer into the output, or NULL. */
void tool_warn(struct tool_call *c, const char *code, const char *path, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* To be called about every `microsecond times weight`: 0, or ERR_TIMEOUT with the fault filled. It
 * reads the clock once in a while, by the weights added up (one is about a microsecond). */
int tool_tick(struct tool_call *c, unsigned weight) MUST_CHECK;

/* "/a/0/b" from a format, in the call's arena. */
const char *tool_path(struct tool_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The numbers of an array; NULL gives n = 0. The arena's. */
double *tool_numbers(struct tool_call *c, const cJSON *array, size_t *n);

/* A number that must not be missing: NaN when it is. */
double tool_number(const cJSON *obj, const char *key);

/* A new object or array at the end of an array. */
cJSON *tool_push_obj(cJSON *arr);
cJSON *tool_push_arr(cJSON *arr);

/* A named array of numbers into an object of the output. */
void tool_add_numbers(cJSON *obj, const char *key, const double *x, size_t n);
void tool_push_numbers(cJSON *arr, const double *x, size_t n);

/* ERR_INVALID with duplicate_name when two of the objects in an array share `key`; with key NULL
 * the items themselves are the names. at is the array's JSON Pointer. */
int tool_unique(struct tool_call *c, const cJSON *array, const char *key,
                const char *at) MUST_CHECK;

/* Parses an expression at a field of the input. */
int tool_expression(struct tool_call *c, const char *text, const struct expr_names *names,
                    const char *field, struct expr **out) MUST_CHECK;

/* How many items an array has; 0 for anything else. For costs. */
int64_t tool_count(const cJSON *array);
