/* selfcontained.h: a schema that means the same outside its document. Each $ref to "#/$defs/NAME"
 * is replaced by what it names; a definition that refers to itself stays a $ref, and comes along
 * in the schema's own $defs. */
#pragma once
#include "libcommon/base/json.h"

/* document holds the $defs. The answer is a new root of the arena. */
cJSON *schema_selfcontained(struct arena *a, const cJSON *document, const cJSON *schema);
