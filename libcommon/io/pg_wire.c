/* pg_wire.c: one connection. A batch goes out as [Parse] Bind Execute for "who am I" and for each
 * of its statements; the slots queue says what each coming result answers, since in a pipeline
 * libpq gives exactly one result (or error, or "aborted") for each thing sent.
 *
 * "Who am I" is one statement with six set_config calls. They are local to the transaction, and
 * later ones replace earlier ones, so that several batches of different tenants can follow each
 * other inside one transaction. The right to switch roles is that of the session's login user,
 * whatever the current role is. */
#include "libcommon/base/compat.h"
#include "libcommon/io/pg.h"
#include "libcommon/io/pg_internal.h"

static const struct pg_stmt begin_stmt = {
    "pg_begin",
    "SELECT set_config('role', $1, true), set_config('app.tenant', $2, true), "
    "set_config('app.user', $3, true), set_config('app.see_all', $4, true), "
    "set_config('statement_timeout', $5, true), set_config('lock_timeout', $6, true)",
    6};

static const char *const role_names[] = {
    [PG_APP] = "ceoagent_app", [PG_SERVICE] = "ceoagent_service", [PG_OWNER] = "none"};

/* --- connecting ------------------------------------------------------------------------------ */

/* A dead peer is noticed within about 30 s (idle) or 15 s (with bytes in flight). */
static const struct {
    const char *key, *value;
} param_defaults[] = {
    {"target_session_attrs", "read-write"},
    {"connect_timeout", "5"},
    {"keepalives_idle", "15"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"},
    {"client_encoding", "UTF8"},
};

struct param_list {
    struct pg_params *p;
    char *texts;
    size_t used;
    int count;
};

static void put_param(struct param_list *l, const char *key, const char *value)
{
    size_t k = strlen(key) + 1, v = strlen(value) + 1;

    for (int i = 0; i < l->count; i++)
        if (strcmp(l->p->keys[i], key) == 0)
            return;
    assert(l->count + 1 < (int)ARRAY_LEN(l->p->keys));
    l->p->keys[l->count] = memcpy(l->texts + l->used, key, k);
    l->p->values[l->count] = memcpy(l->texts + l->used + k, value, v);
    l->used += k + v;
    l->count++;
}

struct pg_params *pg_params_new(const char *url, const char *application_name)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    size_t size = strlen(application_name) + 4096;
    struct param_list l = {0};

    if (options == NULL)
        return NULL;
    for (PQconninfoOption *o = options; o->keyword != NULL; o++)
        size += strlen(o->keyword) + (o->val == NULL ? 0 : strlen(o->val)) + 2;
    l.p = xcalloc(1, sizeof *l.p + size);
    l.texts = (char *)(l.p + 1);
    for (PQconninfoOption *o = options; o->keyword != NULL; o++)
        if (o->val != NULL)
            put_param(&l, o->keyword, o->val);
    put_param(&l, "application_name", application_name);
    for (size_t i = 0; i < ARRAY_LEN(param_defaults); i++)
        put_param(&l, param_defaults[i].key, param_defaults[i].value);
    PQconninfoFree(options);
    return l.p;
}

static void ignore_notice(void *arg UNUSED, const char *message UNUSED)
{
}

/* The first line of libpq's message; it names host and user, never the password. */
static int connect_error(PGconn *c, struct err *err)
{
    struct str rest = str_of(PQerrorMessage(c)), line = str_split(&rest, '\n');

    return err_set(err, ERR_UNAVAILABLE, "%.*s", STR_ARG(line));
}

static int check_roles(PGconn *c, bool require_role, bool *switches_roles, struct err *err)
{
    PGresult *r =
        PQexec(c, "SELECT count(*) FILTER (WHERE pg_has_role(session_user, oid, 'MEMBER')) = 2,"
                  " bool_or(rolname = 'ceoagent_app' AND (rolsuper OR rolbypassrls)) FROM pg_roles"
                  " WHERE rolname IN ('ceoagent_app', 'ceoagent_service')");
    int rc = 0;

    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        rc = connect_error(c, err);
    } else {
        *switches_roles = PQgetvalue(r, 0, 0)[0] == 't';
        if (require_role && (!*switches_roles || PQgetvalue(r, 0, 1)[0] == 't'))
            rc = err_set(err, ERR_DENIED,
                         "the database user cannot switch to the roles ceoagent_app and "
                         "ceoagent_service, or the first bypasses row-level security; "
                         "run the migrations");
    }
    PQclear(r);
    return rc;
}

int pg_wire_connect(const struct pg_params *params, bool require_role, bool nonblocking,
                    PGconn **out, bool *switches_roles, struct err *err)
{
    PGconn *c = PQconnectdbParams(params->keys, params->values, 0);
    int rc;

    if (c == NULL)
        return err_set(err, ERR_UNAVAILABLE, "no memory for a connection");
    PQsetNoticeProcessor(c, ignore_notice, NULL);
    rc = PQstatus(c) == CONNECTION_OK ? check_roles(c, require_role, switches_roles, err)
                                      : connect_error(c, err);
    if (rc == 0 && nonblocking && (PQsetnonblocking(c, 1) != 0 || PQenterPipelineMode(c) != 1))
        rc = connect_error(c, err);
    if (rc != 0) {
        PQfinish(c);
        return rc;
    }
    *out = c;
    return 0;
}

void pg_wire_done(struct pg_wire *w)
{
    if (w->conn != NULL)
        PQfinish(w->conn);
    w->conn = NULL;
    pg_prepared_done(&w->prepared);
    pg_slots_done(&w->slots);
}

/* --- prepared statements -------------------------------------------------------------------- */

static unsigned *prepared_find(struct pg_prepared *p, const struct pg_stmt *stmt)
{
    unsigned i = (unsigned)(((uintptr_t)stmt >> 4) * 2654435761u) & (p->cap - 1);

    while (p->slots[i].stmt != NULL && p->slots[i].stmt != stmt)
        i = (i + 1) & (p->cap - 1);
    if (p->slots[i].stmt == NULL) {
        p->slots[i].stmt = stmt;
        p->count++;
    }
    return &p->slots[i].number;
}

/* The number of the statement, 0 when it is not prepared. */
static unsigned *prepared_number(struct pg_prepared *p, const struct pg_stmt *stmt)
{
    struct pg_prepared old = *p;

    if (p->count + 1 > p->cap / 2) {
        p->cap = old.cap == 0 ? 64 : old.cap * 2;
        p->count = 0;
        p->slots = xcalloc(p->cap, sizeof *p->slots);
        for (unsigned i = 0; i < old.cap; i++)
            if (old.slots[i].stmt != NULL)
                *prepared_find(p, old.slots[i].stmt) = old.slots[i].number;
        free(old.slots);
    }
    return prepared_find(p, stmt);
}

void pg_prepared_clear(struct pg_prepared *p)
{
    for (unsigned i = 0; i < p->cap; i++)
        p->slots[i].number = 0;
}

void pg_prepared_done(struct pg_prepared *p)
{
    free(p->slots);
    *p = (struct pg_prepared){0};
}

void pg_wire_unprepare(struct pg_wire *w, const struct pg_slot *slot)
{
    unsigned *number = prepared_number(&w->prepared, slot->stmt);

    if (*number == (unsigned)slot->index)
        *number = 0;
}

/* --- slots ------------------------------------------------------------------------------------ */

void pg_slots_push(struct pg_slots *q, struct pg_slot s)
{
    if (q->count == q->cap) {
        unsigned cap = q->cap == 0 ? 32 : q->cap * 2;
        struct pg_slot *p = xmalloc(sizeof *p * cap);

        for (unsigned i = 0; i < q->count; i++)
            p[i] = q->p[(q->head + i) % q->cap];
        free(q->p);
        q->p = p;
        q->cap = cap;
        q->head = 0;
    }
    q->p[(q->head + q->count++) % q->cap] = s;
}

struct pg_slot pg_slots_pop(struct pg_slots *q)
{
    struct pg_slot s;

    assert(q->count > 0);
    s = q->p[q->head];
    q->head = (q->head + 1) % q->cap;
    q->count--;
    return s;
}

void pg_slots_done(struct pg_slots *q)
{
    free(q->p);
    *q = (struct pg_slots){0};
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool send_prepare(struct pg_wire *w, const struct pg_stmt *stmt, unsigned *number,
                         void *owner)
{
    char name[16];

    *number = ++w->prepared.last;
    snprintf(name, sizeof name, "c%u", *number);
    if (PQsendPrepare(w->conn, name, stmt->sql, 0, NULL) != 1)
        return false;
    pg_slots_push(&w->slots, (struct pg_slot){PG_REPLY_PREPARE, (int)*number, stmt, owner});
    return true;
}

static bool send_call(struct pg_wire *w, const struct pg_call *c, struct pg_slot slot)
{
    char name[16];
    unsigned *number;
    int sent;

    if (w->prepare) {
        number = prepared_number(&w->prepared, c->stmt);
        if (*number == 0 && !send_prepare(w, c->stmt, number, slot.owner))
            return false;
        snprintf(name, sizeof name, "c%u", *number);
        sent = PQsendQueryPrepared(w->conn, name, c->stmt->params, c->values, c->lengths,
                                   c->formats, 0);
    } else {
        sent = PQsendQueryParams(w->conn, c->stmt->sql, c->stmt->params, NULL, c->values,
                                 c->lengths, c->formats, 0);
    }
    if (sent != 1)
        return false;
    pg_slots_push(&w->slots, slot);
    return true;
}

bool pg_wire_batch(struct pg_wire *w, const struct pg_batch *b, struct pg_limits limits,
                   void *owner)
{
    char timeout[24], lock[24];
    const char *values[] = {w->switches_roles ? role_names[b->role] : "none",
                            b->tenant,
                            b->user,
                            b->see_all ? "on" : "",
                            timeout,
                            lock};
    struct pg_call begin = {&begin_stmt, values, NULL, NULL};

    snprintf(timeout, sizeof timeout, "%" PRId64, MIN(limits.statement_ms, INT32_MAX));
    snprintf(lock, sizeof lock, "%" PRId64, MIN(limits.lock_ms, INT32_MAX));
    if (!send_call(w, &begin, (struct pg_slot){PG_REPLY_BEGIN, 0, NULL, owner}))
        return false;
    for (int i = 0; i < b->count; i++)
        if (!send_call(w, &b->calls[i], (struct pg_slot){PG_REPLY_CALL, i, NULL, owner}))
            return false;
    return true;
}

bool pg_wire_sync(struct pg_wire *w, void *owner)
{
    if (PQpipelineSync(w->conn) != 1)
        return false;
    pg_slots_push(&w->slots, (struct pg_slot){PG_REPLY_SYNC, 0, NULL, owner});
    return true;
}

/* --- failures --------------------------------------------------------------------------------- */

/* By the longest prefix that fits: more specific rows first. */
static const struct {
    const char *state;
    int code;
} codes[] = {
    {"23505", ERR_CONFLICT}, {"23P01", ERR_CONFLICT}, {"25006", ERR_UNAVAILABLE},
    {"40001", ERR_CONFLICT}, {"40P01", ERR_CONFLICT}, {"42501", ERR_DENIED},
    {"55P03", ERR_BUSY},     {"57014", ERR_TIMEOUT},  {"57P", ERR_UNAVAILABLE},
    {"P0002", ERR_NOTFOUND}, {"08", ERR_UNAVAILABLE}, {"22", ERR_INVALID},
    {"23", ERR_INVALID},     {"28", ERR_DENIED},      {"42", ERR_INVALID},
    {"44", ERR_DENIED},      {"53", ERR_BUSY},        {"54", ERR_TOOBIG},
    {"P0", ERR_INVALID},
};

static int code_of(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strncmp(state, codes[i].state, strlen(codes[i].state)) == 0)
            return codes[i].code;
    return ERR_INTERNAL;
}

static const char *field(const PGresult *r, int which)
{
    const char *text = PQresultErrorField(r, which);

    return text == NULL ? "" : text;
}

void pg_failure_read(struct pg_failure *f, const PGresult *r)
{
    const char *state = field(r, PG_DIAG_SQLSTATE), *severity, *message;

    severity = field(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    message = field(r, PG_DIAG_MESSAGE_PRIMARY);
    *f = (struct pg_failure){0};
    snprintf(f->sqlstate, sizeof f->sqlstate, "%s", state);
    snprintf(f->constraint, sizeof f->constraint, "%s", field(r, PG_DIAG_CONSTRAINT_NAME));
    f->fatal = strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
    f->read_only = strcmp(state, "25006") == 0;
    f->serialization = strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
    /* "cached plan must not change result type" has no state of its own, but a place. */
    f->stale = strcmp(state, "26000") == 0 ||
               (strcmp(state, "0A000") == 0 &&
                strcmp(field(r, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0);
    f->code = *state == '\0' ? ERR_UNAVAILABLE : code_of(state);
    err_set(&f->err, f->code, "%s",
            *message == '\0' ? "the connection to the database broke" : message);
}
