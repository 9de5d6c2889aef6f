/* events.c: an append is one statement: it moves the decision's head under all conditions at once,
 * and inserts the events only if the head moved. Several events travel as arrays, one a column. */
#include "libcommon/base/compat.h"
#include "libcommon/model/events.h"
#include <math.h>
#include "libcommon/model/decisions_row.h"
#include "libcommon/model/place.h"

static const struct pg_stmt ins_events = {
    "events_append",
    "WITH head AS (UPDATE decisions SET head_seq = $4::bigint, head_hash = $5::bytea, "
    "updated_at = clock_timestamp() WHERE decision_id = $1::uuid AND lease_epoch = $2::bigint "
    "AND head_seq = $3::bigint - 1 AND head_hash = ($20::bytea[])[1] AND " DECISION_OPEN
    " RETURNING decision_id, tenant_id) "
    "INSERT INTO decision_trails (decision_id, tenant_id, seq, type, name, action_id, parent_id, "
    "actor, taint, model, tokens_in, tokens_out, cost_usd, started_at, duration_ms, payload, "
    "salt, digest, hash, previous_hash) "
    "SELECT head.decision_id, head.tenant_id, $3::bigint + e.n - 1, e.type, e.name, e.action_id, "
    "e.parent_id, e.actor, e.taint, e.model, NULLIF(e.tokens_in, -1), NULLIF(e.tokens_out, -1), "
    "NULLIF(e.cost, 'NaN'), " SQL_TIME(
        "e.started") ", e.duration, e.payload, e.salt, e.digest, "
                     "e.hash, e.previous FROM head, unnest($6::text[], $7::text[], $8::text[], "
                     "$9::text[], "
                     "$10::text[], $11::bool[], $12::text[], $13::bigint[], $14::bigint[], "
                     "$15::float8[], "
                     "$16::bigint[], $17::bigint[], $18::bytea[], $19::bytea[], $21::bytea[], "
                     "$22::bytea[], "
                     "$20::bytea[]) WITH ORDINALITY AS e (type, name, action_id, parent_id, actor, "
                     "taint, model, "
                     "tokens_in, tokens_out, cost, started, duration, payload, salt, digest, hash, "
                     "previous, n)",
    22};

static const struct pg_stmt sel_events = {
    "events_load",
    "SELECT seq, type, name, action_id, parent_id, actor, taint, model, tokens_in, tokens_out, "
    "cost_usd, " SQL_US("started_at") ", duration_ms, " SQL_US(
        "created_at") ", payload, salt, digest, hash, previous_hash FROM decision_trails "
                      "WHERE decision_id = $1::uuid AND seq > $2::bigint ORDER BY seq LIMIT "
                      "NULLIF($3::int, 0)",
    3};

static void compute(const struct event *e, struct uuid decision, const uint8_t previous[32],
                    const uint8_t digest[32], uint8_t out[32])
{
    uint8_t seq[8];
    const struct sha256_part parts[] = {
        {previous, 32}, {decision.b, sizeof decision.b}, {seq, sizeof seq}, {digest, 32}};

    for (int i = 0; i < 8; i++)
        seq[i] = (uint8_t)((uint64_t)e->seq >> (56 - 8 * i));
    sha256_parts(parts, ARRAY_LEN(parts), out);
}

static void compute_digest(const struct event *e, uint8_t out[32])
{
    const struct sha256_part parts[] = {{e->salt, sizeof e->salt}, {e->payload.p, e->payload.n}};

    sha256_parts(parts, ARRAY_LEN(parts), out);
}

void event_chain(struct event *e, struct uuid decision, int64_t seq, const uint8_t previous[32])
{
    if (!e->salted)
        random_bytes(e->salt, sizeof e->salt);
    e->salted = true;
    e->seq = seq;
    memcpy(e->previous_hash, previous, 32);
    compute_digest(e, e->digest);
    compute(e, decision, previous, e->digest, e->hash);
}

bool event_verify(const struct event *e, struct uuid decision, const uint8_t previous[32])
{
    uint8_t digest[32], hash[32];

    if (e->payload.p != NULL) {
        compute_digest(e, digest);
        if (!e->salted || memcmp(digest, e->digest, 32) != 0)
            return false;
    }
    compute(e, decision, previous, e->digest, hash);
    return memcmp(previous, e->previous_hash, 32) == 0 && memcmp(hash, e->hash, 32) == 0;
}

static struct str payload_place(struct arena *a, struct uuid decision, int64_t seq)
{
    return place_of(a, "decision_trails", decision, arena_printf(a, "%" PRId64, seq));
}

/* The columns of n events, each as an array of its own. */
struct columns {
    const char **type, **name, **action, **parent, **actor, **taint, **model, **cost;
    int64_t *in, *out, *started, *duration;
    struct str *payload, *salt, *digest, *hash, *previous;
};

static struct columns columns_new(struct arena *a, int n)
{
    const char **z = arena_array(a, const char *, 8 * n);
    int64_t *i = arena_array(a, int64_t, 4 * n);
    struct str *s = arena_array(a, struct str, 5 * n);

    return (struct columns){z,         z + n,     z + 2 * n, z + 3 * n, z + 4 * n, z + 5 * n,
                            z + 6 * n, z + 7 * n, i,         i + n,     i + 2 * n, i + 3 * n,
                            s,         s + n,     s + 2 * n, s + 3 * n, s + 4 * n};
}

static struct str bytes_of(const uint8_t *p, size_t n)
{
    return (struct str){(const char *)p, n};
}

static void set_column(struct columns *c, int i, const struct event *e, struct arena *a,
                       const struct keyring *ring, struct uuid decision)
{
    c->type[i] = e->type;
    c->name[i] = e->name;
    c->action[i] = e->action_id;
    c->parent[i] = e->parent_id;
    c->actor[i] = e->actor;
    c->taint[i] = e->taint ? "t" : "f";
    c->model[i] = e->model;
    c->cost[i] = isnan(e->cost_usd) ? "NaN" : arena_printf(a, "%.17g", e->cost_usd);
    c->in[i] = e->tokens_in;
    c->out[i] = e->tokens_out;
    c->started[i] = e->started_us;
    c->duration[i] = e->duration_ms;
    c->payload[i] = e->payload.p == NULL
                        ? e->payload
                        : seal(ring, a, e->payload, payload_place(a, decision, e->seq));
    c->salt[i] = bytes_of(e->salt, sizeof e->salt);
    c->digest[i] = bytes_of(e->digest, sizeof e->digest);
    c->hash[i] = bytes_of(e->hash, sizeof e->hash);
    c->previous[i] = bytes_of(e->previous_hash, sizeof e->previous_hash);
}

int events_add_append(struct pg_batch *b, struct arena *a, const struct keyring *ring,
                      struct uuid tenant UNUSED, struct uuid decision, int64_t epoch,
                      const struct event *e, int n)
{
    struct columns c = columns_new(a, n);

    assert(n > 0);
    for (int i = 0; i < n; i++)
        set_column(&c, i, &e[i], a, ring, decision);
    return pg_batch_add(b, &ins_events,
                        (struct pg_param[]){
                            pg_uuid(a, decision),        pg_i64(a, epoch),
                            pg_i64(a, e[0].seq),         pg_i64(a, e[n - 1].seq),
                            pg_bytes(e[n - 1].hash, 32), pg_texts(a, c.type, n),
                            pg_texts(a, c.name, n),      pg_texts(a, c.action, n),
                            pg_texts(a, c.parent, n),    pg_texts(a, c.actor, n),
                            pg_texts(a, c.taint, n),     pg_texts(a, c.model, n),
                            pg_i64s(a, c.in, n),         pg_i64s(a, c.out, n),
                            pg_texts(a, c.cost, n),      pg_i64s(a, c.started, n),
                            pg_i64s(a, c.duration, n),   pg_byteas(a, c.payload, n),
                            pg_byteas(a, c.salt, n),     pg_byteas(a, c.previous, n),
                            pg_byteas(a, c.digest, n),   pg_byteas(a, c.hash, n),
                        });
}

int events_add_load(struct pg_batch *b, struct arena *a, struct uuid decision, int64_t after,
                    int limit)
{
    return pg_batch_add(
        b, &sel_events,
        (struct pg_param[]){pg_uuid(a, decision), pg_i64(a, after), pg_i64(a, limit)});
}

/* A value of another length leaves zeros, and the chain then does not verify. */
static bool read_fixed(const struct pg_result *r, int stmt, int row, int col, uint8_t *out,
                       size_t n)
{
    struct str s = pg_get_bytes(r, stmt, row, col);

    if (s.n != n)
        return false;
    memcpy(out, s.p, n);
    return true;
}

static void read_event(const struct pg_result *r, int stmt, int row, struct event *e)
{
    e->seq = pg_get_i64(r, stmt, row, 0);
    e->type = pg_getz(r, stmt, row, 1);
    e->name = pg_getz(r, stmt, row, 2);
    e->action_id = pg_getz(r, stmt, row, 3);
    e->parent_id = pg_getz(r, stmt, row, 4);
    e->actor = pg_getz(r, stmt, row, 5);
    e->taint = pg_get_bool(r, stmt, row, 6);
    e->model = pg_getz(r, stmt, row, 7);
    e->tokens_in = pg_isnull(r, stmt, row, 8) ? -1 : pg_get_i64(r, stmt, row, 8);
    e->tokens_out = pg_isnull(r, stmt, row, 9) ? -1 : pg_get_i64(r, stmt, row, 9);
    e->cost_usd = pg_isnull(r, stmt, row, 10) ? NAN : pg_get_f64(r, stmt, row, 10);
    e->started_us = pg_get_i64(r, stmt, row, 11);
    e->duration_ms = pg_get_i64(r, stmt, row, 12);
    e->created_us = pg_get_i64(r, stmt, row, 13);
    e->salted = read_fixed(r, stmt, row, 15, e->salt, sizeof e->salt);
    read_fixed(r, stmt, row, 16, e->digest, sizeof e->digest);
    read_fixed(r, stmt, row, 17, e->hash, sizeof e->hash);
    read_fixed(r, stmt, row, 18, e->previous_hash, sizeof e->previous_hash);
}

int events_read(const struct pg_result *r, int stmt, struct arena *a, const struct keyring *ring,
                struct uuid decision, struct event **out, int *count, struct err *err)
{
    int n = pg_rows(r, stmt);
    struct event *e = arena_array(a, struct event, n);

    for (int i = 0; i < n; i++) {
        struct str sealed = pg_get_bytes(r, stmt, i, 14);

        read_event(r, stmt, i, &e[i]);
        if (sealed.p != NULL &&
            unseal(ring, a, sealed, payload_place(a, decision, e[i].seq), &e[i].payload, err) != 0)
            return err_wrap(err, "event %" PRId64, e[i].seq);
    }
    *out = e;
    *count = n;
    return 0;
}
