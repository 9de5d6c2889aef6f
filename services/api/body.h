/* body.h: the tree of a request's body, with only what its endpoint knows. The whole text is
 * scanned, but members that the endpoint does not name cost nothing more, and containers that are
 * larger than any limit allows stay text: a body of 10 MiB of small values would be a tree of 200
 * MiB. Pure. */
#pragma once
#include "libcommon/base/json.h"

/* Containers longer than this are not read but for what takes them whole (`large`). */
#define BODY_PART_MAX (300 * 1024)

/* text must be a JSON object that json_scan accepts. known: names are keys of this object (a
 * schema's "properties"). A container over BODY_PART_MAX becomes a cJSON_Raw item unless large. In
 * the arena. */
cJSON *body_tree(struct arena *a, struct str text, const cJSON *known, bool large);
