#include "libcommon/base/compat.h"
#include "services/api/fields.h"
#include <math.h>

int fault_set(struct fault *f, enum api_code code, const char *path, const char *key,
              const char *reason, const char *fmt, ...)
{
    va_list ap;

    f->code = code;
    f->reason = reason;
    snprintf(f->field, sizeof(f->field), "%s%s%s", path,
             path[0] != '\0' && key[0] != '\0' ? "/" : "", key);
    va_start(ap, fmt);
    vsnprintf(f->message, sizeof(f->message), fmt, ap);
    va_end(ap);
    return -1;
}

const cJSON *field_get(const cJSON *obj, const char *key)
{
    const cJSON *v = json_get(obj, key);

    return v == NULL || cJSON_IsNull(v) ? NULL : v;
}

static int wrong_type(struct fault *f, const char *path, const char *key, const char *wanted)
{
    fault_set(f, API_INVALID_REQUEST, path, key, "wrong_type", " ");
    snprintf(f->message, sizeof(f->message), "%.180s must be %s", f->field, wanted);
    return -1;
}

int field_required(const cJSON *obj, const char *path, const char *key, struct fault *f)
{
    if (field_get(obj, key) != NULL)
        return 0;
    fault_set(f, API_INVALID_REQUEST, path, key, "missing_required_field", " ");
    snprintf(f->message, sizeof(f->message), "%.180s field is required", f->field);
    return -1;
}

int field_string(const cJSON *obj, const char *path, const char *key, const char **out,
                 struct fault *f)
{
    const cJSON *v = field_get(obj, key);

    if (v == NULL)
        return 0;
    if (!cJSON_IsString(v))
        return wrong_type(f, path, key, "a string");
    *out = v->valuestring;
    return 0;
}

int field_text(const cJSON *obj, const char *path, const char *key, size_t min, size_t max,
               enum api_code code, const char **out, struct fault *f)
{
    const char *z = NULL;

    if (field_string(obj, path, key, &z, f) != 0)
        return -1;
    if (z == NULL)
        return 0;
    if (min > 0 && utf8_chars(text_trim(str_of(z))) < min)
        return fault_set(f, code, path, key, "too_short", "%s must have at least %zu character%s",
                         key, min, min == 1 ? "" : "s");
    if (utf8_chars(str_of(z)) > max)
        return fault_set(f, code, path, key, "too_long", "%s must have at most %zu characters", key,
                         max);
    *out = z;
    return 0;
}

bool word_in(const char *z, const char *allowed)
{
    struct str rest = str_of(allowed);

    while (rest.p != NULL)
        if (str_eqz(str_split(&rest, '|'), z))
            return true;
    return false;
}

int field_enum(const cJSON *obj, const char *path, const char *key, const char *allowed,
               enum api_code code, const char **out, struct fault *f)
{
    const char *z = NULL;

    if (field_string(obj, path, key, &z, f) != 0)
        return -1;
    if (z == NULL)
        return 0;
    if (!word_in(z, allowed))
        return fault_set(f, code, path, key, "not_allowed", "%s must be one of %s", key, allowed);
    *out = z;
    return 0;
}

int field_bool(const cJSON *obj, const char *path, const char *key, bool *out, struct fault *f)
{
    const cJSON *v = field_get(obj, key);

    if (v == NULL)
        return 0;
    if (!cJSON_IsBool(v))
        return wrong_type(f, path, key, "true or false");
    *out = cJSON_IsTrue(v);
    return 0;
}

int field_number(const cJSON *obj, const char *path, const char *key, bool whole, double min,
                 double max, enum api_code code, double *out, struct fault *f)
{
    const cJSON *v = field_get(obj, key);

    if (v == NULL)
        return 0;
    if (!cJSON_IsNumber(v))
        return wrong_type(f, path, key, whole ? "a whole number" : "a number");
    if (whole && v->valuedouble != floor(v->valuedouble))
        return fault_set(f, code, path, key, "not_whole", "%s must be a whole number", key);
    if (!(v->valuedouble >= min && v->valuedouble <= max))
        return fault_set(f, code, path, key, "out_of_range", "%s must be between %.15g and %.15g",
                         key, min, max);
    *out = v->valuedouble;
    return 0;
}

int field_object(const cJSON *obj, const char *path, const char *key, const cJSON **out,
                 struct fault *f)
{
    const cJSON *v = field_get(obj, key);

    if (v == NULL)
        return 0;
    if (!cJSON_IsObject(v))
        return wrong_type(f, path, key, "an object");
    *out = v;
    return 0;
}

static int one_string(const cJSON *item, const char *path, const char *key, int index,
                      size_t max_chars, enum api_code code, struct fault *f)
{
    char at[160], number[16];

    snprintf(at, sizeof(at), "%s%s%s", path, path[0] == '\0' ? "" : "/", key);
    snprintf(number, sizeof(number), "%d", index);
    if (!cJSON_IsString(item))
        return wrong_type(f, at, number, "a string");
    if (text_trim(str_of(item->valuestring)).n == 0)
        return fault_set(f, code, at, number, "blank", "%s must not hold an empty string", key);
    if (utf8_chars(str_of(item->valuestring)) > max_chars)
        return fault_set(f, code, at, number, "too_long",
                         "a string of %s must have at most %zu characters", key, max_chars);
    return 0;
}

int field_strings(struct arena *a, const cJSON *obj, const char *path, const char *key,
                  int min_items, int max_items, size_t max_chars, enum api_code code,
                  const char ***out, int *count, struct fault *f)
{
    const cJSON *v = field_get(obj, key);
    const char **list;
    int size, n = 0;

    if (v == NULL)
        return 0;
    if (!cJSON_IsArray(v))
        return wrong_type(f, path, key, "an array of strings");
    size = cJSON_GetArraySize(v);
    for (const cJSON *it = v->child; it != NULL; it = it->next, n++)
        if (!cJSON_IsString(it))
            return one_string(it, path, key, n, max_chars, code, f);
    if (size < min_items || size > max_items)
        return fault_set(f, code, path, key, size < min_items ? "too_few" : "too_many",
                         "%s must hold %d to %d strings", key, min_items, max_items);
    list = arena_array(a, const char *, size);
    n = 0;
    for (const cJSON *it = v->child; it != NULL; it = it->next, n++) {
        if (one_string(it, path, key, n, max_chars, code, f) != 0)
            return -1;
        for (int i = 0; i < n; i++) {
            if (strcmp(list[i], it->valuestring) == 0) {
                fault_set(f, code, path, key, "duplicate", "%s must be distinct", key);
                snprintf(f->field + strlen(f->field), 16, "/%d", n);
                return -1;
            }
        }
        list[n] = it->valuestring;
    }
    *out = list;
    *count = size;
    return 0;
}

static bool is_space(uint32_t c)
{
    return (c >= 0x9 && c <= 0xd) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200b) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000 || c == 0xfeff;
}

struct str text_trim(struct str s)
{
    size_t start = s.n, end = 0, pos = 0;

    while (pos < s.n) {
        size_t at = pos;
        if (!is_space(utf8_next(s, &pos))) {
            start = MIN(start, at);
            end = pos;
        }
    }
    return start >= end ? (struct str){s.p, 0} : (struct str){s.p + start, end - start};
}

int json_depth(const cJSON *item)
{
    int deepest = 0;

    if (!cJSON_IsObject(item) && !cJSON_IsArray(item))
        return 0;
    for (const cJSON *it = item->child; it != NULL; it = it->next) {
        int depth = json_depth(it); /* MAX would ask twice a level: 2^depth times */
        deepest = MAX(deepest, depth);
    }
    return deepest + 1;
}
