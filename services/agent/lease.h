/* lease.h: renews the leases of all runs of this process with one statement, every third of
 * LEASE_SECONDS. The database's clock decides who holds a lease; here a monotonic clock, counted
 * from before the renewal was sent, decides when to stop: a run whose lease may be over is given up
 * before another agent can have it. */
#pragma once
#include "services/agent/app.h"

struct lease *lease_new(struct app *app);
void lease_free(struct lease *l);
