/* test_words.c: the search terms of text without spaces. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/buf.h"
#include "libcommon/model/documents.h"
#include "libcommon/model/words.h"

static void test_words__runs_become_bigrams_and_the_rest_is_left_to_the_stemmer(void **state)
{
    static const struct {
        const char *text, *terms, *rest;
    } cases[] = {
        {"", "", ""},
        {"market share", "", "market share"},
        {"市场份额", "市场 场份 份额", "    "},
        {"Q3市场 up", "市场", "Q3   up"},
        {"税", "税", " "},
        {"税 and 费用", "税 费用", "  and   "},
        {"市场市场", "市场 场市", "    "}, /* each once */
        {"カ・キ", "カ キ", " ・ "},
        {"매출이", "매출 출이", "   "},
        {"a\xff市", "市", "a\xff "},
        {"𠀀𠀁", "𠀀𠀁", "  "},
    };
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(words_joined(a, str_of(cases[i].text)), cases[i].terms);
        assert_string_equal(words_rest(a, str_of(cases[i].text)), cases[i].rest);
    }
    arena_free(a);
}

static void test_words__a_long_text_keeps_each_pair_once(void **state)
{
    struct arena *a = arena_new();
    struct buf b;
    const char **terms;

    (void)state;
    buf_init(&b, 1u << 20);
    for (int i = 0; i < 5000; i++) {
        char c[4];

        buf_add(&b, c, utf8_put(c, 0x4E00 + (uint32_t)(i % 100)));
    }
    assert_int_equal(words_cjk(a, buf_view(&b), &terms), 100);
    buf_done(&b);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words__runs_become_bigrams_and_the_rest_is_left_to_the_stemmer),
        cmocka_unit_test(test_words__a_long_text_keeps_each_pair_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
