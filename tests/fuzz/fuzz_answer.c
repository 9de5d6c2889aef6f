/* Any text as a model's answer: it is read or refused, renamed and checked, and what passes the
 * checks once passes them again. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char request_text[] =
    "{\"query\":\"Buy or lease?\",\"options\":[\"Buy\",\"Lease\"],\"decision_type\":\"risk\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    cJSON *request = NULL, *answer = NULL, *faults = NULL;
    struct err err = {0};

    assert(json_parse(a, str_of(request_text), 8, &request, &err) == 0);
    if (decision_extract((struct str){(const char *)data, size}, a, &answer, &err) == 0) {
        struct validate_ctx ctx = {request, NULL, NULL, NULL, true};

        assert(decision_validate(answer, &ctx, a, &faults) == 0);
        int first = cJSON_GetArraySize(faults);
        (void)decision_cap_confidence(answer, &ctx, a);
        (void)decision_quality(answer, &ctx, a);
        assert(decision_validate(answer, &ctx, a, &faults) == 0);
        assert(first > 0 || cJSON_GetArraySize(faults) == 0);
    }
    arena_free(a);
    return 0;
}
