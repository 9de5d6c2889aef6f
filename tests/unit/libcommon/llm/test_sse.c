/* Event streams, each cut at every place: the events must not depend on the cuts. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/llm/sse.h"

static bool note(void *arg, const struct sse_event *e)
{
    struct buf *out = arg;

    buf_printf(out, "<%.*s|%.*s|%.*s>", STR_ARG(e->type), STR_ARG(e->id), STR_ARG(e->data));
    return true;
}

static const struct {
    struct str stream;
    const char *events;
} streams[] = {
    {STR("data: a\n\n"), "<message||a>"},
    {STR("data:a\r\n\r\n"), "<message||a>"},
    {STR("data: a\r\r"), "<message||a>"},
    {STR("data:  a \n\n"), "<message|| a >"},
    {STR("\xef\xbb\xbf"
         "data: a\n\n"),
     "<message||a>"},
    {STR("data: a\n\n\xef\xbb\xbf"
         "data: b\n\n"),
     "<message||a>"},
    {STR("data: a\ndata: b\r\ndata:\n\n"), "<message||a\nb\n>"},
    {STR("event: x\ndata: a\n\ndata: b\n\n"), "<x||a><message||b>"},
    {STR("event: lost\n\ndata: b\n\n"), "<message||b>"},
    {STR(": comment\n:\ndata: a\n: c\n\n"), "<message||a>"},
    {STR("id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"), "<message|7|a><message|7|b><message||c>"},
    {STR("id: 7\0\ndata: a\n\n"), "<message||a>"},
    {STR("data\n\n"), "<message||>"},
    {STR("unknown: a\nretry: 30\nretry: -1\nretry: 3x\ndata: a: b\n\n"), "<message||a: b>"},
    {STR("data: unfinished\n"), ""},
    {STR("data: a\n\ndata: unfinished"), "<message||a>"},
    {STR("\n\n\r\n\r"), ""},
    {STR("data: a\r\n\ndata: b\n\r\n"), "<message||a><message||b>"},
};

static void feed_cut(struct buf *out, struct str stream, size_t step)
{
    struct sse s;

    buf_clear(out);
    sse_init(&s, 1000, note, out);
    for (size_t at = 0; at < stream.n; at += step)
        assert_int_equal(sse_feed(&s, (struct str){stream.p + at, MIN(step, stream.n - at)}, NULL),
                         0);
    sse_done(&s);
}

static void test_sse__events_do_not_depend_on_the_cuts(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 10000);
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        for (size_t step = 1; step <= streams[i].stream.n; step++) {
            feed_cut(&out, streams[i].stream, step);
            assert_string_equal(buf_view(&out).p, streams[i].events);
        }
    }
    buf_done(&out);
}

static void test_sse__retry_is_digits_only(void **state)
{
    struct buf out;
    struct sse s;

    (void)state;
    buf_init(&out, 100);
    sse_init(&s, 1000, note, &out);
    assert_int_equal(s.retry_ms, -1);
    assert_int_equal(sse_feed(&s, STR("retry: 30\nretry: +9\nretry: 4x\nretry:\n"), NULL), 0);
    assert_int_equal(s.retry_ms, 30);
    sse_done(&s);
    buf_done(&out);
}

static void test_sse__too_large_is_an_error(void **state)
{
    static const char *const streams_too_large[] = {
        "data: 0123456789012345\n\n",
        "data: 01234567\ndata: 01234567\n\n",
        "0123456789012345678901",
    };
    struct buf out;
    struct sse s;

    (void)state;
    buf_init(&out, 100);
    for (size_t i = 0; i < ARRAY_LEN(streams_too_large); i++) {
        sse_init(&s, 16, note, &out);
        assert_int_equal(sse_feed(&s, str_of(streams_too_large[i]), NULL), ERR_TOOBIG);
        sse_done(&s);
    }
    assert_int_equal(out.n, 0);
    buf_done(&out);
}

static bool refuse(void *arg, const struct sse_event *e)
{
    (void)e;
    ++*(int *)arg;
    return false;
}

static void test_sse__the_reader_may_end_it(void **state)
{
    struct sse s;
    int seen = 0;

    (void)state;
    sse_init(&s, 100, refuse, &seen);
    assert_int_equal(sse_feed(&s, STR("data: a\n\ndata: b\n\n"), NULL), ERR_CANCELLED);
    assert_int_equal(seen, 1);
    sse_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse__events_do_not_depend_on_the_cuts),
        cmocka_unit_test(test_sse__retry_is_digits_only),
        cmocka_unit_test(test_sse__too_large_is_an_error),
        cmocka_unit_test(test_sse__the_reader_may_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
