/* The wire of HTTP requests. The first byte says how the rest is cut into pieces; whatever the cut,
 * the outcome must be the same as for the whole. */
#include "libcommon/base/compat.h"
#include "libcommon/io/http_server_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    int status; /* 0: complete, 1: more is needed */
    size_t taken, body;
};

static struct outcome feed(struct str in, size_t step)
{
    struct arena *a = arena_new();
    struct http_head head;
    struct http_body framing;
    struct http_fault f = {0};
    struct outcome o = {.status = 1};
    struct buf out;
    size_t scanned = 0, skip = 0;
    bool have_head = false;

    buf_init(&out, 4096);
    for (size_t have = MIN(step, in.n); o.status == 1; have = MIN(have + step, in.n)) {
        if (!have_head) {
            ptrdiff_t n = http_head_end((struct str){in.p, have}, 2048, &scanned, &skip, &f);
            if (n > 0 && http_head_read(a, (struct str){in.p + skip, (size_t)n - skip}, &head, &f))
                n = -1;
            if (n < 0)
                o.status = f.status;
            if (n > 0) {
                have_head = true;
                o.taken = (size_t)n;
                http_body_init(&framing, &head);
            }
        }
        if (have_head && o.status == 1) {
            struct str rest = {in.p + o.taken, have - o.taken};
            ptrdiff_t n = http_body_read(&framing, rest, &out, &f);
            if (n < 0)
                o.status = f.status;
            else
                o.taken += (size_t)n;
            if (n >= 0 && framing.state == BODY_DONE)
                o.status = 0;
        }
        if (have == in.n)
            break;
    }
    o.body = out.n;
    buf_done(&out);
    arena_free(a);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 8192)
        return 0;
    struct str in = {(const char *)data + 1, size - 1};
    struct outcome whole = feed(in, in.n == 0 ? 1 : in.n);
    struct outcome cut = feed(in, (size_t)data[0] + 1);

    assert(whole.status == cut.status);
    if (whole.status == 0)
        assert(whole.taken == cut.taken && whole.body == cut.body);
    return 0;
}
