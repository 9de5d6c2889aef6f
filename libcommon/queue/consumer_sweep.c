/* consumer_sweep.c: messages whose holder is gone. Every node looks, with jitter; each message is
 * put back by a script that acts only if nothing changed since it was looked at, so several
 * sweepers do no harm and need no lock. Two kinds:
 *
 * - a node without a heartbeat: everything listed under its name, and what lies in its taken lists;
 * - a message whose score is too old: one of ours after the liveness period (every node renews all
 *   that it knows of, so nobody knows of this one: the reply of its fetch was lost), one of a stock
 *   Celery worker after its visibility timeout. Only messages of queues that this consumer serves.
 *
 * A node that has just (re)connected waits a liveness period before it judges others: after a
 * restart of Redis all heartbeats are old. The new text is spliced here, since Lua's JSON would
 * damage it. */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/queue/consumer_priv.h"

#define NODES_A_SWEEP "64"
#define BATCH "100"

static void next_node(struct sweep *s);
static void look_for_overdue(struct sweep *s);

static void rest(struct sweep *s)
{
    struct consumer *c = s->c;
    bool again = s->restored > 0; /* there may be more of them */

    if (s->restored > 0)
        log_info("messages of lost holders went back", LOG_I("count", s->restored));
    s->restored = 0;
    arena_reset(s->arena);
    timer_start(&s->timer, again ? 1 : jitter_ms(c->opt.sweep_ms));
}

/* --- one message ---------------------------------------------------------------------------- */

struct str redelivery(struct arena *a, struct cqueue *q, struct str text, int max,
                      struct str *target, bool *dead)
{
    struct message m;
    struct str out;
    int count;

    *dead = true;
    *target = q->dead;
    if (message_parse(a, text, &m, NULL) != 0)
        return text;
    count = m.redeliveries + 1;
    if (count > max) {
        metric_add(M_QUEUE_DEAD, 1, q->name, NULL, NULL);
        return message_set(a, text, "/headers", "ceo-reason", STR("\"too many redeliveries\""),
                           &out, NULL) == 0
                   ? out
                   : text;
    }
    *dead = false;
    *target = q->list[message_step(m.priority) / 3];
    return message_redelivered(a, text, count, &out, NULL) == 0 ? out : text;
}

static void on_item(struct op *op)
{
    struct sweep_item *it = op->arg;
    struct sweep *s = it->sweep;

    if (op->err.code == 0 && it->op.reply->i == 1) {
        s->restored++;
        if (!it->dead)
            metric_add(M_JOBS_RESTORED, 1, it->queue->name, NULL, NULL);
    }
    list_remove(&it->link);
    if (--s->left == 0)
        rest(s);
}

/* Ours is '[message, "", "queue" ]', written by fetch.lua: the message may be broken, so the frame
 * is cut off from outside. Foreign values are whole JSON. */
static bool open_value(struct consumer *c, struct str value, struct str *text, struct cqueue **q)
{
    struct str name;

    if (value.n > 2 && value.p[0] == '[' && str_eqz((struct str){value.p + value.n - 2, 2}, " ]")) {
        static const struct str frame = {", \"\", \"", 7};
        size_t end = value.n - 3; /* at the closing quote */

        for (size_t at = end; at > frame.n; at--) {
            if (memcmp(value.p + at - frame.n, frame.p, frame.n) != 0)
                continue;
            *text = (struct str){value.p + 1, at - frame.n - 1};
            *q = consumer_queue(c, (struct str){value.p + at, end - at});
            return *q != NULL;
        }
        return false;
    }
    if (json_scan(value, JSON_DEPTH_MAX, NULL) != 0 || json_raw(value, "/0", text) != 0 ||
        json_raw(value, "/2", &name) != 0 || name.n < 2 || name.p[0] != '"')
        return false;
    *q = consumer_queue(c, (struct str){name.p + 1, name.n - 2});
    return *q != NULL;
}

static struct sweep_item *item_new(struct sweep *s, struct cqueue *q)
{
    struct sweep_item *it = arena_new_of(s->arena, struct sweep_item);

    it->sweep = s;
    it->queue = q;
    list_push(&s->items, &it->link);
    s->left++;
    return it;
}

/* limit: "node", or seconds. tags: of the dead node, or our own (where the tag is not). */
static bool restore(struct sweep *s, struct str tag, struct str value, struct str tags,
                    struct str limit)
{
    struct consumer *c = s->c;
    struct str text, target, argv[4], keys[4];
    struct sweep_item *it;
    struct cqueue *q;
    bool dead;

    if (!open_value(c, value, &text, &q))
        return false;
    it = item_new(s, q);
    argv[0] = tag;
    argv[1] = value;
    argv[2] = redelivery(s->arena, q, text, c->opt.max_redeliveries, &target, &dead);
    argv[3] = limit;
    it->dead = dead;
    keys[0] = c->unacked;
    keys[1] = c->index;
    keys[2] = tags;
    keys[3] = target;
    script_run(c->redis, s->arena, SCRIPT_RESTORE, 4, keys, 4, argv, COMMAND_MS, &it->op, on_item,
               it);
    return true;
}

/* --- a dead node ---------------------------------------------------------------------------- */

static struct str node_key(struct sweep *s, const char *what)
{
    return broker_key(s->c->broker, s->arena,
                      arena_printf(s->arena, "ceoagent.node.%s.%s", s->node, what));
}

static void untake(struct sweep *s, int64_t list, struct str message)
{
    struct consumer *c = s->c;
    struct cqueue *q;
    struct str keys[2], argv[2], target;
    struct sweep_item *it;
    bool dead;

    if (list < 1 || list > s->taken_count)
        return;
    q = consumer_queue(c, str_of(s->taken[list - 1]));
    it = item_new(s, q);
    argv[0] = message;
    argv[1] = redelivery(s->arena, q, message, c->opt.max_redeliveries, &target, &dead);
    it->dead = dead;
    keys[0] =
        broker_key(c->broker, s->arena, arena_printf(s->arena, "taken:%s:%s", s->node, q->name));
    keys[1] = target;
    script_run(c->redis, s->arena, SCRIPT_UNTAKE, 2, keys, 2, argv, COMMAND_MS, &it->op, on_item,
               it);
}

static void on_orphans(struct op *op)
{
    struct sweep *s = op->arg;
    struct redis_reply *r = s->op.reply;

    s->left = 1; /* so that no answer ends the round while it is being sent */
    if (op->err.code == 0 && r->type == REDIS_ARRAY) {
        for (size_t i = 1; i + 2 < r->n; i += 3) {
            if (r->item[i].s.n > 0)
                restore(s, r->item[i].s, r->item[i + 2].s, node_key(s, "tags"), STR("node"));
            else
                untake(s, r->item[i + 1].i, r->item[i + 2].s);
        }
    }
    if (--s->left == 0)
        next_node(s);
}

static void look_at_node(struct sweep *s)
{
    struct consumer *c = s->c;
    struct str keys[4 + CONSUMER_QUEUES_MAX], argv[4];
    int n = 4;

    keys[0] = c->nodes;
    keys[1] = node_key(s, "queues");
    keys[2] = node_key(s, "tags");
    keys[3] = c->unacked;
    for (int i = 0; i < s->taken_count; i++)
        keys[n++] = broker_key(c->broker, s->arena,
                               arena_printf(s->arena, "taken:%s:%s", s->node, s->taken[i]));
    argv[0] = str_of(s->node);
    argv[1] = str_of(arena_printf(s->arena, "%.3f", (double)c->opt.liveness_ms / 1000));
    argv[2] = STR(BATCH);
    argv[3] = s->keep ? STR("keep") : STR("");
    script_run(c->redis, s->arena, SCRIPT_ORPHANS, n, keys, 4, argv, COMMAND_MS, &s->op, on_orphans,
               s);
}

/* Of the dead node's queues those that are ours too; the others are left to a node that serves
 * them, and its name stays for that one. */
static void on_queues(struct op *op)
{
    struct sweep *s = op->arg;
    struct str names = {0};

    s->taken_count = 0;
    s->keep = false;
    if (op->err.code == 0 && s->op.reply->type == REDIS_STRING)
        names = s->op.reply->s;
    while (names.p != NULL) {
        struct cqueue *q = consumer_queue(s->c, str_trim(str_split(&names, ',')));

        if (q == NULL)
            s->keep = true;
        else if (s->taken_count < CONSUMER_QUEUES_MAX)
            s->taken[s->taken_count++] = q->name;
    }
    if (op->err.code != 0 || (s->keep && s->taken_count == 0))
        next_node(s);
    else
        look_at_node(s);
}

static void next_node(struct sweep *s)
{
    while (s->node_at < s->nodes->n) {
        const struct redis_reply *r = &s->nodes->item[s->node_at++];

        if (str_eqz(r->s, s->c->opt.node))
            continue;
        s->node = arena_strndup(s->arena, r->s.p, r->s.n);
        redis_command(s->c->redis, s->arena, 1, 2,
                      (struct str[]){STR("GET"), node_key(s, "queues")}, COMMAND_MS, &s->op,
                      on_queues, s);
        return;
    }
    look_for_overdue(s);
}

static void on_nodes(struct op *op)
{
    struct sweep *s = op->arg;

    if (op->err.code != 0) {
        rest(s);
        return;
    }
    s->nodes = s->op.reply;
    s->node_at = 0;
    next_node(s);
}

/* --- overdue messages ----------------------------------------------------------------------- */

static void on_overdue(struct op *op)
{
    struct sweep *s = op->arg;
    struct consumer *c = s->c;
    struct redis_reply *r = s->op.reply;
    int64_t stay = 0;

    s->left = 1;
    if (op->err.code == 0 && r->n > 0) {
        stay = r->item[0].i;
        for (size_t i = 1; i + 1 < r->n; i += 2) {
            struct str value = r->item[i + 1].s;
            bool ours = value.n > 2 && str_eqz((struct str){value.p + value.n - 2, 2}, " ]");
            int64_t ms = ours ? c->opt.liveness_ms : c->opt.foreign_visibility_ms;

            if (restore(s, r->item[i].s, value, c->tags,
                        str_of(arena_printf(s->arena, "%.3f", (double)ms / 1000))))
                stay--;
        }
    }
    /* Others' messages stay where they are: next time look behind them. */
    s->offset = r != NULL && stay >= 100 ? s->offset + stay : 0;
    if (--s->left == 0)
        rest(s);
}

static void look_for_overdue(struct sweep *s)
{
    struct consumer *c = s->c;
    struct str keys[] = {c->unacked, c->index}, argv[4];

    s->node = NULL;
    argv[0] = str_of(arena_printf(s->arena, "%.3f", (double)c->opt.liveness_ms / 1000));
    argv[1] = str_of(arena_printf(s->arena, "%.3f", (double)c->opt.foreign_visibility_ms / 1000));
    argv[2] = str_of(arena_printf(s->arena, "%" PRId64, s->offset));
    argv[3] = STR(BATCH);
    script_run(c->redis, s->arena, SCRIPT_OVERDUE, 2, keys, 4, argv, COMMAND_MS, &s->op, on_overdue,
               s);
}

/* --- the round ------------------------------------------------------------------------------ */

static void on_sweep(struct timer *t)
{
    struct sweep *s = CONTAINER_OF(t, struct sweep, timer);
    struct consumer *c = s->c;
    struct str argv[2];

    if (!c->alive || clock_mono_us() - c->alive_since_us < c->opt.liveness_ms * 1000) {
        rest(s);
        return;
    }
    argv[0] = str_of(arena_printf(s->arena, "%.3f", (double)c->opt.liveness_ms / 1000));
    argv[1] = STR(NODES_A_SWEEP);
    script_run(c->redis, s->arena, SCRIPT_DEAD, 1, &c->nodes, 2, argv, COMMAND_MS, &s->op, on_nodes,
               s);
}

void sweep_init(struct consumer *c)
{
    struct sweep *s = &c->sweep;

    s->c = c;
    s->arena = arena_new();
    list_init(&s->items);
    timer_init(&s->timer, c->loop, on_sweep);
    if (c->opt.sweep)
        timer_start(&s->timer, jitter_ms(c->opt.sweep_ms));
}

void sweep_done(struct consumer *c)
{
    struct sweep *s = &c->sweep;

    if (s->arena == NULL)
        return;
    op_cancel(&s->op.op);
    LIST_FOREACH (it, &s->items)
        op_cancel(&LIST_ENTRY(it, struct sweep_item, link)->op.op);
    timer_done(&s->timer);
    arena_free(s->arena);
    s->arena = NULL;
}
