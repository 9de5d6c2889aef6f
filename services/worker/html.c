/* html.c: the readable text of an HTML page. No tree is built: tags only say where lines and
 * headings begin and what is left out, so nesting of any depth costs nothing. */
#include "libcommon/base/compat.h"
#include "libcommon/base/buf.h"
#include "services/worker/extract.h"

#define TAG_MAX 15

enum effect { NOTHING, LINE, PARAGRAPH, ITEM, HEADING, ROW, CELL, RAW, PRE };

static const struct {
    const char *name;
    enum effect effect;
} tags[] = {
    {"address", PARAGRAPH},
    {"article", PARAGRAPH},
    {"aside", PARAGRAPH},
    {"blockquote", PARAGRAPH},
    {"br", LINE},
    {"caption", PARAGRAPH},
    {"dd", LINE},
    {"div", LINE},
    {"dl", PARAGRAPH},
    {"dt", LINE},
    {"figcaption", PARAGRAPH},
    {"figure", PARAGRAPH},
    {"footer", PARAGRAPH},
    {"form", PARAGRAPH},
    {"h1", HEADING},
    {"h2", HEADING},
    {"h3", HEADING},
    {"h4", HEADING},
    {"h5", HEADING},
    {"h6", HEADING},
    {"header", PARAGRAPH},
    {"hr", PARAGRAPH},
    {"iframe", RAW},
    {"li", ITEM},
    {"main", PARAGRAPH},
    {"math", RAW},
    {"nav", PARAGRAPH},
    {"noembed", RAW},
    {"noframes", RAW},
    {"object", RAW},
    {"ol", PARAGRAPH},
    {"option", LINE},
    {"p", PARAGRAPH},
    {"pre", PRE},
    {"script", RAW},
    {"section", PARAGRAPH},
    {"select", RAW},
    {"style", RAW},
    {"svg", RAW},
    {"table", PARAGRAPH},
    {"td", CELL},
    {"template", RAW},
    {"textarea", RAW},
    {"th", CELL},
    {"title", RAW},
    {"tr", ROW},
    {"ul", PARAGRAPH},
};

struct page {
    struct str s;
    size_t at;
    struct writer w;
    bool pre;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind "-->"; a comment without an end goes to the end. */
static size_t skip_to(struct str s, size_t at, struct str end)
{
    ptrdiff_t found = at < s.n ? str_find((struct str){s.p + at, s.n - at}, end) : -1;

    return found < 0 ? s.n : at + (size_t)found + end.n;
}

/* Behind the '>' of a tag whose attributes begin at `at`. */
static size_t skip_attributes(struct str s, size_t at)
{
    char quote = 0;

    for (; at < s.n; at++) {
        char c = s.p[at];

        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if ((c == '"' || c == '\'') && s.p[at - 1] == '=')
            quote = c;
        else if (c == '>')
            return at + 1;
    }
    return s.n;
}

/* The '<' of "</name", or the end. */
static size_t find_end_tag(struct str s, size_t at, struct str name)
{
    for (; at + name.n + 2 <= s.n; at++)
        if (s.p[at] == '<' && s.p[at + 1] == '/' &&
            str_ieq((struct str){s.p + at + 2, name.n}, name))
            return at;
    return s.n;
}

static void begin_or_end(struct page *g, enum effect e, const char *name, bool closing)
{
    switch (e) {
    case PARAGRAPH:
        writer_break(&g->w, 2);
        break;
    case LINE:
        writer_break(&g->w, 1);
        break;
    case ITEM:
        writer_break(&g->w, 1);
        if (!closing && g->w.rows == 0)
            writer_text(&g->w, STR("- "));
        break;
    case HEADING:
        if (closing)
            writer_break(&g->w, 2);
        else
            writer_heading(&g->w, name[1] - '0');
        break;
    case ROW:
        writer_row(&g->w, !closing);
        break;
    case CELL:
        if (!closing)
            writer_cell(&g->w);
        break;
    case PRE:
        g->pre = !closing;
        writer_break(&g->w, 2);
        break;
    case NOTHING:
    case RAW:
        break;
    }
}

static enum effect effect_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        if (strcmp(name, tags[i].name) == 0)
            return tags[i].effect;
    return NOTHING;
}

static void read_tag(struct page *g, bool closing)
{
    size_t at = g->at + 1 + closing;
    char name[TAG_MAX + 1];
    size_t n = 0;
    enum effect e;

    while (at < g->s.n && (is_letter(g->s.p[at]) || (g->s.p[at] >= '0' && g->s.p[at] <= '9'))) {
        if (n < TAG_MAX)
            name[n++] = (char)(g->s.p[at] | 0x20);
        at++;
    }
    name[n] = '\0';
    e = effect_of(name);
    at = skip_attributes(g->s, at);
    /* "<svg/>" has nothing inside. */
    if (e == RAW && !closing && !(at >= 2 && g->s.p[at - 1] == '>' && g->s.p[at - 2] == '/'))
        at = find_end_tag(g->s, at, str_of(name));
    g->at = at;
    begin_or_end(g, e, name, closing);
}

static void read_markup(struct page *g)
{
    char next = g->at + 1 < g->s.n ? g->s.p[g->at + 1] : 0;

    if (str_starts((struct str){g->s.p + g->at, g->s.n - g->at}, STR("<!--"))) {
        g->at = skip_to(g->s, g->at + 4, STR("-->"));
    } else if (next == '!' || next == '?') {
        g->at = skip_to(g->s, g->at, STR(">"));
    } else if (is_letter(next)) {
        read_tag(g, false);
    } else if (next == '/' && g->at + 2 < g->s.n && is_letter(g->s.p[g->at + 2])) {
        read_tag(g, true);
    } else {
        writer_char(&g->w, '<');
        g->at++;
    }
}

int extract_html(struct arena *a, struct str bytes, struct str *text, struct err *err)
{
    struct page g = {.s = bytes};

    if (!utf8_valid(bytes) || memchr(bytes.p, 0, bytes.n) != NULL)
        return err_set(err, ERR_INVALID, "the page is not text in UTF-8");
    writer_init(&g.w);
    while (g.at < bytes.n) {
        uint32_t cp;

        if (bytes.p[g.at] == '<') {
            read_markup(&g);
        } else if (bytes.p[g.at] == '&' && (cp = extract_entity(bytes, &g.at)) != 0) {
            writer_char(&g.w, cp);
        } else if (bytes.p[g.at] == '\n' && g.pre) {
            writer_break(&g.w, 1);
            g.at++;
        } else {
            writer_char(&g.w, utf8_next(bytes, &g.at));
        }
    }
    return writer_end(&g.w, a, text, err);
}
