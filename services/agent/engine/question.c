/* question.c: the first user message: what is asked, with what context and limits, what is missing,
 * what was noticed by rule, and behind all that the sources, each in its fence. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/prompt.h"
#include "services/agent/engine/state.h"

#define TEXT_MAX (4u * 1024 * 1024)
#define HISTORY_MAX 10
#define SAID_MAX 4000 /* characters of one message */

static struct str done(struct arena *a, struct buf *b)
{
    struct str text = arena_str(a, buf_view(b));

    buf_done(b);
    return text;
}

static struct str options_text(struct engine *e, struct arena *a)
{
    const cJSON *options = json_get(e->request, "options"), *option;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    cJSON_ArrayForEach (option, options) {
        if (cJSON_IsString(option))
            buf_printf(&b, "- %s\n", option->valuestring);
    }
    if (b.n == 0)
        buf_puts(&b, "(none given: work them out from the question)\n");
    return done(a, &b);
}

/* Words that a rule wrote, with names from documents in them: one line each, whatever they hold. */
static void add_line(struct buf *b, const char *text)
{
    struct str cut = utf8_cut(str_of(text), 400);

    for (size_t i = 0; i < cut.n; i++)
        buf_putc(b, (unsigned char)cut.p[i] < 0x20 ? ' ' : cut.p[i]);
}

static struct str findings_text(struct engine *e, struct arena *a)
{
    const cJSON *finding;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    cJSON_ArrayForEach (finding, e->findings) {
        const char *document = json_str(finding, "document", "");

        buf_printf(&b, "- %s: ", json_str(finding, "code", ""));
        add_line(&b, json_str(finding, "message", ""));
        if (document[0] != '\0') {
            buf_puts(&b, " (");
            add_line(&b, document);
            buf_putc(&b, ')');
        }
        buf_putc(&b, '\n');
    }
    if (b.n == 0)
        buf_puts(&b, "(nothing was noticed)\n");
    return done(a, &b);
}

static struct str missing_text(struct engine *e, struct arena *a)
{
    const cJSON *item;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    cJSON_ArrayForEach (item, e->missing) {
        buf_puts(&b, "- ");
        buf_str(&b, cJSON_IsString(item) ? str_of(item->valuestring) : json_print(a, item));
        buf_putc(&b, '\n');
    }
    if (b.n == 0)
        buf_puts(&b, "(nothing)\n");
    return done(a, &b);
}

static struct str limits_text(struct engine *e, struct arena *a)
{
    const struct engine_settings *s = e->s;
    int tools = s->max_tools_a_turn > 0 ? s->max_tools_a_turn : TURN_TOOLS_DEFAULT;

    if (s->budget_steps > 0)
        return str_of(arena_printf(
            e->a, "at most %" PRId64 " answers of yours in all, %d tools in one answer",
            s->budget_steps, tools));
    return str_of(arena_printf(a, "%d tools in one answer", tools));
}

static struct str context_text(struct engine *e, struct arena *a)
{
    const cJSON *context = json_get(e->request, "context");

    return context == NULL || cJSON_IsNull(context) ? STR("(none)") : json_print(a, context);
}

/* What does not fit is left out whole and counted: half a source could mislead. */
static struct str sources_text(struct engine *e, struct arena *a)
{
    const cJSON *chunk;
    size_t room = MATERIAL_MAX, left_out = 0;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    cJSON_ArrayForEach (chunk, e->material) {
        struct source src = {"document", json_str(chunk, "chunk_id", ""),
                             json_str(chunk, "title", ""), e->nonce, false};
        struct str text = str_of(json_str(chunk, "text", ""));

        if (text.n > room) {
            left_out++;
            continue;
        }
        room -= text.n;
        source_fence(e, &b, &src, text);
    }
    if (left_out > 0)
        buf_printf(
            &b, "[%zu further sources are left out for length; knowledge_retrieval finds them]\n",
            left_out);
    if (b.n == 0)
        buf_puts(&b, "(no documents)\n");
    return done(a, &b);
}

/* What was said before in the same session: [{role, content}], the last ten. */
static struct str history_text(struct engine *e, struct arena *a)
{
    const cJSON *history = json_get(e->request, "history"), *item;
    int skip = cJSON_GetArraySize(history) - HISTORY_MAX;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    cJSON_ArrayForEach (item, history) {
        struct str said = utf8_cut(str_of(json_str(item, "content", "")), SAID_MAX);

        if (skip-- > 0 || said.n == 0)
            continue;
        buf_puts(&b, b.n == 0 ? "\nEarlier in this conversation:\n" : "");
        buf_printf(&b, "- %s: ",
                   strcmp(json_str(item, "role", ""), "assistant") == 0 ? "you" : "the asker");
        json_quote(&b, said);
        buf_putc(&b, '\n');
    }
    return done(a, &b);
}

struct str question_text(struct engine *e, struct arena *a)
{
    struct prompt_var vars[] = {
        {"question", str_of(json_str(e->request, "query", ""))},
        {"options", options_text(e, a)},
        {"context", context_text(e, a)},
        {"decision_type", str_of(json_str(e->request, "decision_type", "general"))},
        {"language", str_of(e->lang)},
        {"limits", limits_text(e, a)},
        {"missing", missing_text(e, a)},
        {"findings", findings_text(e, a)},
        {"history", history_text(e, a)},
        {"sources", sources_text(e, a)},
    };

    return prompt_fill(a, talk_prompt(e, "question"), vars, ARRAY_LEN(vars));
}
