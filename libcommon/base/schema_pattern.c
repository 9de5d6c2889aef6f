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
#define GROUPS_MAX 32
#define NODES_MAX 4096 /* nodes of the expression after copying */
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

struct translation {
    const char *p;
    struct buf *out;
    int64_t size[GROUPS_MAX]; /* of each open group so far */
    int64_t operand;          /* size of what a quantifier would repeat; 0: nothing */
    int depth;
};

static bool open_group(struct translation *t)
{
    buf_putc(t->out, '(');
    if (++t->depth == GROUPS_MAX)
        return false;
    t->size[t->depth] = 1;
    t->operand = 0;
    if (*t->p != '?')
        return true;
    if (t->p[1] != ':')
        return false;
    t->p += 2;
    return true;
}

static bool close_group(struct translation *t)
{
    buf_putc(t->out, ')');
    if (t->depth == 0)
        return false;
    t->operand = t->size[t->depth--];
    t->size[t->depth] += t->operand;
    return true;
}

/* Copies digits and a comma up to the closing brace. *times is the larger bound. */
static bool translate_braces(struct translation *t, int64_t *times)
{
    const char *close = strchr(t->p, '}');
    struct str bounds;
    int64_t n;

    if (close == NULL)
        return false;
    bounds = (struct str){t->p, (size_t)(close - t->p)};
    buf_printf(t->out, "{%.*s}", STR_ARG(bounds));
    t->p = close + 1;
    *times = 1;
    while (bounds.n > 0) {
        struct str bound = str_split(&bounds, ',');

        if (str_i64(bound, &n) != 0 || n < 0)
            return false;
        *times = MAX(*times, MIN(n, NODES_MAX));
    }
    return true;
}

static bool translate_quantifier(struct translation *t, char c)
{
    int64_t times = c == '+' ? 2 : 1;

    if (t->operand == 0) /* of nothing, or of a quantifier: an error in ECMAScript */
        return false;
    if (c != '{')
        buf_putc(t->out, c);
    else if (!translate_braces(t, &times))
        return false;
    t->size[t->depth] += t->operand * (times - 1);
    t->operand = 0;
    t->p += *t->p == '?';
    return true;
}

static bool translate_atom(struct translation *t, char c)
{
    t->operand = 1;
    t->size[t->depth]++;
    if (c == '\\')
        return translate_escape(&t->p, t->out);
    if (c == '[')
        return translate_bracket(&t->p, t->out);
    buf_putc(t->out, c);
    if (c == '|' || c == '^')
        t->operand = 0;
    return true;
}

static bool translate_one(struct translation *t)
{
    char c = *t->p++;

    switch (c) {
    case '(':
        return open_group(t);
    case ')':
        return close_group(t);
    case '*':
    case '+':
    case '?':
    case '{':
        return translate_quantifier(t, c);
    default:
        return translate_atom(t, c);
    }
}

static bool translate(const char *p, struct buf *out)
{
    struct translation t = {.p = p, .out = out};

    while (*t.p != '\0')
        if (!translate_one(&t) || t.size[t.depth] > NODES_MAX)
            return false;
    return t.depth == 0 && !out->overflow;
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
