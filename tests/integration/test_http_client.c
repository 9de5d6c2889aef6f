/* The HTTP client against a server that answers as each test says. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/io/http_client.h"
#include "tests/harness/script_server.h"

struct scene {
    struct loop *loop;
    struct http_client *client;
    struct script_server *server;
    struct arena *arena;
    script_fn *script;
    int running; /* calls without their end */
    struct buf streamed;
    struct buf seen; /* the last request's head and body */
};

static void on_request(struct script_conn *c, const struct script_request *req, void *arg)
{
    struct scene *s = arg;

    buf_clear(&s->seen);
    buf_str(&s->seen, req->head);
    buf_str(&s->seen, req->body);
    s->script(c, req, s);
}

static void open_scene(struct scene *s, script_fn *script)
{
    struct http_client_options opt = {
        .max_connections = 8, .max_host_connections = 4, .http2 = true, .user_agent = "test/1"};

    memset(s, 0, sizeof(*s));
    s->loop = loop_new();
    s->arena = arena_new();
    s->script = script;
    s->server = script_server_new(s->loop, on_request, s);
    buf_init(&s->streamed, 1 << 20);
    buf_init(&s->seen, 1 << 20);
    assert_int_equal(http_client_new(s->loop, &opt, &s->client, NULL), 0);
}

static void close_scene(struct scene *s)
{
    http_client_free(s->client);
    script_server_free(s->server);
    buf_done(&s->streamed);
    buf_done(&s->seen);
    arena_free(s->arena);
    loop_free(s->loop);
}

static void on_done(struct op *op)
{
    ((struct scene *)op->arg)->running--;
}

static bool all_done(void *arg)
{
    return ((struct scene *)arg)->running == 0;
}

static bool stream_in(struct http_call *call, struct str data)
{
    struct scene *s = call->op.arg;

    buf_str(&s->streamed, data);
    return true;
}

static struct http_request get(struct scene *s, const char *path)
{
    return (struct http_request){
        .method = "GET",
        .url = arena_printf(s->arena, "%s%s", script_server_url(s->server), path),
        .max_body = 100000};
}

static void start(struct scene *s, const struct http_request *req, int64_t deadline_ms,
                  struct http_call *call)
{
    int before = ++s->running;

    http_call_start(s->client, s->arena, req, deadline_ms, call, on_done, s);
    assert_int_equal(s->running, before); /* the callback never runs before it returns */
}

static void finish(struct scene *s)
{
    assert_true(loop_until(s->loop, all_done, s, 10000));
}

static void run(struct scene *s, const struct http_request *req, struct http_call *call)
{
    memset(call, 0, sizeof(*call));
    start(s, req, 5000, call);
    finish(s);
}

static bool none_open(void *arg)
{
    return script_server_open(((struct scene *)arg)->server) == 0;
}

/* ---- answers ---- */

static void answer_with_headers(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_reply(c, 429, "application/json; charset=utf-8",
                 "Retry-After: 7\r\nrequest-id: req_1\r\n", STR("{\"a\":1}"));
}

static void test_http_client__answer_with_status_body_and_headers(void **state)
{
    struct scene s;
    struct http_call call;

    (void)state;
    open_scene(&s, answer_with_headers);
    run(&s,
        &(struct http_request){.method = "POST",
                               .url = script_server_url(s.server),
                               .headers = (const char *[]){"X-Key: k", NULL},
                               .body = STR("hello"),
                               .max_body = 100},
        &call);
    assert_int_equal(call.op.err.code, 0);
    assert_int_equal(call.status, 429);
    assert_string_equal(buf_view(&call.body).p, "{\"a\":1}");
    assert_string_equal(call.content_type.p, "application/json; charset=utf-8");
    assert_int_equal(call.retry_after_ms, 7000);
    assert_string_equal(call.request_id.p, "req_1");
    assert_true(call.sent);
    assert_true(call.first_byte_us > 0);
    assert_true(str_starts(buf_view(&s.seen), STR("POST / HTTP/1.1\r\n")));
    assert_true(str_find(buf_view(&s.seen), STR("\r\nContent-Length: 5\r\n")) > 0);
    assert_true(str_find(buf_view(&s.seen), STR("\r\nX-Key: k\r\n")) > 0);
    assert_true(str_find(buf_view(&s.seen), STR("\r\nUser-Agent: test/1\r\n")) > 0);
    assert_true(str_find(buf_view(&s.seen), STR("\r\n\r\nhello")) > 0);
    assert_true(str_find(buf_view(&s.seen), STR("Expect:")) < 0);
    assert_true(str_find(buf_view(&s.seen), STR("Content-Type:")) < 0);
    http_call_done(&call);
    close_scene(&s);
}

static int64_t fixed_wall(void)
{
    return INT64_C(1764000000000000); /* Mon, 24 Nov 2025 16:00:00 GMT */
}

static const struct {
    const char *headers;
    int64_t ms;
} waits[] = {
    {"Retry-After: 0\r\n", 0},
    {"Retry-After: 1.5\r\n", 1500},
    {"Retry-After: Mon, 24 Nov 2025 16:00:09 GMT\r\n", 9000},
    {"Retry-After: Mon, 24 Nov 2025 15:00:00 GMT\r\n", 0},
    {"Retry-After: soon\r\n", -1},
    {"Retry-After: -5\r\n", -1},
    {"Retry-After: 99999999999\r\n", 86400000},
    {"Retry-After: 9\r\nretry-after-ms: 250\r\n", 250},
    {"retry-after-ms: 250\r\nRetry-After: 9\r\n", 250},
    {"", -1},
};

static void answer_wait(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)arg;
    script_reply(c, 503, "text/plain", waits[req->number - 1].headers, STR(""));
}

static void test_http_client__retry_after_in_each_form(void **state)
{
    struct scene s;
    struct http_call call;

    (void)state;
    clock_replace(NULL, fixed_wall);
    open_scene(&s, answer_wait);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        struct http_request req = get(&s, "/");

        run(&s, &req, &call);
        assert_int_equal(call.retry_after_ms, waits[i].ms);
        http_call_done(&call);
    }
    clock_replace(NULL, NULL);
    assert_int_equal(script_server_conns(s.server), 1); /* kept alive */
    close_scene(&s);
}

/* ---- streams ---- */

static void answer_in_pieces(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)arg;
    script_begin(c, str_find(req->head, STR("/bad")) > 0 ? 500 : 200, "text/event-stream");
    script_send(c, STR("data: a\n\n"));
    script_send(c, STR("data: b\n\n"));
    script_close(c);
}

static void test_http_client__streams_good_answers_and_gathers_others(void **state)
{
    struct scene s;
    struct http_call call;
    struct http_request req;

    (void)state;
    open_scene(&s, answer_in_pieces);
    req = get(&s, "/good");
    req.on_data = stream_in;
    run(&s, &req, &call);
    assert_int_equal(call.op.err.code, 0);
    assert_string_equal(buf_view(&s.streamed).p, "data: a\n\ndata: b\n\n");
    assert_int_equal(call.body.n, 0);
    http_call_done(&call);
    buf_clear(&s.streamed);
    req = get(&s, "/bad");
    req.on_data = stream_in;
    run(&s, &req, &call);
    assert_int_equal(call.status, 500);
    assert_string_equal(buf_view(&call.body).p, "data: a\n\ndata: b\n\n");
    assert_int_equal(s.streamed.n, 0);
    http_call_done(&call);
    close_scene(&s);
}

static bool refuse_data(struct http_call *call, struct str data)
{
    (void)call;
    (void)data;
    return false;
}

static void test_http_client__the_reader_may_end_it(void **state)
{
    struct scene s;
    struct http_call call;
    struct http_request req;

    (void)state;
    open_scene(&s, answer_in_pieces);
    req = get(&s, "/good");
    req.on_data = refuse_data;
    run(&s, &req, &call);
    assert_int_equal(call.op.err.code, ERR_CANCELLED);
    http_call_done(&call);
    close_scene(&s);
}

static void test_http_client__an_answer_over_its_limit(void **state)
{
    struct scene s;
    struct http_call call;
    struct http_request req;

    (void)state;
    open_scene(&s, answer_in_pieces);
    for (int streamed = 0; streamed < 2; streamed++) {
        req = get(&s, "/good");
        req.on_data = streamed ? stream_in : NULL;
        req.max_body = 10;
        run(&s, &req, &call);
        assert_int_equal(call.op.err.code, ERR_TOOBIG);
        http_call_done(&call);
    }
    close_scene(&s);
}

/* ---- silence ---- */

static void say_nothing(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)arg;
    if (str_find(req->head, STR("/half")) > 0) {
        script_begin(c, 200, "text/plain");
        script_send(c, STR("half"));
    }
}

static void test_http_client__silence_ends_at_the_deadline_and_closes(void **state)
{
    struct scene s;
    struct http_call call = {0};
    struct http_request req;

    (void)state;
    open_scene(&s, say_nothing);
    req = get(&s, "/");
    start(&s, &req, 50, &call);
    finish(&s);
    assert_int_equal(call.op.err.code, ERR_TIMEOUT);
    assert_true(call.sent);
    assert_true(loop_until(s.loop, none_open, &s, 2000));
    http_call_done(&call);
    close_scene(&s);
}

static void test_http_client__idle_limit_before_and_between_bytes(void **state)
{
    static const char *const paths[] = {"/", "/half"};
    struct scene s;
    struct http_call call;

    (void)state;
    open_scene(&s, say_nothing);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct http_request req = get(&s, paths[i]);

        req.idle_ms = 40;
        run(&s, &req, &call);
        assert_int_equal(call.op.err.code, ERR_TIMEOUT);
        assert_true(loop_until(s.loop, none_open, &s, 2000));
        http_call_done(&call);
    }
    close_scene(&s);
}

static struct script_conn *drip_conn;
static int drips;

static void on_drip(struct timer *t)
{
    script_send(drip_conn, STR("."));
    if (--drips > 0)
        timer_start(t, 20);
    else
        script_close(drip_conn);
}

static void answer_dripping(struct script_conn *c, const struct script_request *req, void *arg)
{
    static struct timer timer;

    (void)req;
    script_begin(c, 200, "text/plain");
    drip_conn = c;
    drips = 10;
    timer_init(&timer, ((struct scene *)arg)->loop, on_drip);
    timer_start(&timer, 20);
}

static void test_http_client__slow_but_steady_is_not_idle(void **state)
{
    struct scene s;
    struct http_call call;
    struct http_request req;

    (void)state;
    open_scene(&s, answer_dripping);
    req = get(&s, "/");
    req.idle_ms = 120;
    run(&s, &req, &call);
    assert_int_equal(call.op.err.code, 0);
    assert_string_equal(buf_view(&call.body).p, "..........");
    http_call_done(&call);
    close_scene(&s);
}

/* ---- cancelling ---- */

static bool one_request(void *arg)
{
    return script_server_requests(((struct scene *)arg)->server) > 0;
}

static void test_http_client__cancel_closes_the_socket_and_says_nothing(void **state)
{
    struct scene s;
    struct http_call call = {0}, early = {0};
    struct http_request req;

    (void)state;
    open_scene(&s, say_nothing);
    req = get(&s, "/");
    start(&s, &req, 5000, &call);
    start(&s, &req, 5000, &early);
    op_cancel(&early.op); /* before anything happened */
    assert_true(loop_until(s.loop, one_request, &s, 2000));
    op_cancel(&call.op);
    op_cancel(&call.op);
    assert_true(loop_until(s.loop, none_open, &s, 2000));
    assert_int_equal(s.running, 2);
    assert_int_equal(script_server_requests(s.server), 1);
    http_call_done(&call);
    http_call_done(&early);
    close_scene(&s);
}

static struct http_call *victims[2];

/* Frees what the calls own at once, as owners may. */
static bool cancel_all(struct http_call *call, struct str data)
{
    (void)call;
    (void)data;
    for (int i = 0; i < 2; i++) {
        http_call_done(victims[i]);
        free(victims[i]);
        victims[i] = NULL;
    }
    return true;
}

static bool victims_gone(void *arg)
{
    (void)arg;
    return victims[0] == NULL;
}

static void test_http_client__cancel_from_inside_the_stream(void **state)
{
    struct scene s;
    struct http_request req;

    (void)state;
    open_scene(&s, answer_in_pieces);
    req = get(&s, "/good");
    req.on_data = cancel_all;
    for (int i = 0; i < 2; i++) {
        victims[i] = xcalloc(1, sizeof(*victims[i]));
        start(&s, &req, 5000, victims[i]);
    }
    assert_true(loop_until(s.loop, victims_gone, &s, 2000));
    assert_true(loop_until(s.loop, none_open, &s, 2000));
    assert_int_equal(s.running, 2);
    close_scene(&s);
}

/* ---- failures ---- */

static void test_http_client__nobody_listens_and_nothing_was_sent(void **state)
{
    struct scene s;
    struct http_call call;

    (void)state;
    open_scene(&s, say_nothing);
    run(&s, &(struct http_request){.method = "GET", .url = "http://127.0.0.1:1/", .max_body = 10},
        &call);
    assert_int_equal(call.op.err.code, ERR_UNAVAILABLE);
    assert_false(call.sent);
    http_call_done(&call);
    close_scene(&s);
}

static void hang_up(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_close(c);
}

static void test_http_client__hung_up_after_it_was_sent(void **state)
{
    struct scene s;
    struct http_call call;
    struct http_request req;

    (void)state;
    open_scene(&s, hang_up);
    req = get(&s, "/");
    run(&s, &req, &call);
    assert_int_equal(call.op.err.code, ERR_UNAVAILABLE);
    assert_true(call.sent);
    http_call_done(&call);
    close_scene(&s);
}

static void answer_and_hang_up(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_reply(c, 200, "text/plain", "", STR("ok"));
    script_close(c); /* without having said so */
}

static void test_http_client__a_kept_connection_that_died_is_replaced(void **state)
{
    struct scene s;
    struct http_call call;

    (void)state;
    open_scene(&s, answer_and_hang_up);
    for (int i = 0; i < 3; i++) {
        struct http_request req = get(&s, "/");

        req.method = "POST";
        req.body = STR("body");
        run(&s, &req, &call);
        assert_int_equal(call.op.err.code, 0);
        assert_string_equal(buf_view(&call.body).p, "ok");
        http_call_done(&call);
    }
    close_scene(&s);
}

static void answer_redirect(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_reply(c, 302, "text/plain", "Location: http://127.0.0.1:1/\r\n", STR(""));
}

static void test_http_client__neither_redirects_nor_proxies(void **state)
{
    struct scene s;
    struct http_call call;
    struct http_request req;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    open_scene(&s, answer_redirect);
    req = get(&s, "/");
    run(&s, &req, &call);
    assert_int_equal(call.op.err.code, 0);
    assert_int_equal(call.status, 302);
    http_call_done(&call);
    close_scene(&s);
    unsetenv("http_proxy");
}

static void test_http_client__requests_that_cannot_be_made(void **state)
{
    static const char *const bad_urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "http://", "",
                                           "http://a b/"};
    struct scene s;
    struct http_call call;

    (void)state;
    open_scene(&s, say_nothing);
    for (size_t i = 0; i < ARRAY_LEN(bad_urls); i++) {
        run(&s, &(struct http_request){.method = "GET", .url = bad_urls[i], .max_body = 10}, &call);
        assert_int_equal(call.op.err.code, ERR_INVALID);
        assert_false(call.sent);
        http_call_done(&call);
    }
    run(&s,
        &(struct http_request){.method = "GET",
                               .url = script_server_url(s.server),
                               .headers = (const char *[]){"X: a\r\nY: b", NULL},
                               .max_body = 10},
        &call);
    assert_int_equal(call.op.err.code, ERR_INVALID);
    http_call_done(&call);
    close_scene(&s);
}

static bool allow_nothing(const struct sockaddr *address, void *arg)
{
    (void)address;
    ++*(int *)arg;
    return false;
}

static void test_http_client__addresses_may_be_refused(void **state)
{
    struct scene s;
    struct http_call call;
    struct http_request req;
    int asked = 0;

    (void)state;
    open_scene(&s, answer_redirect);
    req = get(&s, "/");
    run(&s, &req, &call); /* leaves a connection that could be used again */
    http_call_done(&call);
    req.allow_address = allow_nothing;
    req.allow_arg = &asked;
    run(&s, &req, &call);
    assert_int_equal(call.op.err.code, ERR_DENIED);
    assert_int_equal(asked, 1);
    assert_false(call.sent);
    http_call_done(&call);
    close_scene(&s);
}

/* ---- many ---- */

static bool four_requests(void *arg)
{
    return script_server_requests(((struct scene *)arg)->server) == 4;
}

static void test_http_client__calls_do_not_wait_for_each_other_s_answers(void **state)
{
    struct scene s;
    struct http_call calls[4];
    struct http_request req;

    (void)state;
    memset(calls, 0, sizeof(calls));
    open_scene(&s, say_nothing);
    req = get(&s, "/");
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        start(&s, &req, 5000, &calls[i]);
    assert_true(loop_until(s.loop, four_requests, &s, 2000));
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        http_call_done(&calls[i]);
    close_scene(&s);
}

static void answer_ok(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_reply(c, 200, "text/plain", "", STR("ok"));
}

static void test_http_client__many_calls_share_few_connections(void **state)
{
    struct scene s;
    struct http_call calls[300];
    struct http_request req;

    (void)state;
    memset(calls, 0, sizeof(calls));
    open_scene(&s, answer_ok);
    req = get(&s, "/");
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        start(&s, &req, 10000, &calls[i]);
    for (size_t i = 0; i < ARRAY_LEN(calls); i += 3) { /* some leave the queue */
        op_cancel(&calls[i].op);
        s.running--;
    }
    finish(&s);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (i % 3 != 0) {
            assert_int_equal(calls[i].op.err.code, 0);
            assert_string_equal(buf_view(&calls[i].body).p, "ok");
        }
        http_call_done(&calls[i]);
    }
    assert_true(script_server_conns(s.server) <= 4);
    assert_int_equal(script_server_requests(s.server), 200);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_client__answer_with_status_body_and_headers),
        cmocka_unit_test(test_http_client__retry_after_in_each_form),
        cmocka_unit_test(test_http_client__streams_good_answers_and_gathers_others),
        cmocka_unit_test(test_http_client__the_reader_may_end_it),
        cmocka_unit_test(test_http_client__an_answer_over_its_limit),
        cmocka_unit_test(test_http_client__silence_ends_at_the_deadline_and_closes),
        cmocka_unit_test(test_http_client__idle_limit_before_and_between_bytes),
        cmocka_unit_test(test_http_client__slow_but_steady_is_not_idle),
        cmocka_unit_test(test_http_client__cancel_closes_the_socket_and_says_nothing),
        cmocka_unit_test(test_http_client__cancel_from_inside_the_stream),
        cmocka_unit_test(test_http_client__nobody_listens_and_nothing_was_sent),
        cmocka_unit_test(test_http_client__hung_up_after_it_was_sent),
        cmocka_unit_test(test_http_client__a_kept_connection_that_died_is_replaced),
        cmocka_unit_test(test_http_client__neither_redirects_nor_proxies),
        cmocka_unit_test(test_http_client__requests_that_cannot_be_made),
        cmocka_unit_test(test_http_client__addresses_may_be_refused),
        cmocka_unit_test(test_http_client__calls_do_not_wait_for_each_other_s_answers),
        cmocka_unit_test(test_http_client__many_calls_share_few_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
