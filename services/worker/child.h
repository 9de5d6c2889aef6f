/* child.h: the far side of the pool: a process that runs one job function after the other,
 * blocking, and the frames it is spoken to with.
 *
 *   child says first:  u32 pid
 *   request:           u32 name length, u32 input length, name, input
 *   answer:            u32 output length, u8 'O' (done) or 'E' (fault), output
 *
 * Numbers are in host order: both ends are one program. A fault's output is JSON, as stored in job
 * rows: {"code", "message", "details": {"field", "reason"}}. The soft limit is SIGTERM, the hard
 * one SIGKILL; both end the process, since a pure C function can't be unwound safely. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/buf.h"

#define CHILD_FRAME_MAX (32u << 20)

struct child_fault {
    const char *code, *field, *reason, *message; /* of the arena, or static */
};

/* 0 with *out (arena's), or any ERR_* with *fault filled. */
typedef int child_fn(struct arena *a, struct str input, struct str *out, struct child_fault *fault);

/* Serves fd until it is closed by the parent. */
void child_serve(int fd);

/* The functions of the table in child.c. */
child_fn child_skill; /* task_skill.c: {"args": [...], "kwargs": {...}} -> the tool's output */
child_fn
    child_chunks; /* task_ingest.c: content type, a line feed, bytes -> [[start, end, heading]], a
                     line feed, and the text that was made of them, if it is not the bytes */
