/* record.c: the input of submit_decision: every part has its rule, and what has no data says so. */
#include "libcommon/base/compat.h"
#include "libcommon/method/record.h"
#include <math.h>

#define SHORT 300

static int count_used(const struct record *r)
{
    int n = 0;

    for (int i = 0; i < r->s->facts_count; i++)
        n += r->s->facts[i].evidence > 0;
    return n;
}

static int live_criteria(const struct analysis *an)
{
    int n = 0;

    for (int i = 0; i < an->criteria_count; i++)
        n += !an->criteria[i].dropped;
    return n;
}

/* Written last, when it is known what was cited; the object stands first all the same. */
static void write_summary(struct record *r, cJSON *situation)
{
    const struct study *s = r->s;
    const char *text = say(s,
                           tr(s,
                              "The question is %s %d options were compared on %d criteria; %d "
                              "figures and %d quotes were used.",
                              "待决问题：%s 共比较%d个方案、%d项标准，使用%d个数据和%d条引文。"),
                           cited(r, text_cut(r->an->a, s->query, 160), "", 170), s->options_count,
                           live_criteria(r->an), count_used(r), s->cited_count);

    cJSON_ReplaceItemInObjectCaseSensitive(situation, "summary",
                                           cJSON_CreateString(text_cut(r->an->a, text, 500)));
}

static const cJSON *tool_risk(const struct analysis *an, int i)
{
    if (an->risk_answer < 0)
        return NULL;
    return cJSON_GetArrayItem(json_get(an->answers[an->risk_answer].output, "risks"), i);
}

static const char *level_of_product(int score)
{
    return score <= 6 ? "low" : score <= 12 ? "medium" : score <= 16 ? "high" : "critical";
}

static void risk_factor(struct record *r, cJSON *list, int i)
{
    const struct risk *k = &r->an->risks[i];
    const char *cites = k->evidence_fact >= 0 ? cite_fact(r, k->evidence_fact)
                                              : cite_segment(r, k->source, k->segment, 0);
    const char *assumed =
        k->assumed ? tr(r->s, " (3 by 3 assumed without figures)", "（无数据，按3×3假设）") : "";
    cJSON *o = cJSON_CreateObject();

    if (k->probability != 3 || k->impact != 3 || !isnan(k->chance))
        assumed = "";
    json_add_str(o, "name", k->name);
    json_add_str(
        o, "level",
        json_str(tool_risk(r->an, i), "level", level_of_product(k->probability * k->impact)));
    json_add_str(
        o, "reason",
        cited(r, say(r->s, "%s%s", text_cut(r->an->a, k->reason, 400), assumed), cites, 500));
    json_add_num(o, "probability",
                 json_num(tool_risk(r->an, i), "probability_score", k->probability));
    json_add_num(o, "impact", json_num(tool_risk(r->an, i), "impact_score", k->impact));
    json_add_str(o, "mitigation",
                 k->mitigation != NULL ? k->mitigation
                                       : tr(r->s, "Watch it, and decide again when it shows.",
                                            "持续关注，出现时重新审议。"));
    cJSON_AddItemToArray(list, o);
}

static void write_risks(struct record *r)
{
    cJSON *o = json_add_obj(r->out, "risk_assessment");
    const cJSON *all = r->an->risk_answer >= 0 ? r->an->answers[r->an->risk_answer].output : NULL;
    int overall = (int)MIN(MAX(json_i64(all, "overall_score", 5), 1), 10);

    json_add_num(o, "overall_score", overall);
    json_add_str(o, "risk_level", level_of_score(overall));
    cJSON *list = json_add_arr(o, "risk_factors");
    for (int i = 0; i < r->an->risks_count; i++)
        risk_factor(r, list, i);
}

static const char *percent(const struct study *s, double v)
{
    return study_amount(s, v, FIGURE_RATIO, NULL);
}

static void add_sentence(struct record *r, struct buf *b, const char *text)
{
    if (text == NULL || text[0] == '\0' ||
        utf8_chars(buf_view(b)) + utf8_chars(str_of(text)) > 1850)
        return;
    if (b->n > 0 && !r->s->zh)
        buf_putc(b, ' ');
    buf_puts(b, text);
}

static const char *choice_sentence(struct record *r)
{
    const struct study *s = r->s;
    const struct analysis *an = r->an;
    const char *cite = cite_answer(r, an->matrix_answer, NAN, NULL);

    if (isnan(an->score[an->choice]) || an->runner_up < 0)
        return say(s,
                   tr(s, "The comparison could not be run; %s is named because it commits least.",
                      "未能完成比较；“%s”承诺最少，故列为选择。"),
                   s->options[an->choice].name);
    return say(
        s,
        tr(s,
           "On this information %1$s is chosen (score %2$.2f against %3$.2f for %4$s); it is first "
           "under %5$s of weightings %6$s.",
           "根据现有信息，选择%1$s（得分%2$.2f，%4$s为%3$.2f）；在%5$s的权重组合下居首 %6$s。"),
        s->options[an->choice].name, an->score[an->choice], an->score[an->runner_up],
        s->options[an->runner_up].name, percent(s, an->acceptability[an->choice]), cite);
}

static void write_openings(struct record *r, struct buf *b)
{
    const struct study *s = r->s;
    const struct analysis *an = r->an;

    if (an->best_overall >= 0 && an->best_overall != an->choice)
        add_sentence(
            r, b,
            say(s,
                tr(s, "%s, which was not among the options given, would rank above them all.",
                   "未列入给定方案的“%s”排名高于所有给定方案。"),
                s->options[an->best_overall].name));
    if (an->none_feasible)
        add_sentence(
            r, b,
            tr(s, "No option given is feasible and undominated; this is the least infeasible.",
               "给定方案均不可行或被占优；此为最接近可行者。"));
    add_sentence(r, b, choice_sentence(r));
    if (an->close && an->took_easier)
        add_sentence(r, b,
                     say(s,
                         tr(s,
                            "The first two are too close to call; %s is preferred because it is "
                            "easier to undo or commits less.",
                            "前两个方案难分高下；因更易撤回或投入更小，倾向%s。"),
                         s->options[an->choice].name));
    else if (an->close)
        add_sentence(r, b,
                     tr(s, "The first two are close: their order depends on the weights.",
                        "前两个方案接近：排序取决于权重。"));
}

static void write_values(struct record *r, struct buf *b)
{
    const struct study *s = r->s;

    for (int i = 0; i < s->options_count; i++) {
        const struct valued *v = &r->an->value[i];
        if (isnan(v->npv) || s->options[i].cash.baseline || !s->options[i].given)
            continue;
        add_sentence(r, b,
                     say(s, tr(s, "%s has a present value of %s %s.", "%s的净现值为%s %s。"),
                         s->options[i].name, money(r, v->npv),
                         cite_answer(r, v->fm, v->npv, s->currency)));
    }
    int n = answer_of(r->an, "break_even_loss");
    if (n >= 0)
        add_sentence(r, b,
                     say(s,
                         tr(s, "The change of price stops paying if %s of the customers leave %s.",
                            "若流失%s的客户，调价不再划算 %s。"),
                         percent(s, json_num(r->an->answers[n].output, "value", NAN)),
                         cite_answer(r, n, NAN, NULL)));
    const struct valued *mine = &r->an->value[r->an->choice];
    if (!isnan(mine->low_npv) && !s->options[r->an->choice].cash.per_unit)
        add_sentence(r, b,
                     say(s,
                         tr(s, "In the worst scenario run the choice is worth %s %s.",
                            "最差情景下该选择的净现值为%s %s。"),
                         money(r, mine->low_npv),
                         cite_answer(r, mine->fm, mine->npv, s->currency)));
    if (r->an->value_rule)
        add_sentence(r, b,
                     tr(s,
                        "An option with a negative value was not allowed to win over one without.",
                        "净现值为负的方案不得优先于非负者。"));
}

static bool is_said(const char *code)
{
    static const char *const codes[] = {"sunk_cost", "allocated_cost", "over_limit", "instruction"};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}

static void write_cautions(struct record *r, struct buf *b)
{
    for (int i = 0; i < r->s->findings_count; i++) {
        const struct finding *f = &r->s->findings[i];
        if (is_said(f->code))
            add_sentence(r, b,
                         cited(r, f->message,
                               f->fact >= 0 ? cite_fact(r, f->fact)
                                            : cite_segment(r, f->source, f->segment, 0),
                               300));
    }
    if (r->an->parities_count > 0)
        add_sentence(r, b, record_parity_text(r, &r->an->parities[0]));
    if (r->an->flips_count > 0)
        add_sentence(r, b, record_flip_text(r, &r->an->flips[0]));
}

static void write_assumptions(struct record *r, cJSON *list)
{
    const struct study *s = r->s;
    const char *cite = s->rate_given ? cite_fact(r, s->rate_fact) : "";

    if (s->rate_given)
        push_text(r, list,
                  cited(r,
                        say(s, tr(s, "Discount rate %s as given.", "折现率%s（已给定）。"),
                            percent(s, s->rate)),
                        cite, 500),
                  500);
    else
        push_text(
            r, list,
            say(s, tr(s, "Discount rate 10%%, since none was given.", "未给定折现率，按10%%计。")),
            500);
    if (r->an->flips_count > 0)
        push_text(r, list,
                  say(s, tr(s, "Nearest flip: %s", "最近的翻转点：%s"),
                      record_flip_text(r, &r->an->flips[0])),
                  500);
    for (int i = 0; i < s->options_count; i++)
        if (s->options[i].cash.baseline)
            push_text(
                r, list,
                say(s, tr(s, "%s changes no cash flow.", "“%s”不改变现金流。"), s->options[i].name),
                500);
    for (int i = 0; i < s->options_count; i++)
        for (int k = 0; k < s->options[i].cash.count; k++)
            if (s->options[i].cash.items[k].half_later)
                push_text(r, list,
                          say(s,
                              tr(s, "Half of the %s is paid now, half after one year.",
                                 "%s一半现付，一半一年后支付。"),
                              s->options[i].cash.items[k].label),
                          500);
    if (!isnan(s->converted_at))
        push_text(r, list,
                  say(s,
                      tr(s, "Amounts in another currency were converted at %g, as given.",
                         "其他货币金额按所给汇率%g折算。"),
                      s->converted_at),
                  500);
    push_text(r, list,
              tr(s, "Figures hold as stated in the sources named.", "数据以所列来源为准。"), 500);
}

static void write_final(struct record *r)
{
    const struct study *s = r->s;
    cJSON *o = json_add_obj(r->out, "final_recommendation");
    struct buf b;

    buf_init(&b, 16u << 10);
    write_openings(r, &b);
    write_values(r, &b);
    write_cautions(r, &b);
    add_sentence(r, &b,
                 tr(s, "Computed by rules from the data given, without a language model.",
                    "本结论按规则由所给数据计算得出，未使用语言模型。"));
    json_add_str(o, "choice", s->options[r->an->choice].name);
    json_add_strn(o, "reasoning", buf_view(&b));
    buf_done(&b);
    json_add_num(o, "confidence", r->an->confidence);
    json_add_str(o, "confidence_level",
                 r->an->confidence < 0.5    ? "low"
                 : r->an->confidence < 0.75 ? "medium"
                                            : "high");
    cJSON *basis = json_add_arr(o, "confidence_basis");
    for (int i = 0; i < r->an->basis_count; i++)
        json_push_str(basis, r->an->basis[i]);
    write_assumptions(r, json_add_arr(o, "key_assumptions"));
}

static const char *reversibility_of(const struct study *s, const struct option *o)
{
    (void)s;
    if (o->kind == OPTION_DO_NOTHING || o->kind == OPTION_DELAY || o->kind == OPTION_STAGED)
        return "reversible";
    return lex_has(LEX_IRREVERSIBLE, str_of(o->name)) ? "irreversible" : "costly_to_reverse";
}

static void write_framing(struct record *r, cJSON *d)
{
    const struct study *s = r->s;
    cJSON *f = json_add_obj(d, "framing");

    json_add_str(f, "question", text_cut(r->an->a, s->query, 500));
    json_add_str(f, "decision_owner",
                 json_str(s->context, "decision_owner", json_str(s->context, "owner", NULL)));
    json_add_str(f, "deadline", record_deadline(r));
    cJSON *in = json_add_arr(f, "scope_in"), *out = json_add_arr(f, "scope_out");
    for (int i = 0; i < s->given_count && i < 8; i++)
        push_text(r, in, s->options[i].name, SHORT);
    for (int i = 0; i < s->findings_count; i++)
        if (strcmp(s->findings[i].code, "sunk_cost") == 0)
            push_text(r, out,
                      say(s, tr(s, "the %s already spent", "已支出的%s"),
                          fact_value_text(s, &s->facts[s->findings[i].fact])),
                      SHORT);
    push_text(r, out, tr(s, "options that nobody named", "未提及的其他方案"), SHORT);
    json_add_str(f, "reversibility", reversibility_of(s, &s->options[r->an->choice]));
    cJSON *limits = json_add_arr(f, "constraints");
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if ((k->measure == M_BUDGET || k->measure == M_MINIMUM) && k->origin == FROM_CONTEXT)
            push_text(r, limits, say(s, "%s: %s", k->label, fact_value_text(s, k)), SHORT);
    }
    if (record_deadline(r) != NULL)
        push_text(r, limits, say(s, tr(s, "deadline: %s", "期限：%s"), record_deadline(r)), SHORT);
}

static const char *measure_text(const struct study *s, const struct criterion *c)
{
    static const char *const en[C__MAX + 1] = {"net present value, or cost over the same units",
                                               "register of risks, 1 to 10",
                                               "years or lead time",
                                               "share of the limit left",
                                               "fit with the goal stated",
                                               "words of the sources on people and customers",
                                               "how easily the option is undone",
                                               "words of the sources"};
    static const char *const zh[C__MAX + 1] = {
        "净现值或同等数量下的成本", "风险清单评分（1至10）",      "年数或交期", "剩余限额比例",
        "与既定目标的契合",         "资料中关于人员与客户的表述", "撤回的难易", "资料表述"};

    return s->zh ? zh[c->id] : en[c->id];
}

static void write_objectives(struct record *r, cJSON *d)
{
    cJSON *list = json_add_arr(d, "objectives");

    for (int i = 0; i < r->an->criteria_count; i++) {
        const struct criterion *c = &r->an->criteria[i];
        if (c->dropped)
            continue;
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "name", text_cut(r->an->a, c->name, 100));
        json_add_str(o, "direction", "benefit");
        json_add_num(o, "weight", c->weight);
        json_add_str(o, "measure", measure_text(r->s, c));
        json_add_str(o, "unit",
                     c->id == C_VALUE && r->s->currency[0] != '\0' ? r->s->currency : NULL);
        cJSON_AddItemToArray(list, o);
    }
}

static const char *value_at(const struct record *r, int fact)
{
    const struct fact *k = &r->s->facts[fact];
    const char *where =
        k->origin >= 0 ? r->s->sources[k->origin].title : tr(r->s, "the request", "请求");

    return text_cut(r->an->a, say(r->s, "%s, %s", fact_value_text(r->s, k), where), 200);
}

static void write_conflicts(struct record *r, cJSON *info)
{
    const struct study *s = r->s;
    cJSON *list = json_add_arr(info, "conflicts");

    for (int i = 0; i < s->findings_count; i++) {
        const struct finding *f = &s->findings[i];
        bool pair = f->fact >= 0 && f->other >= 0 &&
                    (strcmp(f->code, "conflict") == 0 || strcmp(f->code, "unit_suspect") == 0 ||
                     strcmp(f->code, "period_suspect") == 0);
        if (!pair)
            continue;
        cJSON *o = cJSON_CreateObject();
        const struct fact *k = &s->facts[f->fact];
        json_add_str(
            o, "what",
            say(s, "%s (%s)", tr(s, measures[k->measure].en, measures[k->measure].zh), f->code));
        cJSON *values = json_add_arr(o, "values");
        json_push_str(values, value_at(r, f->fact));
        json_push_str(values, value_at(r, f->other));
        json_add_str(o, "used", text_cut(r->an->a, fact_value_text(s, k), 190));
        json_add_str(o, "why", text_cut(r->an->a, f->why != NULL ? f->why : f->message, SHORT));
        cJSON_AddItemToArray(list, o);
    }
}

static void write_base_rates(struct record *r, cJSON *list)
{
    const struct study *s = r->s;

    for (int i = 0; i < s->sources_count; i++) {
        for (size_t g = 0; g < s->sources[i].segs.count && cJSON_GetArraySize(list) < 8; g++) {
            const struct segment *seg = &s->sources[i].segs.at[g];
            struct str t = {s->sources[i].n.text.p + seg->start, seg->end - seg->start};
            double hits, of;
            if (seg->kind == SEGMENT_ROW || !count_in(t, &hits, &of) || of <= 0)
                continue;
            const char *cite = cite_segment(r, i, (int)g, 0);
            size_t n = strlen(cite);
            cJSON *o = cJSON_CreateObject();
            json_add_str(o, "reference_class",
                         text_cut(r->an->a, arena_strndup(r->an->a, t.p, t.n), SHORT));
            json_add_num(o, "rate", hits / of);
            json_add_num(o, "n", of);
            cJSON *evidence = json_add_arr(o, "evidence");
            if (n > 2)
                json_push_str(evidence, arena_strndup(r->an->a, cite + 1, n - 2));
            cJSON_AddItemToArray(list, o);
        }
    }
}

static void write_information(struct record *r, cJSON *d)
{
    const struct study *s = r->s;
    cJSON *info = json_add_obj(d, "information"), *used = json_add_arr(info, "used");

    push_text(r, used, tr(s, "the request", "请求"), 200);
    for (int i = 0; i < s->sources_count; i++)
        push_text(r, used, s->sources[i].title, 200);
    cJSON *missing = json_add_arr(info, "missing");
    for (int i = 0; i < s->missing_count; i++) {
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "what", text_cut(r->an->a, s->missing[i].what, SHORT));
        json_add_str(o, "why_it_matters", text_cut(r->an->a, s->missing[i].why, SHORT));
        json_add_bool(o, "could_change_choice", s->missing[i].could_change);
        cJSON_AddItemToArray(missing, o);
    }
    write_conflicts(r, info);
    write_base_rates(r, json_add_arr(info, "base_rates"));
}

static void add_uncertainty(cJSON *list, const char *name, double low, double base, double high,
                            const char *unit, const char *basis)
{
    cJSON *o = cJSON_CreateObject();

    json_add_str(o, "name", name);
    json_add_num(o, "low", low);
    json_add_num(o, "base", base);
    json_add_num(o, "high", high);
    json_add_str(o, "unit", unit);
    json_add_str(o, "basis", basis);
    cJSON_AddItemToArray(list, o);
}

/* Its label, its measure, else the words it stands in. */
static const char *name_of_fact(const struct record *r, const struct fact *k)
{
    if (k->label != NULL && str_trim(str_of(k->label)).n > 0)
        return k->label;
    if (k->measure != M_NONE)
        return tr(r->s, measures[k->measure].en, measures[k->measure].zh);
    return arena_strndup(r->an->a, k->quote.p, k->quote.n);
}

static void write_uncertainties(struct record *r, cJSON *d)
{
    const struct study *s = r->s;
    cJSON *list = json_add_arr(d, "uncertainties");
    const char *currency = s->currency[0] != '\0' ? s->currency : NULL;

    for (int i = 0; i < s->options_count; i++) {
        const struct valued *v = &r->an->value[i];
        if (isnan(v->npv) || isnan(v->low_npv) || s->options[i].cash.baseline)
            continue;
        add_uncertainty(
            list,
            text_cut(r->an->a, say(s, tr(s, "value of %s", "%s的价值"), s->options[i].name), 100),
            MIN(v->low_npv, v->npv), v->npv, MAX(v->high_npv, v->npv), currency,
            tr(s, "scenarios: costs +20%, inflows -20%, claims in full where there are any",
               "情景：支出增加20%、流入减少20%、主张全部实现（如有）"));
    }
    for (int i = 0; i < s->facts_count && cJSON_GetArraySize(list) < 12; i++) {
        const struct fact *k = &s->facts[i];
        if (isnan(k->f.low) || k->beaten)
            continue;
        add_uncertainty(list, text_cut(r->an->a, name_of_fact(r, k), 100), k->f.low, k->f.value,
                        k->f.high, k->f.currency[0] != '\0' ? k->f.currency : NULL,
                        say(s, tr(s, "range given %s", "给定区间 %s"), cite_fact(r, i)));
    }
    for (int i = 0; i < s->missing_count && cJSON_GetArraySize(list) < 2; i++)
        add_uncertainty(list, text_cut(r->an->a, s->missing[i].what, 100), NAN, NAN, NAN, NULL,
                        no_data(r, tr(s, "its range", "其区间")));
}

static void write_trade_offs(struct record *r, cJSON *d)
{
    const struct analysis *an = r->an;
    const struct study *s = r->s;
    cJSON *list = json_add_arr(d, "trade_offs");
    int gain = -1, loss = -1;

    if (an->runner_up < 0)
        return;
    for (int c = 0; c < an->criteria_count; c++) {
        double gap = an->cells[an->choice][c].score - an->cells[an->runner_up][c].score;
        if (an->criteria[c].dropped)
            continue;
        if (gap > 0 && (gain < 0 || gap > an->cells[an->choice][gain].score -
                                              an->cells[an->runner_up][gain].score))
            gain = c;
        if (gap < 0 && (loss < 0 || gap < an->cells[an->choice][loss].score -
                                              an->cells[an->runner_up][loss].score))
            loss = c;
    }
    cJSON *o = cJSON_CreateObject();
    json_add_str(
        o, "gain",
        gain < 0 ? no_data(r, tr(s, "a gain over the runner-up", "相对次选的收益"))
                 : say(s, tr(s, "%s: %.0f points more", "%s：多%.0f分"), an->criteria[gain].name,
                       an->cells[an->choice][gain].score - an->cells[an->runner_up][gain].score));
    json_add_str(
        o, "give_up",
        loss < 0 ? tr(s, "nothing on the criteria compared", "在所比较的标准上无所放弃")
                 : say(s, tr(s, "%s: %.0f points less", "%s：少%.0f分"), an->criteria[loss].name,
                       an->cells[an->runner_up][loss].score - an->cells[an->choice][loss].score));
    cJSON *between = json_add_arr(o, "between");
    json_push_str(between, text_cut(an->a, s->options[an->choice].name, 200));
    json_push_str(between, text_cut(an->a, s->options[an->runner_up].name, 200));
    cJSON_AddItemToArray(list, o);
}

static const struct bias_row {
    const char *check, *code, *en, *zh, *none_en, *none_zh;
} biases[] = {
    {"sunk_cost", "sunk_cost",
     "Money already spent is in the material; it was left out and the order of the options does "
     "not rest on it.",
     "资料中有已支出金额；已排除，方案排序不以此为据。", "No past outlay is used in a calculation.",
     "计算未使用过往支出。"},
    {"anchoring", "conflict",
     "The first figure for a measure is contested; the better source was used.",
     "首个数据有争议，采用更可靠来源。", "No contested first figure was found.",
     "未发现有争议的首个数据。"},
    {"overconfidence", "superlative", "A source states as sure what is not.",
     "有资料把不确定之事说成必然。", "No claim of certainty was found.", "未发现断言必然的表述。"},
    {"authority", "instruction",
     "A document contains an instruction to an automated reader; it was not followed and not "
     "weighed.",
     "文件含有针对自动程序的指令；未执行，也未采信。", "No text tried to instruct the analysis.",
     "未发现试图指示分析的文字。"},
    {"confirmation", "interested_source",
     "A source has an interest in the outcome; its figures rank below the others.",
     "有资料来源存在利益关系，其数据采信靠后。", "No source declares an interest.",
     "未发现声明利益关系的来源。"},
    {"framing", "pressure",
     "A source presses for a decision (anchoring, escalation of commitment); that is no reason.",
     "有资料催促决定（锚定或承诺升级），不构成理由。", "No pressure was found in the material.",
     "资料中未见催促。"},
    {"survivorship", "no_base_rate",
     "A claim has no count of like cases behind it, so failures may be out of sight.",
     "有主张缺少同类案例统计，失败案例可能未被看到。", "No claim without a count was found.",
     "未发现无统计支持的主张。"},
};

static void write_bias(struct record *r, cJSON *d)
{
    cJSON *list = json_add_arr(d, "bias_checks");

    for (size_t i = 0; i < ARRAY_LEN(biases); i++) {
        bool found = study_found(r->s, biases[i].code);
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "check", biases[i].check);
        json_add_bool(o, "found", found);
        json_add_str(o, "note",
                     found ? tr(r->s, biases[i].en, biases[i].zh)
                           : tr(r->s, biases[i].none_en, biases[i].none_zh));
        cJSON_AddItemToArray(list, o);
    }
}

static void write_dissent(struct record *r, cJSON *d)
{
    const struct analysis *an = r->an;
    cJSON *list = json_add_arr(d, "dissent");

    if (an->runner_up < 0 || isnan(an->acceptability[an->runner_up]))
        return;
    cJSON *o = cJSON_CreateObject();
    json_add_str(o, "view", tr(r->s, "other weightings", "其他权重组合"));
    json_add_str(
        o, "position",
        say(r->s, tr(r->s, "%s ranks first under %s of weightings.", "“%s”在%s的权重组合下居首。"),
            r->s->options[an->runner_up].name, percent(r->s, an->acceptability[an->runner_up])));
    json_add_bool(o, "resolved", !an->close);
    cJSON_AddItemToArray(list, o);
}

cJSON *record_make(struct analysis *an)
{
    struct record r = {
        .an = an, .s = an->s, .out = cJSON_CreateObject(), .evidence = cJSON_CreateArray()};
    cJSON *situation = json_add_obj(r.out, "situation_analysis");

    json_add_str(situation, "summary", "-");
    record_findings(&r, json_add_arr(situation, "key_findings"));
    write_risks(&r);
    record_recommendations(&r);
    write_final(&r);
    cJSON *d = json_add_obj(r.out, "decision_record");
    write_framing(&r, d);
    write_objectives(&r, d);
    record_alternatives(&r, d);
    write_information(&r, d);
    write_uncertainties(&r, d);
    write_trade_offs(&r, d);
    write_bias(&r, d);
    write_dissent(&r, d);
    record_commitment(&r, d);
    record_sensitivity(&r);
    record_type_parts(&r);
    write_summary(&r, situation);
    cJSON_AddItemToObject(r.out, "evidence", r.evidence);
    return r.out;
}
