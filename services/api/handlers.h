/* handlers.h: the handlers that routes.c names, and what they share. */
#pragma once
#include "services/api/fields.h"
#include "services/api/req.h"

/* h_analyze.c */
void h_decision_analyze(struct req *r);
void h_analyze(struct req *r);
void h_decision_investment(struct req *r);
void h_decision_risk(struct req *r);
void h_decision_strategy(struct req *r);
void h_analysis_start(struct req *r);
/* h_analysis.c */
void h_analysis_status(struct req *r);
void h_analysis_cancel(struct req *r);
void h_stats(struct req *r);
/* h_decisions.c */
void h_decision_list(struct req *r);
void h_decision_get(struct req *r);
void h_decision_report(struct req *r);
void h_decision_delete(struct req *r);
void h_decision_cancel(struct req *r);
void h_decision_feedback(struct req *r);
/* h_trail.c, stream.c */
void h_decision_trail(struct req *r);
void h_decision_stream(struct req *r);
/* h_knowledge.c */
void h_document_create(struct req *r);
void h_document_get(struct req *r);
void h_document_delete(struct req *r);
void h_knowledge_search(struct req *r);
/* h_skills.c */
void h_skill_list(struct req *r);
void h_skill_get(struct req *r);
void h_skill_execute(struct req *r);
/* h_ops.c */
void h_health(struct req *r);
void h_api_health(struct req *r);
void h_ready(struct req *r);
void h_metrics(struct req *r);
void h_openapi(struct req *r);
void h_docs(struct req *r);

/* 202 for a decision that is called a task. */
struct decision;
void reply_task(struct req *r, const struct decision *d, const char *headers);
void reply_fault(struct req *r, const struct fault *f);
/* The header Idempotency-Key, or NULL; false when it broke its rule and was answered. */
bool read_idempotency_key(struct req *r, const char **out);
