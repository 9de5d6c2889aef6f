/* Logs that were once written are read for ever: each file of tests/data/logs/ folds to the end
 * that it had, in this release too, and can be taken up at every event. (PLAY_RECORD=dir makes
 * test_run, test_engine and test_council write such files.) */
#include "libcommon/base/compat.h"
#include "tests/unit/services/agent/engine/play.h"
#include <dirent.h>

#define LOGS "tests/data/logs/"

static void load(struct play *p, cJSON *log)
{
    const cJSON *ev;

    play_init(p, json_print(p->a, json_get(log, "request")).p, "auto");
    p->s.mode = json_str(log, "mode", "auto");
    p->s.offline_only = json_bool(log, "offline_only", false);
    cJSON_ArrayForEach (ev, json_get(log, "events")) {
        struct play_event *e = &p->log[p->events++];

        assert_int_equal(event_type_parse(json_str(ev, "type", ""), &e->type), 0);
        e->name = json_str(ev, "name", NULL);
        e->action_id = json_str(ev, "action_id", NULL);
        e->at_us = json_i64(ev, "at_us", 0);
        e->payload = str_of(json_str(ev, "payload", ""));
    }
}

static void fold_to(struct play *p, int n)
{
    play_life(p);
    for (int i = 0; i < n; i++)
        if (play_fold(p, p->e, &p->log[i], i + 1) != 0)
            fail_msg("event %d: %s", i + 1, p->err.msg);
}

/* Whatever can start at a place of the log has an id that the log gives it later, or gave before.
 */
static void check_prefix(struct play *p, int n)
{
    struct action a;

    fold_to(p, n);
    while (engine_next(p->e, &a)) {
        bool known = n == p->events;

        for (int i = n; i < p->events && !known; i++)
            known = p->log[i].action_id != NULL && strcmp(p->log[i].action_id, a.id) == 0;
        if (!known)
            fail_msg("after %d events action %s starts, which the log does not know", n, a.id);
    }
}

static void check_log(const char *name)
{
    struct arena *a = arena_new();
    struct play p;
    cJSON *log;
    uint64_t first;
    const char *option;

    memset(&p, 0, sizeof(p));
    assert_int_equal(
        json_parse(a, play_file(a, arena_printf(a, LOGS "%s", name)), JSON_DEPTH_MAX, &log, &p.err),
        0);
    p.a = a;
    load(&p, log);
    fold_to(&p, p.events);
    first = play_hash(p.e);
    assert_string_equal(play_status(&p), json_str(log, "status", ""));
    option = json_str(json_get(engine_final(p.e), "recommendation"), "option", NULL);
    if (json_str(log, "option", NULL) != NULL)
        assert_string_equal(option, json_str(log, "option", NULL));
    fold_to(&p, p.events);
    assert_true(play_hash(p.e) == first);
    for (int n = 0; n < p.events; n++)
        check_prefix(&p, n);
    play_done(&p);
    arena_free(a);
}

static void test_logs__old_logs_fold_to_their_ends(void **state)
{
    DIR *d = opendir(LOGS);
    struct dirent *entry;
    int n = 0;

    (void)state;
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL)
        if (entry->d_name[0] != '.') {
            check_log(entry->d_name);
            n++;
        }
    closedir(d);
    assert_true(n > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs__old_logs_fold_to_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
