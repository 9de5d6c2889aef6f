#include "libcommon/base/compat.h"
#include "services/api/live.h"
#include "libcommon/base/json.h"
#include "libcommon/base/map.h"
#include "libcommon/model/live.h"
#include "libcommon/model/watch.h"

#define LOOK_MS 1000
#define LOOK_DEADLINE_MS 5000

struct live_channel {
    struct live *live;
    struct uuid decision;
    struct redis_sub *sub;
    struct list watches;
    bool walking; /* its callbacks run: not to be freed */
};

struct live {
    struct app *app;
    struct map *channels; /* by decision id, 16 bytes */
    struct timer timer;
    struct arena *arena; /* of the look in flight */
    struct uuid *asked;
    int asked_count;
    struct pg_op op;
};

static struct str key_of(const struct uuid *id)
{
    return (struct str){(const char *)id->b, sizeof(id->b)};
}

static void channel_drop(struct live_channel *ch)
{
    if (ch->walking || !list_empty(&ch->watches))
        return;
    redis_unsubscribe(ch->sub);
    map_del(ch->live->channels, key_of(&ch->decision));
    free(ch);
}

/* A callback may end its own watch; the list is walked so that this is harmless. */
#define WALK(ch, w, call)                                                    \
    do {                                                                     \
        (ch)->walking = true;                                                \
        LIST_FOREACH_SAFE (it_, tmp_, &(ch)->watches) {                      \
            struct live_watch *w = LIST_ENTRY(it_, struct live_watch, link); \
            call;                                                            \
        }                                                                    \
        (ch)->walking = false;                                               \
        channel_drop(ch);                                                    \
    } while (0)

static void on_message(void *arg, struct str channel UNUSED, struct str text)
{
    struct live_channel *ch = arg;
    struct arena *a = arena_new();
    cJSON *m = NULL;

    if (json_parse(a, text, 16, &m, NULL) == 0) {
        const char *kind = json_str(m, "k", "");
        WALK(ch, w, w->on_message(w, kind, m));
    }
    arena_free(a);
}

static void on_gap(void *arg)
{
    struct live_channel *ch = arg;

    live_look(ch->live);
}

void live_look(struct live *l)
{
    timer_start(&l->timer, 0);
}

static void schedule(struct live *l)
{
    if (map_count(l->channels) > 0)
        timer_start(&l->timer, LOOK_MS);
}

/* --- the look
 * --- */

static struct map *rows_by_id(const struct pg_result *r)
{
    struct map *m = map_new();

    for (int i = 0; i < pg_rows(r, 0); i++) {
        struct uuid u = pg_get_uuid(r, 0, i, 0);
        map_set(m, key_of(&u), (void *)(uintptr_t)(i + 1));
    }
    return m;
}

static void tell(struct live *l, const struct pg_result *r)
{
    struct map *rows = rows_by_id(r);

    for (int i = 0; i < l->asked_count; i++) {
        struct live_channel *ch = map_get(l->channels, key_of(&l->asked[i]));
        int row = (int)(uintptr_t)map_get(rows, key_of(&l->asked[i])) - 1;
        if (ch == NULL)
            continue;
        const char *status = row < 0 ? NULL : pg_getz(r, 0, row, 1);
        int64_t seq = row < 0 ? 0 : pg_get_i64(r, 0, row, 2);
        WALK(ch, w, w->on_head(w, status, seq));
    }
    map_free(rows);
}

static void on_looked(struct op *op)
{
    struct live *l = op->arg;
    struct arena *a = l->arena;

    if (op->err.code == 0)
        tell(l, l->op.result);
    l->arena = NULL;
    arena_free(a);
    if (!l->timer.armed)
        schedule(l);
}

static void on_timer(struct timer *t)
{
    struct live *l = CONTAINER_OF(t, struct live, timer);
    struct str key;
    size_t pos = 0;
    void *value;

    if (l->arena != NULL || map_count(l->channels) == 0)
        return; /* on_looked schedules again */
    l->arena = arena_new();
    l->asked = arena_array(l->arena, struct uuid, map_count(l->channels));
    l->asked_count = 0;
    while (map_next(l->channels, &pos, &key, &value))
        l->asked[l->asked_count++] = ((struct live_channel *)value)->decision;
    struct pg_batch *b = pg_batch_new(l->arena, PG_SERVICE, NULL, NULL, false, PG_READ);
    watch_add_heads(b, l->arena, l->asked, l->asked_count);
    pg_submit(l->app->pg, b, LOOK_DEADLINE_MS, &l->op, on_looked, l);
}

/* --- watching
 * --- */

struct live *live_new(struct app *app)
{
    struct live *l = xcalloc(1, sizeof(*l));

    l->app = app;
    l->channels = map_new();
    timer_init(&l->timer, app->loop, on_timer);
    return l;
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    op_cancel(&l->op.op);
    arena_free(l->arena);
    timer_done(&l->timer);
    map_free(l->channels);
    free(l);
}

void live_watch(struct live *l, struct live_watch *w, struct uuid tenant, struct uuid decision)
{
    struct live_channel *ch = map_get(l->channels, key_of(&decision));

    if (ch == NULL) {
        struct arena *a = arena_new();
        ch = xcalloc(1, sizeof(*ch));
        ch->live = l;
        ch->decision = decision;
        list_init(&ch->watches);
        map_set(l->channels, key_of(&decision), ch);
        ch->sub = redis_subscribe(l->app->redis, live_channel(a, tenant, decision), false,
                                  on_message, on_gap, ch);
        arena_free(a);
    }
    w->channel = ch;
    list_push(&ch->watches, &w->link);
    if (!l->timer.armed && l->arena == NULL)
        schedule(l);
}

void live_unwatch(struct live_watch *w)
{
    struct live_channel *ch = w->channel;

    if (ch == NULL)
        return;
    w->channel = NULL;
    list_remove(&w->link);
    channel_drop(ch);
}
