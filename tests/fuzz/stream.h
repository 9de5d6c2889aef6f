/* stream.h: what the fuzzers of the model streams share. The first byte says how the rest is cut;
 * whatever the cut, the answer must be the same, and what counts as an answer must be canonical
 * JSON. The same bytes are also read as a whole answer. */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/id.h"
#include "libcommon/llm/wire.h"

static inline void no_random(void *p, size_t n)
{
    memset(p, 7, n);
}

/* The outcome as text. */
static inline struct str outcome(struct arena *a, struct answer *ans)
{
    struct llm_result r = {0};

    if (ans->err.code != 0)
        return STR("broken");
    if (ans->failure.status != 0)
        return str_of(arena_printf(a, "%d %s", ans->failure.status, ans->failure.message));
    if (!ans->complete || answer_result(ans, a, &r, NULL) != 0)
        return STR("unfinished");
    assert(json_scan(r.content_json, JSON_DEPTH_MAX, NULL) == 0);
    return str_of(arena_printf(a, "%s %" PRId64 " %" PRId64 " %s", r.stop_reason, r.input_tokens,
                               r.output_tokens, r.content_json.p));
}

static inline struct str feed(const struct llm_wire *wire, struct arena *a, struct str in,
                              size_t step)
{
    struct answer ans;
    struct sse s;
    struct str text;

    answer_init(&ans, NULL, NULL);
    sse_init(&s, LLM_EVENT_MAX, wire->on_event, &ans);
    for (size_t at = 0; at < in.n; at += step)
        if (sse_feed(&s, (struct str){in.p + at, MIN(step, in.n - at)}, NULL) != 0)
            break;
    if (!ans.complete && wire->on_end != NULL)
        wire->on_end(&ans);
    text = outcome(a, &ans);
    sse_done(&s);
    answer_done(&ans);
    return text;
}

static inline int fuzz_stream(const struct llm_wire *wire, const uint8_t *data, size_t size)
{
    struct arena *a;
    struct answer ans;
    struct str in;

    if (size < 2 || size > 16384)
        return 0;
    random_replace(no_random); /* for the ids that are made here */
    a = arena_new();
    in = (struct str){(const char *)data + 1, size - 1};
    assert(str_eq(feed(wire, a, in, in.n), feed(wire, a, in, (size_t)data[0] + 1)));
    answer_init(&ans, NULL, NULL);
    wire->on_whole(&ans, in);
    outcome(a, &ans);
    answer_done(&ans);
    arena_free(a);
    return 0;
}
