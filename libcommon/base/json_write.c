/* json_write.c: from trees to text. cJSON's printer is not used: it writes 1e+20 for integers that
 * clients compare as text and rounds other numbers to 15 digits when it thinks that is enough. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"
#include "libcommon/base/json_text.h"
#include <math.h>

static void write_item(struct buf *b, const cJSON *item, bool sorted);

static void write_number(struct buf *b, double v)
{
    char text[40];

    if (!isfinite(v)) {
        buf_puts(b, "null");
        return;
    }
    if (fabs(v) <= 0x1p53 && v == floor(v)) {
        buf_printf(b, "%" PRId64, (int64_t)v);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_puts(b, text);
}

static void write_member(struct buf *b, const cJSON *item, bool first, bool sorted)
{
    if (!first)
        buf_putc(b, ',');
    json_quote(b, str_of(item->string));
    buf_putc(b, ':');
    write_item(b, item, sorted);
}

static void write_object(struct buf *b, const cJSON *obj, bool sorted)
{
    buf_putc(b, '{');
    if (sorted) {
        size_t n;
        const cJSON **items = json_sorted(obj, &n);

        for (size_t i = 0; i < n; i++)
            write_member(b, items[i], i == 0, true);
        free(items);
    } else {
        for (const cJSON *it = obj->child; it != NULL; it = it->next)
            write_member(b, it, it == obj->child, false);
    }
    buf_putc(b, '}');
}

static void write_array(struct buf *b, const cJSON *arr, bool sorted)
{
    buf_putc(b, '[');
    for (const cJSON *it = arr->child; it != NULL; it = it->next) {
        if (it != arr->child)
            buf_putc(b, ',');
        write_item(b, it, sorted);
    }
    buf_putc(b, ']');
}

static void write_item(struct buf *b, const cJSON *item, bool sorted)
{
    switch (item == NULL ? cJSON_NULL : item->type & 0xFF) {
    case cJSON_True:
        buf_puts(b, "true");
        break;
    case cJSON_False:
        buf_puts(b, "false");
        break;
    case cJSON_Number:
        write_number(b, item->valuedouble);
        break;
    case cJSON_String:
        json_quote(b, str_of(item->valuestring));
        break;
    case cJSON_Raw:
        buf_puts(b, item->valuestring);
        break;
    case cJSON_Array:
        write_array(b, item, sorted);
        break;
    case cJSON_Object:
        write_object(b, item, sorted);
        break;
    default:
        buf_puts(b, "null");
    }
}

void json_write(struct buf *b, const cJSON *item)
{
    write_item(b, item, false);
}

static struct str print(struct arena *a, const cJSON *item, bool sorted)
{
    struct buf b;
    struct str out;

    buf_init(&b, SIZE_MAX / 2);
    write_item(&b, item, sorted);
    out = arena_str(a, buf_view(&b));
    buf_done(&b);
    return out;
}

struct str json_print(struct arena *a, const cJSON *item)
{
    return print(a, item, false);
}

struct str json_canon(struct arena *a, const cJSON *item)
{
    return print(a, item, true);
}

static void quote_control(struct buf *b, unsigned char c)
{
    static const char short_forms[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

    if (c == '\0')
        buf_puts(b, "\xEF\xBF\xBD");
    else if (short_forms[c] != 0)
        buf_add(b, (char[]){'\\', short_forms[c]}, 2);
    else
        buf_printf(b, "\\u%04x", c);
}

/* Runs of bytes that stand for themselves are added at once. */
void json_quote(struct buf *b, struct str s)
{
    size_t run = 0, i = 0;

    buf_putc(b, '"');
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        size_t next = i + 1;

        if (c >= 0x80) {
            next = i;
            if (utf8_next(s, &next) != 0xFFFD || next - i > 1) {
                i = next;
                continue;
            }
        } else if (c >= 0x20 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        buf_add(b, s.p + run, i - run);
        if (c >= 0x80)
            buf_puts(b, "\xEF\xBF\xBD");
        else if (c < 0x20)
            quote_control(b, c);
        else
            buf_add(b, (char[]){'\\', (char)c}, 2);
        run = i = next;
    }
    buf_add(b, s.p + run, s.n - run);
    buf_putc(b, '"');
}
