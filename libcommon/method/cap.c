/* cap.c: the most that a model may claim for its answer: 0.95 less what the record itself shows to
 * be open. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate_rules.h"
#include <math.h>

#define START 0.95
#define LEAST 0.05

struct cap {
    double value;
    cJSON *basis;
    struct arena *a;
    bool zh;
};

static void take(struct cap *c, double each, int n, double most, const char *en, const char *zh)
{
    double loss = MIN(each * n, most);

    if (n <= 0)
        return;
    c->value -= loss;
    json_push_str(c->basis, c->zh ? arena_printf(c->a, "减%.2f：%s", loss, zh)
                                  : arena_printf(c->a, "less %.2f: %s", loss, en));
}

static int count_true(const cJSON *list, const char *key)
{
    const cJSON *item;
    int n = 0;

    cJSON_ArrayForEach (item, list)
        n += json_bool(item, key, false);
    return n;
}

static int open_conflicts(const cJSON *answer, const struct study *s)
{
    int listed = cJSON_GetArraySize(json_at(answer, "/decision_record/information/conflicts")),
        found = 0;

    for (int i = 0; s != NULL && i < s->findings_count; i++)
        found += strcmp(s->findings[i].code, "conflict") == 0 ||
                 strcmp(s->findings[i].code, "unit_suspect") == 0;
    return MAX(listed, found);
}

static bool has_base_rate(const cJSON *answer, const struct study *s)
{
    const cJSON *rates = json_at(answer, "/decision_record/information/base_rates"), *b;

    cJSON_ArrayForEach (b, rates)
        if (cJSON_IsNumber(json_get(b, "rate")))
            return true;
    return s != NULL && !study_found(s, "no_base_rate");
}

static bool near_flip(const cJSON *answer, double weight_within, double other_within)
{
    const cJSON *f;

    cJSON_ArrayForEach (f, json_get(answer, "sensitivity")) {
        double at = json_num(f, "flip_at", NAN), now = json_num(f, "current", NAN);
        if (isnan(at) || isnan(now))
            continue;
        bool weight = strcmp(json_str(f, "kind", ""), "weight") == 0;
        double gap = weight || now == 0 ? fabs(at - now) : fabs(at / now - 1);
        if (gap <= (weight ? weight_within : other_within))
            return true;
    }
    return false;
}

static bool one_source(const cJSON *answer, const struct study *s)
{
    const cJSON *e;
    const char *first = NULL;
    bool several = false, interested = s != NULL && s->sources_count > 0;

    cJSON_ArrayForEach (e, json_get(answer, "evidence")) {
        const char *kind = json_str(e, "kind", ""), *ref = json_str(e, "ref", "");
        if (strcmp(kind, "document") != 0 && strcmp(kind, "context") != 0 &&
            strcmp(kind, "precedent") != 0)
            continue;
        several = several || (first != NULL && strcmp(first, ref) != 0);
        first = ref;
    }
    for (int i = 0; s != NULL && i < s->sources_count; i++)
        interested = interested && s->sources[i].interested;
    return !several || interested;
}

static int unverified(const cJSON *answer)
{
    const cJSON *e;
    int n = 0;

    cJSON_ArrayForEach (e, json_get(answer, "evidence"))
        n += cJSON_IsFalse(json_get(e, "verified"));
    return n;
}

static int weak_tools(const cJSON *events)
{
    static const char *const codes[] = {"ahp_inconsistent", "no_better_than_naive"};
    const cJSON *e, *w;
    int n = 0;

    cJSON_ArrayForEach (e, events)
        cJSON_ArrayForEach (w, json_at(e, "/output/warnings"))
            for (size_t i = 0; i < ARRAY_LEN(codes); i++)
                n += strcmp(json_str(w, "code", ""), codes[i]) == 0;
    return n;
}

static void all_losses(struct cap *c, const cJSON *answer, const struct validate_ctx *ctx,
                       const struct study *s)
{
    bool irreversible =
        strcmp(json_str(json_at(answer, "/decision_record/framing"), "reversibility", ""),
               "irreversible") == 0;

    take(c, 0.08, open_conflicts(answer, s), 0.24, "open conflicts of figures", "数据矛盾");
    take(c, 0.05,
         count_true(json_at(answer, "/decision_record/information/missing"), "could_change_choice"),
         0.20, "missing facts that could change the choice", "可能改变结论的缺失信息");
    take(c, 0.05, !has_base_rate(answer, s), 0.05, "no base rate", "缺少基础比率");
    take(c, 0.10, near_flip(answer, 0.10, 0.15), 0.10, "the nearest flip is close",
         "结论翻转点很近");
    take(c, 0.05, one_source(answer, s), 0.05,
         "all evidence from one source, or from an interested one", "证据来源单一或有利益关系");
    take(c, 0.05, irreversible && near_flip(answer, 0.30, 0.30), 0.05,
         "irreversible, and a flip within 30%", "不可逆且30%以内即翻转");
    take(c, 0.05, unverified(answer) + weak_tools(ctx->events), 0.15,
         "quotes not verified, or weak tool results", "引文未核实或工具结果偏弱");
}

double decision_cap_confidence(cJSON *answer, const struct validate_ctx *ctx, struct arena *a)
{
    cJSON *final = json_get(answer, "final_recommendation");
    struct study *s = arena_new_of(a, struct study);
    struct err err = {0};
    bool known = study_make(s, a, ctx->request, ctx->material, &err) == 0;
    double own = json_num(final, "confidence", 0);
    struct cap c = {START, cJSON_CreateArray(), a, known && s->zh};

    if (!cJSON_IsObject(final)) {
        cJSON_Delete(c.basis);
        return START;
    }
    json_push_str(c.basis, c.zh ? "上限0.95" : "cap 0.95");
    all_losses(&c, answer, ctx, known ? s : NULL);
    c.value = floor(MAX(c.value, LEAST) * 100 + 0.5) / 100;
    double confidence = MIN(own, c.value);
    if (own > c.value)
        json_push_str(c.basis,
                      c.zh ? arena_printf(a, "模型自评%.2f，下调至上限%.2f", own, c.value)
                           : arena_printf(a, "the model's own value %.2f was cut to the cap %.2f",
                                          own, c.value));
    else
        json_push_str(c.basis,
                      c.zh ? arena_printf(a, "上限%.2f；模型自评%.2f更低", c.value, own)
                           : arena_printf(a, "cap %.2f; the model's own value %.2f is not higher",
                                          c.value, own));
    cJSON_DeleteItemFromObjectCaseSensitive(final, "confidence_basis");
    cJSON_AddItemToObject(final, "confidence_basis", c.basis);
    cJSON_DeleteItemFromObjectCaseSensitive(final, "confidence");
    json_add_num(final, "confidence", confidence);
    cJSON_DeleteItemFromObjectCaseSensitive(final, "confidence_level");
    json_add_str(final, "confidence_level",
                 confidence < 0.5    ? "low"
                 : confidence < 0.75 ? "medium"
                                     : "high");
    return c.value;
}
