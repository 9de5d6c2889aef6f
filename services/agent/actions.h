/* actions.h: one flow an action: INTEND -> PERFORM -> RECORD. The table in actions.c names the
 * performer of each kind; every outcome, a failure too, becomes events that the engine decides
 * about. */
#pragma once
#include "libcommon/ev/flow.h"
#include "services/agent/shell.h"

struct action_flow {
    struct flow flow;
    struct list link; /* in run->actions */
    struct run *run;
    struct action action; /* strings: the run's */
    struct arena *arena;  /* of this action: dropped when its event is recorded */
    int64_t started_us;   /* wall clock */
    struct span span;     /* of model and tool calls */
    struct append *outcome;
    void *work; /* the performer's own, in the arena */
};

/* How a kind of action is performed. start begins the work; it ends with action_outcome, at once or
 * later from the loop. stop lets go of everything in flight; it is called once, before the arena
 * goes. partial: what a model has said so far. */
struct performer {
    void (*start)(struct action_flow *f);
    void (*stop)(struct action_flow *f);
    struct str (*partial)(const struct action_flow *f);
};
extern const struct performer perform_gather, perform_model, perform_tool, perform_record;

/* Starts the flow of an action that engine_next gave. */
void action_start(struct run *r, const struct action *a);
/* Soft: cancels the work, unless its outcome is on its way to the log. */
void action_cancel(struct action_flow *f);
/* Hard: it is gone when this returns; for runs that are given up or over. */
void action_drop(struct action_flow *f);
struct str action_partial(const struct action_flow *f);
struct action_flow *action_of(struct list *link);

/* For performers: an append with `events` events that carry the action's ids and times. */
struct append *action_append(struct action_flow *f, int events);
/* The work is done: records ap and ends the flow. */
void action_outcome(struct action_flow *f, struct append *ap);
/* W3C header of this action's span, in its arena: for what the call passes on. */
const char *action_traceparent(struct action_flow *f);
/* Milliseconds that the decision's budget leaves, at least 1. */
int64_t action_time_left_ms(const struct action_flow *f);
/* 16 hex digits for the fence around untrusted text, in the arena. */
const char *action_nonce(struct arena *a);
