/* settings.c: the table of all settings, and the rules between them. A new setting is a member in
 * settings.h, a row here, a line in docs/configuration.md, .env.example and the chart's values. */
#include "libcommon/base/compat.h"
#include "libcommon/base/settings.h"
#include "libcommon/base/id.h"

#define AT(m) offsetof(struct settings, m)
#define SECRET_RELOAD (CFG_SECRET | CFG_RELOAD)
#define PORT_MAX 65535
#define DAY_S 86400

const struct cfg_option settings_rows[] = {
    /* type, name, default, min, max, allowed, offset, flags, help */
    {CFG_URL, "DATABASE_URL", NULL, 0, 0, "postgresql|postgres", AT(database_url),
     CFG_ALL | CFG_REQUIRED | SECRET_RELOAD, "PostgreSQL, the truth"},
    {CFG_URL, "DATABASE_MIGRATE_URL", NULL, 0, 0, "postgresql|postgres", AT(database_migrate_url),
     CFG_API | SECRET_RELOAD,
     "Direct connection for migrations when DATABASE_URL goes through PgBouncer; DATABASE_URL when "
     "unset"},
    {CFG_INT, "DATABASE_POOL_MIN", "2", 0, 1000, NULL, AT(database_pool_min), CFG_ALL,
     "Connections that stay open"},
    {CFG_INT, "DATABASE_POOL_MAX", "8", 1, 1000, NULL, AT(database_pool_max), CFG_ALL,
     "Most connections of one process"},
    {CFG_INT, "DATABASE_IDLE_SECONDS", "60", 1, DAY_S, NULL, AT(database_idle_s), CFG_ALL,
     "Connections over the minimum close after this time without work"},
    {CFG_BOOL, "DATABASE_PREPARE", "on", 0, 0, NULL, AT(database_prepare), CFG_ALL,
     "Prepared statements; off behind PgBouncer in transaction mode"},
    {CFG_URL, "REDIS_URL", NULL, 0, 0, "redis|rediss|sentinel|cluster", AT(redis_url),
     CFG_ALL | CFG_REQUIRED | SECRET_RELOAD,
     "Redis for caches, limits and live events: redis://, rediss://, "
     "sentinel://host:port,.../name/db or cluster://"},
    {CFG_URL, "BROKER_URL", NULL, 0, 0, "redis|rediss|sentinel|cluster", AT(broker_url),
     CFG_ALL | SECRET_RELOAD, "Redis of the queues; REDIS_URL when unset"},
    {CFG_URL, "RESULT_URL", NULL, 0, 0, "redis|rediss|sentinel|cluster", AT(result_url),
     CFG_ALL | SECRET_RELOAD, "Redis of the jobs' results; REDIS_URL when unset"},
    {CFG_STRING, "QUEUE_PREFIX", "", 1, 64, NULL, AT(queue_prefix), CFG_ALL,
     "Prefix of the queues' keys; a hash tag such as {ceoagent} with Redis Cluster"},
    {CFG_URL, "WEAVIATE_URL", NULL, 0, 0, "http|https", AT(weaviate_url), CFG_ALL | SECRET_RELOAD,
     "Vector store; PostgreSQL full-text search serves when unset"},
    {CFG_STRING, "WEAVIATE_API_KEY", NULL, 1, 1024, NULL, AT(weaviate_api_key),
     CFG_ALL | SECRET_RELOAD, "Key of the vector store; none is sent when unset"},
    {CFG_INT, "WEAVIATE_REPLICAS", "1", 1, 9, NULL, AT(weaviate_replicas), CFG_WORKER,
     "Copies of each vector in a cluster of Weaviate; 3 survives the loss of a node"},
    {CFG_URL, "NEO4J_URL", NULL, 0, 0, "http|https", AT(neo4j_url), CFG_ALL | SECRET_RELOAD,
     "Graph of entities and decisions (HTTP API); none when unset"},
    {CFG_LIST, "KAFKA_BROKERS", NULL, 0, 0, NULL, AT(kafka_brokers), CFG_WORKER,
     "host:port list that the outbox publishes events to; none when unset"},
    {CFG_URL, "EMBEDDINGS_URL", NULL, 0, 0, "http|https", AT(embeddings_url),
     CFG_ALL | SECRET_RELOAD, "OpenAI-compatible server for embeddings; no vectors when unset"},
    {CFG_STRING, "EMBEDDINGS_MODEL", NULL, 1, 200, NULL, AT(embeddings_model), CFG_ALL,
     "Model for embeddings; required with EMBEDDINGS_URL"},
    {CFG_STRING, "EMBEDDINGS_API_KEY", NULL, 1, 1024, NULL, AT(embeddings_api_key),
     CFG_ALL | SECRET_RELOAD, "Key of the server for embeddings; none is sent when unset"},
    {CFG_BOOL, "EMBEDDINGS_INPUT_TYPE", "off", 0, 0, NULL, AT(embeddings_input_type), CFG_ALL,
     "Sends input_type query or passage, for servers that tell them apart"},
    {CFG_STRING, "EMBEDDINGS_QUERY_PREFIX", NULL, 1, 200, NULL, AT(embeddings_query_prefix),
     CFG_ALL, "Put before each query, for models that want one, such as \"query: \""},
    {CFG_STRING, "EMBEDDINGS_PASSAGE_PREFIX", NULL, 1, 200, NULL, AT(embeddings_passage_prefix),
     CFG_ALL, "Put before each passage, such as \"passage: \""},

    {CFG_ENUM, "ENVIRONMENT|APP_ENV", "development", 0, 0, "development|staging|production|test",
     AT(environment), CFG_ALL, "Kind of deployment; production is stricter"},
    {CFG_ENUM, "LOG_LEVEL", "INFO", 0, 0, "DEBUG|INFO|WARNING|ERROR|CRITICAL", AT(log_level),
     CFG_ALL | CFG_RELOAD, "Least level of the log"},
    {CFG_STRING, "API_HOST", "0.0.0.0", 1, 255, NULL, AT(api_host), CFG_API,
     "Address that the gateway listens on"},
    {CFG_INT, "API_PORT", "8000", 0, PORT_MAX, NULL, AT(api_port), CFG_API,
     "Port of the gateway; 0 takes a free one"},
    {CFG_INT, "METRICS_PORT", NULL, 0, PORT_MAX, NULL, AT(metrics_port), CFG_API,
     "Port of /metrics; the main port when unset"},
    {CFG_INT, "HEALTH_PORT", "8000", 0, PORT_MAX, NULL, AT(health_port), CFG_AGENT | CFG_WORKER,
     "Port of /health, /ready and /metrics; 0 takes a free one"},
    {CFG_INT, "API_TIMEOUT", "300", 1, 3600, NULL, AT(api_timeout_s), CFG_API,
     "Seconds that a synchronous request waits for its decision"},
    {CFG_INT, "GRACE_SECONDS", "25", 1, 3600, NULL, AT(grace_s), CFG_ALL,
     "Seconds between SIGTERM and the end"},
    {CFG_INT, "MAX_CONNECTIONS", "10000", 1, 1000000, NULL, AT(max_connections), CFG_API,
     "Open client connections"},
    {CFG_INT, "MAX_BODY_BYTES", "10485760", 1024, 1073741824, NULL, AT(max_body_bytes), CFG_API,
     "Largest request body"},
    {CFG_INT, "MAX_WORKERS", "10", 1, 1000, NULL, AT(max_workers), CFG_AGENT | CFG_WORKER,
     "Jobs at once of a worker; tool calls at once of an agent"},
    {CFG_INT, "MAX_RUNS", "4000", 1, 100000, NULL, AT(max_runs), CFG_AGENT,
     "Decisions at once of an agent"},
    {CFG_LIST, "READY_REQUIRES", NULL, 0, 0, "database|redis|weaviate|none", AT(ready_requires),
     CFG_ALL, "What /ready needs; database, redis and, where configured, weaviate when unset"},
    {CFG_LIST, "CORS_ORIGINS", NULL, 0, 0, NULL, AT(cors_origins), CFG_API,
     "Origins that browsers may call from; * only outside production"},
    {CFG_LIST, "TRUSTED_PROXIES", NULL, 0, 0, NULL, AT(trusted_proxies), CFG_API,
     "Networks whose X-Forwarded-For is believed, such as 10.0.0.0/8"},
    {CFG_STRING, "SECRET_KEY", NULL, 16, 1024, NULL, AT(secret_key), CFG_ALL | SECRET_RELOAD,
     "Signs tokens; derived from ENCRYPTION_KEY when unset"},
    {CFG_KEY32, "ENCRYPTION_KEY", NULL, 0, 0, NULL, AT(encryption_key),
     CFG_ALL | CFG_REQUIRED | SECRET_RELOAD, "Encrypts sensitive fields at rest"},
    {CFG_LIST, "ENCRYPTION_KEYS_OLD", NULL, 0, 0, NULL, AT(encryption_keys_old),
     CFG_ALL | SECRET_RELOAD, "Earlier keys, for decryption alone"},

    {CFG_LIST, "PROVIDERS", NULL, 0, 0, "anthropic|openai|offline", AT(providers),
     CFG_AGENT | CFG_API,
     "Model providers in the order they are tried; those that have a key or base URL when unset, "
     "else offline"},
    {CFG_STRING, "ANTHROPIC_API_KEY", NULL, 1, 1024, NULL, AT(anthropic_api_key),
     CFG_AGENT | CFG_API | SECRET_RELOAD, "Key of the Anthropic API"},
    {CFG_URL, "ANTHROPIC_BASE_URL", NULL, 0, 0, "http|https", AT(anthropic_base_url),
     CFG_AGENT | CFG_API | CFG_RELOAD, "Another server that speaks the Messages API"},
    {CFG_STRING, "CLAUDE_MODEL", NULL, 1, 200, NULL, AT(claude_model), CFG_AGENT | CFG_API,
     "Model of the provider anthropic; required with it"},
    {CFG_STRING, "OPENAI_API_KEY", NULL, 1, 1024, NULL, AT(openai_api_key),
     CFG_AGENT | CFG_API | SECRET_RELOAD, "Key of the OpenAI-compatible server"},
    {CFG_URL, "OPENAI_BASE_URL", NULL, 0, 0, "http|https", AT(openai_base_url),
     CFG_AGENT | CFG_API | CFG_RELOAD, "OpenAI-compatible server, such as http://llama:8080/v1"},
    {CFG_STRING, "OPENAI_MODEL", NULL, 1, 200, NULL, AT(openai_model), CFG_AGENT | CFG_API,
     "Model of the provider openai; required with it"},
    {CFG_INT, "CLAUDE_MAX_TOKENS", "16000", 1, 1000000, NULL, AT(claude_max_tokens), CFG_AGENT,
     "Most tokens of one answer"},
    {CFG_INT, "CLAUDE_TIMEOUT", "60", 1, 3600, NULL, AT(claude_timeout_s), CFG_AGENT,
     "Seconds to the first byte and between bytes of an answer"},
    {CFG_INT, "CLAUDE_MAX_RETRIES", "3", 0, 20, NULL, AT(claude_max_retries), CFG_AGENT,
     "Tries after the first failed model call"},
    {CFG_REAL, "CLAUDE_RETRY_BASE_DELAY", "1.0", 0.01, 3600, NULL, AT(claude_retry_base_delay_s),
     CFG_AGENT, "Seconds of the first pause before a retry; it doubles"},
    {CFG_REAL, "CLAUDE_RETRY_MAX_DELAY", "60", 0.01, 3600, NULL, AT(claude_retry_max_delay_s),
     CFG_AGENT, "Longest pause in seconds"},
    {CFG_INT, "CLAUDE_MAX_REQUESTS_PER_MINUTE", "50", 1, 1000000, NULL,
     AT(claude_max_requests_per_minute), CFG_AGENT,
     "Model calls a minute and provider, over all agents"},
    {CFG_INT, "CLAUDE_MAX_CONCURRENT_REQUESTS", "5", 1, 100000, NULL,
     AT(claude_max_concurrent_requests), CFG_AGENT,
     "Model calls at once a provider, over all agents"},
    {CFG_STRING, "TEMPERATURE", NULL, 1, 10, NULL, AT(temperature), CFG_AGENT,
     "Sampling temperature, 0 to 2; not sent when unset"},
    {CFG_JSON, "MODEL_PRICES", NULL, 0, 0, NULL, AT(model_prices), CFG_AGENT | CFG_API,
     "USD per million tokens: {model: {input, output, cache_read, cache_write}}"},
    {CFG_STRING, "PROMPT_DIR", NULL, 1, 1024, NULL, AT(prompt_dir), CFG_AGENT,
     "Folder of prompt versions that adds to the built-in ones"},
    {CFG_STRING, "PROMPT_VERSION", "v1", 1, 64, NULL, AT(prompt_version), CFG_AGENT | CFG_API,
     "Version of the prompts"},
    {CFG_BOOL, "HTTP2", "on", 0, 0, NULL, AT(http2), CFG_AGENT | CFG_WORKER,
     "HTTP/2 to model and tool servers that offer it"},

    {CFG_INT, "RATE_LIMIT_PER_MINUTE", "10", 1, 100, NULL, AT(rate_limit_per_minute), CFG_API,
     "Analyses a minute of one user"},
    {CFG_REAL, "TOKEN_BUCKET_RATE", "10", 0.01, 1000000, NULL, AT(token_bucket_rate), CFG_API,
     "Requests a second of one user"},
    {CFG_INT, "TOKEN_BUCKET_CAPACITY", "100", 1, 1000000, NULL, AT(token_bucket_capacity), CFG_API,
     "Requests that a user may make at once"},
    {CFG_INT, "BUDGET_STEPS", "40", 1, 10000, NULL, AT(budget_steps), CFG_API | CFG_AGENT,
     "Steps of a decision"},
    {CFG_INT, "BUDGET_SECONDS", "900", 1, DAY_S, NULL, AT(budget_seconds), CFG_API | CFG_AGENT,
     "Seconds of a decision"},
    {CFG_INT, "BUDGET_TOKENS", "400000", 1, 1000000000, NULL, AT(budget_tokens),
     CFG_API | CFG_AGENT, "Tokens of a decision"},
    {CFG_REAL, "BUDGET_USD", "5.00", 0, 1000000, NULL, AT(budget_usd), CFG_API | CFG_AGENT,
     "Cost of a decision in USD, where MODEL_PRICES lists the model"},

    {CFG_INT, "LEASE_SECONDS", "30", 1, 3600, NULL, AT(lease_s), CFG_AGENT | CFG_WORKER,
     "Time after which another agent takes over what a dead one had"},
    {CFG_LIST, "WORKER_QUEUES", "ceoagent.worker,celery", 0, 0, NULL, AT(worker_queues), CFG_WORKER,
     "Queues that the worker serves"},
    {CFG_INT, "VISIBILITY_TIMEOUT", "60", 1, DAY_S, NULL, AT(visibility_timeout_s), CFG_ALL,
     "Seconds until an unacknowledged message goes back to its queue"},
    {CFG_INT, "RESULT_EXPIRES", "86400", 1, 31536000, NULL, AT(result_expires_s), CFG_ALL,
     "Seconds that a job's result is kept in Redis"},
    {CFG_INT, "MAX_REDELIVERIES", "5", 0, 1000, NULL, AT(max_redeliveries), CFG_AGENT | CFG_WORKER,
     "Deliveries of a message before it becomes a dead letter"},
    {CFG_INT, "SWEEP_INTERVAL_MS", "1000", 10, 600000, NULL, AT(sweep_interval_ms),
     CFG_AGENT | CFG_WORKER, "Pause between sweeps for what is due and unclaimed"},
    {CFG_INT, "MEMORY_MAX_TURNS", "50", 1, 1000, NULL, AT(memory_max_turns), CFG_ALL,
     "Messages kept of a conversation"},
    {CFG_INT, "MEMORY_TTL_SECONDS", "1800", 1, 31536000, NULL, AT(memory_ttl_s), CFG_ALL,
     "Seconds until an unused conversation expires"},
    {CFG_URL, "OTEL_EXPORTER_OTLP_ENDPOINT", NULL, 0, 0, "http|https", AT(otlp_endpoint), CFG_ALL,
     "OTLP/HTTP collector for traces, such as http://otel:4318; none when unset"},
    {CFG_REAL, "TRACE_SAMPLE", "0.01", 0, 1, NULL, AT(trace_sample), CFG_ALL,
     "Share of traces that are exported; failed and slow ones always are"},
};

const size_t settings_count = ARRAY_LEN(settings_rows);

static void set_default(const char **member, const char *value)
{
    if (*member == NULL && value != NULL)
        *member = xstrdup(value);
}

static bool lists(const char *list, const char *word)
{
    struct str rest = str_of(list);

    while (rest.n > 0)
        if (str_ieq(str_trim(str_split(&rest, ',')), str_of(word)))
            return true;
    return false;
}

static void default_providers(struct settings *s)
{
    bool anthropic = s->anthropic_api_key != NULL || s->anthropic_base_url != NULL;
    bool openai = s->openai_api_key != NULL || s->openai_base_url != NULL;

    set_default(&s->providers, anthropic && openai ? "anthropic,openai"
                               : anthropic         ? "anthropic"
                               : openai            ? "openai"
                                                   : "offline");
}

static int check_models(const struct settings *s, struct err *err)
{
    if (lists(s->providers, "anthropic") && s->claude_model == NULL)
        return err_set(err, ERR_INVALID,
                       "CLAUDE_MODEL is required with the provider anthropic, for example "
                       "CLAUDE_MODEL=claude-sonnet-4-5");
    if (lists(s->providers, "openai") && s->openai_model == NULL)
        return err_set(err, ERR_INVALID,
                       "OPENAI_MODEL is required with the provider openai, for example "
                       "OPENAI_MODEL=qwen3-32b");
    if (lists(s->providers, "openai") && s->openai_api_key == NULL && s->openai_base_url == NULL)
        return err_set(err, ERR_INVALID,
                       "PROVIDERS names openai, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is "
                       "set, for example OPENAI_BASE_URL=http://llama:8080/v1");
    if (lists(s->providers, "anthropic") && s->anthropic_api_key == NULL &&
        s->anthropic_base_url == NULL)
        return err_set(err, ERR_INVALID,
                       "PROVIDERS names anthropic, but neither ANTHROPIC_API_KEY nor "
                       "ANTHROPIC_BASE_URL is set, for example ANTHROPIC_API_KEY=sk-ant-...");
    return 0;
}

static int check_old_keys(const struct settings *s, struct err *err)
{
    struct str rest = str_of(s->encryption_keys_old);
    uint8_t key[32];

    while (rest.n > 0)
        if (base64_decode(str_trim(str_split(&rest, ',')), false, key, sizeof key) != sizeof key)
            return err_set(err, ERR_INVALID,
                           "ENCRYPTION_KEYS_OLD=(hidden): each part must be 32 bytes in base64, "
                           "for example ENCRYPTION_KEYS_OLD=$(openssl rand -base64 32)");
    return 0;
}

static int check_temperature(const struct settings *s, struct err *err)
{
    double v;

    if (s->temperature == NULL)
        return 0;
    if (str_f64(str_of(s->temperature), &v) != 0 || v < 0 || v > 2)
        return err_set(err, ERR_INVALID,
                       "TEMPERATURE=%s: must be a number from 0 to 2, for example TEMPERATURE=0.7",
                       s->temperature);
    return 0;
}

static int check_rest(const struct settings *s, struct err *err)
{
    if (s->database_pool_min > s->database_pool_max)
        return err_set(err, ERR_INVALID,
                       "DATABASE_POOL_MIN=%" PRId64 ": must not be over DATABASE_POOL_MAX, for "
                       "example DATABASE_POOL_MIN=%" PRId64,
                       s->database_pool_min, s->database_pool_max);
    if (s->embeddings_url != NULL && s->embeddings_model == NULL)
        return err_set(err, ERR_INVALID,
                       "EMBEDDINGS_MODEL is required with EMBEDDINGS_URL, for example "
                       "EMBEDDINGS_MODEL=bge-m3");
    if (strcmp(s->environment, "production") == 0 && s->cors_origins != NULL &&
        lists(s->cors_origins, "*"))
        return err_set(err, ERR_INVALID,
                       "CORS_ORIGINS=*: not in production, for example "
                       "CORS_ORIGINS=https://console.example.com");
    return 0;
}

int settings_load(struct settings *s, unsigned program, struct err *err)
{
    int rc = cfg_load(settings_rows, settings_count, program, s, err);

    if (rc != 0)
        return rc;
    set_default(&s->database_migrate_url, s->database_url);
    set_default(&s->broker_url, s->redis_url);
    set_default(&s->result_url, s->redis_url);
    set_default(&s->ready_requires,
                s->weaviate_url != NULL ? "database,redis,weaviate" : "database,redis");
    default_providers(s);
    if (program & CFG_AGENT)
        rc = check_models(s, err);
    if (rc == 0)
        rc = check_old_keys(s, err);
    if (rc == 0)
        rc = check_temperature(s, err);
    if (rc == 0)
        rc = check_rest(s, err);
    if (rc != 0)
        settings_free(s);
    return rc;
}

void settings_free(struct settings *s)
{
    cfg_free(settings_rows, settings_count, s);
}
