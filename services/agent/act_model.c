/* act_model.c: a call to the model. Its answer becomes one `reason` event, spliced as text so that
 * what the model wrote keeps its bytes; the stages of the offline analyst become events of their
 * own before it. A call that failed for good becomes an `error` event. */
#include "libcommon/base/compat.h"
#include "services/agent/actions.h"

#include <math.h>

#include "libcommon/base/fault.h"
#include "services/agent/live.h"

#define PARTIAL_MAX (64u << 10)
#define PAYLOAD_MAX (8u << 20)

struct work {
    struct llm_call call;
    struct llm_request request;
    struct buf partial;
    int attempt, chunks;
};

static void on_attempt(struct llm_call *call, int n)
{
    struct action_flow *f = call->user;
    struct work *w = f->work;

    w->attempt = n;
    w->chunks = 0;
    buf_clear(&w->partial);
    if (n > 1)
        say_reset(f->run, f->action.id, n);
}

static void on_delta(struct llm_call *call, enum llm_delta kind, int block UNUSED, struct str text)
{
    struct action_flow *f = call->user;
    struct work *w = f->work;

    if (kind != LLM_TEXT)
        return;
    buf_str(&w->partial, text);
    say_chunk(f->run, f->action.id, w->attempt, w->chunks++, text);
}

static void put_number(struct buf *b, const char *key, double v)
{
    cJSON *n = isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull();

    buf_printf(b, "\"%s\":", key);
    json_write(b, n);
    cJSON_Delete(n);
}

static void put_text(struct buf *b, const char *key, const char *v)
{
    buf_printf(b, ",\"%s\":", key);
    if (v == NULL)
        buf_puts(b, "null");
    else
        json_quote(b, str_of(v));
}

static struct str answer_payload(struct action_flow *f, struct arena *a)
{
    const struct llm_result *r = &((struct work *)f->work)->call.result;
    struct buf b;
    struct str out;

    buf_init(&b, PAYLOAD_MAX);
    buf_puts(&b, "{\"content\":");
    buf_str(&b, r->content_json);
    put_text(&b, "stop_reason", r->stop_reason);
    buf_puts(&b, ",\"usage\":{");
    put_number(&b, "input_tokens", r->input_tokens < 0 ? NAN : (double)r->input_tokens);
    buf_putc(&b, ',');
    put_number(&b, "output_tokens", r->output_tokens < 0 ? NAN : (double)r->output_tokens);
    buf_putc(&b, ',');
    put_number(&b, "cache_read_tokens",
               r->cache_read_tokens < 0 ? NAN : (double)r->cache_read_tokens);
    buf_putc(&b, ',');
    put_number(&b, "cache_write_tokens",
               r->cache_write_tokens < 0 ? NAN : (double)r->cache_write_tokens);
    buf_puts(&b, "}");
    put_text(&b, "provider", r->provider);
    put_text(&b, "model", r->model);
    put_text(&b, "provider_request_id", r->request_id);
    buf_putc(&b, ',');
    put_number(&b, "cost_usd", r->cost_usd);
    buf_printf(&b, ",\"degraded\":%s,\"attempts\":%d", r->degraded ? "true" : "false", r->attempts);
    put_text(&b, "nonce", action_nonce(a));
    buf_putc(&b, '}');
    out = b.overflow ? STR("{\"content\":[],\"stop_reason\":\"max_tokens\"}")
                     : arena_str(a, buf_view(&b));
    buf_done(&b);
    return out;
}

static int count_stages(struct action_flow *f, cJSON **stages)
{
    struct str text = ((struct work *)f->work)->call.result.stages_json;
    struct err err;

    *stages = NULL;
    if (text.n == 0 || json_parse(f->arena, text, JSON_DEPTH_MAX, stages, &err) < 0)
        return 0;
    return cJSON_GetArraySize(*stages);
}

static int64_t input_side(const struct llm_result *r)
{
    if (r->input_tokens < 0)
        return -1;
    return r->input_tokens + MAX(r->cache_read_tokens, 0) + MAX(r->cache_write_tokens, 0);
}

static struct append *answer(struct action_flow *f)
{
    const struct llm_result *r = &((struct work *)f->work)->call.result;
    cJSON *stages, *stage;
    int n = count_stages(f, &stages), i = 0;
    struct append *ap = action_append(f, n + 1);
    struct event *e;
    const char *actor = arena_printf(ap->arena, "model:%s", r->model == NULL ? "?" : r->model);

    cJSON_ArrayForEach (stage, stages) {
        e = &ap->events[i++];
        e->type = "reason";
        e->name = arena_strdup(ap->arena, json_str(stage, "stage", "stage"));
        e->actor = actor;
        e->duration_ms = 0;
        e->payload = json_print(ap->arena, stage);
    }
    e = &ap->events[n];
    e->type = "reason";
    e->name = "model";
    e->actor = actor;
    e->model = arena_strdup(ap->arena, r->model);
    e->tokens_in = input_side(r);
    e->tokens_out = r->output_tokens;
    e->cost_usd = r->cost_usd;
    e->payload = answer_payload(f, ap->arena);
    return ap;
}

static struct append *failure(struct action_flow *f)
{
    const struct llm_call *call = &((struct work *)f->work)->call;
    struct append *ap = action_append(f, 1);
    struct event *e = &ap->events[0];
    cJSON *payload = json_obj(ap->arena);

    json_add_str(payload, "code", api_codes[call->api_error].name);
    json_add_str(payload, "message", call->op.err.msg);
    json_add_str(payload, "provider_message", call->provider_message);
    json_add_str(payload, "provider", call->result.provider);
    json_add_num(payload, "retry_after_ms", (double)call->retry_after_ms);
    json_add_num(payload, "attempts", call->result.attempts);
    e->type = "error";
    e->name = "model";
    e->actor =
        arena_printf(ap->arena, "model:%s", call->result.model == NULL ? "?" : call->result.model);
    e->payload = json_print(ap->arena, payload);
    return ap;
}

/* OpenTelemetry's conventions for generative models, beside the reference's own names. */
static void trace(struct action_flow *f)
{
    const struct llm_call *call = &((struct work *)f->work)->call;
    const struct llm_result *r = &call->result;

    span_set_str(&f->span, "llm.model", r->model);
    span_set_str(&f->span, "gen_ai.operation.name", "chat");
    span_set_str(&f->span, "gen_ai.provider.name", r->provider);
    span_set_str(&f->span, "gen_ai.response.model", r->model);
    span_set_i64(&f->span, "ceoagent.attempts", r->attempts);
    if (call->op.err.code != 0) {
        span_fail(&f->span, call->op.err.msg);
        return;
    }
    span_set_i64(&f->span, "llm.tokens", MAX(input_side(r), 0) + MAX(r->output_tokens, 0));
    span_set_i64(&f->span, "gen_ai.usage.input_tokens", MAX(input_side(r), 0));
    span_set_i64(&f->span, "gen_ai.usage.output_tokens", MAX(r->output_tokens, 0));
}

static void on_answered(struct op *op)
{
    struct action_flow *f = op->arg;

    (void)FAULT("shell.model.after");
    trace(f);
    action_outcome(f, op->err.code == 0 ? answer(f) : failure(f));
}

static void start_model(struct action_flow *f)
{
    struct work *w = arena_new_of(f->arena, struct work);
    const struct action *a = &f->action;

    f->work = w;
    buf_init(&w->partial, PARTIAL_MAX);
    w->request = (struct llm_request){
        .system = a->model.system,
        .tools_json = a->model.tools_json,
        .messages = a->model.messages,
        .message_count = a->model.message_count,
        .max_tokens = a->model.max_tokens,
        .force_tool = a->model.force_tool,
        .temperature = NAN,
        .traceparent = action_traceparent(f),
        .analyst = a->model.analyst,
    };
    w->call.on_attempt = on_attempt;
    w->call.on_delta = on_delta;
    w->call.user = f;
    (void)FAULT("shell.model.before");
    llm_chain_start(f->run->app->chain, f->arena, &w->request, action_time_left_ms(f), &w->call,
                    on_answered, f);
}

static void stop_model(struct action_flow *f)
{
    struct work *w = f->work;

    if (w == NULL)
        return;
    op_cancel(&w->call.op);
    buf_done(&w->partial);
}

static struct str partial(const struct action_flow *f)
{
    const struct work *w = f->work;

    return w == NULL ? (struct str){0} : buf_view(&w->partial);
}

const struct performer perform_model = {start_model, stop_model, partial};
