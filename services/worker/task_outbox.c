/* task_outbox.c: takes rows (which moves their due time on, so a relay that dies loses nothing),
 * sends each, marks each. Rows are independent of each other here: PostgreSQL hands out only the
 * first open row of a decision and target. */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/log.h"
#include "libcommon/base/metrics.h"
#include "libcommon/model/outbox.h"
#include "libcommon/sec/ssrf.h"
#include "services/worker/job.h"
#include "services/worker/task_outbox.h"
#include "services/worker/vector_write.h"

#define PARALLEL 64
#define HOLD_MS 60000 /* more than a delivery and its mark may take */
#define WEBHOOK_MS 20000
#define STORE_MS 10000
#define IDLE_MS 500
#define ATTEMPTS 15
#define STORE_AWAY_MS 15000 /* between tries of a store of ours, which never gives up */

struct parcel { /* one row on its way */
    struct list link;
    struct relay *relay;
    struct arena *arena;
    struct outbox_row row;
    struct redis_op redis;
    struct http_call call;
    struct pg_op pg;
    struct vector_write vectors;
    const char *status; /* for the metrics */
};

struct relay {
    struct worker *w;
    struct arena *arena; /* of the take */
    struct pg_op op;
    struct timer timer;
    struct list parcels;
    int count;
    bool stopped;
};

char *webhook_secret(const struct settings *s, struct uuid tenant, char out[65])
{
    const char *from = s->secret_key != NULL ? s->secret_key : s->encryption_key;
    char id[UUID_LEN + 1], info[64];
    uint8_t key[32];

    snprintf(info, sizeof(info), "webhook:%s", uuid_text(tenant, id));
    hkdf_sha256(str_of(from), STR("ceoagent"), str_of(info), key, sizeof(key));
    return hex_encode(key, sizeof(key), out);
}

/* --- marks ---------------------------------------------------------------------------------- */

static void parcel_free(struct parcel *p)
{
    op_cancel(&p->redis.op);
    http_call_done(&p->call);
    vector_write_stop(&p->vectors);
    op_cancel(&p->pg.op);
    list_remove(&p->link);
    p->relay->count--;
    arena_free(p->arena);
}

static void on_marked(struct op *op)
{
    struct parcel *p = op->arg;
    struct relay *r = p->relay;

    if (op->err.code != 0) /* it goes out once more when its hold is over */
        log_warning("an outbox row is not marked", LOG_S("error", op->err.msg));
    metric_add(M_OUTBOX, 1, p->row.topic, p->status, NULL);
    parcel_free(p);
    relay_poke(r); /* the next of its decision may go */
}

static void submit(struct parcel *p, struct pg_batch *b)
{
    pg_submit(p->relay->w->pg, b, STORE_MS, &p->pg, on_marked, p);
}

static void sent(struct parcel *p)
{
    struct pg_batch *b =
        pg_batch_new(p->arena, PG_SERVICE, NULL, NULL, false, PG_SHARE | PG_IDEMPOTENT);

    p->status = "success";
    outbox_add_done(b, p->arena, &p->row.id, 1);
    submit(p, b);
}

static int64_t pause_ms(const struct parcel *p, int64_t retry_after_ms)
{
    int64_t ms = 2000LL << MIN(p->row.attempts, 11);
    int64_t longest = strcmp(p->row.target, "weaviate") == 0 ? STORE_AWAY_MS : 3600000;

    return MIN(MAX(ms, retry_after_ms), longest);
}

static void failed(struct parcel *p, int64_t retry_after_ms, bool dead, const char *why)
{
    struct pg_batch *b = pg_batch_new(p->arena, PG_SERVICE, NULL, NULL, false, PG_SHARE);

    p->status = dead ? "dead" : "failure";
    log_warning("an outbox row was not delivered", LOG_S("target", p->row.target),
                LOG_I("attempts", p->row.attempts + 1), LOG_B("given_up", dead),
                LOG_S("error", why));
    outbox_add_failed(b, p->arena, p->row.id, pause_ms(p, retry_after_ms), dead, why);
    submit(p, b);
}

/* --- targets -------------------------------------------------------------------------------- */

static void on_published(struct op *op)
{
    struct parcel *p = op->arg;

    if (op->err.code == 0)
        sent(p);
    else
        failed(p, 0, false, op->err.msg);
}

static void send_event(struct parcel *p)
{
    struct worker *w = p->relay->w;
    char tenant[UUID_LEN + 1], id[UUID_LEN + 1];
    struct str argv[3] = {STR("PUBLISH")};

    argv[1] = str_of(
        arena_printf(p->arena, "t:%s:events:%s", uuid_text(p->row.tenant, tenant), p->row.topic));
    argv[2] =
        str_of(arena_printf(p->arena, "{\"event_id\":\"%s\",\"topic\":\"%s\",\"payload\":%.*s}",
                            uuid_text(p->row.event_id, id), p->row.topic, STR_ARG(p->row.payload)));
    redis_command(w->redis, p->arena, 1, 3, argv, STORE_MS, &p->redis, on_published, p);
}

static void on_answered(struct op *op)
{
    struct parcel *p = op->arg;
    int status = p->call.status;
    bool last = p->row.attempts + 1 >= ATTEMPTS;

    if (op->err.code != 0)
        failed(p, 0, last || op->err.code == ERR_DENIED, op->err.msg);
    else if (status >= 200 && status < 300)
        sent(p);
    else
        failed(p, p->call.retry_after_ms, last || status == 410,
               arena_printf(p->arena, "HTTP status %d", status));
}

static const char *signature(struct parcel *p, const char *timestamp)
{
    char key[65], hex[65];
    struct str text = str_of(arena_printf(p->arena, "%s.%.*s", timestamp, STR_ARG(p->row.payload)));
    uint8_t mac[32];

    webhook_secret(&p->relay->w->settings, p->row.tenant, key);
    hmac_sha256(str_of(key), text, mac);
    return arena_printf(p->arena, "X-CEOAgent-Signature: sha256=%s",
                        hex_encode(mac, sizeof(mac), hex));
}

/* Who gives the URL is a tenant: outside of development it must not lead inside. */
static bool inside_allowed(const struct settings *s)
{
    return strcmp(s->environment, "development") == 0 || strcmp(s->environment, "test") == 0;
}

static void send_webhook(struct parcel *p)
{
    struct arena *a = p->arena;
    const char **headers = arena_array(a, const char *, 6);
    const char *now = arena_printf(a, "%" PRId64, clock_wall_us() / 1000000);
    char id[UUID_LEN + 1];
    struct http_request req = {.method = "POST",
                               .url = p->row.url,
                               .headers = headers,
                               .body = p->row.payload,
                               .max_body = 65536,
                               .allow_address =
                                   inside_allowed(&p->relay->w->settings) ? NULL : ssrf_public};

    headers[0] = "Content-Type: application/json";
    headers[1] = arena_printf(a, "X-CEOAgent-Event: %s", p->row.topic);
    headers[2] = arena_printf(a, "X-CEOAgent-Delivery: %s", uuid_text(p->row.event_id, id));
    headers[3] = arena_printf(a, "X-CEOAgent-Timestamp: %s", now);
    headers[4] = signature(p, now);
    http_call_start(p->relay->w->http, a, &req, WEBHOOK_MS, &p->call, on_answered, p);
}

static void on_vectors(struct vector_write *v, int code, const char *why)
{
    struct parcel *p = v->arg;

    if (code == 0)
        sent(p);
    else
        failed(p, 0, code == ERR_INVALID && p->row.attempts + 1 >= ATTEMPTS, why);
}

/* Without a vector store there is nothing to bring up to date. */
static void send_vectors(struct parcel *p)
{
    if (p->relay->w->weaviate == NULL) {
        sent(p);
        return;
    }
    p->vectors = (struct vector_write){
        .w = p->relay->w, .arena = p->arena, .row = &p->row, .done = on_vectors, .arg = p};
    vector_write_start(&p->vectors);
}

static const struct {
    const char *target;
    void (*send)(struct parcel *p);
} targets[] = {{"events", send_event}, {"weaviate", send_vectors}, {"webhook", send_webhook}};

/* --- taking --------------------------------------------------------------------------------- */

/* The row outlives the result that it was read from. */
static void send_row(struct relay *r, const struct outbox_row *row)
{
    struct arena *a = arena_new();
    struct parcel *p = arena_new_of(a, struct parcel);

    p->relay = r;
    p->arena = a;
    p->row = *row;
    p->row.topic = arena_strdup(a, row->topic);
    p->row.target = arena_strdup(a, row->target);
    p->row.url = arena_strdup(a, row->url);
    p->row.payload = arena_str(a, row->payload);
    list_push(&r->parcels, &p->link);
    r->count++;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        if (strcmp(p->row.target, targets[i].target) == 0) {
            targets[i].send(p);
            return;
        }
    }
    failed(p, 0, true, "no such target");
}

static void on_taken(struct op *op)
{
    struct relay *r = op->arg;
    int n = op->err.code == 0 ? pg_rows(r->op.result, 0) : 0;
    struct outbox_row row;

    for (int i = 0; i < n; i++)
        if (outbox_read(r->op.result, 0, i, r->arena, &row) == 0)
            send_row(r, &row);
    arena_reset(r->arena);
    if (!r->stopped)
        timer_start(&r->timer, n > 0 ? 0 : IDLE_MS);
}

static void on_timer(struct timer *t)
{
    struct relay *r = CONTAINER_OF(t, struct relay, timer);
    struct pg_batch *b;

    if (r->stopped || op_running(&r->op.op))
        return;
    if (r->count >= PARALLEL || !redis_ready(r->w->redis)) {
        timer_start(t, IDLE_MS);
        return;
    }
    b = pg_batch_new(r->arena, PG_SERVICE, NULL, NULL, false, 0);
    outbox_add_take(b, r->arena, HOLD_MS, PARALLEL - r->count);
    pg_submit(r->w->pg, b, STORE_MS, &r->op, on_taken, r);
}

void relay_poke(struct relay *r)
{
    if (!r->stopped && !op_running(&r->op.op))
        timer_start(&r->timer, 0);
}

struct relay *relay_new(struct worker *w)
{
    struct relay *r = xcalloc(1, sizeof(*r));

    r->w = w;
    r->arena = arena_new();
    list_init(&r->parcels);
    timer_init(&r->timer, w->loop, on_timer);
    timer_start(&r->timer, IDLE_MS);
    return r;
}

void relay_stop(struct relay *r)
{
    if (r == NULL)
        return;
    r->stopped = true;
    timer_stop(&r->timer);
}

void relay_free(struct relay *r)
{
    if (r == NULL)
        return;
    op_cancel(&r->op.op);
    timer_done(&r->timer);
    LIST_FOREACH_SAFE (it, tmp, &r->parcels)
        parcel_free(LIST_ENTRY(it, struct parcel, link));
    arena_free(r->arena);
    free(r);
}

void task_outbox_start(struct job *j)
{
    relay_poke(j->w->relay);
    job_succeed(j, STR("null"));
}
