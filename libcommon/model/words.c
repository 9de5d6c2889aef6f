/* words.c: search terms of scripts that are written without spaces. PostgreSQL's parser keeps a run
 * of such characters as one word, so "market share" would not be found inside a longer run;
 * overlapping pairs of characters need no dictionary and find any run of two and more. */
#include "libcommon/base/compat.h"
#include "libcommon/model/words.h"
#include "libcommon/base/buf.h"
#include "libcommon/base/map.h"
#include "libcommon/model/documents.h"

#define TERM_BYTES 9 /* two characters of at most four bytes and a NUL */

static const struct {
    uint32_t first, last;
} scripts[] = {
    {0x1100, 0x11FF}, {0x3005, 0x3007}, {0x3040, 0x30FF}, {0x3130, 0x318F},
    {0x31F0, 0x31FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA960, 0xA97F},
    {0xAC00, 0xD7FF}, {0xF900, 0xFAFF}, {0xFF66, 0xFF9F}, {0x20000, 0x3FFFF},
};

static bool is_cjk(uint32_t c)
{
    if (c < scripts[0].first)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (c >= scripts[i].first && c <= scripts[i].last)
            return c != 0x30FB; /* the middle dot separates words */
    return false;
}

struct terms {
    struct arena *a;
    struct map *seen;
    const char **list;
    int count, cap;
};

static void add_term(struct terms *t, struct str s)
{
    const char *copy;

    if (map_get(t->seen, s) != NULL)
        return;
    copy = arena_str(t->a, s).p;
    map_set(t->seen, s, (void *)(uintptr_t)copy);
    if (t->count == t->cap) {
        int cap = t->cap == 0 ? 32 : t->cap * 2;
        const char **more = arena_array(t->a, const char *, cap);

        if (t->count > 0)
            memcpy(more, t->list, sizeof *more * (size_t)t->count);
        t->list = more;
        t->cap = cap;
    }
    t->list[t->count++] = copy;
}

/* Pairs within each run; a run of one character is a term itself. */
int words_cjk(struct arena *a, struct str text, const char ***out)
{
    struct terms t = {.a = a, .seen = map_new()};
    size_t pos = 0, before = 0,
           run = 0; /* run: characters of it so far; before: where the last began */

    while (pos < text.n) {
        size_t at = pos;

        if (!is_cjk(utf8_next(text, &pos))) {
            if (run == 1)
                add_term(&t, (struct str){text.p + before, at - before});
            run = 0;
            continue;
        }
        if (run > 0)
            add_term(&t, (struct str){text.p + before, pos - before});
        before = at;
        run++;
    }
    if (run == 1)
        add_term(&t, (struct str){text.p + before, text.n - before});
    map_free(t.seen);
    *out = t.list;
    return t.count;
}

const char *words_rest(struct arena *a, struct str text)
{
    char *rest = arena_alloc(a, text.n + 1), *p = rest;
    size_t pos = 0;

    while (pos < text.n) {
        size_t at = pos;

        if (is_cjk(utf8_next(text, &pos))) {
            *p++ = ' ';
        } else {
            memcpy(p, text.p + at, pos - at);
            p += pos - at;
        }
    }
    return rest;
}

const char *words_joined(struct arena *a, struct str text)
{
    const char **terms;
    int n = words_cjk(a, text, &terms);
    char *joined = arena_alloc(a, (size_t)n * TERM_BYTES + 1), *p = joined;

    for (int i = 0; i < n; i++) {
        size_t len = strlen(terms[i]);

        if (i > 0)
            *p++ = ' ';
        p = (char *)memcpy(p, terms[i], len) + len;
    }
    return joined;
}
