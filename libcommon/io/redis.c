/* redis.c: the client: finds the node of a command's key, and sends commands on again when a node
 * says that it is not the one. With one server, or one master behind sentinels, there is one node.
 */
#include "libcommon/base/compat.h"
#include <event2/dns.h>
#include "libcommon/io/redis_priv.h"
#include "libcommon/io/redis_reply.h"

#define REDIS_MAGIC 0x52454449u
#define REDIRECTS_MAX 6

/* --- nodes ---------------------------------------------------------------------------------- */

static void dial_node(struct rconn *c)
{
    if (c->client->url.kind == REDIS_SENTINEL)
        sentinel_dial(c->client, c);
    else
        conn_dial(c, &c->addr);
}

static void node_ready(struct rconn *c)
{
    if (c->client->url.kind == REDIS_CLUSTER && !c->in_map)
        cluster_refresh(c->client);
}

static void node_down(struct rconn *c)
{
    if (c->client->url.kind == REDIS_CLUSTER)
        cluster_refresh(c->client);
}

const struct rconn_ops redis_node_ops = {
    .dial = dial_node, .on_ready = node_ready, .on_down = node_down};

static struct evdns_base *open_dns(struct loop *l)
{
    struct evdns_base *dns = evdns_base_new(loop_base(l), EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                              EVDNS_BASE_DISABLE_WHEN_INACTIVE);

    if (dns != NULL)
        return dns;
    /* No usable resolv.conf: addresses and /etc/hosts still work. */
    dns = evdns_base_new(loop_base(l), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    assert(dns != NULL);
    evdns_base_load_hosts(dns, "/etc/hosts");
    return dns;
}

static void open_nodes(struct redis *r)
{
    int count = r->url.kind == REDIS_CLUSTER ? r->url.count : 1;

    if (r->url.kind == REDIS_SENTINEL)
        sentinel_init(r);
    if (r->url.kind == REDIS_CLUSTER)
        cluster_init(r);
    for (int i = 0; i < count; i++) {
        struct rconn *c = conn_new(r, &redis_node_ops, r);

        c->addr = r->url.addr[i];
        c->check_master = r->url.kind == REDIS_SENTINEL;
        list_push(&r->nodes, &c->link);
        conn_start(c);
    }
}

int redis_new(struct loop *l, const char *url, const char *client_name, struct redis **out,
              struct err *err)
{
    struct redis *r = xcalloc(1, sizeof(*r));
    int rc = redis_url_parse(&r->url, url, err);

    if (rc == 0 && r->url.tls)
        rc = tls_new(&r->tls, err);
    if (rc != 0) {
        free(r);
        return rc;
    }
    r->magic = REDIS_MAGIC;
    r->loop = l;
    r->client_name = xstrdup(client_name == NULL ? "" : client_name);
    r->shas = map_new();
    r->dns = open_dns(l);
    list_init(&r->nodes);
    open_nodes(r);
    *out = r;
    return 0;
}

static void free_shas(struct map *m)
{
    size_t pos = 0;
    struct str key;
    void *sha;

    while (map_next(m, &pos, &key, &sha))
        free(sha);
    map_free(m);
}

void redis_free(struct redis *r)
{
    if (r == NULL)
        return;
    CHECK(r, REDIS);
    r->closing = true;
    hub_done(r);
    LIST_FOREACH_SAFE (it, tmp, &r->nodes)
        conn_free(LIST_ENTRY(it, struct rconn, link));
    sentinel_done(r);
    cluster_done(r);
    evdns_base_free(r->dns, 0);
    tls_free(r->tls);
    free_shas(r->shas);
    free(r->client_name);
    r->magic = 0;
    /* Connections that wait to be freed still name the loop through us. */
    loop_free_later(r->loop, free, r);
}

bool redis_ready(const struct redis *r)
{
    bool any = false;

    CHECK(r, REDIS);
    LIST_FOREACH (it, &r->nodes) {
        const struct rconn *c = LIST_ENTRY(it, struct rconn, link);

        if (r->url.kind == REDIS_CLUSTER && !c->in_map)
            continue;
        if (!conn_ready(c))
            return false;
        any = true;
    }
    return any;
}

int redis_db(const struct redis *r)
{
    return r->url.db;
}

bool redis_is_cluster(const struct redis *r)
{
    return r->url.kind == REDIS_CLUSTER;
}

struct loop *redis_loop(const struct redis *r)
{
    return r->loop;
}

static struct rconn *any_node(struct redis *r)
{
    struct rconn *first = NULL;

    LIST_FOREACH (it, &r->nodes) {
        struct rconn *c = LIST_ENTRY(it, struct rconn, link);

        if (conn_ready(c))
            return c;
        if (first == NULL)
            first = c;
    }
    return first;
}

struct rconn *redis_node_for(struct redis *r, int slot)
{
    if (r->slots != NULL && slot >= 0 && r->slots[slot] != NULL)
        return r->slots[slot];
    return any_node(r);
}

void redis_route(struct redis *r, struct rcmd *cmd)
{
    struct rconn *c = redis_node_for(r, cmd->slot);

    assert(c != NULL); /* a client always has a node */
    conn_send(c, cmd);
}

/* --- commands ------------------------------------------------------------------------------- */

static struct rcmd *make(struct redis *r, int key, int argc, const struct str *argv)
{
    struct rcmd *cmd = rcmd_new(argc, argv);

    assert(key >= 0 && key < argc);
    if (r->url.kind == REDIS_CLUSTER && key > 0)
        cmd->slot = redis_slot(argv[key]);
    return cmd;
}

void redis_command(struct redis *r, struct arena *a, int key, int argc, const struct str *argv,
                   int64_t deadline_ms, struct redis_op *op, op_fn *done, void *arg)
{
    struct rcmd *cmd;

    CHECK(r, REDIS);
    cmd = make(r, key, argc, argv);
    rcmd_begin(cmd, r->loop, a, deadline_ms, op, done, arg);
    redis_route(r, cmd);
}

void redis_send(struct redis *r, int key, int argc, const struct str *argv)
{
    struct rcmd *cmd;

    CHECK(r, REDIS);
    cmd = make(r, key, argc, argv);
    cmd->on_reply = rcmd_ignore;
    redis_route(r, cmd);
}

/* --- scripts: EVAL until the server told the SHA-1, EVALSHA from then on --------------------- */

static void on_loaded(struct rcmd *cmd, struct redis_reply *reply)
{
    struct redis *r = cmd->conn->client;

    if (reply == NULL || reply->type != REDIS_STRING || reply->s.n != 40)
        return;
    free(map_set(r->shas, str_of(cmd->arg), xstrndup(reply->s.p, reply->s.n)));
}

static void load_script(struct redis *r, const struct redis_script *script, int slot)
{
    struct rcmd *cmd =
        rcmd_new(3, (struct str[]){STR("SCRIPT"), STR("LOAD"), str_of(script->text)});

    cmd->slot = slot;
    cmd->on_reply = on_loaded;
    cmd->arg = (void *)(uintptr_t)script->name;
    redis_route(r, cmd);
}

void redis_script(struct redis *r, struct arena *a, const struct redis_script *script,
                  const struct str *keys, int argc, const struct str *argv, int64_t deadline_ms,
                  struct redis_op *op, op_fn *done, void *arg)
{
    const char *sha = map_get(r->shas, str_of(script->name));
    int n = 3 + script->keys + argc;
    struct str *all = xmalloc((size_t)n * sizeof(*all));
    struct rcmd *cmd;
    char count[16];

    CHECK(r, REDIS);
    snprintf(count, sizeof(count), "%d", script->keys);
    all[0] = sha != NULL ? STR("EVALSHA") : STR("EVAL");
    all[1] = str_of(sha != NULL ? sha : script->text);
    all[2] = str_of(count);
    for (int i = 0; i < script->keys; i++)
        all[3 + i] = keys[i];
    for (int i = 0; i < argc; i++)
        all[3 + script->keys + i] = argv[i];
    cmd = make(r, script->keys > 0 ? 3 : 0, n, all);
    free(all);
    if (sha != NULL) {
        cmd->script = script->text;
        cmd->script_prefix = (size_t)snprintf(NULL, 0, "*%d\r\n$7\r\nEVALSHA\r\n$40\r\n", n) + 42;
    } else {
        load_script(r, script, cmd->slot);
    }
    rcmd_begin(cmd, r->loop, a, deadline_ms, op, done, arg);
    redis_route(r, cmd);
}

static void eval_instead(struct rcmd *cmd)
{
    size_t text_len = strlen(cmd->script), tail = cmd->wire_len - cmd->script_prefix;
    const char *eol = strchr(cmd->wire, '\n');
    size_t cap = text_len + tail + 96;
    char *wire = malloc(cap); /* as redisFormatCommandArgv does: redisFreeCommand frees it */
    int n;

    assert(wire != NULL);
    n = snprintf(wire, cap, "%.*s\n$4\r\nEVAL\r\n$%zu\r\n%s\r\n", (int)(eol - cmd->wire), cmd->wire,
                 text_len, cmd->script);
    memcpy(wire + n, cmd->wire + cmd->script_prefix, tail);
    redisFreeCommand(cmd->wire);
    cmd->wire = wire;
    cmd->wire_len = (size_t)n + tail;
    cmd->script = NULL;
}

/* --- errors that are directions -------------------------------------------------------------- */

/* "MOVED 3999 127.0.0.1:6381": the address is empty when it is the host that answered. */
static bool follow(struct redis *r, struct rcmd *cmd, struct str error, bool ask)
{
    struct redis_addr to;
    struct str host = error;
    char text[REDIS_HOST_MAX + 16];

    str_split(&host, ' ');
    str_split(&host, ' ');
    if (host.n > 0 && host.p[0] == ':') {
        snprintf(text, sizeof(text), "%s%.*s", cmd->conn->addr.host, STR_ARG(host));
        host = str_of(text);
    }
    if (redis_addr_parse(host, REDIS_PORT, &to) != 0)
        return false;
    cmd->asking = ask;
    if (!ask)
        cluster_refresh(r);
    conn_send(cluster_node(r, &to), cmd);
    return true;
}

bool redis_redirect(struct redis *r, struct rcmd *cmd, struct str error)
{
    if (cmd->on_reply == NULL && cmd->op == NULL)
        return false;
    if (cmd->script != NULL && str_starts(error, STR("NOSCRIPT "))) {
        eval_instead(cmd);
        conn_send(cmd->conn, cmd);
        return true;
    }
    if (str_starts(error, STR("READONLY ")) && r->url.kind == REDIS_SENTINEL) {
        struct rconn *c = cmd->conn;

        rcmd_fail(cmd, ERR_UNAVAILABLE, "the server is a replica now");
        conn_drop(c, "readonly");
        return true;
    }
    if (r->url.kind != REDIS_CLUSTER)
        return false;
    if (str_starts(error, STR("CLUSTERDOWN ")) || str_starts(error, STR("READONLY ")))
        cluster_refresh(r);
    if (cmd->redirects++ >= REDIRECTS_MAX)
        return false;
    if (str_starts(error, STR("MOVED ")))
        return follow(r, cmd, error, false);
    return str_starts(error, STR("ASK ")) && follow(r, cmd, error, true);
}
