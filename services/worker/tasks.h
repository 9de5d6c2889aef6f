/* tasks.h: the table of what this worker runs. A new job: a row in tasks.c and a task_NAME.c. */
#pragma once
#include "libcommon/base/compat.h"

struct job;

enum task_where { TASK_CHILD, TASK_LOOP };

struct task {
    const char *name;
    enum task_where where;
    const char *child;            /* TASK_CHILD: the function in child.c; gets {"args", "kwargs"} */
    void (*start)(struct job *j); /* TASK_LOOP: ends with job_succeed or job_fail */
    void (*stop)(struct job *j);  /* TASK_LOOP: cancels every op in flight; may be NULL */
    int soft_s, hard_s;           /* time limits; the message's own come first; 0: none */
    int max_retries;              /* of failures that are worth it */
    int backoff_s, backoff_max_s; /* pause before a retry: backoff * 2^retries, with jitter */
    bool rows;                    /* kwargs.job_id names a row in PostgreSQL */
};

/* NULL: no such task. */
const struct task *task_find(const char *name);
int task_count(void);
const struct task *task_at(int i);

/* Seconds until retry number `retries` (from 0). */
int task_pause_s(const struct task *t, int retries);

void task_echo_start(struct job *j);
void task_ingest_start(struct job *j);
void task_ingest_stop(struct job *j);
void task_outbox_start(struct job *j);
void task_sweep_start(struct job *j);
