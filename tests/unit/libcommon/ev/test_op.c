#include "libcommon/base/compat.h"
#include "libcommon/ev/op.h"
#include <setjmp.h>
#include <cmocka.h>

struct probe {
    struct op op;
    struct loop *loop;
    int calls, aborts;
};

static void on_done(struct op *op)
{
    struct probe *p = op->arg;

    assert_false(op_running(op));
    p->calls++;
}

static void on_abort(struct op *op)
{
    ((struct probe *)op->arg)->aborts++;
}

static void begin(struct probe *p, int64_t deadline_ms)
{
    *p = (struct probe){.loop = loop_new()};
    op_begin(&p->op, p->loop, deadline_ms, on_done, p, on_abort);
}

static void test_op__callback_runs_once_and_never_inside_finish(void **state)
{
    struct probe p;

    (void)state;
    begin(&p, 1000);
    op_finish(&p.op, 0);
    assert_int_equal(p.calls, 0);
    assert_true(op_running(&p.op));
    loop_turn(p.loop, 0);
    loop_turn(p.loop, 0);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.op.err.code, 0);
    op_cancel(&p.op);
    assert_int_equal(p.aborts, 0);
    loop_free(p.loop);
}

static void test_op__never_calls_back_after_cancel(void **state)
{
    struct probe p;

    (void)state;
    begin(&p, 1);
    op_cancel(&p.op);
    op_cancel(&p.op);
    assert_int_equal(p.aborts, 1);
    loop_turn(p.loop, 20);
    assert_int_equal(p.calls, 0);
    loop_free(p.loop);
}

static void test_op__never_calls_back_after_cancel_of_a_finished_one(void **state)
{
    struct probe p;

    (void)state;
    begin(&p, 1000);
    op_finish(&p.op, ERR_BUSY);
    op_cancel(&p.op);
    loop_turn(p.loop, 0);
    assert_int_equal(p.calls, 0);
    assert_int_equal(p.aborts, 0); /* the adapter has let go already */
    loop_free(p.loop);
}

static bool was_called(void *arg)
{
    return ((struct probe *)arg)->calls > 0;
}

static void test_op__deadline_aborts_and_reports_timeout(void **state)
{
    struct probe p;

    (void)state;
    begin(&p, 5);
    assert_true(loop_until(p.loop, was_called, &p, 5000));
    assert_int_equal(p.aborts, 1);
    assert_int_equal(p.op.err.code, ERR_TIMEOUT);
    loop_free(p.loop);
}

static void test_op__keeps_the_message_of_its_adapter(void **state)
{
    struct probe p;

    (void)state;
    begin(&p, 1000);
    op_finish(&p.op, err_set(&p.op.err, ERR_NOTFOUND, "nothing there"));
    loop_turn(p.loop, 0);
    assert_int_equal(p.op.err.code, ERR_NOTFOUND);
    assert_string_equal(p.op.err.msg, "nothing there");
    loop_free(p.loop);
}

static void on_done_again(struct op *op)
{
    struct probe *p = op->arg;

    if (++p->calls == 1)
        op_begin(op, p->loop, 1000, on_done_again, p, on_abort);
}

static void test_op__may_begin_again_in_its_callback(void **state)
{
    struct probe p = {.loop = loop_new()};

    (void)state;
    op_begin(&p.op, p.loop, 1000, on_done_again, &p, on_abort);
    op_finish(&p.op, 0);
    loop_turn(p.loop, 0);
    assert_true(op_running(&p.op));
    op_finish(&p.op, 0);
    loop_turn(p.loop, 0);
    assert_int_equal(p.calls, 2);
    loop_free(p.loop);
}

static void on_done_free(struct op *op)
{
    (*(int *)op->arg)++;
    free(op);
}

static void test_op__owner_may_free_it_in_its_callback(void **state)
{
    struct loop *l = loop_new();
    struct op *op = xcalloc(1, sizeof *op);
    int calls = 0;

    (void)state;
    op_cancel(op); /* a zeroed one */
    op_begin(op, l, 1000, on_done_free, &calls, on_abort);
    op_finish(op, 0);
    loop_turn(l, 0);
    assert_int_equal(calls, 1);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op__callback_runs_once_and_never_inside_finish),
        cmocka_unit_test(test_op__never_calls_back_after_cancel),
        cmocka_unit_test(test_op__never_calls_back_after_cancel_of_a_finished_one),
        cmocka_unit_test(test_op__deadline_aborts_and_reports_timeout),
        cmocka_unit_test(test_op__keeps_the_message_of_its_adapter),
        cmocka_unit_test(test_op__may_begin_again_in_its_callback),
        cmocka_unit_test(test_op__owner_may_free_it_in_its_callback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
