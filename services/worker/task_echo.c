/* task_echo.c: ceoagent.echo, for checks from outside: returns its arguments byte for byte: args
 * alone as an array, kwargs alone as an object, both as {"args", "kwargs"}. */
#include "libcommon/base/compat.h"
#include "services/worker/job.h"

static bool is_empty(struct str raw)
{
    return str_trim((struct str){raw.p + 1, raw.n - 2}).n == 0;
}

void task_echo_start(struct job *j)
{
    struct str args = j->body.args, kwargs = j->body.kwargs;

    if (is_empty(kwargs))
        job_succeed(j, args);
    else if (is_empty(args))
        job_succeed(j, kwargs);
    else
        job_succeed(j, str_of(arena_printf(j->arena, "{\"args\": %.*s, \"kwargs\": %.*s}",
                                           STR_ARG(args), STR_ARG(kwargs))));
}
