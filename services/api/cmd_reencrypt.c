/* cmd_reencrypt.c: `keys reencrypt`, the last step of a change of ENCRYPTION_KEY: with the new key
 * first and the old one in ENCRYPTION_KEYS_OLD it moves every sealed value, and says when the old
 * key may go. */
#include "libcommon/base/compat.h"
#include "services/api/commands.h"
#include "libcommon/base/json.h"
#include "libcommon/model/reencrypt.h"

/* One JSON line a column; how many values are left under other keys. */
static int64_t print_counts(const struct reencrypt_count *count)
{
    struct arena *a = arena_new();
    int64_t left = 0;

    for (int i = 0; i < REENCRYPT_PLACES; i++) {
        cJSON *o = json_obj(a);
        struct str line;

        json_add_str(o, "table", count[i].table);
        json_add_str(o, "column", count[i].column);
        json_add_num(o, "moved", (double)count[i].moved);
        json_add_num(o, "failed", (double)count[i].failed);
        json_add_num(o, "left", (double)count[i].left);
        line = json_print(a, o);
        printf("%.*s\n", STR_ARG(line));
        left += count[i].left;
    }
    arena_free(a);
    return left;
}

int command_reencrypt(int argc UNUSED, char **argv UNUSED, const struct settings *set)
{
    struct reencrypt_count count[REENCRYPT_PLACES];
    struct keyring *ring = NULL;
    struct pg_sync *db = NULL;
    struct err err;
    int64_t left;
    int rc = keyring_new(set->encryption_key, set->encryption_keys_old, &ring, &err);

    if (rc == 0)
        rc = pg_sync_open(set->database_url, &db, &err);
    if (rc == 0)
        rc = reencrypt_run(db, ring, count, &err);
    pg_sync_close(db);
    keyring_free(ring);
    if (rc != 0) {
        fprintf(stderr, "ceoagent-api keys reencrypt: %s\n", err.msg);
        return 1;
    }
    left = print_counts(count);
    fprintf(stderr, left == 0 ? "Nothing is left under an old key: ENCRYPTION_KEYS_OLD may go.\n"
                              : "Some values are still under an old key, or can't be opened.\n");
    return left == 0 ? 0 : 1;
}
