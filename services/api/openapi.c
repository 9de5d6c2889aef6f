#include "libcommon/base/compat.h"
#include "services/api/openapi.h"
#include "libcommon/base/embed.h"
#include "libcommon/base/err_codes.h"
#include "services/api/route.h"

EMBED(api_schemas_json, "services/api/schemas.json");

#define REF "#/components/schemas/"

static cJSON *add_ref(struct arena *a, cJSON *obj, const char *key, const char *schema)
{
    cJSON *s = json_add_obj(obj, key);

    json_add_str(s, "$ref", arena_printf(a, REF "%s", schema));
    return s;
}

/* --- parameters
 * --- */

#define TIME "{\"type\":\"string\",\"anyOf\":[{\"format\":\"date\"},{\"format\":\"date-time\"}]}"

static const struct {
    const char *name, *schema, *help;
} query_params[] = {
    {"page", "{\"type\":\"integer\",\"minimum\":1,\"default\":1}", "Page, from 1"},
    {"page_size", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":20}",
     "Rows of a page"},
    {"cursor", "{\"type\":\"string\"}",
     "Instead of page: next_cursor of the answer before; empty at first"},
    {"status",
     "{\"type\":\"string\",\"enum\":[\"pending\",\"running\",\"waiting_input\",\"completed\","
     "\"failed\",\"cancelled\"]}",
     "Only with this status"},
    {"decision_type",
     "{\"type\":\"string\",\"enum\":[\"investment\",\"risk\",\"strategy\",\"general\"]}",
     "Only of this type"},
    {"from", TIME, "Not older than this, ISO 8601"},
    {"to", TIME, "Not newer than this, ISO 8601"},
    {"proof", "{\"type\":\"boolean\"}", "Adds salt and payload, to recompute the chain"},
    {"wait", "{\"type\":\"integer\",\"minimum\":0,\"maximum\":60}",
     "Seconds to wait until the document is ready or failed"},
    {"q", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":1000}", "What is looked for"},
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":10}",
     "Results at most"},
    {"type", "{\"type\":\"string\"}", "Only documents of this type"},
    {"source", "{\"type\":\"string\"}", "Only documents of this source"},
    {"format", "{\"type\":\"string\",\"enum\":[\"md\",\"html\",\"json\"],\"default\":\"md\"}",
     "Markdown, a page, or the decision object"},
    {"category",
     "{\"type\":\"string\",\"enum\":[\"data\",\"decision\",\"knowledge\",\"integration\","
     "\"system\"]}",
     "Only skills of this category"},
};

static void add_param(cJSON *list, const char *in, const char *name, const char *schema,
                      const char *help, bool required)
{
    cJSON *p = cJSON_CreateObject();

    json_add_str(p, "name", name);
    json_add_str(p, "in", in);
    json_add_bool(p, "required", required);
    if (help != NULL)
        json_add_str(p, "description", help);
    cJSON_AddRawToObject(p, "schema", schema);
    cJSON_AddItemToArray(list, p);
}

static void add_query(cJSON *list, const char *names)
{
    struct str rest = str_of(names);

    while (rest.p != NULL && rest.n > 0) {
        struct str name = str_split(&rest, ' ');
        for (size_t i = 0; i < ARRAY_LEN(query_params); i++)
            if (str_eqz(name, query_params[i].name))
                add_param(list, "query", query_params[i].name, query_params[i].schema,
                          query_params[i].help, str_eq(name, STR("q")));
    }
}

static void add_path(struct arena *a, cJSON *list, const char *pattern)
{
    struct str rest = str_of(pattern);

    while (rest.p != NULL) {
        struct str part = str_split(&rest, '/');
        if (part.n > 2 && part.p[0] == '{')
            add_param(list, "path", arena_strndup(a, part.p + 1, part.n - 2),
                      "{\"type\":\"string\"}", NULL, true);
    }
}

static void add_parameters(struct arena *a, cJSON *op, const struct route *row)
{
    cJSON *list = json_add_arr(op, "parameters");

    add_path(a, list, row->pattern);
    add_query(list, row->query);
    if (row->rate == RATE_ANALYZE)
        add_param(list, "header", "Idempotency-Key",
                  "{\"type\":\"string\",\"pattern\":\"^[ -~]{1,255}$\"}",
                  "The same key and body within 24 hours give the first answer", false);
    if (row->response_schema != NULL && strcmp(row->response_schema, "EventStream") == 0)
        add_param(list, "header", "Last-Event-ID", "{\"type\":\"string\"}",
                  "Continues behind this event", false);
}

/* --- answers
 * --- */

static const char *media_of(const struct route *row)
{
    static const struct {
        const char *schema, *media;
    } rows[] = {{"EventStream", "text/event-stream"},
                {"Text", "text/plain"},
                {"Report", "text/markdown"},
                {"Html", "text/html"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].schema, row->response_schema) == 0)
            return rows[i].media;
    return "application/json";
}

static void add_envelope(struct arena *a, cJSON *media, const struct route *row)
{
    cJSON *schema = json_add_obj(media, "schema"), *props, *required;

    json_add_str(schema, "type", "object");
    required = json_add_arr(schema, "required");
    json_push_str(required, "success");
    json_push_str(required, "data");
    json_push_str(required, "metadata");
    props = json_add_obj(schema, "properties");
    json_add_bool(json_add_obj(props, "success"), "const", true);
    add_ref(a, props, "data", row->response_schema);
    if (strcmp(row->response_schema, "DecisionPage") == 0)
        add_ref(a, props, "pagination", "Pagination");
    add_ref(a, props, "metadata", "Metadata");
}

static void add_success(struct arena *a, cJSON *responses, const struct route *row, int status)
{
    cJSON *answer = json_add_obj(responses, arena_printf(a, "%d", status)), *media;

    json_add_str(answer, "description", status == 202 ? "Accepted; it goes on" : "Success");
    if (row->response_schema == NULL)
        return;
    media = json_add_obj(json_add_obj(answer, "content"), media_of(row));
    if (row->flags & ROUTE_RAW)
        add_ref(a, media, "schema", row->response_schema);
    else
        add_envelope(a, media, row);
}

static void add_error(struct arena *a, cJSON *responses, int status, const char *what)
{
    cJSON *answer = json_add_obj(responses, arena_printf(a, "%d", status));
    cJSON *content;

    json_add_str(answer, "description", what);
    content = json_add_obj(answer, "content");
    add_ref(a, json_add_obj(content, "application/json"), "schema", "Error");
}

/* mode "stream" answers 200, beside or instead of what is there. */
static void add_stream(struct arena *a, cJSON *responses)
{
    cJSON *answer = json_get(responses, "200");

    if (answer == NULL) {
        answer = json_add_obj(responses, "200");
        json_add_str(answer, "description", "Success, as a stream");
        json_add_obj(answer, "content");
    }
    add_ref(a, json_add_obj(json_get(answer, "content"), "text/event-stream"), "schema",
            "EventStream");
}

/* The report has further formats. */
static void add_report(struct arena *a, cJSON *responses)
{
    cJSON *content = json_get(json_get(responses, "200"), "content");

    add_ref(a, json_add_obj(content, "text/html"), "schema", "Html");
    add_ref(a, json_add_obj(content, "application/json"), "schema", "Json");
}

static void add_responses(struct arena *a, cJSON *op, const struct route *row)
{
    cJSON *responses = json_add_obj(op, "responses");
    bool analyze = row->rate == RATE_ANALYZE;

    add_success(a, responses, row, row->status);
    if (analyze && row->status != 202) {
        add_success(a, responses, row, 202);
        add_stream(a, responses);
    }
    if (strcmp(row->pattern, "/api/v1/knowledge/documents") == 0)
        add_success(a, responses, row, 200);
    if (row->response_schema != NULL && strcmp(row->response_schema, "Report") == 0)
        add_report(a, responses);
    if (strcmp(row->pattern, "/ready") == 0)
        add_error(a, responses, 503, "Not ready");
    if (row->flags & ROUTE_PUBLIC)
        return;
    add_error(a, responses, 400, "The request is malformed");
    add_error(a, responses, 401, "Credentials are missing or not valid");
    add_error(a, responses, 403, "Not allowed");
    add_error(a, responses, 404, "Unknown");
    if (row->status != 204)
        add_error(a, responses, 409, "The state does not allow it");
    if (row->flags & ROUTE_JSON) {
        add_error(a, responses, 413, "The body is too large");
        add_error(a, responses, 415, "The body is of another type");
    }
    add_error(a, responses, 422, "A value breaks a rule");
    add_error(a, responses, 429, "Too many requests");
    add_error(a, responses, 500, "An unexpected error, or the analysis failed");
    if (analyze)
        add_error(a, responses, 502, "The model provider answered with an error");
    add_error(a, responses, 503, "Not available at the moment");
    if (analyze || strstr(row->pattern, "/execute") != NULL)
        add_error(a, responses, 504, "No answer within the limit");
}

/* --- the document
 * --- */

/* "POST /api/v1/decisions/{id}/cancel" -> "post_decisions_id_cancel". */
static const char *operation_id(struct arena *a, const struct route *row)
{
    const char *p = row->pattern;
    char *out = arena_printf(a, "%s%s", row->method, p);

    for (char *q = out; *q != '\0'; q++) {
        if (*q >= 'A' && *q <= 'Z')
            *q = (char)(*q + 32);
        else if (!((*q >= 'a' && *q <= 'z') || (*q >= '0' && *q <= '9')))
            *q = '_';
    }
    return out;
}

static void add_operation(struct arena *a, cJSON *paths, const struct route *row)
{
    cJSON *path = json_get(paths, row->pattern), *op, *body, *content, *security;
    char method[8];
    size_t n = 0;

    if (path == NULL)
        path = json_add_obj(paths, row->pattern);
    for (; row->method[n] != '\0'; n++)
        method[n] = (char)(row->method[n] + 32);
    method[n] = '\0';
    op = json_add_obj(path, method);
    json_add_str(op, "operationId", operation_id(a, row));
    json_add_str(op, "summary", row->summary);
    json_push_str(json_add_arr(op, "tags"), row->tag);
    if (row->permission != PERM_NONE)
        json_add_str(op, "description",
                     arena_printf(a, "Needs the permission %s.", perm_name(row->permission)));
    add_parameters(a, op, row);
    if (row->request_schema != NULL) {
        body = json_add_obj(op, "requestBody");
        json_add_bool(body, "required", true);
        content = json_add_obj(body, "content");
        add_ref(a, json_add_obj(content, "application/json"), "schema", row->request_schema);
        if (row->flags & ROUTE_FORM)
            add_ref(a, json_add_obj(content, "multipart/form-data"), "schema", "DocumentForm");
    }
    add_responses(a, op, row);
    if (row->flags & ROUTE_PUBLIC)
        json_add_arr(op, "security");
    else {
        security = json_add_arr(op, "security");
        cJSON *key = cJSON_CreateObject(), *bearer = cJSON_CreateObject();
        json_add_arr(key, "ApiKey");
        json_add_arr(bearer, "Bearer");
        cJSON_AddItemToArray(security, key);
        cJSON_AddItemToArray(security, bearer);
    }
}

cJSON *openapi_schemas(struct arena *a)
{
    cJSON *tree = NULL;
    struct err err;

    if (json_parse(a, embed_str(api_schemas_json), JSON_DEPTH_MAX, &tree, &err) != 0)
        abort(); /* our own file */
    return tree;
}

struct str openapi_json(struct arena *a)
{
    cJSON *doc = json_obj(a);
    cJSON *info, *paths, *components, *schemes;

    json_add_str(doc, "openapi", "3.1.0");
    info = json_add_obj(doc, "info");
    json_add_str(info, "title", "CEOAgent API");
    json_add_str(info, "version", "1.0.0");
    json_add_str(info, "description",
                 "Decisions that can be defended: options compared, risks scored, assumptions "
                 "named, sources cited, every step on record.");
    paths = json_add_obj(doc, "paths");
    for (size_t i = 0; i < route_count; i++)
        add_operation(a, paths, &routes[i]);
    components = json_add_obj(doc, "components");
    cJSON_AddRawToObject(components, "schemas", embed_api_schemas_json);
    schemes = json_add_obj(components, "securitySchemes");
    cJSON_AddRawToObject(schemes, "ApiKey",
                         "{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\"}");
    cJSON_AddRawToObject(schemes, "Bearer", "{\"type\":\"http\",\"scheme\":\"bearer\"}");
    return json_print(a, doc);
}

/* --- the page
 * --- */

static const char page_head[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<title>CEOAgent API</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}code{font-family:ui-monospace,monospace}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.35rem .6rem;border-bottom:1px solid #ddd}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}"
    "td,th{border-color:#444}a{color:#8ab4ff}}</style></head><body><main><h1>CEOAgent API</h1>"
    "<p>The machine-readable description is <a href=\"/openapi.json\">/openapi.json</a>. Requests "
    "carry <code>X-API-Key</code> or <code>Authorization: Bearer</code>.</p>";

static void add_section(struct buf *b, const char *tag)
{
    buf_printf(b,
               "<h2>%s</h2><table><thead><tr><th scope=\"col\">Request</th>"
               "<th scope=\"col\">Purpose</th><th scope=\"col\">Needs</th>"
               "<th scope=\"col\">Success</th></tr></thead><tbody>",
               tag);
    for (size_t i = 0; i < route_count; i++) {
        const struct route *r = &routes[i];
        if (strcmp(r->tag, tag) != 0)
            continue;
        buf_printf(b, "<tr><td><code>%s %s</code></td><td>%s</td><td>%s</td><td>%d</td></tr>",
                   r->method, r->pattern, r->summary,
                   r->flags & ROUTE_PUBLIC      ? "nothing"
                   : r->permission == PERM_NONE ? "a key"
                                                : perm_name(r->permission),
                   r->status);
    }
    buf_puts(b, "</tbody></table>");
}

static void add_codes(struct buf *b)
{
    buf_puts(b, "<h2>Error codes</h2><table><thead><tr><th scope=\"col\">Code</th>"
                "<th scope=\"col\">Status</th><th scope=\"col\">When</th></tr></thead><tbody>");
    for (int i = 0; i < API__MAX; i++)
        buf_printf(b, "<tr><td><code>%s</code></td><td>%d</td><td>%s</td></tr>", api_codes[i].name,
                   api_codes[i].status, api_codes[i].when);
    buf_puts(b, "</tbody></table>");
}

struct str openapi_page(struct arena *a)
{
    struct buf b;
    struct str out;

    buf_init(&b, 1 << 20);
    buf_puts(&b, page_head);
    for (size_t i = 0; i < route_count; i++)
        if (i == 0 || strcmp(routes[i].tag, routes[i - 1].tag) != 0)
            add_section(&b, routes[i].tag);
    add_codes(&b);
    buf_puts(&b, "</main></body></html>\n");
    out = arena_str(a, buf_view(&b));
    buf_done(&b);
    return out;
}
