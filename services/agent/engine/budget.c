/* budget.c: the four budgets, asked before each model call. What a call may use at most (its input
 * by an estimate, its output by max_tokens) is reserved when the call is made and settled when its
 * event comes, so calls in parallel cannot overshoot together. A normal call must also leave room
 * for one last call, in which the model has to submit what it has: a result marked partial is
 * better than none.
 *
 * The estimate is a token for three bytes; once a call has reported its input, only what was added
 * since is estimated. The offline analyst uses no tokens. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "services/agent/engine/prompt.h"
#include "services/agent/engine/state.h"

#define LAST_TOKENS 8000     /* what the last call should be able to write */
#define LAST_TOKENS_MIN 1000 /* below that it is not made */
#define MESSAGE_FRAME 30     /* bytes of {"role":"user","content":[]} */
#define OFFLINE_EXTRA 3      /* the analyst ends by itself in three turns, and they cost nothing */

static int64_t request_bytes(struct engine *e, struct talk *t)
{
    size_t to_come = t->pending.n > 0 ? t->pending.n + MESSAGE_FRAME : 0;

    return (int64_t)(t->system.n + talk_tools(e, t).n + t->bytes + to_come);
}

static int64_t input_estimate(struct engine *e, struct talk *t)
{
    int64_t bytes = request_bytes(e, t);

    if (e->s->offline_only)
        return 0;
    if (t->sent_tokens > 0 && bytes >= t->sent_bytes)
        return t->sent_tokens + (bytes - t->sent_bytes + 2) / 3;
    return (bytes + 2) / 3;
}

static bool priced(const struct engine *e)
{
    return e->s->budget_usd > 0 && !isnan(e->s->price_in) && !isnan(e->s->price_out) &&
           !e->s->offline_only;
}

static double price(const struct engine *e, int64_t in, int64_t out)
{
    return (double)in * e->s->price_in + (double)out * e->s->price_out;
}

struct shortage {
    const char *budget; /* NULL: none */
    double limit, used;
};

static struct shortage tokens_short(struct engine *e, struct talk *t)
{
    const struct ledger *l = &e->ledger;
    int64_t in = input_estimate(e, t), out = t->max_tokens, last = MIN(t->max_tokens, LAST_TOKENS);
    int64_t tokens = in + out + in + out + last;
    double usd;

    if (e->s->offline_only)
        return (struct shortage){NULL, 0, 0};
    if (e->s->budget_tokens > 0 &&
        l->tokens_used + l->tokens_reserved + tokens > e->s->budget_tokens)
        return (struct shortage){"tokens", (double)e->s->budget_tokens, (double)l->tokens_used};
    if (!priced(e))
        return (struct shortage){NULL, 0, 0};
    usd = l->usd_used + l->usd_reserved + price(e, in, out) + price(e, in + out, last);
    if (usd > e->s->budget_usd)
        return (struct shortage){"usd", e->s->budget_usd, l->usd_used};
    return (struct shortage){NULL, 0, 0};
}

/* Why no normal call may be made. */
static struct shortage find_shortage(struct engine *e, struct talk *t)
{
    const struct engine_settings *s = e->s;
    const struct ledger *l = &e->ledger;
    double elapsed = (double)(e->now_us - e->started_us) / 1e6;

    if (e->events >= EVENTS_SOFT)
        return (struct shortage){"events", EVENTS_MAX, e->events};
    if (t->bytes + t->pending.n > MESSAGES_MAX)
        return (struct shortage){"messages", MESSAGES_MAX, (double)(t->bytes + t->pending.n)};
    if (repeat_runaway(e))
        return (struct shortage){"repeats", REPEATS_MAX, e->repeats};
    if (s->budget_steps > 0 && l->steps_used + l->steps_reserved + 1 >= s->budget_steps)
        return (struct shortage){"steps", (double)s->budget_steps, (double)l->steps_used};
    if (s->budget_seconds > 0 && elapsed >= (double)s->budget_seconds)
        return (struct shortage){"seconds", (double)s->budget_seconds, elapsed};
    return tokens_short(e, t);
}

/* The output that the last call may have; 0: it cannot be made. */
static int64_t last_output(struct engine *e, struct talk *t)
{
    const struct ledger *l = &e->ledger;
    int64_t in = input_estimate(e, t), out = t->max_tokens;

    if (e->s->budget_steps > 0 && l->steps_used + l->steps_reserved >=
                                      e->s->budget_steps + (e->s->offline_only ? OFFLINE_EXTRA : 0))
        return 0;
    if (e->s->offline_only)
        return out;
    if (e->s->budget_tokens > 0)
        out = MIN(out, e->s->budget_tokens - l->tokens_used - l->tokens_reserved - in);
    if (priced(e) && e->s->price_out > 0) {
        double left = e->s->budget_usd - l->usd_used - l->usd_reserved - price(e, in, 0);

        out = left <= 0 ? 0 : (int64_t)MIN((double)out, left / e->s->price_out);
    }
    return out < MIN(LAST_TOKENS_MIN, t->max_tokens) ? 0 : out;
}

bool budget_affords_repair(struct engine *e, struct talk *t)
{
    if (e->out == NULL)
        return true;
    return last_output(e, t) > 0;
}

static void record_out(struct engine *e, struct talk *t, const struct shortage *why)
{
    cJSON *p = json_obj(e->a);

    json_add_str(p, "budget", why->budget);
    json_add_num(p, "limit", why->limit);
    json_add_num(p, "used", why->used);
    act_record(e, t, EV_BUDGET, NULL, p);
}

static void fail_out(struct engine *e)
{
    cJSON *details = json_obj(e->a);

    json_add_str(details, "budget", e->out);
    json_add_num(details, "limit", e->out_limit);
    json_add_num(details, "used", e->out_used);
    finish_failed(
        e, "BUDGET_EXCEEDED",
        arena_printf(e->a, "The budget of %s ran out before there was an answer.", e->out),
        details);
}

static void reserve(struct engine *e, struct talk *t, struct act *a)
{
    struct ledger *l = &e->ledger;
    int64_t in = input_estimate(e, t);

    a->reserved_tokens = e->s->offline_only ? 0 : in + a->max_tokens;
    a->reserved_usd = priced(e) ? price(e, in, a->max_tokens) : 0;
    a->sent_bytes = request_bytes(e, t);
    a->reserved = true;
    l->steps_reserved++;
    l->tokens_reserved += a->reserved_tokens;
    l->usd_reserved += a->reserved_usd;
}

static void make_call(struct engine *e, struct talk *t, const char *force, int64_t max_tokens)
{
    struct act *a = act_new(e, ACTION_MODEL, t, t->model);

    a->force = force;
    a->max_tokens = max_tokens;
    talk_flush(e, t);
    reserve(e, t, a);
    t->model = a;
    t->rounds++;
}

static void tell_last(struct engine *e, struct talk *t)
{
    struct prompt_var vars[] = {{"budget", str_of(e->out)}};

    if (e->out_told)
        return;
    e->out_told = true;
    if (e->strategy->closing != NULL)
        e->strategy->closing(e);
    talk_text(t, prompt_fill(e->a, talk_prompt(e, "last_call"), vars, ARRAY_LEN(vars)));
}

bool budget_affords_call(struct engine *e, struct talk *t)
{
    return e->out == NULL && find_shortage(e, t).budget == NULL;
}

static void call_view(struct engine *e, struct talk *t, const char *force)
{
    if (t->rounds >= VIEW_ROUNDS + REPAIRS_MAX)
        council_fail(e, t, "it did not come to an end");
    else if (!budget_affords_call(e, t))
        council_fail(e, t, "the budget does not reach for it");
    else
        make_call(e, t, t->rounds >= VIEW_ROUNDS ? TOOL_VIEW : force, t->max_tokens);
}

void budget_call_model(struct engine *e, struct talk *t, const char *force)
{
    struct shortage why;
    int64_t last;

    if (e->phase >= PHASE_CLOSING)
        return;
    if (t->view != NULL) {
        call_view(e, t, force);
        return;
    }
    if (e->out == NULL) {
        why = find_shortage(e, t);
        if (why.budget != NULL)
            record_out(e, t, &why);
        else
            make_call(e, t, force, t->max_tokens);
        return;
    }
    tell_last(e, t);
    last = last_output(e, t);
    if (last == 0)
        fail_out(e);
    else
        make_call(e, t, TOOL_SUBMIT, last);
}

void budget_out(struct engine *e, const cJSON *payload, bool by_shell)
{
    if (e->out == NULL) {
        e->out = arena_strdup(e->a, json_str(payload, "budget", ""));
        e->out_limit = json_num(payload, "limit", 0);
        e->out_used = json_num(payload, "used", 0);
    }
    if (by_shell && !json_bool(payload, "last_call", true)) {
        fail_out(e);
        return;
    }
    act_drop_work(e);
    if (e->phase == PHASE_GATHER) {
        cJSON *missing = json_arr(e->a);

        json_push_str(missing, "the sources, which could not be gathered in time");
        e->missing = missing;
        fold_material(e, NULL);
    } else if (e->phase == PHASE_RUN && !act_deciding(e, &e->main)) {
        turn_close(e, &e->main, "Not run: the budget ran out.");
        budget_call_model(e, &e->main, NULL);
    } /* else what the engine is having recorded goes on, and then finds the budget gone */
}

void budget_release(struct engine *e, struct act *a)
{
    struct ledger *l = &e->ledger;

    if (a->kind != ACTION_MODEL || !a->reserved)
        return;
    a->reserved = false;
    l->steps_reserved--;
    l->tokens_reserved -= a->reserved_tokens;
    l->usd_reserved -= a->reserved_usd;
}

/* What the call reports; where it reports nothing, what was reserved for the input and the bytes
 * that came are taken instead. A failed call that reports nothing counts as none. */
static void usage_of(const struct act *a, const cJSON *payload, int64_t *in, int64_t *out)
{
    const cJSON *u = json_get(payload, "usage"), *content = json_get(payload, "content");
    bool offline = strcmp(json_str(payload, "provider", ""), "offline") == 0;

    *in = json_i64(u, "input_tokens", -1);
    *out = json_i64(u, "output_tokens", -1);
    if (*in >= 0)
        *in += MAX(json_i64(u, "cache_read_tokens", 0), 0) +
               MAX(json_i64(u, "cache_write_tokens", 0), 0);
    else
        *in = content == NULL || offline ? 0 : MAX(a->reserved_tokens - a->max_tokens, 0);
    if (*out < 0)
        *out = content == NULL || offline ? 0 : a->answer_bytes / 3 + 1;
    *in = MIN(*in, (int64_t)1 << 40); /* a mad report must not overflow the sums */
    *out = MIN(*out, (int64_t)1 << 40);
}

void budget_settle(struct engine *e, struct act *a, const cJSON *payload)
{
    struct ledger *l = &e->ledger;
    double cost = json_num(payload, "cost_usd", NAN);
    int64_t in, out;

    budget_release(e, a);
    usage_of(a, payload, &in, &out);
    l->steps_used++;
    l->tokens_in += in;
    l->tokens_out += out;
    l->tokens_used += in + out;
    if (json_i64(json_get(payload, "usage"), "input_tokens", -1) > 0) {
        a->talk->sent_tokens = in;
        a->talk->sent_bytes = a->sent_bytes;
    }
    if (isnan(cost) && !isnan(e->s->price_in) && !isnan(e->s->price_out))
        cost = price(e, in, out);
    if (isnan(cost) || cost < 0)
        l->usd_unknown = l->usd_unknown || in + out > 0;
    else
        l->usd_used += cost;
}
