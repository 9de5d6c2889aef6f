/* provider.h: one call to a language model, whichever provider answers it. The canonical form is
 * Anthropic's content blocks; the providers translate to and from it:
 *
 *   anthropic   Messages API, streaming, tool use, thinking blocks kept with their signatures
 *   openai      any OpenAI-compatible /v1/chat/completions (llama.cpp, vLLM and so on)
 *   offline     no network: the analyst of the decision method (method/analyst.h)
 *
 * The chain owns all reactions to failure, so that nobody else retries. Per provider, in the order
 * of PROVIDERS: a breaker, limits over all agents (Redis; this process alone while it is down),
 * at most CLAUDE_MAX_RETRIES repeats of what may succeed later (5xx, 429, 529, 408, timeouts, lost
 * connections, a stream without its end), waiting Retry-After or base * 2^n with jitter. Then the
 * next provider. A provider that refuses us (401 to 404) is not asked again but passed over; a
 * request that it calls wrong (400, 413, 422 ...) ends the call at once. `offline` behind a model
 * stands only when PROVIDERS names it, and then the result is marked degraded.
 *
 * Bytes are kept: messages and tools are spliced into the request as they are, so each request
 * begins with the bytes of the one before (prompt caches), and what a model wrote into a tool's
 * input comes back with its bytes. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/err_codes.h"
#include "libcommon/base/json.h"
#include "libcommon/ev/op.h"

struct http_client;
struct llm_chain;
struct redis;
struct settings;

/* Everything it points to must live, unchanged, until the callback or cancel. */
struct llm_request {
    struct str system;          /* plain text; may be empty */
    struct str tools_json;      /* JSON array of {name, description, input_schema}; empty: none */
    const struct str *messages; /* JSON texts of {"role": "user"|"assistant", "content": [blocks]};
                                 * blocks: text, thinking, redacted_thinking, tool_use, tool_result
                                 * (its content a string or text blocks) */
    int message_count;
    int64_t max_tokens;      /* 0: CLAUDE_MAX_TOKENS */
    const char *force_tool;  /* the model must call this tool; "any": some tool; NULL: free */
    const char *provider;    /* ask this one alone; NULL: the chain in its order */
    const char *model;       /* NULL: the provider's own; else for the first provider alone */
    double temperature;      /* NAN: the setting TEMPERATURE, unset: not sent */
    const char *traceparent; /* W3C header sent along; NULL: none */
    const cJSON *analyst;    /* for offline: {request, material, turns, want_plan}, see
                              * method/analyst.h; NULL: offline is passed over */
};

enum llm_delta { LLM_TEXT, LLM_THINKING, LLM_TOOL_JSON };

/* What a model answered. Texts lie in the arena of the call. */
struct llm_result {
    /* Array of canonical blocks, compact: {"type":"text","text"}, {"type":"thinking","thinking",
     * "signature"}, {"type":"redacted_thinking","data"}, {"type":"tool_use","id","name","input"}.
     * An input that is no JSON object becomes {"invalid_json": "<its text>"}, so that validation
     * sends it back to the model; a tool_use that max_tokens cut off is left out. */
    struct str content_json;
    const char *stop_reason; /* end_turn, tool_use, max_tokens, stop_sequence, pause_turn, refusal;
                              * offline: tool_use, or pause_turn when there is nothing to do yet */
    int64_t input_tokens;    /* uncached; -1: unknown, as the next three */
    int64_t output_tokens, cache_read_tokens, cache_write_tokens;
    const char *provider, *model; /* who served; the model's name as the answer has it */
    const char *request_id;       /* the provider's; NULL when it gave none */
    int attempts;                 /* requests made, over all providers; 1 for offline */
    int64_t first_token_us;       /* from the start of the attempt that served */
    double cost_usd;              /* NAN when MODEL_PRICES has no price; 0 for offline */
    bool degraded;                /* offline answered in a model's place */
    struct str stages_json;       /* offline: [{"stage", "output"}] of this turn; else empty */
};

struct llm_call {
    struct op op; /* 0; ERR_INVALID (refused), ERR_BUSY (limited), ERR_TIMEOUT, ERR_UNAVAILABLE */

    /* The owner's, set before the start; each may be NULL. They run from the loop and must not
     * cancel the call. */
    void (*on_delta)(struct llm_call *call, enum llm_delta kind, int block, struct str text);
    /* Before each attempt, n = 1, 2, ...; from 2 on: forget what was streamed. */
    void (*on_attempt)(struct llm_call *call, int n);
    void *user;

    struct llm_result result; /* when op.err.code is 0; attempts, provider and model always */

    /* When it failed. */
    enum api_code api_error;    /* API_LLM_ERROR, API_LLM_RATE_LIMITED, API_TIMEOUT */
    char provider_message[300]; /* the provider's own words, bounded, valid UTF-8; "" when none */
    int provider_status;        /* HTTP status; 0 when there was none */
    int64_t retry_after_ms;     /* -1: none given */

    void *priv;
};

/* http may be NULL when no provider needs it; redis may be NULL (limits of this process alone). All
 * three must outlive the chain; keys and names are read from settings at each call, so a reload
 * takes effect. ERR_INVALID: a provider of PROVIDERS lacks its key, model or base URL, or
 * MODEL_PRICES does not parse. */
int llm_chain_new(struct loop *l, const struct settings *s, struct http_client *http,
                  struct redis *redis, struct llm_chain **out, struct err *err) MUST_CHECK;
void llm_chain_free(struct llm_chain *c); /* every call ended or cancelled before */

/* deadline_ms bounds the whole call with its waits and retries. Results lie in `a`. op_cancel on
 * call->op closes the transfer down to the socket and gives back what the limiter lent. */
void llm_chain_start(struct llm_chain *c, struct arena *a, const struct llm_request *req,
                     int64_t deadline_ms, struct llm_call *call, op_fn *done, void *arg);

/* The price of tokens by MODEL_PRICES in USD; negative counts are taken as 0. NAN when the model is
 * not listed; 0 for "offline". */
double llm_cost(const struct llm_chain *c, const char *model, int64_t input, int64_t output,
                int64_t cache_read, int64_t cache_write);
/* The name of the first provider, its model, and whether its breaker lets calls through. */
const char *llm_chain_provider(const struct llm_chain *c);
const char *llm_chain_model(const struct llm_chain *c);
bool llm_chain_ready(const struct llm_chain *c);
