/* detectors.c: the findings of a study as JSON, for a model and for the checks of its answer. */
#include "libcommon/base/compat.h"
#include "libcommon/method/detectors.h"
#include "libcommon/method/study.h"

static void add_source(const struct study *s, cJSON *o, const struct finding *f)
{
    const struct fact *k = f->fact >= 0 ? &s->facts[f->fact] : NULL;
    int source = f->source >= 0 ? f->source : k != NULL && k->origin >= 0 ? k->origin : -1;
    int segment = f->segment >= 0 ? f->segment : k != NULL && k->origin >= 0 ? k->segment : -1;

    if (source < 0)
        return;
    json_add_str(o, "document", s->sources[source].title);
    json_add_str(o, "chunk_id", s->sources[source].chunk_id);
    if (segment >= 0)
        json_add_strn(o, "quote", evidence_quote(s, source, segment, k != NULL ? k->f.start : 0));
}

static cJSON *finding_json(const struct study *s, const struct finding *f)
{
    cJSON *o = cJSON_CreateObject();

    json_add_str(o, "code", f->code);
    json_add_str(o, "message", f->message);
    add_source(s, o, f);
    if (f->option >= 0)
        json_add_str(o, "option", s->options[f->option].name);
    if (f->fact >= 0 && f->other >= 0) {
        cJSON *values = json_add_arr(o, "values");
        json_push_str(values, fact_value_text(s, &s->facts[f->fact]));
        json_push_str(values, fact_value_text(s, &s->facts[f->other]));
        json_add_str(o, "used", fact_value_text(s, &s->facts[f->fact]));
    }
    if (f->why != NULL)
        json_add_str(o, "why", f->why);
    return o;
}

cJSON *detectors_run(const cJSON *request, const cJSON *material, struct arena *a)
{
    struct study *s = arena_new_of(a, struct study);
    cJSON *list = json_arr(a);
    struct err err = {0};

    if (study_make(s, a, request, material, &err) != 0)
        return list;
    for (int i = 0; i < s->findings_count; i++)
        cJSON_AddItemToArray(list, finding_json(s, &s->findings[i]));
    return list;
}
