/* audit.h: the gateway's records of who did what (libcommon/model/audit.h). */
#pragma once
#include "services/api/req.h"

/* Adds the record to the batch that does it. id may be NULL. */
void audit_with(struct req *r, struct pg_batch *b, const char *action, const char *type,
                const struct uuid *id);
/* What was refused has no transaction of its own: stored beside the answer, best effort. */
void audit_refused(struct req *r, const char *action);
/* At the end: what is on its way is given up. */
void audit_drop(struct app *app);
