/* words.h: what documents.c needs beside words_cjk (documents.h). */
#pragma once
#include "libcommon/base/arena.h"

/* The text without its Chinese, Japanese and Korean parts, for the stemmer, which takes a run of
 * them for one word. A space stands for each run. */
const char *words_rest(struct arena *a, struct str text);
/* The bigrams, separated by spaces; "" for none. */
const char *words_joined(struct arena *a, struct str text);
