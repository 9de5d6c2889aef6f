#include "libcommon/base/compat.h"
#include "libcommon/ev/flow.h"
#include <setjmp.h>
#include <cmocka.h>

struct probe {
    struct flow flow;
    struct loop *loop;
    char trace[128];
    int ends, abandons;
    enum verdict verdict;
    struct err err;
};

static void note(struct probe *p, const char *word)
{
    size_t n = strlen(p->trace);

    snprintf(p->trace + n, sizeof p->trace - n, "%s ", word);
}

static struct probe *probe_of(struct flow *f)
{
    return f->owner;
}

static void on_end(struct flow *f, enum verdict v)
{
    struct probe *p = probe_of(f);

    p->ends++;
    p->verdict = v;
    p->err = f->err;
}

static void on_abandon(struct flow *f)
{
    probe_of(f)->abandons++;
}

static enum verdict first(struct flow *f, unsigned wake)
{
    assert_int_equal(wake & ~(unsigned)(WAKE_ENTER | WAKE_REPLY), 0);
    note(probe_of(f), wake & WAKE_REPLY ? "first:reply" : "first:enter");
    return wake & WAKE_REPLY ? STEP_NEXT : STEP_WAIT;
}

static enum verdict write_it(struct flow *f, unsigned wake)
{
    note(probe_of(f), wake & WAKE_REPLY ? "write:reply" : "write:enter");
    return wake & WAKE_REPLY ? STEP_NEXT : STEP_WAIT;
}

static enum verdict last(struct flow *f, unsigned wake)
{
    (void)wake;
    note(probe_of(f), "last");
    return STEP_DONE;
}

static const struct step steps[] = {
    {"first", first, 0, false}, {"write", write_it, 10, true}, {"last", last, 0, false}};

static const struct step slow_steps[] = {{"first", first, 10, false}};

static void start(struct probe *p, const struct step *table)
{
    *p = (struct probe){.loop = loop_new()};
    flow_init(&p->flow, p->loop, table, on_end, on_abandon, p);
    flow_start(&p->flow);
}

static void turn(struct probe *p)
{
    loop_turn(p->loop, 0);
}

static void stop(struct probe *p)
{
    flow_done(&p->flow);
    flow_done(&p->flow);
    loop_free(p->loop);
}

static void test_flow__walks_its_steps(void **state)
{
    struct probe p;

    (void)state;
    start(&p, steps);
    assert_string_equal(p.trace, ""); /* nothing runs inside flow_start */
    turn(&p);
    flow_wake(&p.flow, WAKE_REPLY);
    flow_wake(&p.flow, WAKE_REPLY);
    turn(&p);
    flow_wake(&p.flow, WAKE_REPLY);
    assert_int_equal(p.ends, 0);
    turn(&p);
    assert_string_equal(p.trace, "first:enter first:reply write:enter write:reply last ");
    assert_int_equal(p.ends, 1);
    assert_int_equal(p.verdict, STEP_DONE);
    flow_wake(&p.flow, WAKE_REPLY); /* late ones change nothing */
    flow_cancel(&p.flow);
    turn(&p);
    assert_int_equal(p.ends, 1);
    stop(&p);
}

static void test_flow__cancel_abandons_the_step_that_waits(void **state)
{
    struct probe p;

    (void)state;
    start(&p, steps);
    turn(&p);
    flow_cancel(&p.flow);
    assert_int_equal(p.ends, 0);
    turn(&p);
    assert_int_equal(p.ends, 1);
    assert_int_equal(p.abandons, 1);
    assert_int_equal(p.verdict, STEP_FAIL);
    assert_int_equal(p.err.code, ERR_CANCELLED);
    stop(&p);
}

static void test_flow__cancel_before_the_start_runs_no_step(void **state)
{
    struct probe p;

    (void)state;
    start(&p, steps);
    flow_cancel(&p.flow);
    turn(&p);
    assert_string_equal(p.trace, "");
    assert_int_equal(p.err.code, ERR_CANCELLED);
    stop(&p);
}

static void test_flow__cancel_waits_for_a_write_and_is_not_lost(void **state)
{
    struct probe p;

    (void)state;
    start(&p, steps);
    turn(&p);
    flow_wake(&p.flow, WAKE_REPLY);
    turn(&p);
    flow_cancel(&p.flow);
    turn(&p);
    turn(&p);
    assert_int_equal(p.ends, 0);
    flow_wake(&p.flow, WAKE_REPLY); /* the write is through */
    turn(&p);
    assert_string_equal(p.trace, "first:enter first:reply write:enter write:reply ");
    assert_int_equal(p.ends, 1);
    assert_int_equal(p.err.code, ERR_CANCELLED); /* "last" did not run */
    stop(&p);
}

static bool has_ended(void *arg)
{
    return ((struct probe *)arg)->ends > 0;
}

static void test_flow__timeout_fails_a_step(void **state)
{
    struct probe p;

    (void)state;
    start(&p, slow_steps);
    assert_true(loop_until(p.loop, has_ended, &p, 5000));
    assert_int_equal(p.abandons, 1);
    assert_int_equal(p.err.code, ERR_TIMEOUT);
    assert_string_equal(p.err.msg, "step first took longer than 10 ms");
    stop(&p);
}

static void test_flow__timeout_never_decides_about_a_write(void **state)
{
    struct probe p;

    (void)state;
    start(&p, steps);
    turn(&p);
    flow_wake(&p.flow, WAKE_REPLY);
    turn(&p);
    assert_false(loop_until(p.loop, has_ended, &p, 50));
    assert_int_equal(p.abandons, 0);
    flow_wake(&p.flow, WAKE_REPLY);
    turn(&p);
    assert_int_equal(p.verdict, STEP_DONE);
    stop(&p);
}

static void test_flow__reply_wins_over_timeout_in_one_turn(void **state)
{
    struct probe p;

    (void)state;
    start(&p, steps);
    turn(&p);
    flow_wake(&p.flow, WAKE_TIMER);
    flow_wake(&p.flow, WAKE_REPLY);
    turn(&p);
    assert_string_equal(p.trace, "first:enter first:reply write:enter ");
    stop(&p);
}

static enum verdict jump(struct flow *f, unsigned wake)
{
    (void)wake;
    note(probe_of(f), "jump");
    return flow_goto(f, 2);
}

static enum verdict again(struct flow *f, unsigned wake)
{
    (void)wake;
    if (strstr(probe_of(f)->trace, "again") != NULL)
        return flow_failf(f, ERR_BUSY, "no %s", "more");
    note(probe_of(f), "again");
    return flow_goto(f, 2);
}

static void test_flow__goto_names_the_next_step(void **state)
{
    static const struct step table[] = {
        {"jump", jump, 0, false}, {"last", last, 0, false}, {"again", again, 0, false}};
    struct probe p;

    (void)state;
    start(&p, table);
    turn(&p);
    assert_string_equal(p.trace, "jump again ");
    assert_int_equal(p.err.code, ERR_BUSY);
    assert_string_equal(p.err.msg, "no more");
    stop(&p);
}

static enum verdict just_fail(struct flow *f, unsigned wake)
{
    (void)f;
    (void)wake;
    return STEP_FAIL;
}

static void test_flow__a_failure_always_has_a_code(void **state)
{
    static const struct step table[] = {{"bad", just_fail, 0, false}};
    struct probe p;

    (void)state;
    start(&p, table);
    turn(&p);
    assert_int_equal(p.err.code, ERR_INTERNAL);
    stop(&p);
}

static void on_end_restart(struct flow *f, enum verdict v)
{
    struct probe *p = probe_of(f);

    on_end(f, v);
    if (p->ends == 1) {
        flow_init(f, p->loop, slow_steps, on_end_restart, on_abandon, p);
        flow_start(f);
    }
}

static void test_flow__its_end_may_start_it_again(void **state)
{
    static const struct step table[] = {{"last", last, 0, false}};
    struct probe p;

    (void)state;
    start(&p, table);
    p.flow.end = on_end_restart;
    turn(&p);
    turn(&p);
    assert_string_equal(p.trace, "last first:enter ");
    stop(&p);
}

static void on_end_free(struct flow *f, enum verdict v)
{
    (void)v;
    probe_of(f)->ends++;
    free(f); /* ASan sees a later touch */
}

static void test_flow__its_end_may_free_it(void **state)
{
    static const struct step table[] = {{"last", last, 50, false}};
    struct probe p = {.loop = loop_new()};
    struct flow *f = xcalloc(1, sizeof *f);

    (void)state;
    flow_init(f, p.loop, table, on_end_free, NULL, &p);
    flow_start(f);
    turn(&p);
    turn(&p);
    assert_int_equal(p.ends, 1);
    loop_free(p.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flow__walks_its_steps),
        cmocka_unit_test(test_flow__cancel_abandons_the_step_that_waits),
        cmocka_unit_test(test_flow__cancel_before_the_start_runs_no_step),
        cmocka_unit_test(test_flow__cancel_waits_for_a_write_and_is_not_lost),
        cmocka_unit_test(test_flow__timeout_fails_a_step),
        cmocka_unit_test(test_flow__timeout_never_decides_about_a_write),
        cmocka_unit_test(test_flow__reply_wins_over_timeout_in_one_turn),
        cmocka_unit_test(test_flow__goto_names_the_next_step),
        cmocka_unit_test(test_flow__a_failure_always_has_a_code),
        cmocka_unit_test(test_flow__its_end_may_start_it_again),
        cmocka_unit_test(test_flow__its_end_may_free_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
