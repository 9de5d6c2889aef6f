/* wait.h: a request that waits for a decision's end: mode "sync". It ends with the decision or its
 * error, or with 202 and Location at API_TIMEOUT and at drain. */
#pragma once
#include "libcommon/model/decisions.h"
#include "services/api/req.h"

/* known: the row as far as it is known, copied. status: of the answer when the decision has
 * completed. headers: further lines, may be NULL. look: the decision may have ended already. */
void wait_decision(struct req *r, const struct decision *known, int status, const char *headers,
                   bool look);
