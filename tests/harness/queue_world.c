/* queue_world.c: see the header. A spawned consumer reports over a pipe and never returns. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <cmocka.h>
#include "libcommon/base/json.h"
#include "tests/harness/queue_world.h"
#include "tests/harness/servers.h"

static bool is_ready(void *arg)
{
    return redis_ready(((struct world *)arg)->redis);
}

static void open_world(struct world *w)
{
    struct err err = {0};

    w->loop = loop_new();
    w->arena = arena_new();
    assert_int_equal(redis_new(w->loop, w->url, "test", &w->redis, &err), 0);
    assert_true(loop_until(w->loop, is_ready, w, 5000));
    w->broker = broker_new(w->redis, w->prefix);
}

int world_set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->url = server_redis_url();
    w->prefix = "{t}";
    open_world(w);
    *state = w;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < WORLD_CONSUMERS; i++)
        world_leave(&w->member[i]);
    op_cancel(&w->op.op);
    broker_free(w->broker);
    redis_free(w->redis);
    loop_turn(w->loop, 0);
    loop_free(w->loop);
    arena_free(w->arena);
    free(w);
    return 0;
}

struct consumer_options world_options(struct world *w, const char *node)
{
    (void)w;
    return (struct consumer_options){.queues = WORLD_QUEUE ",other",
                                     .node = node,
                                     .window = 8,
                                     .liveness_ms = 2000,
                                     .visibility_ms = 4000,
                                     .foreign_visibility_ms = 1500,
                                     .max_redeliveries = 2,
                                     .sweep = true,
                                     .sweep_ms = 100};
}

static void on_message(void *arg, struct delivery *d)
{
    struct member *m = arg;

    if (m->on_each != NULL) {
        m->on_each(m, d);
        return;
    }
    assert_true(m->count < (int)ARRAY_LEN(m->got));
    m->got[m->count++] = d;
}

static void on_lost(void *arg, struct delivery *d)
{
    struct member *m = arg;

    m->lost++;
    consumer_forget(d);
}

static const struct consumer_ops ops = {on_message, on_lost};

struct member *world_join(struct world *w, int i, const struct consumer_options *o)
{
    struct member *m = &w->member[i];
    struct err err = {0};

    m->w = w;
    assert_int_equal(consumer_new(w->loop, w->broker, o, &ops, m, &m->c, &err), 0);
    return m;
}

void world_leave(struct member *m)
{
    consumer_free(m->c);
    m->c = NULL;
    m->count = 0;
}

static void on_done(struct op *op)
{
    (void)op;
}

static bool op_idle(void *arg)
{
    return !op_running(&((struct world *)arg)->op.op);
}

void world_publish(struct world *w, int n, int priority)
{
    struct str kwargs = str_of(arena_printf(w->arena, "{\"n\": %d}", n));

    broker_publish(
        w->broker, w->arena,
        &(struct publish){
            .queue = WORLD_QUEUE, .task = "test", .kwargs_json = kwargs, .priority = priority},
        5000, &w->op, on_done, w);
    assert_true(loop_until(w->loop, op_idle, w, 6000));
    assert_int_equal(w->op.op.err.code, 0);
}

int world_number(struct delivery *d)
{
    struct message_body b;
    struct str raw;
    int64_t n;

    assert_int_equal(message_body(d->arena, &d->msg, &b, NULL), 0);
    assert_int_equal(json_raw(b.kwargs, "/n", &raw), 0);
    assert_int_equal(str_i64(raw, &n), 0);
    return (int)n;
}

static struct redis_reply *run(struct world *w, const char *text)
{
    struct str rest = str_of(text), argv[32];
    int n = 0;

    while (rest.p != NULL && n < 32)
        argv[n++] = str_split(&rest, ' ');
    redis_command(w->redis, w->arena, n > 1 ? 1 : 0, n, argv, 5000, &w->op, on_done, w);
    assert_true(loop_until(w->loop, op_idle, w, 6000));
    assert_int_equal(w->op.op.err.code, 0);
    return w->op.reply;
}

struct redis_reply *world_do(struct world *w, const char *format, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    return run(w, text);
}

int64_t world_int(struct world *w, const char *format, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    return run(w, text)->i;
}

struct wanted {
    struct member *m;
    int count;
};

static bool has_count(void *arg)
{
    return ((struct wanted *)arg)->m->count >= ((struct wanted *)arg)->count;
}

bool world_got(struct member *m, int count, int ms)
{
    return loop_until(m->w->loop, has_count, &(struct wanted){m, count}, ms);
}

bool world_until(struct world *w, bool (*cond)(void *arg), void *arg, int ms)
{
    return loop_until(w->loop, cond, arg, ms);
}

static void run_child(struct world *w, const char *node, int hold, int fd)
{
    struct world mine = {.url = w->url, .prefix = w->prefix};
    struct consumer_options o;
    struct member *m;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_world(&mine);
    o = world_options(&mine, node);
    o.window = hold;
    m = world_join(&mine, 0, &o);
    if (!world_got(m, hold, 10000) || write(fd, "x", 1) != 1)
        _exit(1);
    loop_run(mine.loop);
    _exit(0);
}

pid_t world_spawn(struct world *w, const char *node, int hold)
{
    int fd[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe(fd), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_child(w, node, hold, fd[1]);
    close(fd[1]);
    assert_int_equal(read(fd[0], &c, 1), 1);
    close(fd[0]);
    return pid;
}
