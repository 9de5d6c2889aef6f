/* analyst.h: the offline analyst, an analyst without a model. A pure function of the request, the
 * material and what happened so far; the same input gives the same bytes. It answers the engine as
 * a model does: it asks for tools and later sees their results (docs/decision-method.md, 3).
 *
 *   turn 1: language .. criteria, first round of tools (or the plan)
 *   turn 2: scores, second round (comparison, flip points)
 *   turn 3: choice, confidence, texts and the final answer
 * A tool that failed, or was not run, is a gap that the answer names. */
#pragma once
#include "libcommon/base/json.h"

struct analyst_input {
    const cJSON *request;  /* {query, options?, context?, decision_type?} */
    const cJSON *material; /* [{chunk_id, document_id, title, text, start, end, source?,
                            * content_sha256?, supplied}], in a stable order; NULL is empty */
    const cJSON *turns;    /* [{stage, output}] of earlier turns and [{tool, id, input,
                            * output | error, seq}] of tool results, in order; NULL is empty */
    bool want_plan;        /* the first round as a graph of steps */
};

/* *out (the arena's):
 *   {"stage": name of the last stage of this turn, "text": one sentence in the question's language,
 *    "stages": [{"stage", "output"}],
 *    "tool_calls": [{"id", "name", "input"}]           when tools are wanted, or
 *    "plan": [{"id", "tool", "input", "needs", "purpose"}]  (want_plan, first round; at most 12),
 * or "final": input of submit_decision} "output" of the earliest stages goes on record only; the
 * analyst reads back tool results alone. A result is recognised by its id, or by the tool's name
 * and an equal input. ERR_INVALID when the request has no query. */
int analyst_next(const struct analyst_input *in, struct arena *a, cJSON **out,
                 struct err *err) MUST_CHECK;
