/* zygote.h: the process that makes children. It is forked first thing in main, before a thread,
 * curl, OpenSSL or rdkafka exists, so its children are clean, small, and may run plain blocking
 * code. It does nothing but fork; it dies with its parent and its children die with it, by the
 * kernel's hand (PR_SET_PDEATHSIG), also when the parent is killed by -9. */
#pragma once
#include "libcommon/base/err.h"

struct zygote {
    int fd; /* to the parent's end: readable (end of file) when the zygote is gone */
};

/* Forks. Returns in the parent alone; the zygote serves until its parent is gone. */
int zygote_start(struct zygote *z, struct err *err) MUST_CHECK;
/* A new child that serves frames (child.h) on the returned non-blocking descriptor. Does not
 * block. ERR_UNAVAILABLE when the zygote is gone. */
int zygote_spawn(struct zygote *z, int *out_fd, struct err *err) MUST_CHECK;
void zygote_stop(struct zygote *z); /* with all its children */
