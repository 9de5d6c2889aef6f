/* err.h: how a function says that it failed. A fallible function returns 0 or a negative ERR_*
 * and fills the caller's struct err (code and one sentence). There is no thread-local last error:
 * many operations interleave in one loop. */
#pragma once
#include "libcommon/base/compat.h"

/* Few codes; each stands for one reaction of the caller. */
enum err_code {
    ERR_OK = 0,
    ERR_INVALID = -1,     /* the input is wrong: tell the client */
    ERR_NOTFOUND = -2,    /* it does not exist */
    ERR_CONFLICT = -3,    /* the state does not allow it; a lease was lost */
    ERR_DENIED = -4,      /* not allowed */
    ERR_BUSY = -5,        /* full, try later */
    ERR_TIMEOUT = -6,     /* the deadline passed; the outcome may be unknown */
    ERR_UNAVAILABLE = -7, /* the peer cannot be reached: retry with backoff */
    ERR_PROTOCOL = -8,    /* the peer broke its protocol: drop the connection */
    ERR_TOOBIG = -9,      /* over a limit */
    ERR_CANCELLED = -10,  /* the owner asked for it to stop */
    ERR_INTERNAL = -11,   /* our own fault */
};

struct err {
    int code;      /* 0 or ERR_* */
    char msg[256]; /* one sentence, NUL-terminated, never a secret */
};

/* Fills *err (which may be NULL) and returns code, so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the message and returns err->code. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "INVALID", "NOTFOUND", ...; "UNKNOWN" for anything else. Static. */
const char *err_name(int code);
