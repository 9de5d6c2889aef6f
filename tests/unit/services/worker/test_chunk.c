/* Parts of documents: whole, in order, in their place, of a bounded size, under their heading. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/buf.h"
#include "services/worker/chunk.h"

static struct chunk_part *split(struct arena *a, struct str text, enum chunk_kind kind, size_t *n)
{
    struct chunk_part *p = NULL;

    assert_int_equal(chunk_split(a, text, kind, &p, n, NULL), 0);
    for (size_t i = 0, at = 0; i < *n; i++) {
        assert_true(p[i].start >= at && p[i].end > p[i].start && p[i].end <= text.n);
        assert_true(p[i].end - p[i].start <= CHUNK_MAX);
        assert_true(utf8_valid((struct str){text.p + p[i].start, p[i].end - p[i].start}));
        /* Nothing but white space is left out. */
        for (; at < p[i].start; at++)
            assert_non_null(strchr(" \n\r\t#\xef\xbb\xbf", text.p[at]));
        at = p[i].end;
    }
    return p;
}

static bool is(struct str text, const struct chunk_part *p, const char *want)
{
    return str_eqz((struct str){text.p + p->start, p->end - p->start}, want);
}

static void test_chunk__markdown_sections_carry_their_headings(void **state)
{
    struct str t =
        STR("Intro.\n\n# One\nText a.\n\nText b.\n## Two ##\n```\n# no heading\n```\nEnd.\n"
            "# Three\n");
    struct arena *a = arena_new();
    struct chunk_part *p;
    size_t n;

    (void)state;
    p = split(a, t, CHUNK_MARKDOWN, &n);
    assert_int_equal(n, 4);
    assert_null(p[0].heading);
    assert_true(is(t, &p[0], "Intro."));
    assert_string_equal(p[1].heading, "One");
    assert_true(is(t, &p[1], "# One\nText a.\n\nText b."));
    assert_string_equal(p[2].heading, "One > Two");
    assert_true(is(t, &p[2], "## Two ##\n```\n# no heading\n```\nEnd."));
    assert_string_equal(p[3].heading, "Three");
    arena_free(a);
}

static void test_chunk__long_paragraphs_are_cut_at_sentences(void **state)
{
    struct arena *a = arena_new();
    struct buf b;
    struct chunk_part *p;
    size_t n;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 400; i++)
        buf_printf(&b, "Sentence number %d says little. ", i);
    p = split(a, buf_view(&b), CHUNK_TEXT, &n);
    assert_true(n >= 5);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(b.p[p[i].end - 1], '.');
    buf_clear(&b);
    for (int i = 0; i < 5000; i++)
        buf_puts(&b, "\xe4\xb8\xad");
    split(a, buf_view(&b), CHUNK_TEXT, &n);
    assert_true(n >= 6);
    buf_done(&b);
    arena_free(a);
}

static void test_chunk__paragraphs_are_gathered(void **state)
{
    struct arena *a = arena_new();
    struct buf b;
    size_t n;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100; i++)
        buf_printf(&b, "Paragraph %d.\r\n\r\n", i);
    split(a, buf_view(&b), CHUNK_TEXT, &n);
    assert_int_equal(n, 2);
    buf_done(&b);
    arena_free(a);
}

static void test_chunk__records_stay_whole(void **state)
{
    struct str t = STR("\xef\xbb\xbfname,note\n\"a\nb\",1\nc,2\n");
    struct arena *a = arena_new();
    struct buf b;
    struct chunk_part *p;
    size_t n;

    (void)state;
    p = split(a, t, CHUNK_CSV, &n);
    assert_int_equal(n, 1);
    assert_string_equal(p[0].heading, "name,note");
    assert_int_equal(p[0].start, 3);
    buf_init(&b, 1 << 20);
    buf_puts(&b, "k,v\n");
    for (int i = 0; i < 500; i++)
        buf_printf(&b, "%d,\"x\ny\"\n", i);
    p = split(a, buf_view(&b), CHUNK_CSV, &n);
    assert_true(n > 3);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(b.p[p[i].end - 1], '"');
    buf_done(&b);
    arena_free(a);
}

static void test_chunk__what_is_no_text_is_refused(void **state)
{
    struct arena *a = arena_new();
    struct chunk_part *p;
    enum chunk_kind kind;
    size_t n = 7;

    (void)state;
    assert_int_equal(chunk_split(a, STR("a\0b"), CHUNK_TEXT, &p, &n, NULL), ERR_INVALID);
    assert_int_equal(chunk_split(a, STR("\xff\xfe"), CHUNK_TEXT, &p, &n, NULL), ERR_INVALID);
    split(a, STR(""), CHUNK_TEXT, &n);
    assert_int_equal(n, 0);
    split(a, STR(" \n\n "), CHUNK_MARKDOWN, &n);
    assert_int_equal(n, 0);
    split(a, STR(""), CHUNK_CSV, &n);
    assert_int_equal(n, 0);
    assert_int_equal(chunk_kind_of(STR("text/CSV; charset=utf-8"), &kind), 0);
    assert_int_equal(kind, CHUNK_CSV);
    assert_int_equal(chunk_kind_of(STR("application/pdf"), &kind), ERR_INVALID);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk__markdown_sections_carry_their_headings),
        cmocka_unit_test(test_chunk__long_paragraphs_are_cut_at_sentences),
        cmocka_unit_test(test_chunk__paragraphs_are_gathered),
        cmocka_unit_test(test_chunk__records_stay_whole),
        cmocka_unit_test(test_chunk__what_is_no_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
