/* The bodies of the analyze endpoints. The first byte picks the form. What is accepted must be
 * within the rules, and a fault must say which field and why. */
#include "libcommon/base/compat.h"
#include "services/api/analyze.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct analyze *in)
{
    assert(in->query != NULL && in->query[0] != '\0' && utf8_chars(str_of(in->query)) <= 10000);
    assert(in->option_count <= 10 && in->document_count <= ANALYZE_DOCUMENTS_MAX);
    assert(in->context.n <= CONTEXT_BYTES_MAX);
    if (in->context.n > 0)
        assert(json_scan(in->context, CONTEXT_DEPTH_MAX, NULL) == 0);
    assert(json_scan(in->params, 8, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct analyze_limits limits = {40, 900, 400000, 5};
    struct arena *a = arena_new();
    struct analyze in;
    struct fault f = {0};
    cJSON *body = NULL;

    if (size > 1) {
        struct str raw = {(const char *)data + 1, size - 1};
        if (json_parse(a, raw, JSON_DEPTH_MAX, &body, NULL) == 0 && cJSON_IsObject(body)) {
            if (analyze_read(a, raw, body, (enum analyze_form)(data[0] % 5), &limits, &in, &f) == 0)
                check(&in);
            else
                assert(f.reason != NULL && f.field[0] != '\0' && f.message[0] != '\0');
        }
    }
    arena_free(a);
    return 0;
}
