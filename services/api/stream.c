/* One stream is one cursor (seq) over the event log. Whatever wakes it (a message, the look each
 * second) only makes it load what stands behind the cursor; so nothing is lost or doubled, with
 * Redis or without. Streamed model text travels by Redis alone and may be lost: when its step is
 * recorded, what the client has of it is compared with the whole, and if it differs the client is
 * told to forget its chunks and gets the text in one.
 *
 *   idle --woken--> loading --page--> sending (paced by what the client takes) --> loading | idle
 *                                                             \--ended, nothing left--> done  */
#include "libcommon/base/compat.h"
#include "services/api/stream.h"
#include "libcommon/base/metrics.h"
#include "libcommon/model/events.h"
#include "libcommon/model/watch.h"
#include "services/api/decision_json.h"
#include "services/api/handlers.h"
#include "services/api/live.h"
#include "services/api/step_json.h"

#define PAGE 50
#define PACE_BYTES (512 * 1024)      /* unsent: wait before sending more of a page */
#define SLOW_BYTES (3 * 1024 * 1024) /* unsent: the follower is too slow */
#define PACE_MS 20
#define STEP_BYTES (256 * 1024) /* longer payloads are for the trail */
#define STEPS 64                /* steps whose chunks are followed at once */
#define HELD_MAX 2000           /* live messages that wait for a load */

/* What the client has of one step's text. */
struct follow {
    char step[64];
    int attempt;
    int next;      /* index of the chunk that comes next */
    size_t bytes;  /* sent so far */
    bool gap;      /* a chunk was missed */
    bool recorded; /* its event was sent: what Redis still has of it is old */
};

struct held {
    struct list link;
    char *text;
};

struct streaming {
    struct req *r;
    struct live_watch watch;
    struct decision d;
    int64_t seq;         /* of the last event that was sent */
    int64_t k;           /* chunks since then */
    bool resumed_within; /* Last-Event-ID was N.K: chunks behind N may be at the client */
    bool loading, again, over;
    struct arena *page; /* of the page that is loaded or sent */
    struct event *events;
    int count, at;
    char status[24];
    int64_t head;
    struct follow follows[STEPS];
    int next_follow;
    struct list held;
    int held_count;
};

static void load(struct streaming *s);
static void pump(struct req *r);

/* --- events out
 * --- */

static void stop(struct streaming *s)
{
    s->over = true;
    s->r->on_drain = NULL;
    live_unwatch(&s->watch);
    timer_stop(&s->r->timer);
    http_stream_end(s->r->http);
}

static const char *id_now(const struct streaming *s, char out[48])
{
    if (s->k == 0)
        snprintf(out, 48, "%" PRId64, s->seq);
    else
        snprintf(out, 48, "%" PRId64 ".%" PRId64, s->seq, s->k);
    return out;
}

static bool send(struct streaming *s, const char *type, cJSON *data)
{
    struct arena *a = arena_new();
    char id[48];
    bool ok;

    json_add_str(data, "type", type);
    ok = http_stream_event(s->r->http, type, id_now(s, id), json_print(a, data));
    cJSON_Delete(data);
    arena_free(a);
    return ok;
}

static void end_because(struct streaming *s, const char *reason)
{
    cJSON *o = cJSON_CreateObject();
    char id[48];

    metric_add(M_STREAMS_DROPPED, 1, reason, NULL, NULL);
    json_add_str(o, "reason", reason);
    json_add_str(o, "last_event_id", id_now(s, id));
    send(s, "end", o);
    stop(s);
}

static void send_chunk(struct streaming *s, const char *step, struct str text, int index)
{
    cJSON *o = cJSON_CreateObject();

    s->k++;
    json_add_str(o, "step", step);
    json_add_strn(o, "content", text);
    json_add_num(o, "index", index);
    send(s, "chunk", o);
}

static void send_reset(struct streaming *s, const char *step, int attempt)
{
    cJSON *o = cJSON_CreateObject();

    json_add_str(o, "step", step);
    json_add_num(o, "attempt", attempt);
    send(s, "reset", o);
}

/* --- the text of steps
 * --- */

static struct follow *follow_of(struct streaming *s, const char *step)
{
    struct follow *f;

    for (int i = 0; i < STEPS; i++)
        if (strcmp(s->follows[i].step, step) == 0)
            return &s->follows[i];
    f = &s->follows[s->next_follow++ % STEPS];
    memset(f, 0, sizeof(*f));
    snprintf(f->step, sizeof(f->step), "%s", step);
    return f;
}

/* The step is recorded: sees to it that the client has its text whole. */
static void settle_text(struct streaming *s, const char *step, struct str text)
{
    struct follow *f = follow_of(s, step);

    f->recorded = true;
    if (text.n == 0 || (!f->gap && f->bytes == text.n))
        return;
    if (f->bytes > 0 || s->resumed_within)
        send_reset(s, step, f->attempt);
    send_chunk(s, step, text, 0);
    f->bytes = text.n;
    f->gap = false;
}

static struct str final_text(const struct event *e)
{
    struct str raw;

    if (strcmp(e->type, "final") != 0 || e->payload.p == NULL ||
        json_raw(e->payload, "/result/final_recommendation/reasoning", &raw) != 0)
        return (struct str){NULL, 0};
    return raw;
}

static struct str unquoted(struct arena *a, struct str raw)
{
    cJSON *v = NULL;

    if (raw.n == 0 || json_parse(a, raw, 1, &v, NULL) != 0 || !cJSON_IsString(v))
        return (struct str){NULL, 0};
    return str_of(v->valuestring);
}

static void send_special(struct streaming *s, const struct event *e)
{
    cJSON *payload = NULL, *o;

    if (e->payload.p == NULL ||
        json_parse(s->page, e->payload, JSON_DEPTH_MAX, &payload, NULL) != 0)
        return;
    if (strcmp(e->type, "resume") == 0) {
        o = cJSON_CreateObject();
        json_add_num(o, "from_seq", json_num(payload, "from_seq", 0));
        json_add_num(o, "attempt", json_num(payload, "attempt", 0));
        send(s, "resumed", o);
    } else if (strcmp(e->type, "ask") == 0) {
        o = cJSON_CreateObject();
        json_add_str(o, "prompt", json_str(payload, "prompt", json_str(payload, "question", "")));
        if (json_get(payload, "options") != NULL)
            json_add_copy(o, "options", json_get(payload, "options"));
        else
            json_add_arr(o, "options");
        send(s, "waiting_input", o);
    }
}

static void send_event(struct streaming *s, const struct event *e)
{
    cJSON *o = cJSON_CreateObject();
    struct str text = step_model_text(s->page, e);

    if (text.n == 0)
        text = unquoted(s->page, final_text(e));
    settle_text(s, e->action_id, text);
    s->seq = e->seq;
    s->k = 0;
    s->resumed_within = false;
    json_add_copy(o, "step", step_json(s->page, e, false, STEP_BYTES));
    json_add_str(o, "state", step_failed(e) ? "failed" : "finished");
    send(s, "step", o);
    send_special(s, e);
}

/* --- live messages
 * --- */

static void take_chunk(struct streaming *s, const cJSON *m)
{
    struct follow *f = follow_of(s, json_str(m, "step", ""));
    int attempt = (int)json_i64(m, "attempt", 0), index = (int)json_i64(m, "index", 0);
    struct str text = str_of(json_str(m, "text", ""));

    if (f->recorded)
        return;
    if (attempt != f->attempt && f->next > 0)
        send_reset(s, f->step, attempt);
    if (attempt != f->attempt) {
        f->next = 0;
        f->bytes = 0;
        f->gap = false;
    }
    f->attempt = attempt;
    if (index != f->next || f->gap) {
        f->gap = f->gap || index > f->next; /* lower ones were seen */
        return;
    }
    f->next++;
    f->bytes += text.n;
    send_chunk(s, f->step, text, index);
}

static void take_start(struct streaming *s, const cJSON *m)
{
    cJSON *o, *step;

    if (follow_of(s, json_str(m, "step", ""))->recorded)
        return;
    o = cJSON_CreateObject();
    step = json_add_obj(o, "step");
    json_add_str(step, "action_id", json_str(m, "step", ""));
    json_add_str(step, "type", json_str(m, "type", ""));
    if (json_str(m, "name", NULL) != NULL)
        json_add_str(step, "name", json_str(m, "name", NULL));
    json_add_str(o, "state", "started");
    send(s, "step", o);
}

static void take_reset(struct streaming *s, const cJSON *m)
{
    struct follow *f = follow_of(s, json_str(m, "step", ""));

    f->attempt = (int)json_i64(m, "attempt", 0);
    f->next = 0;
    f->bytes = 0;
    f->gap = false;
    send_reset(s, f->step, f->attempt);
}

static void take(struct streaming *s, const char *kind, const cJSON *m)
{
    if (http_stream_pending(s->r->http) > SLOW_BYTES)
        end_because(s, "too_slow");
    else if (strcmp(kind, "chunk") == 0)
        take_chunk(s, m);
    else if (strcmp(kind, "start") == 0)
        take_start(s, m);
    else if (strcmp(kind, "reset") == 0)
        take_reset(s, m);
}

static bool busy(const struct streaming *s)
{
    return s->loading || s->at < s->count;
}

/* Messages keep their place among the events: those that come while a page is on its way wait. */
static void hold(struct streaming *s, const cJSON *m)
{
    struct arena *a = arena_new();
    struct str text = json_print(a, m);
    struct held *h;

    if (s->held_count < HELD_MAX) {
        h = xcalloc(1, sizeof(*h));
        h->text = xstrndup(text.p, text.n);
        list_push(&s->held, &h->link);
        s->held_count++;
    }
    arena_free(a);
}

static void drop_held(struct held *h)
{
    list_remove(&h->link);
    free(h->text);
    free(h);
}

static void take_held(struct streaming *s)
{
    while (!list_empty(&s->held) && !s->over && !busy(s)) {
        struct held *h = LIST_ENTRY(list_first(&s->held), struct held, link);
        struct arena *a = arena_new();
        cJSON *m = NULL;
        if (json_parse(a, str_of(h->text), 16, &m, NULL) == 0)
            take(s, json_str(m, "k", ""), m);
        drop_held(h);
        s->held_count--;
        arena_free(a);
    }
}

static void on_message(struct live_watch *w, const char *kind, const cJSON *m)
{
    struct streaming *s = w->owner;

    if (strcmp(kind, "commit") == 0 || strcmp(kind, "end") == 0)
        load(s);
    else if (busy(s) || json_i64(m, "seq", 0) > s->seq)
        hold(s, m);
    else
        take(s, kind, m);
}

static void on_head(struct live_watch *w, const char *status, int64_t head_seq)
{
    struct streaming *s = w->owner;

    if (status == NULL || head_seq > s->seq || decision_ended(status))
        load(s);
}

/* --- the end
 * --- */

static void send_done(struct streaming *s, const struct decision *d)
{
    cJSON *o = cJSON_CreateObject(), *tree = NULL;

    if (d->result.n > 0 && json_parse(s->page, d->result, JSON_DEPTH_MAX, &tree, NULL) != 0)
        tree = NULL;
    item_add_uuid(o, "decision_id", d->id);
    json_add_str(o, "status", d->status);
    json_add_str(o, "complete_response",
                 json_str(json_get(tree, "final_recommendation"), "reasoning", ""));
    send(s, "done", o);
}

static void send_error(struct streaming *s, const struct decision *d)
{
    cJSON *o = cJSON_CreateObject(), *e = NULL;

    if (d->error.n > 0 && json_parse(s->page, d->error, JSON_DEPTH_MAX, &e, NULL) != 0)
        e = NULL;
    json_add_str(o, "code", json_str(e, "code", "DECISION_EXECUTION_FAILED"));
    json_add_str(o, "message", json_str(e, "message", "The analysis failed"));
    item_add_uuid(o, "decision_id", d->id);
    send(s, "error", o);
}

static void finished(struct req *r)
{
    struct streaming *s = r->state;
    struct decision d;
    struct err err;

    s->loading = false;
    if (decisions_read(r->pg.result, 0, 0, s->page, NULL, &d, &err) == 0) {
        if (strcmp(d.status, "failed") == 0)
            send_error(s, &d);
        send_done(s, &d);
    }
    stop(s);
}

/* --- loading
 * --- */

static void new_page(struct streaming *s)
{
    arena_free(s->page);
    s->page = arena_new();
    s->events = NULL;
    s->count = s->at = 0;
}

static void load_failed(struct req *r, const struct pg_op *op UNUSED)
{
    struct streaming *s = r->state;

    s->loading = s->again = false; /* the look each second comes back to it */
    take_held(s);
}

static void finish(struct streaming *s)
{
    struct pg_batch *b;

    new_page(s);
    s->loading = true;
    b = req_batch_in(s->r, s->page, PG_READ);
    decisions_add_get(b, s->page, s->d.id);
    req_pg(s->r, b, finished);
}

static void page_sent(struct streaming *s)
{
    bool full = s->count == PAGE;

    if (s->over)
        return;
    if (full || s->again)
        load(s);
    else if (s->status[0] == '\0') {
        cJSON *o = cJSON_CreateObject(); /* the row is gone */
        json_add_str(o, "code", api_codes[API_DECISION_NOT_FOUND].name);
        json_add_str(o, "message", "The decision was deleted");
        send(s, "error", o);
        stop(s);
    } else if (decision_ended(s->status) && s->seq >= s->head)
        finish(s);
    else
        take_held(s);
}

static void pump(struct req *r)
{
    struct streaming *s = r->state;

    while (s->at < s->count && !s->over) {
        if (http_stream_pending(r->http) > PACE_BYTES) {
            req_after(r, PACE_MS, pump);
            return;
        }
        send_event(s, &s->events[s->at++]);
    }
    page_sent(s);
}

static void loaded(struct req *r)
{
    struct streaming *s = r->state;
    struct err err;

    s->loading = false;
    s->at = 0;
    if (events_read(r->pg.result, 1, s->page, r->app->ring, s->d.id, &s->events, &s->count, &err)) {
        s->count = 0;
        cJSON *o = cJSON_CreateObject();
        json_add_str(o, "code", api_codes[API_INTERNAL_ERROR].name);
        json_add_str(o, "message", "The event log could not be read");
        send(s, "error", o);
        stop(s);
        return;
    }
    s->status[0] = '\0';
    if (pg_rows(r->pg.result, 0) == 1) {
        snprintf(s->status, sizeof(s->status), "%s", pg_getz(r->pg.result, 0, 0, 1));
        s->head = pg_get_i64(r->pg.result, 0, 0, 2);
    }
    pump(r);
}

static void load(struct streaming *s)
{
    struct req *r = s->r;
    struct pg_batch *b;

    if (s->over)
        return;
    if (busy(s)) {
        s->again = true;
        return;
    }
    new_page(s);
    s->again = false;
    s->loading = true;
    r->failed = load_failed;
    b = req_batch_in(r, s->page, PG_READ);
    watch_add_heads(b, s->page, &s->d.id, 1);
    events_add_load(b, s->page, s->d.id, s->seq, PAGE);
    req_pg(r, b, loaded);
}

/* --- the beginning
 * --- */

static void on_drain(struct req *r)
{
    end_because(r->state, "draining");
}

static void on_end(struct req *r)
{
    struct streaming *s = r->state;

    live_unwatch(&s->watch);
    while (!list_empty(&s->held))
        drop_held(LIST_ENTRY(list_first(&s->held), struct held, link));
    arena_free(s->page);
}

/* "N" or "N.K"; anything else is the beginning. */
static void read_last_id(struct streaming *s)
{
    struct str rest = http_req_header(s->r->http, "last-event-id");
    struct str first = str_split(&rest, '.');
    int64_t seq, k = 0;

    if (str_i64(first, &seq) != 0 || seq < 0)
        return;
    if (rest.p != NULL && (str_i64(rest, &k) != 0 || k < 0))
        k = 0;
    s->seq = MIN(seq, s->d.head_seq);
    s->k = seq <= s->d.head_seq ? k : 0;
    s->resumed_within = s->k > 0;
}

void stream_decision(struct req *r, const struct decision *d, const char *headers)
{
    struct streaming *s = arena_new_of(r->arena, struct streaming);
    cJSON *o = cJSON_CreateObject();

    s->r = r;
    s->d = *d;
    list_init(&s->held);
    s->watch.on_message = on_message;
    s->watch.on_head = on_head;
    s->watch.owner = s;
    r->state = s;
    r->on_end = on_end;
    r->on_drain = on_drain;
    r->replied = true;
    read_last_id(s);
    http_stream_begin(r->http, reply_headers(r, headers));
    json_add_str(o, "message", "The analysis has been accepted");
    item_add_uuid(o, "decision_id", d->id);
    send(s, "started", o);
    if (r->app->draining) {
        end_because(s, "draining");
        return;
    }
    live_watch(r->app->live, &s->watch, d->tenant, d->id);
    load(s);
}

static void stream_found(struct req *r)
{
    struct decision d;
    struct err err;
    int rc = decisions_read(r->pg.result, 0, 0, r->arena, NULL, &d, &err);

    if (rc == ERR_NOTFOUND)
        reply_error(r, API_DECISION_NOT_FOUND, NULL, NULL, "There is no such decision");
    else if (rc != 0)
        reply_err(r, &err);
    else
        stream_decision(r, &d, NULL);
}

void h_decision_stream(struct req *r)
{
    struct uuid id;
    struct pg_batch *b;

    if (!req_uuid(r, 0, &id)) {
        reply_error(r, API_DECISION_NOT_FOUND, NULL, NULL, "There is no such decision");
        return;
    }
    b = req_batch(r, PG_READ);
    decisions_add_get(b, r->arena, id);
    req_pg(r, b, stream_found);
}
