#include "libcommon/base/compat.h"
#include "libcommon/base/cfg.h"
#include <setjmp.h>
#include <unistd.h>
#include <cmocka.h>

#define KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

struct config {
    const char *text, *level, *url, *list, *key, *json, *unset, *empty;
    int64_t port, other;
    double rate;
    bool flag;
};

#define AT(m) offsetof(struct config, m)

static const struct cfg_option rows[] = {
    {CFG_STRING, "T_TEXT|T_ALIAS", NULL, 3, 5, NULL, AT(text), CFG_API | CFG_REQUIRED, "A text"},
    {CFG_ENUM, "T_LEVEL", "LOW", 0, 0, "LOW|HIGH", AT(level), CFG_ALL, "A level"},
    {CFG_URL, "T_URL", NULL, 0, 0, "redis|rediss", AT(url), CFG_ALL | CFG_RELOAD, "A place"},
    {CFG_LIST, "T_LIST", NULL, 0, 0, "a|b", AT(list), CFG_ALL, "Some letters"},
    {CFG_KEY32, "T_KEY", NULL, 0, 0, NULL, AT(key), CFG_ALL | CFG_SECRET | CFG_RELOAD, "A key"},
    {CFG_JSON, "T_JSON", NULL, 0, 0, NULL, AT(json), CFG_ALL, "Prices"},
    {CFG_STRING, "T_UNSET", NULL, 0, 0, NULL, AT(unset), CFG_ALL, "Nothing"},
    {CFG_STRING, "T_EMPTY", "", 1, 64, NULL, AT(empty), CFG_ALL, "Empty"},
    {CFG_INT, "T_PORT", "8000", 1, 65535, NULL, AT(port), CFG_ALL | CFG_RELOAD, "A port"},
    {CFG_INT, "T_OTHER", "7", 1, 9, NULL, AT(other), CFG_WORKER, "Of another program"},
    {CFG_REAL, "T_RATE", "0.5", 0, 1, NULL, AT(rate), CFG_ALL, "A rate"},
    {CFG_BOOL, "T_FLAG", NULL, 0, 0, NULL, AT(flag), CFG_ALL, "A switch"},
};

static struct config c;
static struct err err;

static int load(void)
{
    return cfg_load(rows, ARRAY_LEN(rows), CFG_API, &c, &err);
}

static int clear_environment(void **state)
{
    (void)state;
    clearenv();
    setenv("T_TEXT", "abc", 1);
    memset(&c, 0, sizeof c);
    memset(&err, 0, sizeof err);
    return 0;
}

static int free_config(void **state)
{
    (void)state;
    cfg_free(rows, ARRAY_LEN(rows), &c);
    cfg_free(rows, ARRAY_LEN(rows), &c);
    return 0;
}

static char *write_file(const char *text)
{
    static char path[64];
    FILE *f;
    int fd;

    snprintf(path, sizeof path, "/tmp/test_cfg_XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    f = fdopen(fd, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

static void test_cfg__defaults_hold_where_nothing_is_given(void **state)
{
    (void)state;
    setenv("T_JSON", "", 1); /* empty is like unset */
    assert_int_equal(load(), 0);
    assert_string_equal(c.text, "abc");
    assert_string_equal(c.level, "LOW");
    assert_string_equal(c.empty, "");
    assert_null(c.unset);
    assert_null(c.json);
    assert_int_equal(c.port, 8000);
    assert_int_equal(c.other, 7);
    assert_true(c.rate == 0.5);
    assert_false(c.flag);
}

static void test_cfg__values_are_read_by_type(void **state)
{
    (void)state;
    unsetenv("T_TEXT");
    setenv("T_ALIAS", " abcd\n", 1);
    setenv("T_LEVEL", "high", 1);
    setenv("T_URL", "rediss://h:1/0", 1);
    setenv("T_LIST", "b, a", 1);
    setenv("T_KEY", KEY, 1);
    setenv("T_JSON", "{\"a\": 1}", 1);
    setenv("T_PORT", "65535", 1);
    setenv("T_OTHER", "not looked at", 1);
    setenv("T_RATE", "1e-3", 1);
    setenv("T_FLAG", "Yes", 1);
    assert_int_equal(load(), 0);
    assert_string_equal(c.text, "abcd");
    assert_string_equal(c.level, "HIGH");
    assert_string_equal(c.url, "rediss://h:1/0");
    assert_string_equal(c.list, "b, a");
    assert_string_equal(c.key, KEY);
    assert_string_equal(c.json, "{\"a\": 1}");
    assert_int_equal(c.port, 65535);
    assert_int_equal(c.other, 7);
    assert_true(c.rate == 0.001);
    assert_true(c.flag);
}

static void test_cfg__a_bad_value_is_named_with_an_example(void **state)
{
    static const struct {
        const char *name, *value, *message;
    } bad[] = {
        {"T_PORT", "80x",
         "T_PORT=80x: must be a whole number from 1 to 65535, for example T_PORT=8000"},
        {"T_PORT", "0",
         "T_PORT=0: must be a whole number from 1 to 65535, for example T_PORT=8000"},
        {"T_RATE", "2", "T_RATE=2: must be a number from 0 to 1, for example T_RATE=0.5"},
        {"T_RATE", "nan", "T_RATE=nan: must be a number from 0 to 1, for example T_RATE=0.5"},
        {"T_FLAG", "maybe", "T_FLAG=maybe: must be on or off, for example T_FLAG=on"},
        {"T_LEVEL", "MID", "T_LEVEL=MID: must be one of LOW|HIGH, for example T_LEVEL=LOW"},
        {"T_URL", "http://x",
         "T_URL=http://x: must be a URL that starts with one of redis|rediss, for example "
         "T_URL=redis://host:port"},
        {"T_URL", "redis://",
         "T_URL=redis://: must be a URL that starts with one of redis|rediss, for example "
         "T_URL=redis://host:port"},
        {"T_LIST", "a,,b", "T_LIST=a,,b: has an empty part, for example T_LIST=a"},
        {"T_LIST", "a,c", "T_LIST=a,c: each part must be one of a|b, for example T_LIST=a"},
        {"T_KEY", "c2hvcnQ=",
         "T_KEY=(hidden): must be 32 bytes in base64, for example T_KEY=$(openssl rand -base64 "
         "32)"},
        {"T_JSON", "[1]", "T_JSON=[1]: must be a JSON object, for example T_JSON='{}'"},
        {"T_JSON", "{",
         "T_JSON={: invalid JSON at byte 1: the text ends too early, for example T_JSON='{}'"},
        {"T_TEXT", "ab", "T_TEXT=ab: must have 3 to 5 characters, for example T_TEXT=text"},
        {"T_TEXT", "", "T_TEXT=: is required, for example T_TEXT=text"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        clear_environment(state);
        setenv(bad[i].name, bad[i].value, 1);
        assert_int_equal(load(), ERR_INVALID);
        assert_string_equal(err.msg, bad[i].message);
        assert_null(c.level); /* nothing is left half filled */
    }
}

static void test_cfg__a_file_may_hold_the_value(void **state)
{
    char *path = write_file("  " KEY "\n");

    (void)state;
    setenv("T_KEY_FILE", path, 1);
    assert_int_equal(load(), 0);
    assert_string_equal(c.key, KEY);
    cfg_free(rows, ARRAY_LEN(rows), &c);
    setenv("T_KEY", KEY, 1);
    assert_int_equal(load(), ERR_INVALID);
    assert_string_equal(err.msg, "T_KEY and T_KEY_FILE are both set: give one of them");
    unsetenv("T_KEY");
    unlink(path);
    assert_int_equal(load(), ERR_INVALID);
    assert_non_null(strstr(err.msg, "the file cannot be read: No such file"));
}

static void test_cfg__reload_takes_new_values_or_none(void **state)
{
    const char *old_url;
    bool changed;

    (void)state;
    setenv("T_URL", "redis://one", 1);
    assert_int_equal(load(), 0);
    old_url = c.url;
    assert_int_equal(cfg_reload(rows, ARRAY_LEN(rows), CFG_API, &c, &changed, &err), 0);
    assert_false(changed);
    setenv("T_URL", "redis://two", 1);
    setenv("T_PORT", "x", 1);
    assert_int_equal(cfg_reload(rows, ARRAY_LEN(rows), CFG_API, &c, &changed, &err), ERR_INVALID);
    assert_ptr_equal(c.url, old_url);
    setenv("T_PORT", "9", 1);
    setenv("T_LEVEL", "HIGH", 1); /* not reloadable */
    assert_int_equal(cfg_reload(rows, ARRAY_LEN(rows), CFG_API, &c, &changed, &err), 0);
    assert_true(changed);
    assert_string_equal(c.url, "redis://two");
    assert_string_equal(old_url, "redis://one"); /* still there for who holds it */
    assert_int_equal(c.port, 9);
    assert_string_equal(c.level, "LOW");
    unsetenv("T_URL");
    assert_int_equal(cfg_reload(rows, ARRAY_LEN(rows), CFG_API, &c, &changed, &err), 0);
    assert_false(changed);
}

static void test_cfg__help_and_docs_come_from_the_rows(void **state)
{
    struct buf b;

    (void)state;
    assert_int_equal(load(), 0);
    buf_init(&b, 1 << 16);
    cfg_help(rows, ARRAY_LEN(rows), CFG_API, &b);
    assert_non_null(strstr(b.p, "  T_TEXT or T_ALIAS               A text\n"));
    assert_non_null(strstr(b.p, "whole number, 1 to 65535; default 8000\n"));
    assert_null(strstr(b.p, "T_OTHER"));
    buf_clear(&b);
    cfg_markdown(rows, ARRAY_LEN(rows), &b);
    assert_non_null(
        strstr(b.p, "| `T_LEVEL` | one of LOW, HIGH | `LOW` | api, agent, worker | A level. |\n"));
    assert_non_null(strstr(b.p,
                           "| `T_KEY` | 32 bytes, base64 | unset | api, agent, worker | A key. "
                           "Secret. Read again while running. |\n"));
    buf_done(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear_environment, free_config)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cfg__defaults_hold_where_nothing_is_given),
        TEST(test_cfg__values_are_read_by_type),
        TEST(test_cfg__a_bad_value_is_named_with_an_example),
        TEST(test_cfg__a_file_may_hold_the_value),
        TEST(test_cfg__reload_takes_new_values_or_none),
        TEST(test_cfg__help_and_docs_come_from_the_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
