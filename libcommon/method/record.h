/* record.h: what the files that write the record share: citations and small lists. This room only.
 */
#pragma once
#include "libcommon/method/analysis.h"

struct record {
    struct analysis *an;
    const struct study *s;
    cJSON *out, *evidence;
    int evidence_count;
};

/* "[E3]" for a fact, a tool's answer, a sentence of a source; makes the entry on first use. "" when
 * there is nothing to cite or no room. */
const char *cite_fact(struct record *r, int fact);
const char *cite_answer(struct record *r, int answer, double value, const char *unit);
const char *cite_segment(struct record *r, int source, int segment, size_t focus);
/* The text with the citations before its full stop, cut to `chars`. */
const char *cited(struct record *r, const char *text, const char *cites, size_t chars);
/* Adds when it fits and is not there yet. */
void push_text(struct record *r, cJSON *list, const char *text, size_t chars);
const char *no_data(struct record *r, const char *part);
const char *money(const struct record *r, double v);
const char *level_of_score(int overall); /* 1-3 low, 4-5 medium, 6-7 high, 8-10 critical */

/* record_findings.c */
void record_findings(struct record *r, cJSON *list);
/* record_options.c */
void record_recommendations(struct record *r);
void record_alternatives(struct record *r, cJSON *decision);
void record_commitment(struct record *r, cJSON *decision);
void record_sensitivity(struct record *r);
const char *record_flip_text(struct record *r, const struct flip *f);
const char *record_parity_text(struct record *r, const struct flip *f);
const char *record_deadline(const struct record *r); /* NULL when none was given */
/* record_types.c: what one decision type has beside the others. */
void record_type_parts(struct record *r);
