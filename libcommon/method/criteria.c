/* criteria.c: what the options are compared on, and the score of each cell by the first rule that
 * applies: a tool, a figure, the words of the evidence, the option's kind, nothing. */
#include "libcommon/base/compat.h"
#include "libcommon/method/analysis.h"
#include <math.h>
#include <strings.h>

#define NAMED_GAIN 0.10
#define EVIDENCE_STEP 10

static const struct criterion_row {
    const char *en, *zh, *words[20];
} rows[C__MAX] = {
    [C_VALUE] = {"value",
                 "价值",
                 {"value", "return", "npv", "profit", "profits", "cost", "costs", "cheapest",
                  "money", "price", "收益", "价值", "成本", "利润", "回报"}},
    [C_RISK] = {"risk",
                "风险",
                {"risk", "risks", "safe", "safety", "safest", "exposure", "风险", "安全", "稳妥"}},
    [C_TIME] = {"time",
                "时间",
                {"time", "fast", "fastest", "quickly", "speed", "soon", "deadline", "late", "delay",
                 "lead time", "weeks", "时间", "速度", "尽快", "工期", "交期"}},
    [C_FEASIBILITY] = {"feasibility",
                       "可行性",
                       {"feasible", "feasibility", "budget", "capacity", "able", "licence",
                        "permit", "staff", "可行", "预算", "能力", "许可"}},
    [C_FIT] = {"strategic fit",
               "战略契合",
               {"strategy", "strategic", "fit", "growth", "grow", "market", "long-term", "战略",
                "增长", "市场", "布局"}},
    [C_PEOPLE] = {"people and customers",
                  "人员与客户",
                  {"customer", "customers", "people", "employees", "staff", "churn", "team",
                   "support", "客户", "员工", "团队", "人员"}},
    [C_REVERSIBILITY] = {"reversibility",
                         "可逆性",
                         {"reversible", "reversibility", "undo", "flexible", "flexibility",
                          "cancel", "option", "可逆", "灵活", "退出"}},
};

static const struct weights {
    const char *type;
    double w[C__MAX];
} defaults[] = {
    {"investment", {.35, .25, .05, .10, .15, 0, .10}},
    {"risk", {.15, .40, .15, .10, 0, .10, .10}},
    {"strategy", {.25, .20, .10, .10, .20, .10, .05}},
    {"general", {.25, .25, .10, .15, .10, .05, .10}},
};

static bool names_criterion(enum criterion_id id, struct str text)
{
    for (size_t p = 0; p < text.n; p++)
        for (size_t i = 0; i < ARRAY_LEN(rows[id].words) && rows[id].words[i] != NULL; i++)
            if (((unsigned char)text.p[p] & 0xC0) != 0x80 &&
                lex_match(rows[id].words[i], text, p) > 0)
                return true;
    return false;
}

static enum criterion_id id_of_name(const char *name)
{
    for (int i = 0; i < C__MAX; i++)
        if (strcasecmp(name, rows[i].en) == 0 || strcmp(name, rows[i].zh) == 0)
            return (enum criterion_id)i;
    for (int i = 0; i < C__MAX; i++)
        if (names_criterion((enum criterion_id)i, str_of(name)))
            return (enum criterion_id)i;
    return C__MAX;
}

static void normalise(struct analysis *an)
{
    double sum = 0;

    for (int i = 0; i < an->criteria_count; i++)
        sum += an->criteria[i].dropped ? 0 : an->criteria[i].weight;
    for (int i = 0; i < an->criteria_count; i++)
        an->criteria[i].weight =
            an->criteria[i].dropped || sum <= 0 ? 0 : an->criteria[i].weight / sum;
}

/* ["cost", {"name": "speed", "weight": 2}] or {"cost": 0.6, "speed": 0.4} */
static void asked_criteria(struct analysis *an, const cJSON *list)
{
    const cJSON *c;
    bool weighed = false;

    cJSON_ArrayForEach (c, list) {
        const char *name = cJSON_IsString(c) && !cJSON_IsObject(list) ? c->valuestring
                           : cJSON_IsObject(list)                     ? c->string
                                                                      : json_str(c, "name", NULL);
        double w = cJSON_IsObject(list) ? (cJSON_IsNumber(c) ? c->valuedouble : NAN)
                                        : json_num(c, "weight", NAN);

        if (name == NULL || str_trim(str_of(name)).n == 0 || an->criteria_count >= CRITERIA_MAX)
            continue;
        weighed = weighed || (!isnan(w) && w > 0);
        struct criterion *k = &an->criteria[an->criteria_count++];
        *k = (struct criterion){text_cut(an->a, name, 90), id_of_name(name),
                                isnan(w) || w < 0 ? 0 : w, false};
        for (int i = 0; i < an->criteria_count - 1; i++)
            if (an->criteria[i].id == k->id && k->id != C__MAX)
                k->id = C__MAX;
    }
    for (int i = 0; i < an->criteria_count && !weighed; i++)
        an->criteria[i].weight = 1;
    an->own_criteria = an->criteria_count > 0;
}

/* "risk_tolerance": "low" asks for more weight on risk. */
static bool is_cautious(const struct study *s)
{
    static const char *const keys[] = {"risk_tolerance", "risk_appetite", "风险偏好", "风险承受"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *v = json_str(s->context, keys[i], NULL);
        if (v != NULL && lex_has(LEX_CAUTIOUS, str_of(v)))
            return true;
    }
    return false;
}

void criteria_weigh(struct analysis *an)
{
    const struct study *s = an->s;
    struct str query = str_of(s->query);

    asked_criteria(an, json_get(s->context, "criteria"));
    for (size_t t = 0; t < ARRAY_LEN(defaults) && !an->own_criteria; t++) {
        if (strcmp(defaults[t].type, s->type) != 0)
            continue;
        for (int i = 0; i < C__MAX; i++) {
            double w = defaults[t].w[i];
            if (w == 0)
                continue;
            w += names_criterion((enum criterion_id)i, query) ? NAMED_GAIN : 0;
            w += i == C_RISK && is_cautious(s) ? NAMED_GAIN : 0;
            an->criteria[an->criteria_count++] =
                (struct criterion){tr(s, rows[i].en, rows[i].zh), (enum criterion_id)i, w, false};
        }
    }
    normalise(an);
}

const char *cell_source_name(enum cell_source c)
{
    static const char *const names[] = {"none", "kind", "evidence", "figure", "tool"};

    return names[c];
}

static void set_cell(struct analysis *an, int option, int criterion, double score,
                     enum cell_source source, int fact)
{
    an->cells[option][criterion] = (struct cell){MIN(MAX(score, 0), 100), source, fact};
}

/* Min-max over the options that have a figure; false when fewer than two have one. */
static bool spread(struct analysis *an, int c, const double *v, bool lower_is_better,
                   enum cell_source source, const int *facts)
{
    double lo = INFINITY, hi = -INFINITY;
    int n = 0;

    for (int i = 0; i < an->s->options_count; i++) {
        if (isnan(v[i]))
            continue;
        lo = MIN(lo, v[i]);
        hi = MAX(hi, v[i]);
        n++;
    }
    if (n < 2)
        return false;
    for (int i = 0; i < an->s->options_count; i++) {
        if (isnan(v[i]))
            continue;
        double x = hi > lo ? 100 * (v[i] - lo) / (hi - lo) : 50;
        set_cell(an, i, c, lower_is_better && hi > lo ? 100 - x : x, source,
                 facts == NULL ? -1 : facts[i]);
    }
    return true;
}

static void score_value(struct analysis *an, int c)
{
    double v[ALTERNATIVES_MAX] = {0};

    for (int i = 0; i < an->s->options_count; i++)
        v[i] = an->value[i].npv;
    if (spread(an, c, v, false, CELL_TOOL, NULL))
        return;
    /* No value of two options is known: what they cost to begin with is. */
    for (int i = 0; i < an->s->options_count; i++) {
        const struct cash *k = &an->s->options[i].cash;
        v[i] = an->s->options[i].given && k->outlay > 0 ? k->outlay : NAN;
    }
    (void)spread(an, c, v, true, CELL_FIGURE, NULL);
}

static void score_risk(struct analysis *an, int c)
{
    for (int i = 0; i < an->s->options_count; i++)
        if (an->value[i].overall_score > 0)
            set_cell(an, i, c, 100 - 10 * an->value[i].overall_score, CELL_TOOL, -1);
}

static bool figures_of(struct analysis *an, enum measure m, double *v, int *facts)
{
    int n = 0;

    for (int i = 0; i < an->s->options_count; i++) {
        facts[i] = fact_best(an->s, m, i);
        v[i] = facts[i] >= 0 ? an->s->facts[facts[i]].f.value : NAN;
        n += facts[i] >= 0;
    }
    return n >= 2;
}

static void score_time(struct analysis *an, int c)
{
    double v[ALTERNATIVES_MAX] = {0};
    int facts[ALTERNATIVES_MAX] = {0}, n = 0;

    if (figures_of(an, M_LEAD_TIME, v, facts) && spread(an, c, v, true, CELL_FIGURE, facts))
        return;
    for (int i = 0; i < an->s->options_count; i++) {
        v[i] = an->value[i].payback;
        n += !isnan(v[i]);
    }
    if (n >= 2)
        (void)spread(an, c, v, true, CELL_TOOL, NULL);
}

static double budget_of(const struct study *s, int *fact)
{
    *fact = fact_best(s, M_BUDGET, -1);
    return *fact < 0 || s->facts[*fact].f.unit == FIGURE_RATIO ? NAN : s->facts[*fact].f.value;
}

/* What an option takes of the limit, least to most; over the limit is nothing. */
static void score_feasibility(struct analysis *an, int c)
{
    int fact, facts[ALTERNATIVES_MAX] = {0};
    double budget = budget_of(an->s, &fact), v[ALTERNATIVES_MAX] = {0};

    for (int i = 0; i < an->s->options_count; i++) {
        double outlay = an->s->options[i].cash.outlay;
        v[i] = isnan(budget) || outlay <= 0 ? NAN : outlay;
        facts[i] = fact;
    }
    (void)spread(an, c, v, true, CELL_FIGURE, facts);
    for (int i = 0; i < an->s->options_count; i++)
        if (an->s->options[i].infeasible)
            set_cell(an, i, c, 0, CELL_FIGURE, fact);
}

/* A stated goal speaks against staying as one is, and for what acts. */
static void score_fit(struct analysis *an, int c)
{
    const cJSON *item;
    bool goal = false;

    cJSON_ArrayForEach (item, an->s->context)
        goal = goal || (cJSON_IsString(item) && item->string != NULL &&
                        lex_has(LEX_GOAL, str_of(item->string)));
    for (int i = 0; goal && i < an->s->options_count; i++) {
        enum option_kind k = an->s->options[i].kind;
        set_cell(an, i, c,
                 k == OPTION_DO_NOTHING ? 40
                 : k == OPTION_DELAY    ? 45
                                        : 60,
                 CELL_EVIDENCE, -1);
    }
}

static void score_reversibility(struct analysis *an, int c)
{
    for (int i = 0; i < an->s->options_count; i++) {
        enum option_kind k = an->s->options[i].kind;
        set_cell(an, i, c,
                 k == OPTION_DO_NOTHING || k == OPTION_DELAY ? 80
                 : k == OPTION_STAGED                        ? 70
                                                             : 40,
                 CELL_KIND, -1);
    }
}

static bool criterion_in(const struct criterion *k, struct str text)
{
    if (k->id < C__MAX)
        return names_criterion(k->id, text);
    for (size_t p = 0; p < text.n; p++)
        if (lex_match(k->name, text, p) > 0)
            return true;
    return false;
}

/* Sentences that name the option and the criterion, by their polarity. */
static bool score_by_evidence(struct analysis *an, int option, int c)
{
    const struct study *s = an->s;
    int plus = 0, minus = 0, found = 0;

    for (int i = 0; i < s->sources_count; i++) {
        for (size_t g = 0; g < s->sources[i].segs.count; g++) {
            const struct segment *seg = &s->sources[i].segs.at[g];
            struct str t = {s->sources[i].n.text.p + seg->start, seg->end - seg->start};
            int turned_plus = 0, turned_minus = 0;

            if (seg->kind != SEGMENT_SENTENCE || lex_instructs(t) ||
                !option_owns(&s->options[option], t) || !criterion_in(&an->criteria[c], t))
                continue;
            found++;
            plus += lex_count(LEX_POSITIVE, t, &turned_plus);
            minus += lex_count(LEX_NEGATIVE, t, &turned_minus);
            plus += turned_minus;
            minus += turned_plus;
        }
    }
    if (found == 0 || plus == minus)
        return false;
    set_cell(an, option, c, MIN(MAX(50 + EVIDENCE_STEP * (plus - minus), 20), 80), CELL_EVIDENCE,
             -1);
    return true;
}

static void drop_empty(struct analysis *an)
{
    int left = 0;

    for (int c = 0; c < an->criteria_count; c++) {
        bool any = false;
        for (int i = 0; i < an->s->options_count; i++)
            any = any || an->cells[i][c].source != CELL_NONE;
        an->criteria[c].dropped = !any;
        left += any;
        if (!any)
            study_miss(
                an->s, say(an->s, tr(an->s, "data on %s", "关于%s的数据"), an->criteria[c].name),
                tr(an->s, "the criterion was left out and its weight shared among the others",
                   "该标准未计入，权重分摊给其他标准"),
                false);
    }
    if (left == 0)
        an->criteria[0].dropped = false;
    normalise(an);
}

void criteria_score(struct analysis *an)
{
    static void (*const rules[C__MAX])(struct analysis *, int) = {
        [C_VALUE] = score_value, [C_RISK] = score_risk,
        [C_TIME] = score_time,   [C_FEASIBILITY] = score_feasibility,
        [C_FIT] = score_fit,     [C_REVERSIBILITY] = score_reversibility};

    for (int c = 0; c < an->criteria_count; c++) {
        for (int i = 0; i < an->s->options_count; i++)
            set_cell(an, i, c, 50, CELL_NONE, -1);
        if (an->criteria[c].id < C__MAX && rules[an->criteria[c].id] != NULL)
            rules[an->criteria[c].id](an, c);
        for (int i = 0; i < an->s->options_count; i++)
            if (an->cells[i][c].source == CELL_NONE)
                (void)score_by_evidence(an, i, c);
    }
    drop_empty(an);
}
