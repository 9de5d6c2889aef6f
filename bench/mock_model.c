/* mock_model.c: a model server for benches, fast enough that the programs under test are what is
 * measured: tests/harness/model_server.py needs a thread a call.
 *
 *     mock_model PORT DELAY_MS whole|stream FILE...
 *
 * Each FILE holds the server-sent events of one turn; the number of assistant turns in the request
 * picks it, the last one repeats. `whole` sends an answer in one piece after DELAY_MS, `stream`
 * spreads its events evenly over that time. GET /count tells how many calls were answered. */
#include "libcommon/base/compat.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "libcommon/base/err.h"
#include "libcommon/ev/timer.h"
#include "libcommon/io/http_server.h"

#define TURNS_MAX 16
#define EVENTS_MAX 4096
#define FILE_BYTES_MAX (1 << 20)

struct sse {
    const char *type;
    struct str data;
};

struct turn {
    struct str whole;
    struct sse *events;
    int count;
};

static struct {
    struct loop *loop;
    struct turn turns[TURNS_MAX];
    int turn_count;
    int64_t delay_ms, calls;
    bool stream;
} mock;

struct call {
    struct timer timer;
    struct http_req *req; /* NULL once the client has gone */
    const struct turn *turn;
    int next;
};

static void die(const char *what)
{
    fprintf(stderr, "mock_model: %s\n", what);
    exit(1);
}

static int turn_of(struct str body)
{
    static const char *const words[] = {"\"role\":\"assistant\"", "\"role\": \"assistant\""};
    int n = 0;

    for (size_t w = 0; w < ARRAY_LEN(words); w++) {
        const char *at = body.p, *end = body.p + body.n, *hit;
        size_t len = strlen(words[w]);

        while ((hit = memmem(at, (size_t)(end - at), words[w], len)) != NULL) {
            n++;
            at = hit + len;
        }
    }
    return MIN(n, mock.turn_count - 1);
}

static void send_next(struct call *c)
{
    const struct sse *e = &c->turn->events[c->next++];

    http_stream_event(c->req, e->type, NULL, e->data);
    if (c->next < c->turn->count)
        timer_start(&c->timer, mock.delay_ms / c->turn->count);
    else
        http_stream_end(c->req);
}

static void on_timer(struct timer *t)
{
    struct call *c = CONTAINER_OF(t, struct call, timer);

    if (c->req == NULL)
        return;
    if (mock.stream)
        send_next(c);
    else
        http_reply(c->req, 200, "Content-Type: text/event-stream\r\n", c->turn->whole);
}

static void on_close(struct http_req *req, enum http_close why UNUSED)
{
    ((struct call *)req->user)->req = NULL;
}

static void on_done(struct http_req *req, int status UNUSED, int64_t bytes UNUSED, void *arg UNUSED)
{
    struct call *c = req->user;

    if (c == NULL)
        return;
    timer_done(&c->timer);
    free(c);
    req->user = NULL;
}

static void on_request(struct http_req *req, void *arg UNUSED)
{
    struct call *c;

    if (str_eq(req->path, STR("/count"))) {
        const char *text = arena_printf(req->arena, "%lld\n", (long long)mock.calls);

        http_reply(req, 200, "Content-Type: text/plain\r\n", str_of(text));
        return;
    }
    c = xcalloc(1, sizeof(*c));
    mock.calls++;
    *c = (struct call){.req = req, .turn = &mock.turns[turn_of(req->body)]};
    req->user = c;
    req->on_close = on_close;
    timer_init(&c->timer, mock.loop, on_timer);
    if (mock.stream)
        http_stream_begin(req, NULL);
    timer_start(&c->timer, mock.stream ? 0 : mock.delay_ms);
}

/* "event: TYPE\ndata: TEXT\n\n" again and again, as the harness' scripted model writes it. */
static void split_events(struct turn *t)
{
    char *at = xstrndup(t->whole.p, t->whole.n), *end;

    t->events = xcalloc(EVENTS_MAX, sizeof(*t->events));
    while ((end = strstr(at, "\n\n")) != NULL && t->count < EVENTS_MAX) {
        char *data = strstr(at, "data: ");

        if (data == NULL || data > end)
            die("an event without data");
        *end = '\0';
        if (data != at) {
            data[-1] = '\0';
            t->events[t->count].type = at + strlen("event: ");
        }
        t->events[t->count++].data = str_of(data + strlen("data: "));
        at = end + 2;
    }
    if (t->count == 0)
        die("a file without events");
}

static void read_turn(const char *path)
{
    struct turn *t = &mock.turns[mock.turn_count++];
    char *text = xcalloc(1, FILE_BYTES_MAX);
    FILE *f = fopen(path, "r");

    if (f == NULL)
        die(path);
    t->whole = (struct str){text, fread(text, 1, FILE_BYTES_MAX - 1, f)};
    fclose(f);
    split_events(t);
}

int main(int argc, char **argv)
{
    struct http_server_options opt = {.host = "127.0.0.1", .max_connections = 20000};
    const struct http_handler handler = {.on_request = on_request, .on_done = on_done};
    struct http_server *server;
    struct err err;

    if (argc < 5 || argc - 4 > TURNS_MAX)
        die("usage: mock_model PORT DELAY_MS whole|stream FILE...");
    opt.port = (int)strtol(argv[1], NULL, 10);
    mock.delay_ms = strtol(argv[2], NULL, 10);
    mock.stream = strcmp(argv[3], "stream") == 0;
    for (int i = 4; i < argc; i++)
        read_turn(argv[i]);
    signal(SIGPIPE, SIG_IGN);
    mock.loop = loop_new();
    if (http_server_new(mock.loop, &opt, &handler, &server, &err) != 0)
        die(err.msg);
    loop_run(mock.loop);
    return 0;
}
