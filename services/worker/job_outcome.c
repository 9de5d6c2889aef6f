/* job_outcome.c: what came of a job: a value, or a fault with the exception that Celery's clients
 * see, and whether it is worth another try. */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "services/worker/job.h"

void job_fault(struct job *j, enum job_end end, const char *type, const char *module,
               const char *code, const char *message)
{
    cJSON *o = json_obj(j->arena), *details;

    json_add_str(o, "code", code);
    json_add_str(o, "message", message);
    details = json_add_obj(o, "details");
    json_add_str(details, "field", "");
    json_add_str(details, "reason", "job");
    j->end = end;
    j->exc_type = type;
    j->exc_module = module;
    j->message = arena_strdup(j->arena, message);
    j->value = json_print(j->arena, o);
}

/* A fault that the child wrote: {code, message, details}. */
static void take_fault(struct job *j, struct str fault)
{
    cJSON *o = NULL;

    j->end = JOB_FAILURE;
    j->value = arena_str(j->arena, fault);
    if (json_parse(j->arena, j->value, JSON_DEPTH_MAX, &o, NULL) != 0) {
        job_fault(j, JOB_FAILURE, "RuntimeError", NULL, "SKILL_EXECUTION_FAILED",
                  "the child's answer could not be read");
        return;
    }
    j->exc_type = strcmp(json_str(o, "code", ""), "SKILL_INVALID_PARAMS") == 0 ? "ValueError"
                                                                               : "RuntimeError";
    j->message = json_str(o, "message", "");
}

/* Worth another try, and one is left. */
static void plan_retry(struct job *j)
{
    int retries = j->has_row ? j->row.attempts - 1 : j->delivery->msg.retries;

    if (j->task == NULL || retries >= j->task->max_retries)
        return;
    j->end = JOB_RETRY;
    j->retry_at_us = clock_wall_us() + (int64_t)task_pause_s(j->task, retries) * 1000000;
}

void job_succeed(struct job *j, struct str value)
{
    j->end = JOB_SUCCESS;
    j->value = value;
    flow_wake(&j->flow, WAKE_REPLY);
}

void job_fail(struct job *j, const char *code, const char *message, bool retry)
{
    job_fault(j, JOB_FAILURE, "RuntimeError", NULL, code, message);
    if (retry)
        plan_retry(j);
    flow_wake(&j->flow, WAKE_REPLY);
}

static int64_t limit_ms(double of_message, int of_task)
{
    return of_message > 0 ? (int64_t)(of_message * 1000) : (int64_t)of_task * 1000;
}

void job_call(struct job *j, const char *function, struct str input,
              void (*done)(struct pool_call *c))
{
    const struct message *m = &j->delivery->msg;

    pool_run(j->w->pool, &j->call, function, input, limit_ms(m->soft_limit_s, j->task->soft_s),
             limit_ms(m->hard_limit_s, j->task->hard_s), done, j);
}

void job_judge_call(struct job *j)
{
    switch (j->call.outcome) {
    case POOL_DONE:
        j->end = JOB_SUCCESS;
        j->value = arena_str(j->arena, buf_view(&j->call.answer));
        break;
    case POOL_FAULT:
        take_fault(j, buf_view(&j->call.answer));
        break;
    case POOL_SOFT:
        job_fault(j, JOB_FAILURE, "SoftTimeLimitExceeded", "celery.exceptions",
                  "SKILL_EXECUTION_FAILED", "the soft time limit is over");
        break;
    case POOL_HARD:
        job_fault(j, JOB_FAILURE, "TimeLimitExceeded", "celery.exceptions",
                  "SKILL_EXECUTION_FAILED", "the time limit is over");
        break;
    case POOL_DIED:
        job_fault(j, JOB_LOST_CHILD, "WorkerLostError", "billiard.exceptions",
                  "SKILL_EXECUTION_FAILED", "the process of the job died");
        break;
    }
}
