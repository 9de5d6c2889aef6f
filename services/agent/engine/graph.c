/* graph.c: a plan is a graph of steps. It is read and checked as a whole before any step runs:
 * every fault is found at once, so that one answer of the model can mend them all.
 *
 * An input may take a value from an earlier step: {"$step": "s1", "pointer": "/npv"} stands for
 * that step's output at the pointer; such a reference is a need, named or not. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

#define ID_MAX 32
#define REF_DEPTH 32

static bool id_fine(const char *id)
{
    size_t n = strlen(id);

    return n > 0 && n <= ID_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static int step_find(const struct step *steps, int n, const char *id)
{
    for (int i = 0; id != NULL && i < n; i++)
        if (strcmp(steps[i].id, id) == 0)
            return i;
    return -1;
}

static bool tool_offered(const struct engine *e, const char *name)
{
    for (int i = 0; i < e->s->tool_count; i++)
        if (strcmp(e->s->tools[i].name, name) == 0)
            return true;
    return false;
}

struct reader {
    struct engine *e;
    struct step *steps;
    int count, kept; /* of all, and of those kept from before */
    cJSON *faults;
};

static void fault_at(struct reader *r, int i, const char *field, const char *reason,
                     const char *message)
{
    char path[64];

    snprintf(path, sizeof(path), "/steps/%d%s%s", i, field[0] == '\0' ? "" : "/", field);
    fault_add(r->faults, path, reason, message);
}

static void add_need(struct step *s, int need)
{
    for (int i = 0; i < s->need_count; i++)
        if (s->needs[i] == need)
            return;
    if (s->need_count < STEPS_MAX)
        s->needs[s->need_count++] = need;
}

static void keep_done(struct reader *r)
{
    for (int i = 0; i < r->e->step_count; i++)
        if (r->e->steps[i].state == STEP_OK) {
            r->steps[r->count] = r->e->steps[i];
            r->steps[r->count++].need_count = 0;
        }
    r->kept = r->count;
}

/* A step that a new plan repeats word for word keeps its result. */
static bool is_done(const struct reader *r, int old, const cJSON *item, const cJSON *input)
{
    return old < r->kept && strcmp(r->steps[old].tool, json_str(item, "tool", "")) == 0 &&
           json_same(r->steps[old].input, input);
}

static void read_step(struct reader *r, const cJSON *item, int i)
{
    const char *id = json_str(item, "id", ""), *tool = json_str(item, "tool", "");
    const cJSON *input = json_get(item, "input");
    struct step *s = &r->steps[r->count];
    int old = step_find(r->steps, r->count, id);

    if (!id_fine(id)) {
        fault_at(r, i, "id", "pattern", "an id is 1 to 32 letters, digits, _ or -");
        return;
    }
    if (input == NULL)
        input = json_obj(r->e->a);
    if (old >= 0) {
        if (!is_done(r, old, item, input))
            fault_at(r, i, "id", "duplicate", "the id is taken by another step");
        return;
    }
    if (!tool_offered(r->e, tool))
        fault_at(r, i, "tool", "unknown_tool", "there is no tool of that name");
    if (!cJSON_IsObject(input))
        fault_at(r, i, "input", "type", "the input is an object");
    *s = (struct step){
        .id = id, .tool = tool, .purpose = json_str(item, "purpose", ""), .input = input};
    r->count++;
}

static void read_refs(struct reader *r, struct step *s, const cJSON *value, int i, int depth)
{
    const char *ref = json_str(value, "$step", NULL);
    const cJSON *child;
    int need;

    if (ref != NULL) {
        need = step_find(r->steps, r->count, ref);
        if (need < 0)
            fault_at(r, i, "input", "unknown_need", "$step names a step that does not exist");
        else
            add_need(s, need);
        return;
    }
    if (depth == 0)
        return;
    if (cJSON_IsArray(value) || cJSON_IsObject(value))
        cJSON_ArrayForEach (child, value) {
            read_refs(r, s, child, i, depth - 1);
        }
}

static void read_needs(struct reader *r, const cJSON *item, int i)
{
    int at = step_find(r->steps, r->count, json_str(item, "id", "")), need;
    const cJSON *needs = json_get(item, "needs"), *id;

    if (at < r->kept)
        return;
    cJSON_ArrayForEach (id, needs) {
        need = step_find(r->steps, r->count, cJSON_IsString(id) ? id->valuestring : NULL);
        if (need < 0)
            fault_at(r, i, "needs", "unknown_need", "a need is the id of a step of the plan");
        else
            add_need(&r->steps[at], need);
    }
    read_refs(r, &r->steps[at], r->steps[at].input, i, REF_DEPTH);
}

/* Takes away steps whose needs are gone until none is left, or a cycle is. */
static bool acyclic(const struct reader *r)
{
    bool gone[STEPS_MAX] = {false};
    bool changed = true;

    while (changed) {
        changed = false;
        for (int i = 0; i < r->count; i++) {
            bool free = !gone[i];

            for (int k = 0; k < r->steps[i].need_count; k++)
                free = free && gone[r->steps[i].needs[k]];
            gone[i] = gone[i] || free;
            changed = changed || free;
        }
    }
    for (int i = 0; i < r->count; i++)
        if (!gone[i])
            return false;
    return true;
}

int graph_read(struct engine *e, const cJSON *steps, struct step *out, cJSON *faults)
{
    struct reader r = {.e = e, .steps = out, .faults = faults};
    int n = cJSON_GetArraySize(steps), i = 0;
    const cJSON *item;

    keep_done(&r);
    if (!cJSON_IsArray(steps) || n < 1 || n > PLAN_STEPS_MAX || r.count + n > STEPS_MAX) {
        fault_add(faults, "/steps", "length", "a plan is an array of 1 to 12 steps");
        return 0;
    }
    cJSON_ArrayForEach (item, steps) {
        read_step(&r, item, i++);
    }
    i = 0;
    cJSON_ArrayForEach (item, steps) {
        read_needs(&r, item, i++);
    }
    if (!acyclic(&r))
        fault_add(faults, "/steps", "cycle", "steps need each other in a circle");
    return r.count;
}

/* ---- references ---- */

/* The value at a pointer into a step's output, unowned; NULL when there is none. */
static cJSON *value_of(struct engine *e, const char *step, const char *pointer)
{
    int at = step_find(e->steps, e->step_count, step);
    struct arena *scratch;
    struct str raw;
    cJSON *value = NULL, *found = NULL;

    if (at < 0 || e->steps[at].call.output.n == 0 ||
        json_raw(e->steps[at].call.output, pointer, &raw) != 0)
        return NULL;
    scratch = arena_new();
    if (json_parse(scratch, raw, JSON_DEPTH_MAX, &value, NULL) == 0)
        found = cJSON_Duplicate(value, true);
    arena_free(scratch);
    return found;
}

static cJSON *resolve(struct engine *e, const cJSON *value, const char **missing)
{
    const char *ref = json_str(value, "$step", NULL), *pointer = json_str(value, "pointer", "");
    const cJSON *child;
    cJSON *copy, *part;

    if (ref != NULL) {
        part = value_of(e, ref, pointer);
        if (part == NULL)
            *missing = arena_printf(e->a, "The output of step %.40s has nothing at \"%.100s\".",
                                    ref, pointer);
        return part == NULL ? cJSON_CreateNull() : part;
    }
    if (!cJSON_IsArray(value) && !cJSON_IsObject(value))
        return cJSON_Duplicate(value, true);
    copy = cJSON_IsArray(value) ? cJSON_CreateArray() : cJSON_CreateObject();
    cJSON_ArrayForEach (child, value) {
        part = resolve(e, child, missing);
        if (cJSON_IsArray(value))
            cJSON_AddItemToArray(copy, part);
        else
            cJSON_AddItemToObject(copy, child->string, part);
    }
    return copy;
}

const cJSON *graph_resolve(struct engine *e, const cJSON *input, const char **missing)
{
    cJSON *copy;

    *missing = NULL;
    copy = json_own(e->a, resolve(e, input, missing));
    return *missing == NULL ? copy : NULL;
}
