/* answer.c: a block's text is kept as it came and becomes JSON once, at the end; a tool's input is
 * spliced in as the model wrote it, after a scan, so that no number loses a digit. */
#include "libcommon/base/compat.h"
#include "libcommon/llm/answer.h"

#include "libcommon/base/clock.h"
#include "libcommon/base/id.h"

void answer_init(struct answer *ans,
                 void (*on_delta)(void *arg, enum llm_delta kind, int block, struct str text),
                 void *arg)
{
    memset(ans, 0, sizeof(*ans));
    ans->input_tokens = ans->output_tokens = -1;
    ans->cache_read_tokens = ans->cache_write_tokens = -1;
    ans->scratch = arena_new();
    ans->started_us = clock_mono_us();
    ans->on_delta = on_delta;
    ans->arg = arg;
}

void answer_done(struct answer *ans)
{
    for (int i = 0; i < ans->count; i++) {
        buf_done(&ans->blocks[i].text);
        buf_done(&ans->blocks[i].signature);
        free(ans->blocks[i].id);
        free(ans->blocks[i].name);
    }
    free(ans->blocks);
    arena_free(ans->scratch);
    memset(ans, 0, sizeof(*ans));
}

struct answer_block *answer_open(struct answer *ans, enum block_kind kind, int key)
{
    struct answer_block *b;

    if (ans->count >= ANSWER_BLOCKS_MAX) {
        err_set(&ans->err, ERR_TOOBIG, "the answer has too many blocks");
        return NULL;
    }
    ans->blocks = xrealloc(ans->blocks, sizeof(*b) * ((size_t)ans->count + 1));
    b = &ans->blocks[ans->count++];
    memset(b, 0, sizeof(*b));
    b->kind = kind;
    b->key = key;
    buf_init(&b->text, ANSWER_BYTES_MAX);
    buf_init(&b->signature, ANSWER_BYTES_MAX);
    return b;
}

struct answer_block *answer_find(struct answer *ans, int key)
{
    for (int i = ans->count - 1; i >= 0; i--)
        if (ans->blocks[i].key == key)
            return &ans->blocks[i];
    return NULL;
}

static bool room_for(struct answer *ans, size_t n)
{
    if (ans->bytes + n > ANSWER_BYTES_MAX) {
        err_set(&ans->err, ERR_TOOBIG, "the answer is too large");
        return false;
    }
    ans->bytes += n;
    return true;
}

void answer_add(struct answer *ans, struct answer_block *b, struct str piece)
{
    static const enum llm_delta delta_of[] = {
        [BLOCK_TEXT] = LLM_TEXT, [BLOCK_THINKING] = LLM_THINKING, [BLOCK_TOOL] = LLM_TOOL_JSON};

    if (piece.n == 0 || !room_for(ans, piece.n))
        return;
    buf_str(&b->text, piece);
    if (ans->first_token_us == 0)
        ans->first_token_us = clock_mono_us() - ans->started_us;
    if (ans->on_delta != NULL && b->kind != BLOCK_REDACTED)
        ans->on_delta(ans->arg, delta_of[b->kind], (int)(b - ans->blocks), piece);
}

void answer_sign(struct answer *ans, struct answer_block *b, struct str piece)
{
    if (room_for(ans, piece.n))
        buf_str(&b->signature, piece);
}

void answer_model(struct answer *ans, const char *model)
{
    if (model != NULL && ans->model[0] == '\0')
        snprintf(ans->model, sizeof(ans->model), "%s", model);
}

/* ---- the canonical content ---- */

static void add_member(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, ",\"%s\":", name);
    json_quote(out, value);
}

/* Ids travel to other providers with the conversation; Anthropic takes these characters alone. */
static bool id_fits(const char *id)
{
    return id != NULL && id[0] != '\0' && strlen(id) <= 128 &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               strlen(id);
}

static void write_input(struct buf *out, struct str text)
{
    struct str input = str_trim(text);

    if (input.n == 0)
        input = STR("{}");
    buf_puts(out, ",\"input\":");
    if (input.p[0] == '{' && json_scan(input, ANSWER_INPUT_DEPTH, NULL) == 0) {
        buf_str(out, input);
        return;
    }
    buf_puts(out, "{\"invalid_json\":");
    json_quote(out, text);
    buf_putc(out, '}');
}

static void write_tool(struct buf *out, const struct answer_block *b)
{
    char made[UUID_LEN + 1 + 5] = "call_";

    if (!id_fits(b->id))
        uuid_text(uuid_v4(), made + 5);
    buf_puts(out, "{\"type\":\"tool_use\"");
    add_member(out, "id", str_of(id_fits(b->id) ? b->id : made));
    add_member(out, "name", str_of(b->name == NULL ? "" : b->name));
    write_input(out, buf_view(&b->text));
    buf_putc(out, '}');
}

static void write_block(struct buf *out, const struct answer_block *b)
{
    switch (b->kind) {
    case BLOCK_TEXT:
        buf_puts(out, "{\"type\":\"text\"");
        add_member(out, "text", buf_view(&b->text));
        break;
    case BLOCK_THINKING:
        buf_puts(out, "{\"type\":\"thinking\"");
        add_member(out, "thinking", buf_view(&b->text));
        add_member(out, "signature", buf_view(&b->signature));
        break;
    case BLOCK_REDACTED:
        buf_puts(out, "{\"type\":\"redacted_thinking\"");
        add_member(out, "data", buf_view(&b->text));
        break;
    case BLOCK_TOOL:
        write_tool(out, b);
        return;
    }
    buf_putc(out, '}');
}

/* Empty texts are refused when they are sent back; a cut call is no call. */
static bool block_counts(const struct answer *ans, const struct answer_block *b)
{
    if (b->kind == BLOCK_TEXT)
        return str_trim(buf_view(&b->text)).n > 0;
    if (b->kind == BLOCK_TOOL && strcmp(ans->stop_reason, "max_tokens") == 0)
        return b->closed && json_scan(buf_view(&b->text), ANSWER_INPUT_DEPTH, NULL) == 0;
    return true;
}

int answer_result(const struct answer *ans, struct arena *a, struct llm_result *r, struct err *err)
{
    struct buf out;
    const char *separator = "";

    if (ans->stop_reason == NULL)
        return err_set(err, ERR_PROTOCOL, "the answer ended without a stop reason");
    buf_init(&out, (size_t)ANSWER_BYTES_MAX * 7); /* "\u0001" is six bytes of one */
    buf_putc(&out, '[');
    for (int i = 0; i < ans->count; i++) {
        if (!block_counts(ans, &ans->blocks[i]))
            continue;
        buf_puts(&out, separator);
        write_block(&out, &ans->blocks[i]);
        separator = ",";
    }
    buf_putc(&out, ']');
    r->content_json = arena_str(a, buf_view(&out));
    buf_done(&out);
    r->stop_reason = ans->stop_reason;
    r->input_tokens = ans->input_tokens;
    r->output_tokens = ans->output_tokens;
    r->cache_read_tokens = ans->cache_read_tokens;
    r->cache_write_tokens = ans->cache_write_tokens;
    r->first_token_us = ans->first_token_us;
    if (ans->model[0] != '\0')
        r->model = arena_strdup(a, ans->model);
    return 0;
}

/* ---- the provider's words about a failure ---- */

static size_t key_length(const char *p)
{
    return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_*-");
}

void failure_set(struct llm_failure *f, int status, struct str message)
{
    struct str text = str_trim(message);
    size_t n = 0, pos = 0;

    f->status = status;
    while (pos < text.n && n + 8 < sizeof(f->message)) {
        uint32_t c = utf8_next(text, &pos);

        n += utf8_put(f->message + n, c < 0x20 || c == 0x7f ? ' ' : c);
    }
    f->message[n] = '\0';
    for (char *key = f->message; (key = strstr(key, "sk-")) != NULL; key += 3) {
        size_t length = key_length(key + 3);

        if (length >= 4) {
            memset(key + 3, '*', 3);
            memmove(key + 6, key + 3 + length, strlen(key + 3 + length) + 1);
        }
    }
}

void failure_of_body(struct llm_failure *f, int status, struct str body)
{
    static const char *const places[] = {"/error/message", "/message", "/error", "/detail",
                                         "/0/error/message"};
    struct arena *a = arena_new();
    cJSON *root = NULL;
    struct str words = body;

    if (json_parse(a, body, JSON_DEPTH_MAX, &root, NULL) == 0) {
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
            const cJSON *at = json_at(root, places[i]);

            if (cJSON_IsString(at)) {
                words = str_of(at->valuestring);
                break;
            }
        }
    }
    failure_set(f, status, words);
    arena_free(a);
}
