/* quality.c: the rubric of a decision record, forty checks by table: eight links, five points each.
 * The record is as good as its weakest link, whatever the outcome is. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate_rules.h"
#include <math.h>

struct rubric {
    const cJSON *answer, *events;
    struct check *c; /* the pool of numbers */
    const struct study *s;
};

static const cJSON *at(const struct rubric *r, const char *pointer)
{
    return json_at(r->answer, pointer);
}

static int size(const struct rubric *r, const char *pointer)
{
    return cJSON_GetArraySize(at(r, pointer));
}

static bool text_present(const struct rubric *r, const char *pointer)
{
    const cJSON *item = at(r, pointer);

    return cJSON_IsString(item) && item->valuestring[0] != '\0';
}

static bool contains(const cJSON *node, const char *word, int depth)
{
    const cJSON *child;

    if (depth > 12)
        return false;
    if (cJSON_IsString(node)) {
        struct str t = str_of(node->valuestring);
        for (size_t p = 0; p < t.n; p++)
            if (lex_match(word, t, p) > 0)
                return true;
        return false;
    }
    cJSON_ArrayForEach (child, node)
        if (contains(child, word, depth + 1))
            return true;
    return false;
}

static bool any_word(const cJSON *node, const char *const *words)
{
    for (; *words != NULL; words++)
        if (contains(node, *words, 0))
            return true;
    return false;
}

static bool names_missing(const struct rubric *r, const char *const *words)
{
    return any_word(at(r, "/decision_record/information/missing"), words);
}

static bool framing_question(const struct rubric *r)
{
    return text_present(r, "/decision_record/framing/question");
}

static bool framing_reversibility(const struct rubric *r)
{
    return text_present(r, "/decision_record/framing/reversibility");
}

static bool framing_deadline(const struct rubric *r)
{
    static const char *const words[] = {"deadline", "date", "by when", "期限",
                                        "时间",     "截止", NULL};

    return text_present(r, "/decision_record/framing/deadline") || names_missing(r, words);
}

static bool framing_scope(const struct rubric *r)
{
    return size(r, "/decision_record/framing/scope_in") > 0 &&
           size(r, "/decision_record/framing/scope_out") > 0;
}

static bool has_value(struct arena *a, const cJSON *list, double v, const char *lang)
{
    const cJSON *item;
    struct figure *f;

    cJSON_ArrayForEach (item, list) {
        size_t n = cJSON_IsString(item) ? figures_scan(a, str_of(item->valuestring), lang, &f) : 0;
        for (size_t i = 0; i < n; i++)
            if (fabs(f[i].value - v) <= 0.01 * fabs(v))
                return true;
    }
    return false;
}

static bool framing_limits(const struct rubric *r)
{
    for (int i = 0; r->s != NULL && i < r->s->facts_count; i++) {
        const struct fact *k = &r->s->facts[i];
        if ((k->measure == M_BUDGET || k->measure == M_MINIMUM) && k->origin == FROM_CONTEXT &&
            !has_value(r->c->a, at(r, "/decision_record/framing/constraints"), k->f.value,
                       r->s->lang))
            return false;
    }
    return true;
}

static bool objectives_count(const struct rubric *r)
{
    int n = size(r, "/decision_record/objectives");

    return n >= 3 && n <= 7;
}

static bool objectives_sum(const struct rubric *r)
{
    const cJSON *o;
    double sum = 0;

    cJSON_ArrayForEach (o, at(r, "/decision_record/objectives"))
        sum += json_num(o, "weight", 0);
    return fabs(sum - 1) <= 0.01;
}

static bool objectives_measures(const struct rubric *r)
{
    const cJSON *o;

    cJSON_ArrayForEach (o, at(r, "/decision_record/objectives"))
        if (json_str(o, "measure", "")[0] == '\0')
            return false;
    return size(r, "/decision_record/objectives") > 0;
}

static bool objectives_balance(const struct rubric *r)
{
    const cJSON *o;

    cJSON_ArrayForEach (o, at(r, "/decision_record/objectives"))
        if (json_num(o, "weight", 0) > 0.6)
            return false;
    return size(r, "/decision_record/objectives") > 0;
}

static bool objectives_not_money(const struct rubric *r)
{
    static const char *const money[] = {"value", "cost", "profit", "price", "npv", "return",
                                        "价值",  "成本", "利润",   "收益",  NULL};
    const cJSON *o;

    cJSON_ArrayForEach (o, at(r, "/decision_record/objectives"))
        if (!any_word(json_get(o, "name"), money))
            return true;
    return false;
}

static bool has_kind(const struct rubric *r, const char *kind)
{
    const cJSON *a;

    cJSON_ArrayForEach (a, at(r, "/decision_record/alternatives"))
        if (strcmp(json_str(a, "kind", ""), kind) == 0)
            return true;
    return false;
}

static bool alternatives_count(const struct rubric *r)
{
    return size(r, "/decision_record/alternatives") >= 3;
}

static bool alternatives_nothing(const struct rubric *r)
{
    return has_kind(r, "do_nothing");
}

static bool alternatives_later(const struct rubric *r)
{
    return has_kind(r, "delay") || has_kind(r, "staged");
}

static const cJSON *alternative_named(const struct rubric *r, const char *name)
{
    const cJSON *a;

    cJSON_ArrayForEach (a, at(r, "/decision_record/alternatives"))
        if (strcmp(json_str(a, "name", ""), name) == 0)
            return a;
    return NULL;
}

static bool alternatives_given(const struct rubric *r)
{
    for (int i = 0; r->s != NULL && r->s->asked_options && i < r->s->options_count; i++)
        if (r->s->options[i].given && alternative_named(r, r->s->options[i].name) == NULL)
            return false;
    return true;
}

/* What the comparison tool found dominated is marked so; what a limit forbids is not feasible. */
static bool alternatives_marked(const struct rubric *r)
{
    const cJSON *e, *d;

    cJSON_ArrayForEach (e, r->events)
        cJSON_ArrayForEach (d, json_at(e, "/output/dominated")) {
            const cJSON *a = alternative_named(r, json_str(d, "alternative", ""));
            if (a != NULL && json_str(a, "dominated_by", NULL) == NULL)
                return false;
        }
    for (int i = 0; r->s != NULL && i < r->s->options_count; i++) {
        const cJSON *a = alternative_named(r, r->s->options[i].name);
        if (r->s->options[i].infeasible && a != NULL && json_bool(a, "feasible", true))
            return false;
    }
    return true;
}

static bool quotes_document(const struct rubric *r, int document)
{
    const cJSON *e;

    cJSON_ArrayForEach (e, json_get(r->answer, "evidence")) {
        if (!json_bool(e, "verified", false))
            continue;
        for (int i = 0; i < r->s->sources_count; i++) {
            const struct source *src = &r->s->sources[i];
            const char *ref = json_str(e, "ref", "");
            if (src->document == document &&
                (strcmp(ref, src->chunk_id) == 0 || strcmp(ref, src->title) == 0 ||
                 strcmp(ref, src->document_id) == 0))
                return true;
        }
    }
    return false;
}

static bool information_quotes(const struct rubric *r)
{
    for (int i = 0; r->s != NULL && i < r->s->sources_count; i++) {
        const struct source *src = &r->s->sources[i];
        const char *const words[] = {src->title, NULL};
        if (src->supplied && !quotes_document(r, src->document) && !names_missing(r, words))
            return false;
    }
    return true;
}

static bool information_figures(const struct rubric *r)
{
    cJSON *faults = r->c->faults, *f;

    check_figures(r->c);
    cJSON_ArrayForEach (f, faults)
        if (strcmp(json_str(f, "reason", ""), "uncited_figure") == 0)
            return false;
    return true;
}

static bool information_missing(const struct rubric *r)
{
    const cJSON *m;

    cJSON_ArrayForEach (m, at(r, "/decision_record/information/missing"))
        if (cJSON_IsBool(json_get(m, "could_change_choice")))
            return true;
    return false;
}

static bool information_conflicts(const struct rubric *r)
{
    int found = 0;

    for (int i = 0; r->s != NULL && i < r->s->findings_count; i++)
        found += strcmp(r->s->findings[i].code, "conflict") == 0;
    return size(r, "/decision_record/information/conflicts") >= found;
}

static bool information_base_rate(const struct rubric *r)
{
    static const char *const words[] = {
        "base rate", "reference class", "track record", "how often", "基础比率", "基准率", NULL};
    const cJSON *b;

    cJSON_ArrayForEach (b, at(r, "/decision_record/information/base_rates"))
        if (cJSON_IsNumber(json_get(b, "n")))
            return true;
    return names_missing(r, words);
}

static bool uncertainties_ranges(const struct rubric *r)
{
    const cJSON *u;
    int n = 0;

    cJSON_ArrayForEach (u, at(r, "/decision_record/uncertainties"))
        n += cJSON_IsNumber(json_get(u, "low")) && cJSON_IsNumber(json_get(u, "base")) &&
             cJSON_IsNumber(json_get(u, "high"));
    return n >= 2;
}

static bool uncertainties_tool(const struct rubric *r)
{
    const cJSON *e;

    cJSON_ArrayForEach (e, r->events) {
        const char *tool = json_str(e, "tool", "");
        if (strcmp(tool, "monte_carlo") == 0 || strcmp(tool, "decision_tree") == 0 ||
            cJSON_GetArraySize(json_at(e, "/output/scenarios")) > 0)
            return true;
    }
    return false;
}

static bool uncertainties_factors(const struct rubric *r)
{
    const cJSON *f;

    cJSON_ArrayForEach (f, at(r, "/risk_assessment/risk_factors"))
        if (json_get(f, "probability") == NULL || json_get(f, "impact") == NULL)
            return false;
    return true;
}

static bool uncertainties_downside(const struct rubric *r)
{
    static const char *const words[] = {"worst", "worse", "downside", "if",   "falls", "loss",
                                        "最差",  "下行",  "若",       "亏损", NULL};
    struct figure *f;
    const char *text = json_str(at(r, "/final_recommendation"), "reasoning", "");

    return any_word(at(r, "/final_recommendation/reasoning"), words) &&
           figures_scan(r->c->a, str_of(text), r->s != NULL ? r->s->lang : "en", &f) > 0;
}

static bool uncertainties_basis(const struct rubric *r)
{
    const cJSON *u;

    cJSON_ArrayForEach (u, at(r, "/decision_record/uncertainties"))
        if (json_str(u, "basis", "")[0] == '\0')
            return false;
    return true;
}

static bool trade_between(const struct rubric *r)
{
    const cJSON *t;
    const char *choice = json_str(at(r, "/final_recommendation"), "choice", "");

    cJSON_ArrayForEach (t, at(r, "/decision_record/trade_offs")) {
        const cJSON *name;
        cJSON_ArrayForEach (name, json_get(t, "between"))
            if (cJSON_IsString(name) && strcmp(name->valuestring, choice) == 0)
                return true;
    }
    return false;
}

static bool trade_sensitivity(const struct rubric *r)
{
    return size(r, "/sensitivity") > 0;
}

static bool trade_computed(const struct rubric *r)
{
    const cJSON *s;

    cJSON_ArrayForEach (s, at(r, "/sensitivity")) {
        double v = json_num(s, "flip_at", NAN);
        if (!isnan(v) && !pool_has_event(r->c, v))
            return false;
    }
    return size(r, "/sensitivity") > 0;
}

static bool trade_assumed(const struct rubric *r)
{
    static const char *const words[] = {"flip",   "changes to", "break-even", "翻转",
                                        "结论将", "盈亏平衡",   NULL};

    return any_word(at(r, "/final_recommendation/key_assumptions"), words);
}

static bool trade_give_up(const struct rubric *r)
{
    const cJSON *t;

    cJSON_ArrayForEach (t, at(r, "/decision_record/trade_offs"))
        if (json_str(t, "give_up", "")[0] != '\0')
            return true;
    return false;
}

static bool reasoning_first(const struct rubric *r)
{
    static const char *const words[] = {"although", "because", "despite",  "close",
                                        "easier",   "limit",   "negative", "因",
                                        "尽管",     "接近",    NULL};
    const char *choice = json_str(at(r, "/final_recommendation"), "choice", ""), *first = NULL;
    const cJSON *e;

    cJSON_ArrayForEach (e, r->events) {
        const cJSON *ranking = json_at(e, "/output/ranking");
        if (cJSON_IsArray(ranking) && cJSON_IsString(ranking->child))
            first = ranking->child->valuestring;
    }
    return first == NULL || strcmp(first, choice) == 0 ||
           any_word(at(r, "/final_recommendation/reasoning"), words);
}

static bool reasoning_cites(const struct rubric *r)
{
    const cJSON *f;

    cJSON_ArrayForEach (f, at(r, "/situation_analysis/key_findings")) {
        static const char *const open[] = {"not available", "no data", "缺少", "未提供", NULL};
        bool cites = cJSON_IsString(f) && strstr(f->valuestring, "[E") != NULL;
        if (!cites && !any_word(f, open))
            return false;
    }
    return true;
}

static bool reasoning_resolves(const struct rubric *r)
{
    cJSON *f;

    check_citations(r->c);
    cJSON_ArrayForEach (f, r->c->faults)
        if (strcmp(json_str(f, "reason", ""), "unresolved_citation") == 0)
            return false;
    return true;
}

static bool did_check(const struct rubric *r, const char *name)
{
    const cJSON *b;

    cJSON_ArrayForEach (b, at(r, "/decision_record/bias_checks"))
        if (strcmp(json_str(b, "check", ""), name) == 0)
            return true;
    return false;
}

static bool reasoning_biases(const struct rubric *r)
{
    return did_check(r, "sunk_cost") && did_check(r, "anchoring");
}

static bool reasoning_confidence(const struct rubric *r)
{
    cJSON *copy = json_own(r->c->a, cJSON_Duplicate(r->answer, true));

    return json_num(at(r, "/final_recommendation"), "confidence", 1) <=
           decision_cap_confidence(copy, r->c->ctx, r->c->a) + 1e-9;
}

static bool commitment_step(const struct rubric *r)
{
    return text_present(r, "/decision_record/commitment/first_step");
}

static bool commitment_owner(const struct rubric *r)
{
    static const char *const words[] = {"owner", "who decides", "负责人", NULL};

    return text_present(r, "/decision_record/commitment/owner") || names_missing(r, words);
}

static bool commitment_date(const struct rubric *r)
{
    return text_present(r, "/decision_record/commitment/by") ||
           text_present(r, "/decision_record/commitment/review_date");
}

static bool has_number(const struct rubric *r, const char *pointer)
{
    const cJSON *item;
    struct figure *f;

    cJSON_ArrayForEach (item, at(r, pointer))
        if (cJSON_IsString(item) && figures_scan(r->c->a, str_of(item->valuestring), "en", &f) > 0)
            return true;
    return false;
}

static bool commitment_stop(const struct rubric *r)
{
    return has_number(r, "/decision_record/commitment/stop_rules");
}

static bool commitment_trigger(const struct rubric *r)
{
    return has_number(r, "/decision_record/commitment/triggers");
}

static const struct link_row {
    const char *name;
    bool (*checks[5])(const struct rubric *r);
} links[] = {
    {"framing",
     {framing_question, framing_reversibility, framing_deadline, framing_scope, framing_limits}},
    {"objectives",
     {objectives_count, objectives_sum, objectives_measures, objectives_balance,
      objectives_not_money}},
    {"alternatives",
     {alternatives_count, alternatives_nothing, alternatives_later, alternatives_given,
      alternatives_marked}},
    {"information",
     {information_quotes, information_figures, information_missing, information_conflicts,
      information_base_rate}},
    {"uncertainties",
     {uncertainties_ranges, uncertainties_tool, uncertainties_factors, uncertainties_downside,
      uncertainties_basis}},
    {"trade_offs",
     {trade_between, trade_sensitivity, trade_computed, trade_assumed, trade_give_up}},
    {"reasoning",
     {reasoning_first, reasoning_cites, reasoning_resolves, reasoning_biases,
      reasoning_confidence}},
    {"commitment",
     {commitment_step, commitment_owner, commitment_date, commitment_stop, commitment_trigger}},
};

cJSON *decision_quality(const cJSON *answer, const struct validate_ctx *ctx, struct arena *a)
{
    struct validate_ctx strict = *ctx;
    cJSON *out = json_obj(a), *copy = json_own(a, cJSON_Duplicate(answer, true));
    struct check c = {.answer = copy, .ctx = &strict, .a = a, .faults = json_arr(a)};
    struct study *s = arena_new_of(a, struct study);
    struct err err = {0};
    int chain = 5, sum = 0;

    strict.tolerate_soft = false;
    c.s = study_make(s, a, ctx->request, ctx->material, &err) == 0 ? s : NULL;
    pool_fill(&c);
    struct rubric r = {copy, ctx->events, &c, c.s};
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        int points = 0;
        for (size_t k = 0; k < 5; k++)
            points += links[i].checks[k](&r);
        json_add_num(out, links[i].name, points);
        chain = MIN(chain, points);
        sum += points;
    }
    json_add_num(out, "chain", chain);
    json_add_num(out, "mean", (double)sum / (double)ARRAY_LEN(links));
    return out;
}
