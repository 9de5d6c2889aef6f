/* analyze.h: reads the body of the analyze endpoints and their typed forms (docs/api.md). Pure:
 * from the text and its tree to plain values, or the first fault. */
#pragma once
#include "libcommon/base/id.h"
#include "services/api/fields.h"

#define ANALYZE_DOCUMENTS_MAX 50

enum analyze_form { FORM_LONG, FORM_SHORT, FORM_INVESTMENT, FORM_RISK, FORM_STRATEGY };

/* The tenant's limits. */
struct analyze_limits {
    double steps, seconds, tokens, usd;
};

struct analyze {
    const char *query;
    struct str context; /* raw; {NULL,0}: none */
    const char **options;
    int option_count;
    struct uuid *documents;
    int document_count;
    bool include_analysis;
    const char *type, *agent_mode;
    const char *mode;    /* sync async stream */
    const char *on_busy; /* reject queue interrupt */
    bool has_session;    /* the client named one */
    struct uuid session;
    struct str params; /* JSON for the agent: {include_analysis, budget?, on_busy?, webhook_url?,
                          form?} */
};

/* raw is the body's text, body its tree (of which nothing is kept). 0, or -1 with f filled. */
int analyze_read(struct arena *a, struct str raw, const cJSON *body, enum analyze_form form,
                 const struct analyze_limits *limits, struct analyze *out,
                 struct fault *f) MUST_CHECK;

/* The fields of a typed form (forms.c): checks them, and writes the context that the decision gets:
 * the members of the client's own context, then the form's. */
int form_read(struct arena *a, struct str raw, const cJSON *body, enum analyze_form form,
              struct str context, struct str *out, struct fault *f) MUST_CHECK;

#define CONTEXT_DEPTH_MAX 16
#define CONTEXT_BYTES_MAX (256 * 1024)
