#include "libcommon/base/compat.h"
#include "libcommon/base/log.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/json.h"
#include <fcntl.h>
#include <setjmp.h>
#include <unistd.h>
#include <cmocka.h>

static char captured[1 << 16];
static int saved_stderr = -1, capture_fd = -1;

static int64_t fixed_wall(void)
{
    return INT64_C(1763964711426000);
}

static int start_capture(void **state)
{
    char path[] = "/tmp/test_log_XXXXXX";

    (void)state;
    capture_fd = mkstemp(path);
    unlink(path);
    saved_stderr = dup(STDERR_FILENO);
    dup2(capture_fd, STDERR_FILENO);
    clock_replace(NULL, fixed_wall);
    log_init("ceoagent-api", LOG_INFO);
    return 0;
}

static int stop_capture(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(capture_fd);
    clock_replace(NULL, NULL);
    return 0;
}

static const char *written(void)
{
    ssize_t n = pread(capture_fd, captured, sizeof captured - 1, 0);

    captured[n < 0 ? 0 : n] = '\0';
    return captured;
}

static void test_log__a_line_has_the_fields_in_order(void **state)
{
    (void)state;
    log_info("it ran", LOG_I("took_ms", 12), LOG_S("decision_id", "d1"), LOG_F("share", 0.25),
             LOG_B("ok", true), LOG_N("view", ((struct str){"abc", 2})), LOG_S("none", NULL),
             LOG_S("request_id", "req-1"));
    assert_string_equal(
        written(), "{\"timestamp\":\"2025-11-24T06:11:51.426Z\",\"level\":\"INFO\",\"service\":"
                   "\"ceoagent-api\",\"request_id\":\"req-1\",\"user_id\":null,\"message\":\"it "
                   "ran\",\"decision_id\":\"d1\",\"took_ms\":12,\"share\":0.25,\"ok\":true,"
                   "\"view\":\"ab\",\"none\":null}\n");
}

static void test_log__lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    log_debug("no");
    log_set_level(LOG_ERROR);
    log_warning("no");
    assert_string_equal(written(), "");
    log_error("yes");
    assert_non_null(strstr(written(), "\"level\":\"ERROR\""));
}

static void test_log__secrets_are_hidden_by_name(void **state)
{
    (void)state;
    log_info("x", LOG_S("api_key", "k1"), LOG_S("Authorization", "k2"),
             LOG_S("user_password", "k3"), LOG_S("client_secret", "k4"),
             LOG_S("refresh_token", "k5"), LOG_I("tokens_used", 77));
    assert_null(strstr(written(), "\"k"));
    assert_non_null(strstr(written(), "\"api_key\":\"***\""));
    assert_non_null(strstr(written(), "\"tokens_used\":77"));
}

static void test_log__every_line_is_json_whatever_it_holds(void **state)
{
    struct arena *a = arena_new();
    cJSON *line;

    (void)state;
    log_info("quote\" \n \x01 \xFF end", LOG_F("nan", 0.0 / 0.0), LOG_F("inf", 1 / 0.0),
             LOG_N("nul", ((struct str){"a\0b", 3})));
    assert_int_equal(json_parse(a, str_of(written()), 4, &line, NULL), 0);
    assert_string_equal(json_str(line, "message", ""), "quote\" \n \x01 \xEF\xBF\xBD end");
    assert_true(cJSON_IsNull(json_get(line, "nan")));
    arena_free(a);
}

static void test_log__a_long_line_loses_its_longest_value(void **state)
{
    struct arena *a = arena_new();
    char *big = arena_alloc(a, 20001), *middle = arena_alloc(a, 10001);
    cJSON *line;

    (void)state;
    memset(big, 'b', 20000);
    memset(middle, '"', 10000); /* 20 000 bytes once quoted */
    log_info("kept", LOG_S("big", big), LOG_S("middle", middle), LOG_S("small", "s"));
    assert_true(strlen(written()) < 16384);
    assert_int_equal(json_parse(a, str_of(captured), 4, &line, NULL), 0);
    assert_string_equal(json_str(line, "big", ""), "...");
    assert_string_equal(json_str(line, "middle", ""), "...");
    assert_string_equal(json_str(line, "small", ""), "s");
    assert_string_equal(json_str(line, "message", ""), "kept");
    arena_free(a);
}

static void test_log__levels_have_names(void **state)
{
    enum log_level level = LOG_INFO;

    (void)state;
    assert_int_equal(log_level_parse(STR("debug"), &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse(STR("Critical"), &level), 0);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_parse(STR("loud"), &level), ERR_INVALID);
}

static void test_log__personal_data_is_masked(void **state)
{
    static const char *const rows[][2] = {
        {"write to anna.b+x@example.co.uk, now", "write to [email], now"},
        {"<a@b.de>", "<[email]>"},
        {"a@b.de.", "[email]."},
        {"user@localhost", "user@localhost"},
        {"call +49 170 1234567 today", "call [phone] today"},
        {"+8613800138000", "[phone]"},
        {"13800138000", "[phone]"},
        {"(415) 555-2671", "[phone]"},
        {"tel:415-555-2671", "tel:415-555-2671"},
        {"tel: 415-555-2671.", "tel: [phone]."},
        {"415.555.2671", "[phone]"},
        {"1-800-555-0199", "[phone]"},
        {"06 12 34 56 78", "[phone]"},
        {"010-12345678", "[phone]"},
        {"acquire for $24M", "acquire for [amount]"},
        {"$1,234.50 and 5 EUR", "[amount] and [amount]"},
        {"EUR 12.5 million net", "[amount] net"},
        {"USD -3", "[amount]"},
        {"12.5 million USD", "[amount]"},
        {"\xE2\x82\xAC 3bn", "[amount]"},
        {"\xC2\xA5"
         "5000\xE4\xB8\x87",
         "[amount]"},
        {"1200\xE4\xB8\x87\xE5\x85\x83", "[amount]"},
        {"99\xE2\x82\xAC", "[amount]"},
    };
    char out[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        log_mask(str_of(rows[i][0]), out, sizeof out);
        assert_string_equal(out, rows[i][1]);
    }
}

static void test_log__what_operators_need_is_not_masked(void **state)
{
    static const char *const kept[] = {
        "0190a1b2-1234-7abc-8def-0123456789ab",
        "req-01234567-1234-7123-8123-012345678901",
        "2026-11-24T06:11:51.426Z",
        "2026-11-24 06:11:51",
        "24-11-2026",
        "1763964711426",
        "1763964711",
        "12345678901234567890",
        "192.168.100.200:8000",
        "10.0.0.0/8",
        "took 1234.567 ms of 5000",
        "version 1.2.3",
        "lease 17 of agent-7-123456789",
        "status 200, 15 of 40 steps",
        "port 8000",
        "/api/v1/decisions/1234567",
        "a@b",
        "USDX 5",
        "5 USDX",
        "$name",
        "seq=1234567",
        "12 items",
        "",
    };
    char out[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        log_mask(str_of(kept[i]), out, sizeof out);
        assert_string_equal(out, kept[i]);
    }
}

static void test_log__mask_stays_in_its_room(void **state)
{
    char out[8];

    (void)state;
    memset(out, 'x', sizeof out);
    log_mask(STR("ab\xE4\xB8\xAD\xE4\xB8\xAD"), out, 7);
    assert_string_equal(out, "ab\xE4\xB8\xAD");
    assert_int_equal(out[7], 'x');
    log_mask(STR("a@b.de"), out, 7);
    assert_string_equal(out, "");
    log_mask(STR("a"), out, 1);
    assert_string_equal(out, "");
}

#define CAPTURED(name) cmocka_unit_test_setup_teardown(name, start_capture, stop_capture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(test_log__a_line_has_the_fields_in_order),
        CAPTURED(test_log__lines_below_the_level_are_not_written),
        CAPTURED(test_log__secrets_are_hidden_by_name),
        CAPTURED(test_log__every_line_is_json_whatever_it_holds),
        CAPTURED(test_log__a_long_line_loses_its_longest_value),
        cmocka_unit_test(test_log__levels_have_names),
        cmocka_unit_test(test_log__personal_data_is_masked),
        cmocka_unit_test(test_log__what_operators_need_is_not_masked),
        cmocka_unit_test(test_log__mask_stays_in_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
