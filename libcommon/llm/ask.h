/* ask.h: private to llm/: one call on its way through the chain. ask.c walks its steps; attempt.c
 * makes one request and says what its end means. */
#pragma once
#include "libcommon/ev/backoff.h"
#include "libcommon/ev/flow.h"
#include "libcommon/io/http_client.h"
#include "libcommon/llm/chain.h"

#define LLM_ASK_MAGIC 0x4c41534bu

/* What the end of an attempt asks for. */
enum reaction {
    GOOD,
    AGAIN,   /* it may succeed later */
    LIMITED, /* the same, and the provider limits us: no failure of its own */
    REFUSED, /* this provider will not serve us: the next one */
    WRONG,   /* the request itself */
};

struct ask {
    unsigned magic;
    struct llm_chain *chain;
    struct llm_call *call;
    const struct llm_request *req;
    struct arena *arena;
    struct flow flow;
    int64_t deadline_us;
    int at;    /* the provider in hand */
    int first; /* the one that req->model is meant for */
    int attempts;
    int tries; /* of this provider */
    int breaker_rests;
    struct backoff backoff;
    struct limiter_slot slot;
    struct timer timer; /* REST; linger in ASK */
    int64_t rest_ms;
    /* of an attempt */
    struct http_call http;
    struct buf body;
    struct sse sse;
    struct answer answer;
    struct err stream_err;
    int64_t started_us;
    bool allowed; /* by the breaker, which waits for the outcome */
    /* the last failure */
    enum api_code api_error;
    struct err err;
    struct llm_failure failure;
    int64_t retry_after_ms;
};

struct llm_provider *ask_provider(struct ask *k);
const char *ask_model(struct ask *k);
int64_t ask_left_ms(const struct ask *k);

/* Starts a request to the provider in hand; the flow is woken at its end. Fails only on messages
 * that are no JSON or too large. */
int attempt_start(struct ask *k, struct err *err) MUST_CHECK;
/* What its end means; fills err, failure, api_error and retry_after_ms unless it is GOOD. reason is
 * a word for the metrics. */
enum reaction attempt_judge(struct ask *k, const char **reason);
/* Lets go of what an attempt holds, the slot of the limiter included. Repeatable. */
void attempt_done(struct ask *k);
