/* reload.h: SIGHUP. What may change while a program runs (passwords, keys, the level of the log) is
 * read again from the environment's files and taken up where it is held. */
#pragma once
#include "libcommon/base/settings.h"

struct pg;

/* Reads the reloadable settings again; on a fault nothing changes and a line is logged. Takes up
 * the log's level and the database's URL; other clients read theirs from *s at each use. */
void reload_settings(struct settings *s, unsigned program, struct pg *pg);
