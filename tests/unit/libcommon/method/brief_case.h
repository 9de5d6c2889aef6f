/* brief_case.h: a request with documents, and the analyst run on it with the real tools, for the
 * tests of this folder. */
#pragma once
#include <dirent.h>
#include "libcommon/method/analyst.h"
#include "libcommon/method/tool.h"
#include "libcommon/method/validate.h"

#define BRIEF_TURNS_MAX 8

struct brief_case {
    struct arena *a;
    cJSON *request, *material, *turns, *final;
    int turns_taken;
};

static inline struct str brief_read_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    char *p;
    long n;

    if (f == NULL)
        return (struct str){NULL, 0};
    (void)fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    p = arena_alloc(a, (size_t)n + 1);
    size_t got = fread(p, 1, (size_t)n, f);
    (void)fclose(f);
    return (struct str){p, got};
}

static inline cJSON *brief_json(struct arena *a, struct str text)
{
    cJSON *out = NULL;
    struct err err = {0};

    if (json_parse(a, text, JSON_DEPTH_MAX, &out, &err) != 0)
        fprintf(stderr, "%s\n", err.msg);
    return out;
}

static inline void brief_add_document(struct brief_case *b, const char *title, struct str text)
{
    cJSON *c = cJSON_CreateObject();

    json_add_str(c, "chunk_id", arena_printf(b->a, "chunk-%s", title));
    json_add_str(c, "document_id", arena_printf(b->a, "doc-%s", title));
    json_add_str(c, "title", title);
    json_add_strn(c, "text", text);
    json_add_num(c, "start", 0);
    json_add_num(c, "end", (double)text.n);
    json_add_bool(c, "supplied", true);
    cJSON_AddItemToArray(b->material, c);
}

static inline void brief_start(struct brief_case *b, cJSON *request)
{
    b->request = request;
    b->material = json_arr(b->a);
    b->turns = json_arr(b->a);
    b->final = NULL;
}

static inline int brief_by_name(const struct dirent **x, const struct dirent **y)
{
    return strcmp((*x)->d_name, (*y)->d_name);
}

static inline void brief_load(struct brief_case *b, const char *folder)
{
    struct dirent **names;

    b->a = arena_new();
    brief_start(
        b, brief_json(b->a, brief_read_file(b->a, arena_printf(b->a, "%s/request.json", folder))));
    int n = scandir(arena_printf(b->a, "%s/documents", folder), &names, NULL, brief_by_name);
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        if (name[0] != '.')
            brief_add_document(
                b, arena_strdup(b->a, name),
                brief_read_file(b->a, arena_printf(b->a, "%s/documents/%s", folder, name)));
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

/* Runs one tool as the engine would and adds its result to the turns. */
static inline void brief_run_tool(struct brief_case *b, const char *tool, const char *id,
                                  const cJSON *input)
{
    cJSON *out = NULL, *t = cJSON_CreateObject();
    struct tool_fault fault = {{0}, {0}, {0}};

    json_add_str(t, "tool", tool);
    json_add_str(t, "id", id);
    json_add_copy(t, "input", input);
    json_add_num(t, "seq", cJSON_GetArraySize(b->turns) + 1);
    if (tool_run(tool, input, b->a, &out, &fault) == 0)
        json_add_copy(t, "output", out);
    else
        json_add_str(t, "error", fault.message);
    cJSON_AddItemToArray(b->turns, t);
}

/* All turns up to the final answer; false when there is none. */
static inline bool brief_decide(struct brief_case *b, bool want_plan, bool tools_work)
{
    for (b->turns_taken = 1; b->turns_taken <= BRIEF_TURNS_MAX; b->turns_taken++) {
        struct analyst_input in = {b->request, b->material, b->turns, want_plan};
        struct err err = {0};
        cJSON *turn = NULL, *x;

        if (analyst_next(&in, b->a, &turn, &err) != 0)
            return false;
        cJSON_ArrayForEach (x, json_get(turn, "stages"))
            json_push_copy(b->turns, x);
        if ((b->final = json_get(turn, "final")) != NULL)
            return true;
        cJSON_ArrayForEach (x, json_get(turn, "tool_calls"))
            if (tools_work)
                brief_run_tool(b, json_str(x, "name", ""), json_str(x, "id", ""),
                               json_get(x, "input"));
        cJSON_ArrayForEach (x, json_get(turn, "plan"))
            if (tools_work)
                brief_run_tool(b, json_str(x, "tool", ""), json_str(x, "id", ""),
                               json_get(x, "input"));
    }
    return false;
}

static inline cJSON *brief_events(const struct brief_case *b)
{
    cJSON *events = json_arr(b->a), *t;

    cJSON_ArrayForEach (t, b->turns)
        if (json_get(t, "tool") != NULL)
            json_push_copy(events, t);
    return events;
}

/* The faults of the final answer; prints them. */
static inline int brief_faults(struct brief_case *b)
{
    struct validate_ctx ctx = {b->request, NULL, brief_events(b), b->material, false};
    cJSON *copy = json_own(b->a, cJSON_Duplicate(b->final, true)), *faults = NULL, *f;

    if (decision_validate(copy, &ctx, b->a, &faults) != 0)
        return -1;
    cJSON_ArrayForEach (f, faults) {
        struct str text = json_print(b->a, f);
        fprintf(stderr, "%.*s\n", STR_ARG(text));
    }
    return cJSON_GetArraySize(faults);
}
