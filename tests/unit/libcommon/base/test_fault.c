#include "libcommon/base/compat.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/metrics.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#ifdef CEO_FAULTS

static void test_fault__fails_each_time_or_at_one_passage(void **state)
{
    (void)state;
    setenv("CEO_FAULTS", "queue.ack=fail, pg.submit=fail@2", 1);
    assert_true(FAULT("queue.ack"));
    assert_true(FAULT("queue.ack"));
    assert_false(FAULT("queue"));
    assert_false(FAULT("pg.submit"));
    assert_true(FAULT("pg.submit"));
    assert_false(FAULT("pg.submit"));
    assert_true(metric_value(M_FAULTS, "queue.ack", NULL, NULL) == 2);
    metrics_reset();
}

static void test_fault__a_new_text_counts_anew(void **state)
{
    (void)state;
    setenv("CEO_FAULTS", "a=fail@1", 1);
    assert_true(FAULT("a"));
    assert_false(FAULT("a"));
    setenv("CEO_FAULTS", "a=fail@1,b=fail", 1);
    assert_true(FAULT("a"));
    unsetenv("CEO_FAULTS");
    assert_false(FAULT("a"));
    assert_false(FAULT("b"));
    metrics_reset();
}

static void test_fault__kills_at_the_nth_passage(void **state)
{
    int status;
    pid_t child;

    (void)state;
    setenv("CEO_FAULTS", "shell.record=kill@2", 1);
    child = fork();
    if (child == 0) {
        (void)FAULT("shell.record");
        (void)FAULT("shell.record");
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    unsetenv("CEO_FAULTS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault__fails_each_time_or_at_one_passage),
        cmocka_unit_test(test_fault__a_new_text_counts_anew),
        cmocka_unit_test(test_fault__kills_at_the_nth_passage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_fault__costs_nothing_in_other_builds(void **state)
{
    (void)state;
    setenv("CEO_FAULTS", "a=kill", 1);
    assert_false(FAULT("a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault__costs_nothing_in_other_builds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
