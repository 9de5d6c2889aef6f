/* sse.c: a whole line inside the piece is read where it lies; only a line that is cut by the end
 * of the piece is gathered. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/sse.h"

#define SMALL_FIELD_MAX 1024 /* event types and ids */

void sse_init(struct sse *s, size_t max_event, sse_event_fn *on_event, void *arg)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->line, max_event);
    buf_init(&s->data, max_event);
    buf_init(&s->type, SMALL_FIELD_MAX);
    buf_init(&s->id, SMALL_FIELD_MAX);
    s->retry_ms = -1;
    s->on_event = on_event;
    s->arg = arg;
}

void sse_done(struct sse *s)
{
    buf_done(&s->line);
    buf_done(&s->data);
    buf_done(&s->type);
    buf_done(&s->id);
}

static int dispatch(struct sse *s, struct err *err)
{
    struct sse_event e = {
        .type = buf_view(&s->type), .data = buf_view(&s->data), .id = buf_view(&s->id)};
    bool more = true;

    if (s->data.n > 0) { /* each data line left its LF, the last one does not count */
        e.data.n--;
        if (e.type.n == 0)
            e.type = STR("message");
        more = s->on_event(s->arg, &e);
    }
    buf_clear(&s->data);
    buf_clear(&s->type);
    return more ? 0 : err_set(err, ERR_CANCELLED, "the reader ended the stream");
}

static void take_field(struct sse *s, struct str name, struct str value)
{
    int64_t retry;

    if (str_eqz(name, "data")) {
        buf_str(&s->data, value);
        buf_putc(&s->data, '\n');
    } else if (str_eqz(name, "event")) {
        buf_clear(&s->type);
        buf_str(&s->type, value);
    } else if (str_eqz(name, "id") && memchr(value.p, '\0', value.n) == NULL) {
        buf_clear(&s->id);
        buf_str(&s->id, value);
    } else if (str_eqz(name, "retry") && value.n > 0 && value.p[0] >= '0' && value.p[0] <= '9' &&
               str_i64(value, &retry) == 0) {
        s->retry_ms = retry;
    }
}

static int take_line(struct sse *s, struct str line, struct err *err)
{
    struct str value = line, name;

    if (!s->begun && str_starts(line, STR("\xef\xbb\xbf")))
        value = line = (struct str){line.p + 3, line.n - 3};
    s->begun = true;
    if (line.n == 0)
        return dispatch(s, err);
    if (line.p[0] == ':')
        return 0;
    name = str_split(&value, ':');
    if (value.p == NULL)
        value = STR("");
    else if (value.n > 0 && value.p[0] == ' ')
        value = (struct str){value.p + 1, value.n - 1};
    take_field(s, name, value);
    if (s->data.overflow || s->type.overflow || s->id.overflow)
        return err_set(err, ERR_TOOBIG, "an event of the stream is too large");
    return 0;
}

/* Index of the first CR or LF, or n. */
static size_t line_end(struct str p)
{
    const char *lf = memchr(p.p, '\n', p.n);
    size_t n = lf == NULL ? p.n : (size_t)(lf - p.p);
    const char *cr = memchr(p.p, '\r', n);

    return cr == NULL ? n : (size_t)(cr - p.p);
}

static int end_line(struct sse *s, struct str part, struct err *err)
{
    int code;

    if (s->line.n == 0)
        return take_line(s, part, err);
    buf_str(&s->line, part);
    if (s->line.overflow)
        return err_set(err, ERR_TOOBIG, "a line of the event stream is too long");
    code = take_line(s, buf_view(&s->line), err);
    buf_clear(&s->line);
    return code;
}

int sse_feed(struct sse *s, struct str piece, struct err *err)
{
    while (piece.n > 0) {
        size_t n;
        int code;

        if (s->skip_lf && piece.p[0] == '\n') {
            piece = (struct str){piece.p + 1, piece.n - 1};
            s->skip_lf = false;
            continue;
        }
        s->skip_lf = false;
        n = line_end(piece);
        if (n == piece.n) {
            buf_str(&s->line, piece);
            return s->line.overflow
                       ? err_set(err, ERR_TOOBIG, "a line of the event stream is too long")
                       : 0;
        }
        s->skip_lf = piece.p[n] == '\r';
        code = end_line(s, (struct str){piece.p, n}, err);
        if (code != 0)
            return code;
        piece = (struct str){piece.p + n + 1, piece.n - n - 1};
    }
    return 0;
}
