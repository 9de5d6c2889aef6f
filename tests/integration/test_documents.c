/* test_documents.c: documents and search: equal content once, reading under a lease, search in
 * English and Chinese, nothing of another tenant, and an index that is really used under row-level
 * security. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/model/documents.h"
#include "tests/harness/pgrun.h"
#include "tests/harness/servers.h"

static struct document document(const char *title, const char *content)
{
    struct document d = {.id = uuid_v7(),
                         .tenant = db_tenant(),
                         .user = uuid_v7(),
                         .title = title,
                         .content_type = "text/plain",
                         .source = "board",
                         .metadata = STR("{\"k\": 1}"),
                         .content = str_of(content)};

    sha256(content, strlen(content), d.sha256);
    return d;
}

static bool insert(struct db *db, const struct document *d, struct uuid *id)
{
    struct pg_batch *b = db_all(db);
    int s = documents_add_insert(b, db->a, db->ring, d);

    db_run(db, b);
    assert_int_equal(pg_rows(db->op.result, s), 1);
    *id = pg_get_uuid(db->op.result, s, 0, 0);
    return pg_get_bool(db->op.result, s, 0, 1);
}

static bool claim(struct db *db, struct uuid id, struct document *out)
{
    struct pg_batch *b = db_service(db);
    struct err err;
    int s = documents_add_claim(b, db->a, id, 60000);

    db_run(db, b);
    return documents_read(db->op.result, s, 0, db->a, db->ring, out, &err) == 0;
}

/* Inserts, claims and reads a document whose content is one chunk a line. */
static struct document ready(struct db *db, const char *title, const char *content)
{
    struct document d = document(title, content), claimed;
    struct chunk c[16] = {0};
    struct str rest = d.content;
    struct pg_batch *b = db_all(db);
    struct uuid id;
    int n = 0;

    assert_true(insert(db, &d, &id));
    assert_true(claim(db, d.id, &claimed));
    while (rest.p != NULL) {
        int64_t start = rest.p - d.content.p;

        c[n] = (struct chunk){.id = uuid_v7(), .ordinal = n, .start = start};
        c[n].text = str_split(&rest, '\n');
        c[n].end = start + (int64_t)c[n].text.n;
        n++;
    }
    documents_add_ready(b, db->a, &claimed, c, n);
    assert_int_equal(pg_affected(db_run(db, b), 0), 1);
    return d;
}

static int search(struct db *db, struct search s, struct chunk **out)
{
    struct pg_batch *b = db_all(db);
    int stmt, n;

    if (s.limit == 0)
        s.limit = 10;
    stmt = documents_add_search(b, db->a, &s);
    db_run(db, b);
    assert_int_equal(chunks_read(db->op.result, stmt, db->a, out, &n), 0);
    return n;
}

static void test_documents__equal_content_is_kept_once(void **state)
{
    struct db *db = *state;
    struct document d = document("a", "text"), again = document("b", "text");
    struct uuid id;

    assert_true(insert(db, &d, &id));
    assert_false(insert(db, &again, &id));
    assert_memory_equal(&id, &d.id, sizeof id);
    db_sql(db, "INSERT INTO tenants (tenant_id, name) VALUES "
               "('00000000-0000-7000-8000-000000000002', 'second')");
    again.tenant.b[15] = 2;
    struct pg_batch *b = pg_batch_new(db->a, PG_APP, &again.tenant, NULL, true, 0);
    int s = documents_add_insert(b, db->a, db->ring, &again);

    assert_true(pg_get_bool(db_run(db, b), s, 0, 1));
}

static void test_documents__the_original_is_sealed_and_comes_back(void **state)
{
    struct db *db = *state;
    struct document d = document("title", "secret content"), back;
    struct pg_batch *b = db_all(db);
    struct uuid id;
    struct err err;

    insert(db, &d, &id);
    assert_int_equal(db_count(db, "SELECT count(*) FROM documents WHERE "
                                  "position('secret'::bytea IN content) > 0"),
                     0);
    documents_add_get(b, db->a, &d.id, 1, true);
    documents_add_get(b, db->a, &d.id, 1, false);
    db_run(db, b);
    assert_int_equal(documents_read(db->op.result, 0, 0, db->a, db->ring, &back, &err), 0);
    assert_true(str_eq(back.content, d.content));
    assert_int_equal(back.bytes, d.content.n);
    assert_memory_equal(back.sha256, d.sha256, 32);
    assert_string_equal(back.status, "queued");
    assert_int_equal(documents_read(db->op.result, 1, 0, db->a, db->ring, &back, &err), 0);
    assert_null(back.content.p);
    assert_int_equal(documents_read(db->op.result, 1, 1, db->a, db->ring, &back, &err),
                     ERR_NOTFOUND);
}

static void test_documents__a_reader_that_lost_its_lease_changes_nothing(void **state)
{
    struct db *db = *state;
    struct document d = document("t", "x"), first, second;
    struct chunk c = {.id = uuid_v7(), .text = STR("x")};
    struct pg_batch *b = db_all(db);
    struct uuid id;

    insert(db, &d, &id);
    assert_true(claim(db, d.id, &first));
    assert_false(claim(db, d.id, &second));
    db_sql(db, "UPDATE documents SET lease_until = clock_timestamp() - interval '1 s'");
    assert_true(claim(db, d.id, &second));
    documents_add_ready(b, db->a, &first, &c, 1);
    assert_int_equal(pg_affected(db_run(db, b), 0), 0);
    assert_int_equal(db_count(db, "SELECT count(*) FROM chunks"), 0);
    b = db_all(db);
    documents_add_failed(b, db->a, d.id, first.lease_epoch, "late");
    documents_add_ready(b, db->a, &second, &c, 1);
    db_run(db, b);
    assert_int_equal(pg_affected(db->op.result, 0), 0);
    assert_int_equal(pg_affected(db->op.result, 1), 1);
    assert_int_equal(db_count(db, "SELECT count(*) FROM chunks"), 1);
}

static void test_documents__one_that_got_stuck_is_due_again(void **state)
{
    struct db *db = *state;
    struct document d = document("t", "x"), got;
    struct uuid id;

    insert(db, &d, &id);
    for (int i = 0; i < 3; i++) {
        static const int want[] = {0, 1, 0};
        struct pg_batch *b = db_service(db);

        if (i == 1)
            db_sql(db, "UPDATE documents SET updated_at = updated_at - interval '1 min'");
        documents_add_due(b, db->a, 30000, 10);
        assert_int_equal(pg_rows(db_run(db, b), 0), want[i]);
    }
    assert_true(claim(db, d.id, &got));
}

static void test_documents__english_is_found_by_stems_best_first(void **state)
{
    struct db *db = *state;
    struct chunk *c;

    ready(db, "Minutes",
          "Revenues grew by 12 % in 2025.\nThe board discussed parking.\n"
          "Growing revenue needs acquisitions and capital.");
    assert_int_equal(search(db, (struct search){.query = "acquisition revenue growth?"}, &c), 2);
    assert_int_equal(c[0].ordinal, 2);
    assert_true(c[0].score > c[1].score && c[0].score <= 1);
    assert_string_equal(c[0].title, "Minutes");
    assert_string_equal(c[0].source, "board");
    assert_int_equal(c[0].start, 60);
    assert_int_equal(search(db, (struct search){.query = "the of and"}, &c), 0);
    assert_int_equal(search(db, (struct search){.query = "minutes"}, &c), 3); /* by title */
}

static void test_documents__chinese_is_found_inside_longer_runs(void **state)
{
    struct db *db = *state;
    struct chunk *c;

    ready(db, "董事会纪要", "公司的市场份额在2025年下降。\n营收增长百分之十二。\n税务风险较高。");
    assert_int_equal(search(db, (struct search){.query = "市场份额下降"}, &c), 1);
    assert_int_equal(c[0].ordinal, 0);
    assert_int_equal(search(db, (struct search){.query = "增长 risk"}, &c), 1);
    assert_int_equal(c[0].ordinal, 1);
    assert_int_equal(search(db, (struct search){.query = "税"}, &c), 1);
    assert_int_equal(c[0].ordinal, 2);
    assert_int_equal(search(db, (struct search){.query = "纪要"}, &c), 3);
    assert_int_equal(search(db, (struct search){.query = "利润"}, &c), 0);
}

static void test_documents__filters_narrow_the_search(void **state)
{
    struct db *db = *state;
    struct document d[2] = {ready(db, "one", "alpha beta"), ready(db, "two", "alpha gamma")};
    struct chunk *c;

    assert_int_equal(search(db, (struct search){.query = "alpha"}, &c), 2);
    assert_int_equal(search(db, (struct search){.query = "alpha", .limit = 1}, &c), 1);
    assert_int_equal(
        search(db, (struct search){.query = "alpha", .documents = &d[1].id, .document_count = 1},
               &c),
        1);
    assert_memory_equal(&c[0].document, &d[1].id, sizeof d[1].id);
    assert_int_equal(search(db, (struct search){.query = "alpha", .source = "nobody"}, &c), 0);
    assert_int_equal(search(db, (struct search){.query = "alpha", .from_us = 4000000000000000}, &c),
                     0);
    assert_int_equal(search(db, (struct search){.query = "alpha", .to_us = 4000000000000000}, &c),
                     2);
}

static void test_documents__a_query_is_text_and_no_operators(void **state)
{
    static const char *const queries[] = {"'",         "\\",  "a' | 'b",    "alpha:* & !beta",
                                          "''''\\\\'", "<->", "%s $1 {}\"", "市'场\\"};
    struct db *db = *state;
    struct chunk *c;

    ready(db, "t", "alpha beta");
    for (size_t i = 0; i < ARRAY_LEN(queries); i++)
        search(db, (struct search){.query = queries[i]}, &c);
    assert_int_equal(search(db, (struct search){.query = "alpha & !beta"}, &c), 1);
}

static void test_documents__another_tenant_finds_nothing(void **state)
{
    static const struct pg_stmt all[] = {{"y1", "SELECT text FROM chunks", 0},
                                         {"y2", "SELECT words FROM chunk_words", 0},
                                         {"y3", "SELECT title FROM documents", 0}};
    struct db *db = *state;
    struct uuid other = uuid_v7();
    struct search s = {.query = "alpha", .limit = 10};
    struct pg_batch *b = pg_batch_new(db->a, PG_APP, &other, NULL, true, 0);
    int stmt;

    ready(db, "t", "alpha");
    stmt = documents_add_search(b, db->a, &s);
    for (int i = 0; i < 3; i++)
        pg_batch_add(b, &all[i], NULL);
    db_run(db, b);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pg_rows(db->op.result, stmt + i), 0);
}

static void test_documents__search_uses_its_index_under_row_level_security(void **state)
{
    static const struct pg_stmt query = {"z1",
                                         "SELECT set_config('app.query', 'alpha', true), "
                                         "set_config('enable_seqscan', 'off', true)",
                                         0};
    static const struct pg_stmt plan = {"z2", "EXPLAIN SELECT chunk_id FROM chunk_words", 0};
    struct db *db = *state;
    struct pg_batch *b = db_all(db);
    bool found = false;

    ready(db, "t", "alpha");
    pg_batch_add(b, &query, NULL);
    pg_batch_add(b, &plan, NULL);
    db_run(db, b);
    for (int i = 0; i < pg_rows(db->op.result, 1); i++)
        found |= str_find(pg_get(db->op.result, 1, i, 0), STR("chunk_words_words")) >= 0;
    assert_true(found);
}

static void test_documents__chunks_come_in_order_and_go_with_their_document(void **state)
{
    struct db *db = *state;
    struct document d[2] = {ready(db, "one", "a\nb"), ready(db, "two", "c")};
    struct uuid ids[] = {d[1].id, d[0].id};
    struct pg_batch *b = db_all(db);
    struct chunk *c;
    int n;

    documents_add_chunks(b, db->a, ids, 2, 100);
    db_run(db, b);
    assert_int_equal(chunks_read(db->op.result, 0, db->a, &c, &n), 0);
    assert_int_equal(n, 3);
    assert_true(str_eqz(c[0].text, "c") && str_eqz(c[1].text, "a") && str_eqz(c[2].text, "b"));
    assert_memory_equal(c[1].sha256, d[0].sha256, 32);
    b = db_all(db);
    documents_add_delete(b, db->a, d[0].id);
    assert_int_equal(pg_affected(db_run(db, b), 0), 1);
    assert_int_equal(db_count(db, "SELECT count(*) FROM chunk_words"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_documents__##name, db_setup, db_teardown)
    const struct CMUnitTest tests[] = {
        T(equal_content_is_kept_once),
        T(the_original_is_sealed_and_comes_back),
        T(a_reader_that_lost_its_lease_changes_nothing),
        T(one_that_got_stuck_is_due_again),
        T(english_is_found_by_stems_best_first),
        T(chinese_is_found_inside_longer_runs),
        T(filters_narrow_the_search),
        T(a_query_is_text_and_no_operators),
        T(another_tenant_finds_nothing),
        T(search_uses_its_index_under_row_level_security),
        T(chunks_come_in_order_and_go_with_their_document),
    };

    server_pg_fsync(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
