/* engine.h: the reasoning engine. A run is data: engine_next yields the actions that may start now,
 * engine_apply folds one event. Both are pure: no I/O, no clock, no randomness (times and nonces
 * come with the events), no memory outside the run's arena. The same request, settings and events
 * give the same state and so the same next actions, on any machine, in any later release that still
 * reads the events' format.
 *
 *     engine_new --> GATHER      the documents, or what the knowledge base has
 *        observe gather --> RECORD strategy --> RECORD detectors
 *        then by strategy (see strategies in strategy.c):
 *          react   MODEL --> its tool_use blocks: TOOL ..., several at once --> MODEL ...
 *          plan    MODEL made to submit_plan --> RECORD graph --> TOOL by the graph, independent
 *                  ones at once --> replan when one failed --> MODEL, then as react
 *          council MODEL a view, several at once, each ending in submit_view --> MODEL, as react
 *        submit_decision --> valid: FINISH completed
 *                        \--> faults: RECORD repair --> MODEL, twice at most
 *        budget out --> RECORD budget --> MODEL made to submit_decision --> FINISH, marked partial
 *        model failed for good --> FINISH failed        cancel --> FINISH cancelled
 *
 * Events (payloads are JSON objects). Made by the engine, as RECORD or FINISH:
 *   plan    strategy   {mode, why, format}
 *   observe detectors  {findings[]}
 *   plan    graph      {steps[]}
 *   observe NAME       {tool, tool_use_id, input, error}  a call that was refused, or whose
 *                      outcome is unknown after a crash
 *   repair             {faults[], attempt}
 *   budget             {budget, limit, used}
 *   final              {status, result, recommendation, error, usage, agent, skills[], lang,
 *                      degraded, produced?}  produced: what a failed or cancelled run had
 * By the shell, as the outcome of an action:
 *   observe gather     {material[], missing[], nonce}  chunks as in method/analyst.h
 *   reason  STAGE      {stage, output}  of the offline analyst
 *   reason  model      {content[], stop_reason, usage{input_tokens, output_tokens,
 *                      cache_read_tokens, cache_write_tokens}, provider, model, cost_usd,
 *                      degraded, attempts, nonce}  a model call that answered
 *   error   model      {code, message, provider_message, retry_after_ms}  failed for good
 *   tool    NAME       {input, tool_use_id}  intent of a call with side effects
 *   observe NAME       {tool, tool_use_id, input, output | error{code, message, details},
 *                      nonce, job_id?}  a tool call that ended
 * By the shell, of no action:
 *   budget             {budget, limit, used, last_call}  the seconds run out; the shell has
 *                      cancelled the model and tool calls in flight (they need no event).
 *                      last_call true: one forced submit_decision is still allowed; false:
 *                      the time is up, FINISH with what there is
 *   cancel             {by, partial[{action_id, text}]}  likewise
 *   resume             {attempt, from_seq, node}  after a take-over
 *
 * Procedure for a change of a payload: raise ENGINE_FORMAT, keep reading the old number in
 * fold.c, add the old log to tests/data/logs/ (they are replayed for ever). */
#pragma once
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"

#define ENGINE_FORMAT 1

struct engine;

enum event_type {
    EV_REASON,
    EV_PLAN,
    EV_TOOL,
    EV_OBSERVE,
    EV_ASK,
    EV_REPAIR,
    EV_BUDGET,
    EV_RESUME,
    EV_FINAL,
    EV_ERROR,
    EV_CANCEL,
    EV__MAX
};
const char *event_type_name(enum event_type t); /* "reason" ... */
int event_type_parse(const char *name, enum event_type *out) MUST_CHECK;

struct engine_event {
    int64_t seq; /* place in the log, from 1 */
    enum event_type type;
    const char *name;      /* may be NULL */
    const char *action_id; /* of the action that it ends or belongs to */
    const char *parent_id; /* may be NULL */
    const char *actor;
    bool taint;
    struct str payload; /* JSON text */
    int64_t at_us;      /* wall clock, from the shell */
    int64_t started_us, duration_ms;
    const char *model;             /* may be NULL */
    int64_t tokens_in, tokens_out; /* -1: none */
    double cost_usd;               /* NAN: none, unknown */
};

/* A tool as offered to the model; the table is the caller's and outlives the engine. */
struct engine_tool {
    const char *name, *description;
    struct str input_schema; /* JSON text, self-contained, stable bytes */
    bool side_effects;
};

/* The tools as text for the model, made once a process: over 20 KB, the same for all runs. Zeroed
 * but for `arena`, which outlives the engines; one thread. */
struct engine_tools_text {
    struct arena *arena;
    struct str plain, planned; /* without and with the strategy's own tool */
};

struct engine_settings {
    const struct engine_tool *tools;
    int tool_count;
    struct engine_tools_text *tools_text; /* NULL: each run makes its own */
    const char *mode;                     /* requested: auto, react, plan_and_execute, council */
    bool no_analyst;   /* the chain has no offline provider: model.analyst is not made */
    bool offline_only; /* the chain is the offline provider alone: agent.mode becomes "offline" */
    int64_t budget_steps, budget_seconds, budget_tokens; /* a step is one model call */
    double budget_usd;                                   /* applied only when prices are known */
    double price_in, price_out; /* USD a token of the first provider's model; NAN: unknown */
    int64_t max_tokens;         /* of a model call */
    int max_parallel;           /* tools at once; 0: 8 */
    int max_tools_a_turn; /* further tool_use blocks of one turn are answered with an error; 0: 16
                           */
    const char *prompt_version;
    /* A prompt by name ("system", "react", ...) in prompt_version; NUL-terminated, outlives the
     * engine. NULL: there is none. */
    const char *(*prompt)(const char *version, const char *name, void *arg);
    void *prompt_arg;
};

enum action_kind { ACTION_GATHER, ACTION_MODEL, ACTION_TOOL, ACTION_RECORD, ACTION_FINISH };

struct action {
    enum action_kind kind;
    const char *id;        /* "a1", "a2", ...: follows from the fold */
    const char *parent_id; /* the action that asked for it; NULL: none */
    bool taint;            /* untrusted text has reached the run */
    /* MODEL: everything of llm_request, in the run's arena, valid until the action's event is
     * applied */
    struct {
        struct str system, tools_json;
        const struct str *messages;
        int message_count;
        int64_t max_tokens;
        const char *force_tool;
        const cJSON *analyst;
        int64_t reserved_tokens; /* what was set aside before the call */
    } model;
    /* TOOL */
    struct {
        const char *name;
        const char *tool_use_id;
        const cJSON *input;
        bool intend; /* side effects: the intent (EV_TOOL) has to be committed before the call */
    } tool;
    /* RECORD and FINISH: the event to append as it is */
    struct {
        enum event_type type;
        const char *name;
        const char *actor;
        struct str payload;
    } record;
};

/* request: {query, options?, context?, decision_type, documents?, lang?, history?} (the parsed
 * decision; history: [{role, content}] of its session).
 * Both arguments outlive the engine; its memory is in `a`. */
struct engine *engine_new(struct arena *a, const struct engine_settings *s, const cJSON *request);

/* The next action that may start, each once a life of the engine: in a new life (the log folded
 * anew) what was in flight is handed out again with its id. False: nothing to start until another
 * event. */
bool engine_next(struct engine *e, struct action *out);

/* Folds one event; its strings need to live only during the call (the engine copies what it keeps).
 * ERR_PROTOCOL: the event does not fit the state (a bug or an altered log). Nothing changes then.
 */
int engine_apply(struct engine *e, const struct engine_event *ev, struct err *err) MUST_CHECK;

/* What the run looks like now. */
struct engine_view {
    bool ended;
    const char *status; /* completed, failed, cancelled once ended */
    const char *mode;   /* strategy that runs (react, plan_and_execute, council) or "offline" */
    const char *lang;
    bool degraded;
    int64_t steps, tokens_in, tokens_out;
    double usd; /* NAN: unknown */
    bool taint; /* untrusted text has reached the run */
    int64_t budget_seconds;
    int64_t started_us; /* of the first event; 0: none yet */
};
void engine_look(const struct engine *e, struct engine_view *out);

/* The parsed payload of the final event, once ended: what decisions_add_end wants. */
const cJSON *engine_final(const struct engine *e);

/* A hash of the whole state, for tests: equal logs fold to equal hashes. */
void engine_hash(const struct engine *e, uint8_t out[8]);
