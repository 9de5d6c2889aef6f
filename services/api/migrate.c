/* migrate.c: migrations are compiled in, so that a program and its schema can't be mixed up. Each
 * is run as one script with its row in schema_migrations, between BEGIN and COMMIT: a failure
 * leaves nothing behind. A second runner waits at the advisory lock, which ends with the session,
 * and then finds nothing to do. DATABASE_MIGRATE_URL must be a direct connection: a session lock
 * does not pass PgBouncer. */
#include "libcommon/base/compat.h"
#include "services/api/migrate.h"
#include <time.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/embed.h"
#include "libcommon/base/id.h"
#include "libcommon/base/log.h"
#include "libcommon/io/pg.h"
#include "libcommon/sec/crypt.h"

#define WAIT_US (60 * INT64_C(1000000))
#define PAUSE_MS 500

EMBED(migration_0001, "migrations/0001_init.sql");
EMBED(migration_0002, "migrations/0002_policies.sql");
EMBED(migration_0003, "migrations/0003_vectors.sql");

static const struct migration {
    int version;
    const char *name;
    const char *sql, *end;
} migrations[] = {
    {1, "init", embed_migration_0001, embed_migration_0001_end},
    {2, "policies", embed_migration_0002, embed_migration_0002_end},
    {3, "vectors", embed_migration_0003, embed_migration_0003_end},
};

static const struct pg_stmt sel_applied = {
    "migrate_applied", "SELECT version, sha256 FROM schema_migrations ORDER BY version", 0};

static const char prepare_sql[] =
    "SELECT pg_advisory_lock(7310205811694117);"
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " version int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

static int open_when_up(const char *url, struct pg_sync **out, struct err *err)
{
    int64_t give_up = clock_mono_us() + WAIT_US;
    int rc;

    while ((rc = pg_sync_open(url, out, err)) == ERR_UNAVAILABLE && clock_mono_us() < give_up)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    return rc;
}

static void text_sha256(const struct migration *m, char out[65])
{
    uint8_t digest[32];

    sha256(m->sql, (size_t)(m->end - m->sql), digest);
    hex_encode(digest, sizeof digest, out);
}

/* 1: applied with this text; 0: not applied. */
static int is_applied(const struct pg_result *r, const struct migration *m, struct err *err)
{
    char sha[65];

    for (int i = 0; i < pg_rows(r, 0); i++) {
        if (pg_get_i64(r, 0, i, 0) != m->version)
            continue;
        text_sha256(m, sha);
        if (!str_eqz(pg_get(r, 0, i, 1), sha))
            return err_set(err, ERR_CONFLICT,
                           "migration %04d_%s was applied with another text than this release has",
                           m->version, m->name);
        return 1;
    }
    return 0;
}

static int apply(struct pg_sync *s, const struct migration *m, struct arena *a, struct err *err)
{
    char sha[65];

    text_sha256(m, sha);
    if (pg_sync_script(
            s,
            arena_printf(a,
                         "BEGIN;\n%s\n;INSERT INTO schema_migrations (version, name, sha256)"
                         " VALUES (%d, '%s', '%s');COMMIT",
                         m->sql, m->version, m->name, sha),
            err) != 0)
        return err_wrap(err, "migration %04d_%s", m->version, m->name);
    log_info("migration applied", LOG_I("version", m->version), LOG_S("name", m->name));
    return 0;
}

static int apply_missing(struct pg_sync *s, struct arena *a, struct err *err)
{
    struct pg_batch *b = pg_batch_new(a, PG_OWNER, NULL, NULL, false, PG_READ);
    struct pg_result *r;
    int rc;

    if (pg_sync_script(s, prepare_sql, err) != 0)
        return err_wrap(err, "preparing the migrations");
    pg_batch_add(b, &sel_applied, NULL);
    rc = pg_sync_run(s, b, &r, err);
    for (size_t i = 0; i < ARRAY_LEN(migrations) && rc == 0; i++) {
        rc = is_applied(r, &migrations[i], err);
        if (rc == 0)
            rc = apply(s, &migrations[i], a, err);
        else if (rc == 1)
            rc = 0;
    }
    return rc;
}

int migrate_run(const char *url, struct err *err)
{
    struct arena *a = arena_new();
    struct pg_sync *s = NULL;
    int rc = open_when_up(url, &s, err);

    if (rc == 0)
        rc = apply_missing(s, a, err);
    pg_sync_close(s);
    arena_free(a);
    return rc;
}
