/* cite.c: the evidence list grows as the texts cite: each source of a figure has one entry. */
#include "libcommon/base/compat.h"
#include "libcommon/method/record.h"
#include <math.h>

#define EVIDENCE_MAX 120

static cJSON *new_entry(struct record *r, const char *kind, const char *ref, int *number)
{
    if (r->evidence_count >= EVIDENCE_MAX)
        return NULL;
    cJSON *e = cJSON_CreateObject();
    *number = ++r->evidence_count;
    json_add_str(e, "id", arena_printf(r->an->a, "E%d", *number));
    json_add_str(e, "kind", kind);
    json_add_str(e, "ref", text_cut(r->an->a, ref[0] == '\0' ? "-" : ref, 190));
    cJSON_AddItemToArray(r->evidence, e);
    return e;
}

static const char *tag(const struct record *r, int number)
{
    return number > 0 ? arena_printf(r->an->a, "[E%d]", number) : "";
}

static void add_quote(cJSON *e, struct str quote)
{
    json_add_strn(e, "quote", quote);
    json_add_bool(e, "verified", true);
}

static const char *unit_of(const struct study *s, const struct fact *k)
{
    if (k->f.currency[0] != '\0')
        return k->f.currency;
    if (k->f.unit == FIGURE_NUMBER && measures[k->measure].cash != CASH_NONE)
        return s->currency[0] != '\0' ? s->currency : NULL;
    return k->f.unit == FIGURE_NUMBER ? NULL : figure_unit_name(k->f.unit);
}

const char *cite_fact(struct record *r, int fact)
{
    struct fact *k;

    if (fact < 0)
        return "";
    k = &r->s->facts[fact];
    if (k->evidence == 0) {
        const char *ref = k->path != NULL  ? k->path
                          : k->origin >= 0 ? r->s->sources[k->origin].chunk_id
                                           : "/query";
        const char *kind = k->origin >= 0              ? "document"
                           : k->origin == FROM_CONTEXT ? "context"
                                                       : "user";
        cJSON *e = new_entry(r, kind, ref, &k->evidence);
        if (e == NULL)
            return "";
        if (k->origin >= 0)
            add_quote(e, evidence_quote(r->s, k->origin, k->segment, k->f.start));
        if (!isnan(k->f.value)) {
            json_add_num(e, "value", k->f.value);
            json_add_str(e, "unit", unit_of(r->s, k));
        }
    }
    return tag(r, k->evidence);
}

const char *cite_answer(struct record *r, int answer, double value, const char *unit)
{
    struct answer *an;

    if (answer < 0)
        return "";
    an = &r->an->answers[answer];
    if (an->evidence == 0) {
        const char *ref = an->seq > 0 ? arena_printf(r->an->a, "%lld", (long long)an->seq) : an->id;
        cJSON *e = new_entry(r, "tool", ref, &an->evidence);
        if (e == NULL)
            return "";
        if (!isnan(value)) {
            json_add_num(e, "value", value);
            json_add_str(e, "unit", unit);
        }
    }
    return tag(r, an->evidence);
}

const char *cite_segment(struct record *r, int source, int segment, size_t focus)
{
    struct study *s = r->an->s;
    const struct segment *g;

    if (source < 0 || segment < 0)
        return "";
    g = &s->sources[source].segs.at[segment];
    for (int i = 0; i < s->cited_count; i++)
        if (s->cited[i].source == source && s->cited[i].segment == segment)
            return tag(r, s->cited[i].evidence);
    int number = 0;
    cJSON *e = s->cited_count < (int)ARRAY_LEN(s->cited)
                   ? new_entry(r, "document", s->sources[source].chunk_id, &number)
                   : NULL;
    if (e == NULL)
        return "";
    add_quote(e, evidence_quote(s, source, segment, focus == 0 ? g->start : focus));
    s->cited[s->cited_count++] = (struct quote){source, segment, 0, number};
    return tag(r, number);
}

static bool ends_sentence(struct str t, size_t *mark)
{
    *mark = 0;
    if (t.n >= 3 && memcmp(t.p + t.n - 3, "。", 3) == 0)
        *mark = 3;
    else if (t.n >= 1 && strchr(".!?", t.p[t.n - 1]) != NULL)
        *mark = 1;
    return *mark > 0;
}

/* "[E1][E2]" as "[E1,E2]". */
static const char *joined(struct record *r, const char *cites)
{
    char *out = arena_strdup(r->an->a, cites);
    size_t n = 0;

    for (const char *p = cites; *p != '\0'; p++) {
        bool seam = p[0] == ']' && p[1] == '[';
        out[n++] = seam ? ',' : *p;
        p += seam;
    }
    out[n] = '\0';
    return out;
}

const char *cited(struct record *r, const char *text, const char *cites, size_t chars)
{
    cites = joined(r, cites);
    size_t mark, room = utf8_chars(str_of(cites)) + 3;
    struct str t = str_of(text_cut(r->an->a, text, chars > room ? chars - room : chars));

    if (cites[0] == '\0')
        return arena_strndup(r->an->a, t.p, t.n);
    if (ends_sentence(t, &mark))
        t.n -= mark;
    return arena_printf(r->an->a, "%.*s %s%s", STR_ARG(t), cites, r->s->zh ? "。" : ".");
}

void push_text(struct record *r, cJSON *list, const char *text, size_t chars)
{
    const cJSON *item;
    const char *cut = text_cut(r->an->a, text, chars);

    if (cut[0] == '\0')
        return;
    cJSON_ArrayForEach (item, list)
        if (strcmp(item->valuestring, cut) == 0)
            return;
    json_push_str(list, cut);
}

const char *no_data(struct record *r, const char *part)
{
    return say(r->s, tr(r->s, "No data was given for %s.", "未提供%s的数据。"), part);
}

const char *money(const struct record *r, double v)
{
    return study_amount(r->s, v, FIGURE_CURRENCY, r->s->currency);
}

const char *level_of_score(int overall)
{
    return overall <= 3 ? "low" : overall <= 5 ? "medium" : overall <= 7 ? "high" : "critical";
}
