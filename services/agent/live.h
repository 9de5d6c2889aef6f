/* live.h: what an agent says while it works, on the decision's channel (libcommon/model/live.h).
 * Lost messages do no harm: the event log has the truth. */
#pragma once
#include "services/agent/shell.h"

void say_commit(struct run *r, int64_t seq);
void say_start(struct run *r, const char *step, const char *type, const char *name);
void say_chunk(struct run *r, const char *step, int attempt, int index, struct str text);
void say_reset(struct run *r, const char *step, int attempt);
void say_end(struct run *r, const char *status);
