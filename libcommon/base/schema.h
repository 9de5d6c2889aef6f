/* schema.h: validation by JSON Schema (draft 2020-12), the keywords that our schemas use: $ref to
 * "#/...", type, enum, const, properties, patternProperties, required, additionalProperties,
 * propertyNames, minProperties, maxProperties, items, minItems, maxItems, uniqueItems, minLength,
 * maxLength (code points), pattern (POSIX ERE plus \d \w \s; one that cannot be translated fits
 * everything), minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, oneOf, anyOf,
 * allOf, not. Unknown keywords are ignored. Depth and work are bounded; beyond them the fault is
 * "limit". When no alternative of oneOf or anyOf fits, the faults are those of the likeliest. */
#pragma once
#include "libcommon/base/json.h"

struct schema_fault {
    char field[256];   /* JSON Pointer into the value; "" is the value itself */
    char reason[48];   /* the keyword that failed: "required", "type", "maxLength", ... */
    char message[256]; /* one sentence for people, names what is allowed */
};

/* root holds the $defs that a $ref names ("#/$defs/x"); it may be the schema itself. Collects at
 * most max_faults and returns their number; 0 means valid. For a missing required property `field`
 * is the pointer of the property that is missing. */
int schema_validate(const cJSON *schema, const cJSON *root, const cJSON *value,
                    struct schema_fault *faults, int max_faults) MUST_CHECK;
