/* hint.h: tells agents and workers that there is something to do. Fire and forget: the truth is in
 * PostgreSQL, and what is not heard here is found by their sweeps. */
#pragma once
#include "services/api/app.h"

void hint_decision(struct app *app, struct uuid tenant, struct uuid decision,
                   const char *traceparent);
void hint_job(struct app *app, struct uuid tenant, struct uuid job, const char *task,
              const char *traceparent);
void hint_document(struct app *app, struct uuid tenant, struct uuid document,
                   const char *traceparent);
/* To the agent that has the decision. */
void hint_cancel(struct app *app, struct uuid tenant, struct uuid decision);
/* At the end: those that are on their way are given up. */
void hints_drop(struct app *app);
