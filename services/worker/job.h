/* job.h: one job from its delivery to its end.
 *
 *   known --> claim --> run --> check --> store_row --> store_result --> settle
 *
 *   known         a redelivered job without a row: done already? then it is acknowledged
 *   claim         a job with a row in PostgreSQL (kwargs.job_id): the row's lease, fenced by its
 * epoch run           the task's function, in a child or in the loop check         is the message
 * still ours? (a job with a row asks PostgreSQL instead, by storing) store_row     the result into
 * the row, fenced store_result  the result where Celery's clients look settle        acknowledge,
 * retry later, or dead letter; tell who waits
 *
 * A job with a row goes on when its message is lost: the row decides, and nobody else can claim it.
 */
#pragma once
#include "libcommon/ev/flow.h"
#include "libcommon/model/jobs.h"
#include "services/worker/app.h"
#include "services/worker/tasks.h"

enum job_end { JOB_SUCCESS, JOB_FAILURE, JOB_RETRY, JOB_REVOKED, JOB_LOST_CHILD };

struct job {
    struct list link; /* worker.jobs */
    struct flow flow;
    struct worker *w;
    struct delivery *delivery;
    const struct task *task;
    struct arena *arena;
    struct message_body body;
    struct uuid tenant;
    bool has_row;
    struct job_row row;
    int64_t row_until_us; /* monotonic: the row's lease */
    bool renewing;        /* named in the renewal in flight */
    struct pg_op pg;
    struct redis_op redis;
    struct pool_call call;
    struct timer again;
    int tries; /* of the step */
    int64_t started_us;
    void *work; /* the task's, in the arena */
    /* outcome */
    enum job_end end;
    struct str value; /* raw JSON: the result, or a fault {code, message, details} */
    const char *exc_type, *exc_module, *message;
    int64_t retry_at_us;
};

/* Takes the delivery over: it ends in this room. */
void job_start(struct worker *w, struct delivery *d);
/* The message's lease is lost. */
void job_lost(struct job *j);
/* Gives it up now: kills its child, hands row and message back uncounted. */
void job_hand_back(struct job *j);
/* The row's lease: renewed until then, or lost. */
void job_row_renewed(struct job *j, int64_t until_us);
void job_row_lost(struct job *j);

/* For tasks in the loop: the outcome, once. value: raw JSON in the job's arena. */
void job_succeed(struct job *j, struct str value);
/* retry: worth trying again later (as the table allows). */
void job_fail(struct job *j, const char *code, const char *message, bool retry);
/* Runs a function of child.c with the task's limits; done sees j->call. */
void job_call(struct job *j, const char *function, struct str input,
              void (*done)(struct pool_call *c));

/* --- between job.c and job_outcome.c ---------------------------------------------------------- */

/* A fault of ours. type, module: the exception (module NULL: builtins); code: of the API's table.
 */
void job_fault(struct job *j, enum job_end end, const char *type, const char *module,
               const char *code, const char *message);
/* The outcome of j->call. */
void job_judge_call(struct job *j);
