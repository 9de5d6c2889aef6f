/* Text from outside. What the scanner accepts must parse, print and come back the same; what it
 * refuses must still be harmless to json_raw. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static cJSON *parse(struct arena *a, struct str text)
{
    cJSON *v = NULL;

    if (json_parse(a, text, JSON_DEPTH_MAX, &v, NULL) != 0)
        abort();
    return v;
}

/* The bytes that a pointer finds are the value that the tree has there. */
static void check_members(struct arena *a, struct str text, const cJSON *root)
{
    const cJSON *member;

    if (!cJSON_IsObject(root))
        return;
    cJSON_ArrayForEach (member, root) {
        struct str raw;
        char *pointer;

        if (strpbrk(member->string, "~/") != NULL)
            continue;
        pointer = arena_printf(a, "/%s", member->string);
        if (json_raw(text, pointer, &raw) != 0 || !json_same(parse(a, raw), member))
            abort();
        if (json_at(root, pointer) != member)
            abort();
    }
}

static void check_accepted(struct arena *a, struct str text)
{
    cJSON *v = parse(a, text);
    struct str printed = json_print(a, v), canon = json_canon(a, v);

    if (!json_same(v, parse(a, printed)) || !json_same(v, parse(a, canon)))
        abort();
    if (!str_eq(canon, json_canon(a, parse(a, canon))))
        abort();
    check_members(a, text, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, raw;
    struct arena *a = arena_new();

    if (json_scan(text, JSON_DEPTH_MAX, NULL) == 0)
        check_accepted(a, text);
    (void)!json_raw(text, "/a/0/b", &raw);
    (void)!json_raw(text, "/0/a", &raw);
    arena_free(a);
    return 0;
}
