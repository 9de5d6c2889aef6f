/* The typed forms. Each is a table of fields; what they hold goes into the decision's context under
 * the same names, byte by byte, so that the agents see one shape whatever the endpoint. */
#include "libcommon/base/compat.h"
#include "services/api/analyze.h"

#define BAD API_DECISION_INVALID_QUERY

enum kind {
    KIND_ANY,        /* any value */
    KIND_TEXT,       /* string, 1..max characters */
    KIND_ENUM,       /* one of allowed */
    KIND_OBJECT,     /* object, not empty */
    KIND_STRINGS,    /* array of 1..max distinct strings */
    KIND_LIST,       /* array of at least one item */
    KIND_FINANCIALS, /* period -> {revenue, profit, cash_flow} */
    KIND_PROFILE,    /* {industry, name, size, stage} */
    KIND_SWOT        /* object of arrays of strings */
};

struct form_field {
    const char *name;
    enum kind kind;
    bool required;
    size_t max;
    const char *allowed;
    const char *dflt; /* raw JSON that stands when it is absent; NULL: nothing */
};

#define TOLERANCE                                                                                 \
    {                                                                                             \
        "risk_tolerance", KIND_ENUM, false, 0, "conservative|moderate|aggressive", "\"moderate\"" \
    }

static const struct form_field investment[] = {
    {"company_financials", KIND_FINANCIALS, true, 0, NULL, NULL},
    {"decision_type", KIND_TEXT, true, 200, NULL, NULL},
    {"budget_range", KIND_ANY, true, 0, NULL, NULL},
    TOLERANCE,
    {"competitor_data", KIND_ANY, false, 0, NULL, NULL},
    {"market_report", KIND_TEXT, false, 10000, NULL, NULL},
    {"constraints", KIND_ANY, false, 0, NULL, NULL},
};
static const struct form_field risk[] = {
    {"company_profile", KIND_PROFILE, true, 0, NULL, NULL},
    {"financial_health", KIND_OBJECT, true, 0, NULL, NULL},
    {"risk_areas", KIND_STRINGS, false, 20, NULL, "[\"financial\",\"market\",\"operational\"]"},
    {"external_factors", KIND_ANY, false, 0, NULL, NULL},
    {"historical_incidents", KIND_ANY, false, 0, NULL, NULL},
    TOLERANCE,
};
static const struct form_field strategy[] = {
    {"business_status", KIND_OBJECT, true, 0, NULL, NULL},
    {"strategic_goals", KIND_LIST, true, 0, NULL, NULL},
    {"constraints", KIND_ANY, false, 0, NULL, NULL},
    {"swot", KIND_SWOT, false, 0, NULL, NULL},
    {"market_analysis", KIND_ANY, false, 0, NULL, NULL},
    {"competitor_info", KIND_ANY, false, 0, NULL, NULL},
    {"time_horizon", KIND_TEXT, false, 100, NULL, "\"12_months\""},
};

static const struct {
    const struct form_field *fields;
    size_t count;
} tables[] = {
    [FORM_INVESTMENT] = {investment, ARRAY_LEN(investment)},
    [FORM_RISK] = {risk, ARRAY_LEN(risk)},
    [FORM_STRATEGY] = {strategy, ARRAY_LEN(strategy)},
};

/* --- the kinds
 * --- */

/* "12M", "-1.5B", "$3,200", "2.5 million", "3万": an amount as people write it. */
static bool is_amount(const char *z)
{
    static const char units[] = "K|M|B|T|k|m|b|t|bn|mn|thousand|million|billion|trillion|万|亿|%";
    struct str s = text_trim(str_of(z));
    size_t i = 0, digits = 0;

    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        i++;
    while (i < s.n && (s.p[i] == '$' || (unsigned char)s.p[i] >= 0x80)) /* a currency sign */
        i++;
    for (; i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == ',' || s.p[i] == '.'); i++)
        digits += s.p[i] >= '0' && s.p[i] <= '9';
    struct str unit = str_trim((struct str){s.p + i, s.n - i});
    char word[32];
    if (digits == 0 || unit.n >= sizeof(word))
        return false;
    snprintf(word, sizeof(word), "%.*s", STR_ARG(unit));
    return unit.n == 0 || word_in(word, units);
}

static int check_amount(const cJSON *period, const char *path, const char *key, bool not_negative,
                        struct fault *f)
{
    const cJSON *v = field_get(period, key);
    bool negative;

    if (v == NULL)
        return 0;
    if (!cJSON_IsNumber(v) && !cJSON_IsString(v))
        return fault_set(f, API_INVALID_REQUEST, path, key, "wrong_type",
                         "%s must be a number or a string such as 12M", key);
    if (cJSON_IsString(v) && !is_amount(v->valuestring))
        return fault_set(f, BAD, path, key, "not_an_amount",
                         "%s must be a number or a string such as 12M or 1.5B", key);
    negative =
        cJSON_IsNumber(v) ? v->valuedouble < 0 : text_trim(str_of(v->valuestring)).p[0] == '-';
    if (not_negative && negative)
        return fault_set(f, BAD, path, key, "out_of_range", "%s must not be negative", key);
    return 0;
}

static int check_financials(const cJSON *v, const char *name, struct fault *f)
{
    char path[200];

    for (const cJSON *p = v->child; p != NULL; p = p->next) {
        snprintf(path, sizeof(path), "%s/%.100s", name, p->string);
        if (!cJSON_IsObject(p))
            return fault_set(f, API_INVALID_REQUEST, path, "", "wrong_type",
                             "a period of %s must be an object", name);
        if (check_amount(p, path, "revenue", true, f) != 0 ||
            check_amount(p, path, "profit", false, f) != 0 ||
            check_amount(p, path, "cash_flow", false, f) != 0)
            return -1;
    }
    return 0;
}

static int check_profile(const cJSON *v, const char *name, struct fault *f)
{
    const char *ignored = NULL;

    if (field_text(v, name, "industry", 1, 50, BAD, &ignored, f) != 0 ||
        field_text(v, name, "name", 1, 100, BAD, &ignored, f) != 0)
        return -1;
    return 0;
}

static int check_swot(const cJSON *v, const char *name, struct fault *f)
{
    char path[200];

    for (const cJSON *list = v->child; list != NULL; list = list->next) {
        snprintf(path, sizeof(path), "%s/%.100s", name, list->string);
        if (!cJSON_IsArray(list))
            return fault_set(f, API_INVALID_REQUEST, path, "", "wrong_type",
                             "a part of %s must be an array of strings", name);
        for (const cJSON *it = list->child; it != NULL; it = it->next)
            if (!cJSON_IsString(it))
                return fault_set(f, API_INVALID_REQUEST, path, "", "wrong_type",
                                 "a part of %s must hold strings only", name);
    }
    return 0;
}

static int check_object(const cJSON *body, const struct form_field *row, struct fault *f)
{
    const cJSON *v = NULL;

    if (field_object(body, "", row->name, &v, f) != 0)
        return -1;
    if (v->child == NULL && row->kind != KIND_SWOT)
        return fault_set(f, BAD, "", row->name, "empty", "%s must not be empty", row->name);
    switch (row->kind) {
    case KIND_FINANCIALS:
        return check_financials(v, row->name, f);
    case KIND_PROFILE:
        return check_profile(v, row->name, f);
    case KIND_SWOT:
        return check_swot(v, row->name, f);
    default:
        return 0;
    }
}

static int check_field(struct arena *a, const cJSON *body, const struct form_field *row,
                       struct fault *f)
{
    const cJSON *v = field_get(body, row->name);
    const char *text = NULL, **list = NULL;
    int n = 0;

    if (row->required && field_required(body, "", row->name, f) != 0)
        return -1;
    if (v == NULL)
        return 0;
    if (cJSON_IsRaw(v))
        return fault_set(f, API_INVALID_INPUT, "", row->name, "too_large",
                         "%s is larger than 256 KiB", row->name);
    if (json_depth(v) >= CONTEXT_DEPTH_MAX)
        return fault_set(f, API_INVALID_INPUT, "", row->name, "too_deep",
                         "%s is nested deeper than %d levels", row->name, CONTEXT_DEPTH_MAX - 1);
    switch (row->kind) {
    case KIND_ANY:
        return 0;
    case KIND_TEXT:
        return field_text(body, "", row->name, 1, row->max, BAD, &text, f);
    case KIND_ENUM:
        return field_enum(body, "", row->name, row->allowed, BAD, &text, f);
    case KIND_STRINGS:
        return field_strings(a, body, "", row->name, 1, (int)row->max, 100, BAD, &list, &n, f);
    case KIND_LIST:
        if (!cJSON_IsArray(v))
            return fault_set(f, API_INVALID_REQUEST, "", row->name, "wrong_type",
                             "%s must be an array", row->name);
        if (v->child == NULL)
            return fault_set(f, BAD, "", row->name, "too_few", "%s must hold at least one goal",
                             row->name);
        return 0;
    default:
        return check_object(body, row, f);
    }
}

/* --- the context
 * --- */

static bool of_form(enum analyze_form form, const char *name)
{
    for (size_t i = 0; i < tables[form].count; i++)
        if (strcmp(tables[form].fields[i].name, name) == 0)
            return true;
    return false;
}

static void add_member(struct buf *b, const char *name, struct str raw)
{
    if (b->n > 1)
        buf_putc(b, ',');
    json_quote(b, str_of(name));
    buf_putc(b, ':');
    buf_str(b, raw);
}

/* The raw value of one member, whatever its name holds. */
static struct str raw_member(struct arena *a, struct str object, const char *name)
{
    struct str out = {NULL, 0};
    struct buf pointer;

    buf_init(&pointer, CONTEXT_BYTES_MAX);
    buf_putc(&pointer, '/');
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '~' || *p == '/')
            buf_puts(&pointer, *p == '~' ? "~0" : "~1");
        else
            buf_putc(&pointer, *p);
    }
    if (json_raw(object, arena_strndup(a, pointer.p, pointer.n), &out) != 0)
        out = (struct str){NULL, 0};
    buf_done(&pointer);
    return out;
}

static void add_own_context(struct arena *a, struct buf *b, const cJSON *body, struct str context,
                            enum analyze_form form)
{
    for (const cJSON *it = field_get(body, "context")->child; it != NULL; it = it->next)
        if (!of_form(form, it->string))
            add_member(b, it->string, raw_member(a, context, it->string));
}

int form_read(struct arena *a, struct str raw, const cJSON *body, enum analyze_form form,
              struct str context, struct str *out, struct fault *f)
{
    struct buf b;
    int rc = 0;

    buf_init(&b, CONTEXT_BYTES_MAX);
    buf_putc(&b, '{');
    if (context.p != NULL)
        add_own_context(a, &b, body, context, form);
    for (size_t i = 0; i < tables[form].count && rc == 0; i++) {
        const struct form_field *row = &tables[form].fields[i];
        rc = check_field(a, body, row, f);
        if (rc == 0 && field_get(body, row->name) != NULL)
            add_member(&b, row->name, raw_member(a, raw, row->name));
        else if (rc == 0 && row->dflt != NULL)
            add_member(&b, row->name, str_of(row->dflt));
    }
    buf_putc(&b, '}');
    if (rc == 0 && b.overflow)
        rc = fault_set(f, API_INVALID_INPUT, "", "context", "too_large",
                       "context and the form's fields are larger than 256 KiB");
    if (rc == 0)
        *out = arena_str(a, buf_view(&b));
    buf_done(&b);
    return rc;
}
