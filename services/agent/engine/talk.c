/* talk.c: the conversation as the provider gets it. Messages are only ever appended, and a
 * message's bytes never change, so each request begins with the bytes of the one before: providers'
 * prompt caches live on that. System text and tools are the same for a whole run. */
#include "libcommon/base/compat.h"
#include "libcommon/method/tool.h"
#include "services/agent/engine/prompt.h"
#include "services/agent/engine/state.h"

#define TEXT_MAX (4u * 1024 * 1024)
#define PENDING_MAX (16u * 1024 * 1024)

const char *talk_prompt(const struct engine *e, const char *name)
{
    const char *text = NULL;

    if (e->s->prompt != NULL)
        text = e->s->prompt(e->s->prompt_version == NULL ? "v1" : e->s->prompt_version, name,
                            e->s->prompt_arg);
    if (text == NULL)
        text = prompt_builtin(e->s->prompt_version, name);
    if (text == NULL)
        text = prompt_builtin("v1", name);
    return text == NULL ? "" : text;
}

/* ---- blocks and messages ---- */

static void pending_comma(struct talk *t)
{
    if (t->pending.n > 0)
        buf_putc(&t->pending, ',');
}

void talk_text(struct talk *t, struct str text)
{
    if (text.n == 0 || t->mute)
        return; /* providers refuse empty text */
    pending_comma(t);
    buf_puts(&t->pending, "{\"type\":\"text\",\"text\":");
    json_quote(&t->pending, text);
    buf_putc(&t->pending, '}');
}

void talk_result(struct talk *t, const char *use_id, struct str text, bool is_error)
{
    if (t->mute)
        return;
    pending_comma(t);
    buf_puts(&t->pending, "{\"type\":\"tool_result\",\"tool_use_id\":");
    json_quote(&t->pending, str_of(use_id));
    buf_puts(&t->pending, ",\"content\":");
    json_quote(&t->pending, text);
    buf_puts(&t->pending, is_error ? ",\"is_error\":true}" : "}");
}

static void push_message(struct engine *e, struct talk *t, struct str text)
{
    if (t->count == t->cap) {
        int cap = t->cap == 0 ? 8 : t->cap * 2;
        struct str *grown = arena_array(e->a, struct str, cap);

        if (t->count > 0)
            memcpy(grown, t->messages, sizeof(*grown) * (size_t)t->count);
        t->messages = grown;
        t->cap = cap;
    }
    t->messages[t->count++] = arena_str(e->a, text);
    t->bytes += text.n;
}

static void push_of(struct engine *e, struct talk *t, const char *role, struct str blocks)
{
    struct buf b;

    buf_init(&b, blocks.n + 64);
    buf_printf(&b, "{\"role\":\"%s\",\"content\":[", role);
    buf_str(&b, blocks);
    buf_puts(&b, "]}");
    push_message(e, t, buf_view(&b));
    buf_done(&b);
}

void talk_assistant(struct engine *e, struct talk *t, struct str content)
{
    struct str inner = str_trim(content);

    if (t->mute)
        return;
    if (inner.n >= 2) /* without its brackets */
        inner = str_trim((struct str){inner.p + 1, inner.n - 2});
    if (inner.n == 0) /* roles have to take turns, and a message may not be empty */
        inner = STR("{\"type\":\"text\",\"text\":\"(no answer)\"}");
    push_of(e, t, "assistant", inner);
}

void talk_flush(struct engine *e, struct talk *t)
{
    if (t->pending.n == 0)
        return;
    push_of(e, t, "user", buf_view(&t->pending));
    buf_done(&t->pending); /* it may have held all sources */
    buf_init(&t->pending, PENDING_MAX);
}

/* ---- tools ---- */

static const char plan_tool[] =
    "{\"name\":\"" TOOL_PLAN
    "\",\"description\":\"Submit the plan: a graph of at most 12 steps. Steps that do "
    "not need each other run at the same time. An input may take a value from an earlier step: "
    "{\\\"$step\\\":\\\"s1\\\",\\\"pointer\\\":\\\"/npv\\\"} stands for that step's output at the "
    "JSON "
    "Pointer.\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"steps\":{\"type\":"
    "\"array\","
    "\"minItems\":1,\"maxItems\":12,\"items\":{\"type\":\"object\",\"properties\":{\"id\":{"
    "\"type\":"
    "\"string\"},\"tool\":{\"type\":\"string\"},\"input\":{\"type\":\"object\"},\"needs\":{"
    "\"type\":"
    "\"array\",\"items\":{\"type\":\"string\"}},\"purpose\":{\"type\":\"string\"}},\"required\":["
    "\"id\","
    "\"tool\",\"input\",\"needs\",\"purpose\"]}}},\"required\":[\"steps\"]}}";

static const char view_tool[] =
    "{\"name\":\"" TOOL_VIEW
    "\",\"description\":\"Submit your view: the last call.\",\"input_schema\":{"
    "\"type\":\"object\",\"properties\":{\"positions\":{\"type\":\"array\",\"items\":{\"type\":"
    "\"object\","
    "\"properties\":{\"option\":{\"type\":\"string\"},\"position\":{\"type\":\"number\","
    "\"minimum\":-2,"
    "\"maximum\":2}},\"required\":[\"option\",\"position\"]}},\"facts\":{\"type\":\"array\","
    "\"items\":{"
    "\"type\":\"string\"},\"minItems\":1,\"maxItems\":3,\"description\":\"The facts that carry it, "
    "each with "
    "its citation.\"},\"turning_fact\":{\"type\":\"string\",\"description\":\"What would turn "
    "it.\"},"
    "\"cannot_judge\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},\"required\":["
    "\"positions\","
    "\"facts\",\"turning_fact\",\"cannot_judge\"]}}";

static void add_tool(struct buf *b, const char *name, const char *description, struct str schema)
{
    buf_puts(b, b->n > 1 ? ",{\"name\":" : "{\"name\":");
    json_quote(b, str_of(name));
    buf_puts(b, ",\"description\":");
    json_quote(b, str_of(description == NULL ? "" : description));
    buf_puts(b, ",\"input_schema\":");
    buf_str(b, schema.n == 0 ? STR("{\"type\":\"object\"}") : schema);
    buf_putc(b, '}');
}

static void add_own_tools(const struct engine *e, struct buf *b, const struct talk *t)
{
    struct arena *scratch;

    if (t->view != NULL) {
        buf_puts(b, b->n > 1 ? "," : "");
        buf_puts(b, view_tool);
        return;
    }
    if (e->strategy->tool != NULL) {
        buf_puts(b, b->n > 1 ? "," : "");
        buf_puts(b, plan_tool);
    }
    scratch = arena_new();
    add_tool(b, TOOL_SUBMIT,
             "Submit the decision: the last call. The answer is checked; faults come back once or "
             "twice.",
             json_print(scratch, tool_input_schema(TOOL_SUBMIT)));
    arena_free(scratch);
}

static struct str make_tools(const struct engine *e, const struct talk *t, struct arena *a)
{
    struct buf b;
    struct str text;

    buf_init(&b, TEXT_MAX);
    buf_putc(&b, '[');
    for (int i = 0; i < e->s->tool_count; i++)
        if (t->view == NULL || view_has_tool(t->view, e->s->tools[i].name))
            add_tool(&b, e->s->tools[i].name, e->s->tools[i].description,
                     e->s->tools[i].input_schema);
    add_own_tools(e, &b, t);
    buf_putc(&b, ']');
    text = arena_str(a, buf_view(&b));
    buf_done(&b);
    return text;
}

struct str talk_tools(struct engine *e, struct talk *t)
{
    struct engine_tools_text *shared = t->view == NULL ? e->s->tools_text : NULL;
    struct str *kept;

    if (t->tools_json.p != NULL || e->s->offline_only)
        return t->tools_json.p == NULL ? STR("") : t->tools_json;
    if (shared == NULL) {
        t->tools_json = make_tools(e, t, e->a);
        return t->tools_json;
    }
    kept = e->strategy->tool == NULL ? &shared->plain : &shared->planned;
    if (kept->p == NULL)
        *kept = make_tools(e, t, shared->arena);
    t->tools_json = *kept;
    return t->tools_json;
}

/* ---- the system text ---- */

static const struct prompt_var stage_vars[] = {
    {"horizon", {"two years", 9}},
    {"choice", {"your favourite", 14}},
    {"runner_up", {"the runner-up", 13}},
    {"days", {"30", 2}},
};

static void add_part(struct engine *e, struct buf *b, const char *name)
{
    struct arena *scratch = arena_new();
    struct str text =
        str_trim(prompt_fill(scratch, talk_prompt(e, name), stage_vars, ARRAY_LEN(stage_vars)));

    buf_puts(b, b->n > 0 && text.n > 0 ? "\n\n" : "");
    buf_str(b, text);
    arena_free(scratch);
}

static struct str system_text(struct engine *e, const struct talk *t)
{
    static const char *const stages[] = {"reference_class", "premortem", "devils_advocate",
                                         "bias_check"};
    const struct strategy *s = e->strategy;
    const char *type = json_str(e->request, "decision_type", "general");
    struct buf b;
    struct str text;

    buf_init(&b, TEXT_MAX);
    add_part(e, &b, "system");
    add_part(e, &b, prompt_builtin("v1", type) == NULL ? "general" : type);
    add_part(e, &b, t->view != NULL ? t->view->prompt : s->prompt != NULL ? s->prompt : s->name);
    for (size_t i = 0; t->view == NULL && i < ARRAY_LEN(stages); i++)
        add_part(e, &b, stages[i]);
    text = arena_str(e->a, buf_view(&b));
    buf_done(&b);
    return text;
}

static void done_buf(void *p)
{
    buf_done(p);
}

void talk_init(struct engine *e, struct talk *t, const struct view *view)
{
    memset(t, 0, sizeof(*t));
    t->view = view;
    t->max_tokens = e->s->max_tokens > 0 ? e->s->max_tokens : MAX_TOKENS_DEFAULT;
    buf_init(&t->pending, PENDING_MAX);
    buf_init(&t->computed, PENDING_MAX);
    arena_on_reset(e->a, done_buf, &t->pending);
    arena_on_reset(e->a, done_buf, &t->computed);
    t->mute = e->s->offline_only;
    if (t->mute)
        return;
    t->system = system_text(e, t);
    talk_text(t, e->question);
}

/* The question is kept only where more than one conversation begins with it. */
void talk_begin(struct engine *e)
{
    struct arena *scratch = arena_new();

    if (!e->s->offline_only)
        e->question = question_text(e, scratch);
    talk_init(e, &e->main, NULL);
    e->question = e->strategy == &strategy_council ? arena_str(e->a, e->question) : STR("");
    arena_free(scratch);
}
