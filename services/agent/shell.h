/* shell.h: a run in this process: it performs what the engine asks for and records what happened.
 *
 *   LOADING --log folded--> PLAYING --final event committed--> gone
 *      \                       |  \--run_release (drain)--> RELEASING --handed back--> gone
 *       \----------------------+--lease lost, log unreadable--> gone (another agent goes on)
 *
 * One appender a run: what flows hand in is chained and committed in order, several at once when
 * they wait together, and folded only after the commit. An append whose outcome is unknown is
 * settled by reading the log: it is idempotent on (decision, seq, hash). */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/trace.h"
#include "libcommon/ev/backoff.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/events.h"
#include "services/agent/app.h"

struct run;

/* Takes over a claimed decision (its strings are copied). */
void run_start(struct app *app, const struct decision *claimed, int64_t lease_until_us);
struct run *run_find(struct app *app, struct uuid decision);

/* The lease: what to renew, and what became of it. lease_until_us: monotonic, counted from before
 * the renewal was sent. */
struct uuid run_id(const struct run *r);
int64_t run_epoch(const struct run *r);
/* Still held in this round of renewals; lease_until_us 0: not prolonged this time. */
void run_renewed(struct run *r, unsigned round, int64_t lease_until_us, bool cancel_asked);
unsigned run_lease_round(const struct run *r);
int64_t run_lease_until(const struct run *r);
/* The lease is gone: stops every call at once and forgets the run; nothing is written. */
void run_lost(struct run *r, const char *why);
/* Ends it at somebody's wish: calls in flight are cancelled down to their sockets. Repeatable. */
void run_cancel(struct run *r);
/* Hands it back: at once, or when its calls in flight are recorded. */
void run_release(struct run *r, bool now);

/* --- for actions.c --------------------------------------------------------------------------- */

struct run {
    unsigned magic;
    struct app *app;
    struct arena *arena; /* of the run */
    struct decision decision;
    struct span span; /* agent_execution, under the request's */
    cJSON *request;   /* what the engine sees */
    struct engine *engine;
    struct list actions; /* action_flow.link: in flight */
    struct list appends; /* append.link: waiting, then in flight */
    int in_flight;       /* how many at the head of appends are being committed */
    struct arena *append_arena;
    unsigned lease_round; /* the last one that saw it held */
    struct pg_op append_op;
    int append_stmt; /* of append_op's batch: what to read */
    struct backoff append_backoff;
    struct timer append_timer, seconds_timer;
    int64_t lease_until_us;
    int64_t claimed_us;
    bool cancelling, releasing, seconds_out;
    bool append_refused; /* the last append found its place or its lease taken */
};
#define RUN_MAGIC 0x52554e31u

/* Something to record: events (without seq and chain) and, for the last one of a run, its end. */
struct append {
    struct list link;
    struct arena *arena; /* owned: freed after the fold */
    struct event *events;
    int count;
    const struct decision_end *end; /* NULL unless the decision ends with it */
    void (*done)(struct append *ap, const struct err *err); /* code 0: committed and folded */
    void *arg;
};
struct append *append_new(struct run *r, int events);
void run_append(struct run *r, struct append *ap);

/* After each fold: starts what the engine allows now. */
void run_pump(struct run *r);
/* --- between shell.c and recorder.c ---------------------------------------------------------- */

void run_recorder_init(struct run *r);
void run_appends_kick(struct run *r);
bool run_loading(const struct run *r);
int run_fold(struct run *r, const struct event *e, struct err *err) MUST_CHECK;
void run_drop_actions(struct run *r);
void run_forget(struct run *r); /* takes it off the table; freed at the end of the turn */
void run_release_if_idle(struct run *r);

/* An action is over: it leaves the run's list. */
void run_action_done(struct run *r);
