/* registry.h: the table of tools (the API calls them skills): one row each, sorted by name. A row
 * says what the tool is for, what it costs, whether it has side effects, where it runs and who may
 * call it; its schema comes from decision-tools.schema.json.
 *
 * How to add a tool
 *   1. its schemas: `$defs/NAME.input` and `NAME.output` in
 * method/schema/decision-tools.schema.json
 *   2. its function: method/tool_NAME.c with tool_NAME and tool_NAME_cost (see tool_call.h;
 *      tool_calculator.c is the smallest), and X(NAME) in the list TOOLS of tool_call.h
 *   3. its row in registry.c, in the order of the names
 *   4. its reference cases in tests/data/decision-cases.json, its faults in docs/tools.md
 * A tool that needs a store or a network has no function in method/: its row says so by `where`,
 * and those who perform tools know it by name. */
#pragma once
#include "libcommon/base/json.h"

enum skill_where {
    SKILL_INLINE, /* in the caller's loop: under 2 ms by its cost function */
    SKILL_STORE,  /* asks the knowledge base through the model layer */
    SKILL_JOB     /* a job on the worker */
};

enum skill_cost { SKILL_CHEAP, SKILL_MODERATE, SKILL_HEAVY };

struct skill {
    const char *name;
    const char *description;       /* one or two sentences, for the model and for people */
    const char *category;          /* data, decision, knowledge, integration, system */
    const char *version;           /* "1.0.0" */
    const char *permission;        /* "decision:read" ...; NULL: any signed-in user */
    const char *const *required;   /* NULL-terminated names of skills; NULL: none */
    const char *const *alias_of;   /* NULL-terminated names of the tools behind an alias; or NULL */
    const char *const *alias_keys; /* the parameter that tells each of them from the others */
    enum skill_where where;        /* SKILL_INLINE: only while cheap, see skill_where_now */
    enum skill_cost cost;          /* of a usual call */
    bool side_effects;
};

int skill_count(void);
const struct skill *skill_at(int i);
const struct skill *skill_find(const char *name); /* NULL: unknown */

/* Whether the model is offered it as a tool (aliases are not: it sees the tools behind them). */
bool skill_offered(const struct skill *s);

/* Where this call runs: an inline row with a dear input is a job. An alias is asked through the
 * tool that skill_resolve finds. */
enum skill_where skill_where_now(const struct skill *s, const cJSON *input);

/* The tool behind a name: itself, or for an alias the one whose schema fits the input; when none
 * does, the one that the input's keys point to, so that its fault says what is wrong. NULL:
 * unknown. */
const char *skill_resolve(const char *name, const cJSON *input);

/* Self-contained ("$ref"s resolved), made once, the process's; an alias has oneOf its tools. */
const cJSON *skill_input_schema(const struct skill *s);

/* The same as model providers take it: JSON text of stable bytes without $ref, and without oneOf,
 * anyOf or allOf at the top, which they refuse (the description says what those would). What the
 * model then sends is checked against the whole schema. The process's. */
struct str skill_model_schema(const struct skill *s);

/* The object of GET /api/v1/skills/{name}, in the arena: {name, description, version, category,
 * input_schema, required_skills[], permission}. */
cJSON *skill_json(const struct skill *s, struct arena *a);
