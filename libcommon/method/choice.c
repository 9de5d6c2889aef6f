/* choice.c: the choice by rule: given, feasible, not dominated; the highest score; of two that are
 * close the more reversible, then the smaller outlay; an investment with a negative value never
 * beats one without. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analysis.h"
#include <math.h>

#define CLOSE 0.02

static bool is_open(const struct analysis *an, int i)
{
    const struct option *o = &an->s->options[i];

    return o->given && !o->infeasible && an->dominated_by[i] < 0;
}

static double score_of(const struct analysis *an, int i)
{
    return isnan(an->score[i]) ? -1 : an->score[i];
}

/* The value bars an option only against others that may be chosen. */
static bool value_bars(const struct analysis *an, int i, const bool *open)
{
    if (strcmp(an->s->type, "investment") != 0 || isnan(an->value[i].npv) ||
        an->value[i].npv >= 0 || an->s->options[i].cash.per_unit)
        return false;
    for (int k = 0; k < an->s->options_count; k++)
        if (open[k] && k != i && !isnan(an->value[k].npv) && an->value[k].npv >= 0)
            return true;
    return false;
}

static int best_of(const struct analysis *an, const bool *open, int except)
{
    int best = -1;

    for (int i = 0; i < an->s->options_count; i++)
        if (open[i] && i != except && (best < 0 || score_of(an, i) > score_of(an, best) + 1e-12))
            best = i;
    return best;
}

static int reversibility(const struct option *o)
{
    switch (o->kind) {
    case OPTION_DO_NOTHING:
    case OPTION_DELAY:
        return 80;
    case OPTION_STAGED:
        return 70;
    case OPTION_GIVEN:
    case OPTION_HYBRID:
        break;
    }
    return 40;
}

/* More reversible, then the smaller outlay, then the higher score. */
static bool easier(const struct analysis *an, int a, int b)
{
    const struct option *x = &an->s->options[a], *y = &an->s->options[b];

    if (reversibility(x) != reversibility(y))
        return reversibility(x) > reversibility(y);
    bool known = (x->cash.known || x->cash.baseline) && (y->cash.known || y->cash.baseline);
    return known && x->cash.outlay < y->cash.outlay;
}

/* None is feasible: the one nearest to the limit. */
static int least_infeasible(const struct analysis *an)
{
    int best = -1;

    for (int i = 0; i < an->s->options_count; i++) {
        const struct option *o = &an->s->options[i];
        if (!o->given)
            continue;
        if (best < 0 || o->cash.outlay < an->s->options[best].cash.outlay)
            best = i;
    }
    return best;
}

static int strongest_other(const struct analysis *an, const bool *open)
{
    int other = best_of(an, open, an->choice);

    if (other >= 0)
        return other;
    for (int i = 0; i < an->s->options_count; i++)
        if (an->s->options[i].given && i != an->choice &&
            (other < 0 || score_of(an, i) > score_of(an, other)))
            other = i;
    return other;
}

/* Feasible or not: a limit can be raised, and the reader asks what it would take. */
static int nearest_value(const struct analysis *an)
{
    int best = -1;

    for (int i = 0; i < an->s->options_count; i++) {
        if (i == an->choice || !an->s->options[i].given || isnan(an->value[i].npv))
            continue;
        if (best < 0 || an->value[i].npv > an->value[best].npv)
            best = i;
    }
    return best;
}

static double all_score(const struct analysis *an, int i)
{
    return isnan(an->score_of_all[i]) ? an->score[i] : an->score_of_all[i];
}

void choice_make(struct analysis *an)
{
    bool open[ALTERNATIVES_MAX], all[ALTERNATIVES_MAX];
    int count = 0;

    for (int i = 0; i < an->s->options_count; i++)
        open[i] = all[i] = is_open(an, i);
    for (int i = 0; i < an->s->options_count; i++)
        if (all[i] && value_bars(an, i, all)) {
            open[i] = false;
            an->value_rule = true;
        }
    for (int i = 0; i < an->s->options_count; i++)
        count += open[i];
    an->none_feasible = count == 0;
    an->choice = an->none_feasible ? least_infeasible(an) : best_of(an, open, -1);
    int second = an->none_feasible ? -1 : best_of(an, open, an->choice);
    if (second >= 0) {
        bool near = score_of(an, an->choice) - score_of(an, second) <= CLOSE;
        bool unsure = an->acceptability[an->choice] < 0.5;
        /* Further apart, the second must at least come first under as many weightings. */
        bool as_often = an->acceptability[second] >= an->acceptability[an->choice];
        an->close = near || unsure;
        int first = an->choice;
        if ((near || (unsure && as_often)) && easier(an, second, first))
            an->choice = second;
        an->took_easier = an->close && easier(an, an->choice, an->choice == first ? second : first);
    }
    an->runner_up = strongest_other(an, open);
    an->rival = nearest_value(an);
    an->best_overall = an->choice;
    for (int i = 0; i < an->s->options_count; i++)
        if (!an->s->options[i].given && all_score(an, i) > all_score(an, an->best_overall) + CLOSE)
            an->best_overall = i;
}
