/* embeddings.c: one request in flight a call, and the pauses between tries. The answer's vectors
 * come as arrays of numbers or, from servers that prefer it, as base64 of float32; both are read.
 */
#include "libcommon/base/compat.h"
#include "libcommon/llm/embeddings.h"
#include <math.h>
#include "libcommon/base/clock.h"
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/settings.h"
#include "libcommon/ev/backoff.h"
#include "libcommon/ev/breaker.h"
#include "libcommon/io/http_client.h"
#include "libcommon/llm/wire.h"

#define TRIES 4
#define REQUEST_MAX (16u << 20)
#define ANSWER_MAX (64u << 20)
#define REQUEST_MS 60000
#define CONNECT_MS 3000

struct embeddings {
    struct loop *loop;
    const struct settings *set;
    struct http_client *http;
    struct breaker breaker;
};

struct ask { /* the private part of a call, in its arena */
    struct embeddings *e;
    struct embeddings_call *call;
    struct arena *arena;
    struct http_call http;
    struct timer again;
    struct backoff pause;
    struct buf body;
    enum embeddings_kind kind;
    int64_t until_us;
};

static const struct llm_wire wire = {.path = "/embeddings"};

struct embeddings *embeddings_new(struct loop *l, const struct settings *s,
                                  struct http_client *http)
{
    struct embeddings *e;

    if (s->embeddings_url == NULL)
        return NULL;
    e = xcalloc(1, sizeof *e);
    e->loop = l;
    e->set = s;
    e->http = http;
    breaker_init(&e->breaker, 5, 5000);
    return e;
}

void embeddings_free(struct embeddings *e)
{
    free(e);
}

/* ---- the answer ---- */

static bool read_numbers(const cJSON *list, float *out, int dimension)
{
    const cJSON *x;
    int i = 0;

    cJSON_ArrayForEach (x, list) {
        if (!cJSON_IsNumber(x) || !isfinite((float)x->valuedouble))
            return false;
        out[i++] = (float)x->valuedouble;
    }
    return i == dimension;
}

static bool read_base64(const char *text, float *out, int dimension)
{
    size_t n = sizeof(float) * (size_t)dimension;

    if (base64_decode(str_of(text), false, out, n) != (ptrdiff_t)n)
        return false;
    for (int i = 0; i < dimension; i++)
        if (!isfinite(out[i]))
            return false;
    return true;
}

static int dimension_of(const cJSON *embedding)
{
    size_t len;

    if (cJSON_IsArray(embedding))
        return cJSON_GetArraySize(embedding);
    if (!cJSON_IsString(embedding))
        return 0;
    len = strlen(embedding->valuestring);
    if (len == 0 || len % 4 != 0)
        return 0;
    len = len / 4 * 3 - (embedding->valuestring[len - 1] == '=') -
          (embedding->valuestring[len - 2] == '=');
    return len % sizeof(float) == 0 ? (int)MIN(len / sizeof(float), 1u << 20) : 0;
}

static bool read_vector(const cJSON *embedding, float *out, int dimension)
{
    return dimension_of(embedding) == dimension &&
           (cJSON_IsArray(embedding) ? read_numbers(embedding, out, dimension)
                                     : read_base64(embedding->valuestring, out, dimension));
}

int embeddings_read(struct str body, int n, struct arena *a, const float ***vectors, int *dimension,
                    struct err *err)
{
    const float **list = arena_array(a, const float *, n);
    const cJSON *data, *item;
    cJSON *root;
    int dim = 0, place = 0;

    if (json_parse(a, body, 8, &root, err) != 0)
        return err_set(err, ERR_PROTOCOL, "the answer of the embeddings server is no JSON");
    data = json_get(root, "data");
    if (!cJSON_IsArray(data) || cJSON_GetArraySize(data) != n)
        return err_set(err, ERR_PROTOCOL, "the embeddings server did not answer one vector a text");
    cJSON_ArrayForEach (item, data) {
        const cJSON *embedding = json_get(item, "embedding");
        int64_t index = json_i64(item, "index", place++);
        float *v;

        if (dim == 0)
            dim = dimension_of(embedding);
        if (dim < 1 || dim > EMBEDDINGS_DIMENSION_MAX)
            return err_set(err, ERR_PROTOCOL, "a vector of %d dimensions", dim);
        v = arena_array(a, float, dim);
        if (index < 0 || index >= n || list[index] != NULL || !read_vector(embedding, v, dim))
            return err_set(err, ERR_PROTOCOL, "vector %d of the answer can't be read", place - 1);
        list[index] = v;
    }
    *vectors = list;
    *dimension = dim;
    return 0;
}

/* ---- the request ---- */

static void build(struct ask *k, const char *model, const struct str *texts, int n)
{
    const struct settings *s = k->e->set;
    const char *prefix =
        k->kind == EMBED_QUERY ? s->embeddings_query_prefix : s->embeddings_passage_prefix;
    struct buf text;

    buf_puts(&k->body, "{\"model\":");
    json_quote(&k->body, str_of(model));
    if (s->embeddings_input_type)
        buf_printf(&k->body, ",\"input_type\":\"%s\"",
                   k->kind == EMBED_QUERY ? "query" : "passage");
    buf_puts(&k->body, ",\"input\":[");
    buf_init(&text, REQUEST_MAX);
    for (int i = 0; i < n; i++) {
        buf_clear(&text);
        buf_puts(&text, prefix == NULL ? "" : prefix);
        buf_str(&text, utf8_cut(texts[i], EMBEDDINGS_CHARS));
        if (i > 0)
            buf_putc(&k->body, ',');
        json_quote(&k->body, buf_view(&text));
    }
    buf_done(&text);
    buf_puts(&k->body, "]}");
}

static void let_go(struct ask *k)
{
    http_call_done(&k->http);
    timer_done(&k->again);
    buf_done(&k->body);
}

static void end(struct ask *k, int code)
{
    metric_add(M_EMBEDDINGS, k->call->count, k->kind == EMBED_QUERY ? "query" : "passage",
               code == 0 ? "success" : "failure", NULL);
    let_go(k);
    op_finish(&k->call->op, code);
}

static int status_code(int status)
{
    if (status == 429)
        return ERR_BUSY;
    if (status == 401 || status == 403)
        return ERR_DENIED;
    return status >= 500 || status == 408 ? ERR_UNAVAILABLE : ERR_INVALID;
}

static void try_again(struct ask *k, int code)
{
    int64_t pause = MAX(backoff_next(&k->pause), k->http.retry_after_ms);

    if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_PROTOCOL)
        breaker_failure(&k->e->breaker);
    else
        breaker_success(&k->e->breaker);
    if (code == ERR_INVALID || code == ERR_DENIED || code == ERR_TOOBIG ||
        k->call->tries >= TRIES || clock_mono_us() + pause * 1000 >= k->until_us) {
        end(k, code);
        return;
    }
    http_call_done(&k->http);
    timer_start(&k->again, pause);
}

static void on_answered(struct op *op)
{
    struct ask *k = op->arg;
    struct err *err = &k->call->op.err;
    int code = op->err.code;

    if (code != 0)
        err_set(err, code, "the embeddings server: %s", op->err.msg);
    else if (k->http.status != 200)
        code = err_set(err, status_code(k->http.status), "the embeddings server answers %d",
                       k->http.status);
    else
        code = embeddings_read(buf_view(&k->http.body), k->call->count, k->arena, &k->call->vectors,
                               &k->call->dimension, err);
    if (code != 0) {
        try_again(k, code);
        return;
    }
    breaker_success(&k->e->breaker);
    end(k, 0);
}

static void send(struct timer *t)
{
    struct ask *k = CONTAINER_OF(t, struct ask, again);
    const struct settings *s = k->e->set;
    const char **headers = arena_array(k->arena, const char *, 3);
    int64_t left_ms = (k->until_us - clock_mono_us()) / 1000;

    if (k->body.overflow) {
        end(k, err_set(&k->call->op.err, ERR_TOOBIG, "the texts are too long to be embedded"));
        return;
    }
    if (!breaker_allow(&k->e->breaker)) {
        end(k, err_set(&k->call->op.err, ERR_UNAVAILABLE, "the embeddings server is down"));
        return;
    }
    k->call->tries++;
    headers[0] = "Content-Type: application/json";
    if (s->embeddings_api_key != NULL)
        headers[1] = arena_printf(k->arena, "Authorization: Bearer %s", s->embeddings_api_key);
    http_call_start(k->e->http, k->arena,
                    &(struct http_request){.method = "POST",
                                           .url = llm_url(k->arena, &wire, s->embeddings_url),
                                           .headers = headers,
                                           .body = buf_view(&k->body),
                                           .max_body = ANSWER_MAX,
                                           .connect_ms = CONNECT_MS},
                    MAX(1, MIN(left_ms, REQUEST_MS)), &k->http, on_answered, k);
}

static void abort_ask(struct op *op)
{
    struct embeddings_call *call = CONTAINER_OF(op, struct embeddings_call, op);

    let_go(call->priv);
}

void embeddings_start(struct embeddings *e, struct arena *a, enum embeddings_kind kind,
                      const char *model, const struct str *texts, int n, int64_t deadline_ms,
                      struct embeddings_call *call, op_fn *done, void *arg)
{
    struct ask *k = arena_new_of(a, struct ask);

    memset(call, 0, sizeof *call);
    call->priv = k;
    call->count = n;
    k->e = e;
    k->call = call;
    k->arena = a;
    k->kind = kind;
    k->pause = (struct backoff){.base_ms = 200, .max_ms = 10000};
    k->until_us = clock_mono_us() + deadline_ms * 1000;
    buf_init(&k->body, REQUEST_MAX);
    build(k, model != NULL ? model : e->set->embeddings_model, texts, n);
    op_begin(&call->op, e->loop, deadline_ms, done, arg, abort_ask);
    timer_init(&k->again, e->loop, send);
    timer_start(&k->again, 0);
}
