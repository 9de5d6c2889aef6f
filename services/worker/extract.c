#include "libcommon/base/compat.h"
#include "services/worker/extract.h"
#include "libcommon/base/buf.h"
#include "libcommon/base/json.h"

#define JSON_NESTING 64

/* ---- the writer ---- */

void writer_init(struct writer *w)
{
    *w = (struct writer){0};
    buf_init(&w->b, EXTRACT_TEXT_MAX);
}

static void put(struct writer *w, const char *p, size_t n)
{
    if (w->b.n > 0 && w->breaks > 0)
        buf_add(&w->b, "\n\n", (size_t)MIN(w->breaks, 2));
    else if (w->b.n > 0 && w->space)
        buf_putc(&w->b, ' ');
    w->breaks = 0;
    w->space = false;
    buf_add(&w->b, p, n);
}

void writer_char(struct writer *w, uint32_t cp)
{
    char utf8[4];

    if (cp == ' ' || (cp >= '\t' && cp <= '\r') || cp == 0xa0 || cp == 0x3000) {
        w->space = true;
        return;
    }
    if (cp < 0x20 || cp == 0x7f || cp == 0xfeff || (cp >= 0xd800 && cp <= 0xdfff) || cp > 0x10ffff)
        return;
    put(w, utf8, utf8_put(utf8, cp));
}

void writer_text(struct writer *w, struct str s)
{
    for (size_t at = 0; at < s.n;)
        writer_char(w, utf8_next(s, &at));
}

void writer_break(struct writer *w, int n)
{
    if (w->rows > 0)
        w->space = true;
    else
        w->breaks = MAX(w->breaks, n);
}

void writer_heading(struct writer *w, int level)
{
    if (w->rows > 0)
        return;
    w->breaks = 2;
    put(w, "######", (size_t)level);
    w->space = true;
}

void writer_row(struct writer *w, bool begin)
{
    if (begin) {
        writer_break(w, 1);
        w->rows++;
        w->cells = 0;
    } else if (w->rows > 0) {
        w->rows--;
        writer_break(w, 1);
    }
}

void writer_cell(struct writer *w)
{
    w->space = w->cells > 0;
    if (w->cells++ > 0) {
        put(w, "|", 1);
        w->space = true;
    }
}

int writer_end(struct writer *w, struct arena *a, struct str *text, struct err *err)
{
    bool over = w->b.overflow;

    if (!over)
        *text = arena_str(a, buf_view(&w->b));
    buf_done(&w->b);
    return over ? err_set(err, ERR_TOOBIG, "the document's text is larger than %u MiB",
                          EXTRACT_TEXT_MAX >> 20)
                : 0;
}

/* ---- entities ---- */

static const struct {
    const char *name;
    uint32_t cp;
} entities[] = {
    {"amp", '&'},       {"apos", '\''},    {"copy", 0xa9},    {"euro", 0x20ac},  {"gt", '>'},
    {"hellip", 0x2026}, {"laquo", 0xab},   {"ldquo", 0x201c}, {"lsquo", 0x2018}, {"lt", '<'},
    {"mdash", 0x2014},  {"middot", 0xb7},  {"nbsp", 0xa0},    {"ndash", 0x2013}, {"pound", 0xa3},
    {"quot", '"'},      {"raquo", 0xbb},   {"rdquo", 0x201d}, {"reg", 0xae},     {"rsquo", 0x2019},
    {"times", 0xd7},    {"trade", 0x2122}, {"yen", 0xa5},
};

static uint32_t number(struct str s)
{
    bool hex = s.n > 0 && (s.p[0] == 'x' || s.p[0] == 'X');
    uint32_t v = 0;

    for (size_t i = hex; i < s.n; i++) {
        int c = s.p[i] | 0x20;
        int digit = s.p[i] >= '0' && s.p[i] <= '9' ? s.p[i] - '0'
                    : hex && c >= 'a' && c <= 'f'  ? c - 'a' + 10
                                                   : -1;

        if (digit < 0)
            return 0;
        v = v > 0x110000 ? v : v * (hex ? 16 : 10) + (uint32_t)digit;
    }
    return s.n > (size_t)hex ? (v == 0 || v > 0x10ffff ? 0xfffd : v) : 0;
}

uint32_t extract_entity(struct str text, size_t *at)
{
    size_t end = *at + 1, most = MIN(text.n, *at + 12);
    struct str name;
    uint32_t cp = 0;

    while (end < most && text.p[end] != ';')
        end++;
    if (end >= most)
        return 0;
    name = (struct str){text.p + *at + 1, end - *at - 1};
    if (name.n > 0 && name.p[0] == '#')
        cp = number((struct str){name.p + 1, name.n - 1});
    for (size_t i = 0; cp == 0 && i < ARRAY_LEN(entities); i++)
        if (str_eqz(name, entities[i].name))
            cp = entities[i].cp;
    if (cp != 0)
        *at = end + 1;
    return cp;
}

/* ---- the types ---- */

static const struct {
    const char *type;
    extract_fn *fn;
} made[] = {
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", extract_docx},
    {"application/xhtml+xml", extract_html},
    {"text/html", extract_html},
};

int extract(struct arena *a, struct str content_type, struct str bytes, struct extract *out,
            struct err *err)
{
    struct str rest = content_type, type = str_trim(str_split(&rest, ';'));
    struct err fault;

    *out = (struct extract){.text = bytes, .kind = CHUNK_MARKDOWN};
    for (size_t i = 0; i < ARRAY_LEN(made); i++)
        if (str_ieq(type, str_of(made[i].type)))
            return made[i].fn(a, bytes, &out->text, err);
    out->original = true;
    if (chunk_kind_of(content_type, &out->kind) != 0)
        return err_set(err, ERR_INVALID, "content type %.*s is not read", (int)MIN(type.n, 100),
                       type.p);
    if (str_ieq(type, STR("application/json")) && json_scan(bytes, JSON_NESTING, &fault) != 0)
        return err_set(err, ERR_INVALID, "the file is no JSON: %s", fault.msg);
    return 0;
}
