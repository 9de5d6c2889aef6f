/* The worker as a process: jobs with and without rows, what is killed under it, and its duties. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "libcommon/base/log.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/jobs.h"
#include "libcommon/model/live.h"
#include "services/worker/app.h"
#include "services/worker/task_outbox.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/script_server.h"
#include "tests/harness/servers.h"

#define WORKERS_MAX 3
#define WAIT_MS 20000

struct world {
    struct db *db;
    struct loop *loop;
    const char *url;
    struct redis *redis;
    struct broker *broker;
    struct results *results;
    struct arena *arena;
    pid_t worker[WORKERS_MAX];
    struct redis_op op;
    const char *id; /* looked for */
    cJSON *doc;
    int64_t want;
    int heard;
    struct str hook_head, hook_body;
    int hooks;
};

static bool is_ready(void *arg)
{
    return redis_ready(arg);
}

static bool is_away(void *arg)
{
    return !redis_ready(arg);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err err;

    if (db_setup(state) != 0)
        return -1;
    w->db = *state;
    w->loop = w->db->loop;
    w->arena = arena_new();
    w->url = server_redis_url();
    assert_int_equal(redis_new(w->loop, w->url, "test", &w->redis, &err), 0);
    assert_true(loop_until(w->loop, is_ready, w->redis, 5000));
    w->broker = broker_new(w->redis, "");
    w->results = results_new(w->redis, "", 1000);
    *state = w;
    return 0;
}

static int kill_worker(struct world *w, int i, int signo)
{
    int status = 0;

    if (w->worker[i] <= 0)
        return 0;
    kill(w->worker[i], signo);
    waitpid(w->worker[i], &status, 0);
    w->worker[i] = 0;
    return status;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < WORKERS_MAX; i++)
        kill_worker(w, i, SIGKILL);
    op_cancel(&w->op.op);
    broker_free(w->broker);
    results_free(w->results);
    redis_free(w->redis);
    arena_free(w->arena);
    *state = w->db;
    free(w);
    return db_teardown(state);
}

/* --- a worker in a process of its own --------------------------------------------------------- */

static struct worker worker;

static void on_term(int signo, void *arg)
{
    (void)signo;
    (void)arg;
    worker_drain(&worker);
}

static int serve(void)
{
    static struct zygote zygote;
    struct err err = {0};

    signal(SIGPIPE, SIG_IGN);
    if (zygote_start(&zygote, &err) != 0 ||
        settings_load(&worker.settings, CFG_WORKER, &err) != 0) {
        fprintf(stderr, "worker: %s\n", err.msg);
        return 2;
    }
    log_init("worker", LOG_WARNING);
    worker.zygote = &zygote;
    if (worker_new(&worker, &err) != 0) {
        fprintf(stderr, "worker: %s\n", err.msg);
        return 1;
    }
    loop_on_signal(worker.loop, SIGTERM, on_term, NULL);
    loop_run(worker.loop);
    worker_free(&worker);
    return 0;
}

/* settings: "NAME=VALUE" pairs, NULL at the end. */
static void start_worker(struct world *w, int i, const char *const *settings)
{
    w->worker[i] = fork();
    if (w->worker[i] != 0)
        return;
    setenv("DATABASE_URL", w->db->url, 1);
    setenv("REDIS_URL", w->url, 1);
    setenv("ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1);
    setenv("HEALTH_PORT", "0", 1);
    setenv("ENVIRONMENT", "test", 1);
    setenv("MAX_WORKERS", "4", 1);
    setenv("VISIBILITY_TIMEOUT", "2", 1);
    setenv("LEASE_SECONDS", "3", 1);
    setenv("SWEEP_INTERVAL_MS", "200", 1);
    for (; settings != NULL && *settings != NULL; settings++)
        putenv(xstrdup(*settings));
    _exit(serve());
}

/* --- looking at it ---------------------------------------------------------------------------- */

static void on_done(struct op *op)
{
    (void)op;
}

static bool op_idle(void *arg)
{
    return !op_running(&((struct world *)arg)->op.op);
}

static void finish(struct world *w)
{
    assert_true(loop_until(w->loop, op_idle, w, 10000));
    assert_int_equal(w->op.op.err.code, 0);
}

static void publish(struct world *w, const struct publish *p)
{
    broker_publish(w->broker, w->arena, p, 5000, &w->op, on_done, w);
    finish(w);
}

static bool has_result(void *arg)
{
    struct world *w = arg;

    result_load(w->results, w->arena, w->id, 5000, &w->op, on_done, w);
    finish(w);
    return w->op.reply->type == REDIS_STRING &&
           json_parse(w->arena, w->op.reply->s, 64, &w->doc, NULL) == 0 &&
           strcmp(json_str(w->doc, "status", ""), "RETRY") != 0;
}

static const char *result_of(struct world *w, const char *id)
{
    w->id = id;
    assert_true(loop_until(w->loop, has_result, w, WAIT_MS));
    return json_str(w->doc, "status", "");
}

static int64_t redis_int(struct world *w, const char *verb, const char *key)
{
    redis_command(w->redis, w->arena, 1, 2, (struct str[]){str_of(verb), str_of(key)}, 5000, &w->op,
                  on_done, w);
    finish(w);
    return w->op.reply->i;
}

static bool nothing_unacked(void *arg)
{
    return redis_int(arg, "HLEN", "unacked") == 0;
}

static int64_t count(struct world *w, const char *sql)
{
    return db_count(w->db, sql);
}

static bool jobs_done(void *arg)
{
    struct world *w = arg;

    return count(w, "SELECT count(*) FROM jobs WHERE status = 'success'") == w->want;
}

static void expect_jobs(struct world *w, int64_t n)
{
    w->want = n;
    assert_true(loop_until(w->loop, jobs_done, w, WAIT_MS));
}

static struct uuid insert_job(struct world *w, const char *task, const char *args)
{
    struct pg_batch *b = db_all(w->db);
    struct job_row j = {.id = uuid_v7(),
                        .tenant = db_tenant(),
                        .task = task,
                        .queue = QUEUE_WORKER,
                        .args = str_of(args)};

    jobs_add_insert(b, w->db->a, w->db->ring, &j);
    db_run(w->db, b);
    return j.id;
}

static struct job_row read_job(struct world *w, struct uuid id)
{
    struct pg_batch *b = db_all(w->db);
    struct job_row j;

    jobs_add_get(b, w->db->a, &id, 1);
    db_run(w->db, b);
    assert_int_equal(jobs_read(w->db->op.result, 0, 0, w->db->a, w->db->ring, &j, NULL), 0);
    return j;
}

static void publish_job(struct world *w, const char *task, struct uuid id)
{
    char text[UUID_LEN + 1];

    uuid_text(id, text);
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = task,
                                 .id = text,
                                 .kwargs_json =
                                     str_of(arena_printf(w->arena, "{\"job_id\":\"%s\"}", text))});
}

#define SKILL "{\"name\":\"calculator\",\"params\":{\"expression\":\"6*7\"}}"

/* --- plain Celery jobs ------------------------------------------------------------------------ */

static void test_worker__echo_returns_its_arguments_byte_for_byte(void **state)
{
    struct world *w = *state;

    start_worker(w, 0, NULL);
    publish(w, &(struct publish){.queue = "celery",
                                 .task = "ceoagent.echo",
                                 .id = "e1",
                                 .args_json = STR("[12345678901234567890, [], \"\\u4e2d\"]")});
    assert_string_equal(result_of(w, "e1"), "SUCCESS");
    assert_non_null(
        strstr(w->op.reply->s.p, "\"result\": [12345678901234567890, [], \"\\u4e2d\"]"));
    assert_true(loop_until(w->loop, nothing_unacked, w, 3000));
}

static void test_worker__unknown_and_expired_jobs_end_at_the_door(void **state)
{
    struct world *w = *state;

    start_worker(w, 0, NULL);
    publish(w, &(struct publish){.queue = "celery", .task = "no.such", .id = "u1"});
    assert_string_equal(result_of(w, "u1"), "FAILURE");
    assert_string_equal(json_str(json_get(w->doc, "result"), "exc_type", ""), "NotRegistered");
    publish(w, &(struct publish){.queue = "celery",
                                 .task = "ceoagent.echo",
                                 .id = "x1",
                                 .expires_us = clock_wall_us() - 1000000});
    assert_string_equal(result_of(w, "x1"), "REVOKED");
    assert_true(loop_until(w->loop, nothing_unacked, w, 3000));
}

static void test_worker__an_eta_is_kept(void **state)
{
    struct world *w = *state;
    int64_t due = clock_wall_us() + 1500000;

    start_worker(w, 0, NULL);
    publish(w, &(struct publish){
                   .queue = "celery", .task = "ceoagent.echo", .id = "t1", .eta_us = due});
    assert_string_equal(result_of(w, "t1"), "SUCCESS");
    assert_true(clock_wall_us() >= due);
}

static void test_worker__skills_run_in_children_and_faults_are_told(void **state)
{
    struct world *w = *state;

    start_worker(w, 0, NULL);
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = "ceoagent.skill",
                                 .id = "s1",
                                 .kwargs_json = STR(SKILL)});
    assert_string_equal(result_of(w, "s1"), "SUCCESS");
    assert_int_equal((int)json_num(json_get(w->doc, "result"), "value", 0), 42);
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = "ceoagent.skill",
                                 .id = "s2",
                                 .kwargs_json = STR("{\"name\":\"calculator\",\"params\":{}}")});
    assert_string_equal(result_of(w, "s2"), "FAILURE");
    assert_string_equal(json_str(json_get(w->doc, "result"), "exc_type", ""), "ValueError");
}

static void test_worker__a_hanging_job_meets_its_limit(void **state)
{
    struct world *w = *state;

    start_worker(w, 0, (const char *const[]){"CEO_FAULTS=child.run=hang", NULL});
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = "ceoagent.skill",
                                 .id = "h1",
                                 .kwargs_json = STR(SKILL),
                                 .soft_limit_s = 0.5});
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = "ceoagent.skill",
                                 .id = "h2",
                                 .kwargs_json = STR(SKILL),
                                 .hard_limit_s = 0.5});
    assert_string_equal(result_of(w, "h1"), "FAILURE");
    assert_string_equal(json_str(json_get(w->doc, "result"), "exc_type", ""),
                        "SoftTimeLimitExceeded");
    assert_string_equal(result_of(w, "h2"), "FAILURE");
    assert_string_equal(json_str(json_get(w->doc, "result"), "exc_type", ""), "TimeLimitExceeded");
    assert_true(loop_until(w->loop, nothing_unacked, w, 3000));
}

static void test_worker__a_job_that_kills_its_child_is_given_up_in_the_end(void **state)
{
    struct world *w = *state;

    start_worker(w, 0,
                 (const char *const[]){"CEO_FAULTS=child.run=kill", "MAX_REDELIVERIES=2", NULL});
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = "ceoagent.skill",
                                 .id = "k1",
                                 .kwargs_json = STR(SKILL)});
    assert_string_equal(result_of(w, "k1"), "FAILURE");
    assert_string_equal(json_str(json_get(w->doc, "result"), "exc_type", ""), "WorkerLostError");
    assert_true(loop_until(w->loop, nothing_unacked, w, 3000));
    assert_int_equal(redis_int(w, "LLEN", QUEUE_WORKER ".dead"), 1);
}

/* --- jobs with a row ---------------------------------------------------------------------------
 */

static void on_heard(void *arg, struct str channel, struct str message)
{
    (void)channel;
    assert_true(str_eqz(message, "{\"k\":\"end\",\"status\":\"success\"}"));
    ((struct world *)arg)->heard++;
}

static bool was_heard(void *arg)
{
    return ((struct world *)arg)->heard > 0;
}

static void test_worker__a_row_gets_its_result_and_who_waits_is_told(void **state)
{
    struct world *w = *state;
    struct uuid id = insert_job(w, "ceoagent.skill", SKILL);
    struct redis_sub *sub =
        redis_subscribe(w->redis, job_channel(w->arena, db_tenant(), id), false, on_heard, NULL, w);
    struct job_row j;

    publish_job(w, "ceoagent.skill", id);
    start_worker(w, 0, NULL);
    expect_jobs(w, 1);
    j = read_job(w, id);
    assert_non_null(strstr(arena_strndup(w->arena, j.result.p, j.result.n), "42"));
    assert_int_equal(j.attempts, 1);
    assert_true(loop_until(w->loop, was_heard, w, 3000));
    redis_unsubscribe(sub);
    /* The same message once more changes nothing. */
    publish_job(w, "ceoagent.skill", id);
    assert_true(loop_until(w->loop, nothing_unacked, w, 3000));
    assert_int_equal(read_job(w, id).attempts, 1);
}

static void test_worker__rows_survive_the_loss_of_everything_in_redis(void **state)
{
    struct world *w = *state;
    struct uuid id[5];

    for (int i = 0; i < 5; i++) {
        id[i] = insert_job(w, "ceoagent.skill", SKILL);
        publish_job(w, "ceoagent.skill", id[i]);
    }
    redis_send(w->redis, 0, 1, &STR("FLUSHALL"));
    start_worker(w, 0, NULL);
    expect_jobs(w, 5);
    assert_int_equal(count(w, "SELECT count(*) FROM jobs WHERE attempts = 1"), 5);
}

static bool one_running(void *arg)
{
    return count(arg, "SELECT count(*) FROM jobs WHERE status = 'running'") == 1;
}

static void test_worker__a_killed_workers_job_is_done_by_another(void **state)
{
    struct world *w = *state;
    struct uuid id = insert_job(w, "ceoagent.skill", SKILL);

    publish_job(w, "ceoagent.skill", id);
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = "ceoagent.skill",
                                 .id = "plain",
                                 .kwargs_json = STR(SKILL)});
    start_worker(w, 0, (const char *const[]){"CEO_FAULTS=child.run=hang", NULL});
    assert_true(loop_until(w->loop, one_running, w, WAIT_MS));
    start_worker(w, 1, NULL);
    kill_worker(w, 0, SIGKILL);
    expect_jobs(w, 1);
    assert_string_equal(result_of(w, "plain"), "SUCCESS");
    assert_int_equal(read_job(w, id).attempts, 2);
    assert_true(loop_until(w->loop, nothing_unacked, w, 5000));
}

static void test_worker__a_drain_hands_back_and_ends_well(void **state)
{
    struct world *w = *state;
    struct uuid id = insert_job(w, "ceoagent.skill", SKILL);
    int status;

    publish_job(w, "ceoagent.skill", id);
    start_worker(w, 0, (const char *const[]){"CEO_FAULTS=child.run=hang", "GRACE_SECONDS=6", NULL});
    assert_true(loop_until(w->loop, one_running, w, WAIT_MS));
    status = kill_worker(w, 0, SIGTERM);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(count(w, "SELECT count(*) FROM jobs WHERE status = 'pending'"), 1);
    assert_int_equal(redis_int(w, "LLEN", QUEUE_WORKER), 1);
    assert_int_equal(redis_int(w, "HLEN", "unacked"), 0);
    assert_int_equal(redis_int(w, "ZCARD", "ceoagent.nodes"), 0);
    start_worker(w, 1, NULL);
    expect_jobs(w, 1);
}

static void test_worker__a_restart_of_redis_costs_no_job(void **state)
{
    struct world *w = *state;

    start_worker(w, 0, (const char *const[]){"VISIBILITY_TIMEOUT=30", NULL});
    for (int i = 0; i < 20; i++)
        insert_job(w, "ceoagent.skill", SKILL);
    server_redis_kill();
    assert_true(loop_until(w->loop, is_away, w->redis, 5000));
    server_redis_start();
    assert_true(loop_until(w->loop, is_ready, w->redis, 5000));
    publish(w, &(struct publish){.queue = "celery", .task = "ceoagent.echo", .id = "r1"});
    assert_string_equal(result_of(w, "r1"), "SUCCESS");
    expect_jobs(w, 20);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void test_worker__a_job_waits_while_postgresql_is_away(void **state)
{
    struct world *w = *state;
    struct uuid id = insert_job(w, "ceoagent.skill", SKILL);
    char text[UUID_LEN + 1];

    start_worker(w, 0, NULL);
    publish(w, &(struct publish){.queue = "celery", .task = "ceoagent.echo", .id = "up"});
    assert_string_equal(result_of(w, "up"), "SUCCESS");
    server_pg_kill();
    publish_job(w, "ceoagent.skill", id);
    publish(w, &(struct publish){.queue = "celery", .task = "ceoagent.echo", .id = "down"});
    assert_string_equal(result_of(w, "down"), "SUCCESS"); /* it needs no row */
    loop_until(w->loop, never, NULL, 1500);
    server_pg_start();
    assert_string_equal(result_of(w, uuid_text(id, text)), "SUCCESS");
}

/* --- duties ------------------------------------------------------------------------------------
 */

static bool document_ended(void *arg)
{
    return count(arg, "SELECT count(*) FROM documents WHERE status IN ('ready', 'failed')") ==
           ((struct world *)arg)->want;
}

static void insert_document(struct world *w, const char *type, const char *content)
{
    struct pg_batch *b = db_all(w->db);
    struct document d = {.id = uuid_v7(),
                         .tenant = db_tenant(),
                         .user = uuid_v7(),
                         .title = "T",
                         .content_type = type,
                         .metadata = STR("{}"),
                         .content = str_of(content),
                         .bytes = (int64_t)strlen(content)};
    char id[UUID_LEN + 1];

    sha256(content, strlen(content), d.sha256);
    documents_add_insert(b, w->db->a, w->db->ring, &d);
    db_run(w->db, b);
    publish(w, &(struct publish){.queue = QUEUE_WORKER,
                                 .task = "ceoagent.ingest",
                                 .kwargs_json = str_of(arena_printf(
                                     w->arena, "{\"document_id\": \"%s\"}", uuid_text(d.id, id)))});
}

static void test_worker__documents_become_searchable_or_say_why_not(void **state)
{
    struct world *w = *state;

    insert_document(w, "text/markdown", "# A\nfirst\n\n# B\nsecond \xe4\xb8\xad\xe6\x96\x87\n");
    insert_document(w, "application/pdf", "%PDF");
    start_worker(w, 0, NULL);
    w->want = 2;
    assert_true(loop_until(w->loop, document_ended, w, WAIT_MS));
    assert_int_equal(count(w, "SELECT count(*) FROM documents WHERE status = 'ready'"), 1);
    assert_int_equal(count(w, "SELECT count(*) FROM documents WHERE error LIKE 'content type%'"),
                     1);
    assert_int_equal(count(w, "SELECT count(*) FROM chunks WHERE heading IN ('A', 'B')"), 2);
    assert_int_equal(count(w, "SELECT start_offset FROM chunks WHERE heading = 'B'"), 11);
}

static void on_hook(struct script_conn *c, const struct script_request *req, void *arg)
{
    struct world *w = arg;

    w->hook_head = arena_str(w->arena, req->head);
    w->hook_body = arena_str(w->arena, req->body);
    w->hooks++;
    script_reply(c, w->hooks == 1 ? 503 : 200, "text/plain", "", STR("ok"));
}

static bool outbox_empty(void *arg)
{
    return count(arg, "SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0;
}

static void on_event(void *arg, struct str channel, struct str message)
{
    (void)message;
    assert_true(str_find(channel, STR(":events:decision.completed")) > 0);
    ((struct world *)arg)->heard++;
}

static void test_worker__the_outbox_goes_out_signed_and_again_after_a_failure(void **state)
{
    struct world *w = *state;
    struct script_server *s = script_server_new(w->loop, on_hook, w);
    struct redis_sub *sub = redis_subscribe(w->redis, STR("t:*:events:*"), true, on_event, NULL, w);
    struct settings settings = {.encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
    char key[65], hex[65];
    const char *stamp;
    uint8_t mac[32];

    for (int i = 0; i < 2; i++)
        db_sql(w->db,
               arena_printf(w->arena,
                            "INSERT INTO outbox (event_id, tenant_id, topic, target, url, "
                            "payload) VALUES (gen_random_uuid(), '%s', "
                            "'decision.completed', '%s', '%s/hook', '{\"a\": [1]}')",
                            TENANT_DEFAULT, i == 0 ? "events" : "webhook", script_server_url(s)));
    start_worker(w, 0, NULL);
    assert_true(loop_until(w->loop, outbox_empty, w, WAIT_MS));
    assert_int_equal(w->hooks, 2);
    assert_true(w->heard >= 1);
    stamp = strstr(w->hook_head.p, "X-CEOAgent-Timestamp: ") + 22;
    stamp = arena_strndup(w->arena, stamp, strcspn(stamp, "\r\n"));
    webhook_secret(&settings, db_tenant(), key);
    hmac_sha256(str_of(key),
                str_of(arena_printf(w->arena, "%s.%.*s", stamp, STR_ARG(w->hook_body))), mac);
    assert_non_null(strstr(w->hook_head.p,
                           arena_printf(w->arena, "sha256=%s", hex_encode(mac, sizeof(mac), hex))));
    redis_unsubscribe(sub);
    script_server_free(s);
}

static bool row_given_up(void *arg)
{
    return count(arg, "SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL") == 1;
}

static void test_worker__a_webhook_never_leads_inside_in_production(void **state)
{
    struct world *w = *state;
    struct script_server *s = script_server_new(w->loop, on_hook, w);

    db_sql(w->db, arena_printf(w->arena,
                               "INSERT INTO outbox (event_id, tenant_id, topic, target, url, "
                               "payload) VALUES (gen_random_uuid(), '%s', 'x', 'webhook', '%s', "
                               "'{}')",
                               TENANT_DEFAULT, script_server_url(s)));
    start_worker(w, 0, (const char *const[]){"ENVIRONMENT=production", NULL});
    assert_true(loop_until(w->loop, row_given_up, w, WAIT_MS));
    assert_int_equal(w->hooks, 0);
    script_server_free(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_worker__echo_returns_its_arguments_byte_for_byte),
        T(test_worker__unknown_and_expired_jobs_end_at_the_door),
        T(test_worker__an_eta_is_kept),
        T(test_worker__skills_run_in_children_and_faults_are_told),
        T(test_worker__a_hanging_job_meets_its_limit),
        T(test_worker__a_job_that_kills_its_child_is_given_up_in_the_end),
        T(test_worker__a_row_gets_its_result_and_who_waits_is_told),
        T(test_worker__rows_survive_the_loss_of_everything_in_redis),
        T(test_worker__a_killed_workers_job_is_done_by_another),
        T(test_worker__a_drain_hands_back_and_ends_well),
        T(test_worker__a_restart_of_redis_costs_no_job),
        T(test_worker__a_job_waits_while_postgresql_is_away),
        T(test_worker__documents_become_searchable_or_say_why_not),
        T(test_worker__the_outbox_goes_out_signed_and_again_after_a_failure),
        T(test_worker__a_webhook_never_leads_inside_in_production),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
