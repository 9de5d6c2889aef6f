/* schema.c: validation by a table of keywords. A schema may come from outside (a tool server), so
 * work is bounded in two ways: nesting, because a $ref may lead back to itself, and the number of
 * schemas applied in all, because alternatives inside alternatives multiply.
 *
 * When none of several alternatives fits, "fits none" helps nobody. The faults of the most likely
 * one are told: that whose discriminating constants fit, and among these the one that got deepest.
 */
#include "libcommon/base/compat.h"
#include "libcommon/base/schema.h"
#include "libcommon/base/map.h"
#include "libcommon/base/schema_pattern.h"
#include <math.h>

#define DEPTH_MAX 256
#define WORK_MAX 1000000
#define ALTERNATIVE_FAULTS 4
#define PATH_MAX_BYTES 256u

struct check {
    const cJSON *root;
    struct schema_fault *faults;
    int max, count;
    int depth, *work;
    char path[PATH_MAX_BYTES];
    size_t path_n;
};

static void validate(struct check *c, const cJSON *schema, const cJSON *value);

static void fault(struct check *c, const char *reason, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void fault(struct check *c, const char *reason, const char *fmt, ...)
{
    struct schema_fault *f = &c->faults[c->count];
    va_list ap;

    if (c->count >= c->max)
        return;
    c->count++;
    memcpy(f->field, c->path, c->path_n);
    f->field[c->path_n] = '\0';
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    va_start(ap, fmt);
    vsnprintf(f->message, sizeof f->message, fmt, ap);
    va_end(ap);
}

/* Adds "/key" to the path and returns what path_n was. What does not fit is left out: the fault
 * then names an ancestor. */
static size_t enter(struct check *c, const char *key)
{
    size_t before = c->path_n, n = before;
    char text[PATH_MAX_BYTES];

    text[n++] = '/';
    for (; *key != '\0' && n + 2 < PATH_MAX_BYTES; key++) {
        if (*key == '~' || *key == '/')
            text[n++] = '~';
        text[n++] = (char)(*key == '~' ? '0' : *key == '/' ? '1' : *key);
    }
    if (*key == '\0' && n < PATH_MAX_BYTES) {
        memcpy(c->path + before, text + before, n - before);
        c->path_n = n;
    }
    return before;
}

static size_t enter_index(struct check *c, int index)
{
    char text[16];

    snprintf(text, sizeof text, "%d", index);
    return enter(c, text);
}

/* Alternatives of at most n bytes for a message: a, b, c. */
static void list_values(const cJSON *values, char *out, size_t n)
{
    struct buf b;
    const cJSON *v;

    buf_init(&b, 1u << 16);
    cJSON_ArrayForEach (v, values) {
        if (v != values->child)
            buf_puts(&b, ", ");
        if (cJSON_IsString(v))
            buf_puts(&b, v->valuestring);
        else
            json_write(&b, v);
    }
    snprintf(out, n, "%.*s", STR_ARG(utf8_cut(buf_view(&b), 180)));
    buf_done(&b);
}

struct keyword {
    const char *name;
    void (*fn)(struct check *c, const cJSON *schema, const cJSON *kw, const cJSON *value);
};

#define KEYWORD_FN(name)                                                           \
    static void name(struct check *c, const cJSON *schema UNUSED, const cJSON *kw, \
                     const cJSON *value)

static bool is_type(const char *type, const cJSON *value)
{
    static const struct {
        const char *name;
        int types;
    } rows[] = {
        {"string", cJSON_String},
        {"number", cJSON_Number},
        {"object", cJSON_Object},
        {"array", cJSON_Array},
        {"boolean", cJSON_True | cJSON_False},
        {"null", cJSON_NULL},
    };

    if (strcmp(type, "integer") == 0)
        return cJSON_IsNumber(value) && floor(value->valuedouble) == value->valuedouble;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, type) == 0)
            return (value->type & rows[i].types) != 0;
    return true;
}

static bool type_fits(const cJSON *kw, const cJSON *value)
{
    const cJSON *t;

    if (cJSON_IsString(kw))
        return is_type(kw->valuestring, value);
    cJSON_ArrayForEach (t, kw) {
        if (cJSON_IsString(t) && is_type(t->valuestring, value))
            return true;
    }
    return !cJSON_IsArray(kw);
}

static void type_fault(struct check *c, const cJSON *kw)
{
    char allowed[200];

    if (cJSON_IsString(kw))
        snprintf(allowed, sizeof allowed, "%.100s", kw->valuestring);
    else
        list_values(kw, allowed, sizeof allowed);
    fault(c, "type", "must be of type %s", allowed);
}

KEYWORD_FN(kw_ref)
{
    const cJSON *target = NULL;

    if (cJSON_IsString(kw) && kw->valuestring[0] == '#')
        target = json_at(c->root, kw->valuestring + 1);
    if (target == NULL)
        fault(c, "$ref", "the schema refers to %.100s, which does not exist",
              cJSON_IsString(kw) ? kw->valuestring : "nothing");
    else
        validate(c, target, value);
}

KEYWORD_FN(kw_enum)
{
    char allowed[200];
    const cJSON *v;

    cJSON_ArrayForEach (v, kw) {
        if (json_same(v, value))
            return;
    }
    list_values(kw, allowed, sizeof allowed);
    fault(c, "enum", "must be one of: %s", allowed);
}

KEYWORD_FN(kw_const)
{
    struct buf b;

    if (json_same(kw, value))
        return;
    buf_init(&b, 1u << 16);
    json_write(&b, kw);
    fault(c, "const", "must be %.*s", STR_ARG(utf8_cut(buf_view(&b), 180)));
    buf_done(&b);
}

KEYWORD_FN(kw_properties)
{
    const cJSON *p;

    if (!cJSON_IsObject(value))
        return;
    cJSON_ArrayForEach (p, kw) {
        const cJSON *member = json_get(value, p->string);

        if (member != NULL) {
            size_t before = enter(c, p->string);

            validate(c, p, member);
            c->path_n = before;
        }
    }
}

KEYWORD_FN(kw_pattern_properties)
{
    const cJSON *p, *member;

    if (!cJSON_IsObject(value))
        return;
    cJSON_ArrayForEach (p, kw) {
        cJSON_ArrayForEach (member, value) {
            size_t before = enter(c, member->string);

            if (schema_pattern_fits(p->string, member->string))
                validate(c, p, member);
            c->path_n = before;
        }
    }
}

KEYWORD_FN(kw_required)
{
    const cJSON *name;

    if (!cJSON_IsObject(value))
        return;
    cJSON_ArrayForEach (name, kw) {
        if (cJSON_IsString(name) && json_get(value, name->valuestring) == NULL) {
            size_t before = enter(c, name->valuestring);

            fault(c, "required", "%.100s is required", name->valuestring);
            c->path_n = before;
        }
    }
}

static bool is_declared(const cJSON *schema, const char *name)
{
    const cJSON *p;

    if (json_get(json_get(schema, "properties"), name) != NULL)
        return true;
    cJSON_ArrayForEach (p, json_get(schema, "patternProperties")) {
        if (schema_pattern_fits(p->string, name))
            return true;
    }
    return false;
}

KEYWORD_FN(kw_additional_properties)
{
    const cJSON *member;

    if (!cJSON_IsObject(value) || cJSON_IsTrue(kw))
        return;
    cJSON_ArrayForEach (member, value) {
        size_t before;

        if (is_declared(schema, member->string))
            continue;
        before = enter(c, member->string);
        if (cJSON_IsFalse(kw))
            fault(c, "additionalProperties", "%.100s is not a known property", member->string);
        else
            validate(c, kw, member);
        c->path_n = before;
    }
}

KEYWORD_FN(kw_property_names)
{
    const cJSON *member;

    if (!cJSON_IsObject(value))
        return;
    cJSON_ArrayForEach (member, value) {
        const cJSON name = {.type = cJSON_String, .valuestring = member->string};
        size_t before = enter(c, member->string);

        validate(c, kw, &name);
        c->path_n = before;
    }
}

KEYWORD_FN(kw_items)
{
    const cJSON *item;
    int i = 0;

    if (!cJSON_IsArray(value))
        return;
    cJSON_ArrayForEach (item, value) {
        size_t before = enter_index(c, i++);

        validate(c, kw, item);
        c->path_n = before;
    }
}

/* By their canonical text: comparing each with each would be quadratic. */
KEYWORD_FN(kw_unique_items)
{
    struct arena *a;
    struct map *seen;
    const cJSON *item;
    int i = 0;

    if (!cJSON_IsArray(value) || !cJSON_IsTrue(kw))
        return;
    a = arena_new();
    seen = map_new();
    cJSON_ArrayForEach (item, value) {
        if (map_set(seen, json_canon(a, item), seen) != NULL) {
            size_t before = enter_index(c, i);

            fault(c, "uniqueItems", "the same item stands there before");
            c->path_n = before;
        }
        i++;
    }
    map_free(seen);
    arena_free(a);
}

KEYWORD_FN(kw_pattern)
{
    if (cJSON_IsString(value) && cJSON_IsString(kw) &&
        !schema_pattern_fits(kw->valuestring, value->valuestring))
        fault(c, "pattern", "must match %.150s", kw->valuestring);
}

/* Keywords that bound a quantity. Each reads its quantity of the value; one that does not apply to
 * the value's type gives NAN, which breaks no bound. */

static double size_of_object(const cJSON *v)
{
    return cJSON_IsObject(v) ? cJSON_GetArraySize(v) : NAN;
}

static double size_of_array(const cJSON *v)
{
    return cJSON_IsArray(v) ? cJSON_GetArraySize(v) : NAN;
}

static double chars_of(const cJSON *v)
{
    return cJSON_IsString(v) ? (double)utf8_chars(str_of(v->valuestring)) : NAN;
}

static double number_of(const cJSON *v)
{
    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

static bool below(double v, double bound)
{
    return v < bound;
}

static bool above(double v, double bound)
{
    return v > bound;
}

static bool at_or_below(double v, double bound)
{
    return v <= bound;
}

static bool at_or_above(double v, double bound)
{
    return v >= bound;
}

static bool is_no_multiple(double v, double of)
{
    double q = v / of;

    return of > 0 && !isnan(v) && fabs(q - round(q)) > 1e-9 * fmax(1, fabs(q));
}

static const struct bound {
    const char *name;
    double (*quantity)(const cJSON *v);
    bool (*breaks)(double v, double bound);
    const char *before, *behind; /* of the number in the message */
} bounds[] = {
    {"minLength", chars_of, below, "must have at least ", " characters"},
    {"maxLength", chars_of, above, "must have at most ", " characters"},
    {"minItems", size_of_array, below, "must have at least ", " items"},
    {"maxItems", size_of_array, above, "must have at most ", " items"},
    {"minProperties", size_of_object, below, "must have at least ", " properties"},
    {"maxProperties", size_of_object, above, "must have at most ", " properties"},
    {"minimum", number_of, below, "must be at least ", ""},
    {"maximum", number_of, above, "must be at most ", ""},
    {"exclusiveMinimum", number_of, at_or_below, "must be greater than ", ""},
    {"exclusiveMaximum", number_of, at_or_above, "must be less than ", ""},
    {"multipleOf", number_of, is_no_multiple, "must be a multiple of ", ""},
};

KEYWORD_FN(kw_bound)
{
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        const struct bound *b = &bounds[i];

        if (strcmp(b->name, kw->string) != 0)
            continue;
        if (cJSON_IsNumber(kw) && b->breaks(b->quantity(value), kw->valuedouble))
            fault(c, b->name, "%s%.15g%s", b->before, kw->valuedouble, b->behind);
        return;
    }
}

/* The faults of one alternative, to be judged or forgotten. */
static int try_alternative(const struct check *c, const cJSON *schema, const cJSON *value,
                           struct schema_fault *faults)
{
    struct check sub = *c;

    sub.faults = faults;
    sub.max = ALTERNATIVE_FAULTS;
    sub.count = 0;
    validate(&sub, schema, value);
    return sub.count;
}

static int path_depth(const char *field)
{
    int depth = 0;

    for (; *field != '\0'; field++)
        depth += *field == '/';
    return depth;
}

/* How likely this alternative was meant: constants that fit count most, then how deep it got. */
static int likelihood(const struct check *c, const struct schema_fault *faults, int count)
{
    int score = 1 << 16;

    for (int i = 0; i < count; i++) {
        if (strcmp(faults[i].reason, "const") == 0 || strcmp(faults[i].reason, "enum") == 0)
            score = 0;
        if (strcmp(faults[i].reason, "type") == 0 && strlen(faults[i].field) == c->path_n)
            score = 0; /* the value itself is of another type */
    }
    return score + path_depth(faults[0].field) * 16 - count;
}

static int try_all(const struct check *c, const cJSON *kw, const cJSON *value,
                   struct schema_fault *best, int *best_count)
{
    struct schema_fault *faults = xmalloc(ALTERNATIVE_FAULTS * sizeof *faults);
    int fitting = 0, best_score = INT32_MIN;
    const cJSON *alternative;

    *best_count = 0;
    cJSON_ArrayForEach (alternative, kw) {
        int count = try_alternative(c, alternative, value, faults);

        fitting += count == 0;
        if (count > 0 && likelihood(c, faults, count) > best_score) {
            best_score = likelihood(c, faults, count);
            *best_count = count;
            memcpy(best, faults, ALTERNATIVE_FAULTS * sizeof *best);
        }
    }
    free(faults);
    return fitting;
}

static void no_alternative_fits(struct check *c, const char *reason,
                                const struct schema_fault *best, int best_count)
{
    char here[PATH_MAX_BYTES];

    memcpy(here, c->path, c->path_n);
    here[c->path_n] = '\0';
    if (best_count == 0 || strcmp(best[0].field, here) == 0) {
        fault(c, reason, "fits none of the allowed forms%s%.150s", best_count > 0 ? ": " : "",
              best_count > 0 ? best[0].message : "");
        return;
    }
    for (int i = 0; i < best_count && c->count < c->max; i++)
        c->faults[c->count++] = best[i];
}

static void alternatives(struct check *c, const cJSON *kw, const cJSON *value, bool exactly_one)
{
    struct schema_fault *best = xmalloc(ALTERNATIVE_FAULTS * sizeof *best);
    int best_count, fitting = try_all(c, kw, value, best, &best_count);

    if (fitting == 0)
        no_alternative_fits(c, kw->string, best, best_count);
    else if (exactly_one && fitting > 1)
        fault(c, kw->string, "fits more than one of the allowed forms");
    free(best);
}

KEYWORD_FN(kw_one_of)
{
    alternatives(c, kw, value, true);
}

KEYWORD_FN(kw_any_of)
{
    alternatives(c, kw, value, false);
}

KEYWORD_FN(kw_all_of)
{
    const cJSON *part;

    cJSON_ArrayForEach (part, kw) {
        validate(c, part, value);
    }
}

KEYWORD_FN(kw_not)
{
    struct schema_fault *faults = xmalloc(ALTERNATIVE_FAULTS * sizeof *faults);

    if (try_alternative(c, kw, value, faults) == 0)
        fault(c, "not", "has a form that is not allowed");
    free(faults);
}

static const struct keyword keywords[] = {
    {"$ref", kw_ref},
    {"additionalProperties", kw_additional_properties},
    {"allOf", kw_all_of},
    {"anyOf", kw_any_of},
    {"const", kw_const},
    {"enum", kw_enum},
    {"exclusiveMaximum", kw_bound},
    {"exclusiveMinimum", kw_bound},
    {"items", kw_items},
    {"maxItems", kw_bound},
    {"maxLength", kw_bound},
    {"maxProperties", kw_bound},
    {"maximum", kw_bound},
    {"minItems", kw_bound},
    {"minLength", kw_bound},
    {"minProperties", kw_bound},
    {"minimum", kw_bound},
    {"multipleOf", kw_bound},
    {"not", kw_not},
    {"oneOf", kw_one_of},
    {"pattern", kw_pattern},
    {"patternProperties", kw_pattern_properties},
    {"properties", kw_properties},
    {"propertyNames", kw_property_names},
    {"required", kw_required},
    {"uniqueItems", kw_unique_items},
};

static int by_name(const void *name, const void *row)
{
    return strcmp(name, ((const struct keyword *)row)->name);
}

static void apply_keywords(struct check *c, const cJSON *schema, const cJSON *value)
{
    const cJSON *type = json_get(schema, "type"), *kw;

    if (type != NULL && !type_fits(type, value)) {
        type_fault(c, type); /* what else the schema says is about another type */
        return;
    }
    cJSON_ArrayForEach (kw, schema) {
        const struct keyword *k =
            bsearch(kw->string, keywords, ARRAY_LEN(keywords), sizeof keywords[0], by_name);

        if (k != NULL)
            k->fn(c, schema, kw, value);
        if (c->count >= c->max)
            return;
    }
}

static void validate(struct check *c, const cJSON *schema, const cJSON *value)
{
    if (cJSON_IsFalse(schema))
        fault(c, "false", "must not be there");
    if (!cJSON_IsObject(schema))
        return;
    if (c->depth >= DEPTH_MAX || *c->work >= WORK_MAX) {
        fault(c, "limit", "too deep or too complex to be checked");
        return;
    }
    c->depth++;
    ++*c->work;
    apply_keywords(c, schema, value);
    c->depth--;
}

int schema_validate(const cJSON *schema, const cJSON *root, const cJSON *value,
                    struct schema_fault *faults, int max_faults)
{
    int work = 0;
    struct check c = {.root = root, .faults = faults, .max = max_faults, .work = &work};

    assert(max_faults > 0);
    validate(&c, schema, value);
    return c.count;
}
