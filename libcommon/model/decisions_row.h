/* decisions_row.h: the columns that decisions_read expects, for the statements of decisions*.c. */
#pragma once
#include "libcommon/model/sql.h"

#define DECISION_COLUMNS_OF(context, result)                                                    \
    "decision_id, tenant_id, user_id, session_id, query, " context ", options, documents, "     \
    "decision_type, agent_mode, params, request_id, traceparent, status, head_seq, head_hash, " \
    "lease_epoch, attempts, cancel_asked_at IS NOT NULL, lang, degraded, skills_used, " result  \
    ", agent, usage, error, user_feedback, " SQL_US("created_at") ", " SQL_US(                  \
        "updated_at") ", " SQL_US("completed_at")
#define DECISION_COLUMNS DECISION_COLUMNS_OF("context", "decision_result")
#define DECISION_OPEN "status IN ('pending', 'running', 'waiting_input')"
