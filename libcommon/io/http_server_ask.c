/* What handlers ask about a request. */
#include "libcommon/base/compat.h"
#include "libcommon/base/id.h"
#include "libcommon/io/http_server.h"

struct str http_req_header(const struct http_req *req, const char *name)
{
    for (int i = 0; i < req->header_count; i++)
        if (str_ieq(req->headers[i].name, str_of(name)))
            return req->headers[i].value;
    return (struct str){NULL, 0};
}

static const char *decode(struct arena *a, struct str s, bool plus)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '%') {
            if (i + 2 >= s.n || hex_decode((struct str){s.p + i + 1, 2}, &c, 1) != 0 || c == '\0')
                return NULL;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        } else if (c == '\0') {
            return NULL;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return out;
}

const char *http_decode(struct arena *a, struct str s)
{
    return decode(a, s, false);
}

const char *http_req_param(struct http_req *req, const char *name, bool *bad)
{
    struct str rest = req->query;

    while (rest.p != NULL && rest.n > 0) {
        struct str value = str_split(&rest, '&');
        struct str key = str_split(&value, '=');
        const char *k = decode(req->arena, key, true);
        if (k == NULL || strcmp(k, name) != 0)
            continue;
        const char *v = value.p == NULL ? "" : decode(req->arena, value, true);
        if (v == NULL && bad != NULL)
            *bad = true;
        return v;
    }
    return NULL;
}
