/* Event streams. The first byte says how the rest is cut; the events must be those of the whole. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool note(void *arg, const struct sse_event *e)
{
    struct buf *out = arg;

    buf_printf(out, "<%zu %zu %zu>", e->type.n, e->id.n, e->data.n);
    buf_str(out, e->type);
    buf_str(out, e->id);
    buf_str(out, e->data);
    return true;
}

static int feed(struct buf *out, struct str in, size_t step)
{
    struct sse s;
    int code = 0;

    sse_init(&s, 256, note, out);
    for (size_t at = 0; at < in.n && code == 0; at += step)
        code = sse_feed(&s, (struct str){in.p + at, MIN(step, in.n - at)}, NULL);
    sse_done(&s);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, cut;
    struct str in;

    if (size < 2 || size > 8192)
        return 0;
    in = (struct str){(const char *)data + 1, size - 1};
    buf_init(&whole, 1 << 20);
    buf_init(&cut, 1 << 20);
    /* Whole lines are read in place, so only a cut reader may find a line too long. */
    if (feed(&whole, in, in.n) == 0 && feed(&cut, in, (size_t)data[0] + 1) == 0)
        assert(str_eq(buf_view(&whole), buf_view(&cut)));
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
