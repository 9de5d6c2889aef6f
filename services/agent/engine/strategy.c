/* strategy.c: which strategy a run takes. Asked for by name, or `auto`: clear steps, or several
 * options that come with figures, are planned; exploration, and all else, is done in rounds. The
 * reason goes on record with the choice. */
#include "libcommon/base/compat.h"
#include "libcommon/method/figures.h"
#include "services/agent/engine/state.h"

static const struct strategy *const strategies[] = {&strategy_council, &strategy_plan,
                                                    &strategy_react};

const struct strategy *strategy_find(const char *mode)
{
    for (size_t i = 0; mode != NULL && i < ARRAY_LEN(strategies); i++)
        if (strcmp(strategies[i]->name, mode) == 0)
            return strategies[i];
    return NULL;
}

/* Words of a question that lists what is to be done in order, or that asks what there is. */
static const char *const step_words[] = {"step 1", "first,", " then ", "finally", "1)",
                                         "2)",     "1.",     "2.",     "第一",    "首先",
                                         "然后",   "其次",   "最后",   "步骤"};
static const char *const explore_words[] = {"explore", "how might", "what could", "brainstorm",
                                            "ideas",   "find out",  "why ",       "探索",
                                            "为什么",  "有哪些"};

static int count_words(const char *text, const char *const *words, size_t n)
{
    int found = 0;

    for (size_t i = 0; i < n; i++)
        found += strcasestr(text, words[i]) != NULL;
    return found;
}

static size_t count_figures(const struct engine *e)
{
    const cJSON *context = json_get(e->request, "context"), *chunk;
    struct arena *scratch = arena_new();
    struct figure *figures;
    size_t n = figures_scan(scratch, str_of(json_str(e->request, "query", "")), e->lang, &figures);

    if (context != NULL)
        n += figures_scan(scratch, json_print(scratch, context), e->lang, &figures);
    cJSON_ArrayForEach (chunk, e->material) {
        n += figures_scan(scratch, str_of(json_str(chunk, "text", "")), e->lang, &figures);
    }
    arena_free(scratch);
    return n;
}

static const struct strategy *choose_auto(const struct engine *e, const char **why)
{
    const char *query = json_str(e->request, "query", "");
    int options = cJSON_GetArraySize(json_get(e->request, "options"));
    size_t figures;

    if (e->s->offline_only) {
        *why = "auto: the analyst without a model works in three rounds of its own";
        return &strategy_react;
    }
    if (count_words(query, explore_words, ARRAY_LEN(explore_words)) > 0) {
        *why = "auto: the question explores, so each round depends on the one before";
        return &strategy_react;
    }
    if (count_words(query, step_words, ARRAY_LEN(step_words)) >= 2) {
        *why = "auto: the question names its steps";
        return &strategy_plan;
    }
    figures = count_figures(e);
    if (options >= 2 && figures >= 3 * (size_t)options) {
        *why = arena_printf(e->a,
                            "auto: %d options and %zu figures, so what to compute can be planned",
                            options, figures);
        return &strategy_plan;
    }
    *why = arena_printf(e->a, "auto: %d options and %zu figures are too little to plan on", options,
                        figures);
    return &strategy_react;
}

const struct strategy *strategy_choose(const struct engine *e, const char **why)
{
    const char *mode = e->s->mode == NULL ? "auto" : e->s->mode;
    const struct strategy *asked = strategy_find(mode);

    if (asked == &strategy_council && e->s->offline_only) {
        *why = "the analyst without a model has one view; react stands in for council";
        return &strategy_react;
    }
    if (asked != NULL) {
        *why = "asked for";
        return asked;
    }
    if (strcmp(mode, "auto") != 0) {
        *why = arena_printf(e->a, "%.40s is not available; react stands in for it", mode);
        return &strategy_react;
    }
    return choose_auto(e, why);
}
