/* extract.c: the answer in a model's text. A model asked for JSON alone still writes around it, so
 * three places are tried in the order of the contract. */
#include "libcommon/base/compat.h"
#include "libcommon/method/validate.h"

static bool try_object(struct str text, struct arena *a, cJSON **out)
{
    struct err err = {0};
    cJSON *found = NULL;

    text = str_trim(text);
    if (text.n == 0 || text.p[0] != '{' || json_parse(a, text, JSON_DEPTH_MAX, &found, &err) != 0 ||
        !cJSON_IsObject(found))
        return false;
    decision_rename(found);
    *out = found;
    return true;
}

/* The first ``` block, with or without "json" behind the marks. */
static bool try_fence(struct str text, struct arena *a, cJSON **out)
{
    ptrdiff_t open = str_find(text, STR("```"));

    if (open < 0)
        return false;
    struct str rest = {text.p + open + 3, text.n - (size_t)open - 3};
    const char *nl = memchr(rest.p, '\n', rest.n);
    if (nl != NULL && memchr(rest.p, '{', (size_t)(nl - rest.p)) == NULL)
        rest = (struct str){nl + 1, rest.n - (size_t)(nl + 1 - rest.p)};
    ptrdiff_t close = str_find(rest, STR("```"));
    return try_object((struct str){rest.p, close < 0 ? rest.n : (size_t)close}, a, out);
}

/* From the first { to the } that closes it; braces in strings do not count. */
static struct str balanced(struct str text)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return (struct str){text.p, i + 1};
        }
    }
    return (struct str){text.p, 0};
}

static bool try_braces(struct str text, struct arena *a, cJSON **out)
{
    const char *open = text.n == 0 ? NULL : memchr(text.p, '{', text.n);

    if (open == NULL)
        return false;
    struct str rest = {open, text.n - (size_t)(open - text.p)};
    const char *close = memrchr(rest.p, '}', rest.n);
    if (close != NULL && try_object((struct str){rest.p, (size_t)(close - rest.p) + 1}, a, out))
        return true;
    return try_object(balanced(rest), a, out);
}

int decision_extract(struct str text, struct arena *a, cJSON **out, struct err *err)
{
    if (try_object(text, a, out) || try_fence(text, a, out) || try_braces(text, a, out))
        return 0;
    return err_set(err, ERR_INVALID, "the answer holds no JSON object");
}
