/* pg_batch.c: batches and their parameters live in the caller's arena, in the arrays that libpq
 * wants, so that sending copies nothing; results stay libpq's and are freed with the arena. */
#include "libcommon/base/compat.h"
#include "libcommon/io/pg.h"
#include <math.h>
#include "libcommon/io/pg_internal.h"

#define BATCH_MAGIC 0x9B47C401u
#define RESULT_MAGIC 0x9B47C402u
#define BYTEA_OID 17

struct pg_batch *pg_batch_new(struct arena *a, enum pg_role role, const struct uuid *tenant,
                              const char *user, bool see_all, unsigned flags)
{
    struct pg_batch *b = arena_new_of(a, struct pg_batch);

    b->magic = BATCH_MAGIC;
    b->arena = a;
    b->role = role;
    if (tenant != NULL)
        uuid_text(*tenant, b->tenant);
    b->user = user == NULL ? "" : arena_strdup(a, user);
    b->see_all = see_all;
    b->flags = (flags & PG_READ) ? flags | PG_IDEMPOTENT : flags;
    return b;
}

struct pg_param pg_z(const char *z)
{
    return (struct pg_param){z, z == NULL ? 0 : (int)strlen(z), false};
}

struct pg_param pg_str(struct str s)
{
    return (struct pg_param){s.p, (int)s.n, false};
}

struct pg_param pg_bytes(const void *p, size_t n)
{
    return (struct pg_param){p, (int)n, true};
}

struct pg_param pg_i64(struct arena *a, int64_t v)
{
    return pg_z(arena_printf(a, "%" PRId64, v));
}

struct pg_param pg_f64(struct arena *a, double v)
{
    return isnan(v) ? PG_NULL : pg_z(arena_printf(a, "%.17g", v));
}

struct pg_param pg_bool(bool v)
{
    return pg_z(v ? "t" : "f");
}

struct pg_param pg_uuid(struct arena *a, struct uuid u)
{
    char *text = arena_alloc(a, UUID_LEN + 1);

    return (struct pg_param){uuid_text(u, text), UUID_LEN, false};
}

/* Texts are copied with a NUL behind them, as libpq takes them. */
static void copy_params(struct arena *a, struct pg_call *c, const struct pg_param *params)
{
    int n = c->stmt->params;

    c->values = arena_array(a, const char *, n);
    c->lengths = arena_array(a, int, n);
    c->formats = arena_array(a, int, n);
    for (int i = 0; i < n; i++) {
        c->values[i] = params[i].p == NULL
                           ? NULL
                           : arena_str(a, (struct str){params[i].p, (size_t)params[i].n}).p;
        c->lengths[i] = params[i].n;
        c->formats[i] = params[i].binary;
    }
}

int pg_batch_add(struct pg_batch *b, const struct pg_stmt *stmt, const struct pg_param *params)
{
    struct pg_call *c;

    CHECK(b, BATCH);
    if (b->count == b->cap) {
        int cap = b->cap == 0 ? 4 : b->cap * 2;
        struct pg_call *more = arena_array(b->arena, struct pg_call, cap);

        if (b->count > 0)
            memcpy(more, b->calls, sizeof *more * (size_t)b->count);
        b->calls = more;
        b->cap = cap;
    }
    c = &b->calls[b->count];
    c->stmt = stmt;
    copy_params(b->arena, c, params);
    for (int i = 0; i < stmt->params; i++)
        b->bytes += (size_t)c->lengths[i];
    return b->count++;
}

static void clear_result(void *p)
{
    pg_result_clear(p);
}

struct pg_result *pg_result_new(const struct pg_batch *b)
{
    struct pg_result *r = arena_new_of(b->arena, struct pg_result);

    CHECK(b, BATCH);
    r->magic = RESULT_MAGIC;
    r->arena = b->arena;
    r->count = b->count;
    r->rows = arena_array(b->arena, PGresult *, b->count);
    arena_on_reset(b->arena, clear_result, r);
    return r;
}

void pg_result_clear(struct pg_result *r)
{
    for (int i = 0; i < r->count; i++) {
        PQclear(r->rows[i]);
        r->rows[i] = NULL;
    }
}

static const PGresult *rows_of(const struct pg_result *r, int stmt)
{
    CHECK(r, RESULT);
    assert(stmt >= 0 && stmt < r->count);
    return r->rows[stmt];
}

int pg_rows(const struct pg_result *r, int stmt)
{
    return PQntuples(rows_of(r, stmt));
}

int64_t pg_affected(const struct pg_result *r, int stmt)
{
    /* PQcmdTuples takes a non-const pointer and changes nothing. */
    const char *text = PQcmdTuples((PGresult *)(uintptr_t)rows_of(r, stmt));
    int64_t n;

    return str_i64(str_of(text), &n) == 0 ? n : 0;
}

bool pg_isnull(const struct pg_result *r, int stmt, int row, int col)
{
    return PQgetisnull(rows_of(r, stmt), row, col) != 0;
}

static struct str raw(const struct pg_result *r, int stmt, int row, int col)
{
    const PGresult *rows = rows_of(r, stmt);

    if (PQgetisnull(rows, row, col))
        return (struct str){NULL, 0};
    return (struct str){PQgetvalue(rows, row, col), (size_t)PQgetlength(rows, row, col)};
}

struct str pg_get(const struct pg_result *r, int stmt, int row, int col)
{
    return PQftype(rows_of(r, stmt), col) == BYTEA_OID ? pg_get_bytes(r, stmt, row, col)
                                                       : raw(r, stmt, row, col);
}

const char *pg_getz(const struct pg_result *r, int stmt, int row, int col)
{
    return pg_get(r, stmt, row, col).p;
}

int64_t pg_get_i64(const struct pg_result *r, int stmt, int row, int col)
{
    int64_t v;

    return str_i64(raw(r, stmt, row, col), &v) == 0 ? v : 0;
}

double pg_get_f64(const struct pg_result *r, int stmt, int row, int col)
{
    double v;

    return str_f64(raw(r, stmt, row, col), &v) == 0 ? v : 0;
}

bool pg_get_bool(const struct pg_result *r, int stmt, int row, int col)
{
    return str_eq(raw(r, stmt, row, col), STR("t"));
}

struct uuid pg_get_uuid(const struct pg_result *r, int stmt, int row, int col)
{
    struct uuid u = {{0}};

    if (uuid_parse(raw(r, stmt, row, col), &u) != 0)
        memset(&u, 0, sizeof u);
    return u;
}

/* The text form of bytea is "\x" and hex. */
struct str pg_get_bytes(const struct pg_result *r, int stmt, int row, int col)
{
    struct str text = raw(r, stmt, row, col);
    size_t n;
    char *p;

    if (text.p == NULL || !str_starts(text, STR("\\x")) || text.n % 2 != 0)
        return (struct str){NULL, 0};
    n = text.n / 2 - 1;
    p = arena_alloc(r->arena, n + 1);
    if (hex_decode((struct str){text.p + 2, text.n - 2}, p, n) != 0)
        return (struct str){NULL, 0};
    return (struct str){p, n};
}
