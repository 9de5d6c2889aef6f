/* Schemas of tool servers, and values of models: {"schema": ..., "value": ...}. */
#include "libcommon/base/compat.h"
#include "libcommon/base/schema.h"

#define FAULTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fault(const struct schema_fault *f)
{
    if (memchr(f->field, '\0', sizeof f->field) == NULL ||
        memchr(f->reason, '\0', sizeof f->reason) == NULL ||
        memchr(f->message, '\0', sizeof f->message) == NULL || f->reason[0] == '\0')
        abort();
    if (f->field[0] != '\0' && f->field[0] != '/')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct schema_fault faults[FAULTS], first;
    cJSON *root = NULL;

    if (json_parse(a, (struct str){(const char *)data, size}, JSON_DEPTH_MAX, &root, NULL) == 0) {
        const cJSON *schema = json_get(root, "schema"), *value = json_get(root, "value");

        if (schema != NULL && value != NULL) {
            int count = schema_validate(schema, schema, value, faults, FAULTS);

            if (count < 0 || count > FAULTS)
                abort();
            for (int i = 0; i < count; i++)
                check_fault(&faults[i]);
            if (schema_validate(schema, schema, value, &first, 1) != (count > 0))
                abort();
        }
    }
    arena_free(a);
    return 0;
}
