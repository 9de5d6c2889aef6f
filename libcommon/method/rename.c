/* rename.c: the names and values that models use instead of ours, by table. Only what means the
 * same is renamed; a value that cannot be read is left for the schema to refuse. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate.h"
#include <math.h>
#include <strings.h>

static const struct rename_row {
    const char *where, *from, *to; /* where: JSON Pointer; a trailing star walks a list */
} renames[] = {
    {"/risk_assessment", "risk_score", "overall_score"},
    {"/risk_assessment", "overall_risk_score", "overall_score"},
    {"/risk_assessment", "level", "risk_level"},
    {"/risk_assessment", "overall_level", "risk_level"},
    {"/risk_assessment", "risks", "risk_factors"},
    {"/risk_assessment/risk_factors/*", "category", "name"},
    {"/risk_assessment/risk_factors/*", "risk", "name"},
    {"/risk_assessment/risk_factors/*", "severity", "level"},
    {"/risk_assessment/risk_factors/*", "risk_level", "level"},
    {"/risk_assessment/risk_factors/*", "description", "reason"},
    {"/risk_assessment/risk_breakdown/*", "area", "category"},
    {"/risk_assessment/risk_breakdown/*", "risk_score", "score"},
    {"/recommendations/*", "severity", "risk_level"},
    {"/recommendations/*", "name", "title"},
    {"/final_recommendation", "chosen_option", "choice"},
    {"/final_recommendation", "option", "choice"},
    {"/final_recommendation", "recommended_option", "choice"},
    {"/final_recommendation", "rationale", "reasoning"},
    {"/final_recommendation", "assumptions", "key_assumptions"},
    {"", "recommendation", "final_recommendation"},
    {"", "risks", "risk_assessment"},
};

static const struct level_row {
    const char *from, *to;
} levels[] = {
    {"low", "low"},
    {"very low", "low"},
    {"minor", "low"},
    {"medium", "medium"},
    {"moderate", "medium"},
    {"low-medium", "medium"},
    {"low-moderate", "medium"},
    {"medium-low", "medium"},
    {"high", "high"},
    {"medium-high", "high"},
    {"moderate-high", "high"},
    {"high-medium", "high"},
    {"major", "high"},
    {"significant", "high"},
    {"critical", "critical"},
    {"very high", "critical"},
    {"high-critical", "critical"},
    {"severe", "critical"},
    {"extreme", "critical"},
    {"低", "low"},
    {"中", "medium"},
    {"中等", "medium"},
    {"高", "high"},
    {"中高", "high"},
    {"严重", "critical"},
    {"极高", "critical"},
};

static void rename_key(cJSON *obj, const char *from, const char *to)
{
    if (!cJSON_IsObject(obj) || json_get(obj, from) == NULL || json_get(obj, to) != NULL)
        return;
    cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(obj, from);
    cJSON_AddItemToObject(obj, to, item);
}

static void apply_rename(cJSON *answer, const struct rename_row *row)
{
    char where[96];
    size_t n = strlen(row->where);
    bool list = n >= 2 && strcmp(row->where + n - 2, "/*") == 0;

    snprintf(where, sizeof(where), "%.*s", (int)(list ? n - 2 : n), row->where);
    cJSON *at = json_at(answer, where), *item;
    if (!list)
        rename_key(at, row->from, row->to);
    else if (cJSON_IsArray(at))
        cJSON_ArrayForEach (item, at)
            rename_key(item, row->from, row->to);
}

static void fold_level(cJSON *obj, const char *key)
{
    cJSON *item = json_get(obj, key);
    char text[32];
    size_t n;

    if (!cJSON_IsString(item) || (n = strlen(item->valuestring)) >= sizeof(text))
        return;
    for (size_t i = 0; i <= n; i++)
        text[i] =
            item->valuestring[i] == '_' || item->valuestring[i] == '/' ? '-' : item->valuestring[i];
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcasecmp(levels[i].from, text) != 0)
            continue;
        if (strcmp(item->valuestring, levels[i].to) != 0)
            cJSON_ReplaceItemInObjectCaseSensitive(obj, key, cJSON_CreateString(levels[i].to));
        return;
    }
}

static void set_number(cJSON *obj, const char *key, double v)
{
    cJSON_ReplaceItemInObjectCaseSensitive(obj, key, cJSON_CreateNumber(v));
}

/* "7", "7/10", 7.4: a whole number within its range. */
static void fold_score(cJSON *obj, const char *key, double low, double high)
{
    cJSON *item = json_get(obj, key);
    double v = NAN;

    if (cJSON_IsNumber(item)) {
        v = item->valuedouble;
    } else if (cJSON_IsString(item)) {
        struct str rest = str_of(item->valuestring);
        double read;
        if (str_f64(str_trim(str_split(&rest, '/')), &read) == 0)
            v = read;
    }
    if (isfinite(v))
        set_number(obj, key, MIN(MAX(floor(v + 0.5), low), high));
}

static const char *level_of(double score)
{
    return score <= 3 ? "low" : score <= 5 ? "medium" : score <= 7 ? "high" : "critical";
}

static void fold_confidence(cJSON *final)
{
    cJSON *item = json_get(final, "confidence");
    double v = cJSON_IsNumber(item) ? item->valuedouble : NAN;

    if (cJSON_IsString(item)) {
        struct str text = str_of(item->valuestring);
        bool percent = text.n > 0 && text.p[text.n - 1] == '%';
        double read;
        if (str_f64(str_trim((struct str){text.p, text.n - percent}), &read) == 0)
            v = percent ? read / 100 : read;
    }
    if (isfinite(v) && v > 1 && v <= 100)
        v /= 100;
    if (isfinite(v))
        set_number(final, "confidence", MIN(MAX(v, 0), 1));
    fold_level(final, "confidence_level");
    if (isfinite(v) && json_get(final, "confidence_level") == NULL)
        json_add_str(final, "confidence_level", v < 0.5 ? "low" : v < 0.75 ? "medium" : "high");
}

static void fold_risk(cJSON *risk)
{
    const double before = json_num(risk, "overall_score", NAN);

    fold_score(risk, "overall_score", 1, 10);
    fold_level(risk, "risk_level");
    const double score = json_num(risk, "overall_score", NAN);
    bool clamped = isfinite(before) && (before < 1 || before > 10);
    if (!isfinite(score))
        return;
    if (json_get(risk, "risk_level") == NULL)
        json_add_str(risk, "risk_level", level_of(score));
    else if (clamped)
        cJSON_ReplaceItemInObjectCaseSensitive(risk, "risk_level",
                                               cJSON_CreateString(level_of(score)));
}

static void each(cJSON *list, void (*fn)(cJSON *item))
{
    cJSON *item;

    if (cJSON_IsArray(list))
        cJSON_ArrayForEach (item, list)
            fn(item);
}

static void fold_factor(cJSON *item)
{
    fold_level(item, "level");
}

static void fold_recommendation(cJSON *item)
{
    fold_level(item, "risk_level");
}

static void fold_area(cJSON *item)
{
    fold_score(item, "score", 1, 10);
}

void decision_rename(cJSON *answer)
{
    if (!cJSON_IsObject(answer))
        return;
    for (size_t i = 0; i < ARRAY_LEN(renames); i++)
        apply_rename(answer, &renames[i]);
    cJSON *risk = json_get(answer, "risk_assessment");
    if (cJSON_IsObject(risk)) {
        fold_risk(risk);
        each(json_get(risk, "risk_factors"), fold_factor);
        each(json_get(risk, "risk_breakdown"), fold_area);
    }
    each(json_get(answer, "recommendations"), fold_recommendation);
    each(json_get(answer, "alternative_strategies"), fold_recommendation);
    cJSON *final = json_get(answer, "final_recommendation");
    if (cJSON_IsObject(final))
        fold_confidence(final);
}
