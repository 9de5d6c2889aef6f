/* live.h: watching decisions that run elsewhere. Each watched decision has one Redis subscription
 * however many watch it, and once a second one statement asks PostgreSQL for the state of all of
 * them: what Redis loses is made good by that, and without Redis it is enough alone. */
#pragma once
#include "services/api/app.h"

struct cJSON;
struct live_channel;

struct live_watch {
    struct list link;
    struct live_channel *channel; /* NULL: not watching */
    /* A message of the channel (libcommon/model/live.h), kind is its "k". */
    void (*on_message)(struct live_watch *w, const char *kind, const struct cJSON *message);
    /* The row, as the last look found it; status NULL: it is gone. */
    void (*on_head)(struct live_watch *w, const char *status, int64_t head_seq);
    void *owner;
};

struct live *live_new(struct app *app);
void live_free(struct live *l); /* nobody watches any more; NULL is fine */
/* w->on_message, on_head and owner are set. Callbacks come from the loop; they may call
 * live_unwatch of this watch and end its request. */
void live_watch(struct live *l, struct live_watch *w, struct uuid tenant, struct uuid decision);
void live_unwatch(struct live_watch *w); /* repeatable; zeroed watches are fine */
/* Looks soon instead of at the next second. */
void live_look(struct live *l);
