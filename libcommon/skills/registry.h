/* registry.h: the table of tools (the API calls them skills): one row each, sorted by name. A row
 * says what the tool is for, what it costs, whether it has side effects, where it runs and who may
 * call it; its schema comes from decision-tools.schema.json. To add a tool: a row in registry.c,
 * its schema, and skill_<name>.c or method/tool_<name>.c. */
#pragma once
#include "libcommon/base/json.h"

enum skill_where {
    SKILL_INLINE, /* in the caller's loop: under 2 ms by its cost function */
    SKILL_STORE,  /* asks the knowledge base through the model layer */
    SKILL_JOB     /* a job on the worker */
};

struct skill {
    const char *name,
        *description;     /* description: one or two sentences, for the model and for people */
    const char *category; /* data, decision, knowledge, integration, system */
    const char *version;
    const char *permission;      /* "decision:read" ...; NULL: any signed-in user */
    const char *const *required; /* NULL-terminated names; NULL: none */
    const char *const
        *alias_of;          /* NULL-terminated names of the tools behind an alias; NULL: none */
    enum skill_where where; /* SKILL_INLINE: only while cheap, see skill_where_now */
    bool side_effects;
};

int skill_count(void);
const struct skill *skill_at(int i);
const struct skill *skill_find(const char *name); /* NULL: unknown */
/* Whether the model is offered it as a tool (aliases are not: it sees the tools behind them). */
bool skill_offered(const struct skill *s);
/* Where this call runs: an inline row with a dear input is a job. */
enum skill_where skill_where_now(const struct skill *s, const cJSON *input);
/* The tool behind a name: itself, or for an alias the one whose schema fits the input. NULL:
 * unknown, or none fits. */
const char *skill_resolve(const char *name, const cJSON *input);
/* Self-contained ("$ref"s resolved), made once, the process's; an alias has oneOf its tools. */
const cJSON *skill_input_schema(const struct skill *s);
/* The object of GET /api/v1/skills/{name}, in the arena. */
cJSON *skill_json(const struct skill *s, struct arena *a);
