/* stream.h: a decision as server-sent events (docs/api.md, "Streaming"): first what the log has,
 * then what happens. */
#pragma once
#include "libcommon/model/decisions.h"
#include "services/api/req.h"

/* Answers r with the stream of d, from the beginning or after the request's Last-Event-ID. */
void stream_decision(struct req *r, const struct decision *d, const char *headers);
