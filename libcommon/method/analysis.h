/* analysis.h: the later stages of the offline analyst: criteria, the calls of tools, what they
 * answered, the choice, its confidence, the record. Works on a study; shared in this room only. */
#pragma once
#include "libcommon/method/study.h"

#define CRITERIA_MAX 12
#define ALTERNATIVES_MAX STUDY_OPTIONS_MAX
#define RISKS_MAX 24
#define BASIS_MAX 16

enum criterion_id {
    C_VALUE,
    C_RISK,
    C_TIME,
    C_FEASIBILITY,
    C_FIT,
    C_PEOPLE,
    C_REVERSIBILITY,
    C__MAX
};

enum cell_source { CELL_NONE, CELL_KIND, CELL_EVIDENCE, CELL_FIGURE, CELL_TOOL };

struct criterion {
    const char *name;
    enum criterion_id id; /* C__MAX: named by the asker, none of ours */
    double weight;
    bool dropped;
};

struct cell {
    double score; /* 0 to 100 */
    enum cell_source source;
    int fact; /* -1 */
};

struct risk {
    const char *name, *reason, *mitigation;
    int probability, impact;            /* 1 to 5 */
    double chance, loss;                /* as figures; NAN when not given */
    int evidence_fact, source, segment; /* -1 */
    bool assumed;
    uint32_t options; /* for which options; 0: all that act */
};

/* What a call answered. */
struct answer {
    const cJSON *output; /* NULL when it was not run or failed */
    bool no_budget;      /* not run for want of budget */
    int64_t seq;
    const char *id, *tool;
    int evidence; /* its entry, 0 when not cited yet */
};

struct valued {
    double npv, irr, payback,
        margin;         /* NAN when not known; margin: the nearest break-even, relative */
    const char *driver; /* of the margin */
    double driver_now, driver_flip;
    double low_npv, high_npv; /* of the scenarios */
    int fm;                   /* index of its answer, -1 */
    int mc;
    bool by_states; /* npv is an expected value over states */
    double probability_of_loss;
    int overall_score; /* of its own risks; 0 unknown */
    int risk;          /* answer */
};

struct flip {
    const char *driver, *kind, *new_choice;
    double current, at;
    int answer; /* -1 */
};

struct analysis {
    struct study *s;
    struct arena *a;
    const cJSON *turns;
    int64_t seed;
    struct criterion criteria[CRITERIA_MAX];
    int criteria_count;
    bool own_criteria;
    struct cell cells[ALTERNATIVES_MAX][CRITERIA_MAX];
    struct valued value[ALTERNATIVES_MAX];
    struct risk risks[RISKS_MAX];
    int risks_count;
    struct answer answers[64];
    int answers_count;
    const cJSON *matrix;
    int matrix_answer, risk_answer, flip_answer;
    double score[ALTERNATIVES_MAX]; /* among the given */
    double score_of_all[ALTERNATIVES_MAX];
    double acceptability[ALTERNATIVES_MAX];
    int dominated_in_all[ALTERNATIVES_MAX]; /* in the comparison with those that nobody gave */
    int dominated_by[ALTERNATIVES_MAX];     /* -1 */
    bool stopped;                           /* no tool answers any more */
    int choice, runner_up;                  /* indexes of options, given ones */
    int rival;                              /* the given option whose value comes nearest; -1 */
    int best_overall;                       /* may be one that was not given */
    bool close, took_easier, none_feasible, value_rule;
    struct flip flips[16];
    int flips_count;
    struct flip parities[6]; /* where a rival that is worth more loses its lead over the choice */
    int parities_count;
    double confidence;
    const char *basis[BASIS_MAX];
    int basis_count;
};

/* criteria.c */
void criteria_weigh(struct analysis *an);
void criteria_score(struct analysis *an);
const char *cell_source_name(enum cell_source c);
/* risks.c */
void risks_collect(struct analysis *an);
/* Is option i in the comparison of all? One that nobody gave is left out of a comparison of unit
 * costs: it has none. The comparison that decides is of the given ones alone. */
bool is_compared(const struct analysis *an, int i);
bool decides(const struct analysis *an, int i); /* is it in the comparison that decides? */
/* calls.c: rounds of tool calls; each call is {"id", "name", "input"} in `calls` (an array). */
int64_t calls_seed(const struct study *s, struct arena *a);
void calls_values(struct analysis *an, cJSON *calls);
void calls_risks(struct analysis *an, cJSON *calls);
void calls_matrix(struct analysis *an, cJSON *calls);
void calls_flips(struct analysis *an, cJSON *calls);
/* answers.c: the results of the calls of a round, found among the turns. */
bool answers_read(struct analysis *an, const cJSON *calls); /* false when none has a result */
void answers_values(struct analysis *an);
void answers_risks(struct analysis *an);
void answers_matrix(struct analysis *an);
void answers_flips(struct analysis *an);
int answer_of(const struct analysis *an, const char *id); /* -1 */
/* choice.c */
void choice_make(struct analysis *an);
/* confidence.c */
void confidence_make(struct analysis *an);
/* record.c: the input of submit_decision. */
cJSON *record_make(struct analysis *an);
