/* Messages: what real Celery clients put on the wire is read, and spliced without touching another
 * byte; what is no message is refused. */
#include "libcommon/base/compat.h"
#include <dirent.h>
#include <setjmp.h>
#include <cmocka.h>
#include <zlib.h>
#include "libcommon/base/id.h"
#include "libcommon/base/json.h"
#include "libcommon/queue/message.h"

#define WIRE "tests/data/celery-wire"

/* The quoted argument of a MONITOR line at *p, with its escapes undone. */
static bool next_argument(struct arena *a, const char **p, struct str *out)
{
    char *to;
    const char *s = strchr(*p, '"');
    size_t n = 0;

    if (s == NULL)
        return false;
    to = arena_alloc(a, strlen(s) + 1);
    for (s++; *s != '"'; s++) {
        if (*s != '\\') {
            to[n++] = *s;
            continue;
        }
        s++;
        if (*s == 'x') {
            assert_int_equal(hex_decode((struct str){s + 1, 2}, to + n++, 1), 0);
            s += 2;
        } else {
            to[n++] = *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s == 't' ? '\t' : *s;
        }
    }
    *p = s + 1;
    *out = (struct str){to, n};
    return true;
}

static void check_untouched(struct arena *a, struct str text, const struct message *m)
{
    struct message again;
    struct message_body body;
    struct str back, once, twice;

    assert_int_equal(message_body(a, m, &body, NULL), 0);
    assert_int_equal(message_redelivered(a, text, 1, &once, NULL), 0);
    assert_int_equal(message_parse(a, once, &again, NULL), 0);
    assert_true(again.redelivered);
    assert_int_equal(again.redeliveries, 1);
    assert_string_equal(again.id, m->id);
    assert_true(str_eq(again.body, m->body));
    assert_int_equal(json_scan(once, JSON_DEPTH_MAX, NULL), 0);
    assert_int_equal(message_redelivered(a, once, 2, &twice, NULL), 0);
    assert_int_equal(twice.n, once.n);
    /* Setting a value to its own bytes gives the same bytes. */
    assert_int_equal(message_set(a, text, "", "headers", m->headers, &back, NULL), 0);
    assert_true(str_eq(back, text));
}

static void test_message__every_captured_task_is_read_and_spliced(void **state)
{
    DIR *dir = opendir(WIRE);
    struct dirent *de;
    int seen = 0;

    (void)state;
    assert_non_null(dir);
    while ((de = readdir(dir)) != NULL) {
        char path[512], *line = NULL;
        size_t cap = 0;
        FILE *f;

        if (strstr(de->d_name, ".monitor") == NULL)
            continue;
        snprintf(path, sizeof(path), "%s/%s", WIRE, de->d_name);
        f = fopen(path, "r");
        assert_non_null(f);
        while (getline(&line, &cap, f) > 0) {
            struct arena *a = arena_new();
            const char *p = strstr(line, "\"LPUSH\"");
            struct str verb, list, text;
            struct message m;

            if (p != NULL && next_argument(a, &p, &verb) && next_argument(a, &p, &list) &&
                next_argument(a, &p, &text) && strstr(text.p, "\"task\": \"") != NULL &&
                strstr(text.p, "pidbox") == NULL) {
                assert_int_equal(message_parse(a, text, &m, NULL), 0);
                assert_int_equal(m.version, 2);
                check_untouched(a, text, &m);
                seen++;
            }
            arena_free(a);
        }
        free(line);
        fclose(f);
    }
    closedir(dir);
    assert_true(seen >= 20);
}

static const char plain[] =
    "{\"body\": \"W1sxLCAyXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjogb"
    "nVsbCwgImNob3JkIjogbnVsbH1d\", \"content-encoding\": \"utf-8\", \"content-type\": "
    "\"application/json\", \"headers\": {\"lang\": \"py\", \"task\": \"demo.add\", \"id\": "
    "\"i-1\", "
    "\"eta\": \"2026-11-24T06:11:51.426033+00:00\", \"expires\": \"2026-11-24T06:11:52\", "
    "\"retries\": 2, \"timelimit\": [30, 20.5], \"big\": 12345678901234567890, \"empty\": [], "
    "\"ceo-tenant\": \"t-1\", \"traceparent\": \"00-a-b-01\"}, \"properties\": {\"priority\": 5, "
    "\"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"celery\"}, \"body_encoding\": "
    "\"base64\", \"delivery_tag\": \"tag-1\"}}";

static void test_message__head_fields(void **state)
{
    struct arena *a = arena_new();
    struct message m;
    struct message_body b;

    (void)state;
    assert_int_equal(message_parse(a, str_of(plain), &m, NULL), 0);
    assert_string_equal(m.task, "demo.add");
    assert_string_equal(m.id, "i-1");
    assert_int_equal(m.retries, 2);
    assert_int_equal(m.priority, 5);
    assert_true(m.hard_limit_s == 30 && m.soft_limit_s == 20.5);
    assert_string_equal(m.tenant, "t-1");
    assert_string_equal(m.traceparent, "00-a-b-01");
    assert_string_equal(m.routing_key, "celery");
    assert_true(m.eta_us % 1000000 == 426033);
    assert_true(m.expires_us - m.eta_us == 573967); /* no zone means UTC */
    assert_int_equal(message_body(a, &m, &b, NULL), 0);
    assert_true(str_eqz(b.args, "[1, 2]"));
    assert_true(str_eqz(b.kwargs, "{}"));
    arena_free(a);
}

static void test_message__splicing_keeps_long_numbers_and_empty_arrays(void **state)
{
    struct arena *a = arena_new();
    struct str out;

    (void)state;
    assert_int_equal(message_redelivered(a, str_of(plain), 7, &out, NULL), 0);
    assert_non_null(strstr(out.p, "\"big\": 12345678901234567890, \"empty\": []"));
    assert_non_null(strstr(out.p, "\"traceparent\": \"00-a-b-01\", \"redelivered\": true, "
                                  "\"ceo-redelivered\": 7}"));
    assert_non_null(strstr(out.p, "\"routing_key\": \"celery\", \"redelivered\": true}"));
    assert_int_equal(message_set(a, STR("{\"h\": {}}"), "/h", "k", STR("1"), &out, NULL), 0);
    assert_true(str_eqz(out, "{\"h\": {\"k\": 1}}"));
    assert_int_equal(message_set(a, STR("{\"h\": 1}"), "/h", "k", STR("1"), &out, NULL),
                     ERR_NOTFOUND);
    arena_free(a);
}

static void test_message__a_retry_has_its_count_its_time_and_a_new_tag(void **state)
{
    struct arena *a = arena_new();
    struct str text, retry;
    struct message m;

    (void)state;
    assert_int_equal(message_redelivered(a, str_of(plain), 3, &text, NULL), 0);
    assert_int_equal(message_retry(a, text, 3, 1000000, &retry, NULL), 0);
    assert_int_equal(message_parse(a, retry, &m, NULL), 0);
    assert_int_equal(m.retries, 3);
    assert_true(m.eta_us == 1000000);
    assert_string_equal(m.eta, "1970-01-01T00:00:01+00:00");
    assert_false(m.redelivered);
    assert_int_equal(m.redeliveries, 0);
    assert_string_equal(m.id, "i-1");
    assert_null(strstr(retry.p, "tag-1"));
    assert_non_null(strstr(retry.p, "12345678901234567890"));
    arena_free(a);
}

static void test_message__what_we_build_reads_back(void **state)
{
    struct arena *a = arena_new();
    struct publish p = {.queue = "ceoagent.worker",
                        .task = "ceoagent.echo",
                        .args_json = STR("[12345678901234567890, []]"),
                        .kwargs_json = STR("{\"\xe4\xb8\xad\": 1}"),
                        .priority = 42,
                        .eta_us = 1795500711426033,
                        .expires_us = 1795500831000000,
                        .hard_limit_s = 30,
                        .tenant = "t",
                        .decision = "d\"q",
                        .traceparent = "tp"};
    struct str text;
    struct message m;
    struct message_body b;
    struct uuid id;

    (void)state;
    assert_int_equal(message_build(a, &p, &text, NULL), 0);
    assert_int_equal(message_parse(a, text, &m, NULL), 0);
    assert_string_equal(m.task, "ceoagent.echo");
    assert_int_equal(uuid_parse(str_of(m.id), &id), 0);
    assert_string_equal(m.root_id, m.id);
    assert_int_equal(m.priority, 9);
    assert_true(m.eta_us == p.eta_us && m.expires_us == p.expires_us);
    assert_string_equal(m.decision, "d\"q");
    assert_true(m.hard_limit_s == 30 && m.soft_limit_s == 0);
    assert_int_equal(message_body(a, &m, &b, NULL), 0);
    assert_true(str_eq(b.args, p.args_json));
    assert_true(str_eq(b.kwargs, p.kwargs_json));
    assert_true(str_starts(b.embed, STR("{\"callbacks\": null")));
    p.args_json = STR("{}");
    assert_int_equal(message_build(a, &p, &text, NULL), ERR_INVALID);
    arena_free(a);
}

static void test_message__version_1_is_read(void **state)
{
    struct arena *a = arena_new();
    struct message m;
    struct message_body b;
    struct str retry;

    (void)state;
    assert_int_equal(
        message_parse(a,
                      STR("{\"body\": \"{\\\"task\\\": \\\"t\\\", \\\"id\\\": \\\"i\\\", "
                          "\\\"args\\\": [1], \\\"kwargs\\\": {}, \\\"retries\\\": 1, "
                          "\\\"eta\\\": null, \\\"utc\\\": true}\", \"content-type\": "
                          "\"application/json\", \"headers\": {}, \"properties\": {}}"),
                      &m, NULL),
        0);
    assert_int_equal(m.version, 1);
    assert_string_equal(m.task, "t");
    assert_int_equal(m.retries, 1);
    assert_int_equal(message_body(a, &m, &b, NULL), 0);
    assert_true(str_eqz(b.args, "[1]"));
    assert_int_equal(message_retry(a, m.text, 2, 0, &retry, NULL), 0);
    assert_int_equal(message_parse(a, retry, &m, NULL), 0);
    assert_int_equal(m.version, 2);
    assert_int_equal(m.retries, 2);
    arena_free(a);
}

static void test_message__compressed_bodies(void **state)
{
    static const char body[] = "[[1], {}, {}]";
    struct arena *a = arena_new();
    Bytef packed[200];
    uLongf n = sizeof(packed);
    char coded[400];
    struct message m;
    struct message_body b;
    char *text;

    (void)state;
    assert_int_equal(compress(packed, &n, (const Bytef *)body, sizeof(body) - 1), Z_OK);
    base64_encode(packed, n, false, coded);
    text = arena_printf(a,
                        "{\"body\": \"%s\", \"headers\": {\"task\": \"t\", \"id\": \"i\", "
                        "\"compression\": \"application/x-gzip\"}, \"properties\": "
                        "{\"body_encoding\": \"base64\"}}",
                        coded);
    assert_int_equal(message_parse(a, str_of(text), &m, NULL), 0);
    assert_int_equal(message_body(a, &m, &b, NULL), 0);
    assert_true(str_eqz(b.args, "[1]"));
    m.compression = "application/x-bz2";
    assert_int_equal(message_body(a, &m, &b, NULL), ERR_DENIED);
    m.compression = NULL;
    assert_int_equal(message_body(a, &m, &b, NULL), ERR_INVALID);
    m.content_type = "application/x-python-serialize";
    assert_int_equal(message_body(a, &m, &b, NULL), ERR_DENIED);
    arena_free(a);
}

static void test_message__what_is_no_message_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"body\": 1, \"headers\": {\"task\": \"t\", \"id\": \"i\"}}",
        "{\"body\": \"\", \"headers\": {\"task\": \"t\"}}",
        "{\"body\": \"\", \"headers\": {\"task\": \"\", \"id\": \"i\"}}",
        "{\"body\": \"\", \"headers\": {\"task\": 5, \"id\": \"i\"}}",
        "{\"body\": \"\", \"headers\": []}",
        "{\"body\": \"\", \"headers\": {\"task\": \"t\", \"id\": \"i\", \"eta\": \"soon\"}}",
        "{\"body\": \"\", \"headers\": {\"task\": \"t\", \"task\": \"u\", \"id\": \"i\"}}",
        "{\"body\": \"\", \"headers\": {\"task\": \"t\", \"id\": \"i\"}} ,",
    };
    struct arena *a = arena_new();
    struct message m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(message_parse(a, str_of(bad[i]), &m, NULL), ERR_INVALID);
    assert_int_equal(message_parse(a,
                                   STR("{\"body\": \"x\", \"headers\": {\"task\": \"t\", \"id\": "
                                       "\"i\"}, \"properties\": {}}"),
                                   &m, NULL),
                     0);
    struct message_body b;
    assert_int_equal(message_body(a, &m, &b, NULL), ERR_INVALID);
    m.body = STR("\"[[], {}]\"");
    assert_int_equal(message_body(a, &m, &b, NULL), ERR_INVALID);
    m.body = STR("\"[{}, [], {}]\"");
    assert_int_equal(message_body(a, &m, &b, NULL), ERR_INVALID);
    m.body = STR("\"[[], {}, {}, 1]\"");
    assert_int_equal(message_body(a, &m, &b, NULL), ERR_INVALID);
    m.body = STR("\"[[], {}, null]\"");
    assert_int_equal(message_body(a, &m, &b, NULL), 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message__every_captured_task_is_read_and_spliced),
        cmocka_unit_test(test_message__head_fields),
        cmocka_unit_test(test_message__splicing_keeps_long_numbers_and_empty_arrays),
        cmocka_unit_test(test_message__a_retry_has_its_count_its_time_and_a_new_tag),
        cmocka_unit_test(test_message__what_we_build_reads_back),
        cmocka_unit_test(test_message__version_1_is_read),
        cmocka_unit_test(test_message__compressed_bodies),
        cmocka_unit_test(test_message__what_is_no_message_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
