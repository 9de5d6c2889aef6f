/* prompts.h: the prompts of an operator. PROMPT_DIR/<version>/<name>.txt adds versions or replaces
 * texts; what it lacks is taken from those compiled in. Read at start and on SIGHUP; texts that a
 * run was given stay until the process ends, so that its prompts keep their bytes. */
#pragma once
#include "libcommon/base/err.h"

struct prompts;

/* dir may be NULL. ERR_INVALID: the folder can't be read, or a file is over 64 KiB or not UTF-8. */
int prompts_new(const char *dir, struct prompts **out, struct err *err) MUST_CHECK;
int prompts_reload(struct prompts *p, struct err *err) MUST_CHECK;
void prompts_free(struct prompts *p);
/* For struct engine_settings; arg is the struct prompts. NULL: there is no such prompt. */
const char *prompts_get(const char *version, const char *name, void *arg);
