/* test_unicode.c: normal forms with their way back, words and stems. */
#include "libcommon/base/compat.h"
#include "libcommon/method/unicode.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/buf.h"
#include "libcommon/method/lang.h"

static void test_unicode__each_byte_knows_where_it_came_from(void **state)
{
    static const char text[] = "ａ1ﬁ中e\xCC\x81.";
    struct arena *a = arena_new();
    struct norm n = unicode_nfkc(a, str_of(text));

    (void)state;
    assert_true(str_eqz(n.text, "a1fi中é."));
    for (size_t i = 1; i <= n.text.n; i++)
        assert_true(n.src[i] >= n.src[i - 1]);
    assert_int_equal(n.src[n.text.n], sizeof(text) - 1);
    assert_int_equal(n.src[n.text.n - 1], sizeof(text) - 2);
    arena_free(a);
}

static void test_unicode__bad_bytes_become_the_replacement_character(void **state)
{
    struct arena *a = arena_new();
    struct norm n = unicode_nfkc(a, STR("a\xFF\xC3"));

    (void)state;
    assert_true(utf8_valid(n.text));
    assert_int_equal(utf8_chars(n.text), 3);
    arena_free(a);
}

static void test_unicode__folding_ignores_case_width_and_breaks(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    assert_true(str_eq(unicode_fold(a, STR("  The\n ＰＲＩＣＥ\tis ")), STR("the price is")));
    arena_free(a);
}

static void gather(void *arg, struct str term, size_t start, size_t end)
{
    struct buf *b = arg;

    (void)start;
    (void)end;
    buf_str(b, term);
    buf_putc(b, ' ');
}

static void test_unicode__terms_are_stems_and_bigrams(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    unicode_terms(STR("Finished, finishing pump housings; 自建工厂 A1"), gather, &b);
    assert_string_equal(b.p, "finish finish pump hous 自建 建工 工厂 a1 ");
    buf_done(&b);
}

static void test_unicode__language_by_letters(void **state)
{
    static const struct {
        const char *query, *lang;
        bool other;
    } rows[] = {
        {"Should we buy it?", "en", false},
        {"我们是否应该收购 Brightline？", "zh", false},
        {"Should we enter 中国?", "en", false},
        {"買収すべきでしょうか？", "en", true},
        {"Sollen wir die Fabrik bauen oder nicht?", "en", true},
        {"Стоит ли покупать завод?", "en", true},
        {"", "en", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool other;
        assert_string_equal(lang_detect(str_of(rows[i].query), &other), rows[i].lang);
        assert_int_equal(other, rows[i].other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unicode__each_byte_knows_where_it_came_from),
        cmocka_unit_test(test_unicode__bad_bytes_become_the_replacement_character),
        cmocka_unit_test(test_unicode__folding_ignores_case_width_and_breaks),
        cmocka_unit_test(test_unicode__terms_are_stems_and_bigrams),
        cmocka_unit_test(test_unicode__language_by_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
