/* Messages from the queue: whatever is read can be spliced and read again; nothing crashes. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"
#include "libcommon/queue/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str text = arena_str(a, (struct str){(const char *)data, size}), out;
    struct message m, again;
    struct message_body b;

    if (message_parse(a, text, &m, NULL) == 0) {
        bool readable = message_body(a, &m, &b, NULL) == 0;

        if (message_redelivered(a, text, 1, &out, NULL) == 0) {
            assert(message_parse(a, out, &again, NULL) == 0);
            assert(again.redelivered && again.redeliveries == 1);
            assert(strcmp(again.id, m.id) == 0 && str_eq(again.body, m.body));
        }
        if (message_retry(a, text, 1, 1000000, &out, NULL) == 0)
            assert(message_parse(a, out, &again, NULL) == 0 && again.version == 2);
        if (readable)
            assert(b.args.p[0] == '[' && b.kwargs.p[0] == '{');
    }
    arena_free(a);
    return 0;
}
