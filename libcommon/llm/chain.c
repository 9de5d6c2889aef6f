/* chain.c: what stands while calls come and go: the providers in their order, each with its breaker
 * and limiter, and the prices. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/chain.h"

#include <math.h>

#include "libcommon/base/settings.h"

/* So many failures in a row, over all calls of this process, rest a provider for so long. A single
 * run with its few repeats does not get there, an outage does within a second. */
#define BREAKER_FAILURES 10
#define BREAKER_OPEN_MS 5000

static const struct {
    const char *name;
    const struct llm_wire *wire;
    size_t key_at, url_at, model_at;
    const char *model_setting;
} known[] = {
    {"anthropic", &llm_anthropic, offsetof(struct settings, anthropic_api_key),
     offsetof(struct settings, anthropic_base_url), offsetof(struct settings, claude_model),
     "CLAUDE_MODEL"},
    {"offline", NULL, 0, 0, 0, NULL},
    {"openai", &llm_openai, offsetof(struct settings, openai_api_key),
     offsetof(struct settings, openai_base_url), offsetof(struct settings, openai_model),
     "OPENAI_MODEL"},
};

static const char *setting(const struct llm_chain *c, size_t at)
{
    const char *const *member = (const void *)((const char *)c->settings + at);

    return *member == NULL ? "" : *member;
}

const char *chain_key(const struct llm_chain *c, const struct llm_provider *p)
{
    return p->wire == NULL ? "" : setting(c, p->key_at);
}

const char *chain_url(const struct llm_chain *c, const struct llm_provider *p)
{
    return p->wire == NULL ? "" : setting(c, p->url_at);
}

const char *chain_model(const struct llm_chain *c, const struct llm_provider *p)
{
    return p->wire == NULL ? "offline" : setting(c, p->model_at);
}

static bool ends_with(struct str s, struct str tail)
{
    return s.n >= tail.n && memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0;
}

char *llm_url(struct arena *a, const struct llm_wire *w, const char *base_url)
{
    struct str base = str_of(base_url[0] != '\0' ? base_url : w->official_url), rest;
    const char *authority;
    bool whole;

    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    authority = strstr(base.p, "://");
    rest = authority == NULL ? base : str_of(authority + 3);
    whole = ends_with(base, STR("/v1")) ||
            (w == &llm_openai && memchr(rest.p, '/', (size_t)(base.p + base.n - rest.p)) != NULL);
    return arena_printf(a, "%.*s%s%s", STR_ARG(base), whole ? "" : "/v1", w->path);
}

/* ---- prices ---- */

static double price_of(const cJSON *row, const char *name, double dflt)
{
    double per_million = json_num(row, name, NAN);

    return per_million >= 0 ? per_million / 1e6 : dflt;
}

/* Caches without a price of their own cost as much as other input. */
static int read_prices(struct llm_chain *c, const char *text, struct err *err)
{
    cJSON *root = NULL;
    const cJSON *row;

    if (text == NULL || text[0] == '\0')
        return 0;
    if (json_parse(c->arena, str_of(text), 8, &root, err) != 0)
        return err_wrap(err, "MODEL_PRICES");
    c->prices = arena_array(c->arena, struct llm_price, cJSON_GetArraySize(root));
    cJSON_ArrayForEach (row, root) {
        struct llm_price *p = &c->prices[c->price_count++];

        p->model = row->string;
        p->input = price_of(row, "input", NAN);
        p->output = price_of(row, "output", NAN);
        p->cache_read = price_of(row, "cache_read", p->input);
        p->cache_write = price_of(row, "cache_write", p->input);
        if (p->model == NULL || isnan(p->input) || isnan(p->output))
            return err_set(err, ERR_INVALID,
                           "MODEL_PRICES: each model needs \"input\" and \"output\" (USD per "
                           "million tokens), for example {\"m\": {\"input\": 3, \"output\": 15}}");
    }
    return 0;
}

double llm_cost(const struct llm_chain *c, const char *model, int64_t input, int64_t output,
                int64_t cache_read, int64_t cache_write)
{
    CHECK(c, LLM_CHAIN);
    if (strcmp(model, "offline") == 0)
        return 0;
    for (int i = 0; i < c->price_count; i++) {
        const struct llm_price *p = &c->prices[i];

        if (strcmp(p->model, model) == 0)
            return (double)MAX(input, 0) * p->input + (double)MAX(output, 0) * p->output +
                   (double)MAX(cache_read, 0) * p->cache_read +
                   (double)MAX(cache_write, 0) * p->cache_write;
    }
    return NAN;
}

/* ---- making the chain ---- */

static int add_provider(struct llm_chain *c, struct redis *redis, struct str name, struct err *err)
{
    struct llm_provider *p = &c->providers[c->count];
    size_t i = 0;

    while (i < ARRAY_LEN(known) && !str_eqz(name, known[i].name))
        i++;
    if (i == ARRAY_LEN(known) || c->count == LLM_PROVIDERS_MAX)
        return err_set(err, ERR_INVALID,
                       "PROVIDERS: \"%.*s\" is not one of anthropic, openai, offline",
                       STR_ARG(name));
    *p = (struct llm_provider){.name = known[i].name,
                               .wire = known[i].wire,
                               .key_at = known[i].key_at,
                               .url_at = known[i].url_at,
                               .model_at = known[i].model_at};
    breaker_init(&p->breaker, BREAKER_FAILURES, BREAKER_OPEN_MS);
    c->count++;
    if (p->wire == NULL)
        return 0;
    if (c->http == NULL || (chain_key(c, p)[0] == '\0' && chain_url(c, p)[0] == '\0'))
        return err_set(err, ERR_INVALID, "PROVIDERS names %s, which has neither key nor base URL",
                       p->name);
    if (chain_model(c, p)[0] == '\0')
        return err_set(err, ERR_INVALID, "PROVIDERS names %s, which needs %s", p->name,
                       known[i].model_setting);
    p->limiter = limiter_new(c->loop, redis, p->name, &c->settings->claude_max_requests_per_minute,
                             &c->settings->claude_max_concurrent_requests);
    return 0;
}

int llm_chain_new(struct loop *l, const struct settings *s, struct http_client *http,
                  struct redis *redis, struct llm_chain **out, struct err *err)
{
    struct llm_chain *c = xcalloc(1, sizeof(*c));
    struct str list = str_of(s->providers == NULL ? "" : s->providers);
    int code;

    c->magic = LLM_CHAIN_MAGIC;
    c->loop = l;
    c->settings = s;
    c->http = http;
    c->arena = arena_new();
    code = read_prices(c, s->model_prices, err);
    while (list.p != NULL && code == 0) {
        struct str name = str_trim(str_split(&list, ','));

        if (name.n > 0)
            code = add_provider(c, redis, name, err);
    }
    if (code == 0 && c->count == 0)
        code = add_provider(c, redis, STR("offline"), err);
    if (code != 0)
        llm_chain_free(c);
    else
        *out = c;
    return code;
}

void llm_chain_free(struct llm_chain *c)
{
    if (c == NULL)
        return;
    CHECK(c, LLM_CHAIN);
    for (int i = 0; i < c->count; i++)
        limiter_free(c->providers[i].limiter);
    arena_free(c->arena);
    c->magic = 0;
    free(c);
}

const char *llm_chain_provider(const struct llm_chain *c)
{
    CHECK(c, LLM_CHAIN);
    return c->providers[0].name;
}

const char *llm_chain_model(const struct llm_chain *c)
{
    CHECK(c, LLM_CHAIN);
    return chain_model(c, &c->providers[0]);
}

bool llm_chain_ready(const struct llm_chain *c)
{
    CHECK(c, LLM_CHAIN);
    return c->providers[0].breaker.state != BREAKER_OPEN;
}
