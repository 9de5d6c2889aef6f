/* The report is written once, through a pen that knows two formats. */
#include "libcommon/base/compat.h"
#include "services/api/report.h"

struct pen {
    struct buf *out;
    bool html;
};

/* --- the pen --- */

static void put_html(struct buf *b, const char *z)
{
    static const struct {
        char c;
        const char *entity;
    } rows[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

    for (; *z != '\0'; z++) {
        size_t i = 0;
        while (i < ARRAY_LEN(rows) && rows[i].c != *z)
            i++;
        if (i < ARRAY_LEN(rows))
            buf_puts(b, rows[i].entity);
        else
            buf_putc(b, *z);
    }
}

/* One line: what would be markup is escaped, line ends become spaces. */
static void put_markdown(struct buf *b, const char *z)
{
    for (; *z != '\0'; z++) {
        if (strchr("\\`*_[]<>|#~", *z) != NULL)
            buf_putc(b, '\\');
        buf_putc(b, *z == '\n' || *z == '\r' ? ' ' : *z);
    }
}

static void put(struct pen *p, const char *z)
{
    if (z == NULL)
        return;
    if (p->html)
        put_html(p->out, z);
    else
        put_markdown(p->out, z);
}

static void heading(struct pen *p, int level, const char *text)
{
    if (p->html)
        buf_printf(p->out, "<h%d>", level);
    else
        buf_printf(p->out, "\n%.*s ", level, "######");
    put(p, text);
    if (p->html)
        buf_printf(p->out, "</h%d>\n", level);
    else
        buf_puts(p->out, "\n\n");
}

static void paragraph(struct pen *p, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    buf_puts(p->out, p->html ? "<p>" : "");
    put(p, text);
    buf_puts(p->out, p->html ? "</p>\n" : "\n\n");
}

/* "label: text" as an item of a list; label may be NULL. */
static void item(struct pen *p, const char *label, const char *text)
{
    buf_puts(p->out, p->html ? "<li>" : "- ");
    if (label != NULL) {
        buf_puts(p->out, p->html ? "<strong>" : "**");
        put(p, label);
        buf_puts(p->out, p->html ? "</strong>: " : "**: ");
    }
    put(p, text == NULL ? "" : text);
    buf_puts(p->out, p->html ? "</li>\n" : "\n");
}

static void list_begin(struct pen *p)
{
    buf_puts(p->out, p->html ? "<ul>\n" : "");
}

static void list_end(struct pen *p)
{
    buf_puts(p->out, p->html ? "</ul>\n" : "\n");
}

static void row(struct pen *p, bool head, const char *const *cells, int n)
{
    buf_puts(p->out, p->html ? "<tr>" : "|");
    for (int i = 0; i < n; i++) {
        buf_puts(p->out, !p->html ? " " : head ? "<th scope=\"col\">" : "<td>");
        put(p, cells[i] == NULL ? "" : cells[i]);
        buf_puts(p->out, !p->html ? " |" : head ? "</th>" : "</td>");
    }
    buf_puts(p->out, p->html ? "</tr>\n" : "\n");
    if (head && !p->html) {
        buf_putc(p->out, '|');
        for (int i = 0; i < n; i++)
            buf_puts(p->out, "---|");
        buf_putc(p->out, '\n');
    }
}

/* --- parts --- */

/* A list of strings, or of objects of which `key` is shown. Nothing when it is empty. */
static void strings(struct pen *p, const char *title, const cJSON *list, const char *key)
{
    const cJSON *it;

    if (cJSON_GetArraySize(list) == 0)
        return;
    heading(p, 2, title);
    list_begin(p);
    cJSON_ArrayForEach (it, list) {
        const char *z =
            key == NULL ? (cJSON_IsString(it) ? it->valuestring : NULL) : json_str(it, key, NULL);
        if (z != NULL)
            item(p, NULL, z);
    }
    list_end(p);
}

struct column {
    const char *title, *key;
};

static const char *cell(const cJSON *o, const char *key, char number[32])
{
    const cJSON *v = json_get(o, key);

    if (cJSON_IsNumber(v)) {
        snprintf(number, 32, "%.4g", v->valuedouble);
        return number;
    }
    if (cJSON_IsBool(v))
        return cJSON_IsTrue(v) ? "yes" : "no";
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

#define COLUMNS_MAX 6
#define SOURCE_MAX (64 * 1024)

static void table(struct pen *p, const char *title, const cJSON *list, const struct column *columns,
                  int n)
{
    const char *cells[COLUMNS_MAX];
    char numbers[COLUMNS_MAX][32];
    const cJSON *it;

    if (cJSON_GetArraySize(list) == 0)
        return;
    heading(p, 2, title);
    buf_puts(p->out, p->html ? "<table>\n" : "");
    for (int i = 0; i < n; i++)
        cells[i] = columns[i].title;
    row(p, true, cells, n);
    cJSON_ArrayForEach (it, list) {
        for (int i = 0; i < n; i++)
            cells[i] = cell(it, columns[i].key, numbers[i]);
        row(p, false, cells, n);
    }
    buf_puts(p->out, p->html ? "</table>\n" : "\n");
}

static void write_facts(struct pen *p, const cJSON *d)
{
    const cJSON *agent = json_get(d, "agent"), *r = json_get(d, "recommendation");
    char number[32];

    list_begin(p);
    item(p, "Status", json_str(d, "status", ""));
    item(p, "Type", json_str(d, "decision_type", ""));
    item(p, "Asked", json_str(d, "created_at", ""));
    if (json_str(d, "completed_at", NULL) != NULL)
        item(p, "Answered", json_str(d, "completed_at", ""));
    if (json_str(agent, "mode", NULL) != NULL)
        item(p, "Analysed by", json_str(agent, "model", json_str(agent, "mode", "")));
    if (json_get(r, "confidence") != NULL)
        item(p, "Confidence", cell(r, "confidence", number));
    if (json_bool(d, "degraded", false))
        item(p, "Note", "The answer was computed by rules because no model could be reached.");
    item(p, "Decision", json_str(d, "decision_id", ""));
    list_end(p);
}

static void write_recommendations(struct pen *p, const cJSON *list)
{
    const cJSON *it, *step;

    if (cJSON_GetArraySize(list) == 0)
        return;
    heading(p, 2, "What to do");
    cJSON_ArrayForEach (it, list) {
        heading(p, 3, json_str(it, "title", ""));
        paragraph(p, json_str(it, "description", NULL));
        list_begin(p);
        cJSON_ArrayForEach (step, json_get(it, "action_steps"))
            if (cJSON_IsString(step))
                item(p, NULL, step->valuestring);
        list_end(p);
    }
}

static void write_sources(struct pen *p, const cJSON *list)
{
    const cJSON *it;

    if (cJSON_GetArraySize(list) == 0)
        return;
    heading(p, 2, "Sources");
    list_begin(p);
    cJSON_ArrayForEach (it, list) {
        const char *quote = json_str(it, "quote", NULL);
        struct buf line;

        buf_init(&line, SOURCE_MAX);
        if (quote != NULL)
            buf_printf(&line, "\"%s\", ", quote);
        buf_printf(&line, "%s %s", json_str(it, "kind", ""), json_str(it, "ref", ""));
        item(p, json_str(it, "id", ""), line.p);
        buf_done(&line);
    }
    list_end(p);
}

static void write_result(struct pen *p, const cJSON *result)
{
    static const struct column options[] = {
        {"Option", "name"}, {"Score", "score"}, {"Feasible", "feasible"}, {"Why not", "why_not"}};
    static const struct column risks[] = {
        {"Risk", "name"}, {"Level", "level"}, {"Reason", "reason"}, {"Mitigation", "mitigation"}};

    heading(p, 2, "Situation");
    paragraph(p, json_str(json_get(result, "situation_analysis"), "summary", NULL));
    strings(p, "Key findings", json_at(result, "/situation_analysis/key_findings"), NULL);
    table(p, "Options compared", json_at(result, "/decision_record/alternatives"), options,
          ARRAY_LEN(options));
    table(p, "Risks", json_at(result, "/risk_assessment/risk_factors"), risks, ARRAY_LEN(risks));
    write_recommendations(p, json_get(result, "recommendations"));
    strings(p, "Assumptions", json_at(result, "/final_recommendation/key_assumptions"), NULL);
    strings(p, "What was missing", json_at(result, "/decision_record/information/missing"), "what");
    strings(p, "Dissent", json_at(result, "/decision_record/dissent"), "position");
    write_sources(p, json_get(result, "evidence"));
}

static const char page_begin[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\"><title>Decision</title>"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 "
    "1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.3rem .5rem;border-bottom:1px solid #ccc}</style></head><body><main>\n";

void report_write(const cJSON *decision, enum report_format format, struct buf *out)
{
    struct pen p = {out, format == REPORT_HTML};
    const cJSON *r = json_get(decision, "recommendation");
    const cJSON *error = json_get(decision, "error");

    buf_puts(out, p.html ? page_begin : "");
    heading(&p, 1, json_str(decision, "query", ""));
    write_facts(&p, decision);
    if (cJSON_IsObject(r)) {
        heading(&p, 2, "Recommendation");
        paragraph(&p, json_str(r, "option", NULL));
        paragraph(&p, json_str(r, "reasoning", NULL));
    }
    if (cJSON_IsObject(error)) {
        heading(&p, 2, "Failure");
        paragraph(&p, json_str(error, "message", ""));
    }
    if (cJSON_IsObject(json_get(decision, "result")))
        write_result(&p, json_get(decision, "result"));
    buf_puts(out, p.html ? "</main></body></html>\n" : "");
}
