/* wire.h: what the chain needs from a provider that is reached by HTTP: how a request becomes
 * bytes and how bytes become an answer. Pure: no I/O, no clock but the answer's. A new provider is
 * one file and one row in chain.c. */
#pragma once
#include "libcommon/llm/answer.h"
#include "libcommon/llm/sse.h"

#define LLM_REQUEST_MAX (32u * 1024 * 1024)
#define LLM_EVENT_MAX (4u * 1024 * 1024)

/* What the chain decided for this attempt. */
struct llm_terms {
    const char *base_url; /* of the setting; decides small things of the dialect */
    const char *model;
    int64_t max_tokens;
    double temperature; /* NAN: not sent */
};

struct llm_wire {
    const char *name;         /* as PROVIDERS spells it */
    const char *official_url; /* base when the setting is empty */
    const char *path;         /* behind ".../v1" */
    const char *auth;         /* the header that carries the key, up to the key */
    const char *version;      /* one more header, or NULL */
    /* The request's body. Everything that changes from call to call stands behind the messages. */
    int (*build)(struct buf *out, const struct llm_request *req, const struct llm_terms *terms,
                 struct err *err);
    /* An event of a stream (arg: struct answer). False: the answer is broken, see ans->err or
     * ans->failure. */
    sse_event_fn *on_event;
    /* A whole answer (application/json). Sets ans->complete, or ans->err or ans->failure. */
    void (*on_whole)(struct answer *ans, struct str body);
    /* The body ended without the protocol's own end; may set ans->complete. May be NULL. */
    void (*on_end)(struct answer *ans);
};

extern const struct llm_wire llm_anthropic, llm_openai;

/* The endpoint: base_url (or the official one), "/v1" unless it ends so, and the path. An
 * OpenAI-compatible server behind a path of its own keeps that path as it is. */
char *llm_url(struct arena *a, const struct llm_wire *w, const char *base_url);

/* offline.c: the analyst's next turn as an answer. ERR_INVALID when it has none. */
int offline_answer(const struct llm_request *req, struct arena *a, struct llm_result *r,
                   struct err *err) MUST_CHECK;
