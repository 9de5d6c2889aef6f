/* validate.c: names first, then the shape, then the rules; when the shape is wrong the rules would
 * only repeat it. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate_rules.h"
#include <math.h>
#include "libcommon/base/schema.h"
#include "libcommon/method/lang.h"
#include "libcommon/method/tool.h"

#define FAULTS_MAX 40

void add_fault(struct check *c, const char *field, const char *reason, bool soft, const char *fmt,
               ...)
{
    char message[400];
    va_list ap;

    if (cJSON_GetArraySize(c->faults) >= FAULTS_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    struct str text = str_of(message);
    while (text.n > 0 && !utf8_valid(text))
        text.n--;
    cJSON *f = cJSON_CreateObject();
    json_add_str(f, "field", field);
    json_add_str(f, "reason", reason);
    json_add_strn(f, "message", text);
    if (soft)
        json_add_bool(f, "soft", true);
    cJSON_AddItemToArray(c->faults, f);
}

static bool check_schema(struct check *c)
{
    const cJSON *root = tool_schema_root();
    const cJSON *schema =
        root == NULL ? NULL : json_get(json_get(root, "$defs"), "submit_decision.input");
    struct schema_fault found[FAULTS_MAX];

    if (schema == NULL)
        return true;
    int n = schema_validate(schema, root, c->answer, found, FAULTS_MAX);
    for (int i = 0; i < n && i < FAULTS_MAX; i++)
        add_fault(c, found[i].field, found[i].reason, false, "%s", found[i].message);
    return n == 0;
}

static const char *option_name(const cJSON *o)
{
    return cJSON_IsString(o) ? o->valuestring : json_str(o, "name", json_str(o, "title", ""));
}

static void check_choice(struct check *c)
{
    const cJSON *options = json_get(c->ctx->request, "options"), *o;
    cJSON *final = json_get(c->answer, "final_recommendation");
    const char *choice = json_str(final, "choice", "");
    struct str want = unicode_fold(c->a, str_of(choice));
    bool any = false;

    if (!cJSON_IsArray(options) || options->child == NULL)
        return;
    cJSON_ArrayForEach (o, options) {
        const char *name = option_name(o);
        any = any || str_trim(str_of(name)).n > 0;
        if (strcmp(name, choice) == 0)
            return;
        if (str_eq(unicode_fold(c->a, str_of(name)),
                   want)) { /* case and spaces apart it is this one */
            cJSON_ReplaceItemInObjectCaseSensitive(final, "choice", cJSON_CreateString(name));
            return;
        }
    }
    if (!any)
        return;
    add_fault(c, "/final_recommendation/choice", "not_an_option", false,
              "\"%.80s\" is not one of the options given; use one of them, letter for letter.",
              choice);
}

static void check_weights(struct check *c)
{
    const cJSON *list = json_at(c->answer, "/decision_record/objectives"), *o;
    double sum = 0;

    cJSON_ArrayForEach (o, list)
        sum += json_num(o, "weight", 0);
    if (fabs(sum - 1) > 0.01)
        add_fault(c, "/decision_record/objectives", "weights_not_one", false,
                  "The weights sum to %.3f; they must sum to 1.", sum);
}

static const char *level_of_overall(double v)
{
    return v <= 3 ? "low" : v <= 5 ? "medium" : v <= 7 ? "high" : "critical";
}

static void check_levels(struct check *c)
{
    const cJSON *risk = json_get(c->answer, "risk_assessment"),
                *final = json_get(c->answer, "final_recommendation");
    double score = json_num(risk, "overall_score", 5),
           confidence = json_num(final, "confidence", 0);
    const char *want = level_of_overall(score);

    if (strcmp(json_str(risk, "risk_level", ""), want) != 0)
        add_fault(c, "/risk_assessment/risk_level", "level_mismatch", false,
                  "An overall_score of %.0f is \"%s\".", score, want);
    want = confidence < 0.5 ? "low" : confidence < 0.75 ? "medium" : "high";
    if (strcmp(json_str(final, "confidence_level", ""), want) != 0)
        add_fault(c, "/final_recommendation/confidence_level", "level_mismatch", false,
                  "A confidence of %.2f is \"%s\".", confidence, want);
}

static void count_letters(struct str t, size_t *han, size_t *letters)
{
    size_t pos = 0;

    while (pos < t.n) {
        uint32_t cp = utf8_next(t, &pos);
        *han += unicode_is_han(cp);
        *letters += unicode_is_letter(cp);
    }
}

static void check_language(struct check *c)
{
    bool other = false;
    const char *lang = c->ctx->lang, *query = json_str(c->ctx->request, "query", "");
    size_t han = 0, letters = 0;

    if (lang == NULL)
        lang = lang_detect(str_of(query), &other);
    count_letters(str_of(json_str(json_get(c->answer, "final_recommendation"), "reasoning", "")),
                  &han, &letters);
    count_letters(str_of(json_str(json_get(c->answer, "situation_analysis"), "summary", "")), &han,
                  &letters);
    if (letters == 0 || other)
        return;
    bool chinese = han * 5 >= letters;
    if (strcmp(lang, "zh") == 0 && !chinese)
        add_fault(c, "/final_recommendation/reasoning", "language", false,
                  "The question is in Chinese; answer in Chinese.");
    else if (strcmp(lang, "en") == 0 && han * 2 > letters)
        add_fault(c, "/final_recommendation/reasoning", "language", false,
                  "The question is in English; answer in English.");
}

int decision_validate(cJSON *answer, const struct validate_ctx *ctx, struct arena *a,
                      cJSON **faults)
{
    static void (*const rules[])(struct check *) = {
        check_choice,     check_weights,  check_levels, check_citations, check_sensitivity,
        check_type_parts, check_language, check_quotes, check_figures};
    struct check c = {.answer = answer, .ctx = ctx, .a = a, .faults = json_arr(a)};
    struct err err = {0};

    *faults = c.faults;
    if (!cJSON_IsObject(answer)) {
        add_fault(&c, "", "type", false, "The answer must be one JSON object.");
        return ERR_INVALID;
    }
    decision_rename(answer);
    if (!check_schema(&c))
        return 0;
    c.s = arena_new_of(a, struct study);
    if (study_make(c.s, a, ctx->request, ctx->material, &err) != 0)
        c.s = NULL;
    pool_fill(&c);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        rules[i](&c);
    return 0;
}
