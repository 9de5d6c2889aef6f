/* Any text: the figures read lie inside it, in order, and its JSON form is made. */
#include "libcommon/base/compat.h"
#include "libcommon/method/figures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena *a = arena_new();
    struct figure *f;
    cJSON *list = NULL;
    size_t last = 0;

    for (int zh = 0; zh < 2; zh++) {
        size_t n = figures_scan(a, text, zh ? "zh" : "en", &f);

        last = 0;
        for (size_t i = 0; i < n; i++) {
            assert(f[i].start >= last && f[i].start <= f[i].end && f[i].end <= size);
            last = f[i].start;
        }
        if (figures_read(text, zh ? "zh" : "en", a, &list) == 0)
            (void)json_print(a, list);
    }
    arena_free(a);
    return 0;
}
