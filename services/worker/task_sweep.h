/* task_sweep.h: Redis may have lost anything at any moment; the rows in PostgreSQL have not. This
 * duty puts jobs that are due and unclaimed, and documents that wait or are stuck, back on their
 * queues. A message too many does no harm: the claim of the row decides. (Decisions: the agents
 * sweep themselves. Messages of dead nodes: consumer.h.) */
#pragma once
#include "services/worker/app.h"

struct requeue;

struct requeue *requeue_new(struct worker *w);
void requeue_stop(struct requeue *q);
void requeue_free(struct requeue *q);
void requeue_poke(struct requeue *q); /* looks now */
