/* result.h: results as Celery's Redis backend stores them: the key celery-task-meta-<id>, announced
 * on the channel of the same name. SUCCESS is never overwritten. */
#pragma once
#include "libcommon/io/redis.h"

struct results;

/* r stays the caller's. prefix as Celery's result_backend_transport_options.global_keyprefix: "_"
 * is added unless it ends in one of : _ - . */
struct results *results_new(struct redis *r, const char *prefix, int64_t expires_s);
void results_free(struct results *rs);

struct result {
    const char *id;     /* required */
    const char *status; /* "SUCCESS", "FAILURE", "RETRY", "REVOKED", "STARTED" */
    struct str value;   /* raw JSON; for FAILURE, RETRY, REVOKED leave empty and set exc_* */
    const char *exc_type, *exc_message, *exc_module; /* module NULL: "builtins" */
    const char *traceback;                           /* NULL: null */
    const char *group, *parent_id;
};

/* The document. ERR_INVALID when value is not JSON. */
int result_text(struct arena *a, const struct result *res, struct str *out,
                struct err *err) MUST_CHECK;
/* Stores and announces. The reply is 1, or 0 when a SUCCESS stood there already. */
void result_store(struct results *rs, struct arena *a, const struct result *res,
                  int64_t deadline_ms, struct redis_op *op, op_fn *done, void *arg);
/* The stored document as a string reply, or nil. */
void result_load(struct results *rs, struct arena *a, const char *id, int64_t deadline_ms,
                 struct redis_op *op, op_fn *done, void *arg);
struct str result_key(const struct results *rs, struct arena *a, const char *id);
