/* validate_types.c: the parts that a type of decision has beside the others, by table. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate_rules.h"

enum kind { IS_STRING, IS_ARRAY, IS_OBJECT };

static const struct part_row {
    const char *type, *path;
    enum kind kind;
    int min;
} parts[] = {
    {"strategy", "/situation_analysis/current_position", IS_STRING, 1},
    {"strategy", "/situation_analysis/key_challenges", IS_ARRAY, 1},
    {"strategy", "/situation_analysis/key_opportunities", IS_ARRAY, 1},
    {"strategy", "/recommendations/0/strategic_pillars", IS_ARRAY, 3},
    {"strategy", "/alternative_strategies", IS_ARRAY, 2},
    {"strategy", "/implementation_roadmap/q1", IS_ARRAY, 0},
    {"strategy", "/implementation_roadmap/q2", IS_ARRAY, 0},
    {"strategy", "/implementation_roadmap/q3", IS_ARRAY, 0},
    {"strategy", "/implementation_roadmap/q4", IS_ARRAY, 0},
    {"strategy", "/resource_requirements/budget", IS_OBJECT, 0},
    {"strategy", "/resource_requirements/headcount", IS_OBJECT, 0},
    {"strategy", "/resource_requirements/technology", IS_ARRAY, 0},
    {"strategy", "/success_metrics", IS_ARRAY, 3},
    {"risk", "/risk_assessment/risk_breakdown", IS_ARRAY, 1},
    {"risk", "/risk_assessment/risk_matrix/high_probability_high_impact", IS_ARRAY, 0},
    {"risk", "/risk_assessment/risk_matrix/high_probability_low_impact", IS_ARRAY, 0},
    {"risk", "/risk_assessment/risk_matrix/low_probability_high_impact", IS_ARRAY, 0},
    {"risk", "/risk_assessment/risk_matrix/low_probability_low_impact", IS_ARRAY, 0},
    {"risk", "/monitoring_plan/key_indicators", IS_ARRAY, 1},
    {"risk", "/monitoring_plan/review_frequency", IS_STRING, 1},
    {"risk", "/monitoring_plan/escalation_triggers", IS_ARRAY, 1},
    {"risk", "/recommendations/0/risk_addressed", IS_STRING, 1},
    {"risk", "/recommendations/0/priority", IS_STRING, 1},
};

static bool fits(const cJSON *item, const struct part_row *row)
{
    switch (row->kind) {
    case IS_STRING:
        return cJSON_IsString(item) && item->valuestring[0] != '\0';
    case IS_ARRAY:
        return cJSON_IsArray(item) && cJSON_GetArraySize(item) >= row->min;
    case IS_OBJECT:
        return cJSON_IsObject(item);
    }
    return false;
}

static const cJSON *asked_areas(const cJSON *request)
{
    static const char *const paths[] = {"/risk_areas", "/context/risk_areas", "/context/areas",
                                        "/context/风险领域"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const cJSON *found = json_at(request, paths[i]);
        if (cJSON_IsArray(found) && found->child != NULL)
            return found;
    }
    return NULL;
}

static bool has_area(struct check *c, const char *area)
{
    const cJSON *row;
    struct str want = unicode_fold(c->a, str_of(area));

    cJSON_ArrayForEach (row, json_at(c->answer, "/risk_assessment/risk_breakdown")) {
        struct str have = unicode_fold(c->a, str_of(json_str(row, "category", "")));
        if (str_find(have, want) >= 0 || (have.n > 0 && str_find(want, have) >= 0))
            return true;
    }
    return false;
}

static void check_areas(struct check *c)
{
    static const char *const en[] = {"financial", "market", "operational"}, *const zh[] = {"财务",
                                                                                           "市场",
                                                                                           "运营"};
    const cJSON *asked = asked_areas(c->ctx->request), *item;
    bool chinese = c->s != NULL && c->s->zh;

    if (json_at(c->answer, "/risk_assessment/risk_breakdown") == NULL)
        return;
    cJSON_ArrayForEach (item, asked) {
        const char *area = cJSON_IsString(item) ? item->valuestring : json_str(item, "name", "");
        if (area[0] != '\0' && !has_area(c, area))
            add_fault(c, "/risk_assessment/risk_breakdown", "area_missing", false,
                      "The area \"%.60s\" was asked for.", area);
    }
    for (size_t i = 0; asked == NULL && i < 3; i++)
        if (!has_area(c, en[i]) && !(chinese && has_area(c, zh[i])))
            add_fault(c, "/risk_assessment/risk_breakdown", "area_missing", false,
                      "The area \"%s\" is missing.", chinese ? zh[i] : en[i]);
}

/* What gets worse needs somebody on it soon. */
static void check_worsening(struct check *c)
{
    const cJSON *row, *rec;
    bool worsening = false, urgent = false;

    cJSON_ArrayForEach (row, json_at(c->answer, "/risk_assessment/risk_breakdown"))
        worsening = worsening || strcmp(json_str(row, "trend", ""), "worsening") == 0;
    cJSON_ArrayForEach (rec, json_get(c->answer, "recommendations")) {
        const char *p = json_str(rec, "priority", "");
        urgent = urgent || strcmp(p, "urgent") == 0 || strcmp(p, "high") == 0;
    }
    if (worsening && !urgent)
        add_fault(
            c, "/recommendations", "worsening_without_priority", false,
            "An area whose trend is worsening needs a recommendation of priority urgent or high.");
}

void check_type_parts(struct check *c)
{
    const char *type = json_str(c->ctx->request, "decision_type", "general");

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct part_row *row = &parts[i];
        if (strcmp(row->type, type) == 0 && !fits(json_at(c->answer, row->path), row))
            add_fault(c, row->path, "type_part", false, "A decision of type %s needs this part%s.",
                      type, row->kind == IS_ARRAY && row->min > 1 ? " with enough entries" : "");
    }
    if (strcmp(type, "risk") == 0) {
        check_areas(c);
        check_worsening(c);
    }
}
