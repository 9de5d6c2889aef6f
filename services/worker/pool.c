/* pool.c: one socket a child. Frames are written and read as the socket allows; the end of the
 * socket is the death of the child, whatever the cause, and is told apart by what we did before:
 * nothing, SIGTERM or SIGKILL. The pid comes from the child itself, so no answer of the zygote is
 * waited for. */
#include "libcommon/base/compat.h"
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include "libcommon/base/log.h"
#include "services/worker/child.h"
#include "services/worker/pool.h"

#define ANSWER_HEAD 5 /* u32 length, u8 kind */

struct pool_child {
    struct list link;
    struct pool *pool;
    int fd;
    pid_t pid; /* 0 until it said so */
    struct watch watch;
    struct pool_call *call; /* NULL: idle */
    char head[8];
    size_t sent, head_len; /* of the request; of pid and answer heads */
    bool killed;
    int calls;
};

struct pool {
    struct loop *loop;
    struct zygote *zygote;
    struct list children, waiting;
    int size, count, busy;
    struct deferred again;
};

static void give_work(struct pool *p);

static void free_child(void *c)
{
    free(c);
}

static void finish(struct pool_call *c, enum pool_outcome outcome)
{
    timer_done(&c->soft);
    timer_done(&c->hard);
    c->active = false;
    c->outcome = outcome;
    c->done(c);
}

static void kill_child(struct pool_child *ch, int signo)
{
    if (ch->pid > 0)
        kill(-ch->pid, signo);
    ch->killed = ch->killed || signo == SIGKILL;
}

/* The child is gone, or made to go. */
static void drop_child(struct pool_child *ch)
{
    struct pool *p = ch->pool;
    struct pool_call *c = ch->call;

    kill_child(ch, SIGKILL);
    watch_done(&ch->watch);
    close(ch->fd);
    list_remove(&ch->link);
    p->count--;
    loop_free_later(p->loop, free_child, ch);
    if (c != NULL) {
        p->busy--;
        c->child = NULL;
        ch->call = NULL;
        finish(c, c->hard_hit ? POOL_HARD : c->soft_hit ? POOL_SOFT : POOL_DIED);
    }
    loop_defer(p->loop, &p->again);
}

/* --- the answer ----------------------------------------------------------------------------- */

static void answered(struct pool_child *ch)
{
    struct pool_call *c = ch->call;
    bool done = ch->head[4] == 'O';

    ch->call = NULL;
    ch->head_len = 0;
    ch->pool->busy--;
    c->child = NULL;
    if (++ch->calls >= POOL_CHILD_CALLS)
        drop_child(ch);
    loop_defer(ch->pool->loop, &ch->pool->again);
    finish(c, done ? POOL_DONE : POOL_FAULT);
}

/* How much more the frame that is being read needs; the head first. */
static size_t wanted(struct pool_child *ch, char **to, char *piece, size_t piece_len)
{
    size_t head = ch->pid == 0 ? sizeof(uint32_t) : ANSWER_HEAD;
    uint32_t n;

    if (ch->head_len < head) {
        *to = ch->head + ch->head_len;
        return head - ch->head_len;
    }
    memcpy(&n, ch->head, sizeof(n));
    *to = piece;
    return MIN((size_t)n - ch->call->answer.n, piece_len);
}

/* Takes n bytes that were read; false when the child broke the protocol. */
static bool took(struct pool_child *ch, const char *piece, size_t n)
{
    uint32_t value;

    if (ch->pid == 0 || ch->head_len < ANSWER_HEAD) {
        ch->head_len += n;
        if (ch->pid == 0 && ch->head_len == sizeof(value)) {
            memcpy(&value, ch->head, sizeof(value));
            ch->pid = (pid_t)value;
            ch->head_len = 0;
            return ch->pid > 1;
        }
        if (ch->pid == 0 || ch->head_len < ANSWER_HEAD)
            return true;
    } else {
        buf_add(&ch->call->answer, piece, n);
    }
    memcpy(&value, ch->head, sizeof(value));
    if (value > CHILD_FRAME_MAX || ch->call == NULL)
        return false;
    if (ch->call->answer.n == value)
        answered(ch);
    return true;
}

static void read_some(struct pool_child *ch)
{
    char piece[65536], *to;
    struct pool *p = ch->pool;
    size_t want;
    ssize_t n;

    if (ch->pid > 0 && ch->call == NULL) { /* an idle child has nothing to say */
        drop_child(ch);
        return;
    }
    want = wanted(ch, &to, piece, sizeof(piece));
    n = read(ch->fd, to, want);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !took(ch, piece, (size_t)n)) {
        drop_child(ch);
        give_work(p);
    }
}

/* --- the request ---------------------------------------------------------------------------- */

static void write_some(struct pool_child *ch)
{
    struct pool_call *c = ch->call;
    uint32_t len[2] = {(uint32_t)strlen(c->name), (uint32_t)c->input.n};
    const struct str part[3] = {{(const char *)len, sizeof(len)}, {c->name, len[0]}, c->input};
    size_t at = ch->sent;

    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        ssize_t n;

        if (at >= part[i].n) {
            at -= part[i].n;
            continue;
        }
        n = write(ch->fd, part[i].p + at, part[i].n - at);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                drop_child(ch);
            return;
        }
        ch->sent += (size_t)n;
        if ((size_t)n < part[i].n - at)
            return;
        at = 0;
    }
    watch_set(&ch->watch, true, false);
}

static void on_io(struct watch *w, bool readable, bool writable)
{
    struct pool_child *ch = CONTAINER_OF(w, struct pool_child, watch);

    if (readable)
        read_some(ch);
    else if (writable && ch->call != NULL)
        write_some(ch);
}

static struct pool_child *make_child(struct pool *p)
{
    struct pool_child *ch;
    struct err err = {0};
    int fd;

    if (zygote_spawn(p->zygote, &fd, &err) != 0) {
        log_error("no child could be made", LOG_S("error", err.msg));
        return NULL;
    }
    ch = xcalloc(1, sizeof(*ch));
    ch->pool = p;
    ch->fd = fd;
    watch_init(&ch->watch, p->loop, fd, on_io);
    watch_set(&ch->watch, true, false);
    list_push(&p->children, &ch->link);
    p->count++;
    return ch;
}

static struct pool_child *idle_child(struct pool *p)
{
    LIST_FOREACH (it, &p->children) {
        struct pool_child *ch = LIST_ENTRY(it, struct pool_child, link);

        if (ch->call == NULL && !ch->killed)
            return ch;
    }
    return p->count < p->size ? make_child(p) : NULL;
}

static void give_work(struct pool *p)
{
    while (!list_empty(&p->waiting)) {
        struct pool_child *ch = idle_child(p);
        struct pool_call *c;

        if (ch == NULL)
            return;
        c = LIST_ENTRY(list_first(&p->waiting), struct pool_call, link);
        list_remove(&c->link);
        c->child = ch;
        ch->call = c;
        ch->sent = 0;
        p->busy++;
        if (c->soft_ms > 0)
            timer_start(&c->soft, c->soft_ms);
        if (c->hard_ms > 0)
            timer_start(&c->hard, c->hard_ms);
        watch_set(&ch->watch, true, true);
    }
}

static void on_again(struct deferred *d)
{
    give_work(CONTAINER_OF(d, struct pool, again));
}

/* --- calls ---------------------------------------------------------------------------------- */

static void on_soft(struct timer *t)
{
    struct pool_call *c = CONTAINER_OF(t, struct pool_call, soft);

    c->soft_hit = true;
    kill_child(c->child, SIGTERM);
}

static void on_hard(struct timer *t)
{
    struct pool_call *c = CONTAINER_OF(t, struct pool_call, hard);

    c->hard_hit = true;
    drop_child(c->child);
}

void pool_run(struct pool *p, struct pool_call *c, const char *name, struct str input,
              int64_t soft_ms, int64_t hard_ms, void (*done)(struct pool_call *c), void *arg)
{
    *c = (struct pool_call){.pool = p,
                            .name = name,
                            .input = input,
                            .soft_ms = soft_ms,
                            .hard_ms = hard_ms,
                            .active = true,
                            .done = done,
                            .arg = arg};
    buf_init(&c->answer, CHILD_FRAME_MAX);
    timer_init(&c->soft, p->loop, on_soft);
    timer_init(&c->hard, p->loop, on_hard);
    list_push(&p->waiting, &c->link);
    loop_defer(p->loop, &p->again);
}

void pool_call_done(struct pool_call *c)
{
    struct pool_child *ch = c->child;

    if (c->pool == NULL)
        return;
    timer_done(&c->soft);
    timer_done(&c->hard);
    if (c->active && ch == NULL)
        list_remove(&c->link);
    c->active = false;
    c->child = NULL;
    if (ch != NULL) {
        ch->call = NULL;
        c->pool->busy--;
        drop_child(ch);
    }
    buf_done(&c->answer);
    c->pool = NULL;
}

int pool_busy(const struct pool *p)
{
    return p->busy;
}

int pool_new(struct loop *l, struct zygote *z, int size, struct pool **out, struct err *err)
{
    struct pool *p = xcalloc(1, sizeof(*p));

    p->loop = l;
    p->zygote = z;
    p->size = size;
    list_init(&p->children);
    list_init(&p->waiting);
    deferred_init(&p->again, on_again);
    if (make_child(p) == NULL) {
        free(p);
        return err_set(err, ERR_UNAVAILABLE, "no child process could be made");
    }
    *out = p;
    return 0;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    LIST_FOREACH_SAFE (it, tmp, &p->children) {
        struct pool_child *ch = LIST_ENTRY(it, struct pool_child, link);

        if (ch->call != NULL)
            pool_call_done(ch->call);
        else
            drop_child(ch);
    }
    deferred_cancel(&p->again);
    loop_free_later(p->loop, free, p);
}
