/* call.c: one call of a tool: started or refused, and what its outcome means for the model (a text
 * in a fence), for the analyst and for the validator. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

static bool tool_known(const struct engine *e, const struct talk *t, const char *name)
{
    if (t->view != NULL && !view_has_tool(t->view, name))
        return false;
    for (int i = 0; i < e->s->tool_count; i++)
        if (strcmp(e->s->tools[i].name, name) == 0)
            return true;
    return false;
}

void call_refuse(struct engine *e, struct call *c, const char *code, const char *message)
{
    cJSON *p = json_obj(e->a), *error;

    json_add_str(p, "tool", c->name);
    json_add_str(p, "tool_use_id", c->use_id);
    json_add_copy(p, "input", c->input);
    error = json_add_obj(p, "error");
    json_add_str(error, "code", code);
    json_add_str(error, "message", message);
    c->act = act_record(e, c->talk, EV_OBSERVE, c->name, p);
    c->act->call = c;
}

void call_start(struct engine *e, struct call *c)
{
    if (!tool_known(e, c->talk, c->name))
        call_refuse(e, c, "SKILL_NOT_FOUND", "There is no tool of that name.");
    else if (c->input == NULL)
        call_refuse(e, c, "SKILL_INVALID_PARAMS", "The input is no JSON object.");
    else if (repeat_refuses(e, c))
        call_refuse(e, c, "REPEATED_CALL",
                    "This call was made before with the same input; its result is above. Use it, "
                    "change the "
                    "input, or submit.");
    else {
        c->act = act_new(e, ACTION_TOOL, c->talk, c->talk->model);
        c->act->call = c;
    }
}

static void add_skill(struct engine *e, const char *name)
{
    for (int i = 0; i < e->skill_count; i++)
        if (strcmp(e->skills[i], name) == 0)
            return;
    if (e->skill_count == e->skill_cap) {
        int cap = e->skill_cap == 0 ? 8 : e->skill_cap * 2;
        const char **grown = arena_array(e->a, const char *, cap);

        if (e->skill_count > 0)
            memcpy(grown, e->skills, sizeof(*grown) * (size_t)e->skill_count);
        e->skills = grown;
        e->skill_cap = cap;
    }
    e->skills[e->skill_count++] = name;
}

static void note_call(struct engine *e, const struct call *c, struct str value, int64_t seq)
{
    struct note n = {
        .tool = c->name, .id = c->use_id, .value = value, .failed = c->failed, .seq = seq};

    if (c->input != NULL)
        n.input = json_print(e->a, c->input);
    note_add(e, &n);
}

void call_never(struct engine *e, struct call *c, const char *code, const char *message)
{
    struct arena *scratch = arena_new();
    cJSON *error = json_obj(scratch);

    c->failed = true;
    json_add_str(error, "code", code);
    json_add_str(error, "message", message);
    note_call(e, c, json_print(e->a, error), e->seq);
    arena_free(scratch);
}

static struct str cut_output(struct arena *a, struct str text)
{
    struct str head = {text.p, OUTPUT_MAX};

    if (text.n <= OUTPUT_MAX)
        return text;
    while (head.n > 0 && ((unsigned char)head.p[head.n] & 0xc0) == 0x80)
        head.n--;
    return str_of(
        arena_printf(a, "%.*s\n[cut: %zu of %zu bytes are shown]", STR_ARG(head), head.n, text.n));
}

/* What our own engine says about a call is plain; what came from outside stands in a fence. */
static struct str error_text(struct engine *e, const struct call *c, const cJSON *error,
                             const char *nonce, struct arena *scratch)
{
    struct source src = {"tool_error", "", c->name, nonce, true};
    struct buf b;
    struct str text;

    buf_init(&b, 4 * OUTPUT_MAX);
    buf_printf(&b, "The call of %s failed: %s. ", c->name,
               json_str(error, "code", "SKILL_EXECUTION_FAILED"));
    if (nonce != NULL || c->act->kind == ACTION_TOOL)
        source_fence(e, &b, &src, cut_output(scratch, json_print(scratch, error)));
    else
        buf_puts(&b, json_str(error, "message", ""));
    text = arena_str(e->a, buf_view(&b));
    buf_done(&b);
    return text;
}

/* What a search of the knowledge base found are documents like those gathered at first: each has
 * its own fence, its id and its place for quotes, and the validator may look the quotes up. */
static bool is_passage(const cJSON *item)
{
    return json_str(item, "chunk_id", NULL) != NULL && json_str(item, "text", NULL) != NULL;
}

static const cJSON *passages_of(const cJSON *output)
{
    const cJSON *results = json_get(output, "results"), *item;

    if (cJSON_GetArraySize(results) == 0)
        return NULL;
    cJSON_ArrayForEach (item, results) {
        if (!is_passage(item))
            return NULL;
    }
    return results;
}

static void fence_passages(struct engine *e, struct buf *b, const cJSON *passages,
                           const char *nonce)
{
    const cJSON *item;
    size_t room = OUTPUT_MAX, left_out = 0;

    cJSON_ArrayForEach (item, passages) {
        struct source src = {"document", json_str(item, "chunk_id", ""),
                             json_str(item, "title", ""), nonce, false};
        struct str text = str_of(json_str(item, "text", ""));

        json_push_copy(e->passages, item);
        if (text.n > room) {
            left_out++;
            continue;
        }
        room -= text.n;
        source_fence(e, b, &src, text);
    }
    if (left_out > 0)
        buf_printf(b, "[%zu further passages are left out for length]\n", left_out);
}

static struct str output_text(struct engine *e, const struct call *c, const cJSON *payload,
                              int64_t seq, struct arena *scratch)
{
    const char *nonce = json_str(payload, "nonce", NULL);
    struct source src = {"tool", arena_printf(scratch, "%" PRId64, seq), c->name, nonce, false};
    const cJSON *passages = passages_of(json_get(payload, "output"));
    struct buf b;
    struct str text;

    buf_init(&b, 4 * OUTPUT_MAX);
    if (passages != NULL)
        fence_passages(e, &b, passages, nonce);
    else
        source_fence(e, &b, &src, cut_output(scratch, c->output));
    text = arena_str(e->a, buf_view(&b));
    buf_done(&b);
    return text;
}

static void make_answer(struct engine *e, struct call *c, const cJSON *payload, int64_t seq)
{
    struct arena *scratch = arena_new();
    const char *nonce = json_str(payload, "nonce", NULL);

    c->answer = c->failed ? error_text(e, c, json_get(payload, "error"), nonce, scratch)
                          : output_text(e, c, payload, seq, scratch);
    arena_free(scratch);
}

static struct str raw_part(struct engine *e, struct str raw, const char *pointer)
{
    struct str part;

    return json_raw(raw, pointer, &part) == 0 ? arena_str(e->a, part) : (struct str){NULL, 0};
}

void call_observe(struct engine *e, struct call *c, const cJSON *payload, struct str raw,
                  int64_t seq)
{
    const cJSON *error = json_get(payload, "error");

    c->ended = true;
    c->failed = json_get(payload, "output") == NULL || (error != NULL && !cJSON_IsNull(error));
    if (!c->failed) {
        c->output = raw_part(e, raw, "/output");
        add_skill(e, c->name);
    }
    if (!c->talk->mute)
        make_answer(e, c, payload, seq);
    note_call(e, c, c->failed ? raw_part(e, raw, "/error") : c->output, seq);
    if (c->talk->view != NULL && !c->failed)
        council_note(c->talk, c->answer);
}
