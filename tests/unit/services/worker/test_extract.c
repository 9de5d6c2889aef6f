/* What text comes out of HTML, entities and broken archives. Whole Word documents are in
 * tests/blackbox/test_knowledge_files.py. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "services/worker/extract.h"

#define DOCX_TYPE "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

static void html(const char *in, const char *want)
{
    struct arena *a = arena_new();
    struct extract x;
    struct err err = {0};

    assert_int_equal(extract(a, STR("text/html; charset=utf-8"), str_of(in), &x, &err), 0);
    if (!str_eqz(x.text, want))
        fail_msg("%s\ngives\n%.*s\nnot\n%s", in, STR_ARG(x.text), want);
    assert_false(x.original);
    assert_int_equal(x.kind, CHUNK_MARKDOWN);
    arena_free(a);
}

static void test_extract__html_gives_headings_paragraphs_and_lists(void **state)
{
    (void)state;
    html("<html><head><title>No</title></head><body><h1>One</h1><p>A  <b>bold</b>\n word.</p>"
         "<ul><li>x</li><li>y</li></ul><H2 class='a>b'>Two</H2>end",
         "# One\n\nA bold word.\n\n- x\n- y\n\n## Two\n\nend");
    html("a<br>b<br/>c", "a\nb\nc");
    html("<pre>x  y\n z</pre>", "x y\nz");
}

static void test_extract__html_tables_are_lines_with_bars(void **state)
{
    (void)state;
    html("<table><tr><th>Name</th><th>Sum</th></tr><tr><td><p>Ann</p></td><td>7</td></tr></table>x",
         "Name | Sum\nAnn | 7\n\nx");
}

static void test_extract__scripts_styles_and_comments_stay_out(void **state)
{
    (void)state;
    html("a<script>var x = '<p>no</p>';</script>b<style>p{}</style>c<!-- <p>no --> d", "abc d");
    html("a<script>never closed <p>no", "a");
    html("a<svg/>b<svg><text>no</text></svg>c", "abc");
    html("a<!-- never closed", "a");
    html("a<!DOCTYPE x [<!ENTITY y \"z\">]>b", "a]>b");
}

static void test_extract__entities_are_characters(void **state)
{
    (void)state;
    html("&lt;p&gt; &amp; &quot;&euro;&#8364;&#x20AC;&quot;",
         "<p> & \"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\"");
    html("&unknown; &amp &#; &#x; &#0; &#xD800; &#99999999999;",
         "&unknown; &amp &#; &#x; \xef\xbf\xbd &#99999999999;");
    html("a < b > c &", "a < b > c &");
}

static void test_extract__deep_nesting_costs_nothing(void **state)
{
    struct arena *a = arena_new();
    struct extract x;
    struct buf b;

    (void)state;
    buf_init(&b, 8u << 20);
    for (int i = 0; i < 200000; i++)
        buf_puts(&b, "<div><table><tr><td>");
    buf_puts(&b, "deep");
    assert_int_equal(extract(a, STR("text/html"), buf_view(&b), &x, NULL), 0);
    assert_true(str_find(x.text, STR("deep")) >= 0);
    buf_done(&b);
    arena_free(a);
}

static int fails(const char *type, struct str bytes)
{
    struct arena *a = arena_new();
    struct extract x;
    struct err err = {0};
    int rc = extract(a, str_of(type), bytes, &x, &err);

    assert_true(rc != 0 && err.msg[0] != '\0');
    arena_free(a);
    return rc;
}

static void test_extract__what_is_not_of_its_type_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fails("text/html", STR("a\xff")), ERR_INVALID);
    assert_int_equal(fails("text/html", STR("a\0b")), ERR_INVALID);
    assert_int_equal(fails("application/json", STR("{\"a\":1,}")), ERR_INVALID);
    assert_int_equal(fails("application/pdf", STR("%PDF-1.7")), ERR_INVALID);
    assert_int_equal(fails(DOCX_TYPE, STR("")), ERR_INVALID);
    assert_int_equal(fails(DOCX_TYPE, STR("PK\3\4 cut off")), ERR_INVALID);
}

/* A directory whose numbers point anywhere. */
static void test_extract__an_archive_that_lies_is_refused(void **state)
{
    unsigned char zip[22 + 46 + 17] = {0};
    const size_t places[] = {2 + 18, 8, 20, 24, 28, 42, 46 + 17 + 10, 46 + 17 + 16};

    (void)state;
    memcpy(zip, "PK\1\2", 4);
    zip[28] = 17;
    memcpy(zip + 46, "word/document.xml", 17);
    memcpy(zip + 63, "PK\5\6", 4);
    zip[63 + 10] = 1;
    fails(DOCX_TYPE, (struct str){(char *)zip, sizeof zip});
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (int v = 1; v < 256; v += 127) {
            unsigned char other[sizeof zip];

            memcpy(other, zip, sizeof zip);
            memset(other + places[i], v, MIN(4, sizeof zip - places[i]));
            fails(DOCX_TYPE, (struct str){(char *)other, sizeof other});
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extract__html_gives_headings_paragraphs_and_lists),
        cmocka_unit_test(test_extract__html_tables_are_lines_with_bars),
        cmocka_unit_test(test_extract__scripts_styles_and_comments_stay_out),
        cmocka_unit_test(test_extract__entities_are_characters),
        cmocka_unit_test(test_extract__deep_nesting_costs_nothing),
        cmocka_unit_test(test_extract__what_is_not_of_its_type_is_refused),
        cmocka_unit_test(test_extract__an_archive_that_lies_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
