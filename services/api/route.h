/* route.h: one row per endpoint. Everything that is said about an endpoint is said in its row: the
 * gate (gate.c) checks it, openapi.c and the page at /docs are made from it. Handlers check none of
 * it again. */
#pragma once
#include "services/api/perm.h"

struct req;

#define ROUTE_PARAMS 3

enum route_class {
    RATE_NONE,   /* not counted: operations endpoints */
    RATE_ALL,    /* the token bucket */
    RATE_ANALYZE /* the bucket and the sliding minute */
};

#define ROUTE_PUBLIC 1u /* no credentials */
#define ROUTE_JSON 2u   /* the body is a JSON object; it is read before the handler runs */
#define ROUTE_CACHE 4u  /* the answer has an ETag */
#define ROUTE_RAW 8u    /* the answer is no envelope */
#define ROUTE_FORM 32u  /* with ROUTE_JSON: multipart/form-data too; then r->body is NULL */
#define ROUTE_LARGE 64u /* its containers may be large */
#define ROUTE_QUERY 16u /* a query too deep for JSON is INVALID_INPUT: its context is */

struct route {
    const char *method, *pattern;
    void (*handler)(struct req *r);
    unsigned permission; /* enum perm, PERM_NONE: any signed-in user */
    size_t body_max;
    enum route_class rate;
    unsigned flags;
    int status;                 /* of success, for the documentation */
    const char *request_schema; /* names of components in schemas.json; NULL: none */
    const char *response_schema;
    const char *query; /* "page page_size ...": names of query parameters */
    const char *tag, *summary;
};

extern const struct route routes[];
extern const size_t route_count;

/* The route of a path (percent-encoded, without query). *allowed gets the methods that the path
 * has, as "GET, POST". params are views into path, still encoded. NULL when method or path do not
 * fit; *allowed is then "" for an unknown path. HEAD is served by GET. */
const struct route *route_find(const char *method, struct str path, struct str params[ROUTE_PARAMS],
                               char *allowed, size_t allowed_cap);
/* Whether this path segment pattern row matches, without a method. */
bool route_matches(const struct route *row, struct str path, struct str params[ROUTE_PARAMS]);
