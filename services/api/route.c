#include "libcommon/base/compat.h"
#include "services/api/route.h"

/* Segment by segment: "{id}" takes one non-empty segment. */
bool route_matches(const struct route *row, struct str path, struct str params[ROUTE_PARAMS])
{
    struct str pattern = str_of(row->pattern);
    int n = 0;

    while (pattern.p != NULL && path.p != NULL) {
        struct str want = str_split(&pattern, '/');
        struct str have = str_split(&path, '/');
        if (want.n > 0 && want.p[0] == '{') {
            if (have.n == 0 || n == ROUTE_PARAMS)
                return false;
            params[n++] = have;
        } else if (!str_eq(want, have)) {
            return false;
        }
    }
    return pattern.p == NULL && path.p == NULL;
}

static void add_method(char *allowed, size_t cap, const char *method)
{
    size_t n = strlen(allowed);

    snprintf(allowed + n, cap - n, "%s%s", n == 0 ? "" : ", ", method);
}

const struct route *route_find(const char *method, struct str path, struct str params[ROUTE_PARAMS],
                               char *allowed, size_t allowed_cap)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    struct str tried[ROUTE_PARAMS] = {{0}};
    const struct route *hit = NULL;

    allowed[0] = '\0';
    for (size_t i = 0; i < route_count; i++) {
        if (!route_matches(&routes[i], path, tried))
            continue;
        add_method(allowed, allowed_cap, routes[i].method);
        if (strcmp(routes[i].method, "GET") == 0)
            add_method(allowed, allowed_cap, "HEAD");
        if (hit == NULL && strcmp(routes[i].method, wanted) == 0) {
            hit = &routes[i];
            memcpy(params, tried, sizeof(tried));
        }
    }
    return hit;
}
