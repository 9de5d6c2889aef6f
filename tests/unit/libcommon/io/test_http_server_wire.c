/* The table of requests that two readers might understand differently, each with the one answer. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/io/http_server_wire.h"

#define OK 0
#define MORE 1 /* complete so far as it goes, but unfinished */

/* A whole request in pieces of `step` bytes. Returns OK, MORE or the refusal's status. */
static int feed(struct str in, size_t step, size_t max_head, size_t max_body, char *body,
                size_t cap)
{
    struct arena *a = arena_new();
    struct http_head head = {0};
    struct http_body framing = {0};
    struct http_fault f = {0};
    struct buf out;
    size_t scanned = 0, skip = 0, taken = 0;
    bool have_head = false;
    int result = MORE;

    buf_init(&out, max_body);
    for (size_t have = MIN(step, in.n); result == MORE; have = MIN(have + step, in.n)) {
        if (!have_head) {
            ptrdiff_t n = http_head_end((struct str){in.p, have}, max_head, &scanned, &skip, &f);
            if (n > 0 && http_head_read(a, (struct str){in.p + skip, (size_t)n - skip}, &head, &f))
                n = -1;
            if (n < 0)
                result = f.status;
            if (n > 0) {
                have_head = true;
                taken = (size_t)n;
                http_body_init(&framing, &head);
            }
        }
        if (have_head && result == MORE) {
            ptrdiff_t n =
                http_body_read(&framing, (struct str){in.p + taken, have - taken}, &out, &f);
            taken += n > 0 ? (size_t)n : 0;
            if (n < 0)
                result = f.status;
            else if (framing.state == BODY_DONE)
                result = OK;
        }
        if (have == in.n)
            break;
    }
    if (body != NULL)
        snprintf(body, cap, "%.*s", STR_ARG(buf_view(&out)));
    buf_done(&out);
    arena_free(a);
    return result;
}

#define H "Host: a\r\n"
#define TE "Transfer-Encoding: chunked\r\n"
#define R(text, status)                     \
    {                                       \
        {"" text, sizeof(text) - 1}, status \
    }

static const struct {
    struct str in;
    int status;
} table[] = {
    R("GET / HTTP/1.1\r\n" H "\r\n", OK),
    R("\r\nGET / HTTP/1.1\r\n" H "\r\n", OK),
    R("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400),
    R("GET / HTTP/1.0\r\n\r\n", OK),
    R("GET / HTTP/1.1\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H H "\r\n", 400),
    R("GET / HTTP/1.0\r\n" H H "\r\n", 400),
    R("GET / HTTP/1.1\r\nHost: \r\n\r\n", 400),
    R("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", OK),
    R("GET / HTTP/1.1\nHost: a\n\n", 400),
    R("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    R("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H "Content-Length : 0\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H " folded\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H "X: a\r\n\tfolded\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H "nocolon\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H ": empty\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H "X(y: z\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H "X: a\x01z\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H "X: a\x7fz\r\n\r\n", 400),
    R("GET / HTTP/1.1\r\n" H "X: caf\xc3\xa9\tz\r\n\r\n", OK),
    R("GET / HTTP/1.1\r\n" H "X:\r\n\r\n", OK),
    R("GET  / HTTP/1.1\r\n" H "\r\n", 400),
    R("GET /  HTTP/1.1\r\n" H "\r\n", 400),
    R("GET / HTTP/1.1 \r\n" H "\r\n", 400),
    R(" GET / HTTP/1.1\r\n" H "\r\n", 400),
    R("GET\t/\tHTTP/1.1\r\n" H "\r\n", 400),
    R("GET /\r\n\r\n", 400),
    R("GET /a b HTTP/1.1\r\n" H "\r\n", 400),
    R("GET /a\x80 HTTP/1.1\r\n" H "\r\n", 400),
    R("GET /a#b HTTP/1.1\r\n" H "\r\n", 400),
    R("GET a HTTP/1.1\r\n" H "\r\n", 400),
    R("GET * HTTP/1.1\r\n" H "\r\n", 400),
    R("OPTIONS * HTTP/1.1\r\n" H "\r\n", OK),
    R("CONNECT a:443 HTTP/1.1\r\n" H "\r\n", 501),
    R("BREW / HTTP/1.1\r\n" H "\r\n", OK),
    R("get / HTTP/1.1\r\n" H "\r\n", OK),
    R("G(T / HTTP/1.1\r\n" H "\r\n", 400),
    R("ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\n" H "\r\n", 501),
    R("GET / HTTP/2.0\r\n" H "\r\n", 505),
    R("GET / HTTP/0.9\r\n" H "\r\n", 505),
    R("GET / HTTP/1.2\r\n" H "\r\n", 505),
    R("GET / HTTP/01.1\r\n" H "\r\n", 400),
    R("GET / http/1.1\r\n" H "\r\n", 400),
    R("GET / HTTP/1.1x\r\n" H "\r\n", 400),
    R("GET http://b.example/x?y=1 HTTP/1.1\r\n" H "\r\n", OK),
    R("GET https://b.example HTTP/1.1\r\n" H "\r\n", OK),
    R("GET ftp://b/ HTTP/1.1\r\n" H "\r\n", 400),
    R("GET http:///x HTTP/1.1\r\n" H "\r\n", 400),
    R("GET http://u@b/x HTTP/1.1\r\n" H "\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", OK),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nab", MORE),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 3 \r\n\r\nabc", OK),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 1 2\r\n\r\nabc", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: \r\n\r\nabc", 400),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", 413),
    R("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n" TE "\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "Content-Length: 3\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3\r\nabc\r\n0\r\n\r\n", OK),
    R("POST / HTTP/1.1\r\n" H TE "\r\n003\r\nabc\r\n0\r\n\r\n", OK),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3;a=b\r\nabc\r\n0;c\r\nT: x\r\n\r\n", OK),
    R("POST / HTTP/1.1\r\n" H TE TE "\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.0\r\n" H TE "\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
      "chunked\r\n\r\n0\r\n\r\n",
      400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n0x3\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n+3\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n-3\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n 3\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3 \r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n;x\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\ng\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\nfffffffffffffffff\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n7fffffffffffffff\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3;a\nb\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3;a\0b\r\nabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3\rXabc\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3\r\nabc\n0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3\r\nabc0\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n0\r\n\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n0\r\nT: x\r\n folded\r\n\r\n", 400),
    R("POST / HTTP/1.1\r\n" H TE "\r\n3\r\nab", MORE),
    R("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", OK),
    R("POST / HTTP/1.1\r\n" H "Expect: something\r\nContent-Length: 0\r\n\r\n", 417),
    R("GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", OK),
    R("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    R("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
};

static void test_http_server_wire__refuses_what_is_ambiguous(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int whole = feed(table[i].in, table[i].in.n, 4096, 1024, NULL, 0);
        int bytes = feed(table[i].in, 1, 4096, 1024, NULL, 0);
        if (whole != table[i].status || bytes != table[i].status)
            fail_msg("row %zu (%.60s): expected %d, got %d whole and %d in bytes", i, table[i].in.p,
                     table[i].status, whole, bytes);
    }
}

static void test_http_server_wire__puts_chunks_together(void **state UNUSED)
{
    struct str in =
        STR("POST / HTTP/1.1\r\n" H TE "\r\nA;x=\"1\"\r\n0123456789\r\n1\r\na\r\n0\r\n\r\n");
    char body[64];

    for (size_t step = 1; step < in.n; step++) {
        assert_int_equal(feed(in, step, 4096, 1024, body, sizeof(body)), OK);
        assert_string_equal(body, "0123456789a");
    }
}

static void test_http_server_wire__bounds_head_and_body(void **state UNUSED)
{
    struct str in =
        STR("POST /0123456789 HTTP/1.1\r\n" H TE "\r\n5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n");
    struct buf many;

    assert_int_equal(feed(in, 7, 40, 1024, NULL, 0), 431);
    assert_int_equal(feed(in, 7, 4096, 9, NULL, 0), 413);
    assert_int_equal(feed(in, 7, 4096, 10, NULL, 0), OK);
    buf_init(&many, 64 * 1024);
    buf_puts(&many, "GET / HTTP/1.1\r\n" H);
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        buf_printf(&many, "X-%d: y\r\n", i);
    buf_puts(&many, "\r\n");
    assert_int_equal(feed(buf_view(&many), many.n, 32768, 10, NULL, 0), 431);
    buf_clear(&many);
    buf_puts(&many, "GET /");
    for (int i = 0; i < HTTP_TARGET_MAX; i++)
        buf_putc(&many, 'a');
    buf_puts(&many, " HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(feed(buf_view(&many), many.n, 32768, 10, NULL, 0), 414);
    buf_done(&many);
}

static void test_http_server_wire__normalises_the_target(void **state UNUSED)
{
    struct arena *a = arena_new();
    struct http_head h;
    struct http_fault f;

    assert_int_equal(http_head_read(a, STR("GET http://b:8/x?y=1?z HTTP/1.1\r\n" H "\r\n"), &h, &f),
                     0);
    assert_true(str_eq(h.path, STR("/x")) && str_eq(h.query, STR("y=1?z")));
    assert_int_equal(http_head_read(a, STR("GET http://b?q HTTP/1.1\r\n" H "\r\n"), &h, &f), 0);
    assert_true(str_eq(h.path, STR("/")) && str_eq(h.query, STR("q")));
    arena_free(a);
}

static void test_http_server_wire__keeps_or_ends_the_connection(void **state UNUSED)
{
    static const struct {
        const char *line, *field;
        bool keep;
    } rows[] = {{"HTTP/1.1", "", true},
                {"HTTP/1.1", "Connection: close\r\n", false},
                {"HTTP/1.1", "Connection: x, Close\r\n", false},
                {"HTTP/1.0", "", false},
                {"HTTP/1.0", "Connection: keep-alive\r\n", true},
                {"HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", false}};
    struct arena *a = arena_new();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_head h;
        struct http_fault f;
        char *head = arena_printf(a, "GET / %s\r\n" H "%s\r\n", rows[i].line, rows[i].field);
        assert_int_equal(http_head_read(a, str_of(head), &h, &f), 0);
        assert_int_equal(h.keep_alive, rows[i].keep);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_server_wire__refuses_what_is_ambiguous),
        cmocka_unit_test(test_http_server_wire__puts_chunks_together),
        cmocka_unit_test(test_http_server_wire__bounds_head_and_body),
        cmocka_unit_test(test_http_server_wire__normalises_the_target),
        cmocka_unit_test(test_http_server_wire__keeps_or_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
