/* prompt.c: the texts of version v1, compiled in, and their placeholders. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/prompt.h"
#include "libcommon/base/buf.h"
#include "libcommon/base/embed.h"

#define FILLED_MAX (8u * 1024 * 1024)

/* Written out, so that make sees which files this one is made of. */
EMBED(prompt_bias_check, "services/agent/engine/prompts/v1/bias_check.txt");
EMBED(prompt_council_customer, "services/agent/engine/prompts/v1/council_customer.txt");
EMBED(prompt_council_finance, "services/agent/engine/prompts/v1/council_finance.txt");
EMBED(prompt_council_legal, "services/agent/engine/prompts/v1/council_legal.txt");
EMBED(prompt_council_operations, "services/agent/engine/prompts/v1/council_operations.txt");
EMBED(prompt_council_people, "services/agent/engine/prompts/v1/council_people.txt");
EMBED(prompt_council_risk, "services/agent/engine/prompts/v1/council_risk.txt");
EMBED(prompt_devils_advocate, "services/agent/engine/prompts/v1/devils_advocate.txt");
EMBED(prompt_general, "services/agent/engine/prompts/v1/general.txt");
EMBED(prompt_investment, "services/agent/engine/prompts/v1/investment.txt");
EMBED(prompt_last_call, "services/agent/engine/prompts/v1/last_call.txt");
EMBED(prompt_nudge, "services/agent/engine/prompts/v1/nudge.txt");
EMBED(prompt_plan_and_execute, "services/agent/engine/prompts/v1/plan_and_execute.txt");
EMBED(prompt_premortem, "services/agent/engine/prompts/v1/premortem.txt");
EMBED(prompt_question, "services/agent/engine/prompts/v1/question.txt");
EMBED(prompt_react, "services/agent/engine/prompts/v1/react.txt");
EMBED(prompt_reference_class, "services/agent/engine/prompts/v1/reference_class.txt");
EMBED(prompt_repair, "services/agent/engine/prompts/v1/repair.txt");
EMBED(prompt_replan, "services/agent/engine/prompts/v1/replan.txt");
EMBED(prompt_risk, "services/agent/engine/prompts/v1/risk.txt");
EMBED(prompt_strategy, "services/agent/engine/prompts/v1/strategy.txt");
EMBED(prompt_submit, "services/agent/engine/prompts/v1/submit.txt");
EMBED(prompt_synthesis, "services/agent/engine/prompts/v1/synthesis.txt");
EMBED(prompt_system, "services/agent/engine/prompts/v1/system.txt");

static const struct prompt {
    const char *name, *text;
} prompts[] = {
    {"bias_check", embed_prompt_bias_check},
    {"council_customer", embed_prompt_council_customer},
    {"council_finance", embed_prompt_council_finance},
    {"council_legal", embed_prompt_council_legal},
    {"council_operations", embed_prompt_council_operations},
    {"council_people", embed_prompt_council_people},
    {"council_risk", embed_prompt_council_risk},
    {"devils_advocate", embed_prompt_devils_advocate},
    {"general", embed_prompt_general},
    {"investment", embed_prompt_investment},
    {"last_call", embed_prompt_last_call},
    {"nudge", embed_prompt_nudge},
    {"plan_and_execute", embed_prompt_plan_and_execute},
    {"premortem", embed_prompt_premortem},
    {"question", embed_prompt_question},
    {"react", embed_prompt_react},
    {"reference_class", embed_prompt_reference_class},
    {"repair", embed_prompt_repair},
    {"replan", embed_prompt_replan},
    {"risk", embed_prompt_risk},
    {"strategy", embed_prompt_strategy},
    {"submit", embed_prompt_submit},
    {"synthesis", embed_prompt_synthesis},
    {"system", embed_prompt_system},
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
