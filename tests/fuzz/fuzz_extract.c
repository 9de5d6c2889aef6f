/* Documents' bytes to text. The first byte picks the type; what comes out is UTF-8 and can be cut.
 */
#include "libcommon/base/compat.h"
#include "services/worker/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        "text/html", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/json"};
    struct arena *a;
    struct chunk_part *parts;
    struct extract x;
    size_t n;

    if (size < 1 || size > 65536)
        return 0;
    a = arena_new();
    if (extract(a, str_of(types[data[0] % ARRAY_LEN(types)]),
                (struct str){(const char *)data + 1, size - 1}, &x, NULL) == 0 &&
        !x.original) {
        assert(utf8_valid(x.text) && memchr(x.text.p, 0, x.text.n) == NULL);
        assert(chunk_split(a, x.text, x.kind, &parts, &n, NULL) == 0);
    }
    arena_free(a);
    return 0;
}
