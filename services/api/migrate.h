/* migrate.h: brings a database to the schema of this release. */
#pragma once
#include "libcommon/base/err.h"

/* Applies every migration that the database has not had yet, in order, each in a transaction of its
 * own, under an advisory lock: safe to run twice and at once. Waits up to 60 s for the server.
 * ERR_CONFLICT: a migration that was applied has another text here; ERR_UNAVAILABLE: no server. */
int migrate_run(const char *url, struct err *err) MUST_CHECK;
