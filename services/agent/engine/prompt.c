/* prompt.c: the texts of version v1, compiled in, and their placeholders. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/prompt.h"
#include "libcommon/base/buf.h"
#include "libcommon/base/embed.h"

#define FILLED_MAX (8u * 1024 * 1024)

#define PROMPTS(X)        \
    X(bias_check)         \
    X(council_customer)   \
    X(council_finance)    \
    X(council_legal)      \
    X(council_operations) \
    X(council_people)     \
    X(council_risk)       \
    X(devils_advocate)    \
    X(general)            \
    X(investment)         \
    X(last_call)          \
    X(nudge)              \
    X(plan_and_execute)   \
    X(premortem)          \
    X(question)           \
    X(react)              \
    X(reference_class)    \
    X(repair)             \
    X(replan)             \
    X(risk)               \
    X(strategy)           \
    X(submit)             \
    X(synthesis)          \
    X(system)

#define X(name) EMBED(prompt_##name, "services/agent/engine/prompts/v1/" #name ".txt");
PROMPTS(X)
#undef X

static const struct prompt {
    const char *name, *text;
} prompts[] = {
#define X(name) {#name, embed_prompt_##name},
    PROMPTS(X)
#undef X
};

const char *prompt_builtin(const char *version, const char *name)
{
    if (version != NULL && strcmp(version, "v1") != 0)
        return NULL;
    for (size_t i = 0; name != NULL && i < ARRAY_LEN(prompts); i++)
        if (strcmp(prompts[i].name, name) == 0)
            return prompts[i].text;
    return NULL;
}

const char *prompt_name(int i)
{
    return i >= 0 && (size_t)i < ARRAY_LEN(prompts) ? prompts[i].name : NULL;
}

static const struct prompt_var *var_find(const struct prompt_var *vars, int count, struct str name)
{
    for (int i = 0; i < count; i++)
        if (str_eqz(name, vars[i].name))
            return &vars[i];
    return NULL;
}

struct str prompt_fill(struct arena *a, const char *text, const struct prompt_var *vars, int count)
{
    struct buf b;
    struct str out;

    buf_init(&b, FILLED_MAX);
    for (const char *p = text; *p != '\0'; p++) {
        const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;
        const struct prompt_var *v =
            end == NULL ? NULL : var_find(vars, count, (struct str){p + 2, (size_t)(end - p - 2)});

        if (v == NULL) {
            buf_putc(&b, *p);
        } else {
            buf_str(&b, v->value);
            p = end;
        }
    }
    out = arena_str(a, buf_view(&b));
    buf_done(&b);
    return out;
}
