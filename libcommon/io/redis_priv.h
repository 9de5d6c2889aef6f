/* redis_priv.h: what the files redis*.c share. A client (struct redis) owns connections
 * (struct rconn); a connection owns commands (struct rcmd) from the moment they are handed to it
 * until their reply, their failure, or their way to another node.
 *
 *     IDLE --dial--> DIALING --address--> CONNECTING --connected--> HELLO --answers--> READY
 *       ^--- backoff ---------------- any failure, drop ------------------------------/
 */
#pragma once
#include "libcommon/base/list.h"
#include "libcommon/base/map.h"
#include "libcommon/ev/backoff.h"
#include "libcommon/io/redis.h"
#include "libcommon/io/tls.h"

#define REDIS_HOSTS_MAX 16
#define REDIS_SLOTS 16384
#define REDIS_HOST_MAX 256
#define REDIS_PORT 6379
#define SENTINEL_PORT 26379

struct bufferevent;
struct redisReader;
struct evdns_base;
struct evdns_getaddrinfo_request;
struct evutil_addrinfo;

/* --- redis_url.c ---------------------------------------------------------------------------- */
enum redis_kind { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_addr {
    char host[REDIS_HOST_MAX];
    int port;
};

struct redis_url {
    enum redis_kind kind;
    bool tls;
    char user[128], password[512], master[128];
    int db;
    struct redis_addr addr[REDIS_HOSTS_MAX];
    int count;
};
/* redis[s]://[user[:password]@]host[:port][/db], sentinel://.../name[/db], cluster://h:p,h:p;
 * ?tls=on for the latter two. Percent-escapes in user and password. */
int redis_url_parse(struct redis_url *u, const char *url, struct err *err) MUST_CHECK;
/* "host:port" or "[v6]:port" with a default port. */
int redis_addr_parse(struct str s, int port, struct redis_addr *out) MUST_CHECK;

/* --- redis_conn.c --------------------------------------------------------------------------- */
struct rcmd {
    struct list link;
    struct rconn *conn;  /* NULL before the first */
    bool sent;           /* on the wire of conn */
    struct redis_op *op; /* NULL: nobody waits for it */
    struct arena *arena; /* of the op's reply */
    char *wire;          /* from redisFormatCommandArgv */
    size_t wire_len;
    int slot; /* -1: any node */
    int redirects;
    bool asking;          /* ASKING goes before it */
    const char *script;   /* text; set: EVALSHA that may become EVAL */
    size_t script_prefix; /* bytes of wire that name command and script */
    /* Of internal commands; reply is NULL when the connection was lost. The command is freed after.
     */
    void (*on_reply)(struct rcmd *c, struct redis_reply *reply);
    void *arg;
};

struct rconn;
struct rconn_ops {
    void (*dial)(struct rconn *c); /* it is time to connect: conn_dial(), now or later */
    void (*on_ready)(struct rconn *c);
    void (*on_down)(struct rconn *c);
    /* Set for pub/sub: gets every reply after the handshake. */
    void (*on_push)(struct rconn *c, struct redis_reply *reply);
};

enum rconn_state { CONN_IDLE, CONN_DIALING, CONN_CONNECTING, CONN_HELLO, CONN_READY };

struct rconn {
    unsigned magic;
    struct redis *client;
    const struct rconn_ops *ops;
    void *owner;
    struct list link; /* of the client's nodes */
    struct redis_addr addr;
    enum rconn_state state;
    bool check_master; /* ROLE must say master, else drop (sentinel) */
    bool plain;        /* no AUTH, SELECT (a sentinel) */
    bool once;         /* no second attempt: on_down ends it (a sentinel) */
    bool in_map;       /* cluster: owns slots */
    struct evdns_getaddrinfo_request *lookup;
    struct evutil_addrinfo *found, *next;
    struct bufferevent *bev;
    struct redisReader *reader;
    struct arena *scratch;
    struct list waiting, pending;
    size_t queued; /* bytes of both */
    int hello_left;
    struct backoff backoff;
    struct timer retry, watch;
    int64_t last_rx_us, started_us;
    bool pinged;
    char last_error[128];
};

struct rconn *conn_new(struct redis *r, const struct rconn_ops *ops, void *owner);
void conn_start(struct rconn *c);                             /* dials when idle */
void conn_dial(struct rconn *c, const struct redis_addr *to); /* from ops->dial, or later */
void conn_dial_failed(struct rconn *c, const char *why);
void conn_free(struct rconn *c); /* fails what it holds; safe inside callbacks */
/* Closes, fails what was sent, dials again after the backoff. */
void conn_drop(struct rconn *c, const char *reason);
/* Takes over cmd; sends it, keeps it until connected, or fails it at once while Redis is down. */
void conn_send(struct rconn *c, struct rcmd *cmd);
/* Text on the wire that has no reply of its own (SUBSCRIBE). */
void conn_write(struct rconn *c, const char *wire, size_t n);
bool conn_ready(const struct rconn *c);

struct rcmd *rcmd_new(int argc, const struct str *argv);
void rcmd_free(struct rcmd *c);
void rcmd_fail(struct rcmd *c, int code, const char *why); /* finishes the op, frees the command */
/* Hands the reply to the op or to on_reply, and frees. */
void rcmd_reply(struct rcmd *c, struct redis_reply *reply);
void rcmd_begin(struct rcmd *c, struct loop *l, struct arena *a, int64_t deadline_ms,
                struct redis_op *op, op_fn *done, void *arg);
/* The function of internal commands whose answer does not matter. */
void rcmd_ignore(struct rcmd *c, struct redis_reply *reply);

/* --- redis.c -------------------------------------------------------------------------------- */
struct redis {
    unsigned magic;
    struct loop *loop;
    struct redis_url url;
    char *client_name;
    struct tls *tls;
    struct evdns_base *dns;
    struct list nodes;    /* struct rconn; one for single and sentinel */
    struct rconn **slots; /* cluster: REDIS_SLOTS of them */
    struct map *shas;     /* script name -> SHA-1 as text */
    struct redis_sentinel *sentinel;
    struct redis_cluster *cluster;
    struct redis_hub *hub; /* subscriptions */
    bool closing;
};
struct rconn *redis_node_for(struct redis *r, int slot);
void redis_route(struct redis *r, struct rcmd *cmd); /* to the node of its slot */
/* An error reply: true when the command went on its way again (MOVED, ASK, NOSCRIPT). */
bool redis_redirect(struct redis *r, struct rcmd *cmd, struct str error);
extern const struct rconn_ops redis_node_ops;

/* --- redis_cluster.c ------------------------------------------------------------------------ */
int redis_slot(struct str key);
void cluster_init(struct redis *r);
void cluster_done(struct redis *r);
void cluster_refresh(struct redis *r);                                   /* soon, throttled */
struct rconn *cluster_node(struct redis *r, const struct redis_addr *a); /* found or made */

/* --- redis_sentinel.c ----------------------------------------------------------------------- */
void sentinel_init(struct redis *r);
void sentinel_done(struct redis *r);
/* Finds the master for c and dials it; several connections may ask at once. */
void sentinel_dial(struct redis *r, struct rconn *c);
void sentinel_forget(struct redis *r, struct rconn *c);

/* --- redis_sub.c ---------------------------------------------------------------------------- */
void hub_done(struct redis *r);
