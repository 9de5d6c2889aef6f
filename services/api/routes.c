#include "libcommon/base/compat.h"
#include "services/api/route.h"
#include "services/api/handlers.h"

#define MIB (1024 * 1024)
#define BODY (10 * MIB)
#define FEEDBACK_BODY (64 * 1024)
#define ANALYZE (ROUTE_JSON | ROUTE_QUERY)
#define OPS (ROUTE_PUBLIC | ROUTE_RAW)
#define V1 "/api/v1"
#define LIST_QUERY "page page_size cursor status decision_type from to"

/* method, pattern, handler, permission, body, class, flags, status, request, response, query, tag,
 * summary. The page at /docs keeps this order. */
const struct route routes[] = {
    {"POST", V1 "/decision/analyze", h_decision_analyze, PERM_DECISION_CREATE, BODY, RATE_ANALYZE,
     ANALYZE, 201, "AnalyzeRequest", "Decision", NULL, "Decisions", "Analyse a decision"},
    {"POST", V1 "/analyze", h_analyze, PERM_DECISION_CREATE, BODY, RATE_ANALYZE, ANALYZE, 200,
     "ShortRequest", "Decision", NULL, "Decisions", "Analyse a decision, short form"},
    {"POST", V1 "/decision/investment", h_decision_investment, PERM_DECISION_CREATE, BODY,
     RATE_ANALYZE, ANALYZE, 200, "InvestmentRequest", "Decision", NULL, "Decisions",
     "Analyse an investment"},
    {"POST", V1 "/decision/risk", h_decision_risk, PERM_DECISION_CREATE, BODY, RATE_ANALYZE,
     ANALYZE, 200, "RiskRequest", "Decision", NULL, "Decisions", "Assess the risks of a company"},
    {"POST", V1 "/decision/strategy", h_decision_strategy, PERM_DECISION_CREATE, BODY, RATE_ANALYZE,
     ANALYZE, 200, "StrategyRequest", "Decision", NULL, "Decisions", "Plan a strategy"},
    {"POST", V1 "/analysis/start", h_analysis_start, PERM_DECISION_CREATE, BODY, RATE_ANALYZE,
     ANALYZE, 202, "AnalyzeRequest", "Task", NULL, "Decisions", "Analyse in the background"},
    {"GET", V1 "/analysis/{task_id}/status", h_analysis_status, PERM_DECISION_READ, 0, RATE_ALL, 0,
     200, NULL, "TaskStatus", NULL, "Decisions", "How far a background analysis is"},
    {"POST", V1 "/analysis/{task_id}/cancel", h_analysis_cancel, PERM_NONE, 0, RATE_ALL, 0, 202,
     NULL, "TaskCancel", NULL, "Decisions", "Stop a background analysis"},
    {"GET", V1 "/stats", h_stats, PERM_AUDIT_VIEW, 0, RATE_ALL, 0, 200, NULL, "Stats", NULL,
     "Decisions", "Counts of the tenant's analyses, tokens and conversations"},
    {"GET", V1 "/decisions", h_decision_list, PERM_DECISION_READ, 0, RATE_ALL, 0, 200, NULL,
     "DecisionPage", LIST_QUERY, "Decisions", "Own decisions, newest first"},
    {"GET", V1 "/decisions/{id}", h_decision_get, PERM_DECISION_READ, 0, RATE_ALL, ROUTE_CACHE, 200,
     NULL, "Decision", NULL, "Decisions", "One decision"},
    {"DELETE", V1 "/decisions/{id}", h_decision_delete, PERM_NONE, 0, RATE_ALL, 0, 204, NULL, NULL,
     NULL, "Decisions", "Delete a decision; a running one is cancelled first"},
    {"POST", V1 "/decisions/{id}/cancel", h_decision_cancel, PERM_NONE, 0, RATE_ALL, 0, 202, NULL,
     "Decision", NULL, "Decisions", "Stop a decision"},
    {"POST", V1 "/decisions/{id}/feedback", h_decision_feedback, PERM_NONE, FEEDBACK_BODY, RATE_ALL,
     ROUTE_JSON, 200, "FeedbackRequest", "FeedbackReceipt", NULL, "Decisions", "Rate a decision"},
    {"GET", V1 "/decisions/{id}/trail", h_decision_trail, PERM_DECISION_READ, 0, RATE_ALL,
     ROUTE_CACHE, 200, NULL, "Trail", "proof", "Decisions", "How a decision came about"},
    {"GET", V1 "/decisions/{id}/stream", h_decision_stream, PERM_DECISION_READ, 0, RATE_ALL,
     ROUTE_RAW, 200, NULL, "EventStream", NULL, "Decisions",
     "Follow a decision as server-sent events"},
    {"GET", V1 "/decisions/{id}/report", h_decision_report, PERM_DECISION_READ, 0, RATE_ALL,
     ROUTE_RAW | ROUTE_CACHE, 200, NULL, "Report", "format", "Decisions",
     "A decision with its sources, for people"},
    {"POST", V1 "/knowledge/documents", h_document_create, PERM_DATA_WRITE, BODY, RATE_ALL,
     ROUTE_JSON | ROUTE_FORM, 201, "DocumentRequest", "DocumentReceipt", NULL, "Knowledge",
     "Add a document"},
    {"GET", V1 "/knowledge/documents/{id}", h_document_get, PERM_DATA_READ, 0, RATE_ALL,
     ROUTE_CACHE, 200, NULL, "Document", "wait", "Knowledge",
     "One document and how far it is read"},
    {"DELETE", V1 "/knowledge/documents/{id}", h_document_delete, PERM_DATA_WRITE, 0, RATE_ALL, 0,
     204, NULL, NULL, NULL, "Knowledge", "Delete a document"},
    {"GET", V1 "/knowledge/search", h_knowledge_search, PERM_DATA_READ, 0, RATE_ALL, 0, 200, NULL,
     "SearchResults", "q limit type from to source", "Knowledge", "Search the documents"},
    {"GET", V1 "/skills", h_skill_list, PERM_NONE, 0, RATE_ALL, ROUTE_CACHE, 200, NULL, "SkillList",
     "category", "Skills", "The skills"},
    {"GET", V1 "/skills/{name}", h_skill_get, PERM_NONE, 0, RATE_ALL, ROUTE_CACHE, 200, NULL,
     "Skill", NULL, "Skills", "One skill and its schema"},
    {"POST", V1 "/skills/{name}/execute", h_skill_execute, PERM_NONE, BODY, RATE_ALL,
     ROUTE_JSON | ROUTE_LARGE, 200, "SkillRequest", "SkillOutput", NULL, "Skills",
     "Run a skill on the worker and wait for its output"},
    {"GET", V1 "/health", h_api_health, PERM_NONE, 0, RATE_NONE, OPS, 200, NULL, "HealthDetails",
     NULL, "Operations", "Health, version and the state of the dependencies"},
    {"GET", "/health", h_health, PERM_NONE, 0, RATE_NONE, OPS, 200, NULL, "Health", NULL,
     "Operations", "The process is alive"},
    {"GET", "/ready", h_ready, PERM_NONE, 0, RATE_NONE, OPS, 200, NULL, "Ready", NULL, "Operations",
     "The process may be sent requests"},
    {"GET", "/metrics", h_metrics, PERM_NONE, 0, RATE_NONE, OPS, 200, NULL, "Text", NULL,
     "Operations", "Metrics in the Prometheus text format"},
    {"GET", "/openapi.json", h_openapi, PERM_NONE, 0, RATE_NONE, OPS | ROUTE_CACHE, 200, NULL,
     "Json", NULL, "Operations", "This interface as OpenAPI 3.1"},
    {"GET", "/docs", h_docs, PERM_NONE, 0, RATE_NONE, OPS | ROUTE_CACHE, 200, NULL, "Html", NULL,
     "Operations", "This interface for people"},
    {"GET", "/redoc", h_docs, PERM_NONE, 0, RATE_NONE, OPS | ROUTE_CACHE, 200, NULL, "Html", NULL,
     "Operations", "The same as /docs"},
};

const size_t route_count = ARRAY_LEN(routes);
