/* lang.h: the language of a question, by its letters alone (docs/decision-method.md, 3.1). */
#pragma once
#include "libcommon/base/str.h"

/* "zh" when a fifth of the letters are Han and none is kana, else "en". *other: the question seems
 * to be in neither, and is answered in English. */
const char *lang_detect(struct str query, bool *other);
