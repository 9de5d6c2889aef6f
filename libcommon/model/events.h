/* events.h: the event log of a decision (table decision_trails), append-only. An append is one
 * compare-and-set on the decision's head (seq) and lease epoch; it is idempotent on (decision, seq,
 * hash): an append whose outcome is unknown is settled by reading the row with that seq and
 * comparing hashes.
 *
 *   digest = SHA-256(salt, 16 bytes || plaintext payload)
 *   hash   = SHA-256(previous hash, 32 bytes || decision id, 16 bytes || seq, 8 bytes big-endian ||
 * digest) The first previous hash is 32 zero bytes. The salt is drawn once an event and kept for
 * its retries. */
#pragma once
#include "libcommon/io/pg.h"
#include "libcommon/sec/crypt.h"

struct event {
    int64_t seq;
    const char *type; /* reason plan tool observe ask repair budget resume final error cancel */
    const char *name; /* NULL, or the tool, stage, ... */
    const char *action_id, *parent_id; /* parent NULL: none */
    const char *actor;  /* "model:NAME", "tool:NAME", "engine", "agent:NODE", "user:ID" */
    bool taint;         /* the payload holds, or follows from, untrusted text */
    struct str payload; /* exact plaintext bytes: a JSON object; {NULL,0}: erased */
    const char *model;
    int64_t tokens_in, tokens_out; /* -1: none */
    double cost_usd;               /* NAN: none or unknown */
    int64_t started_us, duration_ms, created_us;
    uint8_t salt[16], digest[32], hash[32], previous_hash[32];
    bool salted;
};

/* Draws the salt unless there, then computes digest and hash for this place in the chain. */
void event_chain(struct event *e, struct uuid decision, int64_t seq, const uint8_t previous[32]);
/* Recomputes: true when digest and hash fit payload (if not erased), place and previous hash. */
bool event_verify(const struct event *e, struct uuid decision, const uint8_t previous[32]);

/* Appends n chained events (seq rising by one) in one statement; pg_affected n, or 0 when the lease
 * or the place is lost. */
int events_add_append(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                      struct uuid tenant, struct uuid decision, int64_t epoch,
                      const struct event *e, int n);
/* Events with seq > after, in order, at most limit (0: all). */
int events_add_load(struct pg_batch *b, struct arena *a, struct uuid decision, int64_t after,
                    int limit);
int events_read(const struct pg_result *r, int stmt, struct arena *a, const struct keyring *ring,
                struct uuid decision, struct event **out, int *count, struct err *err) MUST_CHECK;
