/* health.c: see health.h. Answers come from memory, so that a probe costs nothing and never fails
 * because of a dependency; readiness asks the program's own callback. */
#include "libcommon/base/compat.h"
#include "libcommon/io/health.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "libcommon/base/clock.h"
#include "libcommon/base/metrics.h"

struct health {
    health_ready_fn *ready;
    void *arg;
};

#define METRICS_MAX (8u << 20)

static void reply_json(struct http_req *req, int status, const cJSON *body)
{
    http_reply(req, status, "Content-Type: application/json\r\nCache-Control: no-store\r\n",
               json_print(req->arena, body));
}

static void health(struct http_req *req, struct health *h UNUSED)
{
    cJSON *body = json_obj(req->arena);
    char iso[CLOCK_ISO_LEN];

    json_add_str(body, "status", "healthy");
    json_add_str(body, "timestamp", clock_iso(clock_wall_us(), iso));
    reply_json(req, 200, body);
}

static void ready(struct http_req *req, struct health *h)
{
    cJSON *body = json_obj(req->arena), *checks = json_obj(req->arena);
    bool ok = h->ready(h->arg, checks);

    json_add_str(body, ok ? "status" : "detail", ok ? "ready" : "Not ready");
    json_add_copy(body, "checks", checks);
    reply_json(req, ok ? 200 : 503, body);
}

static void metrics(struct http_req *req, struct health *h UNUSED)
{
    struct buf b;

    buf_init(&b, METRICS_MAX);
    metrics_render(&b);
    http_reply(req, 200, "Content-Type: text/plain; version=0.0.4\r\nCache-Control: no-store\r\n",
               buf_view(&b));
    buf_done(&b);
}

static const struct {
    const char *path;
    void (*fn)(struct http_req *req, struct health *h);
} pages[] = {{"/health", health}, {"/metrics", metrics}, {"/ready", ready}};

static void on_request(struct http_req *req, void *arg)
{
    cJSON *body;

    if (strcmp(req->method, "GET") == 0 || strcmp(req->method, "HEAD") == 0)
        for (size_t i = 0; i < ARRAY_LEN(pages); i++)
            if (str_eqz(req->path, pages[i].path)) {
                pages[i].fn(req, arg);
                return;
            }
    body = json_obj(req->arena);
    json_add_str(body, "detail", "Not found");
    reply_json(req, 404, body);
}

int health_server_new(struct loop *l, int port, health_ready_fn *fn, void *arg,
                      struct http_server **out, struct err *err)
{
    static struct health h; /* one a process */
    struct http_server_options opt = {
        .host = "0.0.0.0", .port = port, .max_connections = 64, .max_body = 1024};
    struct http_handler handler = {.on_request = on_request, .arg = &h};

    h.ready = fn;
    h.arg = arg;
    return http_server_new(l, &opt, &handler, out, err);
}

bool health_requires(const char *ready_requires, const char *name)
{
    struct str rest = str_of(ready_requires);

    while (rest.n > 0)
        if (str_eqz(str_trim(str_split(&rest, ',')), name))
            return true;
    return false;
}

static bool talk(int fd, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    static const char request[] =
        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char want[] = "HTTP/1.1 200";
    char answer[sizeof(want)] = "";
    size_t got = 0;
    ssize_t n = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
        return false;
    while (n > 0 && got < sizeof(want) - 1) {
        n = recv(fd, answer + got, sizeof(want) - 1 - got, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    return got == sizeof(want) - 1 && memcmp(answer, want, got) == 0;
}

int health_check(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 5};
    bool ok;

    if (fd < 0)
        return 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    ok = talk(fd, port);
    close(fd);
    return ok ? 0 : 1;
}
