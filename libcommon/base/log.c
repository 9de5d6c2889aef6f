/* log.c: the lines of the log. A line is put together from rendered members, so that the longest
 * can be left out of a line that would be too long; what it says is masked by log_mask.c. */
#include "libcommon/base/compat.h"
#include "libcommon/base/log.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include <errno.h>
#include <unistd.h>

#define LINE_MAX_BYTES 16384u
#define MEMBERS_MAX 48u
#define TEXT_MAX (8u << 20) /* 48 values that escape to six times their size */

static const char *service = "ceoagent";
static enum log_level threshold = LOG_INFO;

static const char *const level_names[LOG__MAX] = {"DEBUG", "INFO", "WARNING", "ERROR"};

/* Members that stand in this order, whether given or not; then the others as they come. */
static const struct {
    const char *key;
    bool always; /* null when it is not given */
} order[] = {{"request_id", true}, {"user_id", true},    {"message", true},  {"decision_id", false},
             {"job_id", false},    {"tenant_id", false}, {"trace_id", false}};

struct member {
    size_t start, n; /* "key":value inside the text */
    size_t key_n;    /* of "key": */
};

struct line {
    struct buf text;
    struct member members[MEMBERS_MAX];
    size_t count;
};

void log_init(const char *name, enum log_level level)
{
    service = name;
    threshold = level;
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

int log_level_parse(struct str s, enum log_level *out)
{
    for (int i = 0; i < LOG__MAX; i++)
        if (str_ieq(s, str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return 0;
        }
    if (!str_ieq(s, STR("CRITICAL")))
        return ERR_INVALID;
    *out = LOG_ERROR;
    return 0;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold;
}

static bool is_secret_name(const char *key)
{
    static const char *const words[] = {"key", "token", "secret", "password", "authorization"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(key, words[i]) != NULL)
            return true;
    return false;
}

/* Ids are what a reader looks for; their digits must not look like a telephone number to us. */
static bool is_plain_name(const char *key)
{
    size_t n = strlen(key);

    return strcmp(key, "timestamp") == 0 || (n > 3 && strcmp(key + n - 3, "_id") == 0);
}

static void quote_masked(struct buf *b, struct str s)
{
    char small[1024];
    size_t cap = s.n * 2 + 64; /* a mask may be longer than what it hides */
    char *masked = cap <= sizeof small ? small : xmalloc(cap);

    log_mask(s, masked, cap);
    json_quote(b, str_of(masked));
    if (masked != small)
        free(masked);
}

static void write_string(struct buf *b, const char *key, struct str s)
{
    if (s.p == NULL)
        buf_puts(b, "null");
    else if (is_secret_name(key))
        buf_puts(b, "\"***\"");
    else if (s.n > LINE_MAX_BYTES)
        buf_puts(b, "\"...\"");
    else if (is_plain_name(key))
        json_quote(b, s);
    else
        quote_masked(b, s);
}

static void write_real(struct buf *b, double v)
{
    char text[40];

    snprintf(text, sizeof text, "%.9g", v);
    buf_puts(b, strpbrk(text, "ni") != NULL ? "null" : text); /* nan and inf */
}

static void write_value(struct buf *b, const struct log_field *f)
{
    switch (f->type) {
    case 's':
        write_string(b, f->key, str_of(f->v.s));
        break;
    case 'n':
        write_string(b, f->key, f->v.n);
        break;
    case 'i':
        buf_printf(b, "%" PRId64, f->v.i);
        break;
    case 'f':
        write_real(b, f->v.f);
        break;
    default:
        buf_puts(b, f->v.b ? "true" : "false");
    }
}

static void add_member(struct line *l, const struct log_field *f)
{
    struct member *m = &l->members[l->count];

    if (l->count == MEMBERS_MAX)
        return;
    m->start = l->text.n;
    json_quote(&l->text, str_of(f->key));
    buf_putc(&l->text, ':');
    m->key_n = l->text.n - m->start;
    write_value(&l->text, f);
    m->n = l->text.n - m->start;
    l->count++;
}

static const struct log_field *find_field(const struct log_field *fields, const char *key)
{
    for (; fields->key != NULL; fields++)
        if (strcmp(fields->key, key) == 0)
            return fields;
    return NULL;
}

static bool is_ordered(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (strcmp(order[i].key, key) == 0)
            return true;
    return false;
}

static void add_fields(struct line *l, const char *message, const struct log_field *fields)
{
    const struct log_field *message_field = &LOG_S("message", message);

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        const struct log_field *f = find_field(fields, order[i].key);

        if (strcmp(order[i].key, "message") == 0)
            add_member(l, message_field);
        else if (f != NULL)
            add_member(l, f);
        else if (order[i].always)
            add_member(l, &LOG_S(order[i].key, NULL));
    }
    for (; fields->key != NULL; fields++)
        if (!is_ordered(fields->key))
            add_member(l, fields);
}

/* Shortens the longest values to "..." until the line fits. */
static void fit(struct line *l)
{
    while (l->count > 0) {
        size_t total = 3, longest = 0; /* {}\n */

        for (size_t i = 0; i < l->count; i++) {
            total += l->members[i].n + 1;
            if (l->members[i].n > l->members[longest].n)
                longest = i;
        }
        if (total <= LINE_MAX_BYTES)
            return;
        if (l->members[longest].n <= l->members[longest].key_n + 5)
            l->count--; /* nothing to shorten: very many keys */
        l->members[longest].n = l->members[longest].key_n + 5;
        memcpy(l->text.p + l->members[longest].start + l->members[longest].key_n, "\"...\"", 5);
    }
}

static void write_all(const char *p, size_t n)
{
    ssize_t done;

    do
        done = write(STDERR_FILENO, p, n);
    while (done < 0 && errno == EINTR);
    /* What a full pipe does not take is lost: the loop is worth more than a line. */
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    char out[LINE_MAX_BYTES], when[CLOCK_ISO_LEN];
    struct line l = {.count = 0};
    size_t n = 0;

    buf_init(&l.text, TEXT_MAX);
    add_member(&l, &LOG_S("timestamp", clock_iso(clock_wall_us(), when)));
    add_member(&l, &LOG_S("level", level_names[MIN(level, LOG_ERROR)]));
    add_member(&l, &LOG_S("service", service));
    add_fields(&l, message, fields);
    fit(&l);
    for (size_t i = 0; i < l.count; i++) {
        out[n++] = i == 0 ? '{' : ',';
        memcpy(out + n, l.text.p + l.members[i].start, l.members[i].n);
        n += l.members[i].n;
    }
    out[n++] = '}';
    out[n++] = '\n';
    write_all(out, n);
    buf_done(&l.text);
}
