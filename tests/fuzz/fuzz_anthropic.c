/* Streams of the Messages API. The first byte says how the rest is cut; whatever the cut, the
 * answer must be the same, and what counts as an answer must be canonical JSON. The same bytes are
 * also read as a whole answer. */
#include "libcommon/base/compat.h"
#include "libcommon/base/id.h"
#include "libcommon/llm/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_random(void *p, size_t n)
{
    memset(p, 7, n);
}

/* The outcome as text. */
static struct str outcome(struct arena *a, struct answer *ans)
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

static struct str feed(struct arena *a, struct str in, size_t step)
{
    struct answer ans;
    struct sse s;
    struct str text;

    answer_init(&ans, NULL, NULL);
    sse_init(&s, LLM_EVENT_MAX, llm_anthropic.on_event, &ans);
    for (size_t at = 0; at < in.n; at += step)
        if (sse_feed(&s, (struct str){in.p + at, MIN(step, in.n - at)}, NULL) != 0)
            break;
    if (!ans.complete && llm_anthropic.on_end != NULL)
        llm_anthropic.on_end(&ans);
    text = outcome(a, &ans);
    sse_done(&s);
    answer_done(&ans);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a;
    struct answer ans;
    struct str in;

    if (size < 2 || size > 16384)
        return 0;
    random_replace(no_random); /* for the ids that are made here */
    a = arena_new();
    in = (struct str){(const char *)data + 1, size - 1};
    assert(str_eq(feed(a, in, in.n), feed(a, in, (size_t)data[0] + 1)));
    answer_init(&ans, NULL, NULL);
    llm_anthropic.on_whole(&ans, in);
    outcome(a, &ans);
    answer_done(&ans);
    arena_free(a);
    return 0;
}
