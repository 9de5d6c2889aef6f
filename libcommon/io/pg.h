/* pg.h: PostgreSQL for a loop: a pool of libpq connections in pipeline mode. The unit of work is a
 * batch: some statements with parameters, for one tenant under one role, sent in one go and ended
 * by one Sync, so that they are one implicit transaction. It begins with
 *     set_config('role', ..., true), set_config('app.tenant', ..., true)
 * (and 'app.user'), which PostgreSQL forgets at the transaction's end: nothing leaks to the next
 * user of the connection, PgBouncer included.
 *
 * Batches marked PG_SHARE that are waiting when a connection becomes free travel in one
 * transaction, each under its own set_config (group commit). If that transaction fails, each of its
 * batches is retried alone, so one bad row harms nobody else. No result is reported before the
 * commit.
 *
 * Retry: a batch that surely never reached the server is sent again within its deadline. After a
 * connection was lost with the batch in flight its outcome is unknown: ERR_UNAVAILABLE, unless the
 * batch is marked PG_IDEMPOTENT (reads, and writes that may be applied twice), which is sent again.
 * "cached plan must not change result type" re-prepares once.
 *
 * Threads: one loop. Pools are lazy; `host=a,b` is libpq's and target_session_attrs=read-write is
 * set unless the URL says otherwise. Lost connections are made again with backoff. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/id.h"
#include "libcommon/ev/op.h"

struct pg;
struct pg_batch;
struct pg_result;

/* ceoagent_app (row-level security), ceoagent_service (sweeps), or the login user itself
 * (migrations) */
enum pg_role { PG_APP, PG_SERVICE, PG_OWNER };

/* A statement of the suite: static const, one per SQL text. With DATABASE_PREPARE=on it is prepared
 * once a connection under `name`. Parameters are $1 ... $n with explicit casts ($1::uuid). */
struct pg_stmt {
    const char *name;
    const char *sql;
    int params;
};

#define PG_SHARE 1u      /* may commit together with others */
#define PG_IDEMPOTENT 2u /* may be sent again when its outcome is unknown */
#define PG_READ 4u       /* no write: implies PG_IDEMPOTENT; never waits for a commit */

struct pg_options {
    const char *url; /* URL or key/value form */
    int min, max;    /* connections */
    int idle_s;      /* above min, closed after */
    bool prepare;
    bool require_role; /* production: a session that can't switch role is an error */
    const char *application_name;
};

/* Returns at once; connects in the loop. ERR_INVALID when the URL does not parse. */
int pg_new(struct loop *l, const struct pg_options *opt, struct pg **out,
           struct err *err) MUST_CHECK;
void pg_free(struct pg *pg); /* cancels what waits; NULL is fine */
/* A new password or server: connections are replaced as they become idle; work goes on. */
int pg_set_url(struct pg *pg, const char *url, struct err *err) MUST_CHECK;
/* A connection is established and answered recently (checked every few seconds while idle). */
bool pg_ready(const struct pg *pg);
/* Batches that wait for a connection. */
int pg_waiting(const struct pg *pg);

/* tenant may be NULL for PG_SERVICE. user NULL: none. The batch lives in the arena. */
struct pg_batch *pg_batch_new(struct arena *a, enum pg_role role, const struct uuid *tenant,
                              const char *user, bool see_all, unsigned flags);

/* Parameters in text or binary form; the bytes are copied into the arena. NULL p is SQL NULL. */
struct pg_param {
    const char *p;
    int n;
    bool binary;
};
#define PG_NULL ((struct pg_param){0})
struct pg_param pg_z(const char *z);                /* NULL gives SQL NULL */
struct pg_param pg_str(struct str s);               /* s.p NULL gives SQL NULL */
struct pg_param pg_bytes(const void *p, size_t n);  /* bytea, binary */
struct pg_param pg_i64(struct arena *a, int64_t v); /* text of the number */
struct pg_param pg_f64(struct arena *a, double v);  /* 17 digits; NULL for NaN */
struct pg_param pg_bool(bool v);
struct pg_param pg_uuid(struct arena *a, struct uuid u);
struct pg_param pg_uuids(struct arena *a, const struct uuid *u, int n); /* "{..}" uuid[] */
struct pg_param pg_texts(struct arena *a, const char *const *z, int n); /* "{..}" text[] */
struct pg_param pg_i64s(struct arena *a, const int64_t *v, int n);      /* "{..}" bigint[] */
struct pg_param pg_byteas(struct arena *a, const struct str *v,
                          int n); /* bytea[], binary; p NULL: NULL */

/* Appends a statement; returns its index among the results. */
int pg_batch_add(struct pg_batch *b, const struct pg_stmt *stmt, const struct pg_param *params);

struct pg_op {
    struct op op; /* op.err: 0, or INVALID (constraint, syntax), CONFLICT (unique, serialization,
                     exclusion), DENIED, TIMEOUT, UNAVAILABLE, ... */
    struct pg_result *result; /* when op.err.code is 0; belongs to the batch's arena */
    char sqlstate[6];         /* of the error, or "" */
    char constraint[64];      /* the violated constraint's name, or "" */
    void *priv;
};

/* Submits. The arena must live until the callback or op_cancel (a write that was sent may still
 * be committed after op_cancel). deadline_ms covers waiting too. */
void pg_submit(struct pg *pg, struct pg_batch *b, int64_t deadline_ms, struct pg_op *op,
               op_fn *done, void *arg);

/* Results by statement index, row, column (text form unless the column is bytea, which is decoded).
 */
int pg_rows(const struct pg_result *r, int stmt);
/* Rows affected by an INSERT/UPDATE/DELETE, or rows returned. */
int64_t pg_affected(const struct pg_result *r, int stmt);
bool pg_isnull(const struct pg_result *r, int stmt, int row, int col);
struct str pg_get(const struct pg_result *r, int stmt, int row, int col);   /* NULL: {NULL, 0} */
const char *pg_getz(const struct pg_result *r, int stmt, int row, int col); /* NULL: NULL */
int64_t pg_get_i64(const struct pg_result *r, int stmt, int row, int col);  /* NULL: 0 */
double pg_get_f64(const struct pg_result *r, int stmt, int row, int col);
bool pg_get_bool(const struct pg_result *r, int stmt, int row, int col);
struct uuid pg_get_uuid(const struct pg_result *r, int stmt, int row, int col);
struct str pg_get_bytes(const struct pg_result *r, int stmt, int row, int col);
/* One-dimensional arrays; the elements in the arena, NULL elements as NULL. Returns their number.
 */
int pg_get_texts(const struct pg_result *r, int stmt, int row, int col, const char ***out);
int pg_get_uuids(const struct pg_result *r, int stmt, int row, int col, struct uuid **out);

/* LISTEN/NOTIFY is not used: PgBouncer would lose it. */

/* --- blocking use: migrations, subcommands, children of the worker ------------------------- */
struct pg_sync;
int pg_sync_open(const char *url, struct pg_sync **out, struct err *err) MUST_CHECK;
void pg_sync_close(struct pg_sync *s);
/* A whole script (several statements) outside of any batch. */
int pg_sync_script(struct pg_sync *s, const char *sql, struct err *err) MUST_CHECK;
/* The same batches, run to their end. */
int pg_sync_run(struct pg_sync *s, struct pg_batch *b, struct pg_result **out,
                struct err *err) MUST_CHECK;
