/* study.c: the order of the first stages. */
#include "libcommon/base/compat.h"
#include "libcommon/method/lang.h"
#include "libcommon/method/study.h"

static const char *const types[] = {"investment", "risk", "strategy", "general"};

int study_make(struct study *s, struct arena *a, const cJSON *request, const cJSON *material,
               struct err *err)
{
    *s = (struct study){.a = a, .request = request, .type = "general"};
    s->query = json_str(request, "query", NULL);
    if (s->query == NULL || str_trim(str_of(s->query)).n == 0)
        return err_set(err, ERR_INVALID, "the request has no query");
    const char *type = json_str(request, "decision_type", "general");
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(type, types[i]) == 0)
            s->type = types[i];
    s->context = json_get(request, "context");
    s->lang = lang_detect(str_of(s->query), &s->other_language);
    s->zh = strcmp(s->lang, "zh") == 0;
    options_read(s);
    sources_read(s, material);
    facts_read(s);
    states_read(s);
    evidence_select(s);
    findings_make(s);
    return 0;
}
