/* log_mask.c: finds e-mail addresses, telephone numbers and amounts of money in text and writes a
 * word in their place. It errs on the side of hiding, except for what an operator needs: ids,
 * UUIDs, dates, times, IP addresses, versions, counts and epochs stay. A match starts only where a
 * word may start, so the inside of an id is never looked at. */
#include "libcommon/base/compat.h"
#include "libcommon/base/log.h"

#define PHONE_DIGITS_MIN 7
#define PHONE_DIGITS_MAX 15
#define GROUPS_MAX 8

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_alpha(c);
}

static char at(struct str s, size_t i)
{
    return i < s.n ? s.p[i] : '\0';
}

static struct str from(struct str s, size_t i)
{
    return (struct str){s.p + i, s.n - i};
}

/* Whether a word may start at i: behind a letter, a digit or what joins the parts of ids, it may
 * not. */
static bool word_starts(struct str s, size_t i)
{
    char c = i == 0 ? ' ' : s.p[i - 1];

    return !is_alnum(c) && strchr("_-.:/+@#", c) == NULL;
}

static bool word_ends(struct str s, size_t i)
{
    char c = at(s, i);

    if (c == '-' || c == '.' || c == ':' || c == '/') /* ends a sentence, or goes on */
        return !is_alnum(at(s, i + 1));
    return !is_alnum(c) && c != '_' && c != '@';
}

/* Each matcher returns the length of what it found at i, or 0. */

static bool is_local(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("._%+-", c) != NULL);
}

static size_t match_email(struct str s, size_t i)
{
    size_t local = i, end, dot = 0;

    if (i > 0 && is_local(s.p[i - 1]))
        return 0;
    while (is_local(at(s, local)))
        local++;
    if (local == i || at(s, local) != '@')
        return 0;
    for (end = local + 1; is_alnum(at(s, end)) || at(s, end) == '-' || at(s, end) == '.'; end++)
        if (s.p[end] == '.' && is_alnum(at(s, end + 1)))
            dot = end;
    return dot == 0 ? 0 : end - i - (s.p[end - 1] == '.');
}

static size_t match_any(struct str s, size_t i, const char *const *words)
{
    for (; *words != NULL; words++)
        if (str_starts(from(s, i), str_of(*words)))
            return strlen(*words);
    return 0;
}

static size_t currency_sign(struct str s, size_t i)
{
    static const char *const signs[] = {"$", "€", "£", "¥", "￥", "₹", "₽", "₩", "₺", "₫", NULL};

    return match_any(s, i, signs);
}

static size_t currency_code(struct str s, size_t i)
{
    static const char *const codes[] = {"USD", "EUR", "GBP", "JPY", "CNY", "RMB", "CHF", "INR",
                                        "AUD", "CAD", "HKD", "SGD", "KRW", "BRL", "MXN", "SEK",
                                        "NOK", "DKK", "PLN", "RUB", "ZAR", "AED", "TWD", "THB",
                                        "NZD", "TRY", "ILS", "SAR", "CZK", "HUF", NULL};
    size_t n = match_any(s, i, codes);

    return n > 0 && !is_alpha(at(s, i + n)) ? n : 0;
}

static size_t currency_word(struct str s, size_t i)
{
    static const char *const words[] = {"元",      "美元",  "円",     "人民币", "欧元",
                                        "dollars", "euros", "pounds", "yuan",   NULL};

    return match_any(s, i, words);
}

/* Digits, grouped by , . ' or not, e.g. 1,234.50 */
static size_t number(struct str s, size_t i)
{
    size_t end = i;

    while (is_digit(at(s, end)) || (end > i && at(s, end) != '\0' &&
                                    strchr(",.'", s.p[end]) != NULL && is_digit(at(s, end + 1))))
        end++;
    return end - i;
}

static size_t spaces(struct str s, size_t i)
{
    return at(s, i) == ' ' ? 1 : 0;
}

/* "k", "M", "bn", " million", "万" and the like, with the space before it. */
static size_t magnitude(struct str s, size_t i)
{
    static const char *const words[] = {
        "thousand", "million", "billion", "trillion", "bn", "mn", "mio", "万亿", "百万", "千万",
        "万",       "亿",      "k",       "K",        "m",  "M",  "b",   "B",    NULL};
    size_t space = spaces(s, i), n = match_any(s, i + space, words);

    if (n == 0 || is_alnum(at(s, i + space + n)))
        return 0;
    return space + n;
}

static size_t currency_behind(struct str s, size_t i)
{
    size_t space = spaces(s, i), n = currency_sign(s, i + space);

    if (n == 0)
        n = currency_code(s, i + space);
    if (n == 0)
        n = currency_word(s, i + space);
    return n == 0 ? 0 : space + n;
}

static size_t match_amount(struct str s, size_t i)
{
    size_t n = currency_sign(s, i), digits;

    if (n == 0 && !word_starts(s, i))
        return 0;
    if (n == 0)
        n = currency_code(s, i);
    if (n > 0) {
        n += spaces(s, i + n);
        n += at(s, i + n) == '-';
        digits = number(s, i + n);
        return digits == 0 ? 0 : n + digits + magnitude(s, i + n + digits);
    }
    n = at(s, i) == '-';
    digits = number(s, i + n);
    if (digits == 0)
        return 0;
    n += digits;
    n += magnitude(s, i + n);
    digits = currency_behind(s, i + n);
    return digits == 0 ? 0 : n + digits;
}

struct groups {
    int count, digits;
    int len[GROUPS_MAX];
    bool plus, paren, dots;
    size_t n; /* bytes up to the last digit */
};

/* Groups of digits with single separators between them, from i on. */
static bool read_groups(struct str s, size_t i, struct groups *g)
{
    size_t start = i;

    *g = (struct groups){.plus = at(s, i) == '+'};
    i += g->plus;
    while (g->count < GROUPS_MAX) {
        size_t first;

        if (at(s, i) == '(') {
            g->paren = true;
            i++;
        }
        first = i;
        while (is_digit(at(s, i)))
            i++;
        if (i == first)
            break;
        g->len[g->count++] = (int)(i - first);
        g->digits += (int)(i - first);
        g->n = i - start;
        if (at(s, i) == ')' && g->paren)
            i++;
        if (at(s, i) == ' ' || at(s, i) == '-' || at(s, i) == '.') {
            g->dots |= s.p[i] == '.';
            i++;
        }
    }
    return g->count > 0 && word_ends(s, start + g->n);
}

static bool is_date(const struct groups *g)
{
    return g->count >= 3 && ((g->len[0] == 4 && g->len[1] == 2 && g->len[2] == 2) ||
                             (g->len[0] == 2 && g->len[1] == 2 && g->len[2] == 4));
}

static bool has_phone_shape(struct str text, const struct groups *g)
{
    int pairs = 0, short_groups = 0;

    if (g->digits < PHONE_DIGITS_MIN || g->digits > PHONE_DIGITS_MAX)
        return false;
    if (g->plus || g->paren)
        return true;
    if (g->count == 1) /* a plain number is an id, a count or an epoch, but for Chinese mobiles */
        return g->digits == 11 && text.p[0] == '1' && text.p[1] >= '3';
    if (is_date(g) || (g->dots && g->count != 3))
        return false;
    for (int i = 0; i < g->count; i++) {
        pairs += g->len[i] == 2;
        short_groups += g->len[i] < 2;
    }
    if (pairs == g->count)
        return pairs == 5;
    /* "010-12345678" and "555-1234" are numbers; a group of one digit is "1-800-...". */
    return g->count <= 5 && (short_groups == 0 || (short_groups == 1 && g->len[0] == 1));
}

static size_t match_phone(struct str s, size_t i)
{
    struct groups g;

    if (!is_digit(at(s, i)) && at(s, i) != '+' && at(s, i) != '(')
        return 0;
    if (!word_starts(s, i) || !read_groups(s, i, &g))
        return 0;
    return has_phone_shape(from(s, i), &g) ? g.n : 0;
}

static const struct {
    size_t (*match)(struct str s, size_t i);
    const char *mask;
} matchers[] = {
    {match_email, "[email]"},
    {match_amount, "[amount]"},
    {match_phone, "[phone]"},
};

static size_t find(struct str s, size_t i, const char **mask)
{
    for (size_t k = 0; k < ARRAY_LEN(matchers); k++) {
        size_t n = matchers[k].match(s, i);

        if (n > 0) {
            *mask = matchers[k].mask;
            return n;
        }
    }
    return 0;
}

void log_mask(struct str text, char *out, size_t cap)
{
    size_t used = 0;

    if (cap == 0)
        return;
    for (size_t i = 0; i < text.n;) {
        const char *mask = NULL;
        size_t n = find(text, i, &mask);
        struct str part = n > 0 ? str_of(mask) : (struct str){text.p + i, 1};

        if (n == 0) {
            size_t next = i;

            utf8_next(text, &next);
            part.n = next - i;
        }
        if (part.n >= cap - used)
            break;
        memcpy(out + used, part.p, part.n);
        used += part.n;
        i += n > 0 ? n : part.n;
    }
    out[used] = '\0';
}
