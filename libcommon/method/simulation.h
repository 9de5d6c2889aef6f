/* simulation.h: a formula of uncertain inputs, ready to be sampled. The parts of monte_carlo that
 * read its input and draw its numbers.
 *
 * The order of draws is part of the contract: for each iteration, for each input as listed, exactly
 * one uniform number. So a sample can be drawn again from its seed. */
#pragma once
#include "libcommon/method/distribution.h"
#include "libcommon/method/prng.h"
#include "libcommon/method/tool_call.h"

#define INPUTS_MAX 50
#define NAMES_MAX 114 /* inputs and constants of the schema */

struct simulation {
    struct tool_call *c;
    size_t inputs, most;
    const char *name[NAMES_MAX];
    double value[NAMES_MAX]; /* the inputs of this iteration, then the constants */
    struct distribution dist[INPUTS_MAX];
    double *cholesky; /* inputs x inputs; NULL when nothing is correlated */
    struct expr *expr;
    uint64_t seed;
    struct prng prng;
    bool lower_is_better;
    double *y; /* the samples; y is freed at the end */
    size_t n;
    int converged; /* -1: not asked */
};

/* Reads c->in. 0, or ERR_INVALID with the fault filled; s is zeroed by the caller but for c. */
int simulation_read(struct simulation *s) MUST_CHECK;

/* Back to the first iteration. */
void simulation_rewind(struct simulation *s);

/* The inputs of the next iteration into s->value. */
void simulation_draw(struct simulation *s);

/* The formula of s->value. 0, or ERR_INVALID with the fault filled. */
int simulation_evaluate(struct simulation *s, double *y) MUST_CHECK;
