/* consumer.c: what is in hand and how each delivery ends. An ending is one script (settle.lua) that
 * checks the lease, acknowledges, and puts the text where it goes, in one step; it is repeated
 * until Redis has it or the lease is over, so a broker that restarts costs a pause and no message.
 */
#include "libcommon/base/compat.h"
#include <unistd.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/queue/consumer_priv.h"

int64_t jitter_ms(int64_t ms)
{
    uint32_t r;

    random_bytes(&r, sizeof(r));
    return ms * 3 / 4 + (int64_t)(r % (uint32_t)(ms / 2 + 1));
}

const char *consumer_node_name(struct arena *a, const char *role)
{
    char host[128] = "localhost", id[9];
    uint32_t r;

    gethostname(host, sizeof(host) - 1);
    random_bytes(&r, sizeof(r));
    return arena_printf(a, "%s@%s-%ld-%s", role, host, (long)getpid(),
                        hex_encode(&r, sizeof(r), id));
}

void errand_init(struct errand *e, struct consumer *c, void (*on_timer)(struct timer *t))
{
    e->c = c;
    e->arena = arena_new();
    timer_init(&e->timer, c->loop, on_timer);
}

void errand_done(struct errand *e)
{
    if (e->arena == NULL)
        return;
    op_cancel(&e->op.op);
    timer_done(&e->timer);
    arena_free(e->arena);
    e->arena = NULL;
}

/* --- deliveries ----------------------------------------------------------------------------- */

static void on_again(struct timer *t);

struct hold *hold_new(struct consumer *c, struct cqueue *q, struct str tag, struct str text)
{
    struct hold *h = xcalloc(1, sizeof(*h));

    h->c = c;
    h->queue = q;
    h->d.arena = arena_new();
    h->d.queue = q->name;
    h->d.tag = arena_strndup(h->d.arena, tag.p, tag.n);
    h->d.msg.text = arena_str(h->d.arena, text);
    h->backoff = (struct backoff){.base_ms = 100, .max_ms = 1000};
    timer_init(&h->again, c->loop, on_again);
    list_push(&c->holds, &h->link);
    map_set(c->by_tag, str_of(h->d.tag), h);
    c->in_hand++;
    return h;
}

void hold_free(struct hold *h)
{
    struct consumer *c = h->c;

    op_cancel(&h->op.op);
    timer_done(&h->again);
    list_remove(&h->link);
    if (map_get(c->by_tag, str_of(h->d.tag)) == h)
        map_del(c->by_tag, str_of(h->d.tag));
    if (h->state == HOLD_HELD)
        c->in_hand--;
    arena_free(h->d.arena);
    free(h);
}

/* The tag is somebody else's now, or may be. */
void hold_lose(struct hold *h)
{
    struct consumer *c = h->c;

    if (h->state == HOLD_ENDING) {
        hold_free(h);
        consumer_try_leave(c);
        return;
    }
    if (h->d.lost)
        return;
    h->d.lost = true;
    map_del(c->by_tag, str_of(h->d.tag));
    c->ops->on_lost(c->arg, &h->d);
}

/* --- endings -------------------------------------------------------------------------------- */

static void on_settled(struct op *op);

static void send_settle(struct hold *h)
{
    struct consumer *c = h->c;
    struct str keys[4] = {c->unacked, c->index, c->tags, h->target};
    struct str argv[4] = {str_of(h->d.tag), str_of(h->how), h->text, h->score};

    if (FAULT("queue.settle")) {
        timer_start(&h->again, backoff_next(&h->backoff));
        return;
    }
    script_run(c->redis, h->d.arena, SCRIPT_SETTLE, 4, keys, 4, argv, COMMAND_MS, &h->op,
               on_settled, h);
}

static void on_again(struct timer *t)
{
    send_settle(CONTAINER_OF(t, struct hold, again));
}

static void on_settled(struct op *op)
{
    struct hold *h = op->arg;
    struct consumer *c = h->c;

    if (op->err.code == ERR_UNAVAILABLE || op->err.code == ERR_TIMEOUT ||
        op->err.code == ERR_BUSY) {
        timer_start(&h->again, backoff_next(&h->backoff));
        return;
    }
    if (op->err.code != 0)
        log_error("a delivery could not be settled", LOG_S("queue", h->d.queue),
                  LOG_S("how", h->how), LOG_S("error", op->err.msg));
    if (op->err.code == 0 && h->op.reply->i == 2) { /* due already: it stays in hand */
        h->state = HOLD_HELD;
        c->in_hand++;
        h->d.msg.eta_us = 0;
        c->ops->on_message(c->arg, &h->d);
        return;
    }
    hold_free(h);
    fetch_look(c);
    consumer_try_leave(c);
}

static void settle(struct delivery *d, const char *how, struct str target, struct str text,
                   struct str score)
{
    struct hold *h = CONTAINER_OF(d, struct hold, d);

    CHECK(h->c, CONSUMER);
    assert(h->state == HOLD_HELD);
    if (d->lost) {
        consumer_forget(d);
        return;
    }
    h->state = HOLD_ENDING;
    h->c->in_hand--;
    h->how = how;
    h->target = target.n > 0 ? target : h->queue->list[0];
    h->text = text;
    h->score = score;
    send_settle(h);
}

void consumer_ack(struct delivery *d)
{
    settle(d, "ack", (struct str){0}, (struct str){0}, (struct str){0});
}

static struct cqueue *queue_of(struct delivery *d)
{
    return CONTAINER_OF(d, struct hold, d)->queue;
}

static struct consumer *consumer_of(struct delivery *d)
{
    return CONTAINER_OF(d, struct hold, d)->c;
}

void consumer_requeue(struct delivery *d, bool front, bool counted)
{
    struct cqueue *q = queue_of(d);
    struct str text = d->msg.text, target = q->list[message_step(d->msg.priority) / 3];
    bool dead = false;

    if (counted)
        text = redelivery(d->arena, q, text, consumer_of(d)->opt.max_redeliveries, &target, &dead);
    if (counted && !dead)
        metric_add(M_JOBS_RESTORED, 1, q->name, NULL, NULL);
    settle(d, front && !dead ? "front" : "back", target, text, (struct str){0});
}

void consumer_dead(struct delivery *d, const char *reason)
{
    struct cqueue *q = queue_of(d);
    struct str text = d->msg.text, marked;
    struct buf b;

    buf_init(&b, 4096);
    json_quote(&b, str_of(reason));
    if (d->msg.task != NULL &&
        message_set(d->arena, text, "/headers", "ceo-reason", buf_view(&b), &marked, NULL) == 0)
        text = marked;
    buf_done(&b);
    metric_add(M_QUEUE_DEAD, 1, q->name, NULL, NULL);
    settle(d, "back", q->dead, text, (struct str){0});
}

static struct str waiting_member(struct delivery *d, struct str text)
{
    return str_of(arena_printf(d->arena, "%d%.*s", message_step(d->msg.priority), STR_ARG(text)));
}

static struct str score_of(struct delivery *d, int64_t us)
{
    return str_of(arena_printf(d->arena, "%" PRId64 ".%06d", us / 1000000, (int)(us % 1000000)));
}

void consumer_park(struct delivery *d, int64_t eta_us)
{
    settle(d, "park", queue_of(d)->waiting_key, waiting_member(d, d->msg.text),
           score_of(d, eta_us));
}

void consumer_replace(struct delivery *d, struct str text, int64_t eta_us)
{
    struct cqueue *q = queue_of(d);

    text = arena_str(d->arena, text);
    if (eta_us > 0)
        settle(d, "again", q->waiting_key, waiting_member(d, text), score_of(d, eta_us));
    else
        settle(d, "back", q->list[message_step(d->msg.priority) / 3], text, (struct str){0});
}

void consumer_forget(struct delivery *d)
{
    struct hold *h = CONTAINER_OF(d, struct hold, d);
    struct consumer *c = h->c;

    CHECK(c, CONSUMER);
    hold_free(h);
    fetch_look(c);
    consumer_try_leave(c);
}

/* --- the consumer --------------------------------------------------------------------------- */

struct cqueue *consumer_queue(struct consumer *c, struct str name)
{
    for (int i = 0; i < c->queues; i++)
        if (str_eqz(name, c->queue[i].name))
            return &c->queue[i];
    return NULL;
}

static struct str quoted(struct arena *a, const char *s)
{
    struct buf b;
    struct str out;

    buf_init(&b, 4096);
    json_quote(&b, str_of(s));
    out = arena_str(a, buf_view(&b));
    buf_done(&b);
    return out;
}

static void name_queue(struct consumer *c, struct cqueue *q, struct str name)
{
    struct arena *a = c->arena;

    q->c = c;
    q->name = arena_strndup(a, name.p, name.n);
    q->name_json = quoted(a, q->name);
    for (int i = 0; i < MESSAGE_PRIORITY_STEPS; i++)
        q->list[i] = broker_list(c->broker, a, q->name, 3 * i);
    q->taken = broker_key(c->broker, a, arena_printf(a, "taken:%s:%s", c->opt.node, q->name));
    q->waiting_key = broker_key(c->broker, a, arena_printf(a, "%s.eta", q->name));
    q->dead = broker_key(c->broker, a, arena_printf(a, "%s.dead", q->name));
}

static bool good_name(struct str s)
{
    if (s.n == 0 || s.n > 200 || !utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x21 || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return true;
}

static int name_queues(struct consumer *c, const char *queues, struct err *err)
{
    struct str rest = str_of(queues);

    while (rest.p != NULL) {
        struct str name = str_trim(str_split(&rest, ','));

        if (!good_name(name))
            return err_set(err, ERR_INVALID, "queue name \"%.*s\" is not usable", STR_ARG(name));
        if (c->queues == CONSUMER_QUEUES_MAX)
            return err_set(err, ERR_INVALID, "at most %d queues", CONSUMER_QUEUES_MAX);
        if (consumer_queue(c, name) == NULL)
            name_queue(c, &c->queue[c->queues++], name);
    }
    return c->queues > 0 ? 0 : err_set(err, ERR_INVALID, "no queue is named");
}

static void set_defaults(struct consumer_options *o)
{
    if (o->visibility_ms <= 0)
        o->visibility_ms = 60000;
    if (o->foreign_visibility_ms <= 0)
        o->foreign_visibility_ms = 3600000;
    if (o->liveness_ms <= 0)
        o->liveness_ms = 15000;
    o->liveness_ms = MIN(o->liveness_ms, o->visibility_ms);
    if (o->max_redeliveries < 0)
        o->max_redeliveries = 5;
    if (o->sweep_ms <= 0)
        o->sweep_ms = 2000;
}

static void on_drained(struct deferred *d)
{
    struct consumer *c = CONTAINER_OF(d, struct consumer, drained);
    void (*fn)(void *arg) = c->on_drained;

    c->on_drained = NULL;
    if (fn != NULL)
        fn(c->drained_arg);
}

static void name_keys(struct consumer *c)
{
    struct arena *a = c->arena;

    c->unacked = broker_key(c->broker, a, "unacked");
    c->index = broker_key(c->broker, a, "unacked_index");
    c->nodes = broker_key(c->broker, a, "ceoagent.nodes");
    c->tags = broker_key(c->broker, a, arena_printf(a, "ceoagent.node.%s.tags", c->opt.node));
    c->node_queues =
        broker_key(c->broker, a, arena_printf(a, "ceoagent.node.%s.queues", c->opt.node));
}

int consumer_new(struct loop *l, struct broker *b, const struct consumer_options *opt,
                 const struct consumer_ops *ops, void *arg, struct consumer **out, struct err *err)
{
    struct consumer *c;
    int rc;

    if (!good_name(str_of(opt->node)))
        return err_set(err, ERR_INVALID, "the node's name is not usable");
    if (redis_is_cluster(broker_redis(b)) && strchr(broker_prefix(b), '{') == NULL)
        return err_set(
            err, ERR_INVALID,
            "QUEUE_PREFIX needs a hash tag with a Redis Cluster, for example {ceoagent}");
    c = xcalloc(1, sizeof(*c));
    c->magic = CONSUMER_MAGIC;
    c->loop = l;
    c->broker = b;
    c->redis = broker_redis(b);
    c->arena = arena_new();
    c->by_tag = map_new();
    c->opt = *opt;
    c->opt.node = arena_strdup(c->arena, opt->node);
    c->opt.queues = arena_strdup(c->arena, opt->queues);
    c->queues_text = str_of(c->opt.queues);
    set_defaults(&c->opt);
    c->ops = ops;
    c->arg = arg;
    c->waits_clean = true;
    list_init(&c->holds);
    deferred_init(&c->drained, on_drained);
    if ((rc = name_queues(c, c->opt.queues, err)) != 0) {
        map_free(c->by_tag);
        arena_free(c->arena);
        free(c);
        return rc;
    }
    name_keys(c);
    errand_init(&c->leave, c, NULL);
    fetch_init(c);
    sweep_init(c);
    beat_init(c);
    *out = c;
    return 0;
}

void consumer_free(struct consumer *c)
{
    if (c == NULL)
        return;
    CHECK(c, CONSUMER);
    beat_done(c);
    sweep_done(c);
    fetch_done(c);
    errand_done(&c->leave);
    deferred_cancel(&c->drained);
    LIST_FOREACH_SAFE (it, tmp, &c->holds)
        hold_free(LIST_ENTRY(it, struct hold, link));
    map_free(c->by_tag);
    arena_free(c->arena);
    c->magic = 0;
    free(c);
}

void consumer_set_window(struct consumer *c, int window)
{
    CHECK(c, CONSUMER);
    c->opt.window = window;
    fetch_look(c);
}

int consumer_in_hand(const struct consumer *c)
{
    CHECK(c, CONSUMER);
    return c->in_hand;
}

void consumer_poke(struct consumer *c)
{
    CHECK(c, CONSUMER);
    fetch_look(c);
}

/* --- drain ---------------------------------------------------------------------------------- */

static void finish_drain(struct consumer *c)
{
    beat_done(c);
    sweep_done(c);
    loop_defer(c->loop, &c->drained);
}

static void on_left(struct op *op)
{
    finish_drain(op->arg);
}

/* When nothing is in hand, ending, or on its way here. */
void consumer_try_leave(struct consumer *c)
{
    struct str keys[3 + 2 * CONSUMER_QUEUES_MAX] = {c->nodes, c->node_queues, c->tags}, node;

    if (!c->draining || !list_empty(&c->holds) || !fetch_quiet(c) || op_running(&c->leave.op.op) ||
        c->on_drained == NULL)
        return;
    for (int i = 0; i < c->queues; i++) {
        keys[3 + 2 * i] = c->queue[i].taken;
        keys[4 + 2 * i] = c->queue[i].list[0];
    }
    if (!c->waits_clean ||
        !redis_ready(c->redis)) { /* the sweep of the others looks after the rest */
        finish_drain(c);
        return;
    }
    beat_done(c); /* a heartbeat after it would bring the name back */
    node = str_of(c->opt.node);
    script_run(c->redis, c->leave.arena, SCRIPT_LEAVE, 3 + 2 * c->queues, keys, 1, &node, 2000,
               &c->leave.op, on_left, c);
}

void consumer_drain(struct consumer *c, void (*fn)(void *arg), void *arg)
{
    CHECK(c, CONSUMER);
    c->draining = true;
    c->on_drained = fn;
    c->drained_arg = arg;
    fetch_stop(c);
    consumer_try_leave(c);
}
