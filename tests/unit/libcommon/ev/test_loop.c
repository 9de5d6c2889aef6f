#include "libcommon/base/compat.h"
#include "libcommon/ev/loop.h"
#include "libcommon/ev/timer.h"
#include <signal.h>
#include <setjmp.h>
#include <unistd.h>
#include <cmocka.h>

struct job {
    struct deferred d;
    struct loop *loop;
    struct job *other;
    int runs;
};

static void on_job(struct deferred *d)
{
    struct job *j = CONTAINER_OF(d, struct job, d);

    j->runs++;
    if (j->other != NULL)
        deferred_cancel(&j->other->d);
}

static void test_loop__deferred_runs_once_and_later(void **state)
{
    struct loop *l = loop_new();
    struct job j = {0};

    (void)state;
    deferred_cancel(&j.d);
    deferred_init(&j.d, on_job);
    loop_defer(l, &j.d);
    loop_defer(l, &j.d);
    assert_int_equal(j.runs, 0);
    loop_turn(l, 0);
    loop_turn(l, 0);
    assert_int_equal(j.runs, 1);
    loop_free(l);
}

static void test_loop__deferred_may_be_cancelled_by_one_before_it(void **state)
{
    struct loop *l = loop_new();
    struct job a = {0}, b = {0};

    (void)state;
    deferred_init(&a.d, on_job);
    deferred_init(&b.d, on_job);
    a.other = &b;
    loop_defer(l, &a.d);
    loop_defer(l, &b.d);
    loop_turn(l, 0);
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 0);
    loop_free(l);
}

static void on_forever(struct deferred *d)
{
    struct job *j = CONTAINER_OF(d, struct job, d);

    j->runs++;
    loop_defer(j->loop, d);
}

static void test_loop__endless_deferrals_do_not_starve_the_loop(void **state)
{
    struct job j = {.loop = loop_new()};

    (void)state;
    deferred_init(&j.d, on_forever);
    loop_defer(j.loop, &j.d);
    loop_turn(j.loop, 1000); /* returns */
    assert_true(j.runs > 0 && j.runs < 100);
    deferred_cancel(&j.d);
    loop_free(j.loop);
}

static struct loop *free_loop;
static int frees;

static void on_free(void *p)
{
    frees++;
    if (p != NULL)
        loop_free_later(free_loop, on_free, NULL);
}

static void test_loop__frees_after_the_turn(void **state)
{
    struct loop *l = loop_new();

    (void)state;
    free_loop = l;
    frees = 0;
    loop_free_later(l, on_free, l);
    assert_int_equal(frees, 0);
    loop_turn(l, 1000);
    assert_int_equal(frees, 2);
    loop_free_later(l, on_free, NULL);
    loop_free(l);
    assert_int_equal(frees, 3);
}

static int reads, writes;

static void on_ready(struct watch *w, bool readable, bool writable)
{
    char c;

    reads += readable;
    writes += writable;
    if (readable)
        assert_int_equal(read(w->fd, &c, 1), 1);
    if (reads == 2)
        watch_done(w); /* inside its own callback */
}

static void test_loop__watch_reports_what_was_asked_for(void **state)
{
    struct loop *l = loop_new();
    struct watch w;
    int fds[2];

    (void)state;
    reads = writes = 0;
    assert_int_equal(pipe(fds), 0);
    watch_init(&w, l, fds[0], on_ready);
    assert_int_equal(write(fds[1], "ab", 2), 2);
    loop_turn(l, 0);
    assert_int_equal(reads, 0);
    watch_set(&w, true, false);
    loop_turn(l, 100);
    assert_int_equal(reads, 1);
    watch_set(&w, false, false);
    loop_turn(l, 0);
    assert_int_equal(reads, 1);
    watch_set(&w, true, false);
    loop_turn(l, 100);
    assert_int_equal(reads, 2);
    watch_done(&w);
    watch_init(&w, l, fds[1], on_ready);
    watch_set(&w, true, true);
    loop_turn(l, 100);
    assert_int_equal(writes, 1);
    watch_done(&w);
    close(fds[0]);
    close(fds[1]);
    loop_free(l);
}

static int signals;

static void on_usr1(int signo, void *arg)
{
    assert_int_equal(signo, SIGUSR1);
    signals++;
    loop_stop(arg);
}

static void test_loop__signals_come_through_the_loop(void **state)
{
    struct loop *l = loop_new();

    (void)state;
    signals = 0;
    loop_on_signal(l, SIGUSR1, on_usr1, NULL);
    loop_on_signal(l, SIGUSR1, on_usr1, l);
    raise(SIGUSR1);
    assert_int_equal(signals, 0);
    loop_run(l);
    assert_int_equal(signals, 1);
    loop_free(l);
}

struct alarm_timer {
    struct timer t;
    int *fired;
};

static void on_alarm(struct timer *t)
{
    struct alarm_timer *a = CONTAINER_OF(t, struct alarm_timer, t);

    (*a->fired)++;
    timer_done(t);
}

static bool all_fired(void *arg)
{
    return *(int *)arg == 1000;
}

/* More than enough for the shared queue of one duration. */
static void test_loop__many_timers_of_one_duration_fire(void **state)
{
    struct loop *l = loop_new();
    struct alarm_timer *a = xcalloc(1000, sizeof *a);
    int fired = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        a[i].fired = &fired;
        timer_init(&a[i].t, l, on_alarm);
        timer_start(&a[i].t, i % 2 == 0 ? 5 : 7);
    }
    assert_int_equal(fired, 0);
    assert_true(loop_until(l, all_fired, &fired, 5000));
    free(a);
    loop_free(l);
}

static void on_stop(struct timer *t)
{
    loop_stop(t->loop);
}

static void test_loop__timers_stop_and_start_again(void **state)
{
    struct loop *l = loop_new();
    struct timer t = {0}, zero = {0};

    (void)state;
    timer_done(&zero);
    timer_stop(&zero);
    timer_init(&t, l, on_stop);
    timer_start(&t, 100000);
    assert_true(t.armed);
    timer_stop(&t);
    timer_stop(&t);
    timer_start(&t, 0);
    loop_run(l);
    assert_false(t.armed);
    timer_done(&t);
    timer_done(&t);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop__deferred_runs_once_and_later),
        cmocka_unit_test(test_loop__deferred_may_be_cancelled_by_one_before_it),
        cmocka_unit_test(test_loop__endless_deferrals_do_not_starve_the_loop),
        cmocka_unit_test(test_loop__frees_after_the_turn),
        cmocka_unit_test(test_loop__watch_reports_what_was_asked_for),
        cmocka_unit_test(test_loop__signals_come_through_the_loop),
        cmocka_unit_test(test_loop__many_timers_of_one_duration_fire),
        cmocka_unit_test(test_loop__timers_stop_and_start_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
