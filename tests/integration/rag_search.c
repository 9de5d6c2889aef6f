/* rag_search MODE (hybrid, text, vectors): reads one query a line and prints one JSON line each,
 * with the documents found, best first, and the time it took. For bench/rag, which measures the
 * halves of the search apart; the settings are the programs' (DATABASE_URL, WEAVIATE_URL,
 * EMBEDDINGS_URL, ...). */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include "libcommon/base/settings.h"
#include "libcommon/io/http_client.h"
#include "libcommon/knowledge/search.h"
#include "libcommon/model/decisions.h"

#define LIMIT 100 /* the bench cuts it to what a page shows */
#define SEARCH_MS 30000

static void on_done(struct op *op)
{
    *(bool *)op->arg = true;
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

static bool is_ready(void *arg)
{
    return pg_ready(arg);
}

static void print(const struct knowledge_search *s, int64_t us)
{
    char id[UUID_LEN + 1];

    printf("{\"ms\":%.3f,\"code\":%d,\"degraded\":%s,\"ids\":[", (double)us / 1000, s->op.err.code,
           s->degraded ? "true" : "false");
    for (int i = 0; i < s->count; i++)
        printf("%s\"%s\"", i > 0 ? "," : "", uuid_text(s->chunks[i].document, id));
    printf("],\"scores\":[");
    for (int i = 0; i < s->count; i++)
        printf("%s%.6f", i > 0 ? "," : "", s->chunks[i].score);
    puts("]}");
    fflush(stdout);
}

static void ask(struct loop *l, struct knowledge *k, enum knowledge_mode mode, const char *query)
{
    struct arena *a = arena_new();
    struct search q = {.query = query, .limit = LIMIT};
    struct knowledge_search s;
    struct uuid tenant;
    bool done = false;
    int64_t start = clock_mono_us();

    if (uuid_parse(STR(TENANT_DEFAULT), &tenant) != 0)
        return;
    knowledge_search_start(k, a, tenant, &q, mode, SEARCH_MS, &s, on_done, &done);
    loop_until(l, is_set, &done, SEARCH_MS + 1000);
    print(&s, clock_mono_us() - start);
    arena_free(a);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"hybrid", "text", "vectors"};
    enum knowledge_mode mode = KNOWLEDGE_HYBRID;
    struct http_client_options http = {.max_connections = 4, .max_host_connections = 2};
    struct http_client *client = NULL;
    struct pg *pg = NULL;
    struct settings s;
    struct err err;
    char line[4096];

    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(names); i++)
        if (strcmp(argv[1], names[i]) == 0)
            mode = (enum knowledge_mode)i;
    if (settings_load(&s, CFG_API, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    struct loop *l = loop_new();
    struct pg_options opt = {.url = s.database_url, .min = 1, .max = 1, .prepare = true};

    if (pg_new(l, &opt, &pg, &err) < 0 || http_client_new(l, &http, &client, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    struct knowledge *k = knowledge_new(l, &s, pg, client);

    loop_until(l, is_ready, pg, 10000);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ask(l, k, mode, line);
    }
    knowledge_free(k);
    http_client_free(client);
    pg_free(pg);
    loop_turn(l, 0);
    loop_free(l);
    settings_free(&s);
    return 0;
}
