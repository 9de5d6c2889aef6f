/* validate.h: is a model's answer a decision that may be written? Reading the answer out of text,
 * the field-name variants, the schema, then the rules that a schema cannot say
 * (docs/decision-method.md, 4 "submit_decision"; docs/api.md, 7.2). Pure. */
#pragma once
#include "libcommon/base/json.h"

struct validate_ctx {
    const cJSON *request; /* {query, options?, context?, decision_type?} */
    const char *lang;     /* "en" or "zh" of the query; NULL: found by lang_detect */
    const cJSON *events;  /* [{seq, tool, id?, output}] of the tool results so far; NULL is empty */
    const cJSON *material; /* chunks as in analyst.h; NULL is empty */
    bool tolerate_soft;    /* soft faults are marked in the answer and not reported again */
};

/* The answer in a model's text: the whole text as JSON, else the first fenced block, else the
 * outermost {...}. Renames variants. ERR_INVALID when none is an object. */
int decision_extract(struct str text, struct arena *a, cJSON **out, struct err *err) MUST_CHECK;

/* Writes the canonical names and values into the answer: risk_score, chosen_option, severity,
 * category, medium-high, overall_score out of range, levels that follow from numbers left out. */
void decision_rename(cJSON *answer);

/* Renames, then checks. *faults: [{field, reason, message, soft?}] (the arena's), empty when the
 * answer may be written. `soft` faults are reported once; with tolerate_soft the answer is marked
 * instead: an uncited figure becomes evidence of kind "assumption", a quote that is not found gets
 * verified: false. Verified quotes get verified: true. Changes `answer`. Returns 0; ERR_INVALID
 * when answer is no object (with one fault). */
int decision_validate(cJSON *answer, const struct validate_ctx *ctx, struct arena *a,
                      cJSON **faults) MUST_CHECK;

/* Section 3.7: lowers the model's confidence to the cap that the record allows; says the cut in
 * confidence_basis; sets confidence_level. Returns the cap. `answer` has passed decision_validate.
 */
double decision_cap_confidence(cJSON *answer, const struct validate_ctx *ctx, struct arena *a);

/* Section 1: the eight links with 0 to 5 points each: {framing, ..., commitment, chain, mean}. */
cJSON *decision_quality(const cJSON *answer, const struct validate_ctx *ctx, struct arena *a);
