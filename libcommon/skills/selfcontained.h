/* selfcontained.h: a schema that means the same outside its document. Each $ref to "#/$defs/NAME"
 * is replaced by what it names; a definition that refers to itself stays a $ref, and comes along
 * in the schema's own $defs. */
#pragma once
#include "libcommon/base/json.h"

/* document holds the $defs. The answer is a new root of the arena. */
cJSON *schema_selfcontained(struct arena *a, const cJSON *document, const cJSON *schema);

/* The same without any $ref, as model providers want it: inside a definition that refers to itself
 * the reference becomes "any object", with a word that it is another of the same kind. So it says
 * less than the schema does; what comes back is to be validated by the latter. */
cJSON *schema_without_references(struct arena *a, const cJSON *document, const cJSON *schema);
