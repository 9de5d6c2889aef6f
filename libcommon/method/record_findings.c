/* record_findings.c: the key findings, most telling first: values, what changes them, conflicts and
 * what else the detectors saw, one quote of each document, what is missing. */
#include "libcommon/base/compat.h"
#include "libcommon/method/record.h"
#include <math.h>
#include "libcommon/method/units.h"

#define FINDING_CHARS 600
#define FINDINGS_MAX 36

static bool room(const cJSON *list)
{
    return cJSON_GetArraySize(list) < FINDINGS_MAX;
}

static void value_finding(struct record *r, cJSON *list, int i)
{
    const struct study *s = r->s;
    const struct option *o = &s->options[i];
    const struct valued *v = &r->an->value[i];
    const char *rate = study_amount(s, s->rate, FIGURE_RATIO, NULL);
    const char *text;

    if (isnan(v->npv))
        return;
    if (v->by_states)
        text = say(s,
                   tr(s, "%s has an expected value of %s over %d states, from %s to %s.",
                      "“%1$s”在%3$d种情景下的期望值为%2$s，范围%4$s至%5$s。"),
                   o->name, money(r, v->npv), s->states.count, money(r, v->low_npv),
                   money(r, v->high_npv));
    else if (o->cash.baseline)
        text = say(s,
                   tr(s, "%s is taken as a net present value of 0: no cash flow of it was given.",
                      "“%s”未给出现金流，按净现值0计。"),
                   o->name);
    else if (o->cash.per_unit)
        text = say(s,
                   tr(s, "At %s, %s costs %s over %d years (present value).",
                      "折现率%s下，%s的成本现值为%s（%d年）。"),
                   rate, o->name, money(r, -v->npv), o->cash.years);
    else
        text = say(
            s, tr(s, "At %s, %s has a net present value of %s.", "折现率%s下，%s的净现值为%s。"),
            rate, o->name, money(r, v->npv));
    push_text(r, list, cited(r, text, cite_answer(r, v->fm, v->npv, s->currency), FINDING_CHARS),
              FINDING_CHARS);
}

static void unit_finding(struct record *r, cJSON *list, int i)
{
    const struct study *s = r->s;
    int n = answer_of(r->an, arena_printf(r->an->a, "unit_%d", i + 1));
    double v = n < 0 ? NAN : json_num(r->an->answers[n].output, "value", NAN);

    if (isnan(v))
        return;
    push_text(r, list,
              cited(r,
                    say(s,
                        tr(s, "Per unit, %s costs %s, one-time costs spread over the units.",
                           "“%s”的单位成本为%s（含一次性支出分摊）。"),
                        s->options[i].name, money(r, v)),
                    cite_answer(r, n, v, s->currency), FINDING_CHARS),
              FINDING_CHARS);
}

static double answer_value(const struct record *r, int n)
{
    return n < 0 ? NAN : json_num(r->an->answers[n].output, "value", NAN);
}

static void price_findings(struct record *r, cJSON *list)
{
    static const char *const worth[] = {"gain_at_claimed_loss", "gain_at_twice_the_loss"};
    const struct study *s = r->s;
    struct price_case p;
    int n = answer_of(r->an, "break_even_loss");
    double v = answer_value(r, n);

    if (isnan(v) || !price_case_of(s, &p))
        return;
    push_text(r, list,
              cited(r,
                    say(s,
                        tr(s,
                           "At a unit cost of %s %s, the change of price stops paying when %s of "
                           "customers leave.",
                           "按单位成本%s %s，流失%s的客户时调价不再划算。"),
                        money(r, p.unit_cost), cite_fact(r, p.cost_fact),
                        study_amount(s, v, FIGURE_RATIO, NULL)),
                    cite_answer(r, n, v, "ratio"), FINDING_CHARS),
              FINDING_CHARS);
    n = answer_of(r->an, "contribution_now");
    v = answer_value(r, n);
    if (!isnan(v))
        push_text(
            r, list,
            cited(r,
                  say(s,
                      tr(s, "Contribution at today's price is %s a year.", "按现价每年贡献为%s。"),
                      money(r, v)),
                  cite_answer(r, n, v, s->currency), FINDING_CHARS),
            FINDING_CHARS);
    for (size_t i = 0; i < ARRAY_LEN(worth); i++) {
        n = answer_of(r->an, worth[i]);
        v = answer_value(r, n);
        const char *loss = study_amount(s, p.loss * (double)(i + 1), FIGURE_RATIO, NULL),
                   *sum = money(r, v);
        if (isnan(v))
            continue;
        const char *text = i == 0
                               ? say(s,
                                     tr(s,
                                        "If %s of customers leave, the change of price adds %s of "
                                        "contribution a year.",
                                        "若流失%s的客户，调价每年带来%s的贡献变化。"),
                                     loss, sum)
                               : say(s,
                                     tr(s, "If twice as many leave (%s), the change is %s a year.",
                                        "若流失翻倍（%s），变化为每年%s。"),
                                     loss, sum);
        push_text(r, list, cited(r, text, cite_answer(r, n, v, s->currency), FINDING_CHARS),
                  FINDING_CHARS);
    }
}

/* What is set free is an opportunity cost of keeping. */
static void freed_finding(struct record *r, cJSON *list)
{
    const struct study *s = r->s;
    int n = answer_of(r->an, "freed_per_unit");

    if (n < 0)
        return;
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if (!k->freed || k->origin >= 0)
            continue;
        double v = json_num(r->an->answers[n].output, "value", NAN);
        push_text(r, list,
                  cited(r,
                        say(s,
                            tr(s,
                               "What could be earned with what is freed (%s: %s) is an opportunity "
                               "cost of keeping: %s a unit.",
                               "腾出资源的收益（%s：%s）是维持现状的机会成本，合每单位%s。"),
                            k->label, fact_value_text(s, k), money(r, v)),
                        arena_printf(r->an->a, "%s%s", cite_fact(r, i),
                                     cite_answer(r, n, v, s->currency)),
                        FINDING_CHARS),
                  FINDING_CHARS);
        return;
    }
}

static void scenario_findings(struct record *r, cJSON *list, int i)
{
    const struct study *s = r->s;
    const struct valued *v = &r->an->value[i];
    const cJSON *sc;

    if (v->fm < 0 || !s->options[i].given || s->options[i].cash.per_unit)
        return;
    cJSON_ArrayForEach (sc, json_get(r->an->answers[v->fm].output, "scenarios")) {
        if (!room(list))
            return;
        push_text(r, list,
                  cited(r,
                        say(s, tr(s, "With %s, %s is worth %s.", "若%s，%s的净现值为%s。"),
                            json_str(sc, "name", ""), s->options[i].name,
                            money(r, json_num(sc, "npv", NAN))),
                        cite_answer(r, v->fm, v->npv, s->currency), FINDING_CHARS),
                  FINDING_CHARS);
    }
}

static void break_even_finding(struct record *r, cJSON *list, int i)
{
    const struct study *s = r->s;
    const struct valued *v = &r->an->value[i];

    if (isnan(v->margin) || v->margin >= 0.995 || s->options[i].cash.per_unit)
        return;
    push_text(
        r, list,
        cited(r,
              say(s,
                  tr(s, "The value of %s is zero when %s moves from %s to %s (%+.1f%%).",
                     "当%2$s由%3$s变为%4$s（%5$+.1f%%）时，%1$s的净现值归零。"),
                  s->options[i].name, v->driver, v->driver_now == 1 ? "1" : money(r, v->driver_now),
                  v->driver_now == 1 ? study_amount(s, v->driver_flip, FIGURE_NUMBER, NULL)
                                     : money(r, v->driver_flip),
                  100 * (v->driver_flip / v->driver_now - 1)),
              cite_answer(r, v->fm, v->npv, s->currency), FINDING_CHARS),
        FINDING_CHARS);
}

static const char *quoted(const struct record *r, int source, int segment)
{
    struct str q = evidence_quote(r->s, source, segment, 0);

    return arena_strndup(r->an->a, q.p, q.n);
}

/* "in thousands of EUR" above a table scales all of it: said once, with the line. */
static void unit_notes(struct record *r, cJSON *list)
{
    const struct study *s = r->s;

    for (int i = 0; i < s->sources_count; i++) {
        for (int t = 0; t < s->sources[i].segs.tables_count && room(list); t++) {
            struct str note = s->sources[i].segs.tables[t].note;
            struct unit_phrase u = units_phrase(note, s->zh, true);
            if (u.scale <= 1)
                continue;
            for (size_t g = 0; g < s->sources[i].segs.count; g++) {
                const struct segment *seg = &s->sources[i].segs.at[g];
                const char *at = s->sources[i].n.text.p + seg->start;
                if (at < note.p || at >= note.p + note.n || seg->kind == SEGMENT_ROW)
                    continue;
                push_text(r, list,
                          cited(r,
                                say(s,
                                    tr(s, "The figures of %s are scaled by its heading: \"%s\"",
                                       "%s的数据按表头单位换算：“%s”"),
                                    s->sources[i].title, quoted(r, i, (int)g)),
                                cite_segment(r, i, (int)g, 0), FINDING_CHARS),
                          FINDING_CHARS);
            }
        }
    }
}

static void upside_finding(struct record *r, cJSON *list, int i)
{
    const struct study *s = r->s;
    int n = answer_of(r->an, arena_printf(r->an->a, "upside_%d", i + 1));
    const cJSON *b;

    if (n < 0)
        return;
    cJSON_ArrayForEach (b, json_get(r->an->answers[n].output, "break_even")) {
        const struct cash *c = &s->options[i].cash;
        double at = json_num(b, "value", NAN);
        for (int k = 0; k < c->count && !isnan(at); k++) {
            const struct cash_item *item = &c->items[k];
            bool price = item->sign < 0 && item->from == 0 && k == 0 &&
                         strcmp(item->variable, json_str(b, "variable", "")) == 0;
            if (price)
                push_text(
                    r, list,
                    cited(
                        r,
                        say(s,
                            tr(s,
                               "Even with all claims met, %s is worth paying at most %s for (%s).",
                               "即使主张全部实现，%s至多值%s（%s）。"),
                            s->options[i].name, money(r, at), item->label),
                        cite_answer(r, n, at, s->currency), FINDING_CHARS),
                    FINDING_CHARS);
        }
    }
}

static void range_finding(struct record *r, cJSON *list, int i)
{
    const struct study *s = r->s;
    const struct valued *v = &r->an->value[i];

    if (v->mc < 0 || isnan(v->probability_of_loss))
        return;
    double mean = json_num(r->an->answers[v->mc].output, "mean", NAN);
    push_text(
        r, list,
        cited(
            r,
            say(s,
                tr(s,
                   "Over the ranges given, %s is worth %s on average and below zero in %s of runs.",
                   "在给定区间内，%s平均价值为%s，%s的模拟结果为负。"),
                s->options[i].name, money(r, mean),
                study_amount(s, v->probability_of_loss, FIGURE_RATIO, NULL)),
            cite_answer(r, v->mc, mean, s->currency), FINDING_CHARS),
        FINDING_CHARS);
}

static const char *where_of(const struct study *s, const struct fact *k)
{
    if (k->origin >= 0)
        return s->sources[k->origin].title;
    return k->origin == FROM_QUERY ? tr(s, "the question", "问题本身")
                                   : tr(s, "the request", "请求");
}

static void conflict_finding(struct record *r, cJSON *list, const struct finding *f)
{
    const struct study *s = r->s;
    const struct fact *won = &s->facts[f->fact], *lost = &s->facts[f->other];

    push_text(
        r, list,
        text_cut(r->an->a,
                 say(s,
                     tr(s,
                        "Sources disagree on %1$s: %2$s (%3$s) %4$s and %5$s (%6$s) %7$s; %2$s was "
                        "used because %8$s.",
                        "关于%1$s的来源不一致：%2$s（%3$s）%4$s，%5$s（%6$s）%7$s；采用%2$s，因为%"
                        "8$s。"),
                     tr(s, measures[won->measure].en, measures[won->measure].zh),
                     fact_value_text(s, won), where_of(s, won), cite_fact(r, f->fact),
                     fact_value_text(s, lost), where_of(s, lost), cite_fact(r, f->other), f->why),
                 FINDING_CHARS),
        FINDING_CHARS);
}

static void other_finding(struct record *r, cJSON *list, const struct finding *f)
{
    const char *a = cite_fact(r, f->fact), *b = cite_fact(r, f->other);
    const char *c = f->fact < 0 ? cite_segment(r, f->source, f->segment, 0) : "";

    push_text(r, list,
              cited(r, f->message, arena_printf(r->an->a, "%s%s%s", a, b, c), FINDING_CHARS),
              FINDING_CHARS);
}

static void detector_findings(struct record *r, cJSON *list)
{
    for (int i = 0; i < r->s->findings_count && room(list); i++) {
        const struct finding *f = &r->s->findings[i];
        if (strcmp(f->code, "conflict") == 0)
            conflict_finding(r, list, f);
        else
            other_finding(r, list, f);
    }
}

static void dominated_findings(struct record *r, cJSON *list)
{
    const struct study *s = r->s;

    for (int i = 0; i < s->options_count; i++) {
        int by = r->an->dominated_by[i];
        if (by < 0 || !s->options[i].given)
            continue;
        push_text(r, list,
                  cited(r,
                        say(s,
                            tr(s,
                               "%s is dominated: %s is at least as good on every criterion and "
                               "better on one.",
                               "“%s”被占优：“%s”在各项标准上均不差且至少一项更好。"),
                            s->options[i].name, s->options[by].name),
                        cite_answer(r, r->an->matrix_answer, NAN, NULL), FINDING_CHARS),
                  FINDING_CHARS);
    }
}

/* A series that only ever rose: by how much at each step. */
static void drift_finding(struct record *r, cJSON *list)
{
    const struct study *s = r->s;
    double last = NAN, lo = INFINITY, hi = -INFINITY;
    int n = 0, fact = -1;

    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if (k->measure != M_COMPLETE || k->table < 0)
            continue;
        if (!isnan(last) && last > 0) {
            lo = MIN(lo, k->f.value / last - 1);
            hi = MAX(hi, k->f.value / last - 1);
            n++;
        }
        last = k->f.value;
        fact = i;
    }
    if (n < 2 || lo <= 0)
        return;
    push_text(
        r, list,
        cited(r,
              say(s,
                  tr(s, "The %s grew at each of %d reviews, by %.0f%% to %.0f%%; expect more.",
                     "%s在%d次复核中每次上升%.0f%%至%.0f%%，预计仍会上升。"),
                  tr(s, measures[M_COMPLETE].en, measures[M_COMPLETE].zh), n, 100 * lo, 100 * hi),
              cite_fact(r, fact), FINDING_CHARS),
        FINDING_CHARS);
}

/* The best sentences that nothing above cites. */
static void quote_findings(struct record *r, cJSON *list)
{
    const struct study *s = r->s;

    for (int i = 0; i < s->quotes_count && room(list); i++) {
        const struct quote *q = &s->quotes[i];
        const struct segment *g = &s->sources[q->source].segs.at[q->segment];
        bool known = false;

        for (int k = 0; k < s->cited_count; k++)
            known = known || (s->cited[k].source == q->source && s->cited[k].segment == q->segment);
        if (known || g->kind == SEGMENT_ROW)
            continue;
        push_text(r, list,
                  cited(r,
                        say(s, tr(s, "%s says: \"%s\"", "%s称：“%s”"), s->sources[q->source].title,
                            quoted(r, q->source, q->segment)),
                        cite_segment(r, q->source, q->segment, 0), FINDING_CHARS),
                  FINDING_CHARS);
    }
}

/* What a calculation took from a document, in its own words. */
static void used_findings(struct record *r, cJSON *list)
{
    const struct study *s = r->s;
    int n = 0;

    for (int i = 0; i < s->options_count; i++) {
        const struct cash *c = &s->options[i].cash;
        for (int k = -1; k < c->count && n < 8 && room(list); k++) {
            int fact = k >= 0 ? c->items[k].fact : c->series_years >= 1 ? c->series_fact : -1;
            if (fact < 0 || s->facts[fact].origin < 0 || s->facts[fact].evidence > 0)
                continue;
            const struct fact *f = &s->facts[fact];
            const char *what = k >= 0 ? c->items[k].label
                                      : tr(s, "first cash flow of the table", "表中首个现金流");
            push_text(r, list,
                      cited(r,
                            say(s, tr(s, "%s of %s is %s.", "%2$s的%1$s为%3$s。"), what,
                                s->options[i].name, fact_value_text(s, f)),
                            cite_fact(r, fact), FINDING_CHARS),
                      FINDING_CHARS);
            n++;
        }
    }
}

static void flip_findings(struct record *r, cJSON *list)
{
    for (int i = 0; i < r->an->flips_count && i < 4; i++)
        if (strcmp(r->an->flips[i].kind, "assumption") == 0)
            push_text(r, list, record_flip_text(r, &r->an->flips[i]), FINDING_CHARS);
}

/* What knowing the state beforehand would be worth, and where a series is going. */
static void tool_findings(struct record *r, cJSON *list)
{
    const struct study *s = r->s;
    int n = answer_of(r->an, "states");
    double evpi = n < 0 ? NAN : json_num(r->an->answers[n].output, "evpi", NAN);

    if (!isnan(evpi))
        push_text(r, list,
                  cited(r,
                        say(s,
                            tr(s, "Knowing beforehand which state comes is worth at most %s.",
                               "事先获知情景的价值至多为%s。"),
                            money(r, evpi)),
                        cite_answer(r, n, NAN, NULL), FINDING_CHARS),
                  FINDING_CHARS);
    for (int i = 0; i < s->series_count; i++) {
        n = answer_of(r->an, arena_printf(r->an->a, "forecast_%d", i + 1));
        const cJSON *next = n < 0 ? NULL : json_at(r->an->answers[n].output, "/forecasts/0"),
                    *span = json_at(next, "/intervals/0");
        double mean = json_num(next, "mean", NAN);
        const struct fact *k = &s->facts[s->series[i].fact];
        if (isnan(mean) || span == NULL)
            continue;
        push_text(
            r, list,
            cited(r,
                  say(s,
                      tr(s, "%s: the next value is forecast at %s (80%% of cases: %s to %s).",
                         "%s：下一期预测值为%s（80%%区间%s至%s）。"),
                      s->series[i].label == NULL ? "" : s->series[i].label,
                      study_amount(s, mean, k->f.unit, k->f.currency),
                      study_amount(s, json_num(span, "lower", NAN), k->f.unit, k->f.currency),
                      study_amount(s, json_num(span, "upper", NAN), k->f.unit, k->f.currency)),
                  cite_answer(r, n, mean, NULL), FINDING_CHARS),
            FINDING_CHARS);
    }
}

static void parity_findings(struct record *r, cJSON *list)
{
    for (int i = 0; i < r->an->parities_count && i < 2; i++)
        push_text(r, list, record_parity_text(r, &r->an->parities[i]), FINDING_CHARS);
}

static bool is_cited(const struct study *s, int document)
{
    for (int i = 0; i < s->cited_count; i++)
        if (s->sources[s->cited[i].source].document == document)
            return true;
    for (int i = 0; i < s->facts_count; i++)
        if (s->facts[i].evidence > 0 && s->facts[i].origin >= 0 &&
            s->sources[s->facts[i].origin].document == document)
            return true;
    return false;
}

/* Each document that was supplied is quoted at least once. */
static void rest_findings(struct record *r, cJSON *list)
{
    const struct study *s = r->s;

    for (int i = 0; i < s->quotes_count; i++) {
        const struct quote *q = &s->quotes[i];
        if (!s->sources[q->source].supplied || is_cited(s, s->sources[q->source].document))
            continue;
        push_text(r, list,
                  cited(r,
                        say(s, tr(s, "%s says: \"%s\"", "%s称：“%s”"), s->sources[q->source].title,
                            quoted(r, q->source, q->segment)),
                        cite_segment(r, q->source, q->segment, 0), FINDING_CHARS),
                  FINDING_CHARS);
    }
}

static void missing_findings(struct record *r, cJSON *list)
{
    const struct study *s = r->s;

    for (int i = 0; i < s->missing_count && room(list); i++)
        push_text(r, list,
                  say(s,
                      tr(s, "Not available: %s. It could %schange the choice.",
                         "缺少：%s。该信息%s改变结论。"),
                      text_cut(r->an->a, s->missing[i].what, 300),
                      s->missing[i].could_change ? tr(s, "", "可能") : tr(s, "not ", "不会")),
                  FINDING_CHARS);
}

void record_findings(struct record *r, cJSON *list)
{
    static void (*const of_option[])(struct record *, cJSON *,
                                     int) = {value_finding,      unit_finding,   range_finding,
                                             break_even_finding, upside_finding, scenario_findings};

    if (r->s->other_language)
        push_text(
            r, list,
            "The question is in a language that the rules do not read; the answer is in English.",
            FINDING_CHARS);
    for (size_t k = 0; k < 2; k++)
        for (int i = 0; i < r->s->options_count; i++)
            if (r->s->options[i].given)
                of_option[k](r, list, i);
    freed_finding(r, list);
    price_findings(r, list);
    detector_findings(r, list);
    tool_findings(r, list);
    flip_findings(r, list);
    parity_findings(r, list);
    unit_notes(r, list);
    drift_finding(r, list);
    dominated_findings(r, list);
    for (size_t k = 2; k < ARRAY_LEN(of_option); k++)
        for (int i = 0; i < r->s->options_count; i++)
            if (r->s->options[i].given && room(list))
                of_option[k](r, list, i);
    missing_findings(r, list);
    used_findings(r, list);
    quote_findings(r, list);
    rest_findings(r, list);
    if (list->child == NULL)
        push_text(r, list, no_data(r, tr(r->s, "any option", "任何方案")), FINDING_CHARS);
}
