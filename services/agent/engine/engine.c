/* engine.c: the doors of the engine. Everything that decides is behind engine_apply (fold.c and the
 * parts that it calls); engine_next only looks up what stands open in the table of actions. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/engine.h"
#include <math.h>
#include "libcommon/method/lang.h"
#include "services/agent/engine/state.h"

static const char *const type_names[EV__MAX] = {
    [EV_REASON] = "reason",   [EV_PLAN] = "plan",     [EV_TOOL] = "tool",
    [EV_OBSERVE] = "observe", [EV_ASK] = "ask",       [EV_REPAIR] = "repair",
    [EV_BUDGET] = "budget",   [EV_RESUME] = "resume", [EV_FINAL] = "final",
    [EV_ERROR] = "error",     [EV_CANCEL] = "cancel",
};

const char *event_type_name(enum event_type t)
{
    return (unsigned)t < EV__MAX ? type_names[t] : "unknown";
}

int event_type_parse(const char *name, enum event_type *out)
{
    for (int i = 0; name != NULL && i < EV__MAX; i++)
        if (strcmp(type_names[i], name) == 0) {
            *out = (enum event_type)i;
            return 0;
        }
    return ERR_INVALID;
}

static const char *lang_of(const cJSON *request)
{
    const char *asked = json_str(request, "lang", "");
    bool other;

    if (strcmp(asked, "zh") == 0 || strcmp(asked, "en") == 0)
        return asked;
    return lang_detect(str_of(json_str(request, "query", "")), &other);
}

struct engine *engine_new(struct arena *a, const struct engine_settings *s, const cJSON *request)
{
    struct engine *e = arena_new_of(a, struct engine);

    e->magic = ENGINE_MAGIC;
    e->a = a;
    e->s = s;
    e->request = request;
    e->lang = lang_of(request);
    e->passages = json_arr(a);
    e->all_offline = s->offline_only;
    act_new(e, ACTION_GATHER, &e->main, NULL);
    return e;
}

static int tools_running(const struct engine *e)
{
    int n = 0;

    for (int i = 0; i < e->act_count; i++) {
        const struct act *a = e->acts[i];

        if (a->kind == ACTION_TOOL && act_waits(a) && (a->yielded || a->state == ACT_INTENDED))
            n++;
    }
    return n;
}

static bool may_start(const struct engine *e, const struct act *a)
{
    int most = e->s->max_parallel > 0 ? e->s->max_parallel : PARALLEL_DEFAULT;

    /* INTENDED: it runs, or nobody knows its outcome; a resume event settles that, never a second
     * call. */
    if (a->yielded || a->state != ACT_OPEN)
        return false;
    return a->kind != ACTION_TOOL || tools_running(e) < most;
}

bool engine_next(struct engine *e, struct action *out)
{
    CHECK(e, ENGINE);
    for (int i = 0; i < e->act_count; i++)
        if (may_start(e, e->acts[i])) {
            act_yield(e, e->acts[i], out);
            return true;
        }
    return false;
}

int engine_apply(struct engine *e, const struct engine_event *ev, struct err *err)
{
    CHECK(e, ENGINE);
    return fold_event(e, ev, err);
}

void engine_look(const struct engine *e, struct engine_view *out)
{
    CHECK(e, ENGINE);
    *out = (struct engine_view){
        .ended = e->phase == PHASE_ENDED,
        .status = e->phase == PHASE_ENDED ? e->status : NULL,
        .mode = finish_mode(e),
        .lang = e->lang,
        .degraded = e->degraded,
        .steps = e->ledger.steps_used,
        .tokens_in = e->ledger.tokens_in,
        .tokens_out = e->ledger.tokens_out,
        .usd = e->ledger.usd_unknown ? NAN : e->ledger.usd_used,
        .taint = e->taint,
        .budget_seconds = e->s->budget_seconds,
        .started_us = e->started_us,
    };
}

const cJSON *engine_final(const struct engine *e)
{
    CHECK(e, ENGINE);
    return e->final;
}

/* ---- the hash: FNV-1a over all that the fold decides ---- */

static void mix(uint64_t *h, const void *p, size_t n)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        *h = (*h ^ b[i]) * 0x100000001b3u;
}

static void mix_int(uint64_t *h, int64_t v)
{
    mix(h, &v, sizeof(v));
}

static void mix_str(uint64_t *h, struct str s)
{
    mix_int(h, (int64_t)s.n);
    mix(h, s.p, s.n);
}

static void mix_z(uint64_t *h, const char *z)
{
    mix_str(h, str_of(z == NULL ? "" : z));
}

static void mix_num(uint64_t *h, double v)
{
    mix(h, &v, sizeof(v));
}

static void mix_acts(uint64_t *h, const struct engine *e)
{
    for (int i = 0; i < e->act_count; i++) {
        const struct act *a = e->acts[i];

        mix_int(h, a->kind);
        mix_int(h, a->state);
        mix_z(h, a->id);
        mix_z(h, a->parent);
        mix_z(h, a->force);
        mix_int(h, a->max_tokens);
        mix_int(h, a->reserved_tokens);
        mix_int(h, a->type);
        mix_z(h, a->name);
        if (a->make ==
            NULL) /* else it follows from what is mixed anyway, and may not be made yet */
            mix_str(h, a->payload);
    }
}

static void mix_ledger(uint64_t *h, const struct ledger *l)
{
    mix_int(h, l->steps_used);
    mix_int(h, l->steps_reserved);
    mix_int(h, l->tokens_used);
    mix_int(h, l->tokens_reserved);
    mix_num(h, l->usd_used);
    mix_num(h, l->usd_reserved);
    mix_int(h, l->usd_unknown);
    mix_int(h, l->tokens_in);
    mix_int(h, l->tokens_out);
}

static void mix_talk(uint64_t *h, const struct talk *t)
{
    mix_int(h, t->state);
    mix_int(h, t->repairs);
    mix_int(h, t->rounds);
    mix_int(h, t->max_tokens);
    mix_int(h, t->sent_bytes);
    mix_int(h, t->sent_tokens);
    mix_str(h, t->system);
    mix_str(h, buf_view(&t->pending));
    for (int i = 0; i < t->count; i++)
        mix_str(h, t->messages[i]);
    for (int i = 0; i < t->turn.count; i++) {
        mix_int(h, t->turn.calls[i].ended);
        mix_str(h, t->turn.calls[i].answer);
    }
}

static void mix_run(uint64_t *h, const struct engine *e)
{
    mix_int(h, e->phase);
    mix_int(h, e->seq);
    mix_int(h, e->events);
    mix_int(h, e->started_us);
    mix_int(h, e->now_us);
    mix_int(h, e->taint);
    mix_int(h, e->degraded);
    mix_z(h, e->strategy == NULL ? "" : e->strategy->name);
    mix_int(h, e->evidence);
    mix_int(h, e->repeats);
    mix_int(h, e->replans);
    mix_z(h, e->out);
    mix_int(h, e->skill_count);
    mix_z(h, e->status);
    mix_talk(h, &e->main);
    for (int i = 0; i < e->view_count; i++)
        mix_talk(h, &e->views[i]);
    for (int i = 0; i < e->step_count; i++) {
        mix_z(h, e->steps[i].id);
        mix_int(h, e->steps[i].state);
        mix_str(h, e->steps[i].call.answer);
    }
}

void engine_hash(const struct engine *e, uint8_t out[8])
{
    uint64_t h = 0xcbf29ce484222325u;

    CHECK(e, ENGINE);
    mix_run(&h, e);
    mix_acts(&h, e);
    mix_ledger(&h, &e->ledger);
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(h >> (8 * i));
}
