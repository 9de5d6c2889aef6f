#include "libcommon/base/compat.h"
#include "services/api/commands.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "libcommon/io/pg.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/keys.h"
#include "services/api/auth.h"
#include "services/api/perm.h"

#define HOUR_US (3600 * 1000000LL)

static int complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

static int complain(const char *fmt, ...)
{
    va_list ap;

    fputs("ceoagent-api keys: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 2;
}

static void print_line(struct arena *a, const cJSON *o)
{
    struct str text = json_print(a, o);

    printf("%.*s\n", STR_ARG(text));
}

static void add_id(cJSON *o, const char *key, struct uuid u)
{
    char text[UUID_LEN + 1];

    json_add_str(o, key, uuid_text(u, text));
}

static void add_time(cJSON *o, const char *key, int64_t us)
{
    char text[CLOCK_ISO_LEN];

    json_add_str(o, key, us == 0 ? NULL : clock_iso(us, text));
}

/* Runs what was added; the result of the only statement. */
static int run(const struct settings *set, struct pg_batch *b, struct pg_result **out)
{
    struct pg_sync *db = NULL;
    struct err err;
    int rc = pg_sync_open(set->database_url, &db, &err);

    if (rc == 0)
        rc = pg_sync_run(db, b, out, &err);
    if (rc != 0)
        fprintf(stderr, "ceoagent-api keys: %s\n", err.msg);
    pg_sync_close(db);
    return rc == 0 ? 0 : 1;
}

/* --- create
 * --- */

struct wanted {
    const char *name, *role, *tenant, *principal, *rate, *expires;
};

static int read_arguments(int argc, char **argv, struct wanted *w)
{
    const struct {
        const char *name;
        const char **out;
    } rows[] = {{"--name", &w->name},           {"--role", &w->role}, {"--tenant", &w->tenant},
                {"--principal", &w->principal}, {"--rate", &w->rate}, {"--expires", &w->expires}};

    for (int i = 0; i < argc; i += 2) {
        size_t row = 0;
        while (row < ARRAY_LEN(rows) && strcmp(rows[row].name, argv[i]) != 0)
            row++;
        if (row == ARRAY_LEN(rows) || i + 1 == argc)
            return complain("unknown argument, or no value: %s", argv[i]);
        *rows[row].out = argv[i + 1];
    }
    return 0;
}

/* "90d", "12h"; 0 when it is neither. */
static int64_t duration_us(const char *z)
{
    struct str s = str_of(z);
    int64_t n;

    if (s.n < 2 || str_i64((struct str){s.p, s.n - 1}, &n) != 0 || n < 1 || n > 36500)
        return 0;
    if (s.p[s.n - 1] == 'd')
        return n * 24 * HOUR_US;
    return s.p[s.n - 1] == 'h' ? n * HOUR_US : 0;
}

static int check(const struct wanted *w, struct api_key *k)
{
    unsigned perms;
    int64_t rate;

    if (w->name == NULL || w->role == NULL)
        return complain("create needs --name and --role");
    if (utf8_chars(str_of(w->name)) > 100 || w->name[0] == '\0')
        return complain("--name must have 1 to 100 characters");
    if (!perm_role(w->role, &perms))
        return complain("--role must be one of %s", perm_role_names);
    if (w->rate != NULL && strcmp(w->rate, "none") != 0 &&
        (str_i64(str_of(w->rate), &rate) != 0 || rate < 1 || rate > 1000000))
        return complain("--rate must be none or requests a minute, 1 to 1000000");
    if (w->principal != NULL && uuid_parse(str_of(w->principal), &k->principal) != 0)
        return complain("--principal must be the id of a user");
    if (w->expires != NULL && strcmp(w->expires, "never") != 0) {
        int64_t d = duration_us(w->expires);
        if (d == 0)
            return complain("--expires must look like 90d or 12h");
        k->expires_us = clock_wall_us() + d;
    }
    return 0;
}

static int create(int argc, char **argv, const struct settings *set)
{
    struct wanted w = {.tenant = TENANT_DEFAULT};
    struct api_key k = {.id = uuid_v7(), .principal = uuid_v7()};
    struct arena *a = arena_new();
    struct pg_result *res = NULL;
    char key[AUTH_KEY_LEN + 1];
    uint8_t hash[32];
    int rc = read_arguments(argc, argv, &w);

    if (rc == 0)
        rc = check(&w, &k);
    if (rc == 0) {
        struct pg_batch *b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, 0);
        k.name = w.name;
        k.role = w.role;
        k.rate = w.rate == NULL ? "default" : w.rate;
        auth_key_make(key, hash);
        keys_add_create(b, a, &k, w.tenant, hash);
        rc = run(set, b, &res);
    }
    if (rc == 0 && pg_rows(res, 0) == 0) {
        rc = complain("there is no such tenant, or the principal belongs to another one");
    } else if (rc == 0) {
        cJSON *o = json_obj(a);
        add_id(o, "id", pg_get_uuid(res, 0, 0, 0));
        json_add_str(o, "key", key);
        add_id(o, "principal_id", pg_get_uuid(res, 0, 0, 2));
        add_id(o, "tenant_id", pg_get_uuid(res, 0, 0, 1));
        print_line(a, o);
    }
    explicit_bzero(key, sizeof(key));
    arena_free(a);
    return rc;
}

/* --- list, revoke
 * --- */

static int list(int argc UNUSED, char **argv UNUSED, const struct settings *set)
{
    struct arena *a = arena_new();
    struct pg_batch *b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, PG_READ);
    struct pg_result *res = NULL;
    struct api_key k;
    int rc;

    keys_add_list(b, a);
    rc = run(set, b, &res);
    for (int i = 0; rc == 0 && i < pg_rows(res, 0); i++) {
        if (keys_read(res, 0, i, a, &k) != 0)
            continue;
        cJSON *o = json_obj(a);
        add_id(o, "id", k.id);
        json_add_str(o, "name", k.name);
        json_add_str(o, "role", k.role);
        json_add_str(o, "rate", k.rate);
        add_id(o, "principal_id", k.principal);
        add_id(o, "tenant_id", k.tenant);
        add_time(o, "expires_at", k.expires_us);
        add_time(o, "revoked_at", k.revoked_us);
        print_line(a, o);
    }
    arena_free(a);
    return rc;
}

static int revoke(int argc, char **argv, const struct settings *set)
{
    struct arena *a = arena_new();
    struct pg_batch *b = pg_batch_new(a, PG_SERVICE, NULL, NULL, false, 0);
    struct pg_result *res = NULL;
    struct uuid id;
    int rc = 0;

    if (argc != 1 || uuid_parse(str_of(argv[0]), &id) != 0)
        rc = complain("revoke needs the id of a key");
    if (rc == 0) {
        keys_add_revoke(b, a, id);
        rc = run(set, b, &res);
    }
    if (rc == 0 && pg_affected(res, 0) == 0)
        rc = complain("there is no such key");
    arena_free(a);
    return rc;
}

int command_keys(int argc, char **argv, const struct settings *set)
{
    static const struct {
        const char *name;
        int (*fn)(int argc, char **argv, const struct settings *set);
    } rows[] = {
        {"create", create}, {"list", list}, {"revoke", revoke}, {"reencrypt", command_reencrypt}};

    for (size_t i = 0; argc > 0 && i < ARRAY_LEN(rows); i++)
        if (strcmp(argv[0], rows[i].name) == 0)
            return rows[i].fn(argc - 1, argv + 1, set);
    return complain("create --name N --role R [--tenant T] [--principal ID] [--rate N|none] "
                    "[--expires 90d] | list | revoke ID | reencrypt");
}
