/* outbox.h: what goes out, written in the transaction of its cause and relayed by the worker: at
 * least once, in order per decision and target, each with a stable event_id. */
#pragma once
#include "libcommon/io/pg.h"

struct outbox_row {
    int64_t id;
    struct uuid event_id, tenant, decision;
    bool has_decision;
    const char *topic, *target, *url;
    struct str payload;
    int attempts;
    int64_t created_us;
};

/* Takes up to limit rows that are due and the first open one of their decision and target; moves
 * due_at on by hold_ms so that other relays leave them alone. PG_SERVICE. */
int outbox_add_take(struct pg_batch *b, struct arena *a, int64_t hold_ms, int limit);
int outbox_read(const struct pg_result *r, int stmt, int row, struct arena *a,
                struct outbox_row *out);
int outbox_add_done(struct pg_batch *b, struct arena *a, const int64_t *ids, int n);
/* Again after delay_ms; dead: given up, kept with its error. */
int outbox_add_failed(struct pg_batch *b, struct arena *a, int64_t id, int64_t delay_ms, bool dead,
                      const char *error);
