/* schema_pattern.c: JSON Schema's patterns are those of ECMAScript; ours are written in the part
 * that POSIX extended expressions share with them, plus \d \w \s. They are translated: the classes
 * are spelled out, (?: becomes (, and inside brackets, where POSIX knows no escapes, an escaped ]
 * goes first and an escaped - last. */
#include "libcommon/base/compat.h"
#include "libcommon/base/schema_pattern.h"
#include "libcommon/base/buf.h"
#include "libcommon/base/map.h"
#include <regex.h>

#define PATTERN_LEN_MAX 512u
/* glibc unrolls a{n}; nested ones multiply, so their product is bounded. */
#define REPEAT_MAX 4096
#define CACHE_MAX 256u

struct pattern {
    bool usable;
    regex_t regex;
};

static const char *class_members(char c)
{
    switch (c) {
    case 'd':
        return "0-9";
    case 'w':
        return "A-Za-z0-9_";
    case 's':
        return " \t\n\r\f\v";
    default:
        return NULL;
    }
}

static char control_of(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    default:
        return '\0';
    }
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* **p stands behind a backslash outside of brackets. */
static bool translate_escape(const char **p, struct buf *out)
{
    char c = *(*p)++;
    const char *members = class_members((char)(c | 32));

    if (c == '\0')
        return false;
    if (members != NULL)
        buf_printf(out, "[%s%s]", c & 32 ? "" : "^", members);
    else if (control_of(c) != '\0')
        buf_putc(out, control_of(c));
    else if (c == 'b' || c == 'B')
        buf_add(out, (char[]){'\\', c}, 2); /* known to glibc too */
    else if (is_alnum(c))
        return false; /* \1, \p, \u, \x, \c */
    else if (strchr("^$.[]|()*+?{}\\", c) != NULL)
        buf_add(out, (char[]){'\\', c}, 2);
    else
        buf_putc(out, c);
    return true;
}

static bool translate_bracket_escape(char c, struct buf *out, bool *bracket, bool *dash)
{
    const char *members = class_members(c);

    if (c == ']')
        *bracket = true;
    else if (c == '-')
        *dash = true;
    else if (members != NULL)
        buf_puts(out, members);
    else if (control_of(c) != '\0')
        buf_putc(out, control_of(c));
    else if (is_alnum(c) || c == '\0')
        return false;
    else
        buf_putc(out, c);
    return true;
}

/* **p stands behind the opening bracket. */
static bool translate_bracket(const char **p, struct buf *out)
{
    bool bracket = false, dash = false, ok = true, negated = **p == '^';
    struct buf members;

    *p += negated;
    buf_init(&members, PATTERN_LEN_MAX * 4);
    while (ok && **p != ']') {
        char c = *(*p)++;

        if (c == '\0' || (c == '[' && strchr(":.=", **p) != NULL && **p != '\0'))
            ok = false;
        else if (c != '\\')
            buf_putc(&members, c);
        else
            ok = translate_bracket_escape(*(*p)++, &members, &bracket, &dash);
        if (!ok)
            break;
    }
    if (ok) {
        (*p)++;
        /* "[]" matches nothing in ECMAScript and cannot be said in POSIX. */
        ok = members.n > 0 || bracket || dash;
        buf_printf(out, "[%s%s%.*s%s]", negated ? "^" : "", bracket ? "]" : "",
                   STR_ARG(buf_view(&members)), dash ? "-" : "");
    }
    buf_done(&members);
    return ok;
}

static bool translate_group(const char **p, struct buf *out)
{
    buf_putc(out, '(');
    if (**p != '?')
        return true;
    if ((*p)[1] != ':')
        return false;
    *p += 2;
    return true;
}

static bool translate(const char *p, struct buf *out)
{
    int64_t repeats = 1;

    while (*p != '\0') {
        char c = *p++;

        if (c == '\\') {
            if (!translate_escape(&p, out))
                return false;
        } else if (c == '[') {
            if (!translate_bracket(&p, out))
                return false;
        } else if (c == '(') {
            if (!translate_group(&p, out))
                return false;
        } else {
            buf_putc(out, c);
            if (c == '{') {
                const char *comma = strchr(p, ',');
                const char *close = strchr(p, '}');
                int64_t n = strtol(comma != NULL && comma < close ? comma + 1 : p, NULL, 10);

                repeats *= MAX(MAX(n, strtol(p, NULL, 10)), 1);
                if (repeats > REPEAT_MAX)
                    return false;
            }
        }
    }
    return !out->overflow;
}

static struct pattern *pattern_new(const char *text)
{
    struct pattern *p = xcalloc(1, sizeof *p);
    struct buf posix;

    buf_init(&posix, PATTERN_LEN_MAX * 8);
    if (strlen(text) <= PATTERN_LEN_MAX && translate(text, &posix))
        p->usable =
            regcomp(&p->regex, posix.p == NULL ? "" : posix.p, REG_EXTENDED | REG_NOSUB) == 0;
    buf_done(&posix);
    return p;
}

static void pattern_free(struct pattern *p)
{
    if (p->usable)
        regfree(&p->regex);
    free(p);
}

bool schema_pattern_fits(const char *pattern, const char *text)
{
    static struct map *cache; /* for the life of the process */
    struct pattern *p;
    bool fits;

    if (cache == NULL)
        cache = map_new();
    p = map_get(cache, str_of(pattern));
    if (p == NULL) {
        p = pattern_new(pattern);
        if (map_count(cache) < CACHE_MAX)
            map_set(cache, str_of(pattern), p);
    }
    fits = !p->usable || regexec(&p->regex, text, 0, NULL, 0) == 0;
    if (map_get(cache, str_of(pattern)) != p)
        pattern_free(p);
    return fits;
}
