/* state.h: what the parts of the engine share; private to services/agent/engine. All of it lies in
 * the run's arena and follows from the events alone, but for act.yielded, which belongs to one life
 * of the engine and is no part of the fold.
 *
 *   phase:  GATHER --observe gather--> STRATEGY --plan strategy--> DETECT --observe detectors-->
 * RUN any --(an outcome is known)--> CLOSING (one FINISH is open) --final--> ENDED act:    OPEN
 * --(tool) intent--> INTENDED --its event--> DONE OPEN, INTENDED --(nobody waits for it any
 * more)--> DROPPED --a late event--> DONE */
#pragma once
#include "services/agent/engine/engine.h"

#define ENGINE_MAGIC 0x3e61c0deu

#define EVENTS_MAX 400 /* a run's log; the last 40 are kept for its end */
#define EVENTS_SOFT (EVENTS_MAX - 40)
#define REPAIRS_MAX 2
#define REPLANS_MAX 2
#define PLAN_STEPS_MAX 12
#define STEPS_MAX (PLAN_STEPS_MAX * (REPLANS_MAX + 1)) /* with those kept from earlier plans */
#define PARALLEL_DEFAULT 8
#define TURN_TOOLS_DEFAULT 16
#define MAX_TOKENS_DEFAULT 16000
#define OUTPUT_MAX (32 * 1024)    /* bytes of one tool's output in the prompt */
#define MATERIAL_MAX (200 * 1000) /* bytes of all sources of the first message */
#define MESSAGES_MAX (4 * 1000 * 1000)

#define TOOL_SUBMIT "submit_decision"
#define TOOL_PLAN "submit_plan"
#define TOOL_VIEW "submit_view"
#define VIEW_TOOLS 4
#define VIEW_ROUNDS 4 /* then a view is made to submit */

enum phase { PHASE_GATHER, PHASE_STRATEGY, PHASE_DETECT, PHASE_RUN, PHASE_CLOSING, PHASE_ENDED };
enum act_state { ACT_OPEN, ACT_INTENDED, ACT_DONE, ACT_DROPPED };

struct engine;
struct call;

struct act {
    enum action_kind kind;
    enum act_state state;
    bool yielded;
    const char *id, *parent;
    struct talk *talk; /* the conversation that it serves */
    struct call *call; /* TOOL, and the RECORD that answers a call */
    const char *force; /* MODEL */
    int64_t max_tokens, reserved_tokens, sent_bytes, answer_bytes;
    double reserved_usd;
    bool reserved;        /* the ledger holds its reservation */
    struct arena *view;   /* the analyst's view of the run, while the call is open */
    enum event_type type; /* RECORD, FINISH */
    const char *name;
    struct str payload;
    struct str (*make)(struct engine *e); /* instead of payload: made when it is asked for */
    bool sealed;                          /* FINISH: nothing but `final` may come in its place */
};

/* A call of a tool: a tool_use block of the model's turn, or a step of the plan. */
struct call {
    const char *use_id, *name;
    const cJSON *input; /* NULL: the model wrote no object */
    struct talk *talk;
    struct act *act;   /* NULL: answered without one, or not started */
    struct step *step; /* NULL: of the model's turn */
    bool ended, failed;
    struct str answer; /* text for the model, once ended */
    struct str output; /* JSON, once ended well */
};

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_OK, STEP_FAILED };

struct step {
    const char *id, *tool, *purpose;
    const cJSON *input;
    int needs[STEPS_MAX], need_count;
    enum step_state state;
    bool told; /* its outcome is in a message */
    struct call call;
};

/* The tool_use blocks of the model's last answer, each of which the next user message has to
 * answer. */
struct turn {
    struct call *calls;
    int count;
    bool told; /* written into the pending user message */
};

struct counter {
    uint64_t key;
    size_t len;
    int count;
};

/* One conversation with a model. A run has one, `main`, which ends with the decision; a council has
 * one a view besides, each ending with its own position. */
/* A specialist of a council. */
struct view {
    const char *name, *prompt;
    const char *tools[VIEW_TOOLS]; /* NULL behind the last */
    const char *const *words;
    size_t word_count;
};

enum talk_state { TALK_IDLE, TALK_RUNS, TALK_DONE, TALK_FAILED };
struct talk {
    const struct view *view; /* NULL: main */
    enum talk_state state;   /* of a view */
    struct str system, tools_json;
    struct str *messages;
    int count, cap;
    size_t bytes;
    struct buf pending; /* blocks of the user message to come */
    struct act *model;  /* its last MODEL */
    struct turn turn;
    bool mute; /* the analyst alone answers, and reads no messages */
    int repairs, rounds;
    int64_t max_tokens;              /* of the next model call */
    int64_t sent_bytes, sent_tokens; /* of the last call that reported: corrects the estimate */
    struct str last_text;
    /* of a view */
    const cJSON *position; /* what it submitted */
    const char *why;       /* it failed */
    const char *nonce;     /* of its last answer */
    struct buf computed;   /* its tools' results, in their fences */
};

/* The four budgets. Reserved is what open model calls may still use; it is settled by their events.
 */
struct ledger {
    int64_t steps_used, steps_reserved;
    int64_t tokens_used, tokens_reserved;
    double usd_used, usd_reserved;
    bool usd_unknown;
    int64_t tokens_in, tokens_out; /* as reported */
};

/* A tool call that ended, or (tool NULL) a stage of the analyst. */
struct note {
    const char *stage, *tool, *id;
    struct str input, value; /* JSON; empty: none. value: the output, or the error */
    bool failed;
    int64_t seq;
};

/* A source that the model may cite by an id. */
struct cited {
    const char *kind, *ref;
};

struct strategy {
    const char *name;   /* as requested and recorded */
    const char *prompt; /* NULL: of the same name */
    const char *tool;   /* answered by the strategy itself; NULL: none */
    void (*start)(struct engine *e);
    void (*called)(struct engine *e, struct call *c); /* with `tool` */
    /* The last call comes now, before the strategy came to its end: says what there is. NULL:
     * nothing. */
    void (*closing)(struct engine *e);
    /* More faults of a decision that validates. NULL: none. */
    void (*check)(struct engine *e, const cJSON *answer, cJSON *faults);
};

struct engine {
    unsigned magic;
    struct arena *a;
    const struct engine_settings *s;
    const cJSON *request;
    const char *lang;
    enum phase phase;
    int64_t seq, started_us, now_us;
    int events;
    bool taint, degraded;
    bool keep; /* the payload of the event that is being folded is referred to */

    struct act **acts;
    int act_count, act_cap;
    struct talk main, *views; /* views: of a council */
    int view_count;
    bool council_told;   /* the views are in main's message */
    struct str question; /* the first user message */

    const struct strategy *strategy;
    const char *strategy_why;
    const cJSON *material, *missing, *findings;
    const char *nonce;  /* of the gathered sources */
    struct note *notes; /* tools' results and stages, in order */
    int note_count, note_cap;
    cJSON *passages;     /* for the validator: material, and what searches found since */
    struct cited *cited; /* what the ids given out so far stand for: E1 .. */
    int evidence, cited_cap;

    struct counter *counters;
    int counter_count, counter_cap, repeats;

    struct step *steps; /* STEPS_MAX of them, once there is a plan */
    int step_count, replans;
    bool planned;           /* a plan was accepted */
    struct call *plan_call; /* the submit_plan that the next user message answers */

    struct ledger ledger;
    const char *out; /* the budget that ran out; NULL: none */
    double out_limit, out_used;
    bool out_told;

    const char *provider, *model_name, *submitter; /* provider that answered last; submitted */
    bool any_answer, all_offline;
    const char **skills;
    int skill_count, skill_cap;

    const cJSON *final;
    const char *status;
};

/* --- act.c: the table of actions ------------------------------------------------------------- */

/* Ids follow from the order of creation, which follows from the fold. parent may be NULL. */
struct act *act_new(struct engine *e, enum action_kind kind, struct talk *t,
                    const struct act *parent);
struct act *act_find(const struct engine *e, const char *id); /* NULL id or none: NULL */
/* An event that the shell is to append as it is. */
struct act *act_record(struct engine *e, struct talk *t, enum event_type type, const char *name,
                       const cJSON *payload);
bool act_waits(const struct act *a); /* open or intended */
/* Whether an action is open that decides how the conversation goes on (anything but a tool call's).
 */
bool act_deciding(const struct engine *e, const struct talk *t);
/* Nobody waits for them any more: their events, should they come, change nothing. act_drop_work
 * leaves those that the engine itself asked to append. */
void act_drop_all(struct engine *e);
void act_drop_work(struct engine *e);
void act_ended(struct act *a); /* lets go of what only an open call needs */
void act_yield(struct engine *e, struct act *a, struct action *out);

/* --- talk.c, question.c, source.c: texts
 * ------------------------------------------------------------------
 */

/* The system text, the tools and the first user message's blocks, once strategy and findings are
 * known. */
void talk_begin(struct engine *e);
struct str question_text(struct engine *e, struct arena *a);
void talk_init(struct engine *e, struct talk *t, const struct view *view);
/* A text block; a tool_result block: into the pending user message. */
void talk_text(struct talk *t, struct str text);
void talk_result(struct talk *t, const char *use_id, struct str text, bool is_error);
/* The model's turn, its bytes kept. */
void talk_assistant(struct engine *e, struct talk *t, struct str content);
/* The pending blocks become a user message; nothing when there are none. */
void talk_flush(struct engine *e, struct talk *t);
struct str talk_tools(struct engine *e, struct talk *t);
/* The text of a prompt in the run's version, else the one compiled in. */
const char *talk_prompt(const struct engine *e, const char *name);

/* `<source ...>text</source ...>` with the next evidence id, which is returned. */
struct source {
    const char *kind, *ref, *title, *nonce;
    bool no_id;
};
void source_fence(struct engine *e, struct buf *b, const struct source *s, struct str text);

/* --- evidence.c ---------------------------------------------------------------------------------
 */

/* The number of a new id: E1, E2, ... ref is copied, kind is static. */
int evidence_add(struct engine *e, const char *kind, const char *ref);
/* Entries of evidence[] for ids that the answer cites and does not explain. */
void evidence_complete(struct engine *e, cJSON *answer);

/* --- call.c: calls of tools ------------------------------------------------------------------- */

/* Starts the call, or refuses it (a RECORD): unknown tool, no object, repeated too often. */
void call_start(struct engine *e, struct call *c);
void call_refuse(struct engine *e, struct call *c, const char *code, const char *message);
/* It will not be run: the analyst, which asks again until it hears of a call, is told. */
void call_never(struct engine *e, struct call *c, const char *code, const char *message);
/* What an observe event says about it; raw is the payload's text. */
void call_observe(struct engine *e, struct call *c, const cJSON *payload, struct str raw,
                  int64_t seq);

/* --- notes.c ------------------------------------------------------------------------------------
 */

void note_add(struct engine *e, const struct note *n); /* texts and names are the run's */
/* For the analyst: [{stage, output} | {tool, id, input, output | error, seq}]; for the validator:
 * [{seq, tool, id, output}]. The trees are the arena's. */
cJSON *notes_turns(const struct engine *e, struct arena *a);
cJSON *notes_results(const struct engine *e, struct arena *a);

/* --- turn.c: the model's answers
 * ------------------------------------------------------------------ */

void turn_model(struct engine *e, struct act *a, const cJSON *payload, struct str raw);
/* Before the payload goes: copies what the turn still refers to. */
void turn_keep(struct engine *e, struct talk *t);
/* Goes on when all calls of the turn have ended. */
void turn_pump(struct engine *e, struct talk *t);
/* Writes the answers of the turn's calls into the pending message; those without one get `why`. */
void turn_close(struct engine *e, struct talk *t, const char *why);
/* RECORD repair, or the end when there were enough. Takes faults (the arena's). */
void turn_repair(struct engine *e, struct talk *t, cJSON *faults);
void turn_repaired(struct engine *e, struct talk *t, const cJSON *payload);
void fault_add(cJSON *faults, const char *field, const char *reason, const char *message);

/* --- strategies: strategy.c, react.c, plan.c
 * -------------------------------------------------------- */

extern const struct strategy strategy_react, strategy_plan, strategy_council;
const struct strategy *strategy_find(const char *mode); /* NULL when there is none */
/* By the request and the material; *why is one sentence. */
const struct strategy *strategy_choose(const struct engine *e, const char **why);

/* graph.c: reads the steps of a plan into out (room for STEPS_MAX), behind those of earlier plans
 * that went well. Returns their number; `faults` gets what is wrong with it. */
int graph_read(struct engine *e, const cJSON *steps, struct step *out, cJSON *faults);
/* The input with each {"$step","pointer"} replaced by that step's output; NULL and *missing
 * otherwise. */
const cJSON *graph_resolve(struct engine *e, const cJSON *input, const char **missing);

void plan_accept(struct engine *e, const cJSON *payload);
void plan_pump(struct engine *e); /* after a step ended */
/* The outcome of the steps becomes the answer to submit_plan; `more` is said behind it. */
void plan_close(struct engine *e, const char *more);

/* council.c: a view submitted, or came to nothing; what a view's tool gave. */
void council_pump(struct engine *e);
void council_submitted(struct engine *e, struct talk *t, const struct call *c);
void council_fail(struct engine *e, struct talk *t, const char *why);
void council_note(struct talk *t, struct str answer);
void council_closing(struct engine *e);
bool view_has_tool(const struct view *v, const char *name);

/* --- budget.c, repeat.c
 * ------------------------------------------------------------------------------ */

/* The next model call, after the budgets have been asked: a MODEL, a RECORD budget, or the end. */
void budget_call_model(struct engine *e, struct talk *t, const char *force);
/* An open model call ended. */
void budget_release(struct engine *e, struct act *a); /* only its reservation */
void budget_settle(struct engine *e, struct act *a, const cJSON *payload);
/* The event. By the shell: it has cancelled what was in flight. */
void budget_out(struct engine *e, const cJSON *payload, bool by_shell);
bool budget_affords_repair(struct engine *e, struct talk *t);
bool budget_affords_call(struct engine *e, struct talk *t);
/* Counts the call; true when it has been made often enough. */
bool repeat_refuses(struct engine *e, const struct call *c);
/* So many refusals that the run goes in circles. */
bool repeat_runaway(const struct engine *e);
#define REPEATS_MAX 3

/* --- finish.c
 * ------------------------------------------------------------------------------------------ */

void finish_completed(struct engine *e, cJSON *answer);
void finish_failed(struct engine *e, const char *code, const char *message, cJSON *details);
void finish_cancelled(struct engine *e, const cJSON *payload);
const char *finish_mode(const struct engine *e);

/* --- fold.c
 * -------------------------------------------------------------------------------------------- */

/* The sources are known, or will not be: the strategy is chosen. */
void fold_material(struct engine *e, const cJSON *material);
int fold_event(struct engine *e, const struct engine_event *ev, struct err *err) MUST_CHECK;
