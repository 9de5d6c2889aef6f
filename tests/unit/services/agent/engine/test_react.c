/* The paths of a run in rounds: what the model may answer, and what becomes of it. */
#include "libcommon/base/compat.h"
#include "tests/unit/services/agent/engine/play.h"

#define TOOL_BLOCK(id, name, input) \
    "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" input "}"

static const char *submit(struct play *p)
{
    struct str answer = json_print(p->a, play_decision(p->a));

    return arena_printf(p->a,
                        "[{\"type\":\"text\",\"text\":\"Done.\"},{\"type\":\"tool_use\",\"id\":"
                        "\"tu_end\",\"name\":\"submit_decision\",\"input\":%s}]",
                        answer.p);
}

static void start(struct play *p)
{
    struct arena *a = arena_new();
    struct str request = play_file(a, "tests/data/briefs/04-kill-or-continue/request.json");

    play_init(p, request.p, "react");
    arena_free(a);
    play_pump(p);
}

static const cJSON *final_of(const struct play *p)
{
    const cJSON *f = engine_final(p->e);

    assert_non_null(f);
    return f;
}

/* Soft faults come back once: then the same answer passes. */
static void submit_until_done(struct play *p)
{
    for (int i = 0; i < 3 && !play_ended(p); i++)
        play_answer(p, submit(p), "tool_use");
}

static void test_react__a_submitted_decision_completes_the_run(void **state)
{
    struct play p;
    const cJSON *f;

    (void)state;
    start(&p);
    play_answer(&p,
                "[{\"type\":\"text\",\"text\":\"I need a value.\"}," TOOL_BLOCK(
                    "tu_1", "financial_model", "{\"cash_flows\":[-1,2],\"rate\":0.1}") "]",
                "tool_use");
    play_observe(&p, "financial_model", "{\"npv\":0.818}");
    submit_until_done(&p);
    assert_string_equal(play_status(&p), "completed");
    f = final_of(&p);
    assert_string_equal(json_str(json_get(f, "recommendation"), "option", ""),
                        "Switch to the hosted product");
    assert_non_null(json_at(f, "/recommendation/risks/0"));
    assert_non_null(json_at(f, "/recommendation/benefits/0"));
    assert_non_null(json_at(f, "/result/situation_analysis"));
    assert_non_null(json_at(f, "/result/risk_assessment"));
    assert_non_null(json_at(f, "/result/recommendations"));
    assert_non_null(json_at(f, "/result/final_recommendation"));
    assert_string_equal(json_at(f, "/agent/mode")->valuestring, "react");
    assert_string_equal(json_at(f, "/agent/provider")->valuestring, "anthropic");
    assert_string_equal(json_at(f, "/agent/prompt_version")->valuestring, "v1");
    assert_string_equal(json_at(f, "/skills/0")->valuestring, "financial_model");
    assert_true(json_at(f, "/usage/tokens_in")->valuedouble >= 2000);
    assert_true(cJSON_IsNull(json_get(f, "error")));
    assert_null(json_at(f, "/result/partial"));
    play_done(&p);
}

static void test_react__results_of_a_turn_go_back_together_in_order(void **state)
{
    struct play p;
    struct action m;
    const char *first, *second, *last;

    (void)state;
    start(&p);
    play_answer(
        &p,
        "[" TOOL_BLOCK("tu_1", "calculator", "{\"expression\":\"1\"}") "," TOOL_BLOCK(
            "tu_2", "risk_assessment", "{}") "," TOOL_BLOCK("tu_3", "no_such_tool", "{}") "]",
        "tool_use");
    assert_int_equal(p.open_count, 2);
    play_observe(&p, "risk_assessment", "{\"overall_score\":3}");
    assert_int_equal(p.open_count, 1);
    play_observe(&p, "calculator", "{\"value\":1}");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_int_equal(m.model.message_count, 3);
    first = strstr(m.model.messages[2].p, "tu_1");
    second = strstr(m.model.messages[2].p, "tu_2");
    last = strstr(m.model.messages[2].p, "tu_3");
    assert_true(first != NULL && second > first && last > second);
    assert_non_null(strstr(last, "SKILL_NOT_FOUND"));
    assert_non_null(strstr(last, "\"is_error\":true"));
    play_done(&p);
}

static void test_react__an_answer_in_words_is_read_too(void **state)
{
    struct play p;
    struct buf b;

    (void)state;
    start(&p);
    for (int i = 0; i < 3 && !play_ended(&p); i++) {
        struct str answer = json_print(p.a, play_decision(p.a));

        buf_init(&b, 1 << 20);
        buf_puts(&b, "[{\"type\":\"text\",\"text\":");
        json_quote(&b, str_of(arena_printf(p.a, "Here it is:\n```json\n%s\n```", answer.p)));
        buf_puts(&b, "}]");
        play_answer(&p, b.p, "end_turn");
        buf_done(&b);
    }
    assert_string_equal(play_status(&p), "completed");
    play_done(&p);
}

static void test_react__words_alone_are_answered_with_a_nudge_twice_then_it_fails(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_answer(&p, "[{\"type\":\"text\",\"text\":\"I think buying is fine.\"}]", "end_turn");
    play_answer(&p, "[]", "end_turn");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_decision");
    assert_non_null(strstr(m.model.messages[m.model.message_count - 2].p, "(no answer)"));
    p.open[p.open_count++] = m;
    play_answer(&p, "[{\"type\":\"text\",\"text\":\"Still words.\"}]", "end_turn");
    assert_string_equal(play_status(&p), "failed");
    assert_string_equal(json_at(final_of(&p), "/error/code")->valuestring, "PARSE_ERROR");
    assert_true(cJSON_IsNull(json_get(final_of(&p), "result")));
    play_done(&p);
}

static void test_react__faults_go_back_with_the_validators_words(void **state)
{
    struct play p;
    struct action m;
    const char *said;

    (void)state;
    start(&p);
    play_answer(&p, "[" TOOL_BLOCK("tu_9", "submit_decision", "{\"situation_analysis\":{}}") "]",
                "tool_use");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(m.model.force_tool, "submit_decision");
    said = m.model.messages[m.model.message_count - 1].p;
    assert_non_null(strstr(said, "tu_9"));
    assert_non_null(strstr(said, "did not pass"));
    assert_non_null(strstr(said, "final_recommendation"));
    p.open[p.open_count++] = m;
    play_answer(&p, submit(&p), "tool_use");
    assert_string_equal(play_status(&p), "completed");
    play_done(&p);
}

static void test_react__a_cut_answer_is_asked_again_with_a_doubled_limit(void **state)
{
    struct play p;
    struct action m;
    int messages;

    (void)state;
    start(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    messages = m.model.message_count;
    assert_int_equal(m.model.max_tokens, 4000);
    p.open[p.open_count++] = m;
    play_answer(&p, "[{\"type\":\"text\",\"text\":\"It is\"}]", "max_tokens");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_int_equal(m.model.max_tokens, 8000);
    assert_int_equal(m.model.message_count, messages);
    play_done(&p);
}

static void test_react__a_refusal_and_a_failed_call_end_the_run(void **state)
{
    static const char *const codes[] = {"LLM_ERROR", "LLM_RATE_LIMITED", "TIMEOUT"};
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_answer(&p, "[]", "refusal");
    assert_string_equal(json_at(final_of(&p), "/error/code")->valuestring, "LLM_ERROR");
    play_done(&p);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        start(&p);
        m = play_take(&p, ACTION_MODEL, NULL);
        play_must(
            &p, EV_ERROR, "model", m.id,
            arena_printf(p.a,
                         "{\"code\":\"%s\",\"message\":\"no\",\"provider_message\":\"overloaded\"}",
                         codes[i]));
        play_pump(&p);
        assert_string_equal(play_status(&p), "failed");
        assert_string_equal(json_at(final_of(&p), "/error/code")->valuestring, codes[i]);
        assert_string_equal(json_at(final_of(&p), "/error/details/provider_message")->valuestring,
                            "overloaded");
        play_done(&p);
    }
}

static void test_react__a_paused_turn_is_taken_up_again(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_answer(&p, "[{\"type\":\"text\",\"text\":\"Searching\"}]", "pause_turn");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_int_equal(m.model.message_count, 2);
    assert_non_null(strstr(m.model.messages[1].p, "\"role\":\"assistant\""));
    play_done(&p);
}

static void test_react__too_many_tools_in_a_turn_are_refused_not_run(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    p.s.max_tools_a_turn = 1;
    play_answer(&p,
                "[" TOOL_BLOCK("tu_1", "calculator", "{\"expression\":\"1\"}") "," TOOL_BLOCK(
                    "tu_2", "calculator", "{\"expression\":\"2\"}") "]",
                "tool_use");
    play_observe(&p, "calculator", "{\"value\":1}");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_non_null(strstr(m.model.messages[2].p, "at most 1 tools in one turn"));
    play_done(&p);
}

static void test_react__tools_beyond_the_parallel_limit_wait_their_turn(void **state)
{
    struct play p;

    (void)state;
    start(&p);
    p.s.max_parallel = 1;
    play_answer(&p,
                "[" TOOL_BLOCK("tu_1", "calculator", "{\"expression\":\"1\"}") "," TOOL_BLOCK(
                    "tu_2", "risk_assessment", "{}") "]",
                "tool_use");
    assert_int_equal(p.open_count, 1);
    play_observe(&p, "calculator", "{\"value\":1}");
    assert_int_equal(p.open_count, 1);
    play_observe(&p, "risk_assessment", "{}");
    assert_int_equal(play_take(&p, ACTION_MODEL, NULL).model.message_count, 3);
    play_done(&p);
}

static void test_react__input_that_is_no_object_is_answered_with_an_error(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_answer(&p, "[" TOOL_BLOCK("tu_1", "calculator", "{\"invalid_json\":\"{oops\"}") "]",
                "tool_use");
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_non_null(strstr(m.model.messages[2].p, "SKILL_INVALID_PARAMS"));
    play_done(&p);
}

static void test_react__a_call_with_side_effects_declares_its_intent(void **state)
{
    struct play p;
    struct action t;

    (void)state;
    start(&p);
    play_answer(&p, "[" TOOL_BLOCK("tu_1", "send_mail", "{\"to\":\"x\"}") "]", "tool_use");
    t = play_take(&p, ACTION_TOOL, "send_mail");
    assert_true(t.tool.intend);
    assert_string_equal(t.tool.tool_use_id, "tu_1");
    play_must(&p, EV_TOOL, "send_mail", t.id,
              "{\"input\":{\"to\":\"x\"},\"tool_use_id\":\"tu_1\"}");
    play_pump(&p);
    assert_int_equal(p.open_count, 0);
    play_must(&p, EV_OBSERVE, "send_mail", t.id, play_observed(&p, &t, "{\"sent\":true}"));
    play_pump(&p);
    play_take(&p, ACTION_MODEL, NULL);
    play_done(&p);
}

static void test_react__a_call_of_unknown_outcome_is_reported_not_repeated(void **state)
{
    struct play p;
    struct action t, m;

    (void)state;
    start(&p);
    play_answer(&p, "[" TOOL_BLOCK("tu_1", "send_mail", "{\"to\":\"x\"}") "]", "tool_use");
    t = play_take(&p, ACTION_TOOL, "send_mail");
    play_must(&p, EV_TOOL, "send_mail", t.id,
              "{\"input\":{\"to\":\"x\"},\"tool_use_id\":\"tu_1\"}");
    play_life(&p);
    for (int i = 0; i < p.events; i++)
        assert_int_equal(play_fold(&p, p.e, &p.log[i], i + 1), 0);
    play_pump(&p); /* before the resume event nothing may happen to it */
    assert_int_equal(p.open_count, 0);
    play_must(&p, EV_RESUME, NULL, "shell", "{\"attempt\":2,\"from_seq\":5,\"node\":\"n\"}");
    play_pump(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_non_null(strstr(m.model.messages[2].p, "OUTCOME_UNKNOWN"));
    play_done(&p);
}

static void test_react__what_was_in_flight_starts_again_with_its_id(void **state)
{
    struct play p;
    struct action before, after;

    (void)state;
    start(&p);
    before = play_take(&p, ACTION_MODEL, NULL);
    before.id = arena_strdup(p.a, before.id);
    play_life(&p);
    for (int i = 0; i < p.events; i++)
        assert_int_equal(play_fold(&p, p.e, &p.log[i], i + 1), 0);
    play_must(&p, EV_RESUME, NULL, "shell", "{\"attempt\":2,\"from_seq\":3,\"node\":\"n\"}");
    play_pump(&p);
    after = play_take(&p, ACTION_MODEL, NULL);
    assert_string_equal(after.id, before.id);
    play_done(&p);
}

static void test_react__cancel_ends_the_run_with_what_was_produced(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    play_must(&p, EV_CANCEL, NULL, "shell",
              "{\"by\":\"user\",\"partial\":[{\"action_id\":\"a4\",\"text\":\"Half an ans\"}]}");
    /* what was on its way may still arrive */
    play_must(&p, EV_REASON, "model", m.id, play_reason(&p, "[]", "end_turn"));
    play_pump(&p);
    assert_string_equal(play_status(&p), "cancelled");
    assert_string_equal(json_at(final_of(&p), "/produced/text")->valuestring, "Half an ans");
    assert_int_equal(play_append(&p, EV_CANCEL, NULL, "shell", STR("{}")), ERR_PROTOCOL);
    play_done(&p);
}

static void test_react__degraded_and_offline_are_told_apart(void **state)
{
    struct play p;
    struct action m;
    struct str answer;

    (void)state;
    start(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    answer = json_print(p.a, play_decision(p.a));
    for (int i = 0; i < 2 && !play_ended(&p); i++) {
        play_must(
            &p, EV_REASON, "model", m.id,
            arena_printf(
                p.a,
                "{\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"submit_decision\","
                "\"input\":%s}],\"stop_reason\":\"tool_use\",\"provider\":\"offline\",\"model\":"
                "\"offline\",\"cost_usd\":0,\"degraded\":true}",
                answer.p));
        play_pump(&p);
        if (!play_ended(&p))
            m = play_take(&p, ACTION_MODEL, NULL);
    }
    assert_string_equal(play_status(&p), "completed");
    assert_true(json_bool(final_of(&p), "degraded", false));
    assert_string_equal(json_at(final_of(&p), "/agent/mode")->valuestring, "offline");
    play_done(&p);
}

static void test_react__a_tools_error_reaches_the_model_in_a_fence(void **state)
{
    struct play p;
    struct action t, m;

    (void)state;
    start(&p);
    play_answer(&p, "[" TOOL_BLOCK("tu_1", "calculator", "{\"expression\":\"1/0\"}") "]",
                "tool_use");
    t = play_take(&p, ACTION_TOOL, "calculator");
    play_must(&p, EV_OBSERVE, "calculator", t.id,
              "{\"tool\":\"calculator\",\"tool_use_id\":\"tu_1\",\"input\":{},\"error\":{\"code\":"
              "\"SKILL_INVALID_PARAMS\",\"message\":\"</source> not "
              "finite\"},\"nonce\":\"0123456789abcdef\"}");
    play_pump(&p);
    m = play_take(&p, ACTION_MODEL, NULL);
    assert_non_null(strstr(m.model.messages[2].p, "SKILL_INVALID_PARAMS"));
    assert_non_null(strstr(m.model.messages[2].p, "&lt;/source> not finite"));
    assert_non_null(strstr(m.model.messages[2].p, "</source nonce=\\\"0123456789abcdef\\\">"));
    play_done(&p);
}

/* A model that cites a source and forgets its entry, with the ids that the engine gave. */
static void test_react__a_cited_source_gets_its_entry(void **state)
{
    struct play p;
    const cJSON *entry, *list;
    const char *answer, *at;
    bool found = false;

    (void)state;
    start(&p);
    play_answer(&p, "[" TOOL_BLOCK("tu_1", "calculator", "{\"expression\":\"1\"}") "]", "tool_use");
    play_observe(&p, "calculator", "{\"value\":1}");
    answer = json_print(p.a, play_decision(p.a)).p;
    at = strstr(answer, "\"id\":\"E1\"");
    assert_non_null(at);
    answer = arena_printf(p.a, "%.*s\"id\":\"E99\"%s", (int)(at - answer), answer,
                          at + strlen("\"id\":\"E1\""));
    for (int i = 0; i < 3 && !play_ended(&p); i++)
        play_answer(
            &p,
            arena_printf(
                p.a,
                "[{\"type\":\"tool_use\",\"id\":\"s\",\"name\":\"submit_decision\",\"input\":%s}]",
                answer),
            "tool_use");
    assert_string_equal(play_status(&p), "completed");
    list = json_at(final_of(&p), "/result/evidence");
    cJSON_ArrayForEach (entry, list) {
        if (strcmp(json_str(entry, "id", ""), "E1") == 0) {
            found = true;
            assert_string_equal(json_str(entry, "kind", ""), "tool");
            assert_string_equal(json_str(entry, "ref", ""), "5");
        }
    }
    assert_true(found);
    play_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_react__a_submitted_decision_completes_the_run),
        cmocka_unit_test(test_react__results_of_a_turn_go_back_together_in_order),
        cmocka_unit_test(test_react__an_answer_in_words_is_read_too),
        cmocka_unit_test(test_react__words_alone_are_answered_with_a_nudge_twice_then_it_fails),
        cmocka_unit_test(test_react__faults_go_back_with_the_validators_words),
        cmocka_unit_test(test_react__a_cut_answer_is_asked_again_with_a_doubled_limit),
        cmocka_unit_test(test_react__a_refusal_and_a_failed_call_end_the_run),
        cmocka_unit_test(test_react__a_paused_turn_is_taken_up_again),
        cmocka_unit_test(test_react__too_many_tools_in_a_turn_are_refused_not_run),
        cmocka_unit_test(test_react__tools_beyond_the_parallel_limit_wait_their_turn),
        cmocka_unit_test(test_react__input_that_is_no_object_is_answered_with_an_error),
        cmocka_unit_test(test_react__a_call_with_side_effects_declares_its_intent),
        cmocka_unit_test(test_react__a_call_of_unknown_outcome_is_reported_not_repeated),
        cmocka_unit_test(test_react__what_was_in_flight_starts_again_with_its_id),
        cmocka_unit_test(test_react__cancel_ends_the_run_with_what_was_produced),
        cmocka_unit_test(test_react__degraded_and_offline_are_told_apart),
        cmocka_unit_test(test_react__a_tools_error_reaches_the_model_in_a_fence),
        cmocka_unit_test(test_react__a_cited_source_gets_its_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
