/* The server over loopback sockets, client and server in one loop. */
#include "libcommon/base/compat.h"
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/ev/loop.h"
#include "libcommon/io/http_server.h"

#define H "Host: a\r\n"
#define WAIT_MS 3000

struct env {
    struct loop *loop;
    struct http_server *server;
    struct http_req *held; /* of /hold and /stream */
    enum http_close why;
    int closes, dones, last_status, requests;
    int64_t head_says; /* what on_head returns; -1: answers 401 itself */
    struct buf big;
};

static void on_close(struct http_req *req, enum http_close why)
{
    struct env *e = req->user;

    e->closes++;
    e->why = why;
    e->held = NULL;
}

static int64_t on_head(struct http_req *req, void *arg)
{
    struct env *e = arg;

    if (e->head_says < 0)
        http_reply(req, 401, "Content-Type: text/plain\r\n", STR("who"));
    return e->head_says;
}

/* "/echo" gives method, path, query and body; "/hold" waits; "/stream" begins a stream. */
static void on_request(struct http_req *req, void *arg)
{
    struct env *e = arg;

    e->requests++;
    req->user = e;
    if (str_eq(req->path, STR("/hold")) || str_eq(req->path, STR("/stream"))) {
        req->on_close = on_close;
        e->held = req;
        if (str_eq(req->path, STR("/stream")))
            http_stream_begin(req, NULL);
        return;
    }
    if (str_eq(req->path, STR("/big"))) {
        http_reply(req, 200, "Content-Type: text/plain\r\n", buf_view(&e->big));
        return;
    }
    if (str_eq(req->path, STR("/none"))) {
        http_reply(req, 204, NULL, STR(""));
        return;
    }
    char *text = arena_printf(req->arena, "%s %.*s ?%.*s [%.*s]", req->method, STR_ARG(req->path),
                              STR_ARG(req->query), STR_ARG(req->body));
    http_reply(req, 200, "Content-Type: text/plain\r\n", str_of(text));
}

static void on_done(struct http_req *req UNUSED, int status, int64_t bytes UNUSED, void *arg)
{
    struct env *e = arg;

    e->dones++;
    e->last_status = status;
}

static void on_refuse(int status, const char *reason, struct buf *headers, struct buf *body,
                      void *arg UNUSED)
{
    buf_puts(headers, "X-Refused: yes\r\n");
    buf_printf(body, "{\"status\":%d,\"reason\":\"%s\"}", status, reason);
}

static void start(struct env *e, struct http_server_options opt)
{
    struct http_handler h = {on_head, on_request, on_done, on_refuse, e};
    struct err err;

    memset(e, 0, sizeof(*e));
    opt.host = "127.0.0.1";
    e->loop = loop_new();
    e->head_says = 1 << 20;
    buf_init(&e->big, 4 << 20);
    assert_int_equal(http_server_new(e->loop, &opt, &h, &e->server, &err), 0);
}

static void stop(struct env *e)
{
    http_server_free(e->server);
    loop_turn(e->loop, 0);
    loop_free(e->loop);
    buf_done(&e->big);
}

static int dial(struct env *e)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(e->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Runs the loop and reads until `until` was seen (NULL: until the end), or the time is over.
 * Returns true when that happened. got is NUL-terminated. */
static bool hear(struct env *e, int fd, const char *until, char *got, size_t cap)
{
    int64_t end = clock_mono_us() + WAIT_MS * 1000;
    size_t n = 0;

    got[0] = '\0';
    while (clock_mono_us() < end) {
        ssize_t k = recv(fd, got + n, cap - 1 - n, MSG_DONTWAIT);
        if (k == 0 || (k < 0 && errno != EAGAIN))
            return until == NULL;
        if (k > 0) {
            n += (size_t)k;
            got[n] = '\0';
        }
        if (until != NULL && strstr(got, until) != NULL)
            return true;
        if (n + 1 >= cap)
            return false;
        if (k < 0)
            loop_turn(e->loop, 5);
    }
    return false;
}

static bool wait_for(struct env *e, const int *value, int at_least)
{
    int64_t end = clock_mono_us() + WAIT_MS * 1000;

    while (*value < at_least && clock_mono_us() < end)
        loop_turn(e->loop, 5);
    return *value >= at_least;
}

static char got[256 * 1024];

static void test_http_server__answers_in_order_on_one_connection(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    int fd = dial(&e);
    say(fd,
        "GET /1?x=y HTTP/1.1\r\n" H "\r\nPOST /2 HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"
        "POST /3 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n"
        "GET http://b/4 HTTP/1.1\r\n" H "Connection: close\r\n\r\nGET /5 HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    const char *one = strstr(got, "GET /1 ?x=y []"), *two = strstr(got, "POST /2 ? [abc]");
    const char *three = strstr(got, "POST /3 ? [z]"), *four = strstr(got, "GET /4 ? []");
    assert_true(one != NULL && two > one && three > two && four > three);
    assert_null(strstr(got, "/5"));
    assert_non_null(strstr(four - 200, "Connection: close"));
    assert_int_equal(e.dones, 4);
    close(fd);
    stop(&e);
}

static void test_http_server__refuses_with_the_envelope_and_closes(void **state UNUSED)
{
    static const struct {
        const char *in, *status;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\nHost: a\n\n", "400"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 2000000\r\n\r\n", "413"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n200000\r\n", "408"},
        {"GET / HTTP/3.0\r\n" H "\r\n", "505"},
        {"CONNECT a:1 HTTP/1.1\r\n" H "\r\n", "501"},
        {"POST / HTTP/1.1\r\n" H "Expect: magic\r\n\r\n", "417"},
    };
    struct env e;

    start(&e, (struct http_server_options){.body_ms = 50});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = dial(&e);
        say(fd, rows[i].in);
        assert_true(hear(&e, fd, NULL, got, sizeof(got)));
        assert_memory_equal(got + 9, rows[i].status, 3);
        assert_non_null(strstr(got, "Connection: close\r\n"));
        assert_non_null(strstr(got, "X-Refused: yes\r\n"));
        assert_non_null(strstr(got, "{\"status\":"));
        close(fd);
    }
    assert_int_equal(e.requests, 0);
    stop(&e);
}

static void test_http_server__body_over_the_limit_in_chunks_is_413(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    e.head_says = 4;
    int fd = dial(&e);
    say(fd, "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n");
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 413 ", 13);
    close(fd);
    stop(&e);
}

static void test_http_server__has_deadlines_for_head_body_and_idle(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){.head_ms = 40, .body_ms = 40, .idle_ms = 40});
    int silent = dial(&e), head = dial(&e), body = dial(&e), idle = dial(&e);
    say(head, "GET / HT");
    say(body, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nabc");
    say(idle, "GET / HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(&e, silent, NULL, got, sizeof(got)));
    assert_string_equal(got, "");
    assert_true(hear(&e, head, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 408 ", 13);
    assert_true(hear(&e, body, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 408 ", 13);
    assert_true(hear(&e, idle, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 200 ", 13);
    close(silent), close(head), close(body), close(idle);
    stop(&e);
}

static void test_http_server__a_half_close_still_gets_its_answer(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    int fd = dial(&e);
    say(fd, "GET /hold HTTP/1.1\r\n" H "\r\n");
    shutdown(fd, SHUT_WR);
    assert_true(wait_for(&e, &e.requests, 1));
    for (int i = 0; i < 5; i++)
        loop_turn(e.loop, 1);
    assert_int_equal(e.closes, 0);
    http_reply(e.held, 200, NULL, STR("late"));
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    assert_non_null(strstr(got, "\r\n\r\nlate"));
    close(fd);
    stop(&e);
}

static void test_http_server__a_client_that_resets_ends_its_request(void **state UNUSED)
{
    struct linger now = {1, 0};
    struct env e;

    start(&e, (struct http_server_options){0});
    int fd = dial(&e);
    say(fd, "GET /hold HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&e, &e.requests, 1));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
    assert_true(wait_for(&e, &e.dones, 1));
    assert_int_equal(e.closes, 1);
    assert_int_equal(e.why, HTTP_CLOSE_CLIENT);
    assert_int_equal(e.last_status, 0);
    assert_int_equal(http_server_connections(e.server), 0);
    stop(&e);
}

static void test_http_server__head_and_204_have_no_body(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    int fd = dial(&e);
    say(fd, "HEAD /x HTTP/1.1\r\n" H "\r\nGET /none HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    assert_non_null(strstr(got, "Content-Length: 12\r\n"));
    assert_null(strstr(got, "HEAD /x"));
    const char *none = strstr(got, "HTTP/1.1 204 ");
    assert_non_null(none);
    assert_null(strstr(none, "Content-Length"));
    close(fd);
    stop(&e);
}

static void test_http_server__expect_is_answered_unless_refused(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    int fd = dial(&e);
    say(fd, "POST /x HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_true(hear(&e, fd, "100 Continue\r\n\r\n", got, sizeof(got)));
    say(fd, "ab");
    assert_true(hear(&e, fd, "[ab]", got, sizeof(got)));
    say(fd, "POST /x HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n");
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 413 ", 13);
    close(fd);
    fd = dial(&e);
    e.head_says = -1;
    say(fd, "POST /x HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 401 ", 13);
    assert_non_null(strstr(got, "Connection: close"));
    close(fd);
    stop(&e);
}

static void inflate_all(const char *in, size_t n, char *out, size_t cap)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in,
                  .avail_in = (uInt)n,
                  .next_out = (Bytef *)out,
                  .avail_out = (uInt)cap - 1};

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out[z.total_out] = '\0';
    inflateEnd(&z);
}

static void test_http_server__zips_what_is_over_1_kib_for_those_who_accept(void **state UNUSED)
{
    static char plain[8192];
    struct env e;

    start(&e, (struct http_server_options){0});
    for (int i = 0; i < 300; i++)
        buf_printf(&e.big, "line %d\n", i);
    int fd = dial(&e);
    say(fd, "GET /big HTTP/1.1\r\n" H "Accept-Encoding: br, gzip\r\nConnection: close\r\n\r\n");
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    assert_non_null(strstr(got, "Content-Encoding: gzip\r\n"));
    const char *body = strstr(got, "\r\n\r\n") + 4;
    size_t n = (size_t)strtol(strstr(got, "Content-Length: ") + 16, NULL, 10);
    inflate_all(body, n, plain, sizeof(plain));
    assert_string_equal(plain, e.big.p);
    close(fd);
    fd = dial(&e);
    say(fd, "GET /big HTTP/1.1\r\n" H "Accept-Encoding: gzip;q=0\r\nConnection: close\r\n\r\n");
    assert_true(hear(&e, fd, NULL, got, sizeof(got)));
    assert_null(strstr(got, "Content-Encoding"));
    assert_non_null(strstr(got, "line 299"));
    close(fd);
    stop(&e);
}

static void test_http_server__streams_events_and_heartbeats(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){.stream_heartbeat_s = 1});
    int fd = dial(&e);
    say(fd, "GET /stream HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(&e, fd, "\r\n\r\n", got, sizeof(got)));
    assert_non_null(strstr(got, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(got, "X-Accel-Buffering: no\r\n"));
    assert_true(http_stream_event(e.held, "step", "1.2", STR("{\"a\":1}")));
    assert_true(hear(&e, fd, "id: 1.2\nevent: step\ndata: {\"a\":1}\n\n", got, sizeof(got)));
    assert_true(hear(&e, fd, "3\r\n:\n\n\r\n", got, sizeof(got)));
    http_stream_end(e.held);
    assert_true(hear(&e, fd, "0\r\n\r\n", got, sizeof(got)));
    say(fd, "GET /again HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(&e, fd, "GET /again", got, sizeof(got)));
    close(fd);
    stop(&e);
}

static void test_http_server__head_of_a_stream_is_its_head(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    int fd = dial(&e);
    say(fd, "HEAD /stream HTTP/1.1\r\n" H "\r\nGET /next HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(&e, fd, "GET /next", got, sizeof(got)));
    assert_non_null(strstr(got, "Content-Type: text/event-stream\r\n"));
    assert_int_equal(e.closes, 0);
    close(fd);
    stop(&e);
}

static void test_http_server__drops_a_follower_that_does_not_read(void **state UNUSED)
{
    struct env e;
    int small = 4096;
    bool dropped = false;

    start(&e, (struct http_server_options){.stream_max = 64 * 1024});
    int fd = dial(&e);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    say(fd, "GET /stream HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&e, &e.requests, 1));
    for (int i = 0; i < 10000; i++)
        buf_putc(&e.big, 'x');
    for (int i = 0; i < 2000 && !dropped; i++) {
        dropped = !http_stream_event(e.held, "chunk", NULL, buf_view(&e.big));
        if (!dropped) {
            assert_true(http_stream_pending(e.held) <= 64 * 1024);
            loop_turn(e.loop, 0);
        }
    }
    assert_true(dropped);
    assert_true(wait_for(&e, &e.closes, 1));
    assert_int_equal(e.why, HTTP_CLOSE_SLOW);
    close(fd);
    stop(&e);
}

static void test_http_server__connections_over_the_cap_hear_503(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){.max_connections = 1});
    int one = dial(&e);
    say(one, "GET /hold HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&e, &e.requests, 1));
    int two = dial(&e);
    say(two, "GET /x HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(&e, two, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 503 ", 13);
    http_reply(e.held, 200, NULL, STR("mine"));
    assert_true(hear(&e, one, "mine", got, sizeof(got)));
    close(one), close(two);
    stop(&e);
}

static void test_http_server__bounds_the_sum_of_bodies(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){.max_bodies = 10});
    int one = dial(&e), two = dial(&e);
    say(one, "POST /x HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\n12345678");
    for (int i = 0; i < 5; i++)
        loop_turn(e.loop, 1);
    say(two, "POST /x HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\n12345678");
    assert_true(hear(&e, two, NULL, got, sizeof(got)));
    assert_memory_equal(got, "HTTP/1.1 503 ", 13);
    say(one, "9");
    assert_true(hear(&e, one, "[123456789]", got, sizeof(got)));
    close(one), close(two);
    stop(&e);
}

static void test_http_server__drain_finishes_what_is_in_hand(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    int busy = dial(&e), idle = dial(&e);
    say(idle, "GET /x HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(&e, idle, "GET /x", got, sizeof(got)));
    say(busy, "GET /hold HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&e, &e.requests, 2));
    http_server_drain(e.server);
    assert_true(hear(&e, idle, NULL, got, sizeof(got)));
    http_reply(e.held, 200, NULL, STR("done"));
    assert_true(hear(&e, busy, NULL, got, sizeof(got)));
    assert_non_null(strstr(got, "Connection: close\r\n"));
    close(busy), close(idle);
    for (int i = 0; i < 100 && http_server_connections(e.server) > 0; i++)
        loop_turn(e.loop, 5);
    assert_int_equal(http_server_connections(e.server), 0);
    stop(&e);
}

static void test_http_server__free_ends_what_is_open(void **state UNUSED)
{
    struct env e;

    start(&e, (struct http_server_options){0});
    int fd = dial(&e);
    say(fd, "GET /stream HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&e, &e.requests, 1));
    stop(&e);
    assert_int_equal(e.closes, 1);
    assert_int_equal(e.why, HTTP_CLOSE_SHUTDOWN);
    close(fd);
}

static void test_http_server__decodes_parameters(void **state UNUSED)
{
    struct http_req req = {.arena = arena_new(),
                           .query = STR("a=1&b=%E4%BD%A0+x&c&d=%zz&e=%00&a=2")};
    bool bad = false;

    assert_string_equal(http_req_param(&req, "a", NULL), "1");
    assert_string_equal(http_req_param(&req, "b", &bad), "\xe4\xbd\xa0 x");
    assert_string_equal(http_req_param(&req, "c", &bad), "");
    assert_null(http_req_param(&req, "x", &bad));
    assert_false(bad);
    assert_null(http_req_param(&req, "d", &bad));
    assert_true(bad);
    bad = false;
    assert_null(http_req_param(&req, "e", &bad));
    assert_true(bad);
    assert_null(http_decode(req.arena, STR("%4")));
    assert_string_equal(http_decode(req.arena, STR("a%2Fb+c")), "a/b+c");
    arena_free(req.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_server__answers_in_order_on_one_connection),
        cmocka_unit_test(test_http_server__refuses_with_the_envelope_and_closes),
        cmocka_unit_test(test_http_server__body_over_the_limit_in_chunks_is_413),
        cmocka_unit_test(test_http_server__has_deadlines_for_head_body_and_idle),
        cmocka_unit_test(test_http_server__a_half_close_still_gets_its_answer),
        cmocka_unit_test(test_http_server__a_client_that_resets_ends_its_request),
        cmocka_unit_test(test_http_server__head_and_204_have_no_body),
        cmocka_unit_test(test_http_server__expect_is_answered_unless_refused),
        cmocka_unit_test(test_http_server__zips_what_is_over_1_kib_for_those_who_accept),
        cmocka_unit_test(test_http_server__streams_events_and_heartbeats),
        cmocka_unit_test(test_http_server__head_of_a_stream_is_its_head),
        cmocka_unit_test(test_http_server__drops_a_follower_that_does_not_read),
        cmocka_unit_test(test_http_server__connections_over_the_cap_hear_503),
        cmocka_unit_test(test_http_server__bounds_the_sum_of_bodies),
        cmocka_unit_test(test_http_server__drain_finishes_what_is_in_hand),
        cmocka_unit_test(test_http_server__free_ends_what_is_open),
        cmocka_unit_test(test_http_server__decodes_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
