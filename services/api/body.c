#include "libcommon/base/compat.h"
#include "services/api/body.h"

#define NAME_MAX_BYTES 100 /* longer names are nobody's */

/* Of scanned text: the grammar is known to hold, only the extent of values is looked for. */
static size_t skip_space(struct str s, size_t i)
{
    while (i < s.n && strchr(" \t\r\n", s.p[i]) != NULL)
        i++;
    return i;
}

static size_t skip_string(struct str s, size_t i)
{
    for (i++; i < s.n && s.p[i] != '"'; i++)
        if (s.p[i] == '\\')
            i++;
    return MIN(i + 1, s.n);
}

static size_t skip_value(struct str s, size_t i)
{
    int depth = 0;

    if (s.p[i] != '{' && s.p[i] != '[' && s.p[i] != '"') {
        while (i < s.n && strchr(",}] \t\r\n", s.p[i]) == NULL)
            i++;
        return i;
    }
    do {
        if (s.p[i] == '"') {
            i = skip_string(s, i);
            continue;
        }
        depth += s.p[i] == '{' || s.p[i] == '[';
        depth -= s.p[i] == '}' || s.p[i] == ']';
        i++;
    } while (depth > 0 && i < s.n);
    return i;
}

/* The name when the endpoint knows it, else NULL. Nothing is kept of the others. */
static const char *known_name(struct arena *a, struct str quoted, const cJSON *known)
{
    struct arena *scratch;
    const cJSON *hit = NULL;
    char plain[NAME_MAX_BYTES];
    cJSON *v = NULL;

    if (quoted.n > sizeof(plain))
        return NULL;
    if (memchr(quoted.p, '\\', quoted.n) == NULL) {
        snprintf(plain, sizeof(plain), "%.*s", (int)quoted.n - 2, quoted.p + 1);
        hit = json_get(known, plain);
    } else {
        scratch = arena_new();
        if (json_parse(scratch, quoted, 1, &v, NULL) == 0)
            hit = json_get(known, v->valuestring);
        arena_free(scratch);
    }
    return hit == NULL ? NULL : arena_strdup(a, hit->string);
}

static void add_member(struct arena *a, cJSON *tree, const char *key, struct str value, bool large)
{
    bool container = value.p[0] == '{' || value.p[0] == '[';
    cJSON *v = NULL;

    if (container && value.n > BODY_PART_MAX && !large)
        cJSON_AddItemToObject(tree, key, cJSON_CreateRaw("null"));
    else if (json_parse(a, value, JSON_DEPTH_MAX, &v, NULL) == 0)
        cJSON_AddItemReferenceToObject(tree, key, v);
}

cJSON *body_tree(struct arena *a, struct str text, const cJSON *known, bool large)
{
    cJSON *tree = json_obj(a);
    size_t i = skip_space(text, skip_space(text, 0) + 1);

    while (i < text.n && text.p[i] == '"') {
        size_t key_end = skip_string(text, i);
        struct str quoted = {text.p + i, key_end - i};
        size_t from = skip_space(text, skip_space(text, key_end) + 1); /* behind the colon */
        size_t to = skip_value(text, from);
        const char *key = known_name(a, quoted, known);
        if (key != NULL)
            add_member(a, tree, key, (struct str){text.p + from, to - from}, large);
        i = skip_space(text, to);
        if (i < text.n && text.p[i] == ',')
            i = skip_space(text, i + 1);
    }
    return tree;
}
