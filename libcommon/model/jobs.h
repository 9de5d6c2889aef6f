/* jobs.h: the row behind each job that somebody waits for. The message in Redis names the job; the
 * row has its arguments and, at the end, its result. (decision, action) is unique: a repeated
 * enqueue after a crash finds the old row. */
#pragma once
#include "libcommon/io/pg.h"
#include "libcommon/sec/crypt.h"

struct job_row {
    struct uuid id, tenant;
    const char *task, *queue;
    int priority;
    struct str args; /* JSON object */
    bool has_decision;
    struct uuid decision;
    const char *action_id;
    const char *status; /* pending running success failure revoked */
    struct str result;  /* JSON; {NULL,0} for none */
    struct str error;   /* JSON {code, message, details}; {NULL,0} for none */
    int attempts;
    int64_t lease_epoch;
    const char *traceparent;
    int64_t created_us;
};

/* Inserts, or finds the row of the same (decision, action); the statement returns the row's job_id
 * and status (columns 0 and 1). */
int jobs_add_insert(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                    const struct job_row *j);
int jobs_add_get(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n);
int jobs_read(const struct pg_result *r, int stmt, int row, struct arena *a,
              const struct keyring *ring, struct job_row *out, struct err *err) MUST_CHECK;
/* The worker's claim: pending, or running with an ended lease; epoch + 1. No row: nothing to do.
 * PG_SERVICE. */
int jobs_add_claim(struct pg_batch *b, struct arena *a, struct uuid id, const char *owner,
                   int64_t lease_ms);
int jobs_add_renew(struct pg_batch *b, struct arena *a, const struct uuid *ids,
                   const int64_t *epochs, int n,
                   int64_t lease_ms); /* rows: ids still held, renewed bool (see decisions.h) */
/* Ends it, fenced by epoch: status success or failure. error_json {NULL,0} for success. */
int jobs_add_end(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                 const struct job_row *j, const char *status, struct str result,
                 struct str error_json);
/* Hands it back (drain, dead child) with a delay. Fenced. */
int jobs_add_release(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                     int64_t delay_ms);
/* The sweep: due and unclaimed for grace_ms, or lease ended; moves due_at on by again_ms, so that
 * two sweepers don't both enqueue. Rows as jobs_read. PG_SERVICE. */
int jobs_add_due(struct pg_batch *b, struct arena *a, int64_t grace_ms, int64_t again_ms,
                 int limit);
