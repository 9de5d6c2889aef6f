/* cfg.c: from the environment to a struct, driven by rows. Each value is read into a scratch union
 * first and stored only when all of it is right, so that a failed reload leaves what was there. */
#include "libcommon/base/compat.h"
#include "libcommon/base/cfg.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include <errno.h>

#define FILE_MAX_BYTES 65536u
#define NAME_MAX_BYTES 128

union value {
    int64_t i;
    double f;
    bool b;
    char *s;
};

/* Strings that a reload replaced: others may still hold them, so they live until cfg_free. */
struct retired {
    struct retired *next;
    const void *into;
    char *s;
};

static struct retired *retired;

static bool is_text(const struct cfg_option *o)
{
    return o->type != CFG_INT && o->type != CFG_REAL && o->type != CFG_BOOL;
}

static void *member(const struct cfg_option *o, void *into)
{
    return (char *)into + o->offset;
}

/* What an operator may write instead; the default if there is one. */
static const char *example(const struct cfg_option *o, char *out, size_t n)
{
    struct str first = o->allowed == NULL ? STR("") : str_of(o->allowed);

    first = str_split(&first, '|');
    if (o->dflt != NULL && o->dflt[0] != '\0')
        return o->dflt;
    switch (o->type) {
    case CFG_INT:
    case CFG_REAL:
        snprintf(out, n, "%.15g", MAX(o->min, 1));
        break;
    case CFG_BOOL:
        return "on";
    case CFG_URL:
        snprintf(out, n, "%.*s://host:port", STR_ARG(first));
        break;
    case CFG_KEY32:
        return "$(openssl rand -base64 32)";
    case CFG_JSON:
        return "'{}'";
    default:
        snprintf(out, n, "%.*s", STR_ARG(first.n > 0 ? first : STR("text")));
    }
    return out;
}

static struct str first_name(const struct cfg_option *o)
{
    struct str names = str_of(o->name);

    return str_split(&names, '|');
}

static int bad_value(const struct cfg_option *o, struct str text, struct err *err, const char *fmt,
                     ...) PRINTF_LIKE(4, 5);

static int bad_value(const struct cfg_option *o, struct str text, struct err *err, const char *fmt,
                     ...)
{
    struct str name = first_name(o), shown = utf8_cut(text, 40);
    char what[160], room[80];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (o->flags & CFG_SECRET)
        shown = STR("(hidden)");
    return err_set(err, ERR_INVALID, "%.*s=%.*s: %s, for example %.*s=%s", STR_ARG(name),
                   STR_ARG(shown), what, STR_ARG(name), example(o, room, sizeof room));
}

/* The alternative of `allowed` that the text is, in any case, or an empty view. */
static struct str find_allowed(const char *allowed, struct str text)
{
    struct str rest = str_of(allowed);

    while (rest.n > 0) {
        struct str one = str_split(&rest, '|');

        if (str_ieq(one, text))
            return one;
    }
    return STR("");
}

static char *copy(struct str s)
{
    return xstrndup(s.p, s.n);
}

static int parse_string(const struct cfg_option *o, struct str text, union value *v,
                        struct err *err)
{
    if (!utf8_valid(text) || memchr(text.p, '\0', text.n) != NULL)
        return bad_value(o, STR("?"), err, "must be UTF-8 text");
    if (o->max > 0 && (text.n < o->min || text.n > o->max))
        return bad_value(o, text, err, "must have %.0f to %.0f characters", o->min, o->max);
    v->s = copy(text);
    return 0;
}

static int parse_int(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    if (str_i64(text, &v->i) != 0 || v->i < o->min || v->i > o->max)
        return bad_value(o, text, err, "must be a whole number from %.0f to %.0f", o->min, o->max);
    return 0;
}

static int parse_real(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    if (str_f64(text, &v->f) != 0 || v->f < o->min || v->f > o->max)
        return bad_value(o, text, err, "must be a number from %.15g to %.15g", o->min, o->max);
    return 0;
}

static int parse_bool(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    v->b = find_allowed("on|true|1|yes", text).n > 0;
    if (!v->b && find_allowed("off|false|0|no", text).n == 0)
        return bad_value(o, text, err, "must be on or off");
    return 0;
}

static int parse_enum(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    struct str one = find_allowed(o->allowed, text);

    if (one.n == 0)
        return bad_value(o, text, err, "must be one of %s", o->allowed);
    v->s = copy(one);
    return 0;
}

static int parse_url(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    ptrdiff_t colon = str_find(text, STR("://"));

    if (colon <= 0 || (size_t)colon + 3 >= text.n ||
        find_allowed(o->allowed, (struct str){text.p, (size_t)colon}).n == 0)
        return bad_value(o, text, err, "must be a URL that starts with one of %s", o->allowed);
    return parse_string(o, text, v, err);
}

static int parse_list(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    struct str rest = text;

    while (rest.n > 0) {
        struct str part = str_trim(str_split(&rest, ','));

        if (part.n == 0)
            return bad_value(o, text, err, "has an empty part");
        if (o->allowed != NULL && find_allowed(o->allowed, part).n == 0)
            return bad_value(o, text, err, "each part must be one of %s", o->allowed);
    }
    return parse_string(o, text, v, err);
}

static int parse_key32(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    uint8_t key[32];
    ptrdiff_t n = base64_decode(text, false, key, sizeof key);

    explicit_bzero(key, sizeof key);
    if (n != sizeof key)
        return bad_value(o, text, err, "must be 32 bytes in base64");
    return parse_string(o, text, v, err);
}

static int parse_json(const struct cfg_option *o, struct str text, union value *v, struct err *err)
{
    struct err why;

    if (json_scan(text, JSON_DEPTH_MAX, &why) != 0)
        return bad_value(o, text, err, "%.120s", why.msg);
    if (text.p[0] != '{')
        return bad_value(o, text, err, "must be a JSON object");
    return parse_string(o, text, v, err);
}

static int (*const parsers[])(const struct cfg_option *o, struct str text, union value *v,
                              struct err *err) = {
    [CFG_STRING] = parse_string, [CFG_INT] = parse_int,     [CFG_REAL] = parse_real,
    [CFG_BOOL] = parse_bool,     [CFG_ENUM] = parse_enum,   [CFG_URL] = parse_url,
    [CFG_LIST] = parse_list,     [CFG_KEY32] = parse_key32, [CFG_JSON] = parse_json,
};

static int read_file(const char *name, const char *path, struct buf *out, struct err *err)
{
    FILE *f = fopen(path, "re");
    char part[4096];
    size_t n;

    if (f == NULL)
        return err_set(err, ERR_INVALID, "%s=%s: the file cannot be read: %s", name, path,
                       strerror(errno));
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(out, part, n);
    explicit_bzero(part, sizeof part);
    n = (size_t)ferror(f);
    fclose(f);
    if (n != 0 || out->overflow)
        return err_set(err, ERR_INVALID, "%s=%s: the file cannot be read, or is over %u bytes",
                       name, path, FILE_MAX_BYTES);
    return 0;
}

/* The text of NAME or of the file that NAME_FILE names; empty when there is neither. */
static int read_name(struct str name, struct buf *out, struct err *err)
{
    char z[NAME_MAX_BYTES], z_file[NAME_MAX_BYTES + 8];
    const char *value, *path;

    snprintf(z, sizeof z, "%.*s", STR_ARG(name));
    snprintf(z_file, sizeof z_file, "%s_FILE", z);
    value = getenv(z);
    path = getenv(z_file);
    if (path == NULL || path[0] == '\0') {
        buf_puts(out, value == NULL ? "" : value);
        return 0;
    }
    if (value != NULL && value[0] != '\0')
        return err_set(err, ERR_INVALID, "%s and %s are both set: give one of them", z, z_file);
    return read_file(z_file, path, out, err);
}

/* The value of a row into *v; *given tells whether there is one (a string that is not given stays
 * NULL). */
static int read_row(const struct cfg_option *o, union value *v, bool *given, struct err *err)
{
    struct str names = str_of(o->name), text = STR("");
    struct buf b;
    int rc = 0;

    *v = (union value){0};
    buf_init(&b, FILE_MAX_BYTES);
    while (rc == 0 && text.n == 0 && names.n > 0) {
        buf_clear(&b);
        rc = read_name(str_split(&names, '|'), &b, err);
        text = str_trim(buf_view(&b));
    }
    *given = text.n > 0;
    if (rc == 0 && *given)
        rc = parsers[o->type](o, text, v, err);
    else if (rc == 0 && (o->flags & CFG_REQUIRED))
        rc = bad_value(o, STR(""), err, "is required");
    if (b.p != NULL)
        explicit_bzero(b.p, b.cap);
    buf_done(&b);
    return rc;
}

/* The default as if it had been given, but without its bounds: "" may stand for "empty". */
static void read_default(const struct cfg_option *o, union value *v)
{
    *v = (union value){0};
    if (o->dflt == NULL)
        return;
    if (is_text(o))
        v->s = xstrdup(o->dflt);
    else if (parsers[o->type](o, str_of(o->dflt), v, NULL) != 0)
        abort(); /* the table is ours */
}

static void store(const struct cfg_option *o, union value v, void *into)
{
    void *at = member(o, into);

    if (o->type == CFG_INT)
        memcpy(at, &v.i, sizeof v.i);
    else if (o->type == CFG_REAL)
        memcpy(at, &v.f, sizeof v.f);
    else if (o->type == CFG_BOOL)
        memcpy(at, &v.b, sizeof v.b);
    else
        memcpy(at, &v.s, sizeof v.s);
}

static char *stored_text(const struct cfg_option *o, void *into)
{
    char *s;

    memcpy(&s, member(o, into), sizeof s);
    return s;
}

int cfg_load(const struct cfg_option *rows, size_t count, unsigned programs, void *into,
             struct err *err)
{
    for (size_t i = 0; i < count; i++)
        store(&rows[i], (union value){0}, into);
    for (size_t i = 0; i < count; i++) {
        union value v;
        bool given = false;

        if (rows[i].flags & programs) {
            int rc = read_row(&rows[i], &v, &given, err);

            if (rc != 0) {
                cfg_free(rows, count, into);
                return rc;
            }
        }
        if (!given)
            read_default(&rows[i], &v);
        store(&rows[i], v, into);
    }
    return 0;
}

static void retire(const void *into, char *s)
{
    struct retired *r = xmalloc(sizeof *r);

    *r = (struct retired){retired, into, s};
    retired = r;
}

static bool is_same(const struct cfg_option *o, union value v, void *into)
{
    const void *at = member(o, into);

    if (is_text(o)) {
        const char *old = stored_text(o, into);

        return v.s == NULL || old == NULL ? v.s == old : strcmp(v.s, old) == 0;
    }
    if (o->type == CFG_BOOL)
        return memcmp(at, &v.b, sizeof v.b) == 0;
    return memcmp(at, &v, sizeof v) == 0;
}

/* Stores what differs and frees the rest. */
static bool apply(const struct cfg_option *o, union value v, void *into)
{
    if (is_same(o, v, into)) {
        if (is_text(o))
            free(v.s);
        return false;
    }
    if (is_text(o) && stored_text(o, into) != NULL)
        retire(into, stored_text(o, into));
    store(o, v, into);
    return true;
}

int cfg_reload(const struct cfg_option *rows, size_t count, unsigned programs, void *into,
               bool *changed, struct err *err)
{
    union value *values = xcalloc(count, sizeof *values);
    bool *given = xcalloc(count, sizeof *given);
    size_t done = 0;
    int rc = 0;

    for (; done < count && rc == 0; done++)
        if ((rows[done].flags & CFG_RELOAD) && (rows[done].flags & programs))
            rc = read_row(&rows[done], &values[done], &given[done], err);
    if (rc == 0)
        *changed = false;
    for (size_t i = 0; i < done; i++) {
        if (!given[i])
            continue; /* one that went away keeps its value until the next start */
        if (rc == 0)
            *changed |= apply(&rows[i], values[i], into);
        else if (is_text(&rows[i]))
            free(values[i].s);
    }
    free(given);
    free(values);
    return rc;
}

void cfg_free(const struct cfg_option *rows, size_t count, void *into)
{
    struct retired **at = &retired;

    for (size_t i = 0; i < count; i++)
        if (is_text(&rows[i])) {
            free(stored_text(&rows[i], into));
            store(&rows[i], (union value){0}, into);
        }
    while (*at != NULL) {
        struct retired *r = *at;

        if (r->into != into) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        free(r->s);
        free(r);
    }
}
