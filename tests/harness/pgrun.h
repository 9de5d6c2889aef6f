/* pgrun.h: a database of its own with a pool on it, and batches run to their end, for tests that
 * read from top to bottom. */
#pragma once
#include "libcommon/io/pg.h"
#include "libcommon/sec/crypt.h"

/* Turns the loop until the batch has ended; its outcome is in op (op.err.code, result, sqlstate).
 * Returns op.err.code. */
int pg_run(struct loop *l, struct pg *pg, struct pg_batch *b, int64_t deadline_ms,
           struct pg_op *op);

struct db {
    struct loop *loop;
    struct pg *pg;
    struct arena *a;
    struct keyring *ring;
    const char *url;
    struct pg_sync *admin; /* the superuser */
    struct pg_op op;       /* of the last db_run */
};

/* cmocka setup and teardown: *state is a struct db on a fresh migrated database. */
int db_setup(void **state);
int db_teardown(void **state);
/* A pool in place of the present one. */
void db_pool(struct db *db, int max, bool prepare);

/* Batches for the default tenant: as the user, as one who sees all, as the sweeps. */
struct pg_batch *db_as(struct db *db, struct uuid user);
struct pg_batch *db_all(struct db *db);
struct pg_batch *db_service(struct db *db);
struct uuid db_tenant(void);
/* Runs it; fails the test unless it succeeds. */
const struct pg_result *db_run(struct db *db, struct pg_batch *b);
/* As the superuser. db_count: the first column of the first row. */
void db_sql(struct db *db, const char *sql);
int64_t db_count(struct db *db, const char *sql);
