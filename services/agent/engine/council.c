/* council.c: one specialist a view, all with the same sources, none seeing another's words; then a
 * synthesis that has to name where they disagree. The views are conversations of their own, in
 * parallel as far as the budget reaches; a view that fails, or that the budget does not reach, is a
 * gap that the synthesis is told of, never the end of the run.
 *
 *   view:  IDLE --affordable--> RUNS --submit_view--> DONE | --failed, budget--> FAILED
 *   all DONE or FAILED --> main: the question, the positions, what was computed for them --> as
 * react */
#include "libcommon/base/compat.h"
#include "services/agent/engine/prompt.h"
#include "services/agent/engine/state.h"

#define COMPUTED_MAX (64 * 1024)

static const char *const people_words[] = {"staff", "employee", "hire",     "team",
                                           "union", "redundan", "overtime", "员工",
                                           "团队",  "招聘",     "裁员"};
static const char *const customer_words[] = {"customer", "client",  "price", "churn",
                                             "brand",    "subscri", "客户",  "顾客",
                                             "价格",     "品牌",    "用户"};

/* In the order in which the synthesis hears them. words: asked only where the case speaks of it. */
static const struct view views[] = {
    {"finance", "council_finance", {"financial_model", "monte_carlo"}, NULL, 0},
    {"risk", "council_risk", {"risk_assessment", "monte_carlo", "decision_tree"}, NULL, 0},
    {"operations", "council_operations", {"forecast", "data_analysis"}, NULL, 0},
    {"people", "council_people", {"knowledge_retrieval"}, people_words, ARRAY_LEN(people_words)},
    {"legal", "council_legal", {"knowledge_retrieval"}, NULL, 0},
    {"customer",
     "council_customer",
     {"data_analysis", "forecast"},
     customer_words,
     ARRAY_LEN(customer_words)},
};

bool view_has_tool(const struct view *v, const char *name)
{
    for (int i = 0; i < VIEW_TOOLS && v->tools[i] != NULL; i++)
        if (strcmp(v->tools[i], name) == 0)
            return true;
    return false;
}

static bool speaks_of(const struct engine *e, const struct view *v)
{
    const char *text = json_print(e->a, e->request).p;
    const cJSON *chunk;

    for (size_t i = 0; i < v->word_count; i++) {
        if (strcasestr(text, v->words[i]) != NULL)
            return true;
        cJSON_ArrayForEach (chunk, e->material) {
            if (strcasestr(json_str(chunk, "text", ""), v->words[i]) != NULL)
                return true;
        }
    }
    return v->word_count == 0;
}

static void council_start(struct engine *e)
{
    e->views = arena_array(e->a, struct talk, ARRAY_LEN(views));
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (speaks_of(e, &views[i]))
            talk_init(e, &e->views[e->view_count++], &views[i]);
    council_pump(e);
}

static int count_in(const struct engine *e, enum talk_state state)
{
    int n = 0;

    for (int i = 0; i < e->view_count; i++)
        n += e->views[i].state == state;
    return n;
}

void council_pump(struct engine *e)
{
    if (e->council_told || e->phase != PHASE_RUN)
        return;
    for (int i = 0; i < e->view_count; i++)
        if (e->views[i].state == TALK_IDLE && budget_affords_call(e, &e->views[i])) {
            e->views[i].state = TALK_RUNS;
            budget_call_model(e, &e->views[i], NULL);
        }
    if (count_in(e, TALK_RUNS) > 0)
        return;
    council_closing(e);
    budget_call_model(e, &e->main, NULL);
}

void council_fail(struct engine *e, struct talk *t, const char *why)
{
    t->state = TALK_FAILED;
    t->why = why;
    council_pump(e);
}

static void check_positions(const cJSON *list, cJSON *faults)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        double at = json_num(item, "position", 9);

        if (json_str(item, "option", NULL) == NULL || at < -2 || at > 2)
            fault_add(faults, "/positions", "range",
                      "each position has an option and a number from -2 to 2");
    }
    if (cJSON_GetArraySize(list) == 0)
        fault_add(faults, "/positions", "required", "a position on each option is required");
}

void council_submitted(struct engine *e, struct talk *t, const struct call *c)
{
    cJSON *faults = json_arr(e->a);

    check_positions(json_get(c->input, "positions"), faults);
    if (cJSON_GetArraySize(json_get(c->input, "facts")) == 0)
        fault_add(faults, "/facts", "required", "the facts that carry the position are required");
    if (cJSON_GetArraySize(faults) > 0) {
        turn_repair(e, t, faults);
        return;
    }
    t->position = json_own(e->a, cJSON_Duplicate(c->input, true));
    t->state = TALK_DONE;
    council_pump(e);
}

void council_note(struct talk *t, struct str answer)
{
    if (t->computed.n + answer.n <= COMPUTED_MAX)
        buf_str(&t->computed, answer);
}

/* ---- what the synthesis hears ---- */

static double position_on(const struct talk *t, const char *option)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json_get(t->position, "positions")) {
        if (strcmp(json_str(item, "option", ""), option) == 0)
            return json_num(item, "position", 0);
    }
    return 0;
}

/* Views for and views against one option; returns whether there are both. */
static bool dispute_on(const struct engine *e, const char *option, struct buf *b)
{
    const struct talk *low = NULL, *high = NULL;

    for (int i = 0; i < e->view_count; i++) {
        const struct talk *t = &e->views[i];

        if (t->state != TALK_DONE)
            continue;
        if (position_on(t, option) >= 1 &&
            (high == NULL || position_on(t, option) > position_on(high, option)))
            high = t;
        if (position_on(t, option) <= -1 &&
            (low == NULL || position_on(t, option) < position_on(low, option)))
            low = t;
    }
    if (low == NULL || high == NULL)
        return false;
    if (b != NULL)
        buf_printf(b, "- %s: %s for (%g), %s against (%g)\n", option, high->view->name,
                   position_on(high, option), low->view->name, position_on(low, option));
    return true;
}

static int disputes(const struct engine *e, struct buf *b)
{
    const cJSON *option;
    int n = 0;

    cJSON_ArrayForEach (option, json_get(e->request, "options")) {
        if (cJSON_IsString(option))
            n += dispute_on(e, option->valuestring, b);
    }
    return n;
}

static void add_view(struct engine *e, struct buf *b, const struct talk *t)
{
    struct source src = {"view", "", t->view->name, t->nonce, true};

    if (t->state != TALK_DONE) {
        buf_printf(b, "The %s view is missing: %s.\n", t->view->name,
                   t->why == NULL ? "the budget did not reach for it" : t->why);
        return;
    }
    buf_printf(b, "The %s view:\n", t->view->name);
    source_fence(e, b, &src, json_print(e->a, t->position));
    if (t->computed.n > 0) {
        buf_puts(b, "Found and computed for it:\n");
        buf_str(b, buf_view(&t->computed));
    }
}

void council_closing(struct engine *e)
{
    struct buf b;

    if (e->council_told)
        return;
    e->council_told = true;
    buf_init(&b, MESSAGES_MAX);
    buf_puts(&b, "The views of the council:\n");
    for (int i = 0; i < e->view_count; i++)
        add_view(e, &b, &e->views[i]);
    buf_puts(&b, "\nWhere they disagree by their positions:\n");
    if (disputes(e, &b) == 0)
        buf_puts(&b, "(nowhere)\n");
    talk_text(&e->main, buf_view(&b));
    buf_done(&b);
}

/* The synthesis has to name the disagreements: that is what a council is for. */
static void council_check(struct engine *e, const cJSON *answer, cJSON *faults)
{
    const cJSON *dissent = json_at(answer, "/decision_record/dissent");

    if (e->main.repairs == 0 && e->out == NULL && disputes(e, NULL) > 0 &&
        cJSON_GetArraySize(dissent) == 0)
        fault_add(faults, "/decision_record/dissent", "required",
                  "the views disagree: each position that is overruled is kept here with its best "
                  "argument");
}

const struct strategy strategy_council = {
    .name = "council",
    .prompt = "synthesis",
    .start = council_start,
    .closing = council_closing,
    .check = council_check,
};
