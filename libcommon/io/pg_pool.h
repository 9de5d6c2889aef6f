/* pg_pool.h: what pg.c (which batch travels when) and pg_pool.c (the connections) share.
 *
 *   job: a submitted batch.   unit: one transaction on the wire, ended by one Sync; holds one job,
 * or a group of PG_SHARE jobs, or none (a ping).   link: one connection.
 *
 *   link:  CLOSED --demand--> CONNECTING (in a thread) --> UP (idle or with units in flight)
 *             \<-- refused, with backoff --/               |
 *              \<------------ lost, or idle for idle_s ----/ */
#pragma once
#include "libcommon/ev/backoff.h"
#include "libcommon/io/pg_internal.h"

/* An answer, if only to a ping, is expected every two seconds. */
#define PG_READY_US 7000000

enum pg_queue { PG_QUEUE_READ, PG_QUEUE_SHARED, PG_QUEUE_SINGLE, PG_QUEUE__MAX };

struct pg_job {
    struct list link; /* in a queue of the pool while it waits, else in its unit */
    struct pg *pg;
    struct pg_op *op;             /* NULL: nobody waits for it any more */
    const struct pg_batch *batch; /* this and result are there only while op is */
    struct pg_result *result;
    int64_t submitted_us, deadline_us;
    unsigned flags;
    bool waiting;
    bool alone; /* its group failed: not with others again */
    int tries;
};

struct pg_unit {
    struct list link; /* of pg_link.units, in order of sending */
    struct list jobs;
    int count;
    bool shared;
    bool synced;     /* its Sync may have reached the server */
    int64_t lock_ms; /* the longest wait for a lock; 0: any */
    int64_t overdue_us;
    bool failed_at_sync;
    struct pg_failure failure;
};

enum pg_link_state { PG_LINK_CLOSED, PG_LINK_CONNECTING, PG_LINK_UP };

struct pg_attempt;

struct pg_link {
    struct pg *pg;
    enum pg_link_state state;
    struct pg_attempt *attempt;
    struct pg_wire wire;
    struct watch watch;
    struct list units;
    bool unwanted; /* to be closed when it is idle */
    int64_t idle_since_us;
};

struct pg {
    unsigned magic;
    struct loop *loop;
    struct pg_options opt;
    char *url, *application_name;
    struct list queues[PG_QUEUE__MAX];
    int waiting[PG_QUEUE__MAX], turn;
    struct deferred kick;
    struct pg_link *links; /* opt.max */
    struct backoff backoff;
    struct timer retry, tick;
    int64_t heard_us; /* when a server last answered */
    bool down_logged;
    int lost; /* connections lost and not yet made again */
};

/* pg.c */
void pg_kick(struct pg *pg);                             /* dispatch later in this turn */
void pg_unit_done(struct pg_link *l, struct pg_unit *u); /* its Sync was answered */
/* The connection is gone: what of the unit is sure, and what becomes of its jobs. */
void pg_unit_lost(struct pg *pg, struct pg_unit *u, bool surely_undone, const struct err *why);

/* pg_pool.c */
void pg_links_init(struct pg *pg);
void pg_links_done(struct pg *pg);
/* An idle connection or NULL; places: how many are idle or could soon be there. */
struct pg_link *pg_link_idle(struct pg *pg, int *places);
int pg_links_sharing(const struct pg *pg); /* connections with a group commit in flight */
void pg_links_grow(struct pg *pg);         /* one more connection, if that is due and allowed */
void pg_links_renew(struct pg *pg); /* closes each as soon as it is idle, and connects anew */
void pg_links_unprepare(struct pg *pg);
void pg_link_flush(struct pg_link *l);
void pg_link_lost(struct pg_link *l, const char *why);
