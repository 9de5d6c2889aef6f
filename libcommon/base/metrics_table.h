/* metrics_table.h: X(id, name, type, labels separated by commas, buckets separated by spaces,
 * help). Included several times with different X; the names of the reference come first. */
X(M_HTTP_REQUESTS, "http_requests_total", METRIC_COUNTER, "method,endpoint,status", "",
  "Requests by route pattern and status code")
X(M_HTTP_DURATION, "http_request_duration_seconds", METRIC_HISTOGRAM, "method,endpoint",
  "0.1 0.5 1 2 5 10", "Time from the complete head to the last byte of the answer")
X(M_CONNECTIONS, "active_connections", METRIC_GAUGE, "", "", "Open client connections")
X(M_REQUESTS, "active_requests", METRIC_GAUGE, "", "", "Requests in hand")
X(M_HTTP_REFUSED, "http_refused_total", METRIC_COUNTER, "reason", "",
  "Connections and requests refused before routing")
X(M_STREAMS_DROPPED, "http_streams_dropped_total", METRIC_COUNTER, "reason", "",
  "Event streams that were ended by us")
X(M_AGENT_RUNS, "agent_executions_total", METRIC_COUNTER, "agent_type,status", "",
  "Runs that ended, by strategy")
X(M_AGENT_DURATION, "agent_execution_duration_seconds", METRIC_SUMMARY, "agent_type,status", "",
  "Time from claim to end")
X(M_AGENT_ACTIVE, "agent_runs_active", METRIC_GAUGE, "", "", "Runs in this process")
X(M_AGENT_RESUMED, "agent_runs_resumed_total", METRIC_COUNTER, "", "",
  "Runs taken over after another agent lost its lease")
X(M_AGENT_LEASE_LOST, "agent_lease_lost_total", METRIC_COUNTER, "", "",
  "Leases lost while a run was in hand")
X(M_DECISIONS, "decisions_total", METRIC_COUNTER, "decision_type,status", "",
  "Decisions that ended")
X(M_DECISION_CONFIDENCE, "decision_confidence", METRIC_HISTOGRAM, "", "0 0.5 0.6 0.7 0.8 0.9 1",
  "Confidence of completed decisions")
X(M_SKILLS, "skill_executions_total", METRIC_COUNTER, "skill_name,status", "", "Tool calls")
X(M_SKILL_DURATION, "skill_execution_duration_seconds", METRIC_HISTOGRAM, "skill_name",
  "0.001 0.005 0.01 0.05 0.1 0.5 1 5 30", "Time of a tool call")
X(M_LLM_REQUESTS, "llm_requests_total", METRIC_COUNTER, "model,status", "", "Model calls")
X(M_LLM_TOKENS, "llm_tokens_total", METRIC_COUNTER, "model,type", "", "Tokens, input and output")
X(M_LLM_DURATION, "llm_request_duration_seconds", METRIC_HISTOGRAM, "model",
  "0.1 0.5 1 2 5 10 30 60 120", "Time of a model call")
X(M_LLM_RETRIES, "llm_retries_total", METRIC_COUNTER, "model,reason", "", "Model calls made again")
X(M_LLM_BREAKER, "llm_breaker_open", METRIC_GAUGE, "model", "", "1 while the breaker is open")
X(M_BUDGET_EXCEEDED, "budget_exceeded_total", METRIC_COUNTER, "budget", "", "Budgets that ran out")
X(M_JOBS, "worker_jobs_total", METRIC_COUNTER, "task,status", "", "Jobs that ended")
X(M_JOB_DURATION, "worker_job_duration_seconds", METRIC_HISTOGRAM, "task",
  "0.001 0.01 0.1 0.5 1 5 30 60 300", "Time of a job")
X(M_JOBS_ACTIVE, "worker_jobs_active", METRIC_GAUGE, "", "", "Jobs in this process")
X(M_JOBS_RESTORED, "queue_restored_total", METRIC_COUNTER, "queue", "",
  "Messages that went back to their queue")
X(M_QUEUE_DEPTH, "queue_depth", METRIC_GAUGE, "queue", "", "Messages that wait")
X(M_QUEUE_DEAD, "queue_dead_letters_total", METRIC_COUNTER, "queue", "",
  "Messages moved to the dead letters")
X(M_SWEEP_REQUEUED, "sweep_requeued_total", METRIC_COUNTER, "kind", "",
  "Decisions and jobs that a sweep put back")
X(M_OUTBOX, "outbox_published_total", METRIC_COUNTER, "topic,status", "", "Outbox rows delivered")
X(M_PG_CONNECTIONS, "pg_connections", METRIC_GAUGE, "state", "", "Connections of the pool")
X(M_PG_BATCHES, "pg_batches_total", METRIC_COUNTER, "status", "", "Transactions")
X(M_PG_DURATION, "pg_batch_duration_seconds", METRIC_HISTOGRAM, "",
  "0.001 0.005 0.01 0.05 0.1 0.5 1 5", "Time from submit to result, waiting included")
X(M_PG_RECONNECTS, "pg_reconnects_total", METRIC_COUNTER, "", "", "Connections made again")
X(M_REDIS_COMMANDS, "redis_commands_total", METRIC_COUNTER, "status", "", "Commands")
X(M_REDIS_RECONNECTS, "redis_reconnects_total", METRIC_COUNTER, "reason", "",
  "Connections made again")
X(M_RATE_LIMITED, "rate_limited_total", METRIC_COUNTER, "scope", "", "Requests refused by a limit")
X(M_RATE_DEGRADED, "rate_limit_degraded_total", METRIC_COUNTER, "", "",
  "Checks made in this process alone because Redis did not answer in time")
X(M_TRACES, "trace_spans_total", METRIC_COUNTER, "status", "", "Spans exported or dropped")
X(M_LOOP_SLOW, "loop_slow_total", METRIC_COUNTER, "", "", "Turns of the loop over 5 ms")
X(M_KNOWLEDGE, "knowledge_searches_total", METRIC_COUNTER, "backend,status", "", "Searches")
X(M_EMBEDDINGS, "embeddings_total", METRIC_COUNTER, "kind,status", "",
  "Texts sent to the server for embeddings")
X(M_WEAVIATE, "weaviate_requests_total", METRIC_COUNTER, "operation,status", "",
  "Requests to the vector store")
X(M_DOCUMENTS, "documents_total", METRIC_COUNTER, "status", "", "Documents read")
X(M_FAULTS, "faults_injected_total", METRIC_COUNTER, "point", "", "Fault points that fired")
