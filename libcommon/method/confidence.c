/* confidence.c: confidence by rule; each term is a line of its basis. It means: the chance that a
 * careful reviewer with the same data would choose the same. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analysis.h"
#include <math.h>

#define OFFLINE_MAX 0.74

static void line(struct analysis *an, const char *text)
{
    if (an->basis_count < BASIS_MAX)
        an->basis[an->basis_count++] = text_cut(an->a, text, 295);
}

static void less(struct analysis *an, double *c, double each, int n, double most, const char *what)
{
    double loss = MIN(each * n, most);

    if (n <= 0)
        return;
    *c -= loss;
    line(an, say(an->s, tr(an->s, "less %.2f: %s", "减%.2f：%s"), loss, what));
}

static int count_code(const struct study *s, const char *code)
{
    int n = 0;

    for (int i = 0; i < s->findings_count; i++)
        n += strcmp(s->findings[i].code, code) == 0;
    return n;
}

/* The share of the cells, by weight, that rest on a tool, a figure or evidence. */
static double grounded(const struct analysis *an)
{
    double sum = 0, all = 0;

    for (int i = 0; i < an->s->options_count; i++) {
        if (!an->s->options[i].given)
            continue;
        for (int c = 0; c < an->criteria_count; c++) {
            all += an->criteria[c].weight;
            sum += an->cells[i][c].source >= CELL_EVIDENCE ? an->criteria[c].weight : 0;
        }
    }
    return all > 0 ? sum / all : 0;
}

static bool near_flip(const struct analysis *an, double weight_within, double assumption_within)
{
    for (int i = 0; i < an->flips_count; i++) {
        const struct flip *f = &an->flips[i];
        bool weight = strcmp(f->kind, "weight") == 0;
        double gap = weight            ? fabs(f->at - f->current)
                     : f->current != 0 ? fabs(f->at / f->current - 1)
                                       : fabs(f->at);
        if (gap <= (weight ? weight_within : assumption_within))
            return true;
    }
    return false;
}

static bool one_source(const struct study *s)
{
    bool all_interested = s->sources_count > 0;

    for (int i = 0; i < s->sources_count; i++)
        all_interested = all_interested && s->sources[i].interested;
    return s->documents_count <= 1 || all_interested;
}

static bool irreversible(const struct option *o)
{
    return o->kind != OPTION_DO_NOTHING && o->kind != OPTION_DELAY && o->kind != OPTION_STAGED &&
           lex_has(LEX_IRREVERSIBLE, str_of(o->name));
}

static int could_change(const struct study *s)
{
    int n = 0;

    for (int i = 0; i < s->missing_count; i++)
        n += s->missing[i].could_change;
    return n;
}

static double acceptability_of(const struct analysis *an)
{
    double a = an->acceptability[an->choice];

    if (isnan(a))
        return 0;
    /* Where ranges were run for the choice, its chance of not losing counts too. */
    double loss = an->value[an->choice].probability_of_loss;
    return isnan(loss) ? a : MIN(a, 1 - loss);
}

/* A forecast no better than the last value. */
static int weak_tools(const struct analysis *an)
{
    int n = 0;

    for (int i = 0; i < an->answers_count; i++) {
        const cJSON *w;
        cJSON_ArrayForEach (w, json_get(an->answers[i].output, "warnings"))
            n += strcmp(json_str(w, "code", ""), "no_better_than_naive") == 0;
    }
    return n;
}

void confidence_make(struct analysis *an)
{
    const struct study *s = an->s;
    double a = acceptability_of(an), d = grounded(an), c = 0.25 + 0.35 * a + 0.30 * d;

    an->basis_count = 0;
    line(an, say(s,
                 tr(s,
                    "start %.2f: 0.25 + 0.35 x %.2f (first under that share of weightings) + 0.30 "
                    "x %.2f (share of scores with a source)",
                    "起点%.2f：0.25 + 0.35×%.2f（居首的权重比例） + 0.30×%.2f（有来源的评分比例）"),
                 c, a, d));
    less(an, &c, 0.08, count_code(s, "conflict") + count_code(s, "unit_suspect"), 0.24,
         tr(s, "open conflicts of figures", "数据矛盾"));
    less(an, &c, 0.05, could_change(s), 0.20,
         tr(s, "missing facts that could change the choice", "可能改变结论的缺失信息"));
    less(an, &c, 0.05, study_found(s, "no_base_rate"), 0.05, tr(s, "no base rate", "缺少基础比率"));
    less(an, &c, 0.10, near_flip(an, 0.10, 0.15), 0.10,
         tr(s, "the nearest flip is close", "结论翻转点很近"));
    less(an, &c, 0.05, one_source(s), 0.05,
         tr(s, "all evidence from one source, or from an interested one",
            "证据来源单一或有利益关系"));
    less(an, &c, 0.05, irreversible(&s->options[an->choice]) && near_flip(an, 0.30, 0.30), 0.05,
         tr(s, "hard to undo, and a flip within 30%", "难以撤回，且30%以内即翻转"));
    less(an, &c, 0.05, weak_tools(an), 0.15, tr(s, "weak tool results", "工具结果偏弱"));
    double max = OFFLINE_MAX;
    if (s->facts_count == 0 && s->sources_count == 0)
        max = 0.40;
    if (s->no_options)
        max = MIN(max, 0.35);
    if (c > max)
        line(an, say(s,
                     tr(s, "cut to %.2f, the most that rules alone may claim here",
                        "上限%.2f：仅凭规则不得更高"),
                     max));
    c = MIN(MAX(c, 0.05), max);
    an->confidence = floor(c * 100 + 0.5) / 100;
}
