/* step_json.h: one event of the log as the API shows it: a step. */
#pragma once
#include "libcommon/model/events.h"
#include "services/api/req.h"

/* proof: with salt and payload, so that the chain can be recomputed. max_bytes > 0: input and
 * output are left out (and "truncated" is true) when the payload is longer. In the arena. */
cJSON *step_json(struct arena *a, const struct event *e, bool proof, size_t max_bytes);
/* The text that a model wrote in this step; {NULL,0} when it is no model's answer. */
struct str step_model_text(struct arena *a, const struct event *e);
/* Whether the step is a failure. */
bool step_failed(const struct event *e);
