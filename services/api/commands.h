/* commands.h: what `ceoagent-api` does beside serving. Data goes to stdout, words to stderr; the
 * return value is the exit status. */
#pragma once
#include "libcommon/base/settings.h"

/* keys create|list|revoke|reencrypt; argv[0] is the word after "keys". */
int command_keys(int argc, char **argv, const struct settings *set);
/* The last of them. */
int command_reencrypt(int argc, char **argv, const struct settings *set);
