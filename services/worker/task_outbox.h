/* task_outbox.h: the relay of the outbox: what was written with its cause goes out, at least once,
 * in order per decision and target, each with a stable event_id.
 *
 *   target "events"   PUBLISH on t:{tenant}:events:{topic}
 *   target "weaviate" the vector store, see model/vectors.h; tried until it is done
 *   target "webhook"  POST to the row's url, signed
 *
 * A webhook carries: Content-Type: application/json, X-CEOAgent-Event: the topic,
 * X-CEOAgent-Delivery: the event_id (the same on every attempt), X-CEOAgent-Timestamp: unix
 * seconds, X-CEOAgent-Signature: "sha256=" and the hex HMAC-SHA-256 of "TIMESTAMP.BODY" under the
 * tenant's secret. Any 2xx answer is success. Else it is tried again after 2, 4, 8 ... seconds (at
 * most an hour; Retry-After is honoured), 15 times in all; 410, and a URL that leads to an inside
 * address (except in development), end it at once. Given-up rows stay, with their error. */
#pragma once
#include "services/worker/app.h"

struct relay *relay_new(struct worker *w);
void relay_stop(struct relay *r); /* takes nothing new */
void relay_free(struct relay *r);
void relay_poke(struct relay *r); /* looks now */

/* The secret of a tenant's webhooks, 64 hex digits: derived from SECRET_KEY (or, when that is
 * unset, from ENCRYPTION_KEY). Returns out. */
char *webhook_secret(const struct settings *s, struct uuid tenant, char out[65]);
