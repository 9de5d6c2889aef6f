/* attempt.c: one request of a call: its bytes out, its answer in, and what its end means. That last
 * is a table (reactions); nothing else decides about repeats. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/ask.h"

#include <math.h>

#include "libcommon/base/clock.h"
#include "libcommon/base/settings.h"

#define WHOLE_MAX (16u * 1024 * 1024)
#define LINGER_MS 1000 /* for the end of the body after the answer's own end */

void attempt_done(struct ask *k)
{
    timer_stop(&k->timer);
    http_call_done(&k->http);
    sse_done(&k->sse);
    answer_done(&k->answer);
    buf_done(&k->body);
    if (ask_provider(k)->limiter != NULL)
        limiter_release(ask_provider(k)->limiter, &k->slot);
}

/* ---- the answer arrives ---- */

static void on_delta(void *arg, enum llm_delta kind, int block, struct str text)
{
    struct ask *k = arg;

    if (k->call->on_delta != NULL)
        k->call->on_delta(k->call, kind, block, text);
}

static bool is_json(const struct http_call *http)
{
    return str_find(http->content_type, STR("json")) >= 0;
}

static bool on_data(struct http_call *http, struct str data)
{
    struct ask *k = CONTAINER_OF(http, struct ask, http);

    if (is_json(http)) {
        buf_str(&http->body, data);
        return true;
    }
    if (k->answer.complete)
        return true;
    if (sse_feed(&k->sse, data, &k->stream_err) != 0)
        return false;
    if (k->answer.complete) /* some servers leave the connection open behind the end */
        timer_start(&k->timer, LINGER_MS);
    return true;
}

static void on_http_done(struct op *op)
{
    flow_wake(&((struct ask *)op->arg)->flow, WAKE_REPLY);
}

/* ---- the request ---- */

static double temperature_of(const struct ask *k)
{
    const char *text = k->chain->settings->temperature;
    double t = NAN;

    if (!isnan(k->req->temperature))
        return k->req->temperature;
    if (text == NULL || str_f64(str_of(text), &t) != 0)
        return NAN;
    return t;
}

static int build_body(struct ask *k, struct err *err)
{
    const struct settings *s = k->chain->settings;
    struct llm_terms terms = {
        .base_url = chain_url(k->chain, ask_provider(k)),
        .model = ask_model(k),
        .max_tokens = k->req->max_tokens > 0 ? k->req->max_tokens : s->claude_max_tokens,
        .temperature = temperature_of(k),
    };

    if (terms.base_url[0] == '\0')
        terms.base_url = ask_provider(k)->wire->official_url;
    buf_init(&k->body, LLM_REQUEST_MAX);
    return ask_provider(k)->wire->build(&k->body, k->req, &terms, err);
}

static void send_request(struct ask *k)
{
    const struct llm_provider *p = ask_provider(k);
    const char *key = chain_key(k->chain, p);
    int64_t timeout_ms = k->chain->settings->claude_timeout_s * 1000;
    const char *headers[6] = {"content-type: application/json",
                              "accept: text/event-stream, application/json"};
    struct buf auth; /* not in the arena, which lives on after the call */
    int n = 2;

    buf_init(&auth, 64 * 1024);
    buf_printf(&auth, "%s%s", p->wire->auth, key);
    if (key[0] != '\0')
        headers[n++] = buf_view(&auth).p;
    if (p->wire->version != NULL)
        headers[n++] = p->wire->version;
    if (k->req->traceparent != NULL)
        headers[n++] = arena_printf(k->arena, "traceparent: %s", k->req->traceparent);
    http_call_start(k->chain->http, k->arena,
                    &(struct http_request){
                        .method = "POST",
                        .url = llm_url(k->arena, p->wire, chain_url(k->chain, p)),
                        .headers = headers,
                        .body = buf_view(&k->body),
                        .max_body = WHOLE_MAX,
                        .connect_ms = MIN(timeout_ms, 10000),
                        .idle_ms = timeout_ms,
                        .on_data = on_data,
                    },
                    MAX(ask_left_ms(k), 1) + 1000, /* the call's own deadline comes first */
                    &k->http, on_http_done, k);
    memset(auth.p, 0, auth.n);
    buf_done(&auth);
}

int attempt_start(struct ask *k, struct err *err)
{
    int code = build_body(k, err);

    if (code != 0)
        return code;
    k->started_us = clock_mono_us();
    k->stream_err.code = 0;
    answer_init(&k->answer, on_delta, k);
    sse_init(&k->sse, LLM_EVENT_MAX, ask_provider(k)->wire->on_event, &k->answer);
    send_request(k);
    return 0;
}

/* ---- what the end of an attempt means ---- */

static const struct {
    int from, to; /* HTTP status */
    enum reaction reaction;
    int code;
    const char *reason;
} reactions[] = {
    {200, 299, GOOD, 0, ""},
    {401, 404, REFUSED, ERR_INVALID, "refused"},
    {408, 408, AGAIN, ERR_TIMEOUT, "timeout"},
    {429, 429, LIMITED, ERR_BUSY, "rate_limited"},
    {400, 499, WRONG, ERR_INVALID, "rejected"},
    {529, 529, AGAIN, ERR_UNAVAILABLE, "overloaded"},
    {500, 599, AGAIN, ERR_UNAVAILABLE, "server_error"},
    {0, 999, REFUSED, ERR_INVALID, "unexpected"},
};

static enum reaction react(struct ask *k, int status, const char **reason)
{
    size_t i = 0;

    while (status < reactions[i].from || status > reactions[i].to)
        i++;
    *reason = reactions[i].reason;
    err_set(&k->err, reactions[i].code, "%s answered with status %d", ask_provider(k)->name,
            status);
    k->api_error = reactions[i].reaction == LIMITED ? API_LLM_RATE_LIMITED : API_LLM_ERROR;
    return reactions[i].reaction;
}

/* The connection or the stream failed, with no status that says why. */
static enum reaction react_to_break(struct ask *k, const struct err *err, const char **reason)
{
    bool timeout = err->code == ERR_TIMEOUT;

    err_set(&k->err, timeout ? ERR_TIMEOUT : ERR_UNAVAILABLE, "%s: %s", ask_provider(k)->name,
            err->msg);
    failure_set(&k->failure, 0, STR(""));
    k->api_error = timeout ? API_TIMEOUT : API_LLM_ERROR;
    *reason = timeout ? "timeout" : "connection";
    if (err->code == ERR_DENIED || err->code == ERR_INVALID) /* a certificate, a URL */
        return REFUSED;
    return AGAIN;
}

/* Providers may quote the key they were given. */
static void mask_key(struct ask *k)
{
    const char *key = chain_key(k->chain, ask_provider(k));
    size_t n = strlen(key);
    char *at;

    while (n > 3 && (at = strstr(k->failure.message, key)) != NULL) {
        memcpy(at, "***", 3);
        memmove(at + 3, at + n, strlen(at + n) + 1);
    }
}

static enum reaction end_of_answer(struct ask *k, const char **reason)
{
    const struct llm_wire *wire = ask_provider(k)->wire;
    struct answer *ans = &k->answer;
    struct err cut;

    if (k->http.op.err.code == 0 && is_json(&k->http))
        wire->on_whole(ans, buf_view(&k->http.body));
    else if (k->http.op.err.code == 0 && !ans->complete && wire->on_end != NULL)
        wire->on_end(ans);
    if (ans->failure.status != 0) {
        k->failure = ans->failure;
        return react(k, ans->failure.status, reason);
    }
    if (ans->err.code != 0)
        return react_to_break(k, &ans->err, reason);
    if (ans->complete)
        return GOOD;
    if (k->stream_err.code != 0)
        return react_to_break(k, &k->stream_err, reason);
    if (k->http.op.err.code != 0)
        return react_to_break(k, &k->http.op.err, reason);
    err_set(&cut, ERR_PROTOCOL, "the answer broke off before its end");
    return react_to_break(k, &cut, reason);
}

enum reaction attempt_judge(struct ask *k, const char **reason)
{
    struct http_call *http = &k->http;
    enum reaction r;

    k->retry_after_ms = http->retry_after_ms;
    if (http->status >= 200 && http->status <= 299)
        r = end_of_answer(k, reason);
    else if (http->op.err.code != 0)
        r = react_to_break(k, &http->op.err, reason);
    else {
        failure_of_body(&k->failure, http->status, buf_view(&http->body));
        r = react(k, http->status, reason);
    }
    mask_key(k);
    return r;
}
