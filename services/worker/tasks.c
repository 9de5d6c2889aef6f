/* tasks.c: the table of tasks, sorted by name. */
#include "libcommon/base/compat.h"
#include "libcommon/base/id.h"
#include "services/worker/tasks.h"

static const struct task tasks[] = {
    {.name = "ceoagent.echo", .where = TASK_LOOP, .start = task_echo_start, .rows = true},
    {.name = "ceoagent.ingest",
     .where = TASK_LOOP,
     .start = task_ingest_start,
     .stop = task_ingest_stop,
     .soft_s = 60,
     .hard_s = 70,
     .max_retries = 3,
     .backoff_s = 2,
     .backoff_max_s = 60},
    {.name = "ceoagent.outbox", .where = TASK_LOOP, .start = task_outbox_start},
    {.name = "ceoagent.skill",
     .where = TASK_CHILD,
     .child = "skill",
     .soft_s = 30,
     .hard_s = 35,
     .max_retries = 1,
     .backoff_s = 1,
     .backoff_max_s = 10,
     .rows = true},
    {.name = "ceoagent.sweep", .where = TASK_LOOP, .start = task_sweep_start},
};

const struct task *task_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
        if (strcmp(name, tasks[i].name) == 0)
            return &tasks[i];
    return NULL;
}

int task_count(void)
{
    return (int)ARRAY_LEN(tasks);
}

const struct task *task_at(int i)
{
    return &tasks[i];
}

int task_pause_s(const struct task *t, int retries)
{
    int64_t pause = (int64_t)t->backoff_s << MIN(retries, 20);
    uint32_t r;

    pause = MIN(pause, t->backoff_max_s);
    random_bytes(&r, sizeof(r));
    return (int)(pause / 2 + (int64_t)(r % (uint32_t)(pause / 2 + 1)));
}
