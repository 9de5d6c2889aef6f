/* health.h: /health, /ready and /metrics of a program that serves nothing else (agent, worker), and
 * the client side of a container's health check. */
#pragma once
#include "libcommon/base/json.h"
#include "libcommon/io/http_server.h"

/* Adds one bool per dependency to `checks` and returns whether all that READY_REQUIRES names are
 * there. */
typedef bool health_ready_fn(void *arg, cJSON *checks);

/* GET /health: 200 {"status","timestamp"}, whatever the dependencies do. GET /ready: 200 or 503
 * with the checks. GET /metrics: Prometheus text. Anything else: 404. */
int health_server_new(struct loop *l, int port, health_ready_fn *ready, void *arg,
                      struct http_server **out, struct err *err) MUST_CHECK;

/* True when `name` ("database") is in the comma-separated list. */
bool health_requires(const char *ready_requires, const char *name);

/* Blocking, for `--healthcheck`: GET /health on the loopback address; the exit status. */
int health_check(int port);
