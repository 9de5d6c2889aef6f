/* Documents: the first byte picks the kind; parts are in order, in bounds, whole characters, and no
 * text is left out. */
#include "libcommon/base/compat.h"
#include "services/worker/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct chunk_part *p;
    struct str text;
    size_t n, at = 0;

    if (size > 0) {
        text = arena_str(a, (struct str){(const char *)data + 1, size - 1});
        if (chunk_split(a, text, (enum chunk_kind)(data[0] % 3), &p, &n, NULL) == 0) {
            for (size_t i = 0; i < n; i++) {
                assert(p[i].start >= at && p[i].end > p[i].start && p[i].end <= text.n);
                assert(p[i].end - p[i].start <= CHUNK_MAX);
                assert(utf8_valid((struct str){text.p + p[i].start, p[i].end - p[i].start}));
                for (; at < p[i].start; at++)
                    assert(strchr(" \t\n\r\f\v\xef\xbb\xbf", text.p[at]) != NULL);
                at = p[i].end;
            }
        }
    }
    arena_free(a);
    return 0;
}
