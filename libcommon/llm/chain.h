/* chain.h: private to llm/: the chain's own parts, shared by chain.c (what stands) and ask.c (one
 * call on its way through it). */
#pragma once
#include "libcommon/ev/breaker.h"
#include "libcommon/llm/limiter.h"
#include "libcommon/llm/wire.h"

#define LLM_CHAIN_MAGIC 0x4c4c4d43u
#define LLM_PROVIDERS_MAX 8

struct llm_price {
    const char *model;
    double input, output, cache_read, cache_write; /* USD a token */
};

struct llm_provider {
    const char *name;
    const struct llm_wire *wire; /* NULL: offline */
    struct breaker breaker;
    struct limiter *limiter;
    /* where its settings are, in struct settings */
    size_t key_at, url_at, model_at;
};

struct llm_chain {
    unsigned magic;
    struct loop *loop;
    const struct settings *settings;
    struct http_client *http;
    struct llm_provider providers[LLM_PROVIDERS_MAX];
    int count;
    struct arena *arena; /* prices and names */
    struct llm_price *prices;
    int price_count;
};

/* The provider's setting; "" when unset. */
const char *chain_key(const struct llm_chain *c, const struct llm_provider *p);
const char *chain_url(const struct llm_chain *c, const struct llm_provider *p);
const char *chain_model(const struct llm_chain *c, const struct llm_provider *p);
