#include "libcommon/base/compat.h"
#include "services/api/analyze.h"
#include <math.h>

#define BAD API_DECISION_INVALID_QUERY

static const struct {
    size_t min, max;
    const char *type; /* NULL: the body says */
    const char *name; /* of the form, for params */
} forms[] = {
    [FORM_LONG] = {1, 10000, NULL, NULL},
    [FORM_SHORT] = {10, 5000, NULL, NULL},
    [FORM_INVESTMENT] = {10, 5000, "investment", "investment"},
    [FORM_RISK] = {10, 5000, "risk", "risk"},
    [FORM_STRATEGY] = {10, 5000, "strategy", "strategy"},
};

static int read_query(struct arena *a, const cJSON *body, enum analyze_form form,
                      struct analyze *out, struct fault *f)
{
    const char *z = NULL;

    if (field_required(body, "", "query", f) != 0 || field_string(body, "", "query", &z, f) != 0)
        return -1;
    struct str q = text_trim(str_of(z));
    size_t n = utf8_chars(q);
    if (n == 0)
        return fault_set(f, API_INVALID_INPUT, "", "query", "empty", "query field is required");
    if (n > forms[form].max)
        return fault_set(f, API_INVALID_INPUT, "", "query", "too_long",
                         "query exceeds maximum length");
    if (n < forms[form].min)
        return fault_set(f, API_INVALID_INPUT, "", "query", "too_short",
                         "query must have at least %zu characters", forms[form].min);
    out->query = arena_strndup(a, q.p, q.n);
    return 0;
}

static int read_context(struct str raw, const cJSON *body, struct analyze *out, struct fault *f)
{
    const cJSON *v = field_get(body, "context");

    if (v == NULL)
        return 0;
    if (cJSON_IsRaw(v)) /* see body.h */
        return fault_set(f, API_INVALID_INPUT, "", "context", "too_large",
                         "context is larger than 256 KiB");
    if (!cJSON_IsObject(v))
        return fault_set(f, API_INVALID_INPUT, "", "context", "wrong_type",
                         "context must be an object");
    if (json_depth(v) > CONTEXT_DEPTH_MAX)
        return fault_set(f, API_INVALID_INPUT, "", "context", "too_deep",
                         "context is nested deeper than %d levels", CONTEXT_DEPTH_MAX);
    if (json_raw(raw, "/context", &out->context) != 0 || out->context.n > CONTEXT_BYTES_MAX)
        return fault_set(f, API_INVALID_INPUT, "", "context", "too_large",
                         "context is larger than 256 KiB");
    return 0;
}

static int read_documents(struct arena *a, const cJSON *body, struct analyze *out, struct fault *f)
{
    const char **list = NULL;
    int n = 0;

    if (field_strings(a, body, "", "documents", 0, ANALYZE_DOCUMENTS_MAX, 200, BAD, &list, &n, f))
        return -1;
    out->documents = arena_array(a, struct uuid, n);
    for (int i = 0; i < n; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", i);
        if (uuid_parse(str_of(list[i]), &out->documents[i]) != 0)
            return fault_set(f, API_DATA_NOT_FOUND, "documents", number, "unknown",
                             "There is no such document");
        for (int j = 0; j < i; j++) /* the same id in another case */
            if (memcmp(&out->documents[i], &out->documents[j], sizeof(struct uuid)) == 0)
                return fault_set(f, BAD, "documents", number, "duplicate",
                                 "documents must be distinct");
    }
    out->document_count = n;
    return 0;
}

/* An unknown or malformed session id starts a new session; only its type is checked. */
static int read_session(const cJSON *body, struct analyze *out, struct fault *f)
{
    const char *z = NULL, *alias = NULL;

    if (field_string(body, "", "session_id", &z, f) != 0 ||
        field_string(body, "", "conversation_id", &alias, f) != 0)
        return -1;
    if (z == NULL)
        z = alias;
    out->has_session = z != NULL && uuid_parse(str_of(z), &out->session) == 0;
    if (!out->has_session)
        out->session = uuid_v7();
    return 0;
}

static int read_type(const cJSON *body, enum analyze_form form, struct analyze *out,
                     struct fault *f)
{
    static const char types[] = "investment|risk|strategy|general";
    const char *key = field_get(body, "decision_type") != NULL ? "decision_type" : "analysis_type";

    out->type = "general";
    if (forms[form].type != NULL) {
        out->type = forms[form].type;
        return 0;
    }
    return field_enum(body, "", key, types, BAD, &out->type, f);
}

static int read_modes(const cJSON *body, struct analyze *out, struct fault *f)
{
    out->agent_mode = "auto";
    out->mode = "sync";
    out->on_busy = "reject";
    out->include_analysis = true;
    if (field_bool(body, "", "include_analysis", &out->include_analysis, f) != 0 ||
        field_enum(body, "", "agent_mode", "auto|react|plan_and_execute|council", BAD,
                   &out->agent_mode, f) != 0 ||
        field_enum(body, "", "mode", "sync|async|stream", BAD, &out->mode, f) != 0 ||
        field_enum(body, "", "on_busy", "reject|queue|interrupt", BAD, &out->on_busy, f) != 0)
        return -1;
    return 0;
}

static int read_webhook(const cJSON *body, const char **out, struct fault *f)
{
    struct str url, host;

    if (field_text(body, "", "webhook_url", 1, 2048, BAD, out, f) != 0)
        return -1;
    if (*out == NULL)
        return 0;
    url = str_of(*out);
    host = str_starts(url, STR("https://")) ? (struct str){url.p + 8, url.n - 8} : STR("");
    size_t n = 0;
    while (n < host.n && strchr("/?#", host.p[n]) == NULL)
        n++;
    bool clean = n > 0 && memchr(host.p, '@', n) == NULL;
    for (size_t i = 0; i < url.n; i++)
        clean = clean && (unsigned char)url.p[i] > ' ' && (unsigned char)url.p[i] < 0x7f;
    if (!clean)
        return fault_set(f, BAD, "", "webhook_url", "not_https",
                         "webhook_url must be an https URL without credentials");
    return 0;
}

static int read_budget(const cJSON *body, const struct analyze_limits *l, cJSON *params,
                       struct fault *f)
{
    const struct {
        const char *key;
        bool whole;
        double min, max;
    } rows[] = {{"steps", true, 1, l->steps},
                {"seconds", true, 1, l->seconds},
                {"tokens", true, 1, l->tokens},
                {"usd", false, 0, l->usd}};
    const cJSON *budget = NULL;
    cJSON *out;

    if (field_object(body, "", "budget", &budget, f) != 0)
        return -1;
    if (budget == NULL)
        return 0;
    out = json_add_obj(params, "budget");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double v = NAN;
        if (field_number(budget, "budget", rows[i].key, rows[i].whole, rows[i].min, rows[i].max,
                         BAD, &v, f) != 0)
            return -1;
        if (!isnan(v))
            json_add_num(out, rows[i].key, v);
    }
    return 0;
}

/* What is kept must not point into the tree. */
static void keep(struct arena *a, struct analyze *out)
{
    for (int i = 0; i < out->option_count; i++)
        out->options[i] = arena_strdup(a, out->options[i]);
    out->type = arena_strdup(a, out->type);
    out->agent_mode = arena_strdup(a, out->agent_mode);
    out->mode = arena_strdup(a, out->mode);
    out->on_busy = arena_strdup(a, out->on_busy);
}

int analyze_read(struct arena *a, struct str raw, const cJSON *body, enum analyze_form form,
                 const struct analyze_limits *limits, struct analyze *out, struct fault *f)
{
    cJSON *params = json_obj(a);
    const char *webhook = NULL;

    memset(out, 0, sizeof(*out));
    if (read_query(a, body, form, out, f) != 0 || read_context(raw, body, out, f) != 0 ||
        field_strings(a, body, "", "options", 1, 10, 200, BAD, &out->options, &out->option_count,
                      f) != 0 ||
        read_documents(a, body, out, f) != 0 || read_type(body, form, out, f) != 0 ||
        read_session(body, out, f) != 0 || read_modes(body, out, f) != 0 ||
        read_webhook(body, &webhook, f) != 0 || read_budget(body, limits, params, f) != 0)
        return -1;
    if (forms[form].name != NULL &&
        form_read(a, raw, body, form, out->context, &out->context, f) != 0)
        return -1;
    json_add_bool(params, "include_analysis", out->include_analysis);
    if (strcmp(out->on_busy, "queue") == 0)
        json_add_str(params, "on_busy", out->on_busy);
    if (webhook != NULL)
        json_add_str(params, "webhook_url", webhook);
    if (forms[form].name != NULL)
        json_add_str(params, "form", forms[form].name);
    out->params = json_print(a, params);
    keep(a, out);
    return 0;
}
