/* unicode.c: NFKC is made piece by piece, a starter with its combining marks, so that each byte of
 * the result knows where it came from. ASCII and Han, nearly all of what we read, skip the library.
 */
#include "libcommon/base/compat.h"
#include "libcommon/method/unicode.h"
#include <utf8proc.h>

#define UNICODE_MAX_IN (16u << 20)
#define TERM_MAX 64

struct sink {
    struct arena *a;
    char *p;
    uint32_t *src;
    size_t n, cap;
};

static void sink_grow(struct sink *s, size_t need)
{
    size_t cap = s->cap;

    if (s->n + need < cap)
        return;
    while (s->n + need >= cap)
        cap *= 2;
    char *p = arena_alloc(s->a, cap);
    uint32_t *src = arena_array(s->a, uint32_t, cap);
    memcpy(p, s->p, s->n);
    memcpy(src, s->src, s->n * sizeof(*src));
    s->p = p;
    s->src = src;
    s->cap = cap;
}

static void sink_put(struct sink *s, const char *p, size_t n, size_t from)
{
    sink_grow(s, n + 1);
    for (size_t i = 0; i < n; i++) {
        s->p[s->n + i] = p[i];
        s->src[s->n + i] = (uint32_t)from;
    }
    s->n += n;
}

/* Bytes that are not UTF-8 come out of utf8_next as U+FFFD, one at a time. */
static size_t segment_end(struct str s, size_t start)
{
    size_t pos = start;

    utf8_next(s, &pos);
    while (pos < s.n) {
        size_t next = pos;
        uint32_t cp = utf8_next(s, &next);

        if (cp < 0x300 || utf8proc_get_property((utf8proc_int32_t)cp)->combining_class == 0)
            break;
        pos = next;
    }
    return pos;
}

static void put_segment(struct sink *out, struct str s, size_t start, size_t end)
{
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)s.p + start, (utf8proc_ssize_t)(end - start),
                     &mapped, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);

    if (n >= 0)
        sink_put(out, (const char *)mapped, (size_t)n, start);
    else
        sink_put(out, "\xEF\xBF\xBD", 3, start);
    free(mapped);
}

static bool is_plain_han(const char *p, size_t left)
{
    const unsigned char *u = (const unsigned char *)p;

    /* U+4E00..U+9FFF: E4 B8 80 .. E9 BF BF */
    return left >= 3 && u[0] >= 0xE4 && u[0] <= 0xE9 && (u[0] != 0xE4 || u[1] >= 0xB8) &&
           (u[1] & 0xC0) == 0x80 && (u[2] & 0xC0) == 0x80;
}

struct norm unicode_nfkc(struct arena *a, struct str s)
{
    struct sink out = {.a = a, .cap = MIN(s.n, UNICODE_MAX_IN) + 64};

    s.n = MIN(s.n, UNICODE_MAX_IN);
    out.p = arena_alloc(a, out.cap);
    out.src = arena_array(a, uint32_t, out.cap);
    for (size_t i = 0; i < s.n;) {
        bool ascii = (unsigned char)s.p[i] < 0x80;
        bool plain_next = i + 1 >= s.n || (unsigned char)s.p[i + 1] < 0xCC;

        if (ascii && plain_next) {
            sink_put(&out, s.p + i, 1, i);
            i += 1;
        } else if (is_plain_han(s.p + i, s.n - i)) {
            sink_put(&out, s.p + i, 3, i);
            i += 3;
        } else {
            size_t end = segment_end(s, i);
            put_segment(&out, s, i, end);
            i = end;
        }
    }
    sink_grow(&out, 1);
    out.p[out.n] = '\0';
    out.src[out.n] = (uint32_t)s.n;
    return (struct norm){{out.p, out.n}, out.src};
}

static bool is_space(uint32_t cp)
{
    return cp == ' ' || (cp >= '\t' && cp <= '\r') || cp == 0xA0 || cp == 0x3000 || cp == 0x200B ||
           cp == 0xFEFF || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029;
}

struct str unicode_fold(struct arena *a, struct str s)
{
    struct norm n = unicode_nfkc(a, s);
    char *out = arena_alloc(a, n.text.n * 2 + 4);
    size_t len = 0, pos = 0;
    bool gap = false;

    while (pos < n.text.n) {
        uint32_t cp = utf8_next(n.text, &pos);

        if (is_space(cp)) {
            gap = len > 0;
            continue;
        }
        if (gap)
            out[len++] = ' ';
        gap = false;
        len += utf8_put(out + len, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
    }
    out[len] = '\0';
    return (struct str){out, len};
}

bool unicode_is_letter(uint32_t cp)
{
    if (cp < 0x80)
        return unicode_alpha((unsigned char)cp);
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

bool unicode_is_han(uint32_t cp)
{
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) || cp == 0x3007 ||
           (cp >= 0x20000 && cp <= 0x323AF) || (cp >= 0xF900 && cp <= 0xFAFF);
}

bool unicode_is_kana(uint32_t cp)
{
    return (cp >= 0x3041 && cp <= 0x30FF && cp != 0x30FB) || (cp >= 0xFF66 && cp <= 0xFF9D);
}

bool unicode_is_cjk(uint32_t cp)
{
    return unicode_is_han(cp) || unicode_is_kana(cp) || (cp >= 0xAC00 && cp <= 0xD7A3);
}

/* Light on purpose: "finished", "finishing", "finish" and "housings", "housing" must meet; a wrong
 * conflation costs more than a missed one. */
static const struct suffix {
    const char *end;
    size_t min; /* letters that must stay */
    const char *put;
} suffixes[] = {
    {"ies", 3, "y"}, {"sses", 2, "ss"}, {"shes", 2, "sh"}, {"ches", 2, "ch"},
    {"xes", 2, "x"}, {"ing", 3, ""},    {"eed", 3, "eed"}, {"ed", 4, ""},
    {"ss", 2, "ss"}, {"us", 2, "us"},   {"is", 2, "is"},   {"s", 3, ""},
};

static size_t strip_ending(char *word, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t end = strlen(suffixes[i].end), put = strlen(suffixes[i].put);

        if (n < end + suffixes[i].min || memcmp(word + n - end, suffixes[i].end, end) != 0)
            continue;
        memcpy(word + n - end, suffixes[i].put, put);
        return n - end + put;
    }
    return n;
}

size_t unicode_stem(char *word, size_t n)
{
    size_t before = n;

    n = strip_ending(word, n);
    if (n + 1 == before) /* "housings": the plural first */
        n = strip_ending(word, n);
    if (n > 4 && word[n - 1] == 'e') /* "acquire", "acquired" */
        n--;
    if (n > 4 && word[n - 1] == word[n - 2] && strchr("bdgmnprt", word[n - 1]) != NULL)
        n--; /* "stopped" */
    return n;
}

static size_t word_term(struct str s, size_t i, unicode_term_fn *fn, void *arg)
{
    char word[TERM_MAX];
    size_t n = 0, pos = i;
    bool ascii = true;

    while (pos < s.n) {
        size_t next = pos;
        uint32_t cp = utf8_next(s, &next);
        bool inner = unicode_is_letter(cp) || (cp < 0x80 && unicode_digit((unsigned char)cp));

        if (!inner || unicode_is_cjk(cp))
            break;
        ascii = ascii && cp < 0x80;
        if (n + 4 < TERM_MAX)
            n += utf8_put(word + n, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
        pos = next;
    }
    if (ascii)
        n = unicode_stem(word, n);
    fn(arg, (struct str){word, n}, i, pos);
    return pos;
}

static size_t cjk_terms(struct str s, size_t i, unicode_term_fn *fn, void *arg)
{
    size_t prev = i, pos = i, count = 0;

    while (pos < s.n) {
        size_t next = pos;

        if (!unicode_is_cjk(utf8_next(s, &next)))
            break;
        if (count > 0)
            fn(arg, (struct str){s.p + prev, next - prev}, prev, next);
        prev = pos;
        pos = next;
        count++;
    }
    if (count == 1)
        fn(arg, (struct str){s.p + i, pos - i}, i, pos);
    return pos;
}

void unicode_terms(struct str s, unicode_term_fn *fn, void *arg)
{
    for (size_t i = 0; i < s.n;) {
        size_t next = i;
        uint32_t cp = utf8_next(s, &next);

        if (unicode_is_cjk(cp))
            i = cjk_terms(s, i, fn, arg);
        else if (unicode_is_letter(cp) || (cp < 0x80 && unicode_digit((unsigned char)cp)))
            i = word_term(s, i, fn, arg);
        else
            i = next;
    }
}
