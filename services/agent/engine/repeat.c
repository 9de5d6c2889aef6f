/* repeat.c: a model that makes the same call again and again learns nothing new and spends the
 * budget. The same name with the same input (canonical JSON, so the order of keys does not matter)
 * is answered with an error from the third time on; after REPEATS_MAX such answers the run is made
 * to end. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

#define SAME_CALLS_MAX 2

static uint64_t key_of(const char *name, struct str input)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; name[i] != '\0'; i++)
        h = (h ^ (uint8_t)name[i]) * 0x100000001b3u;
    h = (h ^ 0xff) * 0x100000001b3u;
    for (size_t i = 0; i < input.n; i++)
        h = (h ^ (uint8_t)input.p[i]) * 0x100000001b3u;
    return h;
}

static struct counter *counter_of(struct engine *e, uint64_t key, size_t len)
{
    for (int i = 0; i < e->counter_count; i++)
        if (e->counters[i].key == key && e->counters[i].len == len)
            return &e->counters[i];
    if (e->counter_count == e->counter_cap) {
        int cap = e->counter_cap == 0 ? 16 : e->counter_cap * 2;
        struct counter *grown = arena_array(e->a, struct counter, cap);

        if (e->counter_count > 0)
            memcpy(grown, e->counters, sizeof(*grown) * (size_t)e->counter_count);
        e->counters = grown;
        e->counter_cap = cap;
    }
    e->counters[e->counter_count] = (struct counter){.key = key, .len = len};
    return &e->counters[e->counter_count++];
}

bool repeat_refuses(struct engine *e, const struct call *c)
{
    struct str input = json_canon(e->a, c->input);
    uint64_t of =
        c->talk->view == NULL ? 0 : (uint64_t)(c->talk - e->views) + 1; /* each on its own */
    struct counter *n = counter_of(e, key_of(c->name, input) + of, input.n);

    if (++n->count <= SAME_CALLS_MAX)
        return false;
    e->repeats++;
    return true;
}

bool repeat_runaway(const struct engine *e)
{
    return e->repeats >= REPEATS_MAX;
}
