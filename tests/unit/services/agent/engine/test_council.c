/* The council: views in parallel, a synthesis that names the disagreements, and budgets that
 * several calls at once cannot overshoot. */
#include "libcommon/base/compat.h"
#include "tests/unit/services/agent/engine/play.h"

#define POSITIONS(finish, swap)                                    \
    "[{\"option\":\"Finish the ERP project\",\"position\":" finish \
    "},{\"option\":\"Switch to the hosted "                        \
    "product\",\"position\":" swap "}]"
#define VIEW(positions)                                                                           \
    "[{\"type\":\"tool_use\",\"id\":\"v\",\"name\":\"submit_view\",\"input\":{"                   \
    "\"positions\":" positions ",\"facts\":[\"It costs 3.4M [E1].\"],\"turning_fact\":\"a fixed " \
    "price\",\"cannot_judge\":[\"law\"]}}]"

static void start(struct play *p)
{
    struct arena *a = arena_new();

    play_init(p, play_file(a, "tests/data/briefs/04-kill-or-continue/request.json").p, "council");
    arena_free(a);
    p->gather = "{\"material\":[{\"chunk_id\":\"c1\",\"title\":\"memo\",\"text\":\"Finishing costs "
                "3.4M.\"}],"
                "\"missing\":[],\"nonce\":\"00112233445566ff\"}";
}

/* The open call of a view, by what its system text says. */
static struct action take_view(struct play *p, const char *name)
{
    const char *words = arena_printf(p->a, "You are the %s view", name);

    for (int i = 0; i < p->open_count; i++) {
        struct action a = p->open[i];

        if (a.kind != ACTION_MODEL || strstr(a.model.system.p, words) == NULL)
            continue;
        p->open_count--;
        memmove(&p->open[i], &p->open[i + 1], sizeof(a) * (size_t)(p->open_count - i));
        return a;
    }
    fail_msg("no open call of the %s view", name);
    abort();
}

static void answer_view(struct play *p, const char *name, const char *content)
{
    struct action a = take_view(p, name);

    play_must(p, EV_REASON, "model", a.id, play_reason(p, content, "tool_use"));
    play_pump(p);
}

static const char *submit(struct play *p, bool dissent)
{
    cJSON *answer = play_decision(p->a);

    if (!dissent)
        cJSON_DeleteItemFromObjectCaseSensitive(json_get(answer, "decision_record"), "dissent");
    return arena_printf(
        p->a, "[{\"type\":\"tool_use\",\"id\":\"e\",\"name\":\"submit_decision\",\"input\":%s}]",
        json_print(p->a, answer).p);
}

static void test_council__views_run_at_once_with_their_own_tools(void **state)
{
    struct play p;
    struct action finance, risk;

    (void)state;
    start(&p);
    play_pump(&p);
    assert_int_equal(p.open_count, 4); /* nobody speaks of staff or customers */
    finance = take_view(&p, "finance");
    risk = take_view(&p, "risk");
    assert_non_null(strstr(finance.model.tools_json.p, "financial_model"));
    assert_null(strstr(finance.model.tools_json.p, "risk_assessment"));
    assert_non_null(strstr(finance.model.tools_json.p, "submit_view"));
    assert_null(strstr(finance.model.tools_json.p, "submit_decision"));
    assert_non_null(strstr(risk.model.tools_json.p, "risk_assessment"));
    assert_string_equal(finance.model.messages[0].p,
                        risk.model.messages[0].p); /* the same sources, same ids */
    play_done(&p);
}

static void all_views(struct play *p)
{
    answer_view(p, "risk", VIEW(POSITIONS("-2", "1")));
    answer_view(p, "legal", VIEW(POSITIONS("0", "0")));
    answer_view(p, "operations", VIEW(POSITIONS("-1", "1")));
    answer_view(p, "finance", VIEW(POSITIONS("2", "1")));
}

static void test_council__the_synthesis_hears_all_and_names_the_dispute(void **state)
{
    struct play p;
    struct action m;
    const char *text;

    (void)state;
    start(&p);
    play_pump(&p);
    all_views(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_int_equal(m.model.message_count, 1);
    text = m.model.messages[0].p;
    assert_true(strstr(text, "The finance view:") < strstr(text, "The risk view:"));
    assert_non_null(strstr(text, "- Finish the ERP project: finance for (2), risk against (-2)"));
    assert_non_null(strstr(m.model.system.p, "You lead a council"));
    p.open[p.open_count++] = m;
    play_answer(&p, submit(&p, false), "tool_use");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_non_null(strstr(m.model.messages[2].p, "/decision_record/dissent"));
    p.open[p.open_count++] = m;
    play_answer(&p, submit(&p, true), "tool_use");
    assert_string_equal(play_status(&p), "completed");
    assert_string_equal(json_at(engine_final(p.e), "/agent/mode")->valuestring, "council");
    play_record(&p, "council");
    play_done(&p);
}

static void test_council__what_a_view_computed_is_passed_on_with_its_id(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_pump(&p);
    answer_view(
        &p, "finance",
        "[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"financial_model\",\"input\":{}},{\"type\":"
        "\"tool_use\",\"id\":\"u\",\"name\":\"risk_assessment\",\"input\":{}}]");
    play_observe(&p, "financial_model", "{\"npv\":1490000}");
    m = take_view(&p, "finance");
    assert_non_null(strstr(m.model.messages[2].p, "SKILL_NOT_FOUND")); /* not this view's tool */
    p.open[p.open_count++] = m;
    all_views(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_non_null(strstr(m.model.messages[0].p, "id=\\\"E2\\\" kind=\\\"tool\\\""));
    assert_non_null(strstr(m.model.messages[0].p, "1490000"));
    play_done(&p);
}

static void test_council__a_view_that_fails_is_a_gap_not_the_end(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_pump(&p);
    m = take_view(&p, "risk");
    play_must(&p, EV_ERROR, "model", m.id, "{\"code\":\"LLM_ERROR\",\"message\":\"no\"}");
    play_pump(&p);
    for (int i = 0; i < 3; i++)
        answer_view(&p, "legal", "[{\"type\":\"text\",\"text\":\"I am not sure.\"}]");
    answer_view(&p, "operations", VIEW(POSITIONS("-1", "1")));
    for (int i = 0; i < 2; i++)
        answer_view(&p, "finance", VIEW("[{\"option\":\"x\",\"position\":7}]"));
    answer_view(&p, "finance", VIEW(POSITIONS("1", "1")));
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_non_null(
        strstr(m.model.messages[0].p, "The risk view is missing: its model call failed"));
    assert_non_null(
        strstr(m.model.messages[0].p, "The legal view is missing: its answers could not be read"));
    assert_non_null(strstr(m.model.messages[0].p, "The finance view:"));
    play_done(&p);
}

static void test_council__time_running_out_leaves_a_synthesis_of_what_is_there(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_pump(&p);
    answer_view(&p, "risk", VIEW(POSITIONS("-2", "1")));
    p.open_count = 0;
    play_must(&p, EV_BUDGET, NULL, "shell",
              "{\"budget\":\"seconds\",\"limit\":9,\"used\":8,\"last_call\":true}");
    play_pump(&p);
    assert_int_equal(p.open_count, 1);
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_decision");
    assert_non_null(strstr(m.model.messages[0].p, "The risk view:"));
    assert_non_null(strstr(m.model.messages[0].p, "The finance view is missing"));
    play_done(&p);
}

static void test_council__without_a_model_it_is_one_analyst(void **state)
{
    struct play p;

    (void)state;
    start(&p);
    p.s.offline_only = true;
    play_life(&p);
    play_pump(&p);
    assert_int_equal(p.open_count, 1);
    play_done(&p);
}

/* ---- never more reserved than there is ---- */

static uint64_t rolling = 7;

static uint32_t dice(uint32_t sides)
{
    rolling = rolling * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rolling >> 33) % sides;
}

/* A view or the synthesis asks for a tool or submits; what it reports is within what was reserved.
 */
static const char *random_answer(struct play *p, const struct action *a)
{
    int64_t in = a->model.reserved_tokens - a->model.max_tokens;
    const char *content =
        dice(3) > 0 && a->model.force_tool == NULL
            ? arena_printf(
                  p->a,
                  "[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"%s\",\"input\":{\"n\":%d}}]",
                  strstr(a->model.tools_json.p, "risk_assessment") != NULL ? "risk_assessment"
                                                                           : "financial_model",
                  p->events)
        : strstr(a->model.tools_json.p, "submit_view") != NULL ? VIEW(POSITIONS("1", "0"))
                                                               : submit(p, true);

    return arena_printf(
        p->a,
        "{\"content\":%s,\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":%d,"
        "\"output_tokens\":%d},\"provider\":\"anthropic\",\"model\":\"m\",\"cost_usd\":null,"
        "\"nonce\":\"00112233445566ee\"}",
        content, (int)dice((uint32_t)in) + 1, (int)dice((uint32_t)a->model.max_tokens));
}

static void check_ledger(struct play *p, int64_t *reserved, int64_t *calls)
{
    struct engine_view v;

    *reserved = *calls = 0;
    engine_look(p->e, &v);
    for (int i = 0; i < p->open_count; i++)
        if (p->open[i].kind == ACTION_MODEL) {
            *reserved += p->open[i].model.reserved_tokens;
            *calls += 1;
        }
    assert_true(v.tokens_in + v.tokens_out + *reserved <= p->s.budget_tokens);
    assert_true(v.steps + *calls <= p->s.budget_steps);
}

static int random_council(void)
{
    struct play p;
    struct action a;
    int64_t reserved, calls;
    int at, most = 0;

    start(&p);
    p.s.budget_tokens = 20000 + (int64_t)dice(300000);
    p.s.budget_steps = 1 + (int64_t)dice(20);
    play_pump(&p);
    while (!play_ended(&p) && p.open_count > 0) {
        check_ledger(&p, &reserved, &calls);
        most = MAX(most, (int)calls);
        at = (int)dice((uint32_t)p.open_count);
        a = p.open[at];
        memmove(&p.open[at], &p.open[at + 1], sizeof(a) * (size_t)(--p.open_count - at));
        if (a.kind == ACTION_MODEL)
            play_must(&p, EV_REASON, "model", a.id, random_answer(&p, &a));
        else
            play_must(&p, EV_OBSERVE, a.tool.name, a.id, play_observed(&p, &a, "{\"v\":1}"));
        play_pump(&p);
    }
    assert_true(play_ended(&p));
    play_done(&p);
    return most;
}

static void test_council__parallel_calls_never_reserve_more_than_the_budget(void **state)
{
    int most = 0;

    (void)state;
    for (int i = 0; i < 30; i++)
        most = MAX(most, random_council());
    assert_true(most >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_council__views_run_at_once_with_their_own_tools),
        cmocka_unit_test(test_council__the_synthesis_hears_all_and_names_the_dispute),
        cmocka_unit_test(test_council__what_a_view_computed_is_passed_on_with_its_id),
        cmocka_unit_test(test_council__a_view_that_fails_is_a_gap_not_the_end),
        cmocka_unit_test(test_council__time_running_out_leaves_a_synthesis_of_what_is_there),
        cmocka_unit_test(test_council__without_a_model_it_is_one_analyst),
        cmocka_unit_test(test_council__parallel_calls_never_reserve_more_than_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
