/* decision_json.h: the decision object of the API (docs/api.md), from the row. */
#pragma once
#include "libcommon/model/decisions.h"
#include "services/api/req.h"

/* with_result: the member `result` is there. In the arena. */
cJSON *decision_json(struct arena *a, const struct decision *d, bool with_result);
/* Members for the metadata when a model was used: ",\"model\":...", or NULL. */
const char *decision_metadata(struct arena *a, const struct decision *d);
bool decision_ended(const char *status);
/* The answer to a decision whose end was waited for: the object with `status`, or its error. */
void reply_decision(struct req *r, const struct decision *d, int status, const char *headers);
/* 202 with Location: it goes on by itself. */
void reply_accepted(struct req *r, const struct decision *d, const char *headers);
/* Adds "decision_id" to raw details ({NULL,0}: none). */
struct str details_with_decision(struct arena *a, struct str details, struct uuid id);
