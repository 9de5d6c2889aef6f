/* segments.c: lines first, since a table is seen by its lines; what is left is prose, cut at the
 * ends of sentences. A line break inside a paragraph is a space. */
#include "libcommon/base/compat.h"
#include "libcommon/method/segments.h"
#include "libcommon/method/numbers.h"
#include "libcommon/method/unicode.h"

#define SEGMENTS_MAX 20000
#define CELL_MAX 200

struct line {
    size_t start, end; /* without the line break and blanks at both ends */
    char delim;        /* of a table row: '|', ',', ';', '\t'; 0 for prose */
    int cells;
    bool rule; /* |---|---| */
};

struct cutter {
    struct arena *a;
    struct str s;
    struct line *lines;
    size_t lines_count;
    struct segments out;
    size_t cap;
};

static bool is_blank(const struct line *l)
{
    return l->start == l->end;
}

static bool is_comment(struct str s, const struct line *l)
{
    return text_at(s, l->start, "#") || text_at(s, l->start, "//");
}

/* Cells of one line at most TABLE_COLS_MAX; quotes protect the delimiter. */
static int split_cells(struct str s, const struct line *l, char delim, struct str *cells)
{
    size_t p = l->start;
    int n = 0;

    if (delim == '|' && p < l->end && s.p[p] == '|')
        p++;
    while (p <= l->end && n < TABLE_COLS_MAX) {
        bool quoted = false;
        size_t start = p;

        while (p < l->end && (quoted || s.p[p] != delim)) {
            quoted = s.p[p] == '"' && delim != '|' ? !quoted : quoted;
            p++;
        }
        struct str c = str_trim((struct str){s.p + start, p - start});
        if (c.n >= 2 && c.p[0] == '"' && c.p[c.n - 1] == '"')
            c = (struct str){c.p + 1, c.n - 2};
        while (c.n > 4 && c.p[0] == '*' && c.p[1] == '*' && c.p[c.n - 1] == '*')
            c = (struct str){c.p + 2, c.n - 4};
        if (delim == '|' && p >= l->end && c.n == 0 && n > 0)
            break; /* behind the last | */
        cells[n++] = c;
        p++;
    }
    return n;
}

static bool has_digit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (unicode_digit((unsigned char)s.p[i]))
            return true;
    return false;
}

static bool cells_are_short(const struct str *cells, int n)
{
    for (int i = 0; i < n; i++)
        if (cells[i].n > CELL_MAX)
            return false;
    return true;
}

static void classify(struct str s, struct line *l)
{
    static const char delims[] = {'\t', ';', ','};
    struct str cells[TABLE_COLS_MAX];

    if (is_blank(l) || is_comment(s, l))
        return;
    if (s.p[l->start] == '|') {
        l->delim = '|';
        l->cells = split_cells(s, l, '|', cells);
        l->rule = l->cells > 0 && cells[0].n > 0 && strspn(cells[0].p, "-: ") >= cells[0].n;
        return;
    }
    for (size_t i = 0; i < sizeof(delims); i++) {
        int n = split_cells(s, l, delims[i], cells);
        if (n < 2 || !cells_are_short(cells, n))
            continue;
        l->delim = delims[i];
        l->cells = n;
        return;
    }
}

static void cut_lines(struct cutter *c)
{
    size_t count = 1, n = 0, pos = 0;

    for (size_t i = 0; i < c->s.n; i++)
        count += c->s.p[i] == '\n';
    c->lines = arena_array(c->a, struct line, count);
    while (pos <= c->s.n && n < count) {
        const char *nl = memchr(c->s.p + pos, '\n', c->s.n - pos);
        size_t end = nl == NULL ? c->s.n : (size_t)(nl - c->s.p);
        struct str t = str_trim((struct str){c->s.p + pos, end - pos});
        struct line *l = &c->lines[n++];

        l->start = t.n == 0 ? pos : (size_t)(t.p - c->s.p);
        l->end = l->start + t.n;
        classify(c->s, l);
        pos = end + 1;
    }
    c->lines_count = n;
}

/* How many lines from `from` on make one table; 0 when they make none. Delimited text needs a
 * digit in most rows behind the header, or prose with commas would be a table. */
static size_t table_lines(const struct cutter *c, size_t from)
{
    const struct line *first = &c->lines[from];
    size_t n = 0, digits = 0;

    if (first->delim == 0)
        return 0;
    while (from + n < c->lines_count && n < TABLE_ROWS_MAX) {
        const struct line *l = &c->lines[from + n];
        bool sentence = first->delim == ',' && l->end > l->start &&
                        (c->s.p[l->end - 1] == '.' || text_at(c->s, l->end - 3, "。"));

        if (l->delim != first->delim || (l->delim != '|' && l->cells != first->cells) || sentence)
            break;
        digits += n > 0 && has_digit((struct str){c->s.p + l->start, l->end - l->start});
        n++;
    }
    if (n < 2 || (first->delim != '|' && digits * 2 < n - 1))
        return 0;
    return n;
}

static void add(struct cutter *c, struct segment seg)
{
    if (c->out.count == c->cap) {
        size_t cap = c->cap == 0 ? 64 : c->cap * 2;
        struct segment *at = arena_array(c->a, struct segment, cap);
        if (c->cap > 0)
            memcpy(at, c->out.at, c->cap * sizeof(*at));
        c->out.at = at;
        c->cap = cap;
    }
    if (c->out.count < SEGMENTS_MAX)
        c->out.at[c->out.count++] = seg;
}

static bool speaks_of_units(struct str t)
{
    static const char *const words[] = {"thousand", "million", "000",   "单位", "amounts", "in EUR",
                                        "in USD",   "unit:",   "Unit:", "万元", "亿元"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_find(t, str_of(words[i])) >= 0)
            return true;
    return false;
}

/* The nearest two lines above, blank ones apart, as long as they are comments, headings or speak of
 * units. */
static struct str table_note(const struct cutter *c, size_t from)
{
    size_t start = 0, end = 0;
    int seen = 0;

    for (size_t i = from; i-- > 0 && seen < 2;) {
        const struct line *l = &c->lines[i];
        struct str t = {c->s.p + l->start, l->end - l->start};

        if (is_blank(l))
            continue;
        if (!is_comment(c->s, l) && !(l->delim != '|' && t.n < CELL_MAX && speaks_of_units(t)))
            break;
        start = l->start;
        end = end == 0 ? l->end : end;
        seen++;
    }
    return (struct str){c->s.p + start, end - start};
}

static void add_table(struct cutter *c, size_t from, size_t n)
{
    struct table t = {.note = table_note(c, from)};
    struct str cells[TABLE_COLS_MAX];

    for (size_t i = 0; i < n; i++)
        t.cols = MAX(t.cols, c->lines[from + i].cells);
    t.cells = arena_array(c->a, struct str, n * (size_t)t.cols);
    for (size_t i = 0; i < n; i++) {
        const struct line *l = &c->lines[from + i];

        if (l->rule)
            continue;
        int got = split_cells(c->s, l, l->delim, cells);
        for (int k = 0; k < t.cols; k++)
            t.cells[t.rows * t.cols + k] = k < got ? cells[k] : STR("");
        add(c, (struct segment){SEGMENT_ROW, l->start, l->end, c->out.tables_count, t.rows});
        t.rows++;
    }
    struct table *tables = arena_array(c->a, struct table, c->out.tables_count + 1);
    if (c->out.tables_count > 0)
        memcpy(tables, c->out.tables, sizeof(*tables) * (size_t)c->out.tables_count);
    tables[c->out.tables_count++] = t;
    c->out.tables = tables;
}

/* A point behind one of these ends no sentence. */
static bool is_abbreviation(struct str s, size_t start, size_t point)
{
    static const char *const words[] = {"tel",  "no",   "nr",  "approx", "vs",  "e.g", "i.e",
                                        "p",    "pp",   "art", "sec",    "fig", "inc", "ltd",
                                        "co",   "corp", "mr",  "mrs",    "dr",  "ca",  "est",
                                        "incl", "excl", "max", "min"};
    size_t word = point;

    while (word > start && (unicode_alpha((unsigned char)s.p[word - 1]) || s.p[word - 1] == '.'))
        word--;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_ieq((struct str){s.p + word, point - word}, str_of(words[i])))
            return true;
    return false;
}

/* Where the sentence that starts at pos ends: behind its mark. "3.5", "p.a." and "e.g. x" go on. */
static size_t sentence_end(struct str s, size_t pos, size_t end)
{
    size_t start = pos;

    while (pos < end) {
        size_t next = pos;
        uint32_t cp = utf8_next(s, &next);

        if (cp == '.' && is_abbreviation(s, start, pos)) {
            pos = next;
            continue;
        }
        if (cp == 0x3002 || cp == 0xFF01 || cp == 0xFF1F || cp == 0xFF1B)
            return next;
        if (cp == '.' || cp == '!' || cp == '?') {
            while (next < end && strchr("\"')*]", s.p[next]) != NULL)
                next++;
            size_t after = next;
            while (after < end && (s.p[after] == ' ' || s.p[after] == '\n' || s.p[after] == '\r'))
                after++;
            bool gap = after > next || after >= end || (unsigned char)s.p[next] >= 0x80;
            bool lower = after < end && s.p[after] >= 'a' && s.p[after] <= 'z';
            if (gap && !(cp == '.' && lower))
                return next;
        }
        pos = next;
    }
    return end;
}

static void add_prose(struct cutter *c, size_t start, size_t end)
{
    while (start < end) {
        while (start < end && (unsigned char)c->s.p[start] <= ' ')
            start++;
        size_t stop = sentence_end(c->s, start, end);
        if (stop > start)
            add(c, (struct segment){SEGMENT_SENTENCE, start, stop, -1, -1});
        start = stop;
    }
}

static size_t bullet_end(struct str s, const struct line *l)
{
    size_t p = l->start;
    size_t digits = p;

    if (p + 1 < l->end && strchr("-*+>", s.p[p]) != NULL && s.p[p + 1] == ' ')
        return p + 2;
    if (text_at(s, p, "•"))
        return p + 3;
    while (digits < l->end && digits < p + 3 && unicode_digit((unsigned char)s.p[digits]))
        digits++;
    if (digits > p && digits + 1 < l->end && (s.p[digits] == '.' || s.p[digits] == ')') &&
        s.p[digits + 1] == ' ')
        return digits + 2;
    return p;
}

struct segments segments_of(struct arena *a, struct str text)
{
    struct cutter c = {.a = a, .s = text};
    size_t start = 0, end = 0; /* the paragraph being gathered */

    cut_lines(&c);
    for (size_t i = 0; i < c.lines_count;) {
        const struct line *l = &c.lines[i];
        size_t rows = table_lines(&c, i);
        size_t bullet = rows > 0 || is_blank(l) ? l->start : bullet_end(text, l);
        bool heading = rows == 0 && !is_blank(l) && is_comment(text, l);

        if (rows > 0 || is_blank(l) || heading || bullet != l->start) {
            add_prose(&c, start, end);
            start = end = 0;
        }
        if (rows > 0) {
            add_table(&c, i, rows);
            i += rows;
            continue;
        }
        if (heading) {
            add(&c, (struct segment){SEGMENT_HEADING, l->start, l->end, -1, -1});
        } else if (!is_blank(l)) {
            start = end == 0 ? bullet : start;
            end = l->end;
        }
        i++;
    }
    add_prose(&c, start, end);
    return c.out;
}
