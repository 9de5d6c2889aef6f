/* sweep.h: where runs come from. A message on the agents' queue is a hint ("look at decision X"):
 * hints that arrive together are claimed by one statement and acknowledged once the claim is known,
 * whatever it found, since the truth is in PostgreSQL. Beside it, every SWEEP_INTERVAL_MS, this
 * agent claims what is due and unclaimed, or whose lease has ended, straight from PostgreSQL: with
 * Redis empty or down decisions still run. */
#pragma once
#include "services/agent/app.h"

struct sweep *sweep_new(struct app *app);
void sweep_free(struct sweep *s);
/* A delivery of the agents' queue. */
void sweep_hint(struct sweep *s, struct delivery *d);
void sweep_stop(struct sweep *s); /* no new claims; hints in hand go back */
