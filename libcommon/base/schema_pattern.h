/* schema_pattern.h: the `pattern` keyword of schema.c on POSIX regular expressions. */
#pragma once
#include "libcommon/base/compat.h"

/* Whether the pattern is found in the text. A pattern that cannot be translated (look-ahead, \p{},
 * back references) or that would cost too much fits everything. Compiled ones are kept. */
bool schema_pattern_fits(const char *pattern, const char *text);
