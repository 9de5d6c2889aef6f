/* json.c: trees: their owner, exact getters, and adding. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"
#include "libcommon/base/json_text.h"
#include <math.h>

#define I64_LIMIT 9223372036854775808.0

/* cJSON answers NULL only when memory is out. */
static cJSON *must(cJSON *item)
{
    if (item == NULL)
        abort();
    return item;
}

static void delete_tree(void *p)
{
    cJSON_Delete(p);
}

cJSON *json_own(struct arena *a, cJSON *root)
{
    arena_on_reset(a, delete_tree, must(root));
    return root;
}

cJSON *json_obj(struct arena *a)
{
    return json_own(a, cJSON_CreateObject());
}

cJSON *json_arr(struct arena *a)
{
    return json_own(a, cJSON_CreateArray());
}

cJSON *json_get(const cJSON *obj, const char *key)
{
    return cJSON_IsObject(obj) ? cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

const char *json_str(const cJSON *obj, const char *key, const char *dflt)
{
    const cJSON *item = json_get(obj, key);

    return cJSON_IsString(item) ? item->valuestring : dflt;
}

double json_num(const cJSON *obj, const char *key, double dflt)
{
    const cJSON *item = json_get(obj, key);

    return cJSON_IsNumber(item) ? item->valuedouble : dflt;
}

int64_t json_i64(const cJSON *obj, const char *key, int64_t dflt)
{
    double v = json_num(obj, key, NAN);

    if (isnan(v) || v < -I64_LIMIT || v >= I64_LIMIT || v != floor(v))
        return dflt;
    return (int64_t)v;
}

bool json_bool(const cJSON *obj, const char *key, bool dflt)
{
    const cJSON *item = json_get(obj, key);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : dflt;
}

static cJSON *element(const cJSON *array, const char *token)
{
    int64_t index;

    if (str_i64(str_of(token), &index) != 0 || index < 0 || index > INT32_MAX ||
        (token[0] == '0' && token[1] != '\0'))
        return NULL;
    return cJSON_GetArrayItem(array, (int)index);
}

cJSON *json_at(const cJSON *root, const char *pointer)
{
    struct str path = str_of(pointer);
    char *token = xmalloc(path.n + 1);
    const cJSON *at = root;

    if (path.n > 0) {
        if (str_split(&path, '/').n > 0)
            at = NULL; /* a pointer starts with a slash */
        while (at != NULL && path.p != NULL) {
            token[json_pointer_token(str_split(&path, '/'), token)] = '\0';
            at = cJSON_IsArray(at) ? element(at, token) : json_get(at, token);
        }
    }
    free(token);
    return (cJSON *)(uintptr_t)at;
}

static int by_key(const void *a, const void *b)
{
    const cJSON *const *x = a, *const *y = b;

    return strcmp((*x)->string, (*y)->string);
}

const cJSON **json_sorted(const cJSON *obj, size_t *n)
{
    const cJSON **items;
    size_t i = 0;

    *n = (size_t)cJSON_GetArraySize(obj);
    items = xcalloc(*n, sizeof(*items));
    for (const cJSON *it = obj->child; it != NULL; it = it->next)
        items[i++] = it;
    qsort(items, *n, sizeof(*items), by_key);
    return items;
}

/* Most objects that are compared have their keys in the same order; only the others are sorted. */
static bool same_members(const cJSON *a, const cJSON *b)
{
    const cJSON **x, **y;
    size_t n, m;
    bool same;

    a = a->child;
    b = b->child;
    while (a != NULL && b != NULL && strcmp(a->string, b->string) == 0) {
        if (!json_same(a, b))
            return false;
        a = a->next;
        b = b->next;
    }
    if (a == NULL || b == NULL)
        return a == b;
    x = json_sorted(&(cJSON){.type = cJSON_Object, .child = (cJSON *)(uintptr_t)a}, &n);
    y = json_sorted(&(cJSON){.type = cJSON_Object, .child = (cJSON *)(uintptr_t)b}, &m);
    same = n == m;
    for (size_t i = 0; same && i < n; i++)
        same = strcmp(x[i]->string, y[i]->string) == 0 && json_same(x[i], y[i]);
    free(x);
    free(y);
    return same;
}

static bool same_elements(const cJSON *a, const cJSON *b)
{
    a = a->child;
    b = b->child;
    for (; a != NULL && b != NULL; a = a->next, b = b->next)
        if (!json_same(a, b))
            return false;
    return a == b;
}

bool json_same(const cJSON *a, const cJSON *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if ((a->type & 0xFF) != (b->type & 0xFF))
        return false;
    switch (a->type & 0xFF) {
    case cJSON_Number:
        return a->valuedouble == b->valuedouble;
    case cJSON_String:
    case cJSON_Raw:
        return strcmp(a->valuestring, b->valuestring) == 0;
    case cJSON_Array:
        return same_elements(a, b);
    case cJSON_Object:
        return same_members(a, b);
    default:
        return true;
    }
}

static cJSON *string_item(struct str s)
{
    cJSON *item = must(cJSON_CreateNull());

    item->type = cJSON_String;
    item->valuestring = xmalloc(s.n + 1);
    if (s.n > 0)
        memcpy(item->valuestring, s.p, s.n);
    item->valuestring[s.n] = '\0';
    return item;
}

static cJSON *string_or_null(const char *s)
{
    return s == NULL ? must(cJSON_CreateNull()) : string_item(str_of(s));
}

static cJSON *number_or_null(double v)
{
    return must(isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull());
}

void json_add_str(cJSON *obj, const char *key, const char *s)
{
    cJSON_AddItemToObject(obj, key, string_or_null(s));
}

void json_add_strn(cJSON *obj, const char *key, struct str s)
{
    cJSON_AddItemToObject(obj, key, string_item(s));
}

void json_add_num(cJSON *obj, const char *key, double v)
{
    cJSON_AddItemToObject(obj, key, number_or_null(v));
}

void json_add_bool(cJSON *obj, const char *key, bool v)
{
    cJSON_AddItemToObject(obj, key, must(cJSON_CreateBool(v)));
}

void json_add_null(cJSON *obj, const char *key)
{
    cJSON_AddItemToObject(obj, key, must(cJSON_CreateNull()));
}

cJSON *json_add_obj(cJSON *obj, const char *key)
{
    return must(cJSON_AddObjectToObject(obj, key));
}

cJSON *json_add_arr(cJSON *obj, const char *key)
{
    return must(cJSON_AddArrayToObject(obj, key));
}

void json_push_str(cJSON *arr, const char *s)
{
    cJSON_AddItemToArray(arr, string_or_null(s));
}

void json_push_num(cJSON *arr, double v)
{
    cJSON_AddItemToArray(arr, number_or_null(v));
}

static cJSON *copy_or_null(const cJSON *item)
{
    return must(item == NULL ? cJSON_CreateNull() : cJSON_Duplicate(item, true));
}

void json_add_copy(cJSON *obj, const char *key, const cJSON *item)
{
    cJSON_AddItemToObject(obj, key, copy_or_null(item));
}

void json_push_copy(cJSON *arr, const cJSON *item)
{
    cJSON_AddItemToArray(arr, copy_or_null(item));
}
