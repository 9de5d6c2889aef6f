#include "libcommon/base/compat.h"
#include "services/api/step_json.h"
#include <math.h>

static struct str part(const struct event *e, const char *pointer)
{
    struct str out = {NULL, 0};

    if (e->payload.p == NULL || json_raw(e->payload, pointer, &out) != 0)
        return (struct str){NULL, 0};
    return out;
}

bool step_failed(const struct event *e)
{
    struct str error = part(e, "/error");

    return strcmp(e->type, "error") == 0 ||
           (strcmp(e->type, "observe") == 0 && error.n > 0 && !str_eq(error, STR("null")));
}

/* Tools: what went in and what came out. Models: what they wrote. Everything else: the payload. */
static void add_payload(cJSON *o, const struct event *e)
{
    struct str input = part(e, "/input"), output = part(e, "/output");

    if (input.n > 0)
        item_add_raw(o, "input", input);
    if (output.n == 0)
        output = part(e, "/content");
    if (output.n > 0)
        item_add_raw(o, "output", output);
    else if (step_failed(e) && part(e, "/error").n > 0)
        item_add_raw(json_add_obj(o, "output"), "error", part(e, "/error"));
    else if (input.n == 0 && e->payload.n > 0)
        item_add_raw(o, "output", e->payload);
}

static void add_hex(cJSON *o, const char *key, const uint8_t *p, size_t n)
{
    char text[2 * 32 + 1];

    json_add_str(o, key, hex_encode(p, n, text));
}

static void add_proof(struct arena *a, cJSON *o, const struct event *e)
{
    char *text;

    if (e->salted)
        add_hex(o, "salt", e->salt, sizeof(e->salt));
    else
        json_add_null(o, "salt");
    if (e->payload.p == NULL) {
        json_add_null(o, "payload");
        return;
    }
    text = arena_alloc(a, 4 * ((e->payload.n + 2) / 3) + 1);
    base64_encode(e->payload.p, e->payload.n, false, text);
    json_add_str(o, "payload", text);
}

cJSON *step_json(struct arena *a, const struct event *e, bool proof, size_t max_bytes)
{
    cJSON *o = json_obj(a);

    json_add_num(o, "index", (double)e->seq);
    json_add_str(o, "type", e->type);
    if (e->name != NULL)
        json_add_str(o, "name", e->name);
    json_add_str(o, "action_id", e->action_id);
    json_add_str(o, "parent_id", e->parent_id);
    json_add_str(o, "actor", e->actor);
    json_add_bool(o, "taint", e->taint);
    if (max_bytes > 0 && e->payload.n > max_bytes)
        json_add_bool(o, "truncated", true);
    else
        add_payload(o, e);
    if (e->model != NULL)
        json_add_str(o, "model", e->model);
    if (e->tokens_in >= 0)
        json_add_num(o, "tokens_in", (double)e->tokens_in);
    if (e->tokens_out >= 0)
        json_add_num(o, "tokens_out", (double)e->tokens_out);
    if (!isnan(e->cost_usd))
        json_add_num(o, "cost_usd", e->cost_usd);
    item_add_time(o, "started_at", e->started_us);
    json_add_num(o, "duration_ms", (double)e->duration_ms);
    add_hex(o, "digest", e->digest, sizeof(e->digest));
    add_hex(o, "hash", e->hash, sizeof(e->hash));
    add_hex(o, "previous_hash", e->previous_hash, sizeof(e->previous_hash));
    if (proof)
        add_proof(a, o, e);
    return o;
}

struct str step_model_text(struct arena *a, const struct event *e)
{
    cJSON *payload = NULL;
    const cJSON *block;
    struct buf b;
    struct str out;

    if (strcmp(e->type, "reason") != 0 || e->name == NULL || strcmp(e->name, "model") != 0 ||
        e->payload.p == NULL || json_parse(a, e->payload, JSON_DEPTH_MAX, &payload, NULL) != 0)
        return (struct str){NULL, 0};
    buf_init(&b, e->payload.n + 1);
    cJSON_ArrayForEach (block, json_get(payload, "content"))
        if (strcmp(json_str(block, "type", ""), "text") == 0)
            buf_puts(&b, json_str(block, "text", ""));
    out = b.n == 0 ? (struct str){NULL, 0} : arena_str(a, buf_view(&b));
    buf_done(&b);
    return out;
}
