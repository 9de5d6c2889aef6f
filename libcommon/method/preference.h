/* preference.h: the arithmetic of a decision matrix: n alternatives (rows) on m criteria (columns),
 * at most 20 of each. docs/decision-method.md, 2.4. Pure; matrices are by rows. */
#pragma once
#include "libcommon/base/compat.h"

#define PREFERENCE_MAX 20

enum normalisation {
    NORM_MINMAX,
    NORM_MAX,
    NORM_SUM,
    NORM_VECTOR,
    NORM_RANGE,
    NORM_NONE,
};

struct preference {
    size_t n, m;
    bool topsis;
    bool cost[PREFERENCE_MAX]; /* less is better */
    double raw[PREFERENCE_MAX * PREFERENCE_MAX];
    double norm[PREFERENCE_MAX * PREFERENCE_MAX];
    double weight[PREFERENCE_MAX]; /* sums to 1 */
    double score[PREFERENCE_MAX];
    int rank[PREFERENCE_MAX]; /* 1 is best; equal scores share it */
};

/* Fills a column of norm; low and high are those of NORM_RANGE. False: every value is the same (or
 * 0, for NORM_VECTOR), so the column was set to 1 and says nothing. */
bool preference_normalise(struct preference *p, size_t column, enum normalisation how, double low,
                          double high);

/* The column of TOPSIS: divided by its length, the same for costs. False: all are 0. */
bool preference_vector(struct preference *p, size_t column);

/* Scores under other weights than p's own; ranks of scores. */
void preference_scores(const struct preference *p, const double *weight, double *score);
void preference_ranks(const double *score, size_t n, int *rank);

/* At least as good everywhere and better somewhere, on the raw values. */
bool preference_dominates(const struct preference *p, size_t a, size_t b);

/* The weight nearest to the present one at which the winner changes when criterion j moves and the
 * others keep their proportions; false when there is none. winner has rank 1. */
bool preference_flip(const struct preference *p, size_t winner, size_t j, double *at,
                     size_t *new_winner);
