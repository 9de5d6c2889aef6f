/* pg_array.c: arrays as parameters and in results. Text form, "{a,NULL,\"b \\"c\"}", but for
 * bytea[], whose text form would double it twice: its binary form is a head (dimensions, flags,
 * element type, length, lower bound) and then each element with its length, all 32-bit big-endian.
 */
#include "libcommon/base/compat.h"
#include "libcommon/io/pg.h"
#include <arpa/inet.h>
#include "libcommon/base/buf.h"
#include "libcommon/io/pg_internal.h"

#define ARRAY_TEXT_MAX (64u << 20)
#define BYTEA_OID 17

struct pg_param pg_uuids(struct arena *a, const struct uuid *u, int n)
{
    char *text = arena_alloc(a, (size_t)n * (UUID_LEN + 1) + 3), *p = text;

    *p++ = '{';
    for (int i = 0; i < n; i++) {
        if (i > 0)
            *p++ = ',';
        uuid_text(u[i], p);
        p += UUID_LEN;
    }
    *p++ = '}';
    *p = '\0';
    return (struct pg_param){text, (int)(p - text), false};
}

static void put_quoted(struct buf *b, const char *z)
{
    buf_putc(b, '"');
    for (; *z != '\0'; z++) {
        if (*z == '"' || *z == '\\')
            buf_putc(b, '\\');
        buf_putc(b, *z);
    }
    buf_putc(b, '"');
}

struct pg_param pg_texts(struct arena *a, const char *const *z, int n)
{
    struct buf b;
    struct str copy;

    buf_init(&b, ARRAY_TEXT_MAX);
    buf_putc(&b, '{');
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&b, ',');
        if (z[i] == NULL)
            buf_puts(&b, "NULL");
        else
            put_quoted(&b, z[i]);
    }
    buf_putc(&b, '}');
    /* Beyond the maximum the text is cut and PostgreSQL refuses it: bodies are far smaller. */
    copy = arena_str(a, buf_view(&b));
    buf_done(&b);
    return pg_str(copy);
}

struct pg_param pg_i64s(struct arena *a, const int64_t *v, int n)
{
    size_t size = (size_t)n * 21 + 3, used = 1;
    char *text = arena_alloc(a, size);

    text[0] = '{';
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, size - used, i == 0 ? "%" PRId64 : ",%" PRId64, v[i]);
    text[used++] = '}';
    return (struct pg_param){text, (int)used, false};
}

static char *put32(char *p, int32_t v)
{
    uint32_t net = htonl((uint32_t)v);

    memcpy(p, &net, sizeof net);
    return p + sizeof net;
}

struct pg_param pg_byteas(struct arena *a, const struct str *v, int n)
{
    size_t size = 5 * 4;
    char *bytes, *p;

    for (int i = 0; i < n; i++)
        size += 4 + (v[i].p == NULL ? 0 : v[i].n);
    bytes = p = arena_alloc(a, size);
    p = put32(p, n > 0);
    p = put32(p, 1);
    p = put32(p, BYTEA_OID);
    for (int i = 0; i < n; i++) {
        if (i == 0)
            p = put32(put32(p, n), 1);
        p = put32(p, v[i].p == NULL ? -1 : (int32_t)v[i].n);
        if (v[i].p != NULL && v[i].n > 0)
            p = (char *)memcpy(p, v[i].p, v[i].n) + v[i].n;
    }
    return pg_bytes(bytes, (size_t)(p - bytes));
}

/* --- reading --------------------------------------------------------------------------------- */

struct element {
    struct str text;
    bool null;
};

/* One element at *p, unescaped in place into `to`; moves *p behind its comma or brace. */
static struct element take_element(const char **p, const char *end, char **to)
{
    bool quoted = *p < end && **p == '"';
    struct element e = {{*to, 0}, false};

    *p += quoted;
    while (*p < end && (quoted ? **p != '"' : **p != ',' && **p != '}')) {
        if (**p == '\\' && *p + 1 < end)
            ++*p;
        *(*to)++ = *(*p)++;
    }
    e.text.n = (size_t)(*to - e.text.p);
    e.null = !quoted && str_eq(e.text, STR("NULL"));
    *(*to)++ = '\0';
    *p += quoted;
    ++*p;
    return e;
}

static int take_elements(struct arena *a, struct str text, struct element **out)
{
    const char *p = text.p + 1, *end = text.p + text.n;
    size_t most = 1;
    char *to;
    int n = 0;

    if (text.n < 3 || text.p[0] != '{')
        return 0;
    for (size_t i = 0; i < text.n; i++)
        most += text.p[i] == ',';
    *out = arena_array(a, struct element, most);
    to = arena_alloc(a, text.n + most + 1);
    while (p < end && (size_t)n < most)
        (*out)[n++] = take_element(&p, end, &to);
    return n;
}

int pg_get_texts(const struct pg_result *r, int stmt, int row, int col, const char ***out)
{
    struct element *e = NULL;
    int n = take_elements(r->arena, pg_get(r, stmt, row, col), &e);

    *out = arena_array(r->arena, const char *, n);
    for (int i = 0; i < n; i++)
        (*out)[i] = e[i].null ? NULL : e[i].text.p;
    return n;
}

int pg_get_uuids(const struct pg_result *r, int stmt, int row, int col, struct uuid **out)
{
    struct element *e = NULL;
    int n = take_elements(r->arena, pg_get(r, stmt, row, col), &e);

    *out = arena_array(r->arena, struct uuid, n);
    for (int i = 0; i < n; i++)
        if (uuid_parse(e[i].text, &(*out)[i]) != 0)
            memset(&(*out)[i], 0, sizeof **out);
    return n;
}
