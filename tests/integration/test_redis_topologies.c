/* The Redis client behind sentinels, on a cluster, and through TLS; and the queue on a cluster. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/queue/consumer.h"
#include "tests/harness/redis_lab.h"
#include "tests/harness/servers.h"

struct world {
    struct loop *loop;
    struct redis *redis;
    struct arena *arena;
    struct lab_redis server[3], sentinel;
    struct redis_op op;
    int heard, got;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->loop = loop_new();
    w->arena = arena_new();
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    redis_free(w->redis);
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
    loop_free(w->loop);
    arena_free(w->arena);
    for (size_t i = 0; i < ARRAY_LEN(w->server); i++)
        lab_kill(&w->server[i]);
    lab_kill(&w->sentinel);
    free(w);
    return 0;
}

static bool is_ready(void *arg)
{
    return redis_ready(((struct world *)arg)->redis);
}

static void on_done(struct op *op)
{
    (void)op;
}

static bool op_idle(void *arg)
{
    return !op_running(&((struct world *)arg)->op.op);
}

static int command(struct world *w, const char *words)
{
    struct str rest = str_of(words), argv[8];
    int n = 0;

    while (rest.p != NULL)
        argv[n++] = str_split(&rest, ' ');
    redis_command(w->redis, w->arena, n > 1 ? 1 : 0, n, argv, 2000, &w->op, on_done, w);
    assert_true(loop_until(w->loop, op_idle, w, 4000));
    return w->op.op.err.code;
}

/* A failover takes a while; until then commands fail, which is what callers must live with. */
static bool works(void *arg)
{
    return command(arg, "SET after 1") == 0;
}

static void on_heard(void *arg, struct str channel, struct str message)
{
    (void)channel;
    (void)message;
    ((struct world *)arg)->heard++;
}

static bool publish_heard(void *arg)
{
    struct world *w = arg;

    (void)command(w, "PUBLISH ch x");
    return w->heard > 0;
}

static void connect_to(struct world *w, const char *url)
{
    struct err err = {0};

    if (redis_new(w->loop, url, "lab", &w->redis, &err) != 0)
        fail_msg("%s", err.msg);
    assert_true(loop_until(w->loop, is_ready, w, 20000));
}

/* --- sentinels ---------------------------------------------------------------------------------
 */

static void start_sentinel(struct world *w)
{
    char config[512];

    for (int i = 0; i < 2; i++) {
        snprintf(config, sizeof(config), "replicaof 127.0.0.1 %d\n", w->server[0].port);
        lab_start(&w->server[i], false, i == 0 ? NULL : config);
    }
    lab_wait(&w->server[1], "INFO replication", "master_link_status:up");
    snprintf(config, sizeof(config),
             "sentinel monitor mymaster 127.0.0.1 %d 1\n"
             "sentinel down-after-milliseconds mymaster 700\n"
             "sentinel failover-timeout mymaster 5000\n",
             w->server[0].port);
    lab_start(&w->sentinel, true, config);
    lab_wait(&w->sentinel, "SENTINEL replicas mymaster", "127.0.0.1");
}

static void test_redis_topologies__sentinels_lead_to_the_new_master(void **state)
{
    struct world *w = *state;
    struct redis_sub *sub;
    struct redis_blocking *b;
    struct redis_op wait = {0};
    struct str argv[] = {STR("BLMOVE"), STR("q"), STR("t"), STR("RIGHT"), STR("LEFT"), STR("1")};
    char port[32];

    start_sentinel(w);
    /* The first sentinel of the list does not exist. */
    connect_to(w, arena_printf(w->arena, "sentinel://127.0.0.1:1,127.0.0.1:%d/mymaster/0",
                               w->sentinel.port));
    sub = redis_subscribe(w->redis, STR("ch"), false, on_heard, NULL, w);
    b = redis_blocking_new(w->redis, STR("q"));
    assert_int_equal(command(w, "SET before 1"), 0);
    assert_true(loop_until(w->loop, publish_heard, w, 5000));
    lab_kill(&w->server[0]);
    assert_true(loop_until(w->loop, works, w, 30000));
    snprintf(port, sizeof(port), "%d", w->server[1].port);
    lab_wait(&w->sentinel, "SENTINEL get-master-addr-by-name mymaster", port);
    w->heard = 0;
    assert_true(loop_until(w->loop, publish_heard, w, 10000));
    assert_int_equal(command(w, "LPUSH q m"), 0);
    for (int i = 0; i < 20 && (i == 0 || wait.op.err.code != 0); i++) {
        redis_blocking_command(b, w->arena, 6, argv, 3000, &wait, on_done, w);
        while (op_running(&wait.op))
            loop_turn(w->loop, 100);
    }
    assert_int_equal(wait.op.err.code, 0);
    assert_true(str_eqz(wait.reply->s, "m"));
    redis_blocking_free(b);
    redis_unsubscribe(sub);
}

/* --- cluster -----------------------------------------------------------------------------------
 */

static void start_cluster(struct world *w)
{
    char words[512];

    for (int i = 0; i < 3; i++) /* the bus' port would else be 10000 higher, and may not exist */
        lab_start(&w->server[i], false,
                  arena_printf(w->arena,
                               "cluster-enabled yes\ncluster-node-timeout 2000\n"
                               "cluster-config-file nodes.conf\ncluster-port %d\n",
                               server_free_port()));
    snprintf(words, sizeof(words),
             "--cluster create 127.0.0.1:%d 127.0.0.1:%d 127.0.0.1:%d --cluster-yes",
             w->server[0].port, w->server[1].port, w->server[2].port);
    lab_cli(&w->server[0], words);
    for (int i = 0; i < 3; i++)
        lab_wait(&w->server[i], "CLUSTER INFO", "cluster_state:ok");
    connect_to(w, arena_printf(w->arena, "cluster://127.0.0.1:1,127.0.0.1:%d", w->server[1].port));
}

static const char *node_id(struct world *w, int i)
{
    const char *id = lab_cli(&w->server[i], "CLUSTER MYID");

    return arena_strndup(w->arena, id, strcspn(id, "\r\n"));
}

/* Keys of one slot go from node `from` to node `to`. */
static void move_slot(struct world *w, int slot, int from, int to, bool finish)
{
    const char *a = node_id(w, from), *b = node_id(w, to);
    char words[256];

    if (!finish) {
        snprintf(words, sizeof(words), "CLUSTER SETSLOT %d IMPORTING %s", slot, a);
        lab_wait(&w->server[to], words, "OK");
        snprintf(words, sizeof(words), "CLUSTER SETSLOT %d MIGRATING %s", slot, b);
        lab_wait(&w->server[from], words, "OK");
        return;
    }
    for (int i = 0; i < 3; i++) {
        snprintf(words, sizeof(words), "CLUSTER SETSLOT %d NODE %s", slot, b);
        lab_wait(&w->server[(to + i) % 3], words, "OK");
    }
}

static void test_redis_topologies__a_clusters_slots_are_followed(void **state)
{
    static const struct redis_script echo = {"lab-echo", "return redis.call('GET', KEYS[1])", 1};
    struct world *w = *state;
    struct redis_sub *sub;

    start_cluster(w);
    for (int i = 0; i < 60; i++)
        assert_int_equal(command(w, arena_printf(w->arena, "SET key%d %d", i, i)), 0);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(command(w, arena_printf(w->arena, "GET key%d", i)), 0);
        assert_true(str_eqz(w->op.reply->s, arena_printf(w->arena, "%d", i)));
    }
    for (int i = 0; i < 3; i++) {
        redis_script(w->redis, w->arena, &echo, &STR("key7"), 0, NULL, 2000, &w->op, on_done, w);
        assert_true(loop_until(w->loop, op_idle, w, 3000));
        assert_int_equal(w->op.op.err.code, 0);
        assert_true(str_eqz(w->op.reply->s, "7"));
    }
    sub = redis_subscribe(w->redis, STR("ch"), false, on_heard, NULL, w);
    assert_true(loop_until(w->loop, publish_heard, w, 5000));
    redis_unsubscribe(sub);
    /* "foo" is slot 12182, of the third node; while it moves the key is there or, new, here: ASK.
     */
    move_slot(w, 12182, 2, 0, false);
    assert_int_equal(command(w, "SET foo bar"), 0);
    assert_int_equal(command(w, "GET foo"), 0);
    assert_true(str_eqz(w->op.reply->s, "bar"));
    move_slot(w, 12182, 2, 0, true);
    assert_int_equal(command(w, "GET foo"), 0); /* MOVED */
    assert_true(str_eqz(w->op.reply->s, "bar"));
}

static void on_message(void *arg, struct delivery *d)
{
    ((struct world *)arg)->got++;
    consumer_ack(d);
}

static void on_lost(void *arg, struct delivery *d)
{
    (void)arg;
    consumer_forget(d);
}

static bool all_got(void *arg)
{
    return ((struct world *)arg)->got >= 100;
}

static bool none_unacked(void *arg)
{
    return command(arg, "HLEN {ceoagent}unacked") == 0 && ((struct world *)arg)->op.reply->i == 0;
}

static void test_redis_topologies__the_queue_works_on_a_cluster(void **state)
{
    static const struct consumer_ops ops = {on_message, on_lost};
    struct world *w = *state;
    struct consumer_options o = {.queues = "a,b", .node = "n", .window = 10, .sweep = true};
    struct consumer *c = NULL;
    struct broker *b, *bare;
    struct err err = {0};

    start_cluster(w);
    bare = broker_new(w->redis, "");
    assert_int_equal(consumer_new(w->loop, bare, &o, &ops, w, &c, &err), ERR_INVALID);
    broker_free(bare);
    b = broker_new(w->redis, "{ceoagent}");
    assert_int_equal(consumer_new(w->loop, b, &o, &ops, w, &c, &err), 0);
    for (int i = 0; i < 100; i++) {
        broker_publish(
            b, w->arena,
            &(struct publish){.queue = i % 2 ? "a" : "b", .task = "t", .priority = i % 10}, 2000,
            &w->op, on_done, w);
        assert_true(loop_until(w->loop, op_idle, w, 3000));
        assert_int_equal(w->op.op.err.code, 0);
    }
    assert_true(loop_until(w->loop, all_got, w, 10000));
    assert_true(loop_until(w->loop, none_unacked, w, 5000));
    consumer_free(c);
    broker_free(b);
}

/* --- TLS ----------------------------------------------------------------------------------------
 */

static void start_tls(struct world *w)
{
    struct lab_redis *r = &w->server[0];

    lab_certificates(r);
    r->port = server_free_port();
    lab_start(r, false,
              arena_printf(w->arena,
                           "port 0\ntls-port %d\ntls-cert-file cert.pem\ntls-key-file key.pem\n"
                           "tls-ca-cert-file ca.pem\ntls-auth-clients no\nrequirepass geheim\n"
                           "user app on >s/@1 ~* &* +@all\n",
                           r->port));
}

static void test_redis_topologies__tls_is_spoken_and_checked(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    start_tls(w);
    setenv("CEO_CA_FILE", arena_printf(w->arena, "%s/ca.pem", w->server[0].dir), 1);
    connect_to(w, arena_printf(w->arena, "rediss://:geheim@127.0.0.1:%d/1", w->server[0].port));
    assert_int_equal(command(w, "SET a 1"), 0);
    redis_free(w->redis);
    connect_to(w,
               arena_printf(w->arena, "rediss://app:s%%2F%%401@localhost:%d", w->server[0].port));
    assert_int_equal(command(w, "GET a"), 0);
    redis_free(w->redis);
    /* A wrong password is a refusal; a certificate of nobody's is none. */
    assert_int_equal(
        redis_new(w->loop,
                  arena_printf(w->arena, "rediss://:falsch@127.0.0.1:%d", w->server[0].port), "lab",
                  &w->redis, &err),
        0);
    assert_false(loop_until(w->loop, is_ready, w, 700));
    redis_free(w->redis);
    unsetenv("CEO_CA_FILE");
    assert_int_equal(
        redis_new(w->loop,
                  arena_printf(w->arena, "rediss://:geheim@127.0.0.1:%d", w->server[0].port), "lab",
                  &w->redis, &err),
        0);
    assert_false(loop_until(w->loop, is_ready, w, 700));
    setenv("CEO_CA_FILE", "/nonexistent", 1);
    struct redis *none;
    assert_int_equal(redis_new(w->loop, "rediss://127.0.0.1", "lab", &none, &err), ERR_INVALID);
    unsetenv("CEO_CA_FILE");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_redis_topologies__sentinels_lead_to_the_new_master),
        T(test_redis_topologies__a_clusters_slots_are_followed),
        T(test_redis_topologies__the_queue_works_on_a_cluster),
        T(test_redis_topologies__tls_is_spoken_and_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
