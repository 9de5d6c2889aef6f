/* json.h: JSON (RFC 8259) with exactness. cJSON holds the trees, but it cuts strings at NUL, takes
 * bad UTF-8, raw control characters, 01 and trailing text, ignores case in getters and keeps
 * duplicate keys; so text from outside is scanned here first, and only these getters are used.
 *
 * Where the bytes matter (numbers over 2^53, [] against {}), text is passed on by json_raw and
 * spliced, never rebuilt from a tree. Nesting is at most JSON_DEPTH_MAX everywhere.
 *
 * Trees made by json_parse, json_obj and json_arr belong to the arena: never cJSON_Delete them.
 * What is added to such a tree with cJSON_Add* belongs to the tree. */
#pragma once
#include <cjson/cJSON.h>
#include "libcommon/base/arena.h"
#include "libcommon/base/buf.h"
#include "libcommon/base/err.h"

#define JSON_DEPTH_MAX 64

/* Strict: UTF-8, grammar of numbers, no control character, no \u0000, no lone surrogate escape, no
 * duplicate key in one object, nothing after the value, at most max_depth levels (an object or
 * array at the top is level 1). The message names the byte offset. ERR_INVALID or ERR_TOOBIG
 * (depth). */
int json_scan(struct str text, int max_depth, struct err *err) MUST_CHECK;

/* json_scan, then the tree. *out is untouched on failure. */
int json_parse(struct arena *a, struct str text, int max_depth, cJSON **out,
               struct err *err) MUST_CHECK;

/* New roots that the arena frees. json_own ties an unowned root (from cJSON_Create or
 * cJSON_Duplicate) to the arena and returns it. */
cJSON *json_obj(struct arena *a);
cJSON *json_arr(struct arena *a);
cJSON *json_own(struct arena *a, cJSON *root);

/* Case-sensitive. NULL when absent or when obj is no object. */
cJSON *json_get(const cJSON *obj, const char *key);
/* The value or the default when absent, null or of another type. Strings belong to the tree. */
const char *json_str(const cJSON *obj, const char *key, const char *dflt);
double json_num(const cJSON *obj, const char *key, double dflt);
int64_t json_i64(const cJSON *obj, const char *key, int64_t dflt);
bool json_bool(const cJSON *obj, const char *key, bool dflt);
/* JSON Pointer (RFC 6901); "" is the root. NULL when absent. */
cJSON *json_at(const cJSON *root, const char *pointer);
/* Same value: numbers by ==, objects regardless of order. */
bool json_same(const cJSON *a, const cJSON *b);

/* Adding; s may be NULL, which adds null. json_add_num adds null for NaN and infinities. */
void json_add_str(cJSON *obj, const char *key, const char *s);
void json_add_strn(cJSON *obj, const char *key, struct str s); /* s must be valid UTF-8, no NUL */
void json_add_num(cJSON *obj, const char *key, double v);
void json_add_bool(cJSON *obj, const char *key, bool v);
void json_add_null(cJSON *obj, const char *key);
cJSON *json_add_obj(cJSON *obj, const char *key);
cJSON *json_add_arr(cJSON *obj, const char *key);
void json_push_str(cJSON *arr, const char *s);
void json_push_num(cJSON *arr, double v);
/* A deep copy of the item (NULL gives null). To move an unowned one in, cJSON_AddItemToObject. */
void json_add_copy(cJSON *obj, const char *key, const cJSON *item);
void json_push_copy(cJSON *arr, const cJSON *item);

/* Compact text. Integers of at most 2^53 without a point, other doubles with the fewest of 17
 * significant digits that read back equal. json_canon sorts the keys of each object by bytes. */
struct str json_print(struct arena *a, const cJSON *item);
struct str json_canon(struct arena *a, const cJSON *item);
void json_write(struct buf *b, const cJSON *item);
/* The text as a quoted JSON string; bytes that are not valid UTF-8 become U+FFFD, NUL becomes
 * U+FFFD. */
void json_quote(struct buf *b, struct str s);

/* The bytes of the value at a JSON Pointer of keys and indexes in scanned text, without building a
 * tree. ERR_NOTFOUND when absent. The view lies inside text. */
int json_raw(struct str text, const char *pointer, struct str *out) MUST_CHECK;
