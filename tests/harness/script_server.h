/* script_server.h: an HTTP/1.1 server in the test's own loop that answers as the test says, byte by
 * byte if need be: broken streams, silence, early closes. Loopback, a free port. */
#pragma once
#include "libcommon/base/buf.h"
#include "libcommon/ev/loop.h"

struct script_server;
struct script_conn;

struct script_request {
    int number; /* from 1, over all connections */
    int conn;   /* number of the connection, from 1 */
    struct str head, body;
};

/* Called for each complete request (Content-Length or none); answers with the functions below, now
 * or later. */
typedef void script_fn(struct script_conn *c, const struct script_request *req, void *arg);

struct script_server *script_server_new(struct loop *l, script_fn *fn, void *arg);
void script_server_free(struct script_server *s);
const char *script_server_url(const struct script_server *s); /* "http://127.0.0.1:PORT" */
int script_server_requests(const struct script_server *s);
int script_server_conns(const struct script_server *s); /* accepted so far */
int script_server_open(const struct script_server *s);  /* open now */

void script_send(struct script_conn *c, struct str bytes);
/* A whole answer with Content-Length; headers: further lines "Name: value\r\n", or "". */
void script_reply(struct script_conn *c, int status, const char *type, const char *headers,
                  struct str body);
/* The head of an answer whose body ends with the connection. */
void script_begin(struct script_conn *c, int status, const char *type);
void script_close(struct script_conn *c); /* after what was sent */
