/* prompt.h: the prompts that are compiled in (prompts/v1/NAME.txt), and the filling of their
 * placeholders ${name}. A directory of the operator's may add versions or replace texts; what it
 * lacks is taken from here. Pure. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/str.h"

/* The compiled-in text, static, with a NUL behind it. NULL: no such version or name. */
const char *prompt_builtin(const char *version, const char *name);
/* The names, for tools that list or check them; NULL beyond the last. */
const char *prompt_name(int i);

struct prompt_var {
    const char *name;
    struct str value;
};

/* Replaces ${name} once: a value is never read again for placeholders. An unknown name stays as it
 * is. */
struct str prompt_fill(struct arena *a, const char *text, const struct prompt_var *vars, int count);
