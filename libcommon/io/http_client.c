/* http_client.c: curl's multi interface, driven by our loop.
 *
 * curl must not be re-entered from its own callbacks (removing a handle inside one fails), but an
 * owner may cancel any call at any time, also from inside on_data. So a call and its transfer are
 * two objects: cancelling cuts the tie at once, and the transfer is removed now or, inside curl,
 * later in the same turn. Curl has a copy of the request's body, or reads a large one through a
 * callback, for the same reason: after the cut no byte of the owner's memory is touched.
 *
 * Curl keeps transfers that wait for a connection in a list of its own, and its threaded resolver
 * makes a thread a lookup. So at most HOST_CONNECTING_MAX transfers of one host are given to curl
 * without having a connection; the others wait here, first come first served. That bounds the
 * threads, and a host that hangs delays nobody else. */
#include "libcommon/base/compat.h"
#include "libcommon/io/http_client.h"

#include <sys/socket.h>

#include <curl/curl.h>

#include "libcommon/base/clock.h"
#include "libcommon/base/fault.h"
#include "libcommon/base/map.h"

#define HTTP_CLIENT_MAGIC 0x48545043u
#define HOST_CONNECTING_MAX 16
#define STREAMS_MAX 100L
#define COPIED_MAX 16384 /* the buffer that curl needs to read a body by callback is as large */
#define RETRY_AFTER_MAX_MS (24 * 3600 * 1000LL)

/* Lives while a transfer of it waits or connects; freed in on_settle alone. */
struct host {
    char *name;     /* scheme://authority */
    int connecting; /* given to curl, without a connection yet */
    struct list waiting;
    struct list link; /* in client.hosts while on_settle shall look at it */
};

struct http_client {
    unsigned magic;
    struct loop *loop;
    CURLM *multi;
    struct http_client_options opt;
    char *user_agent, *ca_file;
    struct timer timer;     /* curl's */
    struct deferred settle; /* frees doomed transfers, starts waiting ones */
    int inside;             /* depth of calls into curl that run callbacks */
    struct list transfers, doomed;
    struct list sockets;
    struct map *host_of;
    struct list hosts; /* those for on_settle */
};

/*     WAITING --given to curl--> CONNECTING --prereq--> SENT --DONE--> freed
 *        \_______________________ cancelled: DOOMED ______/            */
enum transfer_state { TRANSFER_WAITING, TRANSFER_CONNECTING, TRANSFER_SENT, TRANSFER_DOOMED };

struct transfer {
    enum transfer_state state;
    struct list link; /* in client.transfers or .doomed */
    struct list wait; /* in host.waiting */
    struct http_client *client;
    struct host *host;      /* while WAITING or CONNECTING */
    struct http_call *call; /* NULL once cancelled */
    CURL *easy;
    struct curl_slist *headers;
    struct arena *arena; /* the call's */
    struct str body;     /* the owner's: untouched once call is NULL */
    size_t body_at;
    bool (*on_data)(struct http_call *call, struct str data);
    bool (*allow_address)(const struct sockaddr *address, void *arg);
    void *allow_arg;
    size_t max_body, received;
    int64_t started_us, active_us; /* active: the last byte in either direction */
    int64_t idle_ms;
    struct timer idle;
    int end_code; /* our own reason when a callback of ours ended the transfer, else 0 */
    char error[CURL_ERROR_SIZE];
};

struct sock {
    struct list link;
    struct http_client *client;
    struct watch watch;
};

static void read_messages(struct http_client *c);

/* ---- the tie between curl and the loop ---- */

static void drive(struct http_client *c, curl_socket_t fd, int what)
{
    int running = 0;

    c->inside++;
    curl_multi_socket_action(c->multi, fd, what, &running);
    c->inside--;
    read_messages(c);
}

static void on_socket_ready(struct watch *w, bool readable, bool writable)
{
    struct sock *s = CONTAINER_OF(w, struct sock, watch);

    drive(s->client, w->fd, (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
}

static void on_curl_timer(struct timer *timer)
{
    drive(CONTAINER_OF(timer, struct http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
    struct http_client *c = arg;

    (void)multi;
    if (ms < 0)
        timer_stop(&c->timer);
    else
        timer_start(&c->timer, ms);
    return 0;
}

static void sock_free(struct http_client *c, struct sock *s)
{
    watch_done(&s->watch);
    list_remove(&s->link);
    loop_free_later(c->loop, free, s); /* it may be the one whose callback is running */
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socketp)
{
    struct http_client *c = arg;
    struct sock *s = socketp;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL)
            sock_free(c, s);
        return 0;
    }
    if (s == NULL) {
        s = xcalloc(1, sizeof(*s));
        s->client = c;
        list_push(&c->sockets, &s->link);
        watch_init(&s->watch, c->loop, fd, on_socket_ready);
        curl_multi_assign(c->multi, fd, s);
    }
    watch_set(&s->watch, (what & CURL_POLL_IN) != 0, (what & CURL_POLL_OUT) != 0);
    return 0;
}

/* ---- transfers ---- */

static void leave_host(struct transfer *t)
{
    struct http_client *c = t->client;
    struct host *h = t->host;

    if (h == NULL)
        return;
    if (t->state == TRANSFER_CONNECTING)
        h->connecting--;
    list_remove(&t->wait);
    t->host = NULL;
    if (list_empty(&h->link))
        list_push(&c->hosts, &h->link);
    loop_defer(c->loop, &c->settle);
}

/* Only outside curl. */
static void transfer_free(struct transfer *t)
{
    leave_host(t);
    timer_done(&t->idle);
    if (t->state != TRANSFER_WAITING)
        curl_multi_remove_handle(t->client->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    list_remove(&t->link);
    loop_free_later(t->client->loop, free, t); /* its timer's callback may be running */
}

/* The owner's memory is let go at once; curl's part goes when curl allows it. */
static void transfer_detach(struct transfer *t)
{
    struct http_client *c = t->client;

    t->call = NULL;
    t->body = (struct str){NULL, 0};
    timer_stop(&t->idle);
    if (c->inside == 0 || t->state == TRANSFER_WAITING) {
        transfer_free(t);
        return;
    }
    leave_host(t);
    t->state = TRANSFER_DOOMED;
    list_remove(&t->link);
    list_push(&c->doomed, &t->link);
    loop_defer(c->loop, &c->settle);
}

static void abort_call(struct op *op)
{
    struct http_call *call = CONTAINER_OF(op, struct http_call, op);
    struct transfer *t = call->priv;

    call->priv = NULL;
    if (t != NULL)
        transfer_detach(t);
}

/* Reports to the owner and lets go. */
static void transfer_finish(struct transfer *t, int code, const char *message)
{
    struct http_call *call = t->call;

    if (call != NULL) {
        call->priv = NULL;
        if (code != 0)
            err_set(&call->op.err, code, "%s", message);
        op_finish(&call->op, code);
    }
    transfer_detach(t);
}

static void on_idle(struct timer *timer)
{
    struct transfer *t = CONTAINER_OF(timer, struct transfer, idle);
    int64_t quiet_ms = (clock_mono_us() - t->active_us) / 1000;

    if (t->state == TRANSFER_SENT && quiet_ms >= t->idle_ms) {
        transfer_finish(t, ERR_TIMEOUT, "no byte arrived within the limit");
        return;
    }
    timer_start(&t->idle, t->state == TRANSFER_SENT ? t->idle_ms - quiet_ms : t->idle_ms);
}

/* ---- what curl calls while a transfer runs ---- */

/* After the connection is there and before the first byte of the request goes out. */
static int on_prereq(void *arg, char *to, char *from, int to_port, int from_port)
{
    struct transfer *t = arg;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    if (t->call == NULL)
        return CURL_PREREQFUNC_ABORT;
    t->call->sent = true;
    t->active_us = clock_mono_us();
    leave_host(t);
    t->state = TRANSFER_SENT;
    if (t->idle_ms > 0)
        timer_start(&t->idle, t->idle_ms);
    return CURL_PREREQFUNC_OK;
}

static size_t on_read(char *out, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t n = MIN(size * count, t->body.n - t->body_at);

    if (t->call == NULL)
        return CURL_READFUNC_ABORT;
    if (n > 0)
        memcpy(out, t->body.p + t->body_at, n);
    t->body_at += n;
    t->active_us = clock_mono_us();
    return n;
}

/* A kept connection that turns out to be dead is replaced by curl, which then sends again. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->body.n)
        return CURL_SEEKFUNC_CANTSEEK;
    t->body_at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t transfer_end(struct transfer *t, int code)
{
    t->end_code = code;
    return 0; /* curl ends the transfer with CURLE_WRITE_ERROR */
}

static size_t on_write(char *p, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    struct http_call *call = t->call;
    size_t n = size * count;

    if (call == NULL)
        return transfer_end(t, ERR_CANCELLED);
    t->active_us = clock_mono_us();
    if (call->first_byte_us == 0)
        call->first_byte_us = t->active_us - t->started_us;
    t->received += n;
    if (t->received > t->max_body)
        return transfer_end(t, ERR_TOOBIG);
    if (t->on_data == NULL || call->status < 200 || call->status > 299) {
        buf_add(&call->body, p, n);
        return n;
    }
    if (!t->on_data(call, (struct str){p, n})) /* call may be gone now */
        return transfer_end(t, ERR_CANCELLED);
    return n;
}

static int64_t retry_after_ms(struct str value, bool in_ms)
{
    char text[64];
    double number;
    time_t date;

    if (value.n >= sizeof(text))
        return -1;
    if (str_f64(value, &number) == 0) {
        if (!(number >= 0))
            return -1;
        return (int64_t)MIN(number * (in_ms ? 1.0 : 1000.0), (double)RETRY_AFTER_MAX_MS);
    }
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    date = in_ms ? -1 : curl_getdate(text, NULL);
    if (date < 0)
        return -1;
    return MIN(MAX((int64_t)date * 1000 - clock_wall_us() / 1000, 0), RETRY_AFTER_MAX_MS);
}

static void take_header(struct transfer *t, struct str name, struct str value)
{
    struct http_call *call = t->call;
    struct str short_value = {value.p, MIN(value.n, 200)};

    if (str_ieq(name, STR("content-type")))
        call->content_type = arena_str(t->arena, short_value);
    else if (str_ieq(name, STR("request-id")) || str_ieq(name, STR("x-request-id")))
        call->request_id = arena_str(t->arena, short_value);
    else if (str_ieq(name, STR("retry-after-ms")))
        call->retry_after_ms = retry_after_ms(value, true);
    else if (str_ieq(name, STR("retry-after")) && call->retry_after_ms < 0)
        call->retry_after_ms = retry_after_ms(value, false);
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    struct str line = {p, size * count}, rest = line, name;
    struct http_call *call = t->call;
    long status = 0;

    if (call == NULL)
        return transfer_end(t, ERR_CANCELLED);
    t->active_us = clock_mono_us();
    if (call->first_byte_us == 0)
        call->first_byte_us = t->active_us - t->started_us;
    if (str_starts(line, STR("HTTP/"))) { /* also after an interim answer */
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        call->status = (int)status;
        call->retry_after_ms = -1;
        return line.n;
    }
    name = str_split(&rest, ':');
    if (rest.p != NULL)
        take_header(t, name, str_trim(rest));
    return line.n;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = arg;

    (void)purpose;
    if (!t->allow_address(&address->addr, t->allow_arg)) {
        t->end_code = ERR_DENIED;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- the end of a transfer ---- */

static const struct {
    CURLcode curl;
    int code;
} curl_codes[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID},    {CURLE_URL_MALFORMAT, ERR_INVALID},
    {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},     {CURLE_HTTP2, ERR_PROTOCOL},
    {CURLE_HTTP2_STREAM, ERR_PROTOCOL},           {CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL},
    {CURLE_OUT_OF_MEMORY, ERR_INTERNAL},          {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED}, {CURLE_SSL_CACERT_BADFILE, ERR_DENIED},
};

static int code_of(CURLcode curl)
{
    for (size_t i = 0; i < ARRAY_LEN(curl_codes); i++)
        if (curl_codes[i].curl == curl)
            return curl_codes[i].code;
    return ERR_UNAVAILABLE;
}

static const char *words_of(const struct transfer *t, int code, CURLcode curl)
{
    if (t->end_code == ERR_TOOBIG)
        return "the answer is larger than allowed";
    if (t->end_code == ERR_CANCELLED)
        return "the reader ended the answer";
    if (t->end_code == ERR_DENIED)
        return "the address of the host is not allowed";
    if (code == ERR_OK)
        return "";
    return t->error[0] != '\0' ? t->error : curl_easy_strerror(curl);
}

static void on_done(struct transfer *t, CURLcode curl)
{
    long status = 0;
    int code = curl == CURLE_OK ? 0 : t->end_code != 0 ? t->end_code : code_of(curl);

    if (t->call != NULL) {
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        t->call->status = (int)status;
        if (code == 0 && t->call->body.overflow)
            code = ERR_TOOBIG;
    }
    transfer_finish(t, code, words_of(t, code, curl));
}

static void read_messages(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        CURLcode result = m->data.result;
        char *p = NULL;

        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        on_done((struct transfer *)(void *)p, result);
    }
}

/* ---- starting ---- */

static void give_to_curl(struct transfer *t)
{
    CURLMcode rc;

    t->state = TRANSFER_CONNECTING;
    t->host->connecting++;
    list_remove(&t->wait);
    t->client->inside++;
    rc = curl_multi_add_handle(t->client->multi, t->easy);
    t->client->inside--;
    if (rc != CURLM_OK)
        transfer_finish(t, ERR_INTERNAL, curl_multi_strerror(rc));
}

static void start_waiting(struct host *h)
{
    struct list *first;

    while (h->connecting < HOST_CONNECTING_MAX && (first = list_first(&h->waiting)) != NULL)
        give_to_curl(LIST_ENTRY(first, struct transfer, wait));
}

static void on_settle(struct deferred *d)
{
    struct http_client *c = CONTAINER_OF(d, struct http_client, settle);
    struct list *it;

    while ((it = list_first(&c->doomed)) != NULL)
        transfer_free(LIST_ENTRY(it, struct transfer, link));
    while ((it = list_first(&c->hosts)) != NULL) {
        struct host *h = LIST_ENTRY(it, struct host, link);

        start_waiting(h);
        list_remove(&h->link);
        if (h->connecting == 0 && list_empty(&h->waiting)) {
            map_del(c->host_of, str_of(h->name));
            free(h->name);
            free(h);
        }
    }
}

static struct host *host_for(struct http_client *c, const char *url)
{
    const char *authority = strstr(url, "://");
    struct str name = {url, authority == NULL ? 0 : (size_t)(authority + 3 - url)};
    struct host *h;

    name.n += strcspn(url + name.n, "/?#");
    h = map_get(c->host_of, name);
    if (h == NULL) {
        h = xcalloc(1, sizeof(*h));
        h->name = xstrndup(name.p, name.n);
        list_init(&h->waiting);
        list_init(&h->link);
        map_set(c->host_of, name, h);
    }
    return h;
}

static int add_headers(struct transfer *t, const struct http_request *req, struct err *err)
{
    bool typed = false;

    t->headers = curl_slist_append(NULL, "Expect:"); /* no round trip before the body */
    for (int i = 0; req->headers != NULL && req->headers[i] != NULL; i++) {
        const char *line = req->headers[i];

        if (strpbrk(line, "\r\n") != NULL)
            return err_set(err, ERR_INVALID, "a header holds a line break");
        typed = typed || strncasecmp(line, "content-type:", 13) == 0;
        t->headers = curl_slist_append(t->headers, line);
    }
    if (!typed) /* else curl says that it is a form */
        t->headers = curl_slist_append(t->headers, "Content-Type:");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return 0;
}

static void set_method(struct transfer *t, const struct http_request *req)
{
    bool get = strcmp(req->method, "GET") == 0, head = strcmp(req->method, "HEAD") == 0;

    if (head)
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    if (!get && !head && (req->body.n > 0 || req->method[0] == 'P')) {
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
        if (req->body.n <= COPIED_MAX)
            curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS,
                             req->body.p == NULL ? "" : req->body.p);
    }
    if (!head)
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, req->method);
}

static void set_limits(struct transfer *t, const struct http_request *req)
{
    const struct http_client_options *o = &t->client->opt;
    CURL *e = t->easy;
    /* Without TLS nobody negotiates a version, and the wait for a connection to share would last
     * until the first answer of that server. */
    bool h2 = o->http2 && strncasecmp(req->url, "https:", 6) == 0;

    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* the environment's is not asked */
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                     (long)(h2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, h2 ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(req->connect_ms > 0 ? req->connect_ms : 10000));
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, 50L);  /* servers commonly close after 60 s */
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 4096L); /* held while the answer is awaited */
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    if (o->user_agent != NULL)
        curl_easy_setopt(e, CURLOPT_USERAGENT, o->user_agent);
    if (o->ca_file != NULL)
        curl_easy_setopt(e, CURLOPT_CAINFO, o->ca_file);
}

static void set_callbacks(struct transfer *t)
{
    CURL *e = t->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_prereq);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(e, CURLOPT_READDATA, t);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(e, CURLOPT_SEEKDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    if (t->allow_address != NULL) {
        curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
        curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
}

static struct transfer *transfer_new(struct http_client *c, struct arena *a,
                                     const struct http_request *req)
{
    struct transfer *t = xcalloc(1, sizeof(*t));

    t->client = c;
    t->arena = a;
    t->body = req->body;
    t->on_data = req->on_data;
    t->allow_address = req->allow_address;
    t->allow_arg = req->allow_arg;
    t->max_body = req->max_body;
    t->idle_ms = req->idle_ms;
    t->started_us = t->active_us = clock_mono_us();
    timer_init(&t->idle, c->loop, on_idle);
    list_init(&t->wait);
    list_push(&c->transfers, &t->link);
    t->easy = curl_easy_init();
    if (t->easy == NULL)
        abort(); /* out of memory, as in xmalloc */
    return t;
}

static int transfer_prepare(struct transfer *t, const struct http_request *req, struct err *err)
{
    if (FAULT("http.call"))
        return err_set(err, ERR_UNAVAILABLE, "fault point http.call");
    if (curl_easy_setopt(t->easy, CURLOPT_URL, req->url) != CURLE_OK)
        return err_set(err, ERR_INVALID, "the URL cannot be used");
    set_method(t, req);
    set_limits(t, req);
    set_callbacks(t);
    return add_headers(t, req, err);
}

void http_call_start(struct http_client *c, struct arena *a, const struct http_request *req,
                     int64_t deadline_ms, struct http_call *call, op_fn *done, void *arg)
{
    struct transfer *t;
    int code;

    CHECK(c, HTTP_CLIENT);
    op_begin(&call->op, c->loop, deadline_ms, done, arg, abort_call);
    call->status = 0;
    call->sent = false;
    call->content_type = call->request_id = (struct str){NULL, 0};
    call->retry_after_ms = -1;
    call->first_byte_us = 0;
    buf_init(&call->body, req->max_body);
    t = transfer_new(c, a, req);
    code = transfer_prepare(t, req, &call->op.err);
    if (code != 0) {
        transfer_free(t);
        op_finish(&call->op, code);
        return;
    }
    t->call = call;
    call->priv = t;
    t->host = host_for(c, req->url);
    list_push(&t->host->waiting, &t->wait);
    if (list_empty(&t->host->link))
        list_push(&c->hosts, &t->host->link);
    loop_defer(c->loop, &c->settle);
}

void http_call_done(struct http_call *call)
{
    op_cancel(&call->op);
    buf_done(&call->body);
}

/* ---- the client ---- */

static void set_multi(struct http_client *c)
{
    CURLM *m = c->multi;

    curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(m, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(m, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(m, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)c->opt.max_connections);
    curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, (long)c->opt.max_host_connections);
    curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)c->opt.max_connections);
    curl_multi_setopt(m, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
}

int http_client_new(struct loop *l, const struct http_client_options *opt, struct http_client **out,
                    struct err *err)
{
    struct http_client *c;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_INTERNAL, "libcurl cannot be initialised");
    c = xcalloc(1, sizeof(*c));
    c->magic = HTTP_CLIENT_MAGIC;
    c->loop = l;
    c->opt = *opt;
    c->opt.user_agent = c->user_agent = opt->user_agent ? xstrdup(opt->user_agent) : NULL;
    c->opt.ca_file = c->ca_file = opt->ca_file ? xstrdup(opt->ca_file) : NULL;
    c->multi = curl_multi_init();
    if (c->multi == NULL)
        abort(); /* out of memory, as in xmalloc */
    timer_init(&c->timer, l, on_curl_timer);
    deferred_init(&c->settle, on_settle);
    list_init(&c->transfers);
    list_init(&c->doomed);
    list_init(&c->sockets);
    list_init(&c->hosts);
    c->host_of = map_new();
    set_multi(c);
    *out = c;
    return 0;
}

void http_client_free(struct http_client *c)
{
    struct list *it;

    if (c == NULL)
        return;
    CHECK(c, HTTP_CLIENT);
    assert(list_empty(&c->transfers)); /* every call ended or was cancelled before */
    on_settle(&c->settle);
    deferred_cancel(&c->settle);
    curl_multi_cleanup(c->multi);
    while ((it = list_first(&c->sockets)) != NULL)
        sock_free(c, LIST_ENTRY(it, struct sock, link));
    timer_done(&c->timer);
    map_free(c->host_of);
    free(c->user_agent);
    free(c->ca_file);
    c->magic = 0;
    free(c);
    curl_global_cleanup();
}
