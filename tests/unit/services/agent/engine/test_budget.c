/* The budgets and the detector of circles: a clear end, and a partial answer before none. */
#include "libcommon/base/compat.h"
#include "tests/unit/services/agent/engine/play.h"

#define TOOL_TURN(n)                                                                               \
    "[{\"type\":\"tool_use\",\"id\":\"tu\",\"name\":\"calculator\",\"input\":{\"expression\":\"" n \
    "\"}}]"

static void start(struct play *p)
{
    struct arena *a = arena_new();

    play_init(p, play_file(a, "tests/data/briefs/04-kill-or-continue/request.json").p, "react");
    arena_free(a);
}

static const char *submit(struct play *p)
{
    return arena_printf(
        p->a,
        "[{\"type\":\"tool_use\",\"id\":\"tu_end\",\"name\":\"submit_decision\",\"input\":%s}]",
        json_print(p->a, play_decision(p->a)).p);
}

/* The next open model call; it stays open. */
static struct action peek(struct play *p)
{
    struct action m = play_take(p, ACTION_MODEL, NULL);

    p->open[p->open_count++] = m;
    return m;
}

static void expect_last_call(struct play *p, const char *budget)
{
    struct action m = peek(p);

    assert_string_equal(m.model.force_tool, "submit_decision");
    assert_non_null(strstr(m.model.messages[m.model.message_count - 1].p,
                           arena_printf(p->a, "The budget of %s has run out", budget)));
}

static void expect_partial(struct play *p)
{
    play_answer(p, submit(p), "tool_use");
    assert_string_equal(play_status(p), "completed");
    assert_true(json_bool(json_get(engine_final(p->e), "result"), "partial", false));
}

static int budget_events(const struct play *p)
{
    int n = 0;

    for (int i = 0; i < p->events; i++)
        n += p->log[i].type == EV_BUDGET;
    return n;
}

static void test_budget__the_last_step_is_kept_for_an_answer(void **state)
{
    struct play p;

    (void)state;
    start(&p);
    p.s.budget_steps = 2;
    play_pump(&p);
    assert_null(peek(&p).model.force_tool);
    play_answer(&p, TOOL_TURN("1"), "tool_use");
    play_observe(&p, "calculator", "{\"value\":1}");
    assert_int_equal(budget_events(&p), 1);
    expect_last_call(&p, "steps");
    expect_partial(&p);
    play_done(&p);
}

static void test_budget__when_the_last_answer_fails_the_budget_is_named(void **state)
{
    struct play p;
    const cJSON *error;

    (void)state;
    start(&p);
    p.s.budget_steps = 1;
    play_pump(&p);
    expect_last_call(&p, "steps");
    play_answer(&p, TOOL_TURN("1"), "tool_use");
    assert_string_equal(play_status(&p), "failed");
    error = json_get(engine_final(p.e), "error");
    assert_string_equal(json_str(error, "code", ""), "BUDGET_EXCEEDED");
    assert_string_equal(json_at(error, "/details/budget")->valuestring, "steps");
    assert_int_equal(json_at(error, "/details/limit")->valueint, 1);
    play_done(&p);
}

static void test_budget__tokens_leave_room_for_the_last_call(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    p.s.budget_tokens = 40000;
    play_pump(&p);
    m = peek(&p);
    assert_null(m.model.force_tool);
    assert_true(m.model.reserved_tokens > m.model.max_tokens);
    for (int i = 0; i < 20 && peek(&p).model.force_tool == NULL; i++) {
        play_answer(&p,
                    arena_printf(p.a,
                                 "[{\"type\":\"tool_use\",\"id\":\"t%d\",\"name\":\"calculator\","
                                 "\"input\":{\"expression\":\"%d\"}}]",
                                 i, i),
                    "tool_use");
        p.now_us += 1000;
        play_observe(&p, "calculator", arena_printf(p.a, "{\"value\":\"%0*d\"}", 20000, i));
    }
    expect_last_call(&p, "tokens");
    expect_partial(&p);
    play_done(&p);
}

static void test_budget__money_counts_only_with_prices(void **state)
{
    struct play p;

    (void)state;
    start(&p);
    p.s.budget_usd = 0.01;
    play_pump(&p);
    assert_null(peek(&p).model.force_tool);
    play_done(&p);
    start(&p);
    p.s.budget_usd = 0.5;
    p.s.price_in = 3e-6;
    p.s.price_out = 15e-6;
    play_life(&p);
    play_pump(&p);
    assert_null(peek(&p).model.force_tool);
    p.now_us += 1;
    {
        struct action m = play_take(&p, ACTION_MODEL, NULL);

        play_must(&p, EV_REASON, "model", m.id,
                  "{\"content\":" TOOL_TURN(
                      "1") ",\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":10,"
                           "\"output_tokens\":10},\"provider\":\"anthropic\",\"model\":"
                           "\"m\",\"cost_usd\":0.45}");
        play_pump(&p);
    }
    play_observe(&p, "calculator", "{\"value\":1}");
    expect_last_call(&p, "usd");
    play_done(&p);
}

static void test_budget__seconds_by_the_shell_allow_one_last_call_then_end(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_pump(&p);
    play_answer(&p, TOOL_TURN("1"), "tool_use");
    p.open_count = 0; /* the shell cancels the tool */
    play_must(&p, EV_BUDGET, NULL, "shell",
              "{\"budget\":\"seconds\",\"limit\":900,\"used\":766,\"last_call\":true}");
    play_pump(&p);
    expect_last_call(&p, "seconds");
    m = peek(&p);
    assert_non_null(
        strstr(m.model.messages[m.model.message_count - 1].p, "Not run: the budget ran out."));
    p.open_count = 0;
    play_must(&p, EV_BUDGET, NULL, "shell",
              "{\"budget\":\"seconds\",\"limit\":900,\"used\":900,\"last_call\":false}");
    play_pump(&p);
    assert_string_equal(play_status(&p), "failed");
    assert_string_equal(json_at(engine_final(p.e), "/error/code")->valuestring, "BUDGET_EXCEEDED");
    play_done(&p);
}

static void test_budget__seconds_count_by_the_events_times_too(void **state)
{
    struct play p;

    (void)state;
    start(&p);
    play_pump(&p);
    play_answer(&p, TOOL_TURN("1"), "tool_use");
    p.now_us += 1000000000;
    play_observe(&p, "calculator", "{\"value\":1}");
    expect_last_call(&p, "seconds");
    play_done(&p);
}

static void test_budget__time_out_while_gathering_still_asks_for_an_answer(void **state)
{
    struct play p;
    struct action a;

    (void)state;
    start(&p);
    assert_true(engine_next(p.e, &a));
    assert_int_equal(a.kind, ACTION_GATHER);
    play_must(&p, EV_BUDGET, NULL, "shell",
              "{\"budget\":\"seconds\",\"limit\":5,\"used\":5,\"last_call\":true}");
    play_pump(&p);
    expect_last_call(&p, "seconds");
    expect_partial(&p);
    play_done(&p);
}

static void test_budget__a_cancelled_calls_late_event_changes_nothing(void **state)
{
    struct play p;
    struct action old;
    uint64_t before;

    (void)state;
    start(&p);
    play_pump(&p);
    old = play_take(&p, ACTION_MODEL, NULL);
    play_must(&p, EV_BUDGET, NULL, "shell",
              "{\"budget\":\"seconds\",\"limit\":900,\"used\":766,\"last_call\":true}");
    play_pump(&p);
    before = (uint64_t)peek(&p).model.message_count;
    play_must(&p, EV_REASON, "model", old.id, play_reason(&p, TOOL_TURN("1"), "tool_use"));
    play_pump(&p);
    assert_int_equal(p.open_count, 1);
    assert_int_equal(peek(&p).model.message_count, before);
    expect_partial(&p);
    play_done(&p);
}

static void test_repeat__the_third_equal_call_is_refused_and_circles_end(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_pump(&p);
    for (int i = 0; i < 2; i++) {
        play_answer(&p, TOOL_TURN("1+1"), "tool_use");
        play_observe(&p, "calculator", "{\"value\":2}");
    }
    play_answer(&p, TOOL_TURN("1+1"), "tool_use");
    m = peek(&p);
    assert_null(m.model.force_tool);
    assert_non_null(strstr(m.model.messages[m.model.message_count - 1].p, "REPEATED_CALL"));
    play_answer(&p, TOOL_TURN("1+1"), "tool_use");
    play_answer(&p, TOOL_TURN("1+1"), "tool_use");
    expect_last_call(&p, "repeats");
    expect_partial(&p);
    play_done(&p);
}

static void test_repeat__the_order_of_keys_makes_no_new_call(void **state)
{
    static const char *const inputs[] = {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}",
                                         "{ \"a\" : 1, \"b\" : 2 }"};
    struct play p;

    (void)state;
    start(&p);
    play_pump(&p);
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        play_answer(
            &p,
            arena_printf(
                p.a, "[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"calculator\",\"input\":%s}]",
                inputs[i]),
            "tool_use");
        if (i < 2)
            play_observe(&p, "calculator", "{\"value\":1}");
    }
    assert_non_null(
        strstr(peek(&p).model.messages[peek(&p).model.message_count - 1].p, "REPEATED_CALL"));
    play_done(&p);
}

static void test_budget__a_run_has_at_most_400_events(void **state)
{
    struct play p;

    (void)state;
    start(&p);
    p.s.budget_steps = 0;
    p.s.budget_tokens = 0;
    p.s.budget_seconds = 0;
    play_pump(&p);
    for (int i = 0; i < 400 && peek(&p).model.force_tool == NULL; i++) {
        play_answer(&p,
                    arena_printf(p.a,
                                 "[{\"type\":\"tool_use\",\"id\":\"t%d\",\"name\":\"calculator\","
                                 "\"input\":{\"expression\":\"%d\"}}]",
                                 i, i),
                    "tool_use");
        play_observe(&p, "calculator", "{\"value\":1}");
    }
    expect_last_call(&p, "events");
    assert_true(p.events < 400);
    expect_partial(&p);
    play_done(&p);
}

static void test_budget__a_log_that_grows_without_end_is_ended(void **state)
{
    struct play p;
    struct action m;

    (void)state;
    start(&p);
    play_pump(&p);
    m = peek(&p);
    while (p.events < 400)
        play_must(&p, EV_REASON, "frame", m.id, "{\"stage\":\"frame\",\"output\":{}}");
    play_pump(&p);
    assert_string_equal(play_status(&p), "failed");
    assert_string_equal(json_at(engine_final(p.e), "/error/code")->valuestring, "BUDGET_EXCEEDED");
    play_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget__the_last_step_is_kept_for_an_answer),
        cmocka_unit_test(test_budget__when_the_last_answer_fails_the_budget_is_named),
        cmocka_unit_test(test_budget__tokens_leave_room_for_the_last_call),
        cmocka_unit_test(test_budget__money_counts_only_with_prices),
        cmocka_unit_test(test_budget__seconds_by_the_shell_allow_one_last_call_then_end),
        cmocka_unit_test(test_budget__seconds_count_by_the_events_times_too),
        cmocka_unit_test(test_budget__time_out_while_gathering_still_asks_for_an_answer),
        cmocka_unit_test(test_budget__a_cancelled_calls_late_event_changes_nothing),
        cmocka_unit_test(test_repeat__the_third_equal_call_is_refused_and_circles_end),
        cmocka_unit_test(test_repeat__the_order_of_keys_makes_no_new_call),
        cmocka_unit_test(test_budget__a_run_has_at_most_400_events),
        cmocka_unit_test(test_budget__a_log_that_grows_without_end_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
