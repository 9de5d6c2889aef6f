/* selfcontained.c: copies a schema and puts definitions in the place of references. */
#include "libcommon/base/compat.h"
#include "libcommon/skills/selfcontained.h"

/* Definitions nest far less; this bounds a document that refers in circles. */
#define DEPTH_MAX 32

struct copier {
    const cJSON *defs;  /* of the document */
    cJSON *kept;        /* those that refer to themselves; NULL: no reference may stay */
    const char *inside; /* without references: the definition that is being copied */
};

/* The name behind "#/$defs/", or NULL. */
static const char *reference(const cJSON *node)
{
    static const char prefix[] = "#/$defs/";
    const char *ref = json_str(node, "$ref", "");

    return strncmp(ref, prefix, sizeof(prefix) - 1) == 0 ? ref + sizeof(prefix) - 1 : NULL;
}

static bool mentions(const struct copier *c, const cJSON *node, const char *name, int depth)
{
    const char *ref = reference(node);

    if (ref != NULL && strcmp(ref, name) == 0)
        return true;
    if (depth > DEPTH_MAX)
        return false;
    if (ref != NULL && mentions(c, json_get(c->defs, ref), name, depth + 1))
        return true;
    for (const cJSON *child = node == NULL ? NULL : node->child; child != NULL; child = child->next)
        if (mentions(c, child, name, depth + 1))
            return true;
    return false;
}

static cJSON *copy(struct copier *c, const cJSON *node);

static void keep(struct copier *c, const char *name)
{
    cJSON *definition;

    if (json_get(c->kept, name) != NULL)
        return;
    json_add_obj(c->kept, name); /* a place, so that the copy of itself ends here */
    definition = copy(c, json_get(c->defs, name));
    cJSON_ReplaceItemInObjectCaseSensitive(c->kept, name, definition);
}

/* A definition that refers to itself, once; within it any object. */
static cJSON *copy_once(struct copier *c, const char *name)
{
    cJSON *out;

    if (c->inside != NULL) {
        out = cJSON_CreateObject();
        json_add_str(out, "type", "object");
        json_add_str(out, "description", "another of the same kind as the object that holds it");
        return out;
    }
    c->inside = name;
    out = copy(c, json_get(c->defs, name));
    c->inside = NULL;
    return out;
}

static cJSON *copy(struct copier *c, const cJSON *node)
{
    const char *ref = reference(node);
    cJSON *out;

    if (ref != NULL && !mentions(c, json_get(c->defs, ref), ref, 0))
        return copy(c, json_get(c->defs, ref));
    if (ref != NULL && c->kept == NULL)
        return copy_once(c, ref);
    if (ref != NULL)
        keep(c, ref);
    out = cJSON_Duplicate(node, false);
    if (out == NULL)
        abort(); /* out of memory */
    for (const cJSON *child = node->child; child != NULL; child = child->next) {
        if (cJSON_IsArray(out))
            cJSON_AddItemToArray(out, copy(c, child));
        else
            cJSON_AddItemToObject(out, child->string, copy(c, child));
    }
    return out;
}

cJSON *schema_selfcontained(struct arena *a, const cJSON *document, const cJSON *schema)
{
    struct copier c = {.defs = json_get(document, "$defs"), .kept = json_obj(a)};
    cJSON *out = json_own(a, copy(&c, schema));

    if (c.kept->child != NULL)
        json_add_copy(out, "$defs", c.kept);
    return out;
}

cJSON *schema_without_references(struct arena *a, const cJSON *document, const cJSON *schema)
{
    struct copier c = {.defs = json_get(document, "$defs")};

    return json_own(a, copy(&c, schema));
}
