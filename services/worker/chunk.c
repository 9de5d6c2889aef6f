/* chunk.c: one pass over the text's units (paragraphs, headings, records), which are gathered into
 * parts of about CHUNK_GOAL bytes. A heading or, in CSV, nothing but size ends a part. A unit that
 * is too long itself is cut at the end of a sentence, else at white space, else between characters.
 */
#include "libcommon/base/compat.h"
#include "services/worker/chunk.h"

#define LEVELS 6

struct cutter {
    struct arena *a;
    struct str text;
    struct chunk_part *part;
    size_t count, cap;
    size_t start, end; /* of the part that is being filled; equal: empty */
    const char *heading;
    const char *level[LEVELS]; /* Markdown */
    bool too_many;
};

static const struct {
    const char *name;
    enum chunk_kind kind;
} kinds[] = {
    {"application/csv", CHUNK_CSV},
    {"application/json", CHUNK_TEXT},
    {"text/csv", CHUNK_CSV},
    {"text/markdown", CHUNK_MARKDOWN},
    {"text/plain", CHUNK_TEXT},
    {"text/tab-separated-values", CHUNK_CSV},
    {"text/x-markdown", CHUNK_MARKDOWN},
};

int chunk_kind_of(struct str content_type, enum chunk_kind *out)
{
    struct str type = str_trim(str_split(&content_type, ';'));

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_ieq(type, str_of(kinds[i].name)))
            continue;
        *out = kinds[i].kind;
        return 0;
    }
    return ERR_INVALID;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static void push_part(struct cutter *c, size_t start, size_t end)
{
    while (start < end && is_space(c->text.p[start]))
        start++;
    while (end > start && is_space(c->text.p[end - 1]))
        end--;
    if (start == end)
        return;
    if (c->count == CHUNKS_MAX) {
        c->too_many = true;
        return;
    }
    if (c->count == c->cap) {
        struct chunk_part *more;

        c->cap = c->cap == 0 ? 64 : c->cap * 2;
        more = arena_array(c->a, struct chunk_part, c->cap);
        if (c->count > 0)
            memcpy(more, c->part, c->count * sizeof(*more));
        c->part = more;
    }
    c->part[c->count++] = (struct chunk_part){start, end, c->heading};
}

/* Behind a sentence's end: ASCII with white space after it, or one of the CJK full stops. */
static bool ends_sentence(struct str t, size_t at)
{
    static const char *const wide[] = {"\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f",
                                       "\xef\xbc\x9b"};

    if (is_space(t.p[at]) && at > 0 && strchr(".!?;:", t.p[at - 1]) != NULL)
        return true;
    for (size_t i = 0; at >= 3 && i < ARRAY_LEN(wide); i++)
        if (memcmp(t.p + at - 3, wide[i], 3) == 0)
            return true;
    return false;
}

static bool starts_character(struct str t, size_t at)
{
    return ((unsigned char)t.p[at] & 0xc0) != 0x80;
}

/* The best place to cut in (start + goal/2, start + max]. */
static size_t find_cut(struct str t, size_t start)
{
    size_t low = start + CHUNK_GOAL / 2, high = start + CHUNK_MAX, at;

    for (at = high; at > low; at--)
        if (ends_sentence(t, at))
            return at;
    for (at = high; at > low; at--)
        if (is_space(t.p[at]))
            return at;
    for (at = high; !starts_character(t, at); at--)
        ;
    return at;
}

static void flush(struct cutter *c)
{
    while (c->end - c->start > CHUNK_MAX) {
        size_t cut = find_cut(c->text, c->start);

        push_part(c, c->start, cut);
        c->start = cut;
    }
    push_part(c, c->start, c->end);
    c->start = c->end;
}

/* A unit [start, end): joins the part, unless that would grow beyond the goal. */
static void add_unit(struct cutter *c, size_t start, size_t end)
{
    if (c->end > c->start && end - c->start > CHUNK_GOAL)
        flush(c);
    if (c->end == c->start)
        c->start = start;
    c->end = end;
}

static size_t line_end(struct str t, size_t at)
{
    const char *nl = memchr(t.p + at, '\n', t.n - at);

    return nl == NULL ? t.n : (size_t)(nl - t.p) + 1;
}

static struct str line_at(struct str t, size_t at)
{
    return str_trim((struct str){t.p + at, line_end(t, at) - at});
}

/* --- plain text and Markdown ---------------------------------------------------------------- */

/* 1 to 6 for an ATX heading, else 0. */
static int heading_level(struct str line)
{
    size_t n = 0;

    while (n < line.n && line.p[n] == '#')
        n++;
    return n >= 1 && n <= LEVELS && n < line.n && is_space(line.p[n]) ? (int)n : 0;
}

static void enter_heading(struct cutter *c, struct str line, int level)
{
    struct str name = str_trim((struct str){line.p + level, line.n - (size_t)level});
    const char *path = NULL;

    while (name.n > 0 && name.p[name.n - 1] == '#')
        name = str_trim((struct str){name.p, name.n - 1});
    c->level[level - 1] = arena_strndup(c->a, name.p, MIN(name.n, utf8_cut(name, 200).n));
    for (int i = level; i < LEVELS; i++)
        c->level[i] = NULL;
    for (int i = 0; i < LEVELS; i++)
        if (c->level[i] != NULL)
            path = path == NULL ? c->level[i] : arena_printf(c->a, "%s > %s", path, c->level[i]);
    c->heading = path;
}

static bool is_fence(struct str line)
{
    return str_starts(line, STR("```")) || str_starts(line, STR("~~~"));
}

/* The end of the paragraph at `at`, blank lines behind it included. */
static size_t paragraph_end(struct str t, size_t at, bool markdown)
{
    bool fenced = false, blank = false;

    while (at < t.n) {
        struct str line = line_at(t, at);

        if (markdown && is_fence(line))
            fenced = !fenced;
        if (!fenced && blank && line.n > 0)
            return at;
        if (markdown && !fenced && !blank && heading_level(line) > 0)
            return at;
        blank = !fenced && line.n == 0;
        at = line_end(t, at);
    }
    return t.n;
}

static void split_paragraphs(struct cutter *c, size_t at, bool markdown)
{
    while (at < c->text.n && !c->too_many) {
        struct str line = line_at(c->text, at);
        int level = markdown ? heading_level(line) : 0;
        size_t end;

        if (level > 0) {
            flush(c);
            enter_heading(c, line, level);
            end = line_end(c->text, at);
        } else {
            end = paragraph_end(c->text, at, markdown);
            if (end == at) /* a heading right behind blank lines */
                end = line_end(c->text, at);
        }
        add_unit(c, at, end);
        at = end;
    }
    flush(c);
}

/* --- CSV ------------------------------------------------------------------------------------ */

/* The end of the record at `at`: line feeds inside quotes do not end it. */
static size_t record_end(struct str t, size_t at)
{
    bool quoted = false;

    for (; at < t.n; at++) {
        if (t.p[at] == '"')
            quoted = !quoted;
        else if (t.p[at] == '\n' && !quoted)
            return at + 1;
    }
    return t.n;
}

static void split_records(struct cutter *c, size_t at)
{
    size_t end = record_end(c->text, at);
    struct str names = str_trim((struct str){c->text.p + at, end - at});

    /* The names stand above each part, and are a part of the first. */
    names = utf8_cut(names, 500);
    c->heading = names.n > 0 ? arena_strndup(c->a, names.p, names.n) : NULL;
    while (at < c->text.n && !c->too_many) {
        end = record_end(c->text, at);
        add_unit(c, at, end);
        at = end;
    }
    flush(c);
}

int chunk_split(struct arena *a, struct str text, enum chunk_kind kind, struct chunk_part **out,
                size_t *count, struct err *err)
{
    struct cutter c = {.a = a, .text = text};
    size_t at = str_starts(text, STR("\xef\xbb\xbf")) ? 3 : 0;

    if (!utf8_valid(text) || (text.n > 0 && memchr(text.p, '\0', text.n) != NULL))
        return err_set(err, ERR_INVALID, "the document is no UTF-8 text");
    c.start = c.end = at;
    if (kind == CHUNK_CSV)
        split_records(&c, at);
    else
        split_paragraphs(&c, at, kind == CHUNK_MARKDOWN);
    if (c.too_many)
        return err_set(err, ERR_TOOBIG, "the document has more than %d parts", CHUNKS_MAX);
    *out = c.part;
    *count = c.count;
    return 0;
}
