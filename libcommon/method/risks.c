/* risks.c: the risk register without a model: what the detectors found, what is missing, what the
 * sources call a risk. Without figures a risk is 3 by 3 and marked assumed. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analysis.h"
#include <math.h>

static struct risk *add_risk(struct analysis *an, const char *name, const char *reason, int p,
                             int i)
{
    const char *short_name = text_cut(an->a, name, 98);

    if (an->risks_count >= RISKS_MAX)
        return NULL;
    for (int k = 0; k < an->risks_count; k++)
        if (strcmp(an->risks[k].name, short_name) == 0)
            return NULL;
    struct risk *r = &an->risks[an->risks_count++];
    *r = (struct risk){.name = short_name,
                       .reason = reason,
                       .probability = p,
                       .impact = i,
                       .chance = NAN,
                       .loss = NAN,
                       .evidence_fact = -1,
                       .source = -1,
                       .segment = -1,
                       .assumed = true};
    return r;
}

static const struct risk_row {
    const char *code;
    int probability, impact;
    const char *en, *zh, *fix_en, *fix_zh;
} rows[] = {
    {"over_limit", 5, 4, "Over the limit: ", "超出限额：",
     "Raise the limit by a decision of its own, or take a smaller step.",
     "另行批准提高限额，或选择规模较小的步骤。"},
    {"conflict", 3, 3, "Conflicting figures: ", "数据矛盾：",
     "Settle the figure with its owner before signing.", "签约前与数据责任人核实。"},
    {"no_base_rate", 3, 3, "No base rate: ", "缺少基础比率：",
     "Ask for the count of like cases and how they ended.", "索取同类案例的数量与结果。"},
    {"small_sample", 3, 3, "Small sample: ", "样本偏小：",
     "Enlarge the sample before relying on it.", "扩大样本后再作依据。"},
};

static const char *of_finding(const struct study *s, const struct finding *f)
{
    if (f->fact >= 0)
        return tr(s, measures[s->facts[f->fact].measure].en,
                  measures[s->facts[f->fact].measure].zh);
    if (f->option >= 0)
        return s->options[f->option].name;
    return f->source >= 0 ? s->sources[f->source].title : "";
}

static void from_findings(struct analysis *an)
{
    const struct study *s = an->s;

    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        for (int i = 0; i < s->findings_count; i++) {
            const struct finding *f = &s->findings[i];
            if (strcmp(f->code, rows[r].code) != 0)
                continue;
            const char *about = f->option >= 0 ? s->options[f->option].name : of_finding(s, f);
            struct risk *k = add_risk(an, say(s, "%s%s", tr(s, rows[r].en, rows[r].zh), about),
                                      f->message, rows[r].probability, rows[r].impact);
            if (k == NULL)
                continue;
            k->mitigation = tr(s, rows[r].fix_en, rows[r].fix_zh);
            k->evidence_fact = f->fact;
            k->source = f->source;
            k->segment = f->segment;
            k->options = f->option >= 0 ? 1u << f->option : 0;
        }
    }
}

static void from_missing(struct analysis *an)
{
    const struct study *s = an->s;

    for (int i = 0; i < s->missing_count; i++) {
        if (!s->missing[i].could_change)
            continue;
        struct risk *k =
            add_risk(an, say(s, tr(s, "Not known: %s", "未知：%s"), s->missing[i].what),
                     s->missing[i].why, 3, 3);
        if (k != NULL)
            k->mitigation = tr(s, "Get this before the step that cannot be undone.",
                               "在不可撤回的步骤之前取得该信息。");
    }
}

/* "a 20 % probability", "5 of 12", "a loss of EUR 1.5M": what the sentence itself gives. */
static void read_figures(const struct study *s, struct risk *r, int source, int segment,
                         struct str t)
{
    double hits, of;

    if (count_in(t, &hits, &of) && of > 0)
        r->chance = hits / of;
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if (k->origin != source || k->segment != segment || isnan(k->f.value))
            continue;
        if (k->f.unit == FIGURE_RATIO && k->f.value >= 0 && k->f.value <= 1 &&
            measure_named(M_PROBABILITY, t) && (k->measure == M_PROBABILITY || isnan(r->chance)))
            r->chance = k->f.value;
        if (k->f.unit == FIGURE_CURRENCY && k->f.value > 0 && lex_has(LEX_LOSS, t) &&
            (k->f.currency[0] == '\0' || strcmp(k->f.currency, s->currency) == 0))
            r->loss = k->f.value;
    }
    r->assumed = isnan(r->chance) || isnan(r->loss);
}

static void from_sentences(struct analysis *an)
{
    const struct study *s = an->s;
    int taken = 0;

    for (int i = 0; i < s->sources_count; i++) {
        for (size_t g = 0; g < s->sources[i].segs.count && taken < 6; g++) {
            const struct segment *seg = &s->sources[i].segs.at[g];
            struct str t = {s->sources[i].n.text.p + seg->start, seg->end - seg->start};
            bool concentrated = lex_has(LEX_CONCENTRATED, t);

            if (seg->kind != SEGMENT_SENTENCE || lex_instructs(t) || lex_has(LEX_UNREVIEWED, t) ||
                (!lex_has(LEX_RISK, t) && !concentrated))
                continue;
            const char *text = text_cut(an->a, arena_strndup(an->a, t.p, t.n), 300);
            struct risk *k = add_risk(an, text, text, 3, 3);
            if (k == NULL)
                continue;
            k->source = i;
            k->segment = (int)g;
            k->options = options_named(s, t, NULL);
            read_figures(s, k, i, (int)g, t);
            taken++;
        }
    }
}

void risks_collect(struct analysis *an)
{
    from_findings(an);
    from_sentences(an);
    from_missing(an);
    if (an->risks_count == 0)
        (void)add_risk(an, tr(an->s, "Unknown risks", "未知风险"),
                       tr(an->s, "No source speaks of risks; that is not their absence.",
                          "资料未提及风险，但不代表没有风险。"),
                       3, 3);
}
