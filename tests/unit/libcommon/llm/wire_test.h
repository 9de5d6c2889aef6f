/* wire_test.h: reads a recorded stream of tests/data/llm in pieces of every size and compares the
 * answer with what it must be. Shared by the tests of the providers' wires. */
#pragma once
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/llm/wire.h"

struct stream_case {
    const char *file;
    const char *content; /* canonical; "~" stands for any characters up to the next quote */
    const char *stop;    /* NULL: the stream must not end well */
    int64_t in, out, read, write;
    int failure; /* status of an error in the stream */
    const char *message;
    const char *streamed; /* the deltas: T(text) H(thinking) J(tool json), each with its block */
};

static inline struct str read_fixture(struct arena *a, const char *name)
{
    char path[200];
    FILE *f;
    size_t n;
    char *p = arena_alloc(a, 1 << 20);

    snprintf(path, sizeof(path), "tests/data/llm/%s", name);
    f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s cannot be read: run the tests from the root of the tree", path);
    n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return (struct str){p, n};
}

/* The same block's pieces are joined, so that cuts of the wire do not show. */
struct deltas {
    struct buf text;
    int kind, block;
};

static inline void note_delta(void *arg, enum llm_delta kind, int block, struct str text)
{
    struct deltas *d = arg;

    if (d->kind != (int)kind || d->block != block)
        buf_printf(&d->text, "%s%c%d:", d->text.n > 0 ? " " : "", "THJ"[kind], block);
    d->kind = (int)kind;
    d->block = block;
    buf_str(&d->text, text);
}

static inline bool matches(const char *text, const char *pattern)
{
    while (*pattern != '\0') {
        if (*pattern == '~') {
            text += strcspn(text, "\"");
            pattern++;
        } else if (*text++ != *pattern++) {
            return false;
        }
    }
    return *text == '\0';
}

static inline void check_answer(const struct stream_case *c, const struct answer *ans,
                                struct arena *a)
{
    struct llm_result r = {0};
    struct err err = {0};

    assert_int_equal(ans->err.code, 0);
    assert_int_equal(ans->failure.status, c->failure);
    if (c->failure != 0)
        assert_string_equal(ans->failure.message, c->message);
    assert_int_equal(ans->complete, c->stop != NULL);
    if (c->stop == NULL)
        return;
    assert_int_equal(answer_result(ans, a, &r, &err), 0);
    if (!matches(r.content_json.p, c->content))
        assert_string_equal(r.content_json.p, c->content);
    assert_int_equal(json_scan(r.content_json, JSON_DEPTH_MAX, &err), 0);
    assert_string_equal(r.stop_reason, c->stop);
    assert_int_equal(r.input_tokens, c->in);
    assert_int_equal(r.output_tokens, c->out);
    assert_int_equal(r.cache_read_tokens, c->read);
    assert_int_equal(r.cache_write_tokens, c->write);
}

static inline void feed_case(const struct llm_wire *w, const struct stream_case *c,
                             struct str stream, size_t step)
{
    struct arena *a = arena_new();
    struct deltas d = {.kind = -1};
    struct answer ans;
    struct sse s;

    buf_init(&d.text, 100000);
    answer_init(&ans, note_delta, &d);
    sse_init(&s, LLM_EVENT_MAX, w->on_event, &ans);
    for (size_t at = 0; at < stream.n; at += step)
        if (sse_feed(&s, (struct str){stream.p + at, MIN(step, stream.n - at)}, NULL) != 0)
            break;
    if (!ans.complete && ans.failure.status == 0 && w->on_end != NULL)
        w->on_end(&ans);
    check_answer(c, &ans, a);
    if (c->streamed != NULL)
        assert_string_equal(buf_view(&d.text).p, c->streamed);
    sse_done(&s);
    answer_done(&ans);
    buf_done(&d.text);
    arena_free(a);
}

static inline void check_streams(const struct llm_wire *w, const struct stream_case *cases,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *a = arena_new();
        struct str stream = read_fixture(a, cases[i].file);

        for (size_t step = 1; step <= stream.n; step += step < 300 ? 1 : 97)
            feed_case(w, &cases[i], stream, step);
        feed_case(w, &cases[i], stream, stream.n);
        arena_free(a);
    }
}

static inline void check_whole(const struct llm_wire *w, const struct stream_case *c)
{
    struct arena *a = arena_new();
    struct answer ans;

    answer_init(&ans, NULL, NULL);
    w->on_whole(&ans, read_fixture(a, c->file));
    check_answer(c, &ans, a);
    answer_done(&ans);
    arena_free(a);
}

static inline struct str built(const struct llm_wire *w, struct arena *a,
                               const struct llm_request *req, const struct llm_terms *t)
{
    struct buf b;
    struct str text;

    buf_init(&b, LLM_REQUEST_MAX);
    assert_int_equal(w->build(&b, req, t, NULL), 0);
    text = arena_str(a, buf_view(&b));
    buf_done(&b);
    assert_int_equal(json_scan(text, JSON_DEPTH_MAX, NULL), 0);
    return text;
}
