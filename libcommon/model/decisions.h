/* decisions.h: the decisions table: accept, claim, renew, finish, read. Functions named
 * decisions_add_* append their statements to a batch (so that one transaction can hold several
 * rooms' parts) and return the index of the statement to read afterwards; decisions_read_* read
 * that statement's rows.
 *
 * State:  pending --claim--> running <--> waiting_input
 *            |                 |  \--finish--> completed | failed | cancelled
 *            \--------- (lease ended: claimed again with epoch + 1) */
#pragma once
#include "libcommon/io/pg.h"
#include "libcommon/sec/crypt.h"

/* The tenant of every request until identity comes. */
#define TENANT_DEFAULT "00000000-0000-7000-8000-000000000001"

struct decision {
    struct uuid id, tenant, user, session;
    const char *query;
    struct str context; /* exact bytes as sent; {NULL,0} when there was none */
    const char **options;
    int option_count;
    struct uuid *documents;
    int document_count;
    const char *type, *agent_mode;
    struct str params; /* JSON object */
    const char *request_id, *traceparent;
    const char *status;
    int64_t head_seq;
    uint8_t head_hash[32];
    int64_t lease_epoch;
    int attempts;
    bool cancel_asked;
    const char *lang; /* NULL before it is known */
    bool degraded;
    const char **skills;
    int skill_count;
    struct str result, agent, usage, error, feedback; /* JSON; {NULL,0} for none */
    int64_t created_us, updated_us, completed_us;     /* completed_us 0: not yet */
};

/* --- the gateway ---------------------------------------------------------------------------- */

/* Inserts the row of a new decision (ids and texts of *d; status pending). With key != NULL also
 * the idempotency key, first: when the key exists already (for this tenant and user, younger than
 * 24 h), no decision is inserted. Read by decisions_read_accept. */
struct accept {
    bool inserted;
    int64_t created_us; /* inserted: of the new row */
    /* !inserted: what the key stands for */
    struct uuid target;
    bool same_body; /* same route and body */
};
int decisions_add_accept(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                         const struct decision *d, const char *key, const char *route,
                         const uint8_t body_sha256[32]);
void decisions_read_accept(const struct pg_result *r, int stmt, struct accept *out);

/* One decision, all columns; context is unsealed when ring is given. ERR_NOTFOUND when there is no
 * row that this transaction's tenant and user may see. */
int decisions_add_get(struct pg_batch *b, struct arena *a, struct uuid id);
int decisions_read(const struct pg_result *r, int stmt, int row, struct arena *a,
                   const struct keyring *ring, struct decision *out, struct err *err) MUST_CHECK;

struct decision_filter {
    const char *status, *type; /* NULL: any */
    int64_t from_us, to_us;    /* 0: open */
    int limit, offset;         /* page */
    int64_t cursor_us;         /* with cursor_id: rows older than that place; 0: none */
    struct uuid cursor_id;
    bool mine; /* only rows of `user`, also for those who may see all */
    struct uuid user;
};
/* Newest first, without result. Adds two statements: the rows (returned index) and, after it, the
 * total count as one row. */
int decisions_add_list(struct pg_batch *b, struct arena *a, const struct decision_filter *f);

/* Deletes the row with its events, jobs, feedback and open outbox rows. pg_affected tells. */
int decisions_add_delete(struct pg_batch *b, struct arena *a, struct uuid id);
/* Asks for the end of an open decision: pg_affected 1; 0 when it has ended already or is unknown.
 */
int decisions_add_cancel(struct pg_batch *b, struct arena *a, struct uuid id);
/* One feedback per user, the last counts; also written to decisions.user_feedback and outcome. */
int decisions_add_feedback(struct pg_batch *b, struct arena *a, struct uuid id, struct uuid user,
                           int rating, const char *comment, const char *outcome,
                           const char *outcome_note);

/* --- agents ----------------------------------------------------------------------------------- */

/* Claims up to `limit` decisions for `owner`: those of ids (n > 0), or any that are due and
 * unclaimed, or whose lease has ended (n == 0; `grace_ms` leaves young pending ones to the queue's
 * own message). FOR UPDATE SKIP LOCKED; epoch and attempts + 1; status running. PG_SERVICE. Rows by
 * decisions_read. */
int decisions_add_claim(struct pg_batch *b, struct arena *a, const struct uuid *ids, int n,
                        const char *owner, int64_t lease_ms, int64_t grace_ms, int limit);
/* Renews many leases at once, by clock_timestamp(). Rows returned: (decision_id, cancel_asked bool,
 * renewed bool) of those still held; a lease that is not returned is lost. Not renewed: the row was
 * being written at that moment (renewal waits for nobody), so its end is as before; the next
 * renewal gets it. PG_SERVICE. */
int decisions_add_renew(struct pg_batch *b, struct arena *a, const struct uuid *ids,
                        const int64_t *epochs, int n, int64_t lease_ms);
/* Hands back at drain: claimable at once by others. Fenced by epoch. PG_SERVICE. */
int decisions_add_release(struct pg_batch *b, struct arena *a, const struct uuid *ids,
                          const int64_t *epochs, int n);

struct decision_end {
    const char *status; /* completed, failed, cancelled */
    const char *lang;
    bool degraded;
    const char *const *skills;
    int skill_count;
    struct str result, agent, usage, error; /* JSON or {NULL,0} */
};
/* The end, in the transaction that appends the last event (seq): status, result, lease given up,
 * and the outbox rows: topic decision.<status> for target events, and for the webhook when params
 * has webhook_url. Fenced by epoch and head_seq = seq: pg_affected 1 when it took place. */
int decisions_add_end(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                      int64_t seq, const struct decision_end *end);
/* Sets status running or waiting_input (fenced). */
int decisions_add_status(struct pg_batch *b, struct arena *a, struct uuid id, int64_t epoch,
                         const char *status);
/* Old idempotency keys and finished jobs past their time. PG_SERVICE. */
int decisions_add_cleanup(struct pg_batch *b, struct arena *a);
