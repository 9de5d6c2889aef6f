/* The chain of providers against a server that answers as each test says: repeats, waits, limits,
 * the breaker, the next provider. */
#include "libcommon/base/compat.h"
#include <math.h>
#include <setjmp.h>
#include <time.h>
#include <cmocka.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/settings.h"
#include "libcommon/io/http_client.h"
#include "libcommon/io/redis.h"
#include "libcommon/llm/provider.h"
#include "tests/harness/script_server.h"
#include "tests/harness/servers.h"

struct scene {
    struct loop *loop;
    struct http_client *http;
    struct redis *redis;
    struct script_server *server;
    struct llm_chain *chain;
    struct settings settings;
    struct arena *arena;
    struct str message;
    struct llm_request req;
    struct llm_call call;
    int running;
    int attempts_seen;
    struct buf text; /* streamed */
    struct buf seen; /* head and body of the last request */
};

#define EV(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define GOOD_STREAM                                                                               \
    EV("message_start", ",\"message\":{\"model\":\"claude-x-1\",\"usage\":{\"input_tokens\":"     \
                        "1000,\"output_tokens\":1}}")                                             \
    EV("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":"       \
                              "\"\"}")                                                            \
    EV("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Yes."   \
                              "\"}")                                                              \
    EV("content_block_stop", ",\"index\":0")                                                      \
    EV("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":" \
                        "2000}")
#define GOOD_END EV("message_stop", "")
#define SSE "text/event-stream"
#define JSON "application/json"

static void good(struct script_conn *c)
{
    script_reply(c, 200, SSE, "request-id: req_9\r\n", STR(GOOD_STREAM GOOD_END));
}

static void error(struct script_conn *c, int status, const char *headers, const char *words)
{
    char body[200];

    snprintf(body, sizeof(body),
             "{\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"%s\"}}", words);
    script_reply(c, status, JSON, headers, str_of(body));
}

static script_fn *script;

static void on_request(struct script_conn *c, const struct script_request *req, void *arg)
{
    struct scene *s = arg;

    buf_clear(&s->seen);
    buf_str(&s->seen, req->head);
    buf_str(&s->seen, req->body);
    script(c, req, s);
}

static void on_attempt(struct llm_call *call, int n)
{
    struct scene *s = call->user;

    assert_int_equal(n, ++s->attempts_seen);
    buf_clear(&s->text);
}

static void on_delta(struct llm_call *call, enum llm_delta kind, int block, struct str text)
{
    struct scene *s = call->user;

    (void)block;
    if (kind == LLM_TEXT)
        buf_str(&s->text, text);
}

static void open_scene(struct scene *s, script_fn *fn)
{
    struct http_client_options opt = {.max_connections = 50, .max_host_connections = 50};

    memset(s, 0, sizeof(*s));
    script = fn;
    s->loop = loop_new();
    s->arena = arena_new();
    s->server = script_server_new(s->loop, on_request, s);
    assert_int_equal(http_client_new(s->loop, &opt, &s->http, NULL), 0);
    buf_init(&s->text, 10000);
    buf_init(&s->seen, 100000);
    s->settings = (struct settings){
        .providers = "anthropic",
        .anthropic_api_key = "key-123456",
        .anthropic_base_url = script_server_url(s->server),
        .claude_model = "claude-x",
        .openai_base_url = arena_printf(s->arena, "%s/v1", script_server_url(s->server)),
        .openai_model = "local",
        .claude_max_tokens = 100,
        .claude_timeout_s = 5,
        .claude_max_retries = 3,
        .claude_retry_base_delay_s = 0.01,
        .claude_retry_max_delay_s = 0.04,
        .claude_max_requests_per_minute = 1000,
        .claude_max_concurrent_requests = 100,
        .model_prices = "{\"claude-x\":{\"input\":3,\"output\":15}}",
    };
    s->message = STR("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}");
    s->req = (struct llm_request){.system = STR("system"),
                                  .messages = &s->message,
                                  .message_count = 1,
                                  .temperature = NAN,
                                  .traceparent = "00-1-2-01"};
    metrics_reset();
}

static void make_chain(struct scene *s)
{
    struct err err = {0};

    if (llm_chain_new(s->loop, &s->settings, s->http, s->redis, &s->chain, &err) != 0)
        fail_msg("%s", err.msg);
}

static void close_scene(struct scene *s)
{
    llm_chain_free(s->chain);
    http_client_free(s->http);
    redis_free(s->redis);
    script_server_free(s->server);
    buf_done(&s->text);
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

static void start(struct scene *s, struct llm_call *call, int64_t deadline_ms)
{
    s->running++;
    llm_chain_start(s->chain, s->arena, &s->req, deadline_ms, call, on_done, s);
}

/* One call from start to end; the chain is made first when there is none. */
static const struct llm_result *run(struct scene *s, int64_t deadline_ms)
{
    if (s->chain == NULL)
        make_chain(s);
    s->attempts_seen = 0;
    memset(&s->call, 0, sizeof(s->call));
    s->call.on_attempt = on_attempt;
    s->call.on_delta = on_delta;
    s->call.user = s;
    start(s, &s->call, deadline_ms);
    assert_true(loop_until(s->loop, all_done, s, 20000));
    return &s->call.result;
}

/* ---- good answers ---- */

static void answer_good(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    good(c);
}

static void test_llm_chain__a_streamed_answer_with_tokens_and_cost(void **state)
{
    struct scene s;
    const struct llm_result *r;

    (void)state;
    open_scene(&s, answer_good);
    r = run(&s, 5000);
    assert_int_equal(s.call.op.err.code, 0);
    assert_string_equal(r->content_json.p, "[{\"type\":\"text\",\"text\":\"Yes.\"}]");
    assert_string_equal(r->stop_reason, "end_turn");
    assert_string_equal(r->provider, "anthropic");
    assert_string_equal(r->model, "claude-x-1");
    assert_string_equal(r->request_id, "req_9");
    assert_int_equal(r->input_tokens, 1000);
    assert_int_equal(r->output_tokens, 2000);
    assert_true(fabs(r->cost_usd - 0.033) < 1e-12);
    assert_int_equal(r->attempts, 1);
    assert_true(r->first_token_us > 0);
    assert_false(r->degraded);
    assert_string_equal(buf_view(&s.text).p, "Yes.");
    assert_true(str_starts(buf_view(&s.seen), STR("POST /v1/messages HTTP/1.1\r\n")));
    assert_true(str_find(buf_view(&s.seen), STR("x-api-key: key-123456\r\n")) > 0);
    assert_true(str_find(buf_view(&s.seen), STR("anthropic-version: 2023-06-01\r\n")) > 0);
    assert_true(str_find(buf_view(&s.seen), STR("traceparent: 00-1-2-01\r\n")) > 0);
    assert_true(metric_value(M_LLM_REQUESTS, "claude-x", "success", NULL) == 1);
    assert_true(metric_value(M_LLM_TOKENS, "claude-x", "output", NULL) == 2000);
    close_scene(&s);
}

static void leave_open(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_begin(c, 200, SSE);
    script_send(c, STR(GOOD_STREAM GOOD_END));
}

static void test_llm_chain__an_answer_whose_connection_stays_open(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, leave_open);
    run(&s, 5000);
    assert_int_equal(s.call.op.err.code, 0);
    assert_string_equal(s.call.result.stop_reason, "end_turn");
    close_scene(&s);
}

static void test_llm_chain__a_model_without_a_price_costs_nan(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, answer_good);
    s.req.model = "other";
    run(&s, 5000);
    assert_true(isnan(s.call.result.cost_usd));
    assert_true(str_find(buf_view(&s.seen), STR("{\"model\":\"other\",")) > 0);
    close_scene(&s);
}

/* ---- repeats ---- */

/* What the server does at each of its first requests; after the last it answers well. */
struct fault_case {
    const char *name;
    script_fn *fn;
    const char *reason; /* label of llm_retries_total */
};

static void fail_500(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    error(c, 500, "", "boom");
}

static void fail_429(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    error(c, 429, "retry-after-ms: 20\r\n", "slow down");
}

static void fail_529(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    error(c, 529, "", "Overloaded");
}

static void fail_hang_up(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_close(c);
}

static void fail_cut(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_begin(c, 200, SSE);
    script_send(c, STR(GOOD_STREAM));
    script_close(c);
}

static void fail_in_stream(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_reply(c, 200, SSE, "",
                 STR(GOOD_STREAM EV("error", ",\"error\":{\"type\":\"overloaded_error\","
                                             "\"message\":\"Overloaded\"}")));
}

static void fail_garbage(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_reply(c, 200, SSE, "", STR("event: message_start\ndata: {\"type\":\n\n"));
}

static void fail_empty(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    script_reply(c, 200, JSON, "", STR("{}"));
}

static const struct fault_case faults[] = {
    {"500", fail_500, "server_error"},       {"429", fail_429, "rate_limited"},
    {"529", fail_529, "overloaded"},         {"hang up", fail_hang_up, "connection"},
    {"cut", fail_cut, "connection"},         {"error event", fail_in_stream, "overloaded"},
    {"garbage", fail_garbage, "connection"}, {"empty", fail_empty, "connection"},
};

static const struct fault_case *fault;
static int fault_times;

static void answer_after_faults(struct script_conn *c, const struct script_request *req, void *arg)
{
    if (req->number <= fault_times)
        fault->fn(c, req, arg);
    else
        good(c);
}

static void test_llm_chain__what_may_succeed_later_is_asked_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct scene s;

        fault = &faults[i];
        fault_times = 3;
        open_scene(&s, answer_after_faults);
        run(&s, 10000);
        if (s.call.op.err.code != 0)
            fail_msg("%s: %s", fault->name, s.call.op.err.msg);
        assert_int_equal(s.call.result.attempts, 4);
        assert_int_equal(s.attempts_seen, 4);
        assert_string_equal(buf_view(&s.text).p, "Yes.");
        assert_true(metric_value(M_LLM_RETRIES, "claude-x", fault->reason, NULL) == 3);
        close_scene(&s);
    }
}

static const struct {
    script_fn *fn;
    int code;
    enum api_code api;
    const char *words;
    int64_t retry_after_ms;
} spent[] = {
    {fail_500, ERR_UNAVAILABLE, API_LLM_ERROR, "boom", -1},
    {fail_429, ERR_BUSY, API_LLM_RATE_LIMITED, "slow down", 20},
    {fail_529, ERR_UNAVAILABLE, API_LLM_ERROR, "Overloaded", -1},
    {fail_hang_up, ERR_UNAVAILABLE, API_LLM_ERROR, "", -1},
    {fail_cut, ERR_UNAVAILABLE, API_LLM_ERROR, "", -1},
};

static void test_llm_chain__repeats_are_bounded_and_the_last_failure_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(spent); i++) {
        struct scene s;

        open_scene(&s, spent[i].fn);
        run(&s, 10000);
        assert_int_equal(s.call.op.err.code, spent[i].code);
        assert_int_equal(s.call.api_error, spent[i].api);
        assert_string_equal(s.call.provider_message, spent[i].words);
        assert_int_equal(s.call.retry_after_ms, spent[i].retry_after_ms);
        assert_int_equal(s.call.result.attempts, 4);
        assert_int_equal(script_server_requests(s.server), 4);
        close_scene(&s);
    }
}

static int refused_status;

static void fail_refused(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    error(c, refused_status, "", "no: key-123456 and sk-ant-abcdef");
}

static void test_llm_chain__other_4xx_end_at_once_and_show_no_key(void **state)
{
    static const int statuses[] = {400, 401, 403, 404, 413, 422};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct scene s;

        refused_status = statuses[i];
        open_scene(&s, fail_refused);
        run(&s, 10000);
        assert_int_equal(s.call.op.err.code, ERR_INVALID);
        assert_int_equal(s.call.api_error, API_LLM_ERROR);
        assert_int_equal(s.call.provider_status, statuses[i]);
        assert_string_equal(s.call.provider_message, "no: *** and sk-***");
        assert_int_equal(script_server_requests(s.server), 1);
        close_scene(&s);
    }
}

static void fail_long_wait(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)req;
    (void)arg;
    error(c, 429, "Retry-After: 3600\r\n", "come back tomorrow");
}

static void test_llm_chain__a_wait_beyond_reason_is_not_waited_for(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, fail_long_wait);
    run(&s, 100000);
    assert_int_equal(s.call.api_error, API_LLM_RATE_LIMITED);
    assert_int_equal(s.call.retry_after_ms, 3600000);
    assert_int_equal(s.call.result.attempts, 1);
    close_scene(&s);
}

/* ---- time ---- */

static void say_nothing(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)c;
    (void)req;
    (void)arg;
}

static bool none_open(void *arg)
{
    return script_server_open(((struct scene *)arg)->server) == 0;
}

static void test_llm_chain__the_deadline_of_the_call_is_a_timeout(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, say_nothing);
    run(&s, 60);
    assert_int_equal(s.call.op.err.code, ERR_TIMEOUT);
    assert_int_equal(s.call.api_error, API_TIMEOUT);
    assert_true(loop_until(s.loop, none_open, &s, 2000));
    close_scene(&s);
}

static void test_llm_chain__silence_is_asked_again_and_then_a_timeout(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, say_nothing);
    s.settings.claude_timeout_s = 1;
    s.settings.claude_max_retries = 1;
    run(&s, 20000);
    assert_int_equal(s.call.op.err.code, ERR_TIMEOUT);
    assert_int_equal(s.call.api_error, API_TIMEOUT);
    assert_int_equal(s.call.result.attempts, 2);
    close_scene(&s);
}

static bool one_request(void *arg)
{
    return script_server_requests(((struct scene *)arg)->server) > 0;
}

static void test_llm_chain__cancel_closes_the_socket(void **state)
{
    struct scene s;
    struct llm_call waiting = {0};

    (void)state;
    open_scene(&s, say_nothing);
    s.settings.claude_max_concurrent_requests = 1;
    make_chain(&s);
    start(&s, &s.call, 5000);
    start(&s, &waiting, 5000);
    assert_true(loop_until(s.loop, one_request, &s, 2000));
    op_cancel(&waiting.op);
    op_cancel(&s.call.op);
    assert_true(loop_until(s.loop, none_open, &s, 2000));
    assert_int_equal(s.running, 2);
    assert_int_equal(script_server_requests(s.server), 1);
    close_scene(&s);
}

/* ---- the next provider ---- */

static void anthropic_is_down(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)arg;
    if (str_find(req->head, STR("/v1/messages")) > 0)
        error(c, refused_status, "", "down");
    else
        script_reply(c, 200, SSE, "",
                     STR("data: {\"model\":\"local-7b\",\"choices\":[{\"index\":0,\"delta\":{"
                         "\"content\":\"Yes.\"},\"finish_reason\":null}]}\n\n"
                         "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                         "\"stop\"}]}\n\ndata: [DONE]\n\n"));
}

static void test_llm_chain__the_next_provider_of_the_list(void **state)
{
    static const struct {
        int status, attempts;
    } cases[] = {{500, 5}, {401, 2}, {404, 2}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;

        refused_status = cases[i].status;
        open_scene(&s, anthropic_is_down);
        s.settings.providers = "anthropic, openai";
        s.req.model = "claude-y";
        run(&s, 10000);
        assert_int_equal(s.call.op.err.code, 0);
        assert_string_equal(s.call.result.provider, "openai");
        assert_string_equal(s.call.result.model, "local-7b");
        assert_int_equal(s.call.result.attempts, cases[i].attempts);
        assert_false(s.call.result.degraded);
        assert_true(str_find(buf_view(&s.seen), STR("{\"model\":\"local\",")) > 0);
        close_scene(&s);
    }
}

static cJSON *question(struct arena *a)
{
    cJSON *root = NULL;

    assert_int_equal(
        json_parse(a,
                   STR("{\"request\":{\"query\":\"Should we buy Acme or build it ourselves?\","
                       "\"decision_type\":\"strategy\"},\"material\":[],\"turns\":[]}"),
                   JSON_DEPTH_MAX, &root, NULL),
        0);
    return root;
}

static void test_llm_chain__offline_alone_is_not_degraded(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, say_nothing);
    s.settings.providers = "offline";
    s.req.analyst = question(s.arena);
    run(&s, 5000);
    assert_int_equal(s.call.op.err.code, 0);
    assert_string_equal(s.call.result.provider, "offline");
    assert_string_equal(s.call.result.model, "offline");
    assert_false(s.call.result.degraded);
    assert_true(s.call.result.cost_usd == 0);
    assert_int_equal(s.call.result.attempts, 1);
    assert_true(str_find(s.call.result.content_json, STR("\"type\":\"tool_use\"")) > 0);
    assert_true(str_starts(s.call.result.stages_json, STR("[{\"stage\":")));
    assert_string_equal(s.call.result.stop_reason, "tool_use");
    close_scene(&s);
}

static void test_llm_chain__offline_behind_a_model_is_degraded(void **state)
{
    struct scene s;

    (void)state;
    refused_status = 500;
    open_scene(&s, anthropic_is_down);
    s.settings.providers = "anthropic,offline";
    s.req.analyst = question(s.arena);
    run(&s, 5000);
    assert_int_equal(s.call.op.err.code, 0);
    assert_string_equal(s.call.result.provider, "offline");
    assert_true(s.call.result.degraded);
    close_scene(&s);
}

/* ---- the breaker ---- */

static void test_llm_chain__after_an_outage_the_provider_is_left_alone(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, fail_500);
    s.settings.claude_max_retries = 0;
    for (int i = 0; i < 10; i++)
        run(&s, 1000);
    assert_false(llm_chain_ready(s.chain));
    assert_int_equal(script_server_requests(s.server), 10);
    run(&s, 100); /* waits for the breaker instead of asking, until its time is up */
    assert_int_equal(s.call.api_error, API_LLM_ERROR);
    assert_int_equal(script_server_requests(s.server), 10);
    close_scene(&s);
}

static void fail_ten_times(struct script_conn *c, const struct script_request *req, void *arg)
{
    (void)arg;
    if (req->number <= 10)
        error(c, 500, "", "boom");
    else
        good(c);
}

static int64_t ten_seconds_later(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (ts.tv_sec + 10) * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void test_llm_chain__a_probe_after_the_rest_closes_the_breaker(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, fail_ten_times);
    s.settings.claude_max_retries = 0;
    for (int i = 0; i < 10; i++)
        run(&s, 1000);
    assert_false(llm_chain_ready(s.chain));
    clock_replace(ten_seconds_later, NULL);
    run(&s, 5000);
    clock_replace(NULL, NULL);
    assert_int_equal(s.call.op.err.code, 0);
    assert_true(llm_chain_ready(s.chain));
    assert_int_equal(script_server_requests(s.server), 11);
    close_scene(&s);
}

/* ---- limits ---- */

static int in_hand, most_in_hand;

struct held {
    struct timer timer;
    struct script_conn *conn;
};

static void on_answer_time(struct timer *t)
{
    struct held *h = CONTAINER_OF(t, struct held, timer);

    in_hand--;
    good(h->conn);
    timer_done(t);
}

static void answer_slowly(struct script_conn *c, const struct script_request *req, void *arg)
{
    struct scene *s = arg;
    struct held *h = arena_new_of(s->arena, struct held);

    (void)req;
    h->conn = c;
    in_hand++;
    most_in_hand = MAX(most_in_hand, in_hand);
    timer_init(&h->timer, s->loop, on_answer_time);
    timer_start(&h->timer, 20);
}

static bool redis_is_ready(void *arg)
{
    return redis_ready(((struct scene *)arg)->redis);
}

static void use_redis(struct scene *s)
{
    struct arena *a = arena_new();
    struct redis_op op = {0};

    assert_int_equal(redis_new(s->loop, server_redis_url(), "test", &s->redis, NULL), 0);
    assert_true(loop_until(s->loop, redis_is_ready, s, 5000));
    s->running++;
    redis_command(s->redis, a, 0, 1, (struct str[]){STR("FLUSHDB")}, 1000, &op, on_done, s);
    assert_true(loop_until(s->loop, all_done, s, 5000));
    arena_free(a);
}

static bool nothing_in_hand(void *arg)
{
    (void)arg;
    return in_hand == 0;
}

static void run_twenty(struct scene *s)
{
    struct llm_call calls[20];

    memset(calls, 0, sizeof(calls));
    in_hand = most_in_hand = 0;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        start(s, &calls[i], 15000);
    assert_true(loop_until(s->loop, all_done, s, 20000));
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        assert_int_equal(calls[i].op.err.code, 0);
}

static void test_llm_chain__at_most_so_many_at_once(void **state)
{
    (void)state;
    for (int with_redis = 0; with_redis < 2; with_redis++) {
        struct scene s;

        open_scene(&s, answer_slowly);
        s.settings.claude_max_concurrent_requests = 3;
        if (with_redis)
            use_redis(&s);
        make_chain(&s);
        run_twenty(&s);
        assert_int_equal(most_in_hand, 3);
        close_scene(&s);
    }
}

static void test_llm_chain__at_most_so_many_at_once_over_all_processes(void **state)
{
    struct scene s;
    struct llm_chain *other = NULL;
    struct llm_call calls[20];

    (void)state;
    open_scene(&s, answer_slowly);
    s.settings.claude_max_concurrent_requests = 3;
    use_redis(&s);
    make_chain(&s);
    assert_int_equal(llm_chain_new(s.loop, &s.settings, s.http, s.redis, &other, NULL), 0);
    memset(calls, 0, sizeof(calls));
    in_hand = most_in_hand = 0;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        s.running++;
        llm_chain_start(i % 2 ? other : s.chain, s.arena, &s.req, 15000, &calls[i], on_done, &s);
    }
    assert_true(loop_until(s.loop, all_done, &s, 20000));
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        assert_int_equal(calls[i].op.err.code, 0);
    assert_int_equal(most_in_hand, 3);
    llm_chain_free(other);
    close_scene(&s);
}

/* Keeps a chain busy: each call that ends is followed by another. */
static bool keep_going;

static void on_busy_done(struct op *op)
{
    struct llm_call *call = CONTAINER_OF(op, struct llm_call, op);
    struct scene *s = op->arg;

    if (keep_going)
        llm_chain_start(s->chain, s->arena, &s->req, 15000, call, on_busy_done, s);
}

static void test_llm_chain__a_busy_process_leaves_slots_to_others(void **state)
{
    struct scene s;
    struct llm_chain *other = NULL;
    struct llm_call busy[8], call = {0};

    (void)state;
    open_scene(&s, answer_slowly);
    s.settings.claude_max_concurrent_requests = 2;
    use_redis(&s);
    make_chain(&s);
    assert_int_equal(llm_chain_new(s.loop, &s.settings, s.http, s.redis, &other, NULL), 0);
    memset(busy, 0, sizeof(busy));
    keep_going = true;
    for (size_t i = 0; i < ARRAY_LEN(busy); i++)
        llm_chain_start(s.chain, s.arena, &s.req, 15000, &busy[i], on_busy_done, &s);
    s.running = 1;
    llm_chain_start(other, s.arena, &s.req, 15000, &call, on_done, &s);
    assert_true(loop_until(s.loop, all_done, &s, 5000));
    assert_int_equal(call.op.err.code, 0);
    keep_going = false;
    assert_true(loop_until(s.loop, nothing_in_hand, &s, 2000));
    for (size_t i = 0; i < ARRAY_LEN(busy); i++)
        op_cancel(&busy[i].op);
    llm_chain_free(other);
    close_scene(&s);
}

static void test_llm_chain__at_most_so_many_a_minute(void **state)
{
    (void)state;
    for (int with_redis = 0; with_redis < 2; with_redis++) {
        struct scene s;
        struct llm_call calls[5];
        int limited = 0;

        open_scene(&s, answer_good);
        s.settings.claude_max_requests_per_minute = 3;
        if (with_redis)
            use_redis(&s);
        make_chain(&s);
        memset(calls, 0, sizeof(calls));
        for (size_t i = 0; i < ARRAY_LEN(calls); i++)
            start(&s, &calls[i], 500);
        assert_true(loop_until(s.loop, all_done, &s, 5000));
        for (size_t i = 0; i < ARRAY_LEN(calls); i++)
            limited += calls[i].op.err.code != 0 && calls[i].api_error == API_LLM_RATE_LIMITED;
        assert_int_equal(limited, 2);
        assert_int_equal(script_server_requests(s.server), 3);
        close_scene(&s);
    }
}

static void test_llm_chain__limits_hold_here_while_redis_is_down(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, answer_slowly);
    s.settings.claude_max_concurrent_requests = 3;
    use_redis(&s);
    make_chain(&s);
    server_redis_pause(true);
    run_twenty(&s);
    server_redis_pause(false);
    assert_int_equal(most_in_hand, 3);
    close_scene(&s);
}

/* ---- settings ---- */

static const struct {
    const char *providers, *key, *model, *prices, *words;
} bad_settings[] = {
    {"anthropic,gemini", "k", "m", NULL, "\"gemini\" is not one of"},
    {"openai", "k", "m", NULL, "openai, which has neither key nor base URL"},
    {"anthropic", "k", "", NULL, "needs CLAUDE_MODEL"},
    {"anthropic", "k", "m", "{\"m\":3}", "needs \"input\""},
    {"anthropic", "k", "m", "{", "MODEL_PRICES"},
};

static void test_llm_chain__bad_settings_are_named(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, say_nothing);
    for (size_t i = 0; i < ARRAY_LEN(bad_settings); i++) {
        struct settings bad = {.providers = bad_settings[i].providers,
                               .anthropic_api_key = bad_settings[i].key,
                               .claude_model = bad_settings[i].model,
                               .model_prices = bad_settings[i].prices};
        struct llm_chain *chain = NULL;
        struct err err = {0};

        assert_int_equal(llm_chain_new(s.loop, &bad, s.http, NULL, &chain, &err), ERR_INVALID);
        assert_non_null(strstr(err.msg, bad_settings[i].words));
        assert_null(chain);
    }
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llm_chain__a_streamed_answer_with_tokens_and_cost),
        cmocka_unit_test(test_llm_chain__an_answer_whose_connection_stays_open),
        cmocka_unit_test(test_llm_chain__a_model_without_a_price_costs_nan),
        cmocka_unit_test(test_llm_chain__what_may_succeed_later_is_asked_again),
        cmocka_unit_test(test_llm_chain__repeats_are_bounded_and_the_last_failure_is_told),
        cmocka_unit_test(test_llm_chain__other_4xx_end_at_once_and_show_no_key),
        cmocka_unit_test(test_llm_chain__a_wait_beyond_reason_is_not_waited_for),
        cmocka_unit_test(test_llm_chain__the_deadline_of_the_call_is_a_timeout),
        cmocka_unit_test(test_llm_chain__silence_is_asked_again_and_then_a_timeout),
        cmocka_unit_test(test_llm_chain__cancel_closes_the_socket),
        cmocka_unit_test(test_llm_chain__the_next_provider_of_the_list),
        cmocka_unit_test(test_llm_chain__offline_alone_is_not_degraded),
        cmocka_unit_test(test_llm_chain__offline_behind_a_model_is_degraded),
        cmocka_unit_test(test_llm_chain__after_an_outage_the_provider_is_left_alone),
        cmocka_unit_test(test_llm_chain__a_probe_after_the_rest_closes_the_breaker),
        cmocka_unit_test(test_llm_chain__at_most_so_many_at_once),
        cmocka_unit_test(test_llm_chain__at_most_so_many_at_once_over_all_processes),
        cmocka_unit_test(test_llm_chain__a_busy_process_leaves_slots_to_others),
        cmocka_unit_test(test_llm_chain__at_most_so_many_a_minute),
        cmocka_unit_test(test_llm_chain__limits_hold_here_while_redis_is_down),
        cmocka_unit_test(test_llm_chain__bad_settings_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
