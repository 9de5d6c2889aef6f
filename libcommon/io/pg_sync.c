/* pg_sync.c: the same batches without a loop: send, Sync, read until the Sync is answered. A
 * connection that was lost is made again at the next use; a batch that may be applied twice is then
 * sent again once, others report that their outcome is unknown. */
#include "libcommon/base/compat.h"
#include "libcommon/io/pg.h"
#include "libcommon/io/pg_internal.h"

#define SYNC_MAGIC 0x9B47C403u

struct pg_sync {
    unsigned magic;
    struct pg_params *params;
    struct pg_wire wire;
};

static int reconnect(struct pg_sync *s, struct err *err)
{
    pg_wire_done(&s->wire);
    return pg_wire_connect(s->params, false, false, &s->wire.conn, &s->wire.switches_roles, err);
}

int pg_sync_open(const char *url, struct pg_sync **out, struct err *err)
{
    struct pg_sync *s = xcalloc(1, sizeof *s);
    int rc;

    s->magic = SYNC_MAGIC;
    s->params = pg_params_new(url, "ceoagent");
    rc = s->params == NULL ? err_set(err, ERR_INVALID, "the database URL does not parse")
                           : reconnect(s, err);
    if (rc != 0) {
        pg_sync_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void pg_sync_close(struct pg_sync *s)
{
    if (s == NULL)
        return;
    CHECK(s, SYNC);
    pg_wire_done(&s->wire);
    free(s->params);
    s->magic = 0;
    free(s);
}

static int ensure_connected(struct pg_sync *s, struct err *err)
{
    /* Looking for input also finds out whether the server has hung up meanwhile: at first its last
     * words, then the end. */
    if (s->wire.conn != NULL && PQconsumeInput(s->wire.conn) == 1 &&
        PQconsumeInput(s->wire.conn) == 1 && PQstatus(s->wire.conn) == CONNECTION_OK)
        return 0;
    return reconnect(s, err);
}

int pg_sync_script(struct pg_sync *s, const char *sql, struct err *err)
{
    struct pg_failure f;
    PGresult *r;
    int rc = 0;

    CHECK(s, SYNC);
    if (ensure_connected(s, err) != 0)
        return ERR_UNAVAILABLE;
    r = PQexec(s->wire.conn, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK &&
        PQresultStatus(r) != PGRES_EMPTY_QUERY) {
        pg_failure_read(&f, r);
        rc = err_set(err, f.code, "%s", f.err.msg);
    }
    PQclear(r);
    /* A script that failed between its BEGIN and COMMIT leaves a transaction open. */
    if (rc != 0 && PQtransactionStatus(s->wire.conn) != PQTRANS_IDLE)
        PQclear(PQexec(s->wire.conn, "ROLLBACK"));
    return rc;
}

/* Takes the results up to the Sync. The first failure counts; the others follow from it. */
static void read_replies(struct pg_wire *w, struct pg_result *out, struct pg_failure *f)
{
    while (w->slots.count > 0 && PQstatus(w->conn) == CONNECTION_OK) {
        PGresult *r = PQgetResult(w->conn);
        ExecStatusType status = PQresultStatus(r);
        struct pg_slot slot;

        if (r == NULL)
            continue;
        if (status == PGRES_FATAL_ERROR && f->code == 0)
            pg_failure_read(f, r);
        if (w->slots.p[w->slots.head].kind == PG_REPLY_SYNC && status != PGRES_PIPELINE_SYNC) {
            PQclear(r); /* the commit itself failed; its Sync is still to come */
            continue;
        }
        slot = pg_slots_pop(&w->slots);
        if (slot.kind == PG_REPLY_CALL)
            out->rows[slot.index] = r;
        else
            PQclear(r);
        if (slot.kind == PG_REPLY_PREPARE && f->code != 0)
            pg_wire_unprepare(w, &slot);
    }
}

static void run_once(struct pg_sync *s, const struct pg_batch *b, struct pg_result *out,
                     struct pg_failure *f)
{
    struct pg_wire *w = &s->wire;

    *f = (struct pg_failure){0};
    if (PQenterPipelineMode(w->conn) == 1 && pg_wire_batch(w, b, (struct pg_limits){0, 0}, s) &&
        pg_wire_sync(w, s))
        read_replies(w, out, f);
    if (PQstatus(w->conn) != CONNECTION_OK || w->slots.count > 0 || f->fatal) {
        if (f->code == 0)
            f->code = err_set(&f->err, ERR_UNAVAILABLE, "the connection to the database broke");
        pg_wire_done(w);
        return;
    }
    if (PQexitPipelineMode(w->conn) != 1) {
        PQclear(PQgetResult(w->conn)); /* the NULL that ends the last statement */
        if (PQexitPipelineMode(w->conn) != 1)
            pg_wire_done(w);
    }
}

int pg_sync_run(struct pg_sync *s, struct pg_batch *b, struct pg_result **out, struct err *err)
{
    struct pg_result *r = pg_result_new(b);
    struct pg_failure f = {0};
    int rc;

    CHECK(s, SYNC);
    for (int attempt = 0; attempt < 2; attempt++) {
        pg_result_clear(r);
        rc = ensure_connected(s, err);
        if (rc != 0)
            return rc;
        run_once(s, b, r, &f);
        if (f.code == 0) {
            *out = r;
            return 0;
        }
        if (s->wire.conn == NULL ? !(b->flags & PG_IDEMPOTENT) : !f.serialization)
            break;
    }
    return err_set(err, f.code, "%s", f.err.msg);
}
