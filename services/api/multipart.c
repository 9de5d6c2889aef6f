#include "libcommon/base/compat.h"
#include "services/api/multipart.h"

#define BOUNDARY_MAX 70
#define HEADERS_MAX 4096

/* The value of ;name=value or ;name="value" in a header's parameters; {NULL,0} when absent. */
static struct str parameter(struct str header, const char *name)
{
    size_t i = 0;

    while (i < header.n && header.p[i] != ';')
        i++;
    while (i < header.n) {
        size_t start;
        struct str key, value;

        while (i < header.n && (header.p[i] == ';' || header.p[i] == ' ' || header.p[i] == '\t'))
            i++;
        start = i;
        while (i < header.n && header.p[i] != '=' && header.p[i] != ';')
            i++;
        key = str_trim((struct str){header.p + start, i - start});
        if (i == header.n || header.p[i] == ';')
            continue;
        i++;
        bool quoted = i < header.n && header.p[i] == '"';
        start = i += quoted;
        while (i < header.n && header.p[i] != (quoted ? '"' : ';'))
            i++;
        value = (struct str){header.p + start, i - start};
        i += quoted && i < header.n;
        if (str_ieq(key, str_of(name)))
            return quoted ? value : str_trim(value);
    }
    return (struct str){NULL, 0};
}

bool multipart_is(struct str content_type)
{
    struct str rest = content_type;

    return str_ieq(str_trim(str_split(&rest, ';')), STR("multipart/form-data"));
}

static int read_header(struct str line, struct form_part *p, struct err *err)
{
    struct str value = line;
    struct str name = str_trim(str_split(&value, ':'));

    if (value.p == NULL)
        return err_set(err, ERR_INVALID, "a part has a malformed header");
    value = str_trim(value);
    if (str_ieq(name, STR("content-disposition"))) {
        p->name = parameter(value, "name");
        p->filename = parameter(value, "filename");
    } else if (str_ieq(name, STR("content-type"))) {
        struct str rest = value;
        p->type = str_trim(str_split(&rest, ';'));
    }
    return 0;
}

/* From behind a boundary line to before the next one. */
static int read_part(struct str part, struct form_part *out, struct err *err)
{
    ptrdiff_t blank = str_find(part, STR("\r\n\r\n"));
    struct str head;

    memset(out, 0, sizeof(*out));
    if (str_starts(part, STR("\r\n")))
        return err_set(err, ERR_INVALID, "a part has no headers");
    if (blank < 0 || blank > HEADERS_MAX)
        return err_set(err, ERR_INVALID, "a part's headers have no end");
    head = (struct str){part.p, (size_t)blank};
    while (head.p != NULL && head.n > 0) {
        struct str line = str_split(&head, '\n');
        if (read_header(line, out, err) != 0)
            return err->code;
    }
    if (out->name.n == 0)
        return err_set(err, ERR_INVALID, "a part has no name");
    out->body = (struct str){part.p + blank + 4, part.n - (size_t)blank - 4};
    return 0;
}

int multipart_read(struct arena *a, struct str content_type, struct str body,
                   struct form_part **out, int *count, struct err *err)
{
    struct str boundary = parameter(content_type, "boundary"), mark;
    struct form_part *parts = arena_array(a, struct form_part, MULTIPART_PARTS_MAX);
    int n = 0;

    if (boundary.n == 0 || boundary.n > BOUNDARY_MAX)
        return err_set(err, ERR_INVALID, "the content type has no boundary");
    mark = str_of(arena_printf(a, "\r\n--%.*s", STR_ARG(boundary)));
    struct str first = {mark.p + 2, mark.n - 2};
    if (!str_starts(body, first))
        return err_set(err, ERR_INVALID, "the body does not begin with its boundary");
    body = (struct str){body.p + first.n, body.n - first.n};
    while (str_starts(body, STR("\r\n"))) {
        struct str rest = {body.p + 2, body.n - 2};
        ptrdiff_t end = str_find(rest, mark);
        if (end < 0)
            return err_set(err, ERR_INVALID, "the body ends within a part");
        if (n == MULTIPART_PARTS_MAX)
            return err_set(err, ERR_TOOBIG, "more than %d parts", MULTIPART_PARTS_MAX);
        if (read_part((struct str){rest.p, (size_t)end}, &parts[n++], err) != 0)
            return err->code;
        body = (struct str){rest.p + end + mark.n, rest.n - (size_t)end - mark.n};
    }
    if (!str_starts(body, STR("--")))
        return err_set(err, ERR_INVALID, "the body's last boundary is missing");
    *out = parts;
    *count = n;
    return 0;
}
