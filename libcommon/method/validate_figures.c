/* validate_figures.c: figures, citations and quotes against what was seen. A figure in a text is
 * fine when its sentence cites, or when the request, a source or a tool has it within 1 %. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate_rules.h"
#include <math.h>

#define WITHIN 0.01
#define POOL_MAX 20000
#define SMALL_COUNT 31
#define ASSUMPTIONS_MAX 30

static void pool_add(struct check *c, double v)
{
    if (!isfinite(v) || c->pool_count >= POOL_MAX)
        return;
    if (c->pool_count == c->pool_cap) {
        size_t cap = c->pool_cap == 0 ? 256 : c->pool_cap * 2;
        double *pool = arena_array(c->a, double, cap);
        if (c->pool_cap > 0)
            memcpy(pool, c->pool, c->pool_count * sizeof(*pool));
        c->pool = pool;
        c->pool_cap = cap;
    }
    c->pool[c->pool_count++] = v;
}

static void pool_numbers(struct check *c, const cJSON *node, int depth)
{
    const cJSON *child;

    if (depth > JSON_DEPTH_MAX)
        return;
    if (cJSON_IsNumber(node))
        pool_add(c, node->valuedouble);
    else if (cJSON_IsArray(node) || cJSON_IsObject(node))
        cJSON_ArrayForEach (child, node)
            pool_numbers(c, child, depth + 1);
}

static void pool_text(struct check *c, const char *text)
{
    struct figure *f;
    size_t n =
        text == NULL ? 0 : figures_scan(c->a, str_of(text), c->s != NULL ? c->s->lang : "en", &f);

    for (size_t i = 0; i < n; i++) {
        pool_add(c, f[i].value);
        pool_add(c, f[i].low);
        pool_add(c, f[i].high);
    }
}

/* Every name and value of the request: options and criteria with figures are named in texts. */
static void pool_request(struct check *c, const cJSON *node, int depth)
{
    const cJSON *child;

    if (depth > JSON_DEPTH_MAX)
        return;
    pool_text(c, node == NULL ? NULL : node->string);
    if (cJSON_IsString(node))
        pool_text(c, node->valuestring);
    if (cJSON_IsNumber(node))
        pool_add(c, node->valuedouble);
    cJSON_ArrayForEach (child, node)
        pool_request(c, child, depth + 1);
}

void pool_fill(struct check *c)
{
    const cJSON *e;

    pool_request(c, c->ctx->request, 0);

    for (int i = 0; c->s != NULL && i < c->s->facts_count; i++) {
        const struct figure *f = &c->s->facts[i].f;
        pool_add(c, f->value);
        pool_add(c, f->low);
        pool_add(c, f->high);
    }
    cJSON_ArrayForEach (e, c->ctx->events) {
        pool_numbers(c, json_get(e, "output"), 0);
        pool_numbers(c, json_get(e, "input"), 0);
    }
    cJSON_ArrayForEach (e, json_get(c->answer, "evidence"))
        pool_add(c, json_num(e, "value", NAN));
}

static bool close_to(double a, double b)
{
    return fabs(a - b) <= WITHIN * MAX(fabs(a), fabs(b));
}

/* As written, without its sign, or as the rest to one ("falls by 15 %"). */
bool pool_has(const struct check *c, double v)
{
    for (size_t i = 0; i < c->pool_count; i++) {
        double p = c->pool[i];
        if (close_to(v, p) || close_to(fabs(v), fabs(p)) || close_to(v * 100, p) ||
            close_to(v, p * 100) || (fabs(v) < 1 && close_to(fabs(v), fabs(1 - p))))
            return true;
    }
    return v == 0;
}

static bool number_in(const cJSON *node, double v, int depth)
{
    const cJSON *child;

    if (depth > JSON_DEPTH_MAX)
        return false;
    if (cJSON_IsNumber(node))
        return close_to(v, node->valuedouble) || v == node->valuedouble;
    cJSON_ArrayForEach (child, node)
        if (number_in(child, v, depth + 1))
            return true;
    return false;
}

bool pool_has_event(const struct check *c, double v)
{
    const cJSON *e;

    cJSON_ArrayForEach (e, c->ctx->events)
        if (number_in(json_get(e, "output"), v, 0))
            return true;
    return false;
}

/* [E4] or [E4,E7] in [text]; calls fn for each number; false when the text has none. */
static bool citations_in(struct str t, void (*fn)(void *arg, int number), void *arg)
{
    bool any = false;

    for (size_t i = 0; i + 2 < t.n; i++) {
        if (t.p[i] != '[' || t.p[i + 1] != 'E' || !unicode_digit((unsigned char)t.p[i + 2]))
            continue;
        while (i < t.n && t.p[i] != ']') {
            int n = 0;
            if (t.p[i] == 'E')
                for (size_t k = i + 1;
                     k < t.n && unicode_digit((unsigned char)t.p[k]) && n < 100000; k++)
                    n = n * 10 + (t.p[k] - '0');
            if (n > 0 && fn != NULL)
                fn(arg, n);
            i++;
        }
        any = true;
    }
    return any;
}

struct cite_walk {
    struct check *c;
    const char *path;
};

static bool has_evidence(const struct check *c, int number)
{
    const cJSON *e;
    char id[16];

    snprintf(id, sizeof(id), "E%d", number);
    cJSON_ArrayForEach (e, json_get(c->answer, "evidence"))
        if (strcmp(json_str(e, "id", ""), id) == 0)
            return true;
    return false;
}

static void need_evidence(void *arg, int number)
{
    struct cite_walk *w = arg;

    if (!has_evidence(w->c, number))
        add_fault(w->c, w->path, "unresolved_citation", false, "[E%d] is not in evidence.", number);
}

static void walk_citations(struct check *c, const cJSON *node, const char *path, int depth)
{
    const cJSON *child;
    int i = 0;

    if (depth > 12)
        return;
    if (cJSON_IsString(node)) {
        struct cite_walk w = {c, path};
        (void)citations_in(str_of(node->valuestring), need_evidence, &w);
        return;
    }
    cJSON_ArrayForEach (child, node) {
        if (child->string != NULL)
            walk_citations(c, child, arena_printf(c->a, "%s/%s", path, child->string), depth + 1);
        else
            walk_citations(c, child, arena_printf(c->a, "%s/%d", path, i), depth + 1);
        i++;
    }
}

void check_citations(struct check *c)
{
    static const char *const parts[] = {"situation_analysis", "risk_assessment", "recommendations",
                                        "final_recommendation", "decision_record"};
    const cJSON *s;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        walk_citations(c, json_get(c->answer, parts[i]), arena_printf(c->a, "/%s", parts[i]), 0);
    cJSON_ArrayForEach (s, json_get(c->answer, "sensitivity")) {
        struct cite_walk w = {c, "/sensitivity"};
        const char *ref = json_str(s, "ref", NULL);
        if (ref != NULL && ref[0] == 'E')
            (void)citations_in(str_of(arena_printf(c->a, "[%s]", ref)), need_evidence, &w);
    }
}

void check_sensitivity(struct check *c)
{
    const cJSON *s;
    int i = 0;

    cJSON_ArrayForEach (s, json_get(c->answer, "sensitivity")) {
        double at = json_num(s, "flip_at", NAN);
        if (!isnan(at) && !pool_has_event(c, at))
            add_fault(c, arena_printf(c->a, "/sensitivity/%d/flip_at", i), "not_computed", false,
                      "%.6g comes from no tool; compute the flip point with a tool, or set flip_at "
                      "to null.",
                      at);
        i++;
    }
}

static void set_verified(cJSON *e, bool ok)
{
    cJSON_DeleteItemFromObjectCaseSensitive(e, "verified");
    json_add_bool(e, "verified", ok);
}

static bool quote_in(struct check *c, struct str quote, const char *ref, bool any)
{
    const cJSON *m;

    cJSON_ArrayForEach (m, c->ctx->material) {
        bool named = strcmp(json_str(m, "chunk_id", ""), ref) == 0 ||
                     strcmp(json_str(m, "document_id", ""), ref) == 0 ||
                     strcmp(json_str(m, "title", ""), ref) == 0;
        if (!named && !any)
            continue;
        if (str_find(unicode_fold(c->a, str_of(json_str(m, "text", ""))), quote) >= 0)
            return true;
    }
    return false;
}

void check_quotes(struct check *c)
{
    cJSON *e;
    int i = 0;

    cJSON_ArrayForEach (e, json_get(c->answer, "evidence")) {
        const char *quote = json_str(e, "quote", NULL), *ref = json_str(e, "ref", "");
        const char *path = arena_printf(c->a, "/evidence/%d/quote", i++);
        if (strcmp(json_str(e, "kind", ""), "document") != 0)
            continue;
        struct str folded = unicode_fold(c->a, str_of(quote == NULL ? "" : quote));
        /* Found elsewhere it is still what a source says. */
        bool ok =
            folded.n > 0 && (quote_in(c, folded, ref, false) || quote_in(c, folded, ref, true));
        if (ok || c->ctx->tolerate_soft) {
            set_verified(e, ok);
            continue;
        }
        add_fault(c, path, folded.n == 0 ? "quote_missing" : "quote_not_found", true,
                  folded.n == 0 ? "Evidence of kind document needs an exact quote."
                                : "The quote is not in the source; copy it letter for letter.");
    }
}

static bool is_exempt(const struct figure *f)
{
    double v = fabs(f->value);

    if (isnan(f->value) || f->unit == FIGURE_YEARS)
        return true;
    return f->unit == FIGURE_NUMBER && v == floor(v) && v <= SMALL_COUNT;
}

static void mark_assumption(struct check *c, const char *path, const struct figure *f)
{
    cJSON *list = json_get(c->answer, "evidence"), *e;
    int highest = 0, assumptions = 0;

    cJSON_ArrayForEach (e, list) {
        const char *id = json_str(e, "id", "E0");
        int64_t n = 0;
        if (str_i64(str_of(id + 1), &n) == 0)
            highest = MAX(highest, (int)n);
        assumptions += strcmp(json_str(e, "kind", ""), "assumption") == 0;
    }
    if (highest >= 999 || assumptions >= ASSUMPTIONS_MAX)
        return;
    e = cJSON_CreateObject();
    json_add_str(e, "id", arena_printf(c->a, "E%d", highest + 1));
    json_add_str(e, "kind", "assumption");
    json_add_str(e, "ref", path);
    json_add_num(e, "value", f->value);
    json_add_str(e, "unit", f->currency[0] != '\0' ? f->currency : figure_unit_name(f->unit));
    cJSON_AddItemToArray(list, e);
    pool_add(c, f->value); /* named once */
}

static void check_sentence(struct check *c, const char *path, struct str sentence)
{
    struct figure *f;

    if (citations_in(sentence, NULL, NULL))
        return;
    size_t n = figures_scan(c->a, sentence, c->s != NULL ? c->s->lang : "en", &f);
    for (size_t i = 0; i < n; i++) {
        bool known = pool_has(c, f[i].value) ||
                     (!isnan(f[i].low) && pool_has(c, f[i].low) && pool_has(c, f[i].high));
        if (is_exempt(&f[i]) || known)
            continue;
        if (c->ctx->tolerate_soft)
            mark_assumption(c, path, &f[i]);
        else
            add_fault(c, path, "uncited_figure", true,
                      "\"%.*s\" has no citation and is in no source or tool result; cite it or "
                      "leave it out.",
                      (int)MIN(f[i].end - f[i].start, 60), sentence.p + f[i].start);
    }
}

static void check_text(struct check *c, const char *path, const cJSON *item)
{
    if (!cJSON_IsString(item))
        return;
    struct str text = unicode_nfkc(c->a, str_of(item->valuestring)).text;
    struct segments segs = segments_of(c->a, text);
    for (size_t i = 0; i < segs.count; i++) {
        /* A citation stands at times behind the full stop: "… 5M. [E3]". */
        size_t end = segs.at[i].end, next = end;
        while (next < text.n && text.p[next] == ' ')
            next++;
        if (next < text.n && text.p[next] == '[') {
            const char *close = memchr(text.p + next, ']', text.n - next);
            end = close != NULL ? (size_t)(close - text.p) + 1 : end;
        }
        check_sentence(c, path, (struct str){text.p + segs.at[i].start, end - segs.at[i].start});
    }
}

static void check_list(struct check *c, const char *path, const cJSON *list)
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach (item, list)
        check_text(c, arena_printf(c->a, "%s/%d", path, i++), item);
}

void check_figures(struct check *c)
{
    const cJSON *r;
    int i = 0;

    check_text(c, "/situation_analysis/summary", json_at(c->answer, "/situation_analysis/summary"));
    check_list(c, "/situation_analysis/key_findings",
               json_at(c->answer, "/situation_analysis/key_findings"));
    check_text(c, "/final_recommendation/reasoning",
               json_at(c->answer, "/final_recommendation/reasoning"));
    cJSON_ArrayForEach (r, json_at(c->answer, "/risk_assessment/risk_factors"))
        check_text(c, arena_printf(c->a, "/risk_assessment/risk_factors/%d/reason", i++),
                   json_get(r, "reason"));
    i = 0;
    cJSON_ArrayForEach (r, json_get(c->answer, "recommendations")) {
        check_text(c, arena_printf(c->a, "/recommendations/%d/description", i),
                   json_get(r, "description"));
        i++;
    }
}
