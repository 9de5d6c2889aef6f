/* evidence.c: which source an id stands for. Models cite [E4] and then forget its entry in
 * evidence[], or what its ref was; the engine gave the ids out, so it knows. Entries that are
 * missing are made, without a quote or a value: it is the citation that is kept whole, nothing is
 * claimed for the model. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

#define WALK_DEPTH 32

int evidence_add(struct engine *e, const char *kind, const char *ref)
{
    if (e->evidence == e->cited_cap) {
        int cap = e->cited_cap == 0 ? 32 : e->cited_cap * 2;
        struct cited *grown = arena_array(e->a, struct cited, cap);

        if (e->evidence > 0)
            memcpy(grown, e->cited, sizeof(*grown) * (size_t)e->evidence);
        e->cited = grown;
        e->cited_cap = cap;
    }
    e->cited[e->evidence] = (struct cited){.kind = kind, .ref = arena_strdup(e->a, ref)};
    return ++e->evidence;
}

static const struct cited *cited_of(const struct engine *e, const char *id)
{
    int64_t n;

    if (id == NULL || id[0] != 'E' || str_i64(str_of(id + 1), &n) != 0 || n < 1 || n > e->evidence)
        return NULL;
    return &e->cited[n - 1];
}

/* "[E4]", "[E4,E7]", "[E4, E7]": marks the numbers that are ours. */
static void mark_in(const struct engine *e, const char *text, bool *used)
{
    for (const char *p = strchr(text, '['); p != NULL; p = strchr(p + 1, '[')) {
        const char *q = p + 1;
        long n;
        char *end;

        while (*q == 'E') {
            n = strtol(q + 1, &end, 10);
            if (end == q + 1)
                break;
            if (n >= 1 && n <= e->evidence)
                used[n - 1] = true;
            for (q = end; *q == ',' || *q == ' '; q++)
                continue;
        }
    }
}

static void mark_all(const struct engine *e, const cJSON *value, bool *used, int depth)
{
    const cJSON *child;

    if (cJSON_IsString(value))
        mark_in(e, value->valuestring, used);
    if (depth == 0 || !(cJSON_IsArray(value) || cJSON_IsObject(value)))
        return;
    cJSON_ArrayForEach (child, value) {
        mark_all(e, child, used, depth - 1);
    }
}

static void fill_entry(const struct engine *e, cJSON *entry)
{
    const struct cited *c = cited_of(e, json_str(entry, "id", NULL));

    if (c == NULL)
        return;
    if (json_get(entry, "kind") == NULL)
        json_add_str(entry, "kind", c->kind);
    if (json_get(entry, "ref") == NULL)
        json_add_str(entry, "ref", c->ref);
}

void evidence_complete(struct engine *e, cJSON *answer)
{
    cJSON *list = json_get(answer, "evidence"), *entry;
    bool *used = arena_array(e->a, bool, e->evidence + 1);

    if (!cJSON_IsObject(answer) || (list != NULL && !cJSON_IsArray(list)))
        return;
    mark_all(e, answer, used, WALK_DEPTH);
    cJSON_ArrayForEach (entry, list) {
        const struct cited *c = cited_of(e, json_str(entry, "id", NULL));

        fill_entry(e, entry);
        if (c != NULL)
            used[c - e->cited] = false;
    }
    for (int i = 0; i < e->evidence; i++) {
        if (!used[i])
            continue;
        if (list == NULL)
            list = json_add_arr(answer, "evidence");
        entry = cJSON_CreateObject();
        json_add_str(entry, "id", arena_printf(e->a, "E%d", i + 1));
        json_add_str(entry, "kind", e->cited[i].kind);
        json_add_str(entry, "ref", e->cited[i].ref);
        cJSON_AddItemToArray(list, entry);
    }
}
