/* The trail is the whole log of a decision, each event with its place in the hash chain. The chain
 * is recomputed here each time it is asked for; `proof` lets anybody else do the same. */
#include "libcommon/base/compat.h"
#include "services/api/handlers.h"
#include "libcommon/model/decisions.h"
#include "libcommon/model/events.h"
#include "services/api/decision_json.h"
#include "services/api/step_json.h"

struct trail {
    struct uuid id;
    bool proof;
    struct decision d;
};

static bool verify(const struct trail *t, const struct event *e, int n)
{
    static const uint8_t zero[32];
    const uint8_t *previous = zero;

    for (int i = 0; i < n; i++) {
        if (e[i].seq != i + 1 || !event_verify(&e[i], t->id, previous))
            return false;
        previous = e[i].hash;
    }
    return n == t->d.head_seq && memcmp(previous, t->d.head_hash, 32) == 0;
}

static void add_chain(cJSON *o, const struct trail *t, const struct event *e, int n)
{
    cJSON *chain = json_add_obj(o, "chain");
    char hex[65];

    json_add_num(chain, "length", n);
    json_add_str(chain, "head", hex_encode(t->d.head_hash, 32, hex));
    json_add_bool(chain, "verified", verify(t, e, n));
}

static void answer(struct req *r, struct trail *t, const struct event *e, int n)
{
    cJSON *o = json_obj(r->arena), *result = NULL, *list;
    struct err err;

    if (t->d.result.n > 0 && json_parse(r->arena, t->d.result, JSON_DEPTH_MAX, &result, &err) != 0)
        result = NULL;
    item_add_uuid(o, "decision_id", t->id);
    item_add_uuid(o, "user_id", t->d.user);
    json_add_str(o, "version", "1.0");
    item_add_time(o, "timestamp", t->d.created_us);
    json_add_str(o, "query", t->d.query);
    if (t->d.context.n > 0)
        item_add_raw(o, "context", t->d.context);
    else
        json_add_null(o, "context");
    list = json_add_arr(o, "skills_used");
    for (int i = 0; i < t->d.skill_count; i++)
        json_push_str(list, t->d.skills[i]);
    json_add_str(o, "reasoning",
                 json_str(json_get(result, "final_recommendation"), "reasoning", NULL));
    if (t->d.result.n > 0)
        item_add_raw(o, "result", t->d.result);
    else
        json_add_null(o, "result");
    add_chain(o, t, e, n);
    list = json_add_arr(o, "steps");
    for (int i = 0; i < n; i++)
        json_push_copy(list, step_json(r->arena, &e[i], t->proof, 0));
    reply_item(r, 200, o);
}

static void loaded(struct req *r)
{
    struct trail *t = r->state;
    struct event *events = NULL;
    struct err err;
    int n = 0;
    int rc = decisions_read(r->pg.result, 0, 0, r->arena, r->app->ring, &t->d, &err);

    if (rc == ERR_NOTFOUND) {
        reply_error(r, API_DECISION_NOT_FOUND, NULL, NULL, "There is no such decision");
        return;
    }
    if (rc == 0)
        rc = events_read(r->pg.result, 1, r->arena, r->app->ring, t->id, &events, &n, &err);
    if (rc != 0)
        reply_err(r, &err);
    else
        answer(r, t, events, n);
}

void h_decision_trail(struct req *r)
{
    struct trail *t = arena_new_of(r->arena, struct trail);
    const char *proof;
    bool bad = false;
    struct pg_batch *b;

    r->state = t;
    proof = req_param(r, "proof", &bad);
    if (bad)
        return;
    if (proof != NULL && !word_in(proof, "true|false")) {
        reply_error(r, API_VALIDATION_ERROR, "proof", "not_allowed", "proof must be true or false");
        return;
    }
    t->proof = proof != NULL && strcmp(proof, "true") == 0;
    if (!req_uuid(r, 0, &t->id)) {
        reply_error(r, API_DECISION_NOT_FOUND, NULL, NULL, "There is no such decision");
        return;
    }
    b = req_batch(r, PG_READ);
    decisions_add_get(b, r->arena, t->id);
    events_add_load(b, r->arena, t->id, 0, 0);
    req_pg(r, b, loaded);
}
