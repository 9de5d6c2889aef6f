/* result.c: result documents, field by field as Celery's backend writes them. */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "libcommon/queue/message.h"
#include "libcommon/queue/result.h"
#include "libcommon/queue/scripts.h"

#define RESULTS_MAGIC 0x52534c54u

struct results {
    unsigned magic;
    struct redis *redis;
    char *prefix; /* with its "_" */
    int64_t expires_s;
};

struct results *results_new(struct redis *r, const char *prefix, int64_t expires_s)
{
    struct results *rs = xcalloc(1, sizeof(*rs));
    size_t n = prefix == NULL ? 0 : strlen(prefix);
    bool bare = n > 0 && strchr(":_-.", prefix[n - 1]) == NULL;

    rs->magic = RESULTS_MAGIC;
    rs->redis = r;
    rs->expires_s = expires_s;
    rs->prefix = xmalloc(n + 2);
    snprintf(rs->prefix, n + 2, "%s%s", n > 0 ? prefix : "", bare ? "_" : "");
    return rs;
}

void results_free(struct results *rs)
{
    if (rs == NULL)
        return;
    CHECK(rs, RESULTS);
    rs->magic = 0;
    free(rs->prefix);
    free(rs);
}

struct str result_key(const struct results *rs, struct arena *a, const char *id)
{
    CHECK(rs, RESULTS);
    return str_of(arena_printf(a, "%scelery-task-meta-%s", rs->prefix, id));
}

static bool is_ready(const char *status)
{
    return strcmp(status, "SUCCESS") == 0 || strcmp(status, "FAILURE") == 0 ||
           strcmp(status, "REVOKED") == 0;
}

static void add_exception(struct buf *b, const struct result *res)
{
    buf_puts(b, "{\"exc_type\": ");
    json_quote(b, str_of(res->exc_type));
    buf_puts(b, ", \"exc_message\": [");
    json_quote(b, str_of(res->exc_message == NULL ? "" : res->exc_message));
    buf_puts(b, "], \"exc_module\": ");
    json_quote(b, str_of(res->exc_module == NULL ? "builtins" : res->exc_module));
    buf_puts(b, "}");
}

static void add_text(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, ", \"%s\": ", key);
    if (value != NULL)
        json_quote(b, str_of(value));
    else
        buf_puts(b, "null");
}

int result_text(struct arena *a, const struct result *res, struct str *out, struct err *err)
{
    char done[MESSAGE_TIME_LEN];
    struct buf b;
    int rc;

    if (res->exc_type == NULL && res->value.n > 0 &&
        json_scan(res->value, JSON_DEPTH_MAX, NULL) != 0)
        return err_set(err, ERR_INVALID, "the result's value is not JSON");
    buf_init(&b, MESSAGE_MAX);
    buf_puts(&b, "{\"status\": ");
    json_quote(&b, str_of(res->status));
    buf_puts(&b, ", \"result\": ");
    if (res->exc_type != NULL)
        add_exception(&b, res);
    else
        buf_str(&b, res->value.n > 0 ? res->value : STR("null"));
    add_text(&b, "traceback", res->traceback);
    buf_puts(&b, ", \"children\": []");
    add_text(&b, "date_done", is_ready(res->status) ? message_time(clock_wall_us(), done) : NULL);
    if (res->group != NULL)
        add_text(&b, "group_id", res->group);
    if (res->parent_id != NULL)
        add_text(&b, "parent_id", res->parent_id);
    add_text(&b, "task_id", res->id);
    buf_puts(&b, "}");
    if ((rc = buf_check(&b, err)) == 0)
        *out = arena_str(a, buf_view(&b));
    buf_done(&b);
    return rc;
}

static void nothing(struct op *op)
{
    (void)op;
}

void result_store(struct results *rs, struct arena *a, const struct result *res,
                  int64_t deadline_ms, struct redis_op *op, op_fn *done, void *arg)
{
    struct err err = {0};
    struct str key, argv[2];

    CHECK(rs, RESULTS);
    if (result_text(a, res, &argv[0], &err) != 0) {
        op->priv = NULL;
        op_begin(&op->op, redis_loop(rs->redis), deadline_ms, done, arg, nothing);
        op->op.err = err;
        op_finish(&op->op, err.code);
        return;
    }
    key = result_key(rs, a, res->id);
    argv[1] = str_of(arena_printf(a, "%" PRId64, rs->expires_s));
    script_run(rs->redis, a, SCRIPT_RESULT, 1, &key, 2, argv, deadline_ms, op, done, arg);
}

void result_load(struct results *rs, struct arena *a, const char *id, int64_t deadline_ms,
                 struct redis_op *op, op_fn *done, void *arg)
{
    CHECK(rs, RESULTS);
    redis_command(rs->redis, a, 1, 2, (struct str[]){STR("GET"), result_key(rs, a, id)},
                  deadline_ms, op, done, arg);
}
