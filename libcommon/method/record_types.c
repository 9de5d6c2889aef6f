/* record_types.c: the parts that one decision type has beside the others. What has no data keeps
 * its minimum of entries, each saying so; figures are null. */
#include "libcommon/base/compat.h"
#include "libcommon/method/record.h"
#include <math.h>

#define AREAS_MAX 12
#define WORSE_SCORE 8

#define DEFAULT_AREAS 3

/* The first three stand when the asker names none. */
static const struct area_row {
    const char *en, *zh;
    const char *words[16];
} areas[] = {
    {"financial",
     "财务",
     {"cost", "costs", "cash", "price", "revenue", "debt", "liquidity", "value", "budget", "loss",
      "财务", "现金", "负债", "成本", "亏损"}},
    {"market",
     "市场",
     {"market", "customer", "customers", "competitor", "competitors", "demand", "share", "growth",
      "churn", "市场", "客户", "需求", "竞争", "增长"}},
    {"operational",
     "运营",
     {"supplier", "suppliers", "delivery", "staff", "capacity", "lead time", "quality",
      "integration", "outage", "delay", "delays", "运营", "交付", "产能", "人员"}},
    {"legal",
     "法律",
     {"legal", "law", "lawsuit", "contract", "contracts", "customs", "licence", "compliance",
      "dispute", "regulator", "lease", "法律", "合规", "诉讼", "合同", "许可"}},
    {"supply",
     "供应链",
     {"supplier", "suppliers", "supply", "shipment", "shipments", "logistics", "customs",
      "sole supplier", "inventory", "供应", "物流", "库存", "交期"}},
    {"technology",
     "技术",
     {"system", "systems", "software", "security", "data", "technology", "outage", "cyber", "技术",
      "系统", "数据", "安全"}},
    {"people",
     "人员",
     {"staff", "people", "employees", "key person", "hiring", "turnover", "team", "人员", "员工",
      "团队"}},
    {"reputation",
     "声誉",
     {"reputation", "press", "brand", "trust", "complaint", "complaints", "声誉", "品牌", "投诉"}},
    {"strateg",
     "战略",
     {"strategy", "strategic", "competitor", "market", "growth", "战略", "竞争", "布局"}},
};

static const char *area_of(const struct study *s, const cJSON *asked, int i)
{
    const cJSON *item = cJSON_GetArrayItem(asked, i);

    if (asked != NULL)
        return cJSON_IsString(item) ? item->valuestring : json_str(item, "name", NULL);
    return i < DEFAULT_AREAS ? tr(s, areas[i].en, areas[i].zh) : NULL;
}

static bool has_entry(struct str t, const char *entry)
{
    for (size_t p = 0; p < t.n; p++)
        if (((unsigned char)t.p[p] & 0xC0) != 0x80 && lex_match(entry, t, p) > 0)
            return true;
    return false;
}

/* By the area's own name, or by the words of the row whose name stands in it. */
static bool in_area(const struct study *s, const char *area, const char *text)
{
    struct str t = str_of(text), name = unicode_fold(s->a, str_of(area));

    if (has_entry(t, arena_strndup(s->a, name.p, name.n)))
        return true;
    for (size_t a = 0; a < ARRAY_LEN(areas); a++) {
        if (str_find(name, str_of(areas[a].en)) < 0 && str_find(name, str_of(areas[a].zh)) < 0)
            continue;
        for (size_t w = 0; w < ARRAY_LEN(areas[a].words) && areas[a].words[w] != NULL; w++)
            if (has_entry(t, areas[a].words[w]))
                return true;
    }
    return false;
}

static bool lower_is_better(const char *label)
{
    static const char *const words[] = {
        "debt", "leverage",  "cost", "churn", "defect", "days", "turnover of staff",
        "loss", "attrition", "负债", "杠杆",  "成本",   "流失", "天数",
        "不良"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(label, words[i]) != NULL)
            return true;
    return false;
}

static bool is_industry(const char *label)
{
    static const char *const words[] = {"industry", "average", "benchmark", "peer",
                                        "行业",     "平均",    "同业"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(label, words[i]) != NULL)
            return true;
    return false;
}

/* Every term of the own figure's label stands in the industry's. */
static bool same_thing(const struct study *s, const struct fact *own, const struct fact *industry)
{
    struct terms a = terms_of(s->a, str_of(own->label), false),
                 b = terms_of(s->a, str_of(industry->label), false);
    int shared = 0;

    for (int i = 0; i < a.count; i++)
        shared += terms_has(&b, a.at[i]);
    return a.count > 0 && shared * 2 >= a.count && shared > 0 &&
           (own->measure == industry->measure || shared == a.count);
}

/* A figure of the request that is half as bad again as its industry's; -1 when there is none. */
static int far_worse(const struct study *s, const char *area)
{
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *own = &s->facts[i];
        if (own->origin != FROM_CONTEXT || own->label == NULL || is_industry(own->label) ||
            own->f.value == 0)
            continue;
        for (int k = 0; k < s->facts_count; k++) {
            const struct fact *avg = &s->facts[k];
            if (avg->origin != FROM_CONTEXT || avg->label == NULL || !is_industry(avg->label) ||
                avg->f.value == 0 || !same_thing(s, own, avg))
                continue;
            double ratio = own->f.value / avg->f.value;
            bool worse = lower_is_better(own->label) ? ratio >= 1.5 : ratio <= 0.5;
            bool here = in_area(s, area, own->label) || strcmp(area, "financial") == 0 ||
                        strcmp(area, "财务") == 0;
            if (worse && here)
                return i;
        }
    }
    return -1;
}

static void breakdown_row(struct record *r, cJSON *list, const char *area, int overall)
{
    cJSON *o = cJSON_CreateObject(), *factors;
    int score = 0, probability = 0, impact = 0;

    json_add_str(o, "category", area);
    factors = cJSON_CreateArray();
    for (int i = 0; i < r->an->risks_count; i++) {
        const struct risk *k = &r->an->risks[i];
        if (!in_area(r->s, area, k->name) && !in_area(r->s, area, k->reason))
            continue;
        push_text(r, factors, k->name, 200);
        if (k->probability * k->impact > probability * impact) {
            probability = k->probability;
            impact = k->impact;
        }
    }
    score = (int)ceil(10.0 * probability * impact / 25);
    int worse = far_worse(r->s, area);
    if (worse >= 0) {
        score = MAX(score, WORSE_SCORE);
        push_text(r, factors,
                  say(r->s,
                      tr(r->s, "%s is %s, far worse than its industry average %s",
                         "%s为%s，明显差于行业平均 %s"),
                      r->s->facts[worse].label, fact_value_text(r->s, &r->s->facts[worse]),
                      cite_fact(r, worse)),
                  300);
    }
    if (factors->child == NULL)
        push_text(r, factors, no_data(r, area), 200);
    json_add_num(o, "score", score > 0 ? MIN(score, 10) : overall);
    cJSON_AddItemToObject(o, "key_factors", factors);
    json_add_num(o, "probability", probability > 0 ? probability : NAN);
    json_add_num(o, "impact", impact > 0 ? impact : NAN);
    json_add_str(o, "trend", "stable");
    cJSON_AddItemToArray(list, o);
}

static void risk_matrix(struct record *r, cJSON *risk)
{
    static const char *const keys[] = {"high_probability_high_impact",
                                       "high_probability_low_impact", "low_probability_high_impact",
                                       "low_probability_low_impact"};
    cJSON *m = json_add_obj(risk, "risk_matrix");
    const cJSON *tool = r->an->risk_answer >= 0
                            ? json_get(r->an->answers[r->an->risk_answer].output, "matrix")
                            : NULL;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        cJSON *list = json_add_arr(m, keys[i]);
        const cJSON *item;
        cJSON_ArrayForEach (item, json_get(tool, keys[i]))
            if (cJSON_IsString(item))
                json_push_str(list, item->valuestring);
    }
}

static const char *stop_number(struct record *r)
{
    const cJSON *rules = json_at(r->out, "/decision_record/commitment/stop_rules");

    return cJSON_IsArray(rules) && rules->child != NULL
               ? rules->child->valuestring
               : no_data(r, tr(r->s, "a trigger", "触发条件"));
}

static void monitoring_plan(struct record *r)
{
    cJSON *m = json_add_obj(r->out, "monitoring_plan"), *list = json_add_arr(m, "key_indicators");

    for (int i = 0; i < r->an->risks_count && i < 5; i++) {
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "name", r->an->risks[i].name);
        json_add_null(o, "current");
        json_add_null(o, "target");
        json_add_str(o, "frequency", tr(r->s, "monthly", "每月"));
        cJSON_AddItemToArray(list, o);
    }
    json_add_str(m, "review_frequency", tr(r->s, "monthly", "每月"));
    json_push_str(json_add_arr(m, "escalation_triggers"), stop_number(r));
}

static void risk_parts(struct record *r)
{
    const char *const keys[] = {"risk_areas", "areas", "风险领域"};
    const cJSON *asked = NULL;
    cJSON *risk = json_get(r->out, "risk_assessment"), *rec;
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(keys) && asked == NULL; i++)
        asked = json_get(r->s->context, keys[i]);
    if (asked == NULL)
        asked = json_get(r->s->request, "risk_areas");
    if (!cJSON_IsArray(asked) || asked->child == NULL)
        asked = NULL;
    int overall = (int)json_i64(risk, "overall_score", 5);
    cJSON *list = json_add_arr(risk, "risk_breakdown");
    for (int i = 0; i < AREAS_MAX; i++) {
        const char *area = area_of(r->s, asked, i);
        if (area != NULL)
            breakdown_row(r, list, area, overall);
    }
    risk_matrix(r, risk);
    cJSON_ArrayForEach (rec, json_get(r->out, "recommendations")) {
        const struct risk *k = &r->an->risks[MIN(n, r->an->risks_count - 1)];
        json_add_str(rec, "risk_addressed", k->name);
        json_add_str(rec, "priority", k->probability * k->impact >= 15 ? "urgent" : "high");
        json_add_str(rec, "resources_needed", no_data(r, tr(r->s, "resources", "所需资源")));
        json_add_str(rec, "expected_outcome", no_data(r, tr(r->s, "the outcome", "预期结果")));
        n++;
    }
    monitoring_plan(r);
}

static void pillars(struct record *r, cJSON *rec)
{
    cJSON *list = json_add_arr(rec, "strategic_pillars");
    int n = 0;

    for (int c = 0; n < 3 && c < r->an->criteria_count; c++) {
        if (r->an->criteria[c].dropped)
            continue;
        n++;
        cJSON *p = cJSON_CreateObject(), *kpi = cJSON_CreateObject();
        json_add_str(p, "pillar", r->an->criteria[c].name);
        json_push_str(json_add_arr(p, "objectives"), no_data(r, r->an->criteria[c].name));
        json_push_str(json_add_arr(p, "key_initiatives"),
                      no_data(r, tr(r->s, "initiatives", "举措")));
        json_add_str(kpi, "name", r->an->criteria[c].name);
        json_add_null(kpi, "target");
        json_add_str(kpi, "measurement", no_data(r, tr(r->s, "its measure", "衡量方式")));
        cJSON_AddItemToArray(json_add_arr(p, "kpis"), kpi);
        json_add_null(p, "investment");
        cJSON_AddItemToArray(list, p);
    }
    for (; n < 3; n++) {
        cJSON *p = cJSON_CreateObject();
        json_add_str(p, "pillar", no_data(r, tr(r->s, "a pillar", "支柱")));
        json_add_arr(p, "objectives");
        json_add_arr(p, "key_initiatives");
        json_add_arr(p, "kpis");
        json_add_null(p, "investment");
        cJSON_AddItemToArray(list, p);
    }
    json_add_num(rec, "confidence", r->an->confidence);
}

static cJSON *alternative(struct record *r, int i)
{
    cJSON *o = cJSON_CreateObject();
    int score = r->an->value[i].overall_score;

    json_add_str(o, "name", r->s->options[i].name);
    json_add_str(o, "description",
                 r->s->options[i].infeasible
                     ? tr(r->s, "Not feasible within the limits given.", "在给定限额内不可行。")
                     : tr(r->s, "Compared and not chosen.", "已比较，未选。"));
    cJSON *pros = json_add_arr(o, "pros"), *cons = json_add_arr(o, "cons");
    for (int c = 0; c < r->an->criteria_count; c++) {
        double gap = r->an->cells[i][c].score - r->an->cells[r->an->choice][c].score;
        if (!r->an->criteria[c].dropped && fabs(gap) >= 1)
            push_text(r, gap > 0 ? pros : cons,
                      say(r->s, tr(r->s, "%s: %.0f points", "%s：%.0f分"), r->an->criteria[c].name,
                          r->an->cells[i][c].score),
                      300);
    }
    if (pros->child == NULL)
        push_text(r, pros, no_data(r, tr(r->s, "advantages", "优势")), 300);
    if (cons->child == NULL)
        push_text(r, cons, no_data(r, tr(r->s, "drawbacks", "缺点")), 300);
    json_add_str(o, "risk_level", score > 0 ? level_of_score(score) : "medium");
    json_add_null(o, "expected_growth");
    return o;
}

static void roadmap(struct record *r)
{
    static const char *const quarters[] = {"q1", "q2", "q3", "q4"};
    cJSON *o = json_add_obj(r->out, "implementation_roadmap");
    const cJSON *steps = json_at(r->out, "/recommendations/0/action_steps"),
                *step = steps != NULL ? steps->child : NULL;

    for (size_t q = 0; q < ARRAY_LEN(quarters); q++) {
        cJSON *list = json_add_arr(o, quarters[q]);
        json_push_str(list,
                      step != NULL
                          ? step->valuestring
                          : no_data(r, say(r->s, tr(r->s, "quarter %zu", "第%zu季度"), q + 1)));
        step = step != NULL ? step->next : NULL;
    }
}

static void resources(struct record *r)
{
    const struct cash *c = &r->s->options[r->an->choice].cash;
    cJSON *o = json_add_obj(r->out, "resource_requirements"), *budget = json_add_obj(o, "budget");

    json_add_num(budget, "total", c->outlay > 0 ? c->outlay : NAN);
    cJSON *parts = json_add_obj(budget, "breakdown");
    for (int i = 0; i < c->count; i++)
        if (c->items[i].sign < 0 && c->items[i].from == 0)
            json_add_num(parts, c->items[i].variable, c->items[i].value);
    cJSON *heads = json_add_obj(o, "headcount");
    json_add_null(heads, "total_new_hires");
    json_add_obj(heads, "breakdown");
    json_push_str(json_add_arr(o, "technology"), no_data(r, tr(r->s, "technology", "技术")));
}

static void metrics(struct record *r)
{
    cJSON *list = json_add_arr(r->out, "success_metrics");
    int n = 0;

    for (int c = 0; n < 3 && c < r->an->criteria_count; c++) {
        if (r->an->criteria[c].dropped)
            continue;
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "metric", r->an->criteria[c].name);
        json_add_null(o, "current");
        json_add_null(o, "target");
        json_add_str(o, "measurement", no_data(r, tr(r->s, "its measure", "衡量方式")));
        cJSON_AddItemToArray(list, o);
        n++;
    }
    for (; n < 3; n++) {
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "metric", no_data(r, tr(r->s, "a metric", "指标")));
        json_add_null(o, "current");
        json_add_null(o, "target");
        json_add_null(o, "measurement");
        cJSON_AddItemToArray(list, o);
    }
}

static void position(struct record *r)
{
    cJSON *s = json_get(r->out, "situation_analysis");
    const cJSON *findings = json_get(s, "key_findings");

    json_add_str(s, "current_position",
                 cJSON_IsArray(findings) && findings->child != NULL
                     ? findings->child->valuestring
                     : no_data(r, tr(r->s, "the position", "现状")));
    cJSON *challenges = json_add_arr(s, "key_challenges");
    for (int i = 0; i < r->an->risks_count && i < 3; i++)
        push_text(r, challenges, r->an->risks[i].name, 300);
    cJSON *chances = json_add_arr(s, "key_opportunities");
    const cJSON *pros = json_at(r->out, "/recommendations/0/pros"), *p;
    cJSON_ArrayForEach (p, pros)
        push_text(r, chances, p->valuestring, 300);
    if (chances->child == NULL)
        push_text(r, chances, no_data(r, tr(r->s, "opportunities", "机会")), 300);
}

static void strategy_parts(struct record *r)
{
    cJSON *rec;
    int n = 0;

    position(r);
    cJSON_ArrayForEach (rec, json_get(r->out, "recommendations"))
        pillars(r, rec);
    cJSON *list = json_add_arr(r->out, "alternative_strategies");
    for (int i = 0; i < r->s->options_count; i++) {
        bool enough = n >= 2 && !r->s->options[i].given;
        if (i == r->an->choice || enough)
            continue;
        cJSON_AddItemToArray(list, alternative(r, i));
        n++;
    }
    for (; n < 2; n++) {
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "name", no_data(r, tr(r->s, "another strategy", "其他战略")));
        json_add_str(o, "description", no_data(r, tr(r->s, "another strategy", "其他战略")));
        json_add_arr(o, "pros");
        json_add_arr(o, "cons");
        json_add_str(o, "risk_level", "medium");
        json_add_null(o, "expected_growth");
        cJSON_AddItemToArray(list, o);
    }
    roadmap(r);
    resources(r);
    metrics(r);
}

void record_type_parts(struct record *r)
{
    if (strcmp(r->s->type, "strategy") == 0)
        strategy_parts(r);
    else if (strcmp(r->s->type, "risk") == 0)
        risk_parts(r);
}
