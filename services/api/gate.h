/* gate.h: what every request passes before its handler: CORS, route, credentials, limits,
 * permission, type and grammar of the body. And the callbacks of the HTTP server. */
#pragma once
#include "services/api/req.h"

extern const struct http_handler gate_handler;         /* arg: set to the app by the caller */
extern const struct http_handler gate_metrics_handler; /* METRICS_PORT: /metrics, /health, /ready */

/* The CORS header lines for this request in the arena, or "". */
const char *gate_cors(struct req *r);
