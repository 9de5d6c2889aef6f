/* test_segments.c: how a document is cut into what can be cited. */
#include "libcommon/base/compat.h"
#include "libcommon/method/segments.h"
#include <setjmp.h>
#include <cmocka.h>

static struct str text_of(const char *text, const struct segment *g)
{
    return (struct str){text + g->start, g->end - g->start};
}

static void test_segments__sentences_end_at_their_marks(void **state)
{
    static const char text[] =
        "# Title\nThe price is 3.5M, e.g. a lot. It is\nlate. Why?\n\n- a bullet\n1. an item\n";
    static const char *const want[] = {
        "# Title", "The price is 3.5M, e.g. a lot.", "It is\nlate.", "Why?", "a bullet", "an item"};
    struct arena *a = arena_new();
    struct segments s = segments_of(a, str_of(text));

    (void)state;
    assert_int_equal(s.count, ARRAY_LEN(want));
    for (size_t i = 0; i < s.count; i++)
        assert_true(str_eqz(text_of(text, &s.at[i]), want[i]));
    assert_int_equal(s.at[0].kind, SEGMENT_HEADING);
    arena_free(a);
}

static void test_segments__chinese_sentences_need_no_space(void **state)
{
    struct arena *a = arena_new();
    struct segments s = segments_of(a, STR("市场很大。我们应当进入！何时?"));

    (void)state;
    assert_int_equal(s.count, 3);
    arena_free(a);
}

static void test_segments__tables_have_rows_and_a_note(void **state)
{
    struct arena *a = arena_new();
    struct segments s = segments_of(
        a,
        STR("# in thousands\nname,2024,2025\n\"A, Inc\",1,2\nB,3,4\n\nSome text, with a comma.\n"));

    (void)state;
    assert_int_equal(s.tables_count, 1);
    const struct table *t = &s.tables[0];
    assert_int_equal(t->rows, 3);
    assert_int_equal(t->cols, 3);
    assert_true(str_eqz(table_cell(t, 1, 0), "A, Inc"));
    assert_true(str_eqz(table_cell(t, 2, 2), "4"));
    assert_true(str_eqz(t->note, "# in thousands"));
    assert_int_equal(s.at[s.count - 1].kind, SEGMENT_SENTENCE);
    arena_free(a);
}

static void test_segments__markdown_tables_lose_their_rule_and_marks(void **state)
{
    struct arena *a = arena_new();
    struct segments s =
        segments_of(a, STR("| item | EUR |\n|---|---|\n| **full cost** | 55.00 |\n"));

    (void)state;
    assert_int_equal(s.tables_count, 1);
    assert_int_equal(s.tables[0].rows, 2);
    assert_true(str_eqz(table_cell(&s.tables[0], 1, 0), "full cost"));
    arena_free(a);
}

static void test_segments__nothing_gives_nothing(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    assert_int_equal(segments_of(a, STR("")).count, 0);
    assert_int_equal(segments_of(a, STR("\n \n\t\n")).count, 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments__sentences_end_at_their_marks),
        cmocka_unit_test(test_segments__chinese_sentences_need_no_space),
        cmocka_unit_test(test_segments__tables_have_rows_and_a_note),
        cmocka_unit_test(test_segments__markdown_tables_lose_their_rule_and_marks),
        cmocka_unit_test(test_segments__nothing_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
