/* test_vectors.c: the state of vectors in PostgreSQL: which documents lack them, that equal texts
 * share them, what is written into the outbox with them, and how one index follows another. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/model/vectors.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

#define COUNT(db, what, n) assert_int_equal(db_count(db, "SELECT count(*) FROM " what), n)
#define PUTS "outbox WHERE topic = 'vectors.put' AND target = 'weaviate' AND published_at IS NULL"

static const float vector[2] = {1, -0.5f};

/* A ready document of n chunks with these texts. */
static struct uuid ready(struct db *db, const char *title, const char *const *texts, int n)
{
    struct document d = {.id = uuid_v7(),
                         .tenant = db_tenant(),
                         .user = uuid_v7(),
                         .title = title,
                         .content_type = "text/plain",
                         .content = str_of(title)};
    struct chunk c[8] = {0};
    struct pg_batch *b = db_all(db);
    struct err err;
    int s;

    sha256(&d.id, sizeof d.id, d.sha256);
    documents_add_insert(b, db->a, db->ring, &d);
    db_run(db, b);
    b = db_service(db);
    s = documents_add_claim(b, db->a, d.id, 60000);
    assert_int_equal(documents_read(db_run(db, b), s, 0, db->a, db->ring, &d, &err), 0);
    for (int i = 0; i < n; i++)
        c[i] = (struct chunk){.id = uuid_v7(), .ordinal = i, .text = str_of(texts[i])};
    b = db_service(db);
    documents_add_ready(b, db->a, &d, c, n);
    db_run(db, b);
    return d.id;
}

static void make_index(struct db *db, const char *model)
{
    struct pg_batch *b = db_service(db);

    vectors_add_index(b, db->a, model, model);
    db_run(db, b);
}

static int missing(struct db *db, const char *model, struct uuid id, struct vector_text **out)
{
    struct pg_batch *b = db_service(db);
    int s = vectors_add_missing(b, db->a, model, id, 32);

    return vectors_read_missing(db_run(db, b), s, db->a, out);
}

static void embed(struct db *db, const char *model, struct uuid id)
{
    const float *v[8];
    struct vector_text *t;
    int n = missing(db, model, id, &t);
    struct pg_batch *b = db_service(db);

    for (int i = 0; i < n; i++)
        v[i] = vector;
    if (n > 0)
        vectors_add_store(b, db->a, model, db_tenant(), t, v, 2, n);
    vectors_add_complete(b, db->a, model, id);
    db_run(db, b);
}

static int claimed(struct db *db, const char *model)
{
    struct pg_batch *b = db_service(db);

    vectors_add_claim(b, db->a, model, 60000, 10);
    return pg_rows(db_run(db, b), 0);
}

static int64_t change_over(struct db *db, const char *model)
{
    struct pg_batch *b = db_service(db);
    int s = vectors_add_switch(b, db->a, model);

    return pg_affected(db_run(db, b), s);
}

static void test_vectors__a_document_is_claimed_until_it_has_its_vectors(void **state)
{
    struct db *db = *state;
    struct uuid id = ready(db, "t", (const char *const[]){"one", "two"}, 2);
    struct vector_text *t;

    make_index(db, "m");
    assert_int_equal(claimed(db, "m"), 1);
    assert_int_equal(claimed(db, "m"), 0); /* in hand */
    db_sql(db, "UPDATE documents SET vectors_due_at = clock_timestamp() - interval '1 s'");
    assert_int_equal(claimed(db, "m"), 1);
    assert_int_equal(missing(db, "m", id, &t), 2);
    assert_true(str_eqz(t[0].text, "t\none"));
    embed(db, "m", id);
    assert_int_equal(missing(db, "m", id, &t), 0);
    db_sql(db, "UPDATE documents SET vectors_due_at = NULL");
    assert_int_equal(claimed(db, "m"), 0);
    COUNT(db, PUTS, 1);
    COUNT(db, "vector_indexes WHERE dimension = 2 AND state = 'serving'", 1);
}

static void test_vectors__equal_texts_share_a_vector(void **state)
{
    struct db *db = *state;
    const char *const texts[] = {"same"};
    struct vector_text *t;

    make_index(db, "m");
    embed(db, "m", ready(db, "t", texts, 1));
    assert_int_equal(missing(db, "m", ready(db, "t", texts, 1), &t), 0);
    COUNT(db, "chunk_vectors", 2);
    COUNT(db, PUTS, 2);
    assert_int_equal(missing(db, "other", ready(db, "t", texts, 1), &t), 1);
}

static void test_vectors__a_put_loads_what_is_there(void **state)
{
    struct db *db = *state;
    struct uuid id = ready(db, "t", (const char *const[]){"one", "two"}, 2), chunks[3] = {0};
    struct pg_batch *b;
    struct vector_row *rows;
    struct vector_text *t;
    int s;

    make_index(db, "m");
    assert_int_equal(missing(db, "m", id, &t), 2);
    embed(db, "m", id);
    chunks[0] = t[0].chunk;
    chunks[1] = t[1].chunk;
    b = db_service(db);
    s = vectors_add_load(b, db->a, "m", chunks, 3);
    assert_int_equal(vectors_read_load(db_run(db, b), s, db->a, &rows), 2);
    assert_int_equal(rows[0].vector.n, sizeof vector);
    assert_memory_equal(rows[0].vector.p, vector, sizeof vector);
    assert_memory_equal(&rows[0].document, &id, sizeof id);
}

static void test_vectors__a_deletion_writes_its_outbox_row_and_takes_the_vectors(void **state)
{
    struct db *db = *state;
    struct uuid id = ready(db, "t", (const char *const[]){"one"}, 1);
    struct pg_batch *b;
    int s;

    make_index(db, "m");
    embed(db, "m", id);
    for (int i = 0; i < 2; i++) {
        b = db_all(db);
        s = documents_add_delete(b, db->a, id);
        assert_int_equal(pg_affected(db_run(db, b), s), i == 0);
    }
    COUNT(db, "chunk_vectors", 0);
    COUNT(db, "outbox WHERE topic = 'vectors.delete' AND target = 'weaviate'", 1);
}

static void test_vectors__a_new_index_serves_when_it_is_complete(void **state)
{
    struct db *db = *state;
    struct uuid id = ready(db, "t", (const char *const[]){"one"}, 1);
    struct pg_batch *b;

    make_index(db, "old");
    embed(db, "old", id);
    make_index(db, "new");
    COUNT(db, "vector_indexes WHERE state = 'building' AND model = 'new'", 1);
    assert_int_equal(change_over(db, "new"), 0); /* a document lacks vectors */
    embed(db, "new", id);
    assert_int_equal(change_over(db, "new"), 0); /* a put waits */
    db_sql(db, "UPDATE outbox SET published_at = clock_timestamp()");
    assert_int_equal(change_over(db, "new"), 1);
    assert_int_equal(change_over(db, "new"), 0);
    COUNT(db, "vector_indexes WHERE state = 'serving' AND model = 'new'", 1);
    COUNT(db, "outbox WHERE topic = 'vectors.drop' AND payload ->> 'model' = 'old'", 1);
    b = db_service(db);
    vectors_add_forget(b, db->a, "old");
    vectors_add_forget(b, db->a, "new"); /* it serves: nothing happens */
    db_run(db, b);
    COUNT(db, "vector_indexes", 1);
    COUNT(db, "chunk_vectors WHERE model = 'new'", 1);
    COUNT(db, "chunk_vectors", 1);
}

static void test_vectors__a_refill_sends_everything_in_bounded_rows(void **state)
{
    struct db *db = *state;
    struct pg_batch *b;

    make_index(db, "m");
    for (int i = 0; i < 3; i++)
        embed(db, "m", ready(db, "t", (const char *const[]){"a", "b"}, 2));
    db_sql(db, "UPDATE outbox SET published_at = clock_timestamp()");
    for (int i = 0; i < 2; i++) { /* two workers at once: one of them */
        b = db_service(db);
        vectors_add_refill(b, db->a, "m", false);
        db_run(db, b);
    }
    COUNT(db, PUTS, 1);
    COUNT(db, PUTS " AND jsonb_array_length(payload -> 'chunks') = 6", 1);
    b = db_service(db);
    vectors_add_refill(b, db->a, "m", true);
    db_run(db, b);
    COUNT(db, PUTS, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(test_vectors__##name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_document_is_claimed_until_it_has_its_vectors),
        CASE(equal_texts_share_a_vector),
        CASE(a_put_loads_what_is_there),
        CASE(a_deletion_writes_its_outbox_row_and_takes_the_vectors),
        CASE(a_new_index_serves_when_it_is_complete),
        CASE(a_refill_sends_everything_in_bounded_rows),
    };

    server_pg_fsync(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
