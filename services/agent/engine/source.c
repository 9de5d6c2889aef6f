/* source.c: untrusted text in a fence. The closing tag carries a nonce that the text cannot know,
 * and a tag inside the text is escaped, so a document cannot step out of its source. The nonce
 * comes with the event that brought the text: the same log gives the same bytes. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

#define NONCE_LEN 16

static bool nonce_fine(const char *nonce)
{
    return nonce != NULL && strlen(nonce) == NONCE_LEN &&
           strspn(nonce, "0123456789abcdef") == NONCE_LEN;
}

/* A log without a nonce still has to be read: a hash of the text stands in. The escape below is
 * what the fence then rests on. */
static void nonce_of(struct str text, char out[NONCE_LEN + 1])
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (uint8_t)text.p[i]) * 0x100000001b3u;
    snprintf(out, NONCE_LEN + 1, "%016" PRIx64, h);
}

static bool tag_at(struct str s, size_t i)
{
    size_t k = i + 1;

    if (s.p[i] != '<')
        return false;
    if (k < s.n && s.p[k] == '/')
        k++;
    return s.n - k >= 6 && strncasecmp(s.p + k, "source", 6) == 0;
}

static void add_escaped(struct buf *b, struct str text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.n; i++)
        if (tag_at(text, i)) {
            buf_str(b, (struct str){text.p + from, i - from});
            buf_puts(b, "&lt;");
            from = i + 1;
        }
    buf_str(b, (struct str){text.p + from, text.n - from});
}

static void add_attribute(struct buf *b, const char *name, const char *value)
{
    struct str cut = utf8_cut(str_of(value == NULL ? "" : value), 200);

    buf_printf(b, " %s=\"", name);
    for (size_t i = 0; i < cut.n; i++) {
        unsigned char c = (unsigned char)cut.p[i];

        if (c == '"')
            buf_puts(b, "&quot;");
        else if (c == '<')
            buf_puts(b, "&lt;");
        else
            buf_putc(b, c < 0x20 ? ' ' : (char)c);
    }
    buf_putc(b, '"');
}

void source_fence(struct engine *e, struct buf *b, const struct source *s, struct str text)
{
    char made[NONCE_LEN + 1];
    const char *nonce = s->nonce;

    if (!nonce_fine(nonce)) {
        nonce_of(text, made);
        nonce = made;
    }
    buf_puts(b, "<source");
    if (!s->no_id)
        buf_printf(b, " id=\"E%d\"", evidence_add(e, s->kind, s->ref));
    add_attribute(b, "kind", s->kind);
    if (s->ref != NULL && s->ref[0] != '\0')
        add_attribute(b, "ref", s->ref);
    add_attribute(b, "title", s->title);
    buf_printf(b, " trust=\"untrusted\" nonce=\"%s\">\n", nonce);
    add_escaped(b, text);
    buf_printf(b, "\n</source nonce=\"%s\">\n", nonce);
}
