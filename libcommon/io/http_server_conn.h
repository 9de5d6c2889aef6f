/* http_server_conn.h: the insides of http_server.c, shared with http_server_reply.c. A connection
 * and the one request that it has in hand. */
#pragma once
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <time.h>
#include "libcommon/base/list.h"
#include "libcommon/ev/timer.h"
#include "libcommon/io/http_server.h"
#include "libcommon/io/http_server_wire.h"

struct evconnlistener;

#define SERVER_MAGIC 0x48535256u
#define CONN_MAGIC 0x48434f4eu

enum conn_state { CONN_HEAD, CONN_BODY, CONN_HANDLE, CONN_STREAM, CONN_FLUSH, CONN_LINGER };

struct http_server {
    unsigned magic;
    struct loop *loop;
    struct http_server_options opt;
    struct http_handler handler;
    struct evconnlistener *listener;
    struct timer accept_again;
    int port;
    struct list conns;
    int count, over_count; /* below and above the cap */
    size_t bodies;         /* bytes of bodies in memory */
    bool draining;
    time_t date_at;
    char date[40];
};

struct request {
    struct http_req pub;
    struct http_head head;
    struct http_body framing;
    struct buf body;
    int status;
    int64_t bytes;
    bool replied; /* the answer is complete, no on_close any more */
    bool no_body; /* HEAD */
    bool chunked; /* how a stream is framed */
};

struct http_conn {
    unsigned magic;
    struct http_server *server;
    struct list link;
    struct bufferevent *bev;
    char peer[INET6_ADDRSTRLEN];
    enum conn_state state;
    struct timer timer; /* the state's deadline; the heartbeat of a stream */
    struct deferred kill;
    enum http_close why;
    bool dying, eof, close_after, over_cap;
    size_t scanned, skip; /* of the head that is being read */
    size_t dropped;       /* while lingering */
    struct request *req;
};

/* http_server.c */
void http_conn_kill(struct http_conn *c, enum http_close why); /* ends it from the loop */

/* http_server_reply.c */
void http_conn_write(struct http_conn *c, const void *p, size_t n);
/* A refusal of the wire layer: no request may exist yet. */
void http_conn_refuse(struct http_conn *c, int status, const char *reason);
/* A stream gives a sign of life; false when it is gone. */
bool http_conn_heartbeat(struct http_conn *c);
