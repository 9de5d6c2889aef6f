/* json_scan.c: the strict check of JSON text, in one pass and without recursion.
 *
 * Duplicate keys are the part that can cost: the keys of all open objects lie on one stack, those
 * of an object next to each other (its children's are gone before its next key comes). Up to
 * LINEAR_KEYS of them are compared one by one; from there on the object gets a hash index. Hashes
 * are keyed (map_hash), so an object of a million hostile keys still costs a million steps. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"
#include "libcommon/base/json_text.h"
#include "libcommon/base/map.h"

#define LINEAR_KEYS 16u
#define KEYS_INLINE 32u
/* Shorter numbers without an exponent cannot leave the range of a double. */
#define SURELY_FINITE_LEN 300u

struct key {
    uint64_t hash; /* of its meaning */
    struct str body;
};

struct frame {
    bool object;
    size_t first_key;
    uint32_t *index; /* slots of key numbers from 1, relative to first_key; NULL while small */
    size_t cap;      /* a power of two */
};

struct scan {
    const char *start, *p, *end;
    struct frame frames[JSON_DEPTH_MAX];
    int depth, max_depth;
    struct key inline_keys[KEYS_INLINE];
    struct key *keys;
    size_t key_count, key_cap;
    struct buf scratch;
    struct err *err;
};

static int fail_at(struct scan *s, const char *at, const char *what)
{
    return err_set(s->err, ERR_INVALID, "invalid JSON at byte %zu: %s", (size_t)(at - s->start),
                   what);
}

static int fail(struct scan *s, const char *what)
{
    return fail_at(s, s->p, s->p == s->end ? "the text ends too early" : what);
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

static bool scan_hex4(struct scan *s, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        char c;

        if (s->p == s->end)
            return false;
        c = *s->p;
        if (c >= '0' && c <= '9')
            *out = *out << 4 | (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            *out = *out << 4 | (unsigned)((c | 32) - 'a' + 10);
        else
            return false;
    }
    return true;
}

/* s->p stands behind "\u". */
static int scan_unicode(struct scan *s)
{
    const char *at = s->p - 2;
    unsigned high, low;

    if (!scan_hex4(s, &high))
        return fail(s, "\\u needs four hex digits");
    if (high == 0)
        return fail_at(s, at, "\\u0000 is not accepted");
    if (high < 0xD800 || high > 0xDFFF)
        return 0;
    if (high > 0xDBFF || s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
        return fail_at(s, at, "half of a surrogate pair");
    s->p += 2;
    if (!scan_hex4(s, &low))
        return fail(s, "\\u needs four hex digits");
    if (low < 0xDC00 || low > 0xDFFF)
        return fail_at(s, at, "half of a surrogate pair");
    return 0;
}

static int scan_escape(struct scan *s)
{
    s->p++;
    if (s->p == s->end)
        return fail(s, "");
    if (*s->p == '\0' || strchr("\"\\/bfnrtu", *s->p) == NULL)
        return fail(s, "unknown escape");
    if (*s->p++ == 'u')
        return scan_unicode(s);
    return 0;
}

/* s->p stands at the opening quote. *body is what stands between the quotes. */
static int scan_string(struct scan *s, struct str *body, bool *escaped)
{
    const char *first = ++s->p;

    *escaped = false;
    while (s->p < s->end) {
        unsigned char c = (unsigned char)*s->p;

        if (c == '"') {
            *body = (struct str){first, (size_t)(s->p - first)};
            s->p++;
            return 0;
        }
        if (c == '\\') {
            int rc = scan_escape(s);

            if (rc != 0)
                return rc;
            *escaped = true;
        } else if (c < 0x20) {
            return fail(s, "a control character inside a string");
        } else if (c < 0x80) {
            s->p++;
        } else {
            struct str rest = {s->p, (size_t)(s->end - s->p)};
            size_t len = 0;

            if (utf8_next(rest, &len) == 0xFFFD && len == 1)
                return fail(s, "not UTF-8");
            s->p += len;
        }
    }
    return fail(s, "");
}

static bool scan_digits(struct scan *s)
{
    const char *first = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > first;
}

static int scan_number(struct scan *s)
{
    const char *first = s->p;
    bool exponent = false;
    struct str text;
    double v;

    s->p += *s->p == '-';
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!scan_digits(s))
        return fail(s, "a digit is missing");
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!scan_digits(s))
            return fail(s, "a digit is missing");
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        exponent = true;
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (!scan_digits(s))
            return fail(s, "a digit is missing");
    }
    text = (struct str){first, (size_t)(s->p - first)};
    if (text.n > JSON_NUMBER_LEN_MAX)
        return fail_at(s, first, "the number is too long");
    if ((exponent || text.n > SURELY_FINITE_LEN) && str_f64(text, &v) != 0)
        return fail_at(s, first, "the number is out of range");
    return 0;
}

static int scan_word(struct scan *s)
{
    static const struct str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    struct str rest = {s->p, (size_t)(s->end - s->p)};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_starts(rest, words[i])) {
            s->p += words[i].n;
            return 0;
        }
    return fail(s, "a value is expected");
}

/* Equal hashes of 64 bits: almost surely a duplicate, so the two copies are rarely made in vain. */
static bool same_key(const struct key *a, const struct key *b)
{
    char *meaning;
    bool same;

    if (a->hash != b->hash)
        return false;
    meaning = xmalloc(a->body.n + 1);
    same = json_body_is(b->body, (struct str){meaning, json_unescape(a->body, meaning)});
    free(meaning);
    return same;
}

static bool index_put(struct scan *s, struct frame *f, uint32_t number)
{
    const struct key *key = &s->keys[f->first_key + number - 1];
    size_t i = key->hash & (f->cap - 1);

    for (; f->index[i] != 0; i = (i + 1) & (f->cap - 1))
        if (same_key(&s->keys[f->first_key + f->index[i] - 1], key))
            return false;
    f->index[i] = number;
    return true;
}

static void index_grow(struct scan *s, struct frame *f, size_t count)
{
    free(f->index);
    f->cap = f->cap == 0 ? LINEAR_KEYS * 8 : f->cap * 4;
    f->index = xcalloc(f->cap, sizeof *f->index);
    for (size_t i = 1; i <= count; i++)
        index_put(s, f, (uint32_t)i);
}

static struct key *push_key(struct scan *s)
{
    if (s->key_count == s->key_cap) {
        struct key *old = s->keys == s->inline_keys ? NULL : s->keys;

        s->key_cap *= 2;
        s->keys = xrealloc(old, s->key_cap * sizeof *s->keys);
        if (old == NULL)
            memcpy(s->keys, s->inline_keys, sizeof s->inline_keys);
    }
    return &s->keys[s->key_count++];
}

static uint64_t key_hash(struct scan *s, struct str body, bool escaped)
{
    if (!escaped)
        return map_hash(body);
    buf_clear(&s->scratch);
    buf_str(&s->scratch, body); /* for the room */
    return map_hash((struct str){s->scratch.p, json_unescape(body, s->scratch.p)});
}

static int add_key(struct scan *s, struct str body, bool escaped)
{
    struct frame *f = &s->frames[s->depth - 1];
    struct key *key = push_key(s);
    size_t count = s->key_count - f->first_key;
    bool fresh = true;

    *key = (struct key){key_hash(s, body, escaped), body};
    if (count <= LINEAR_KEYS) {
        for (size_t i = f->first_key; i + 1 < s->key_count && fresh; i++)
            fresh = !same_key(&s->keys[i], key);
    } else {
        if (count * 2 > f->cap)
            index_grow(s, f, count - 1);
        fresh = index_put(s, f, (uint32_t)count);
    }
    return fresh ? 0 : fail_at(s, body.p - 1, "the key is there twice");
}

static int open_frame(struct scan *s)
{
    if (s->depth >= s->max_depth)
        return err_set(s->err, ERR_TOOBIG, "JSON nested deeper than %d levels at byte %zu",
                       s->max_depth, (size_t)(s->p - s->start));
    s->frames[s->depth++] = (struct frame){.object = *s->p == '{', .first_key = s->key_count};
    s->p++;
    return 0;
}

static void close_frame(struct scan *s)
{
    struct frame *f = &s->frames[--s->depth];

    free(f->index);
    s->key_count = f->first_key;
}

/* "key" : with the space around them; afterwards a value is due. */
static int scan_key(struct scan *s)
{
    struct str body;
    bool escaped;
    int rc;

    if (s->p == s->end || *s->p != '"')
        return fail(s, "a key is expected");
    rc = scan_string(s, &body, &escaped);
    if (rc == 0)
        rc = add_key(s, body, escaped);
    if (rc != 0)
        return rc;
    skip_space(s);
    if (s->p == s->end || *s->p != ':')
        return fail(s, "':' is expected");
    s->p++;
    return 0;
}

static int scan_scalar(struct scan *s)
{
    struct str body;
    bool escaped;

    if (s->p == s->end)
        return fail(s, "");
    if (*s->p == '"')
        return scan_string(s, &body, &escaped);
    if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
        return scan_number(s);
    return scan_word(s);
}

/* Behind a value: closes what ends here, and stands before the next value when there is one. */
static int scan_after(struct scan *s)
{
    while (s->depth > 0) {
        bool object = s->frames[s->depth - 1].object;

        skip_space(s);
        if (s->p < s->end && *s->p == ',') {
            s->p++;
            skip_space(s);
            return object ? scan_key(s) : 0;
        }
        if (s->p == s->end || *s->p != (object ? '}' : ']'))
            return fail(s, object ? "',' or '}' is expected" : "',' or ']' is expected");
        s->p++;
        close_frame(s);
    }
    return 0;
}

static int scan_value(struct scan *s)
{
    int rc;

    skip_space(s);
    if (s->p == s->end || (*s->p != '{' && *s->p != '[')) {
        rc = scan_scalar(s);
        return rc != 0 ? rc : scan_after(s);
    }
    rc = open_frame(s);
    if (rc != 0)
        return rc;
    skip_space(s);
    if (s->p < s->end && *s->p == (s->frames[s->depth - 1].object ? '}' : ']'))
        return scan_after(s);
    return s->frames[s->depth - 1].object ? scan_key(s) : 0;
}

int json_scan(struct str text, int max_depth, struct err *err)
{
    struct scan s;
    int rc;

    if (text.n >= UINT32_MAX)
        return err_set(err, ERR_TOOBIG, "JSON of more than 4 GiB");
    s.start = s.p = text.n == 0 ? "" : text.p;
    s.end = s.start + text.n;
    s.depth = 0;
    s.max_depth = MIN(max_depth, JSON_DEPTH_MAX);
    s.keys = s.inline_keys;
    s.key_count = 0;
    s.key_cap = KEYS_INLINE;
    s.err = err;
    buf_init(&s.scratch, UINT32_MAX);
    do
        rc = scan_value(&s);
    while (rc == 0 && s.depth > 0);
    skip_space(&s);
    if (rc == 0 && s.p != s.end)
        rc = fail(&s, "text after the value");
    while (s.depth > 0)
        close_frame(&s);
    if (s.keys != s.inline_keys)
        free(s.keys);
    buf_done(&s.scratch);
    return rc;
}
