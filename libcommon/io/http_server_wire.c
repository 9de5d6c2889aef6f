/* Requests are smuggled where two readers disagree about where one ends: two lengths, a length and
 * a coding, "chunked " with a twist, bare LF, folded lines, a space before the colon, 0x in a chunk
 * size. Here each of these is a refusal. http_parser 2.9.4 alone is not enough: Debian builds it
 * without its strict mode, and it lets any byte into chunk extensions; so the body's framing is
 * read here alone, and the head by both. */
#include "libcommon/base/compat.h"
#include "libcommon/io/http_server_wire.h"
#include <http_parser.h>

static int refuse(struct http_fault *f, int status, const char *reason)
{
    f->status = status;
    f->reason = reason;
    return -1;
}

static bool is_token(struct str s)
{
    static const char extra[] = "!#$%&'*+-.^_`|~";

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alnum && (c == 0 || strchr(extra, c) == NULL))
            return false;
    }
    return true;
}

/* Space and tab only: what HTTP calls OWS. */
static struct str trim_ows(struct str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* --- where the head ends --- */

ptrdiff_t http_head_end(struct str in, size_t max_head, size_t *scanned, size_t *skip,
                        struct http_fault *f)
{
    if (*scanned == 0 && *skip == 0 && in.n >= 2 && memcmp(in.p, "\r\n", 2) == 0)
        *skip = *scanned = 2;
    for (size_t i = *scanned; i < in.n; i++) {
        char c = in.p[i];
        if (i >= max_head)
            return refuse(f, 431, "head_too_big");
        if (c == '\0')
            return refuse(f, 400, "nul");
        if (c == '\n' && (i == 0 || in.p[i - 1] != '\r'))
            return refuse(f, 400, "bare_lf");
        if (c != '\n' && i > *skip && in.p[i - 1] == '\r')
            return refuse(f, 400, "bare_cr");
        if (c == '\n' && i == *skip + 1)
            return refuse(f, 400, "empty_line"); /* a second empty line before the request */
        if (c == '\n' && i >= *skip + 3 && in.p[i - 2] == '\n')
            return (ptrdiff_t)(i + 1);
        *scanned = i + 1;
    }
    /* A lone CR may be the first half of the empty line that is skipped. */
    if (in.n == 1 && in.p[0] == '\r')
        *scanned = 0;
    return 0;
}

/* --- the request line --- */

static int read_version(struct str v, struct http_head *h, struct http_fault *f)
{
    if (str_eq(v, STR("HTTP/1.1")))
        return 0;
    if (str_eq(v, STR("HTTP/1.0"))) {
        h->http10 = true;
        return 0;
    }
    if (v.n == 8 && str_starts(v, STR("HTTP/")) && v.p[5] >= '0' && v.p[5] <= '9' &&
        v.p[6] == '.' && v.p[7] >= '0' && v.p[7] <= '9')
        return refuse(f, 505, "version");
    return refuse(f, 400, "version_malformed");
}

static bool is_authority(struct str s)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alnum && (c == 0 || strchr("-._~%!$&'()*+,;=:[]", c) == NULL))
            return false;
    }
    return true;
}

/* RFC 9112 section 3.2: a server must accept the absolute form; it is brought to origin form. */
static int absolute_form(struct str *target, struct http_fault *f)
{
    ptrdiff_t scheme = str_find(*target, STR("://"));
    struct str name, rest;
    size_t end = 0;

    if (scheme < 0)
        return refuse(f, 400, "target");
    name = (struct str){target->p, (size_t)scheme};
    if (!str_ieq(name, STR("http")) && !str_ieq(name, STR("https")))
        return refuse(f, 400, "target");
    rest = (struct str){target->p + scheme + 3, target->n - (size_t)scheme - 3};
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    if (!is_authority((struct str){rest.p, end}))
        return refuse(f, 400, "target");
    *target = (struct str){rest.p + end, rest.n - end};
    return 0;
}

static int read_target(struct str t, struct http_head *h, struct http_fault *f)
{
    if (t.n == 0)
        return refuse(f, 400, "target");
    if (t.n > HTTP_TARGET_MAX)
        return refuse(f, 414, "target_too_long");
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return refuse(f, 400, "target");
    }
    if (strcmp(h->method, "CONNECT") == 0)
        return refuse(f, 501, "connect");
    if (str_eq(t, STR("*"))) {
        if (strcmp(h->method, "OPTIONS") != 0)
            return refuse(f, 400, "target");
        h->path = t;
        return 0;
    }
    if (t.p[0] != '/' && absolute_form(&t, f) != 0)
        return -1;
    h->path = str_split(&t, '?');
    h->query = t;
    if (h->path.n == 0)
        h->path = STR("/");
    if (h->query.p == NULL)
        h->query = STR("");
    return 0;
}

#define METHOD_MAX 24

static int read_request_line(struct arena *a, struct str line, struct http_head *h,
                             struct http_fault *f)
{
    struct str rest = line;
    struct str method = str_split(&rest, ' ');
    struct str target = str_split(&rest, ' ');

    if (!is_token(method) || rest.p == NULL)
        return refuse(f, 400, "request_line");
    if (method.n > METHOD_MAX)
        return refuse(f, 501, "method");
    h->method = arena_strndup(a, method.p, method.n);
    if (read_version(rest, h, f) != 0)
        return -1;
    return read_target(target, h, f);
}

/* --- the fields --- */

static int read_field(struct str line, struct http_header *out, struct http_fault *f)
{
    struct str value = line;
    struct str name;

    if (line.p[0] == ' ' || line.p[0] == '\t')
        return refuse(f, 400, "folded_line");
    name = str_split(&value, ':');
    if (value.p == NULL)
        return refuse(f, 400, "no_colon");
    if (name.n > 0 && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
        return refuse(f, 400, "space_before_colon");
    if (!is_token(name))
        return refuse(f, 400, "field_name");
    out->name = name;
    out->value = trim_ows(value);
    for (size_t i = 0; i < out->value.n; i++) {
        unsigned char c = (unsigned char)out->value.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return refuse(f, 400, "field_value");
    }
    return 0;
}

static int read_length(struct str v, struct http_head *h, struct http_fault *f)
{
    if (h->has_length)
        return refuse(f, 400, "two_lengths");
    if (v.n == 0)
        return refuse(f, 400, "length");
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9')
            return refuse(f, 400, "length");
    if (v.n > 18)
        return refuse(f, 413, "body_too_big");
    for (size_t i = 0; i < v.n; i++)
        h->length = h->length * 10 + (uint64_t)(v.p[i] - '0');
    h->has_length = true;
    return 0;
}

static int read_connection(struct str v, struct http_head *h)
{
    while (v.p != NULL) {
        struct str token = trim_ows(str_split(&v, ','));
        if (str_ieq(token, STR("close")))
            h->keep_alive = false;
        else if (str_ieq(token, STR("keep-alive")) && h->http10)
            h->keep_alive = true;
    }
    return 0;
}

struct seen {
    int host, te;
    bool close;
};

static int judge_field(const struct http_header *x, struct http_head *h, struct seen *seen,
                       struct http_fault *f)
{
    if (str_ieq(x->name, STR("host"))) {
        if (++seen->host > 1 || !is_authority(x->value))
            return refuse(f, 400, "host");
    } else if (str_ieq(x->name, STR("content-length"))) {
        return read_length(x->value, h, f);
    } else if (str_ieq(x->name, STR("transfer-encoding"))) {
        if (++seen->te > 1 || h->http10 || !str_ieq(x->value, STR("chunked")))
            return refuse(f, 400, "transfer_encoding");
        h->chunked = true;
    } else if (str_ieq(x->name, STR("connection"))) {
        bool was = h->keep_alive;
        read_connection(x->value, h);
        /* "close" in one line is not taken back by another. */
        seen->close = seen->close || (was && !h->keep_alive);
    } else if (str_ieq(x->name, STR("expect")) && !h->http10) {
        if (!str_ieq(x->value, STR("100-continue")))
            return refuse(f, 417, "expect");
        h->expect_continue = true;
    }
    return 0;
}

/* The second reader. It must come to the same end, length and coding. */
struct second {
    bool complete;
    uint64_t length;
    unsigned flags;
};

static int on_second_head(http_parser *p)
{
    struct second *s = p->data;

    s->complete = true;
    s->length = p->content_length;
    s->flags = p->flags;
    return 0;
}

static int agree(struct str head, const struct http_head *h, struct http_fault *f)
{
    http_parser_settings settings;
    http_parser p;
    struct second s = {0};

    http_parser_settings_init(&settings);
    settings.on_headers_complete = on_second_head;
    http_parser_init(&p, HTTP_REQUEST);
    p.data = &s;
    /* Methods are the application's to know (new ones appear); this reader has a list: so GET. */
    struct str rest = {head.p + strlen(h->method), head.n - strlen(h->method)};
    http_parser_execute(&p, &settings, "GET", 3);
    size_t n = http_parser_execute(&p, &settings, rest.p, rest.n);
    if (HTTP_PARSER_ERRNO(&p) != HPE_OK || !s.complete || n != rest.n)
        return refuse(f, 400, "malformed");
    if (((s.flags & F_CHUNKED) != 0) != h->chunked || (h->has_length && s.length != h->length))
        return refuse(f, 400, "ambiguous");
    return 0;
}

static int read_fields(struct arena *a, struct str rest, struct http_head *h, struct http_fault *f)
{
    struct seen seen = {0};

    h->headers = arena_array(a, struct http_header, HTTP_HEADERS_MAX);
    h->keep_alive = !h->http10;
    while (rest.n > 2) { /* the empty line is left */
        struct str line = str_split(&rest, '\n');
        line.n--; /* the CR: http_head_end saw to it that there is one */
        if (h->header_count == HTTP_HEADERS_MAX)
            return refuse(f, 431, "too_many_fields");
        struct http_header *x = &h->headers[h->header_count];
        if (read_field(line, x, f) != 0 || judge_field(x, h, &seen, f) != 0)
            return -1;
        h->header_count++;
    }
    if (seen.close)
        h->keep_alive = false;
    if (seen.host == 0 && !h->http10)
        return refuse(f, 400, "host");
    if (h->chunked && h->has_length)
        return refuse(f, 400, "length_and_coding");
    return 0;
}

int http_head_read(struct arena *a, struct str head, struct http_head *out, struct http_fault *f)
{
    struct http_head h = {0};
    struct str rest = head;
    struct str line = str_split(&rest, '\n');

    if (line.n == 0 || line.p[line.n - 1] != '\r' || rest.n < 2)
        return refuse(f, 400, "request_line");
    line.n--;
    if (read_request_line(a, line, &h, f) != 0 || read_fields(a, rest, &h, f) != 0 ||
        agree(head, &h, f) != 0)
        return -1;
    *out = h;
    return 0;
}

/* --- the body --- */

#define CHUNK_LINE_MAX 256
#define TRAILERS_MAX 4096

void http_body_init(struct http_body *b, const struct http_head *h)
{
    memset(b, 0, sizeof(*b));
    b->chunked = h->chunked;
    b->state = BODY_SIZE;
    if (!h->chunked) {
        b->left = h->length;
        b->state = h->length == 0 ? BODY_DONE : BODY_DATA;
    }
}

/* "1A", then perhaps an extension, whose text is dropped; then CRLF. */
static int size_byte(struct http_body *b, char c, struct http_fault *f)
{
    unsigned char u = (unsigned char)c;

    if (b->cr) {
        uint64_t size = 0;
        if (c != '\n' || b->text[0] == '\0')
            return refuse(f, 400, "chunk_size");
        for (const char *p = b->text; *p != '\0'; p++)
            size = size * 16 + (uint64_t)(*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
        b->left = size;
        b->state = size == 0 ? BODY_TRAILER : BODY_DATA;
        b->line = 0;
        b->cr = b->extension = false;
        memset(b->text, 0, sizeof(b->text));
        return 0;
    }
    if (++b->line > CHUNK_LINE_MAX)
        return refuse(f, 400, "chunk_line_too_long");
    if (c == '\r') {
        b->cr = true;
        return 0;
    }
    if ((u < ' ' && c != '\t') || u >= 0x7f)
        return refuse(f, 400, "chunk_size");
    if (b->extension)
        return 0;
    if (c == ';') {
        b->extension = true;
        return b->text[0] == '\0' ? refuse(f, 400, "chunk_size") : 0;
    }
    if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f')) || b->line > 15)
        return refuse(f, 400, "chunk_size");
    b->text[b->line - 1] = c;
    return 0;
}

static int data_end_byte(struct http_body *b, char c, struct http_fault *f)
{
    if (c != (b->cr ? '\n' : '\r'))
        return refuse(f, 400, "chunk_end");
    if (b->cr)
        b->state = BODY_SIZE;
    b->cr = !b->cr;
    return 0;
}

static int trailer_byte(struct http_body *b, char c, struct http_fault *f)
{
    if (++b->trailers > TRAILERS_MAX)
        return refuse(f, 431, "trailers_too_big");
    if (b->cr) {
        if (c != '\n')
            return refuse(f, 400, "bare_cr");
        b->cr = false;
        if (b->line == 0)
            b->state = BODY_DONE;
        b->line = 0;
        return 0;
    }
    if (c == '\r') {
        b->cr = true;
        return 0;
    }
    if (((unsigned char)c < ' ' && c != '\t') || (b->line == 0 && (c == ' ' || c == '\t')))
        return refuse(f, 400, "trailer");
    b->line++;
    return 0;
}

static int frame_byte(struct http_body *b, char c, struct http_fault *f)
{
    switch (b->state) {
    case BODY_SIZE:
        return size_byte(b, c, f);
    case BODY_DATA_END:
        return data_end_byte(b, c, f);
    default:
        return trailer_byte(b, c, f);
    }
}

ptrdiff_t http_body_read(struct http_body *b, struct str in, struct buf *out, struct http_fault *f)
{
    size_t i = 0;

    while (i < in.n && b->state != BODY_DONE) {
        if (b->state == BODY_DATA) {
            size_t n = (size_t)MIN((uint64_t)(in.n - i), b->left);
            buf_add(out, in.p + i, n);
            if (out->overflow)
                return refuse(f, 413, "body_too_big");
            i += n;
            b->left -= n;
            if (b->left == 0)
                b->state = b->chunked ? BODY_DATA_END : BODY_DONE;
        } else {
            if (frame_byte(b, in.p[i], f) != 0)
                return -1;
            i++;
        }
    }
    return (ptrdiff_t)i;
}
