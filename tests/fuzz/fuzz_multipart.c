/* Forms: the first line of the input is the content type, the rest is the body. Every part must lie
 * inside the body. */
#include "libcommon/base/compat.h"
#include "services/api/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size};
    struct str type = str_split(&body, '\n');
    struct arena *a = arena_new();
    struct form_part *parts;
    struct err err;
    int n;

    if (body.p != NULL && multipart_read(a, type, body, &parts, &n, &err) == 0) {
        for (int i = 0; i < n; i++) {
            assert(parts[i].name.n > 0);
            assert(parts[i].body.p >= body.p &&
                   parts[i].body.p + parts[i].body.n <= body.p + body.n);
        }
    }
    arena_free(a);
    return 0;
}
