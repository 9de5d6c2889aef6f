/* json_text.c: escapes of JSON strings, and json_raw, which finds a value in text without a tree.
 */
#include "libcommon/base/compat.h"
#include "libcommon/base/json_text.h"
#include "libcommon/base/json.h"

static unsigned hex4(const char *p)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];

        v = v << 4 | ((c & 0xF) + (c >= 'A' ? 9 : 0));
    }
    return v & 0xFFFF;
}

/* Decodes \uXXXX, with its second half when it is a surrogate; *i stands behind the `u` and moves.
 */
static size_t unescape_unicode(struct str body, size_t *i, char *out)
{
    uint32_t cp;

    if (body.n - *i < 4)
        return 0;
    cp = hex4(body.p + *i);
    *i += 4;
    if (cp >= 0xD800 && cp < 0xDC00 && body.n - *i >= 6) {
        cp = 0x10000 + ((cp & 0x3FF) << 10) + (hex4(body.p + *i + 2) & 0x3FF);
        *i += 6;
    }
    return utf8_put(out, cp);
}

size_t json_unescape(struct str body, char *out)
{
    static const char short_forms[256] = {['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r',
                                          ['t'] = '\t', ['"'] = '"',  ['/'] = '/',  ['\\'] = '\\'};
    size_t n = 0;

    for (size_t i = 0; i < body.n;) {
        if (body.p[i] != '\\' || i + 1 == body.n) {
            out[n++] = body.p[i++];
        } else if (body.p[i + 1] == 'u') {
            i += 2;
            n += unescape_unicode(body, &i, out + n);
        } else {
            out[n++] = short_forms[(unsigned char)body.p[i + 1]];
            i += 2;
        }
    }
    return n;
}

bool json_body_is(struct str body, struct str meaning)
{
    char small[256];
    char *text;
    bool same;

    if (body.n < meaning.n)
        return false;
    if (memchr(body.p, '\\', body.n) == NULL)
        return str_eq(body, meaning);
    text = body.n <= sizeof small ? small : xmalloc(body.n);
    same = str_eq((struct str){text, json_unescape(body, text)}, meaning);
    if (text != small)
        free(text);
    return same;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(struct str *s)
{
    while (s->n > 0 && is_space(s->p[0])) {
        s->p++;
        s->n--;
    }
}

static void skip(struct str *s, size_t n)
{
    n = MIN(n, s->n);
    s->p += n;
    s->n -= n;
}

/* s stands at the opening quote; the body is returned and s moves behind the closing one. */
static struct str take_string(struct str *s)
{
    struct str body = {s->p + 1, 0};
    size_t i = 1;

    while (i < s->n && s->p[i] != '"')
        i += s->p[i] == '\\' ? 2 : 1;
    body.n = MIN(i, s->n) - 1;
    skip(s, i + 1);
    return body;
}

/* Moves s behind the value at its start. */
static struct str take_value(struct str *s)
{
    struct str value = *s;
    int depth = 0;

    do {
        if (s->n == 0)
            break;
        switch (s->p[0]) {
        case '"':
            take_string(s);
            break;
        case '{':
        case '[':
            depth++;
            skip(s, 1);
            break;
        case '}':
        case ']':
            depth--;
            skip(s, 1);
            break;
        default:
            skip(s, 1);
            while (s->n > 0 && strchr(",:[]{}\" \n\t\r", s->p[0]) == NULL)
                skip(s, 1);
        }
    } while (depth > 0);
    value.n -= s->n;
    return value;
}

static bool find_member(struct str object, struct str key, struct str *out)
{
    skip(&object, 1);
    for (;;) {
        struct str body, value;

        skip_space(&object);
        if (object.n == 0 || object.p[0] != '"')
            return false;
        body = take_string(&object);
        skip_space(&object);
        skip(&object, 1); /* : */
        skip_space(&object);
        value = take_value(&object);
        if (json_body_is(body, key)) {
            *out = value;
            return true;
        }
        skip_space(&object);
        skip(&object, 1); /* , or } */
    }
}

static bool find_element(struct str array, struct str token, struct str *out)
{
    int64_t index;

    if (str_i64(token, &index) != 0 || index < 0 || (token.n > 1 && token.p[0] == '0'))
        return false;
    skip(&array, 1);
    for (;; index--) {
        struct str value;

        skip_space(&array);
        if (array.n == 0 || array.p[0] == ']')
            return false;
        value = take_value(&array);
        if (index == 0) {
            *out = value;
            return true;
        }
        skip_space(&array);
        skip(&array, 1); /* , or ] */
    }
}

size_t json_pointer_token(struct str token, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < token.n; i++) {
        char c = token.p[i];

        if (c == '~' && i + 1 < token.n)
            c = token.p[++i] == '1' ? '/' : '~';
        out[n++] = c;
    }
    return n;
}

int json_raw(struct str text, const char *pointer, struct str *out)
{
    struct str path = str_of(pointer), at = text, value;
    char *token = xmalloc(path.n + 1);
    bool found = true;

    skip_space(&at);
    value = take_value(&at);
    if (path.n > 0) {
        found = path.p[0] == '/';
        skip(&path, 1);
        while (found && path.p != NULL) {
            struct str t = str_split(&path, '/');

            t = (struct str){token, json_pointer_token(t, token)};
            found = value.n > 0 && ((value.p[0] == '{' && find_member(value, t, &value)) ||
                                    (value.p[0] == '[' && find_element(value, t, &value)));
        }
    }
    free(token);
    if (!found || value.n == 0)
        return ERR_NOTFOUND;
    *out = value;
    return 0;
}
