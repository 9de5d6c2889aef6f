/*   waiting --end heard, or seen by the look--> fetching --row has ended--> answered
 *      ^ \--API_TIMEOUT, drain--> fetching (giving up) --> answered 202
 *      \--the row goes on, or the database is away--/          */
#include "libcommon/base/compat.h"
#include "services/api/wait.h"
#include "libcommon/base/clock.h"
#include "services/api/decision_json.h"
#include "services/api/live.h"

struct waiting {
    struct req *r;
    struct live_watch watch;
    struct decision known;
    int status;
    const char *headers;
    bool fetching, again, giving_up;
};

static void fetch(struct req *r);

static void give_up(struct req *r)
{
    struct waiting *w = r->state;

    w->giving_up = true;
    fetch(r);
}

static void answer_202(struct req *r)
{
    struct waiting *w = r->state;

    live_unwatch(&w->watch);
    r->on_drain = NULL;
    reply_accepted(r, &w->known, w->headers);
}

static void fetched(struct req *r)
{
    struct waiting *w = r->state;
    struct decision d;
    struct err err;

    w->fetching = false;
    int rc = decisions_read(r->pg.result, 0, 0, r->arena, NULL, &d, &err);
    if (rc == ERR_NOTFOUND) {
        live_unwatch(&w->watch);
        r->on_drain = NULL;
        reply_error_with(r, API_DECISION_NOT_FOUND, "The decision was deleted",
                         details_with_decision(r->arena, (struct str){NULL, 0}, w->known.id), NULL);
        return;
    }
    if (rc == 0 && decision_ended(d.status)) {
        live_unwatch(&w->watch);
        r->on_drain = NULL;
        reply_decision(r, &d, w->status, w->headers);
        return;
    }
    if (rc == 0)
        w->known = d;
    if (w->giving_up)
        answer_202(r);
    else if (w->again)
        fetch(r);
}

static void fetch_failed(struct req *r, const struct pg_op *op UNUSED)
{
    struct waiting *w = r->state;

    w->fetching = w->again = false;
    if (w->giving_up)
        answer_202(r);
}

static void fetch(struct req *r)
{
    struct waiting *w = r->state;
    struct pg_batch *b;

    w->again = w->fetching;
    if (w->fetching)
        return;
    w->fetching = true;
    r->failed = fetch_failed;
    b = req_batch(r, PG_READ);
    decisions_add_get(b, r->arena, w->known.id);
    req_pg(r, b, fetched);
}

static void on_message(struct live_watch *watch, const char *kind, const cJSON *message UNUSED)
{
    if (strcmp(kind, "end") == 0)
        fetch(((struct waiting *)watch->owner)->r);
}

static void on_head(struct live_watch *watch, const char *status, int64_t head_seq UNUSED)
{
    if (status == NULL || decision_ended(status))
        fetch(((struct waiting *)watch->owner)->r);
}

static void on_end(struct req *r)
{
    live_unwatch(&((struct waiting *)r->state)->watch);
}

void wait_decision(struct req *r, const struct decision *known, int status, const char *headers,
                   bool look)
{
    struct waiting *w = arena_new_of(r->arena, struct waiting);
    int64_t spent_ms = (clock_mono_us() - r->http->received_us) / 1000;

    w->r = r;
    w->known = *known;
    w->status = status;
    w->headers = headers;
    w->watch.on_message = on_message;
    w->watch.on_head = on_head;
    w->watch.owner = w;
    r->state = w;
    r->on_end = on_end;
    r->on_drain = give_up;
    live_watch(r->app->live, &w->watch, known->tenant, known->id);
    req_after(r, MAX(1, r->app->set->api_timeout_s * 1000 - spent_ms), give_up);
    if (r->app->draining)
        give_up(r);
    else if (look)
        fetch(r);
}
