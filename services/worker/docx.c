/* docx.c: the text of a Word document: the part word/document.xml of a ZIP archive. The archive is
 * read by its central directory; one part is inflated, within limits that stand before anything is;
 * the XML is read as tags in a row, without a tree, entities of its own or anything from outside.
 */
#include "libcommon/base/compat.h"
#include <zlib.h>
#include "libcommon/base/buf.h"
#include "services/worker/extract.h"

#define END_LEN 22
#define END_SEARCH (END_LEN + 65535)
#define ENTRY_LEN 46
#define LOCAL_LEN 30
#define PART "word/document.xml"

/* ---- the archive ---- */

static uint32_t le(struct str s, size_t at, int n)
{
    uint32_t v = 0;

    for (int i = 0; i < n; i++)
        v |= (uint32_t)(unsigned char)s.p[at + (size_t)i] << (8 * i);
    return v;
}

static int find_end(struct str zip, size_t *at)
{
    for (size_t back = END_LEN; back <= zip.n && back <= END_SEARCH; back++) {
        if (le(zip, zip.n - back, 4) == 0x06054b50) {
            *at = zip.n - back;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

struct entry {
    uint32_t flags, method, crc, packed, size, offset;
};

static int find_entry(struct str zip, const char *name, struct entry *out, struct err *err)
{
    struct str want = str_of(name);
    size_t end = 0, at;
    uint32_t count;

    if (zip.n < END_LEN || find_end(zip, &end) != 0)
        return err_set(err, ERR_INVALID, "the file is no Word document (no archive, or cut off)");
    count = le(zip, end + 10, 2);
    at = le(zip, end + 16, 4);
    if (count > EXTRACT_ENTRIES_MAX)
        return err_set(err, ERR_TOOBIG, "the archive holds %u files", count);
    for (uint32_t i = 0; i < count; i++) {
        size_t n, skip;

        if (at > end || end - at < ENTRY_LEN || le(zip, at, 4) != 0x02014b50)
            return err_set(err, ERR_INVALID, "the archive's directory is broken");
        n = le(zip, at + 28, 2);
        skip = ENTRY_LEN + n + le(zip, at + 30, 2) + le(zip, at + 32, 2);
        if (end - at < skip)
            return err_set(err, ERR_INVALID, "the archive's directory is broken");
        if (str_eq((struct str){zip.p + at + ENTRY_LEN, n}, want)) {
            *out = (struct entry){le(zip, at + 8, 2),  le(zip, at + 10, 2), le(zip, at + 16, 4),
                                  le(zip, at + 20, 4), le(zip, at + 24, 4), le(zip, at + 42, 4)};
            return 0;
        }
        at += skip;
    }
    return err_set(err, ERR_INVALID, "the file is no Word document (it has no " PART ")");
}

static int inflate_part(struct arena *a, struct str packed, uint32_t size, struct str *out,
                        struct err *err)
{
    char *room = arena_alloc(a, (size_t)size + 1);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.p,
                  .avail_in = (uInt)packed.n,
                  .next_out = (Bytef *)room,
                  .avail_out = size};
    int rc;

    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return err_set(err, ERR_INTERNAL, "zlib does not start");
    rc = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (rc != Z_STREAM_END || z.avail_out != 0)
        return err_set(err, ERR_INVALID, "a part of the archive is broken");
    *out = (struct str){room, size};
    return 0;
}

static int read_entry(struct arena *a, struct str zip, const struct entry *e, struct str *out,
                      struct err *err)
{
    struct str packed;
    size_t at = e->offset;

    if (e->flags & 1)
        return err_set(err, ERR_INVALID, "the document is protected by a password");
    if (e->size > EXTRACT_PART_MAX ||
        (e->size > 1u << 20 && e->size / EXTRACT_RATIO_MAX > e->packed))
        return err_set(err, ERR_TOOBIG, "the document expands too far");
    if (at > zip.n || zip.n - at < LOCAL_LEN || le(zip, at, 4) != 0x04034b50)
        return err_set(err, ERR_INVALID, "the archive is broken");
    at += LOCAL_LEN + le(zip, at + 26, 2) + le(zip, at + 28, 2);
    if (at > zip.n || zip.n - at < e->packed)
        return err_set(err, ERR_INVALID, "the archive is cut off");
    packed = (struct str){zip.p + at, e->packed};
    if (e->method == 0 && e->packed == e->size)
        *out = packed;
    else if (e->method != 8)
        return err_set(err, ERR_INVALID, "the archive's method %u is not read", e->method);
    else if (inflate_part(a, packed, e->size, out, err) != 0)
        return err->code;
    if (crc32(0, (const Bytef *)out->p, (uInt)out->n) != e->crc)
        return err_set(err, ERR_INVALID, "a part of the archive is broken");
    return 0;
}

/* ---- the XML ---- */

struct paper {
    struct str s;
    size_t at;
    struct writer w;
    bool text;   /* inside <w:t> */
    int heading; /* of this paragraph, not written yet; 0: none */
};

/* "w:tbl" is "tbl" whatever the prefix. */
static struct str local_name(struct str tag)
{
    size_t n = 0;
    struct str name;

    while (n < tag.n && strchr(" \t\r\n/", tag.p[n]) == NULL)
        n++;
    name = (struct str){tag.p, n};
    for (size_t i = n; i-- > 0;)
        if (name.p[i] == ':')
            return (struct str){name.p + i + 1, n - i - 1};
    return name;
}

static int heading_of(struct str tag)
{
    ptrdiff_t at = str_find(tag, STR("val=\"")), digit;
    struct str value;

    if (at < 0)
        return 0;
    value = (struct str){tag.p + at + 5, tag.n - (size_t)at - 5};
    if (value.n > 8 && str_ieq((struct str){value.p, 7}, STR("heading"))) {
        digit = value.p[7] == ' ' ? value.p[8] - '0' : value.p[7] - '0';
        return digit >= 1 && digit <= 6 ? (int)digit : 0;
    }
    return value.n > 6 && str_starts(value, STR("Title\"")) ? 1 : 0;
}

static void character(struct paper *g, uint32_t cp)
{
    if (g->heading > 0 && cp != ' ') {
        writer_heading(&g->w, g->heading);
        g->heading = 0;
    }
    writer_char(&g->w, cp);
}

static void tag(struct paper *g, struct str t)
{
    bool closing = t.n > 0 && t.p[0] == '/', empty = t.n > 0 && t.p[t.n - 1] == '/';
    struct str name = local_name(closing ? (struct str){t.p + 1, t.n - 1} : t);

    if (str_eqz(name, "t")) {
        g->text = !closing && !empty;
    } else if (str_eqz(name, "p")) {
        writer_break(&g->w, 2);
        g->heading = 0;
    } else if (str_eqz(name, "pStyle")) {
        g->heading = heading_of(t);
    } else if (str_eqz(name, "br") || str_eqz(name, "cr")) {
        writer_break(&g->w, 1);
    } else if (str_eqz(name, "tab")) {
        writer_char(&g->w, ' ');
    } else if (str_eqz(name, "tr") && !empty) {
        writer_row(&g->w, !closing);
    } else if (str_eqz(name, "tc") && !closing) {
        writer_cell(&g->w);
    } else if (str_eqz(name, "tbl")) {
        writer_break(&g->w, 2);
    }
}

static int read_tag(struct paper *g, struct err *err)
{
    struct str rest = {g->s.p + g->at + 1, g->s.n - g->at - 1};
    ptrdiff_t end;

    if (str_starts(rest, STR("!--"))) {
        end = str_find(rest, STR("-->"));
        g->at = end < 0 ? g->s.n : g->at + 1 + (size_t)end + 3;
        return 0;
    }
    if (rest.n > 0 && rest.p[0] == '!')
        return err_set(err, ERR_INVALID, "the document declares entities of its own");
    end = str_find(rest, STR(">"));
    if (end < 0)
        return err_set(err, ERR_INVALID, "the document's XML is cut off");
    tag(g, (struct str){rest.p, (size_t)end});
    g->at += (size_t)end + 2;
    return 0;
}

static int read_xml(struct paper *g, struct err *err)
{
    while (g->at < g->s.n) {
        uint32_t cp = 0;

        if (g->s.p[g->at] == '<') {
            if (read_tag(g, err) != 0)
                return err->code;
            continue;
        }
        if (g->s.p[g->at] == '&')
            cp = extract_entity(g->s, &g->at);
        if (cp == 0)
            cp = utf8_next(g->s, &g->at);
        if (g->text)
            character(g, cp);
    }
    return 0;
}

int extract_docx(struct arena *a, struct str bytes, struct str *text, struct err *err)
{
    struct paper g = {0};
    struct err fault = {0};
    struct entry e = {0};
    int rc;

    if (find_entry(bytes, PART, &e, &fault) != 0 || read_entry(a, bytes, &e, &g.s, &fault) != 0)
        return err_set(err, fault.code, "%s", fault.msg);
    if (!utf8_valid(g.s) || memchr(g.s.p, 0, g.s.n) != NULL)
        return err_set(err, ERR_INVALID, "the document's XML is not UTF-8");
    writer_init(&g.w);
    if (read_xml(&g, &fault) != 0) {
        buf_done(&g.w.b);
        return err_set(err, fault.code, "%s", fault.msg);
    }
    rc = writer_end(&g.w, a, text, &fault);
    return rc == 0 ? 0 : err_set(err, rc, "%s", fault.msg);
}
