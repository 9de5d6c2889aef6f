/* tool.c: the door to the tools: a table, the checks that all share, and the helpers that keep the
 * tools themselves down to their formulas. Non-finite numbers are looked for before the schema,
 * since a tree built by a program may hold what no JSON text can. */
#include "libcommon/base/compat.h"
#include "libcommon/method/tool.h"
#include <math.h>
#include <time.h>
#include "libcommon/base/buf.h"
#include "libcommon/base/embed.h"
#include "libcommon/base/schema.h"
#include "libcommon/method/tool_call.h"

#define CPU_LIMIT_US 5000000
#define NUMBER_MAX 1e100 /* squares and sums of squares of what comes in stay finite */

EMBED(decision_tools_schema, "libcommon/method/schema/decision-tools.schema.json");

static const struct tool {
    const char *name;
    tool_fn *run;
    tool_cost_fn *cost;
} tools[] = {
#define X(name) {#name, tool_##name, tool_##name##_cost},
    TOOLS(X)
#undef X
};

static const struct tool *tool_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(tools); i++)
        if (strcmp(tools[i].name, name) == 0)
            return &tools[i];
    return NULL;
}

bool tool_exists(const char *name)
{
    return tool_find(name) != NULL;
}

int64_t tool_cost_us(const char *name, const cJSON *input)
{
    const struct tool *t = tool_find(name);

    return t == NULL ? INT64_MAX : t->cost(input);
}

const cJSON *tool_schema_root(void)
{
    static struct arena *forever __attribute__((used)); /* what is never freed is still owned */
    static cJSON *root;
    struct err err;

    if (root != NULL)
        return root;
    forever = arena_new();
    if (json_parse(forever, embed_str(decision_tools_schema), JSON_DEPTH_MAX, &root, &err) != 0)
        abort(); /* the file is compiled in: our own bug */
    return root;
}

static const cJSON *schema_of(const char *name, const char *side)
{
    char key[128];

    snprintf(key, sizeof(key), "%s.%s", name, side);
    return json_get(json_get(tool_schema_root(), "$defs"), key);
}

const cJSON *tool_input_schema(const char *name)
{
    return schema_of(name, "input");
}

const cJSON *tool_output_schema(const char *name)
{
    return schema_of(name, "output");
}

/* Where a value stands; the pointer is written only when it is needed. */
struct place {
    const struct place *up; /* NULL: the input itself */
    const cJSON *node;
    int index;
};

static void write_key(struct buf *b, const char *key)
{
    for (; *key != '\0'; key++) { /* as RFC 6901 escapes it */
        if (*key == '~' || *key == '/')
            buf_puts(b, *key == '~' ? "~0" : "~1");
        else
            buf_putc(b, *key);
    }
}

static void write_place(struct buf *b, const struct place *at)
{
    if (at->up == NULL)
        return;
    write_place(b, at->up);
    buf_putc(b, '/');
    if (at->node->string != NULL)
        write_key(b, at->node->string);
    else
        buf_printf(b, "%d", at->index);
}

static int refuse(struct tool_call *c, const struct place *at, const char *reason,
                  const char *message)
{
    struct buf b;

    buf_init(&b, sizeof(c->fault->field));
    write_place(&b, at);
    tool_fail(c, reason, b.p == NULL ? "" : b.p, "%s", message);
    buf_done(&b);
    return ERR_INVALID;
}

static int check_value(struct tool_call *c, const struct place *at, int depth)
{
    const cJSON *v = at->node;
    struct place below = {.up = at};

    if (depth > JSON_DEPTH_MAX)
        return refuse(c, at, "schema", "nested too deep");
    if (cJSON_IsNumber(v) && !(fabs(v->valuedouble) <= NUMBER_MAX))
        return refuse(c, at, "not_finite", "a number must be finite, at most 1e100 in size");
    if (!cJSON_IsArray(v) && !cJSON_IsObject(v))
        return 0;
    for (below.node = v->child; below.node != NULL; below.node = below.node->next) {
        if (check_value(c, &below, depth + 1) != 0)
            return ERR_INVALID;
        below.index++;
    }
    return 0;
}

static int check_input(struct tool_call *c, const char *name)
{
    struct place root = {.node = c->in};
    struct schema_fault f;

    if (c->in == NULL)
        return tool_fail(c, "schema", "", "an object is needed");
    if (check_value(c, &root, 0) != 0)
        return ERR_INVALID;
    if (schema_validate(tool_input_schema(name), tool_schema_root(), c->in, &f, 1) != 0)
        return tool_fail(c, "schema", f.field, "%s", f.message);
    return 0;
}

static int64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int tool_check(const char *name, const cJSON *input, struct tool_fault *fault)
{
    struct tool_call c = {.in = input, .fault = fault};

    memset(fault, 0, sizeof(*fault));
    if (tool_exists(name))
        return check_input(&c, name);
    tool_fail(&c, "unknown_tool", "", "there is no tool %.64s", name);
    return ERR_NOTFOUND;
}

int tool_run(const char *name, const cJSON *input, struct arena *a, cJSON **out,
             struct tool_fault *fault)
{
    struct tool_call c = {.a = a, .in = input, .fault = fault};
    int rc = tool_check(name, input, fault);

    if (rc != 0)
        return rc;
    c.out = json_obj(a);
    c.warnings = json_arr(a);
    c.cpu_end_us = cpu_us() + CPU_LIMIT_US;
    rc = tool_find(name)->run(&c);
    if (rc != 0)
        return rc;
    json_add_copy(c.out, "warnings", c.warnings);
    *out = c.out;
    return 0;
}

/* A text cut by its buffer may end inside a character. */
static void drop_partial_character(char *z)
{
    size_t n = strlen(z);

    while (n > 0 && !utf8_valid((struct str){z, n}))
        z[--n] = '\0';
}

int tool_fail(struct tool_call *c, const char *reason, const char *field, const char *fmt, ...)
{
    struct tool_fault *f = c->fault;
    va_list ap;

    snprintf(f->reason, sizeof(f->reason), "%s", reason);
    snprintf(f->field, sizeof(f->field), "%s", field);
    va_start(ap, fmt);
    vsnprintf(f->message, sizeof(f->message), fmt, ap);
    va_end(ap);
    drop_partial_character(f->field);
    drop_partial_character(f->message);
    return ERR_INVALID;
}

/* The arena's text of a format, however long. */
static char *text_of(struct tool_call *c, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static char *text_of(struct tool_call *c, const char *fmt, va_list ap)
{
    va_list again;
    char *z;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    assert(n >= 0);
    z = arena_alloc(c->a, (size_t)n + 1);
    vsnprintf(z, (size_t)n + 1, fmt, ap);
    return z;
}

void tool_warn(struct tool_call *c, const char *code, const char *path, const char *fmt, ...)
{
    cJSON *w = tool_push_obj(c->warnings);
    va_list ap;

    json_add_str(w, "code", code);
    va_start(ap, fmt);
    json_add_str(w, "message", text_of(c, fmt, ap));
    va_end(ap);
    if (path != NULL)
        json_add_str(w, "path", path);
}

int tool_tick(struct tool_call *c, unsigned weight)
{
    c->ticks += weight;
    if (c->ticks < 1000)
        return 0;
    c->ticks = 0;
    if (cpu_us() < c->cpu_end_us)
        return 0;
    tool_fail(c, "timeout", "", "more than %d s of CPU time", CPU_LIMIT_US / 1000000);
    return ERR_TIMEOUT;
}

const char *tool_path(struct tool_call *c, const char *fmt, ...)
{
    const char *z;
    va_list ap;

    va_start(ap, fmt);
    z = text_of(c, fmt, ap);
    va_end(ap);
    return z;
}

double *tool_numbers(struct tool_call *c, const cJSON *array, size_t *n)
{
    double *x = arena_array(c->a, double, tool_count(array));
    const cJSON *v;

    *n = 0;
    cJSON_ArrayForEach (v, array)
        x[(*n)++] = v->valuedouble;
    return x;
}

double tool_number(const cJSON *obj, const char *key)
{
    return json_num(obj, key, NAN);
}

cJSON *tool_push_obj(cJSON *arr)
{
    cJSON *obj = cJSON_CreateObject();

    if (obj == NULL)
        abort(); /* out of memory */
    cJSON_AddItemToArray(arr, obj);
    return obj;
}

cJSON *tool_push_arr(cJSON *arr)
{
    cJSON *item = cJSON_CreateArray();

    if (item == NULL)
        abort(); /* out of memory */
    cJSON_AddItemToArray(arr, item);
    return item;
}

void tool_push_numbers(cJSON *arr, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_push_num(arr, x[i]);
}

void tool_add_numbers(cJSON *obj, const char *key, const double *x, size_t n)
{
    tool_push_numbers(json_add_arr(obj, key), x, n);
}

static const char *name_of(const cJSON *item, const char *key)
{
    return key == NULL ? item->valuestring : json_str(item, key, "");
}

int tool_unique(struct tool_call *c, const cJSON *array, const char *key, const char *at)
{
    int i = 0;

    for (const cJSON *x = array == NULL ? NULL : array->child; x != NULL; x = x->next, i++)
        for (const cJSON *y = array->child; y != x; y = y->next)
            if (strcmp(name_of(x, key), name_of(y, key)) == 0)
                return tool_fail(c, "duplicate_name",
                                 tool_path(c, "%s/%d%s%s", at, i, key == NULL ? "" : "/",
                                           key == NULL ? "" : key),
                                 "\"%.100s\" is there twice", name_of(x, key));
    return 0;
}

int tool_expression(struct tool_call *c, const char *text, const struct expr_names *names,
                    const char *field, struct expr **out)
{
    struct expr_fault f;

    if (expr_parse(c->a, str_of(text), names, out, &f) != 0)
        return tool_fail(c, f.reason, field, "%s", f.message);
    return 0;
}

int64_t tool_count(const cJSON *array)
{
    return cJSON_IsArray(array) || cJSON_IsObject(array) ? cJSON_GetArraySize(array) : 0;
}
