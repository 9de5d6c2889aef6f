/* pg_internal.h: what the files of this adapter share. pg_batch.c builds batches and reads results,
 * pg_wire.c puts a batch onto a libpq connection and reads what comes back, pg_pool.c keeps the
 * connections, pg.c decides which batch travels when, pg_sync.c does the same without a loop. */
#pragma once
/* libpq has a `struct pg_result` too (behind its PGresult); the name is ours in pg.h. */
#define pg_result libpq_result
#include <libpq-fe.h>
#undef pg_result
#include "libcommon/base/list.h"
#include "libcommon/io/pg.h"

/* --- batches and results (pg_batch.c) ------------------------------------------------------ */

struct pg_call {
    const struct pg_stmt *stmt;
    const char **values;
    int *lengths, *formats;
};

struct pg_batch {
    unsigned magic;
    struct arena *arena;
    enum pg_role role;
    char tenant[UUID_LEN + 1]; /* "" for none */
    const char *user;          /* "" for none */
    bool see_all;
    unsigned flags;
    int count, cap;
    struct pg_call *calls;
    size_t bytes; /* of all parameters */
};

struct pg_result {
    unsigned magic;
    struct arena *arena;
    int count;
    PGresult **rows; /* by statement; NULL until it came */
};

/* An empty result for the batch, in its arena, cleared with it. */
struct pg_result *pg_result_new(const struct pg_batch *b);
void pg_result_clear(struct pg_result *r);

/* --- one connection (pg_wire.c) ------------------------------------------------------------ */

/* Which statements are prepared on a connection: a hash table by the address of the statement.
 * Names are numbers, so that two statements can't clash and one that went stale gets a new one. */
struct pg_prepared {
    struct {
        const struct pg_stmt *stmt; /* NULL: free */
        unsigned number;
    } * slots;
    unsigned cap, count, last;
};
void pg_prepared_clear(struct pg_prepared *p); /* forgets all; names go on */
void pg_prepared_done(struct pg_prepared *p);

/* What the next result of a connection answers. */
enum pg_reply { PG_REPLY_PREPARE, PG_REPLY_BEGIN, PG_REPLY_CALL, PG_REPLY_SYNC };
struct pg_slot {
    enum pg_reply kind;
    int index;                  /* of the statement in its batch */
    const struct pg_stmt *stmt; /* PG_REPLY_PREPARE */
    void *owner;                /* of the batch: what pg_wire_batch was given */
};

/* A queue of slots, growing ring. */
struct pg_slots {
    struct pg_slot *p;
    unsigned cap, head, count;
};
void pg_slots_push(struct pg_slots *q, struct pg_slot s);
struct pg_slot pg_slots_pop(struct pg_slots *q);
void pg_slots_done(struct pg_slots *q);

struct pg_wire {
    PGconn *conn;
    bool prepare;
    bool switches_roles; /* false: roles are not there (development), all runs as the login user */
    struct pg_prepared prepared;
    struct pg_slots slots;
};

/* The URL with our defaults added, as arrays for PQconnectdbParams; one block, free() it. NULL when
 * the URL does not parse. */
struct pg_params {
    const char *keys[64], *values[64];
};
struct pg_params *pg_params_new(const char *url, const char *application_name);
/* Blocking: connects, checks the roles, makes it non-blocking when asked. Takes no loop, so it may
 * run in a thread. On failure *out stays NULL. */
int pg_wire_connect(const struct pg_params *params, bool require_role, bool nonblocking,
                    PGconn **out, bool *switches_roles, struct err *err) MUST_CHECK;
void pg_wire_done(struct pg_wire *w); /* closes; repeatable */

/* How long one statement may run, and may wait for a lock; 0: no limit. */
struct pg_limits {
    int64_t statement_ms, lock_ms;
};
/* Puts one batch into the connection's pipeline (no Sync). False: the connection is broken. */
bool pg_wire_batch(struct pg_wire *w, const struct pg_batch *b, struct pg_limits limits,
                   void *owner);
bool pg_wire_sync(struct pg_wire *w, void *owner);
/* A failed statement: what has to be forgotten about prepared statements. */
void pg_wire_unprepare(struct pg_wire *w, const struct pg_slot *slot);

struct pg_failure {
    int code; /* ERR_*, 0: none */
    char sqlstate[6];
    char constraint[64];
    bool fatal;         /* the server ends this session */
    bool stale;         /* a prepared statement has to be prepared again */
    bool read_only;     /* a standby answers: the wrong server */
    bool serialization; /* worth the same again */
    struct err err;
};
void pg_failure_read(struct pg_failure *f, const PGresult *r);
