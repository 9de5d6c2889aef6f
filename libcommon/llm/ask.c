/* ask.c: one call on its way through the chain.
 *
 *     PICK --offline--> done
 *       \--a model--> ADMIT --slot--> ASK --answer--> done
 *                                      |--may succeed later--> REST --> ADMIT
 *                                      |--repeats spent, or we are refused--> PICK (the next one)
 *                                      \--the request is wrong--> failed
 *
 * What the end of an attempt means is said by attempt.c. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/ask.h"

#include <math.h>

#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/settings.h"

#define RETRY_AFTER_MAX 60000 /* a longer wish is not waited for */
#define BREAKER_REST_MS 1000
#define BREAKER_RESTS 10 /* so long a call stays with a resting provider when it has no other */

enum step_id { PICK, ADMIT, ASK, REST };

struct llm_provider *ask_provider(struct ask *k)
{
    return &k->chain->providers[k->at];
}

const char *ask_model(struct ask *k)
{
    bool meant = k->req->model != NULL && k->at == k->first;

    return meant ? k->req->model : chain_model(k->chain, ask_provider(k));
}

int64_t ask_left_ms(const struct ask *k)
{
    return (k->deadline_us - clock_mono_us()) / 1000;
}

/* ---- letting go ---- */

static void ask_done(struct ask *k)
{
    attempt_done(k);
    timer_done(&k->timer);
    flow_done(&k->flow);
    k->magic = 0;
}

static void report_failure(struct ask *k)
{
    struct llm_call *call = k->call;

    call->api_error = k->api_error;
    call->provider_status = k->failure.status;
    call->retry_after_ms = k->retry_after_ms;
    memcpy(call->provider_message, k->failure.message, sizeof(call->provider_message));
}

/* The owner cancels, or the deadline is over. A probe whose outcome stays unknown counts as failed:
 * else the breaker would wait for it. */
static void abort_call(struct op *op)
{
    struct llm_call *call = CONTAINER_OF(op, struct llm_call, op);
    struct ask *k = call->priv;

    call->priv = NULL;
    if (k->allowed && ask_provider(k)->breaker.state == BREAKER_HALF_OPEN)
        breaker_failure(&ask_provider(k)->breaker);
    if (k->flow.step == ADMIT) /* it was our own limit that did not let it through in time */
        k->api_error = API_LLM_RATE_LIMITED;
    else if (k->flow.step == ASK)
        k->api_error = API_TIMEOUT;
    report_failure(k);
    ask_done(k);
}

static void on_timer(struct timer *t)
{
    flow_wake(&CONTAINER_OF(t, struct ask, timer)->flow, WAKE_REPLY);
}

static void count_attempt(struct ask *k, enum reaction r)
{
    const char *model = ask_model(k);
    double seconds = (double)(clock_mono_us() - k->started_us) / 1e6;

    metric_add(M_LLM_REQUESTS, 1, model, r == GOOD ? "success" : "error", NULL);
    metric_observe(M_LLM_DURATION, seconds, model, NULL, NULL);
    if (r == GOOD)
        breaker_success(&ask_provider(k)->breaker);
    else if (r == AGAIN)
        breaker_failure(&ask_provider(k)->breaker);
    else if (ask_provider(k)->breaker.state == BREAKER_HALF_OPEN)
        breaker_success(&ask_provider(k)->breaker); /* it answers, whatever it says */
    metric_set(M_LLM_BREAKER, ask_provider(k)->breaker.state == BREAKER_OPEN, model, NULL, NULL);
}

/* ---- steps ---- */

static bool usable(const struct ask *k, int at)
{
    const struct llm_provider *p = &k->chain->providers[at];

    if (k->req->provider != NULL && strcmp(k->req->provider, p->name) != 0)
        return false;
    return p->wire != NULL || k->req->analyst != NULL;
}

static bool has_next(const struct ask *k)
{
    for (int i = k->at + 1; i < k->chain->count; i++)
        if (usable(k, i))
            return true;
    return false;
}

static enum verdict next_provider(struct ask *k)
{
    if (!has_next(k))
        return flow_fail(&k->flow, &k->err);
    log_warning("model provider passed over", LOG_S("provider", ask_provider(k)->name),
                LOG_S("reason", k->err.msg));
    k->at++;
    return flow_goto(&k->flow, PICK);
}

static void begin_attempt(struct ask *k)
{
    k->attempts++;
    k->tries++;
    if (k->call->on_attempt != NULL)
        k->call->on_attempt(k->call, k->attempts);
}

static enum verdict answer_offline(struct ask *k)
{
    struct llm_result *r = &k->call->result;
    struct err err;

    begin_attempt(k);
    if (offline_answer(k->req, k->arena, r, &err) != 0) {
        k->api_error = API_LLM_ERROR;
        return flow_fail(&k->flow, &err);
    }
    for (int i = 0; i < k->at; i++) /* a model was to answer */
        r->degraded = r->degraded || k->chain->providers[i].wire != NULL;
    r->degraded = r->degraded && k->req->provider == NULL;
    r->first_token_us = 0;
    return STEP_DONE;
}

static enum verdict pick(struct flow *f, unsigned wake)
{
    struct ask *k = f->owner;
    const struct settings *s = k->chain->settings;

    (void)wake;
    while (k->at < k->chain->count && !usable(k, k->at))
        k->at++;
    if (k->at == k->chain->count) {
        k->at = 0;
        return flow_failf(f, ERR_UNAVAILABLE, "no model provider can take this request");
    }
    if (k->first < 0)
        k->first = k->at;
    if (ask_provider(k)->wire == NULL)
        return answer_offline(k);
    k->tries = 0;
    k->backoff = (struct backoff){.base_ms = (int64_t)(s->claude_retry_base_delay_s * 1000),
                                  .max_ms = (int64_t)(s->claude_retry_max_delay_s * 1000)};
    return STEP_NEXT;
}

static enum verdict breaker_refuses(struct ask *k)
{
    if (k->err.code == 0) {
        err_set(&k->err, ERR_UNAVAILABLE, "%s failed too often and is resting",
                ask_provider(k)->name);
        k->api_error = API_LLM_ERROR;
    }
    if (has_next(k) || ++k->breaker_rests > BREAKER_RESTS)
        return next_provider(k);
    k->rest_ms = BREAKER_REST_MS;
    return flow_goto(&k->flow, REST);
}

static void on_granted(struct limiter_slot *slot)
{
    flow_wake(&CONTAINER_OF(slot, struct ask, slot)->flow, WAKE_REPLY);
}

/* The breaker is asked first: what it refuses shall not use up the limit. */
static enum verdict admit(struct flow *f, unsigned wake)
{
    struct ask *k = f->owner;

    if (!(wake & WAKE_ENTER))
        return STEP_NEXT;
    if (!breaker_allow(&ask_provider(k)->breaker))
        return breaker_refuses(k);
    k->allowed = true;
    limiter_acquire(ask_provider(k)->limiter, &k->slot, on_granted);
    return STEP_WAIT;
}

static enum verdict begin_ask(struct ask *k)
{
    struct err err;

    begin_attempt(k);
    if (attempt_start(k, &err) == 0)
        return STEP_WAIT;
    k->api_error = API_LLM_ERROR;
    return flow_fail(&k->flow, &err);
}

static enum verdict take_answer(struct ask *k)
{
    struct llm_result *r = &k->call->result;
    const char *asked = ask_model(k);

    r->model = arena_strdup(k->arena, asked);
    if (answer_result(&k->answer, k->arena, r, &k->err) != 0)
        return flow_fail(&k->flow, &k->err); /* not reached: complete answers have a reason */
    r->provider = ask_provider(k)->name;
    r->request_id = k->http.request_id.p; /* in the same arena, with a NUL behind it */
    r->cost_usd = llm_cost(k->chain, asked, r->input_tokens, r->output_tokens, r->cache_read_tokens,
                           r->cache_write_tokens);
    if (isnan(r->cost_usd))
        r->cost_usd = llm_cost(k->chain, r->model, r->input_tokens, r->output_tokens,
                               r->cache_read_tokens, r->cache_write_tokens);
    metric_add(M_LLM_TOKENS,
               (double)(MAX(r->input_tokens, 0) + MAX(r->cache_read_tokens, 0) +
                        MAX(r->cache_write_tokens, 0)),
               asked, "input", NULL);
    metric_add(M_LLM_TOKENS, (double)MAX(r->output_tokens, 0), asked, "output", NULL);
    return STEP_DONE;
}

/* Whether the wait that the failure asks for is worth it. */
static bool may_repeat(struct ask *k)
{
    if (k->tries > k->chain->settings->claude_max_retries)
        return false;
    k->rest_ms = k->retry_after_ms >= 0 ? k->retry_after_ms : backoff_next(&k->backoff);
    return k->rest_ms <= RETRY_AFTER_MAX && k->rest_ms < ask_left_ms(k);
}

static enum verdict end_ask(struct ask *k)
{
    const char *reason = "";
    enum reaction r = attempt_judge(k, &reason);

    count_attempt(k, r);
    k->allowed = false;
    if (r == GOOD)
        return take_answer(k);
    attempt_done(k);
    log_debug("model call failed", LOG_S("provider", ask_provider(k)->name),
              LOG_S("reason", reason), LOG_I("attempt", k->attempts),
              LOG_I("status", k->failure.status));
    if (r == WRONG)
        return flow_fail(&k->flow, &k->err);
    if (r != REFUSED && may_repeat(k)) {
        metric_add(M_LLM_RETRIES, 1, ask_model(k), reason, NULL);
        return flow_goto(&k->flow, REST);
    }
    return next_provider(k);
}

static enum verdict ask(struct flow *f, unsigned wake)
{
    struct ask *k = f->owner;

    return wake & WAKE_ENTER ? begin_ask(k) : end_ask(k);
}

static enum verdict rest(struct flow *f, unsigned wake)
{
    struct ask *k = f->owner;

    if (!(wake & WAKE_ENTER))
        return flow_goto(f, ADMIT);
    timer_start(&k->timer, k->rest_ms);
    return STEP_WAIT;
}

/* Their deadlines are those of the operations in them and of the call as a whole. */
static const struct step steps[] = {
    [PICK] = {.name = "pick", .fn = pick},
    [ADMIT] = {.name = "admit", .fn = admit},
    [ASK] = {.name = "ask", .fn = ask},
    [REST] = {.name = "rest", .fn = rest},
};

static void on_end(struct flow *f, enum verdict v)
{
    struct ask *k = f->owner;
    struct llm_call *call = k->call;

    call->priv = NULL;
    call->result.attempts = k->attempts;
    if (v == STEP_FAIL) {
        report_failure(k);
        call->result.provider = ask_provider(k)->name;
        call->result.model = arena_strdup(k->arena, ask_model(k));
        call->result.request_id = k->http.request_id.p;
        call->op.err = f->err;
    }
    ask_done(k);
    op_finish(&call->op, v == STEP_FAIL ? call->op.err.code : 0);
}

void llm_chain_start(struct llm_chain *c, struct arena *a, const struct llm_request *req,
                     int64_t deadline_ms, struct llm_call *call, op_fn *done, void *arg)
{
    struct ask *k = arena_new_of(a, struct ask);

    CHECK(c, LLM_CHAIN);
    op_begin(&call->op, c->loop, deadline_ms, done, arg, abort_call);
    k->magic = LLM_ASK_MAGIC;
    k->chain = c;
    k->call = call;
    k->req = req;
    k->arena = a;
    k->deadline_us = clock_mono_us() + deadline_ms * 1000;
    k->first = -1;
    k->retry_after_ms = -1;
    k->api_error = API_LLM_ERROR;
    timer_init(&k->timer, c->loop, on_timer);
    flow_init(&k->flow, c->loop, steps, on_end, NULL, k);
    memset(&call->result, 0, sizeof(call->result));
    call->result.cost_usd = NAN;
    call->result.input_tokens = call->result.output_tokens = -1;
    call->result.cache_read_tokens = call->result.cache_write_tokens = -1;
    call->provider_message[0] = '\0';
    call->provider_status = 0;
    call->retry_after_ms = -1;
    call->priv = k;
    flow_start(&k->flow);
}
