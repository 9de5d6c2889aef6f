/* child.c: reads a request, runs the function that the table has under its name, writes the answer.
 * Plain blocking code without a loop; its memory is one arena that is emptied between jobs. */
#include "libcommon/base/compat.h"
#include <errno.h>
#include <unistd.h>
#include "libcommon/base/fault.h"
#include "libcommon/base/json.h"
#include "services/worker/child.h"

static const struct {
    const char *name;
    child_fn *fn;
} functions[] = {
    {"chunks", child_chunks},
    {"skill", child_skill},
};

static bool read_all(int fd, void *p, size_t n)
{
    char *to = p;

    while (n > 0) {
        ssize_t got = read(fd, to, n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *p, size_t n)
{
    const char *from = p;

    while (n > 0) {
        ssize_t put = write(fd, from, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        from += put;
        n -= (size_t)put;
    }
    return true;
}

static struct str fault_json(struct arena *a, const struct child_fault *f)
{
    cJSON *o = json_obj(a), *details;

    json_add_str(o, "code", f->code != NULL ? f->code : "SKILL_EXECUTION_FAILED");
    json_add_str(o, "message", f->message != NULL ? f->message : "the job failed");
    details = json_add_obj(o, "details");
    json_add_str(details, "field", f->field != NULL ? f->field : "");
    json_add_str(details, "reason", f->reason != NULL ? f->reason : "");
    return json_print(a, o);
}

static bool answer(int fd, struct arena *a, const char *name, struct str input)
{
    struct child_fault fault = {.message = "the worker has no such function"};
    struct str out = {0};
    int rc = ERR_NOTFOUND;
    uint32_t n;
    char kind;

    if (FAULT("child.run"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strcmp(name, functions[i].name) == 0)
            rc = functions[i].fn(a, input, &out, &fault);
    if (rc == 0 && out.n > CHILD_FRAME_MAX) {
        rc = ERR_TOOBIG;
        fault = (struct child_fault){.reason = "too_big", .message = "the output is too big"};
    }
    if (rc != 0)
        out = fault_json(a, &fault);
    n = (uint32_t)out.n;
    kind = rc == 0 ? 'O' : 'E';
    return write_all(fd, &n, sizeof(n)) && write_all(fd, &kind, 1) && write_all(fd, out.p, out.n);
}

void child_serve(int fd)
{
    struct arena *a = arena_new();
    uint32_t pid = (uint32_t)getpid(), len[2];

    if (!write_all(fd, &pid, sizeof(pid)))
        return;
    while (read_all(fd, len, sizeof(len))) {
        char *name, *input;

        if (len[0] > 256 || len[1] > CHILD_FRAME_MAX)
            return;
        name = arena_alloc(a, len[0] + 1);
        input = arena_alloc(a, len[1] + 1);
        if (!read_all(fd, name, len[0]) || !read_all(fd, input, len[1]) ||
            !answer(fd, a, name, (struct str){input, len[1]}))
            return;
        arena_reset(a);
    }
}
