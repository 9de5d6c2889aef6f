/* study.h: one case as the offline analyst sees it: the request, the options, the sources and
 * their figures. It is made anew from the input at each turn (that is cheap, and keeps nothing
 * between turns) and lives in the turn's arena. Shared by the stages in this room only. */
#pragma once
#include "libcommon/base/json.h"
#include "libcommon/method/figures.h"
#include "libcommon/method/lexicon.h"
#include "libcommon/method/segments.h"
#include "libcommon/method/unicode.h"

#define STUDY_OPTIONS_MAX 20
#define STUDY_SOURCES_MAX 400
#define STUDY_FACTS_MAX 4000
#define STUDY_FINDINGS_MAX 60

enum option_kind { OPTION_GIVEN, OPTION_DO_NOTHING, OPTION_DELAY, OPTION_STAGED, OPTION_HYBRID };

struct terms {
    struct str *at;
    int count;
};

#define CASH_ITEMS_MAX 16
#define CASH_YEARS_MAX 40

/* One driver of an option's cash: an amount, when it flows, and the name it has in the expression.
 */
struct cash_item {
    char variable[48];
    const char *label;
    double value;     /* positive; `sign` says the direction */
    double factor;    /* multiplies the value: a share, the units of a year */
    int sign;         /* +1 in, -1 out */
    int from, to;     /* years; 0, 0: at the start */
    bool half_later;  /* half at the start, half after one year */
    bool upside;      /* a claim that the base case leaves out: the variable is 0 there */
    double low, high; /* NAN when there is no range */
    int fact;         /* -1 */
};

struct cash {
    struct cash_item items[CASH_ITEMS_MAX];
    int count;
    double series[CASH_YEARS_MAX + 1]; /* yearly flows read from a table */
    int series_years;                  /* last year of it; -1 none */
    int series_fact;
    double series_share;
    double terminal;          /* added in the last year of the series */
    double terminal_multiple; /* of the upside too */
    int years;                /* horizon */
    bool known;               /* a net present value can be computed */
    bool baseline;            /* taken as zero, because nothing changes */
    bool per_unit;            /* costs of units: the value is what supply costs */
    double outlay;            /* paid in years 0 and 1, without what is sunk */
    double units;             /* a year; NAN */
    const char *gap;          /* why it is not known */
};

struct option {
    const char *name;
    enum option_kind kind;
    bool given;     /* by the asker, or read from the query; the others cannot be chosen */
    bool negated;   /* "Do not invest": owns no figure */
    bool buys_in;   /* buys goods or services from outside */
    double share;   /* "Buy 30%": 0.3; NAN */
    double amount;  /* a sum in its own name; NAN */
    int years;      /* "Mothball for a year": 1; 0 */
    double change;  /* "Raise 10%": 0.1, "Cut 5%": -0.05; NAN */
    int part_of[2]; /* OPTION_HYBRID: the two that it mixes, -1 unknown */
    struct cash cash;
    bool infeasible;   /* over a limit */
    struct str folded; /* the name, NFKC and lower case */
    struct terms all, own;
};

/* Who says so; the higher wins a conflict. */
enum source_rank { RANK_SELLER = 1, RANK_PLAN, RANK_THIRD, RANK_OWN, RANK_AUDITED };

struct source {
    const char *chunk_id, *document_id, *title, *sha256;
    struct str raw; /* the chunk as given */
    struct norm n;
    struct segments segs;
    enum source_rank rank;
    bool interested, supplied;
    int document;   /* index of its document among the different ones */
    int64_t offset; /* of the chunk in its document */
};

enum measure {
    M_NONE,
    M_DISCOUNT_RATE,
    M_BUDGET,
    M_MINIMUM,
    M_SPENT,
    M_TERMINAL,
    M_COMPLETE,
    M_FREE_CASH,
    M_EBITDA,
    M_PROFIT,
    M_SYNERGY,
    M_BENEFIT,
    M_REVENUE,
    M_PRICE_PAID,
    M_OUTLAY,
    M_FEE,
    M_RUNNING,
    M_UNIT_COST,
    M_UNIT_PRICE,
    M_QUANTITY,
    M_NEW_CUSTOMERS,
    M_CUSTOMERS,
    M_CHURN,
    M_GROWTH,
    M_MARKET_SHARE,
    M_MARKET,
    M_LIFE,
    M_PROBABILITY,
    M_LEAD_TIME,
    M_DEFECTS,
    M_EXCHANGE,
    M_HEADCOUNT,
    M_MINIMUM_ORDER,
    M_ELASTICITY,
    M_COST,
    M__MAX
};

enum cash_class { CASH_NONE, CASH_IN, CASH_OUTLAY, CASH_COST, CASH_TERMINAL };

struct measure_row {
    const char *id;
    enum cash_class cash;
    const char *en, *zh; /* for texts */
    const char *words[44];
};
extern const struct measure_row measures[M__MAX];

/* Where a figure stands. */
enum origin {
    FROM_QUERY = -3,
    FROM_OPTION = -2,
    FROM_CONTEXT = -1
}; /* else: index of the source */

struct fact {
    struct figure f;  /* offsets in `text` */
    struct str text;  /* what the figure was read from: the value in the context, or the document */
    struct str quote; /* sentence or row, a view of the normalised source; context: the value */
    int origin;
    int segment;       /* in its source; -1 */
    const char *path;  /* JSON Pointer into the request, or NULL */
    const char *label; /* "integration cost", "full cost": its own words */
    enum measure measure;
    uint32_t options; /* bit i: option i; 0: none or all */
    enum source_rank rank;
    int table, row, col; /* -1 */
    int line;            /* what of a table is one series: its row, or a column (from 10000 on) */
    bool attribute;      /* a column names the measure, the row the option: no series */
    bool sunk, allocated, avoidable, total, plan, stays, freed, inbound;
    bool beaten;  /* lost a conflict: not used in a calculation */
    bool derived; /* computed here from a table: never quoted as it stands */
    int evidence; /* number of its evidence entry, 0 when not used yet */
};

/* One thing that a detector found. */
struct finding {
    const char *code;
    const char *message; /* in the language of the query */
    int fact, other;     /* of a conflict: used and not used; -1 */
    int source, segment; /* -1 */
    int option;          /* -1 */
    const char *why;
};

struct missing {
    const char *what, *why;
    bool could_change;
};

struct quote {
    int source, segment;
    double score;
    int evidence;
};

#define STATES_MAX 20
#define SERIES_MAX 240
#define SERIES_KEPT 2

/* What may happen: probability and what each option is worth then (NAN: not given). */
struct states {
    int count; /* 0: none */
    const char *name[STATES_MAX];
    double p[STATES_MAX];
    double pay[STUDY_OPTIONS_MAX][STATES_MAX];
    bool has[STUDY_OPTIONS_MAX]; /* options with a value in every state */
    int source;                  /* FROM_CONTEXT or a source */
    const char *path;
};

/* A column of values by date. */
struct series {
    double value[SERIES_MAX];
    int count, frequency; /* of a year */
    int fact;             /* its last value */
    const char *label;
};

struct study {
    struct arena *a;
    const cJSON *request;
    const char *lang; /* "en" or "zh" */
    bool zh, other_language;
    bool asked_options; /* the options came from the asker */
    bool no_options;    /* nothing found: "Proceed", "Do not proceed" */
    const char *query, *type;
    const cJSON *context;
    struct option options[STUDY_OPTIONS_MAX];
    int options_count, given_count;
    struct source *sources;
    int sources_count, documents_count;
    struct fact *facts;
    int facts_count;
    struct finding findings[STUDY_FINDINGS_MAX];
    int findings_count;
    struct missing missing[40];
    int missing_count;
    bool costs_only; /* nobody speaks of income: options are compared by cost */
    struct quote quotes[16];
    int quotes_count;
    struct quote cited[80]; /* sentences cited in the record */
    int cited_count;
    struct states states;
    struct series series[SERIES_KEPT + 1];
    int series_count;
    char currency[4];
    double converted_at; /* the exchange rate used; NAN when none was */
    double rate;         /* discount rate */
    bool rate_given;
    int rate_fact;
};

/* options.c */
void options_read(struct study *s);
bool option_owns(const struct option *o, struct str text); /* has one of its own words */
uint32_t options_named(const struct study *s, struct str text, bool *complement);
struct terms terms_of(struct arena *a, struct str text, bool content_only);
bool terms_has(const struct terms *t, struct str term);
/* sources.c */
void sources_read(struct study *s, const cJSON *material);
/* facts.c */
void facts_read(struct study *s);
bool measure_named(enum measure m, struct str text); /* has one of its words */
enum measure measure_of(struct str text, size_t near, size_t *at);
/* The best fact of a measure for option o (-1: any option): higher rank, then later period. -1. */
int fact_best(const struct study *s, enum measure m, int option);
/* "EUR 1.1M", "46 %", "3.5 years", in the language of the study; 3 significant digits. */
const char *study_amount(const struct study *s, double v, enum figure_unit unit,
                         const char *currency);
const char *fact_value_text(const struct study *s, const struct fact *f);
/* evidence.c */
void evidence_select(struct study *s);
/* At most 300 characters of the chunk as given, around byte `focus` of its normalised text. */
struct str evidence_quote(const struct study *s, int source, int segment, size_t focus);
/* texts.c */
/* The one for the language of the study. */
__attribute__((format_arg(2), format_arg(3))) static inline const char *tr(const struct study *s,
                                                                           const char *en,
                                                                           const char *zh)
{
    return s->zh ? zh : en;
}
/* A printed text in the study's arena. */
const char *say(const struct study *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Cut at a word to so many characters, with … when something was cut. */
const char *text_cut(struct arena *a, const char *text, size_t chars);
/* "7 of 40", "40家中有7家" in a text: the first one; false when there is none. */
bool count_in(struct str text, double *hits, double *of);
/* findings.c */
void findings_make(struct study *s);
void study_miss(struct study *s, const char *what, const char *why, bool could_change);
bool study_found(const struct study *s, const char *code);

/* flows.c */
void cash_build(struct study *s);
/* "Raise 10%" with a price and a cost of one customer. Figures are those that won their conflict.
 */
struct price_case {
    double price, unit_cost, change;
    double customers, loss; /* NAN when not given */
    double periods;         /* of the price in a year */
    int price_fact, cost_fact, loss_fact;
};
bool price_case_of(const struct study *s, struct price_case *out);

/* states.c */
void states_read(struct study *s);

/* Everything up to the findings. ERR_INVALID when there is no query. */
int study_make(struct study *s, struct arena *a, const cJSON *request, const cJSON *material,
               struct err *err) MUST_CHECK;
