/* actions.h: one flow an action: INTEND -> PERFORM -> RECORD. The table in actions.c says how each
 * kind is performed; every outcome, failures too, becomes events that the engine decides about. */
#pragma once
#include "services/agent/shell.h"

struct action_flow;

/* Starts the flow of an action that engine_next gave. */
void action_start(struct run *r, const struct action *a);
/* Cancels what is in flight, without an event, unless its outcome is being committed. Returns the
 * text that a model call had streamed so far ({NULL,0}: none), in the flow's arena. */
void action_cancel(struct action_flow *f);
struct str action_partial(const struct action_flow *f);
const char *action_id(const struct action_flow *f);
bool action_recording(const struct action_flow *f);
struct action_flow *action_of(struct list *link);
