/* record_options.c: recommendations, alternatives, sensitivity and commitment. */
#include "libcommon/base/compat.h"
#include "libcommon/method/record.h"
#include <math.h>

#define TEXT 500
#define SHORT 300

static void compare_cells(struct record *r, int mine, int other, cJSON *pros, cJSON *cons)
{
    const struct analysis *an = r->an;

    for (int c = 0; c < an->criteria_count; c++) {
        const struct cell *x = &an->cells[mine][c], *y = &an->cells[other][c];
        if (an->criteria[c].dropped || fabs(x->score - y->score) < 1)
            continue;
        const char *text = say(r->s,
                               tr(r->s, "%1$s: %2$.0f points against %3$.0f for %4$s %5$s",
                                  "%1$s：%2$.0f分，%4$s为%3$.0f分 %5$s"),
                               an->criteria[c].name, x->score, y->score, r->s->options[other].name,
                               cite_answer(r, an->matrix_answer, NAN, NULL));
        push_text(r, x->score > y->score ? pros : cons, text, TEXT);
    }
}

static void value_pro(struct record *r, int i, cJSON *pros, cJSON *cons)
{
    const struct valued *v = &r->an->value[i];

    if (isnan(v->npv) || r->s->options[i].cash.baseline)
        return;
    const char *text = say(r->s, tr(r->s, "present value %s %s", "净现值%s %s"), money(r, v->npv),
                           cite_answer(r, v->fm, v->npv, r->s->currency));
    push_text(r, v->npv >= 0 ? pros : cons, text, TEXT);
    if (!isnan(v->low_npv) && v->low_npv < 0 && v->npv >= 0)
        push_text(r, cons,
                  say(r->s,
                      tr(r->s, "falls to %s in the worse scenario %s", "在较差情景下降至%s %s"),
                      money(r, v->low_npv), cite_answer(r, v->fm, v->npv, r->s->currency)),
                  TEXT);
}

static void steps_for(struct record *r, int i, cJSON *steps)
{
    const struct study *s = r->s;

    for (int k = 0; k < s->missing_count && cJSON_GetArraySize(steps) < 3; k++)
        if (s->missing[k].could_change)
            push_text(r, steps, say(s, tr(s, "Get: %s", "取得：%s"), s->missing[k].what), TEXT);
    for (int k = 0; k < s->findings_count && cJSON_GetArraySize(steps) < 4; k++)
        if (strcmp(s->findings[k].code, "conflict") == 0)
            push_text(r, steps,
                      say(s, tr(s, "Settle the figure for %s with its owner", "与数据责任人核实%s"),
                          tr(s, measures[s->facts[s->findings[k].fact].measure].en,
                             measures[s->facts[s->findings[k].fact].measure].zh)),
                      TEXT);
    push_text(r, steps,
              say(s, tr(s, "Name an owner and a date for: %s", "确定负责人与日期：%s"),
                  s->options[i].name),
              TEXT);
    push_text(
        r, steps,
        tr(s, "Review the choice when a trigger of the record is met", "触发条件出现时复核该决定"),
        TEXT);
}

static const char *describe(struct record *r, int i)
{
    const struct study *s = r->s;
    const struct analysis *an = r->an;
    const char *cite = cite_answer(r, an->matrix_answer, NAN, NULL);

    if (isnan(an->score[i]))
        return no_data(r, s->options[i].name);
    if (s->options[i].infeasible)
        return say(s,
                   tr(s, "Over a limit as it stands; scores %.2f in the comparison %s.",
                      "现状超出限额；综合得分%.2f %s。"),
                   an->score[i], cite);
    return say(s,
               tr(s, "Scores %.2f of 1 in the comparison; first under %.0f%% of weightings %s.",
                  "综合得分%.2f（满分1）；在%.0f%%的权重组合下居首 %s。"),
               an->score[i], isnan(an->acceptability[i]) ? 0 : 100 * an->acceptability[i], cite);
}

static cJSON *recommendation(struct record *r, int i, int other)
{
    cJSON *o = cJSON_CreateObject();
    int score = r->an->value[i].overall_score;

    json_add_str(o, "title", text_cut(r->an->a, r->s->options[i].name, 200));
    json_add_str(o, "description", describe(r, i));
    json_add_str(o, "risk_level", score > 0 ? level_of_score(score) : "medium");
    cJSON *pros = json_add_arr(o, "pros"), *cons = json_add_arr(o, "cons"),
          *steps = json_add_arr(o, "action_steps");
    value_pro(r, i, pros, cons);
    if (other >= 0)
        compare_cells(r, i, other, pros, cons);
    if (pros->child == NULL)
        push_text(r, pros, no_data(r, tr(r->s, "advantages", "优势")), TEXT);
    if (cons->child == NULL)
        push_text(r, cons, no_data(r, tr(r->s, "drawbacks", "缺点")), TEXT);
    steps_for(r, i, steps);
    return o;
}

void record_recommendations(struct record *r)
{
    cJSON *list = json_add_arr(r->out, "recommendations");
    int other = r->an->runner_up;

    cJSON_AddItemToArray(list, recommendation(r, r->an->choice, other));
    if (other < 0)
        for (int i = 0; i < r->s->options_count && other < 0; i++)
            other = i != r->an->choice ? i : -1;
    if (other >= 0)
        cJSON_AddItemToArray(list, recommendation(r, other, r->an->choice));
}

static const char *kind_of(const struct option *o)
{
    switch (o->kind) {
    case OPTION_DO_NOTHING:
        return "do_nothing";
    case OPTION_DELAY:
        return "delay";
    case OPTION_STAGED:
        return "staged";
    case OPTION_HYBRID:
        return "hybrid";
    case OPTION_GIVEN:
        break;
    }
    return "given";
}

static const char *limit_message(const struct study *s, int i)
{
    for (int k = 0; k < s->findings_count; k++)
        if (strcmp(s->findings[k].code, "over_limit") == 0 && s->findings[k].option == i)
            return s->findings[k].message;
    return NULL;
}

void record_alternatives(struct record *r, cJSON *decision)
{
    const struct study *s = r->s;
    cJSON *list = json_add_arr(decision, "alternatives");

    for (int i = 0; i < s->options_count; i++) {
        const struct option *o = &s->options[i];
        int by = r->an->dominated_by[i] >= 0 ? r->an->dominated_by[i] : r->an->dominated_in_all[i];
        cJSON *a = cJSON_CreateObject();
        json_add_str(a, "name", text_cut(r->an->a, o->name, 200));
        json_add_str(a, "kind", kind_of(o));
        json_add_bool(a, "feasible", !o->infeasible);
        const char *why = o->infeasible ? limit_message(s, i)
                          : !o->given   ? tr(s, "not an option given; analysed for comparison",
                                             "非给定方案，仅供比较")
                                        : NULL;
        json_add_str(a, "why_not", why);
        json_add_str(a, "dominated_by", by >= 0 ? s->options[by].name : NULL);
        json_add_num(a, "score", isnan(r->an->score[i]) ? r->an->score_of_all[i] : r->an->score[i]);
        json_add_num(a, "expected_value", r->an->value[i].npv);
        cJSON_AddItemToArray(list, a);
    }
}

static void add_sensitivity(struct record *r, cJSON *list, const struct flip *f)
{
    cJSON *o = cJSON_CreateObject();
    const char *cite = cite_answer(r, f->answer, NAN, NULL);
    size_t n = strlen(cite);

    json_add_str(o, "driver", text_cut(r->an->a, f->driver, 200));
    json_add_str(o, "kind", f->kind);
    json_add_num(o, "current", f->current);
    json_add_num(o, "flip_at", f->at);
    json_add_num(o, "relative_change", f->current != 0 ? f->at / f->current - 1 : NAN);
    json_add_str(o, "new_choice", f->new_choice);
    json_add_str(o, "ref", n > 2 ? arena_strndup(r->an->a, cite + 1, n - 2) : NULL);
    cJSON_AddItemToArray(list, o);
}

/* The option that is worth nothing by definition, if the asker gave one: what a loss is against. */
static const char *baseline_name(const struct study *s)
{
    for (int i = 0; i < s->options_count; i++)
        if (s->options[i].cash.baseline && s->options[i].given)
            return s->options[i].name;
    return NULL;
}

void record_sensitivity(struct record *r)
{
    cJSON *list = json_add_arr(r->out, "sensitivity");
    const struct valued *v = &r->an->value[r->an->choice];

    for (int i = 0; i < r->an->flips_count; i++)
        add_sensitivity(r, list, &r->an->flips[i]);
    if (!isnan(v->margin) && v->margin < 0.995 && !r->s->options[r->an->choice].cash.per_unit) {
        struct flip zero = {
            say(r->s, tr(r->s, "%s (value of zero)", "%s（净现值归零）"), v->driver),
            "assumption",
            baseline_name(r->s),
            v->driver_now,
            v->driver_flip,
            v->fm};
        add_sensitivity(r, list, &zero);
    }
}

static const char *flip_amount(const struct record *r, const struct flip *f, double v)
{
    if (strcmp(f->kind, "weight") == 0)
        return study_amount(r->s, v, FIGURE_RATIO, NULL);
    return f->current == 1 || f->current == 0 ? study_amount(r->s, v, FIGURE_NUMBER, NULL)
                                              : money(r, v);
}

static void stop_rules(struct record *r, cJSON *rules)
{
    const struct study *s = r->s;
    const struct valued *v = &r->an->value[r->an->choice];
    int n = answer_of(r->an, "break_even_loss");

    if (!isnan(v->margin) && v->margin < 0.995 && !s->options[r->an->choice].cash.per_unit)
        push_text(
            r, rules,
            cited(r,
                  say(s, tr(s, "Stop if %s reaches %s.", "若%s达到%s，则停止。"), v->driver,
                      v->driver_now == 1 ? study_amount(s, v->driver_flip, FIGURE_NUMBER, NULL)
                                         : money(r, v->driver_flip)),
                  cite_answer(r, v->fm, v->npv, s->currency), SHORT),
            SHORT);
    if (n >= 0)
        push_text(r, rules,
                  cited(r,
                        say(s,
                            tr(s,
                               "Stop the change of price if more than %s of the customers it "
                               "touches leave.",
                               "若受调价影响的客户流失超过%s，则停止调价。"),
                            study_amount(s, json_num(r->an->answers[n].output, "value", NAN),
                                         FIGURE_RATIO, NULL)),
                        cite_answer(r, n, NAN, NULL), SHORT),
                  SHORT);
    for (int i = 0; rules->child == NULL && i < r->an->flips_count; i++) {
        const struct flip *f = &r->an->flips[i];
        if (strcmp(f->kind, "assumption") == 0)
            push_text(r, rules,
                      cited(r,
                            say(s, tr(s, "Stop if %s reaches %s.", "若%s达到%s，则停止。"),
                                f->driver, flip_amount(r, f, f->at)),
                            cite_answer(r, f->answer, NAN, NULL), SHORT),
                      SHORT);
    }
    if (rules->child == NULL)
        push_text(r, rules, no_data(r, tr(s, "a stop rule with a number", "含数值的停止规则")),
                  SHORT);
}

static const char *flip_text(struct record *r, const struct flip *f, bool reopen)
{
    const struct study *s = r->s;
    const char *text =
        reopen ? say(s, tr(s, "Reopen if %s moves from %s to %s.", "若%s由%s变为%s，重新审议。"),
                     f->driver, flip_amount(r, f, f->current), flip_amount(r, f, f->at))
               : say(s,
                     tr(s, "The choice changes to %4$s if %1$s moves from %2$s to %3$s.",
                        "若%1$s由%2$s变为%3$s，结论将变为%4$s。"),
                     f->driver, flip_amount(r, f, f->current), flip_amount(r, f, f->at),
                     f->new_choice);

    return cited(r, text, cite_answer(r, f->answer, NAN, NULL), SHORT);
}

const char *record_flip_text(struct record *r, const struct flip *f)
{
    return flip_text(r, f, false);
}

const char *record_parity_text(struct record *r, const struct flip *f)
{
    const struct study *s = r->s;
    const char *text = say(
        s,
        tr(s, "%1$s is worth more than the choice; that lead ends if %2$s moves from %3$s to %4$s.",
           "%1$s的价值高于所选方案；若%2$s由%3$s变为%4$s，该优势消失。"),
        f->new_choice, f->driver, flip_amount(r, f, f->current), flip_amount(r, f, f->at));

    return cited(r, text, cite_answer(r, f->answer, NAN, NULL), SHORT);
}

static const char *asked_date(const struct study *s)
{
    static const char *const keys[] = {"deadline", "answer_due", "due",  "decide_by",
                                       "due_date", "截止日期",   "期限", "答复期限"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (json_str(s->context, keys[i], NULL) != NULL)
            return json_str(s->context, keys[i], NULL);
    return NULL;
}

const char *record_deadline(const struct record *r)
{
    return asked_date(r->s);
}

void record_commitment(struct record *r, cJSON *decision)
{
    const struct study *s = r->s;
    cJSON *c = json_add_obj(decision, "commitment");
    const char *first = NULL;

    for (int i = 0; i < s->missing_count && first == NULL; i++)
        if (s->missing[i].could_change)
            first = say(s, tr(s, "Get: %s", "取得：%s"), s->missing[i].what);
    if (first == NULL)
        first = say(s, tr(s, "Name the owner of: %s", "确定负责人：%s"),
                    s->options[r->an->choice].name);
    json_add_str(c, "first_step", text_cut(r->an->a, first, SHORT));
    json_add_str(c, "owner",
                 json_str(s->context, "decision_owner", json_str(s->context, "owner", NULL)));
    json_add_str(c, "by", asked_date(s));
    json_add_null(c, "review_date");
    stop_rules(r, json_add_arr(c, "stop_rules"));
    cJSON *triggers = json_add_arr(c, "triggers");
    for (int i = 0; i < r->an->flips_count && i < 2; i++)
        push_text(r, triggers, flip_text(r, &r->an->flips[i], true), SHORT);
    if (triggers->child == NULL)
        push_text(r, triggers, no_data(r, tr(s, "a trigger with a number", "含数值的触发条件")),
                  SHORT);
}
