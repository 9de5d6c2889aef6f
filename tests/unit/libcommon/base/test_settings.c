#include "libcommon/base/compat.h"
#include "libcommon/base/settings.h"
#include <setjmp.h>
#include <cmocka.h>

#define KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

static struct settings s;
static struct err err;

static int setup(void **state)
{
    (void)state;
    clearenv();
    setenv("DATABASE_URL", "postgresql://localhost/x", 1);
    setenv("REDIS_URL", "redis://localhost:6379/0", 1);
    setenv("ENCRYPTION_KEY", KEY, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    settings_free(&s);
    return 0;
}

static void test_settings__three_values_are_enough(void **state)
{
    (void)state;
    assert_int_equal(settings_load(&s, CFG_AGENT, &err), 0);
    assert_string_equal(s.database_migrate_url, s.database_url);
    assert_string_equal(s.broker_url, s.redis_url);
    assert_string_equal(s.result_url, s.redis_url);
    assert_string_equal(s.providers, "offline");
    assert_string_equal(s.ready_requires, "database,redis");
    assert_string_equal(s.environment, "development");
    assert_string_equal(s.queue_prefix, "");
    assert_null(s.secret_key);
    assert_null(s.temperature);
    assert_int_equal(s.claude_max_tokens, 16000);
    assert_int_equal(s.budget_steps, 40);
    assert_true(s.budget_usd == 5.0);
    assert_true(s.http2);
}

static void test_settings__providers_follow_the_keys(void **state)
{
    (void)state;
    setenv("ANTHROPIC_API_KEY", "sk-ant-x", 1);
    assert_int_equal(settings_load(&s, CFG_AGENT, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "CLAUDE_MODEL is required"));
    assert_int_equal(settings_load(&s, CFG_API, &err), 0); /* the gateway calls no model */
    settings_free(&s);
    setenv("CLAUDE_MODEL", "m", 1);
    setenv("OPENAI_BASE_URL", "http://llama:8080/v1", 1);
    setenv("OPENAI_MODEL", "n", 1);
    assert_int_equal(settings_load(&s, CFG_AGENT, &err), 0);
    assert_string_equal(s.providers, "anthropic,openai");
}

static void test_settings__rules_between_settings(void **state)
{
    static const char *const rows[][3] = {
        {"DATABASE_POOL_MIN", "9", "DATABASE_POOL_MIN=9: must not be over DATABASE_POOL_MAX"},
        {"TEMPERATURE", "warm", "TEMPERATURE=warm: must be a number from 0 to 2"},
        {"TEMPERATURE", "2.1", "TEMPERATURE=2.1: must be a number from 0 to 2"},
        {"ENCRYPTION_KEYS_OLD", KEY ",abc", "ENCRYPTION_KEYS_OLD=(hidden): each part"},
        {"EMBEDDINGS_URL", "http://e/v1", "EMBEDDINGS_MODEL is required"},
        {"PROVIDERS", "openai", "OPENAI_MODEL is required"},
        {"RATE_LIMIT_PER_MINUTE", "101", "RATE_LIMIT_PER_MINUTE=101: must be a whole number"},
        {"ENCRYPTION_KEY", "", "ENCRYPTION_KEY=(hidden): is required"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned program = strcmp(rows[i][0], "RATE_LIMIT_PER_MINUTE") == 0 ? CFG_API : CFG_AGENT;

        setup(state);
        setenv(rows[i][0], rows[i][1], 1);
        assert_int_equal(settings_load(&s, program, &err), ERR_INVALID);
        if (strncmp(err.msg, rows[i][2], strlen(rows[i][2])) != 0)
            fail_msg("%s", err.msg);
        assert_non_null(strstr(err.msg, "for example"));
    }
}

static void test_settings__production_has_no_wildcard_origin(void **state)
{
    (void)state;
    setenv("CORS_ORIGINS", "*", 1);
    assert_int_equal(settings_load(&s, CFG_API, &err), 0);
    settings_free(&s);
    setenv("APP_ENV", "production", 1);
    assert_int_equal(settings_load(&s, CFG_API, &err), ERR_INVALID);
}

static void test_settings__every_row_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < settings_count; i++) {
        const struct cfg_option *o = &settings_rows[i];

        assert_true(o->offset < sizeof(struct settings));
        assert_true((o->flags & CFG_ALL) != 0);
        assert_true(o->help[0] != '\0' && o->help[strlen(o->help) - 1] != '.');
        for (size_t k = 0; k < i; k++) {
            assert_true(settings_rows[k].offset != o->offset);
            assert_string_not_equal(settings_rows[k].name, o->name);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_settings__three_values_are_enough),
        TEST(test_settings__providers_follow_the_keys),
        TEST(test_settings__rules_between_settings),
        TEST(test_settings__production_has_no_wildcard_origin),
        TEST(test_settings__every_row_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
