/* json_text.h: what the parts of json share about the text of a string. Private to json*.c. */
#pragma once
#include <cjson/cJSON.h>
#include "libcommon/base/str.h"

/* The meaning of a string's body (what stands between its quotes) written to out, which has room
 * for body.n bytes; returns the length. The body must have passed json_scan; of another body the
 * result is unspecified, but nothing outside of it is read or written. */
size_t json_unescape(struct str body, char *out);

/* Whether the body means exactly these bytes. */
bool json_body_is(struct str body, struct str meaning);

/* One token of a JSON Pointer with ~0 and ~1 replaced; out has room for token.n bytes. */
size_t json_pointer_token(struct str token, char *out);

/* The members of an object sorted by the bytes of their keys; the caller frees the array. */
const cJSON **json_sorted(const cJSON *obj, size_t *n);

/* Longest text of a number that is read. DBL_MAX in full has 309 digits. */
#define JSON_NUMBER_LEN_MAX 400
