/* settings.h: every setting of the three programs, in one struct; the table is in settings.c. */
#pragma once
#include "libcommon/base/cfg.h"

struct settings {
    /* stores */
    const char *database_url, *database_migrate_url;
    int64_t database_pool_min, database_pool_max, database_idle_s;
    bool database_prepare;
    const char *redis_url, *broker_url, *result_url, *queue_prefix;
    const char *weaviate_url, *neo4j_url, *kafka_brokers;
    const char *weaviate_api_key;
    int64_t weaviate_replicas;
    const char *embeddings_url, *embeddings_model, *embeddings_api_key;
    const char *embeddings_query_prefix, *embeddings_passage_prefix;
    bool embeddings_input_type;
    /* the programs */
    const char *environment, *log_level, *api_host;
    int64_t api_port, metrics_port, health_port, api_timeout_s, grace_s;
    int64_t max_connections, max_body_bytes, max_workers, max_runs;
    const char *ready_requires, *cors_origins, *trusted_proxies;
    const char *secret_key, *encryption_key, *encryption_keys_old;
    /* models */
    const char *providers;
    const char *anthropic_api_key, *anthropic_base_url, *claude_model;
    const char *openai_api_key, *openai_base_url, *openai_model;
    int64_t claude_max_tokens, claude_timeout_s, claude_max_retries;
    double claude_retry_base_delay_s, claude_retry_max_delay_s;
    int64_t claude_max_requests_per_minute, claude_max_concurrent_requests;
    const char *temperature; /* unset: not sent */
    const char *model_prices;
    const char *prompt_dir, *prompt_version;
    bool http2;
    /* limits */
    int64_t rate_limit_per_minute;
    double token_bucket_rate;
    int64_t token_bucket_capacity;
    int64_t budget_steps, budget_seconds, budget_tokens;
    double budget_usd;
    /* agents and workers */
    int64_t lease_s;
    const char *worker_queues;
    int64_t visibility_timeout_s, result_expires_s, max_redeliveries, sweep_interval_ms;
    int64_t memory_max_turns, memory_ttl_s;
    /* traces */
    const char *otlp_endpoint;
    double trace_sample;
};

extern const struct cfg_option settings_rows[];
extern const size_t settings_count;

/* cfg_load over the table, then the rules between settings (DATABASE_MIGRATE_URL defaults to
 * DATABASE_URL, BROKER_URL and RESULT_URL to REDIS_URL, PROVIDERS to those that have a key or a
 * base URL, else offline; a model name is required with its provider; SECRET_KEY may stay unset).
 */
int settings_load(struct settings *s, unsigned program, struct err *err) MUST_CHECK;
void settings_free(struct settings *s);
