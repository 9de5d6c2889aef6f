/* fields.h: reading the members of a request's body. Each reader takes the object, its path for
 * messages ("" at the top), the key, and a fault that the first failure fills. Null counts as
 * absent. Pure. */
#pragma once
#include "libcommon/base/err_codes.h"
#include "libcommon/base/json.h"

struct fault {
    enum api_code code;
    char field[256]; /* slash path: "options/2" */
    const char *reason;
    char message[256];
};

/* Fills f and returns -1. path and key are joined by "/"; either may be "". */
int fault_set(struct fault *f, enum api_code code, const char *path, const char *key,
              const char *reason, const char *fmt, ...) PRINTF_LIKE(6, 7);

/* A member; NULL when absent or null. */
const cJSON *field_get(const cJSON *obj, const char *key);
/* -1 when the member is absent: INVALID_REQUEST "KEY field is required". */
int field_required(const cJSON *obj, const char *path, const char *key, struct fault *f) MUST_CHECK;
/* A string; *out untouched when absent. Wrong type: INVALID_REQUEST. */
int field_string(const cJSON *obj, const char *path, const char *key, const char **out,
                 struct fault *f) MUST_CHECK;
/* The same with at most max characters (and not blank when min > 0): else `code`. */
int field_text(const cJSON *obj, const char *path, const char *key, size_t min, size_t max,
               enum api_code code, const char **out, struct fault *f) MUST_CHECK;
/* One of "a|b|c". */
int field_enum(const cJSON *obj, const char *path, const char *key, const char *allowed,
               enum api_code code, const char **out, struct fault *f) MUST_CHECK;
int field_bool(const cJSON *obj, const char *path, const char *key, bool *out,
               struct fault *f) MUST_CHECK;
/* A number that is whole when `whole`, within [min, max]: else `code`. */
int field_number(const cJSON *obj, const char *path, const char *key, bool whole, double min,
                 double max, enum api_code code, double *out, struct fault *f) MUST_CHECK;
int field_object(const cJSON *obj, const char *path, const char *key, const cJSON **out,
                 struct fault *f) MUST_CHECK;
/* An array of strings with min_items..max_items distinct items of 1..max_chars characters. */
int field_strings(struct arena *a, const cJSON *obj, const char *path, const char *key,
                  int min_items, int max_items, size_t max_chars, enum api_code code,
                  const char ***out, int *count, struct fault *f) MUST_CHECK;

/* "is one of a, b, c": whether z is in "a|b|c". */
bool word_in(const char *z, const char *allowed);
/* Without white space (Unicode's) at both ends. */
struct str text_trim(struct str s);
/* How deep a value is nested; scalars are 0. */
int json_depth(const cJSON *item);
