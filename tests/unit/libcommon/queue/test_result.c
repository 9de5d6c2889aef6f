/* Result documents, field by field as Celery's backend writes them. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/json.h"
#include "libcommon/queue/result.h"

static cJSON *text_of(struct arena *a, const struct result *r)
{
    struct str text;
    cJSON *doc;

    assert_int_equal(result_text(a, r, &text, NULL), 0);
    assert_int_equal(json_parse(a, text, 64, &doc, NULL), 0);
    return doc;
}

static void test_result__success_keeps_the_values_bytes(void **state)
{
    struct arena *a = arena_new();
    struct result r = {.id = "i", .status = "SUCCESS", .value = STR("[12345678901234567890, {}]")};
    struct str text;
    cJSON *doc = text_of(a, &r);

    (void)state;
    assert_int_equal(result_text(a, &r, &text, NULL), 0);
    assert_non_null(strstr(text.p, "\"result\": [12345678901234567890, {}], \"traceback\": null, "
                                   "\"children\": [], \"date_done\": \"20"));
    assert_string_equal(json_str(doc, "task_id", ""), "i");
    assert_non_null(strstr(json_str(doc, "date_done", ""), "+00:00"));
    assert_null(json_get(doc, "group_id"));
    r.value = (struct str){0};
    r.group = "g";
    doc = text_of(a, &r);
    assert_true(cJSON_IsNull(json_get(doc, "result")));
    assert_string_equal(json_str(doc, "group_id", ""), "g");
    r.value = STR("{broken");
    assert_int_equal(result_text(a, &r, &text, NULL), ERR_INVALID);
    arena_free(a);
}

static void test_result__failures_are_exceptions(void **state)
{
    struct arena *a = arena_new();
    struct result r = {.id = "i",
                       .status = "FAILURE",
                       .exc_type = "ValueError",
                       .exc_message = "bad \"3\"",
                       .traceback = "line 1\n"};
    cJSON *doc = text_of(a, &r);

    (void)state;
    assert_string_equal(json_str(json_at(doc, "/result"), "exc_type", ""), "ValueError");
    assert_string_equal(json_str(json_at(doc, "/result"), "exc_module", ""), "builtins");
    assert_string_equal(json_at(doc, "/result/exc_message/0")->valuestring, "bad \"3\"");
    assert_string_equal(json_str(doc, "traceback", ""), "line 1\n");
    r.status = "RETRY";
    doc = text_of(a, &r);
    assert_true(cJSON_IsNull(json_get(doc, "date_done")));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result__success_keeps_the_values_bytes),
        cmocka_unit_test(test_result__failures_are_exceptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
