/* test_figures.c: the reader of figures, by table: text in, value and unit out. */
#include "libcommon/base/compat.h"
#include "libcommon/method/figures.h"
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

struct row {
    const char *lang, *text;
    double value;
    enum figure_unit unit;
    const char *currency;
    bool ambiguous;
};

static const struct row singles[] = {
    {"en", "12M", 12e6, FIGURE_NUMBER, "", false},
    {"en", "€1.5bn", 1.5e9, FIGURE_CURRENCY, "EUR", false},
    {"en", "1.5亿元", 1.5e8, FIGURE_CURRENCY, "CNY", false},
    {"en", "3,200万", 32e6, FIGURE_NUMBER, "", false},
    {"en", "8.5%", 0.085, FIGURE_RATIO, "", false},
    {"en", "(4.2)m USD", -4.2e6, FIGURE_CURRENCY, "USD", false},
    {"zh", "三千五百万", 35e6, FIGURE_NUMBER, "", false},
    {"en", "two and a half million", 2.5e6, FIGURE_NUMBER, "", false},
    {"en", "25 bps", 0.0025, FIGURE_RATIO, "", false},
    {"en", "¥800", 800, FIGURE_CURRENCY, "", true},
    {"zh", "¥800", 800, FIGURE_CURRENCY, "CNY", false},
    {"en", "1,200", 1200, FIGURE_NUMBER, "", false},
    {"en", "1.200", 1.2, FIGURE_NUMBER, "", true},
    {"en", "1.234,56", 1234.56, FIGURE_NUMBER, "", false},
    {"en", "1,234.5", 1234.5, FIGURE_NUMBER, "", false},
    {"en", "1'200'000", 1.2e6, FIGURE_NUMBER, "", false},
    {"en", "1 200 000", 1.2e6, FIGURE_NUMBER, "", false},
    {"en", "1,5", 1.5, FIGURE_NUMBER, "", false},
    {"en", "−3.5m", -3.5e6, FIGURE_NUMBER, "", false},
    {"en", "5 lakh", 5e5, FIGURE_NUMBER, "", false},
    {"en", "3 crore", 3e7, FIGURE_NUMBER, "", false},
    {"en", "HK$5m", 5e6, FIGURE_CURRENCY, "HKD", false},
    {"en", "half a million", 5e5, FIGURE_NUMBER, "", false},
    {"en", "three dozen", 36, FIGURE_NUMBER, "", false},
    {"en", "twenty-five percent", 0.25, FIGURE_RATIO, "", false},
    {"en", "2.1 percentage points", 0.021, FIGURE_RATIO_POINTS, "", false},
    {"en", "1.5x", 1.5, FIGURE_MULTIPLE, "", false},
    {"en", "18 months", 1.5, FIGURE_YEARS, "", false},
    {"en", "26 weeks", 0.5, FIGURE_YEARS, "", false},
    {"en", "73 days", 0.2, FIGURE_YEARS, "", false},
    {"zh", "人民币500万", 5e6, FIGURE_CURRENCY, "CNY", false},
    {"zh", "２．５亿美元", 2.5e8, FIGURE_CURRENCY, "USD", false},
    {"zh", "百分之八点五", 0.085, FIGURE_RATIO, "", false},
    {"zh", "三成五", 0.35, FIGURE_RATIO, "", false},
    {"zh", "3个百分点", 0.03, FIGURE_RATIO_POINTS, "", false},
    {"zh", "两年半", 2.5, FIGURE_YEARS, "", false},
    {"zh", "六个月", 0.5, FIGURE_YEARS, "", false},
    {"zh", "3倍", 3, FIGURE_MULTIPLE, "", false},
    {"zh", "1亿2000万元", 1.2e8, FIGURE_CURRENCY, "CNY", false},
    {"zh", "一万零五十", 10050, FIGURE_NUMBER, "", false},
    {"en", "$(4.2)m", -4.2e6, FIGURE_CURRENCY, "USD", false},
    {"en", "(12.5%)", -0.125, FIGURE_RATIO, "", false},
    {"en", "churn (46 %)", 0.46, FIGURE_RATIO, "", false},
    {"en", "€ 3,5 Mrd", 3.5e9, FIGURE_CURRENCY, "EUR", false},
    {"zh", "（200）万元", -2e6, FIGURE_CURRENCY, "CNY", false},
    {"zh", "半年", 0.5, FIGURE_YEARS, "", false},
};

static void near(double got, double want)
{
    assert_true(fabs(got - want) <= 1e-9 + 1e-12 * fabs(want));
}

static void test_figures__reads_value_unit_and_currency(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(singles); i++) {
        struct figure *f;
        size_t n = figures_scan(a, str_of(singles[i].text), singles[i].lang, &f);

        if (n != 1)
            print_error("%s\n", singles[i].text);
        assert_int_equal(n, 1);
        near(f->value, singles[i].value);
        assert_int_equal(f->unit, singles[i].unit);
        assert_string_equal(f->currency, singles[i].currency);
        assert_int_equal(f->ambiguous, singles[i].ambiguous);
        assert_true(isnan(f->low));
    }
    arena_free(a);
}

static void test_figures__dates_versions_and_ids_are_no_figures(void **state)
{
    static const char *const none[] = {"2025-10-12",    "in 2025",
                                       "v2.1",          "clause 4.2",
                                       "version 1.2.3", "ABC-123",
                                       "1. Item",       "+86 138 0013 8000",
                                       "2026年4月15日", "第三条",
                                       "一定可以统一",  "FY26 and Q3 2026",
                                       "15 April 2026", "10:30",
                                       "二〇二五年",    "版本2.1",
                                       "数十亿",        "tel. 020 7946 0958",
                                       "十分保守"};
    struct arena *a = arena_new();
    struct figure *f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        size_t n =
            figures_scan(a, str_of(none[i]), (unsigned char)none[i][0] > 127 ? "zh" : "en", &f);
        if (n != 0)
            print_error("%s\n", none[i]);
        assert_int_equal(n, 0);
    }
    arena_free(a);
}

static void test_figures__ranges_have_low_high_and_midpoint(void **state)
{
    static const struct {
        const char *text;
        double low, high;
        enum figure_unit unit;
    } ranges[] = {
        {"3–5M", 3e6, 5e6, FIGURE_NUMBER},
        {"between 3 and 5 million", 3e6, 5e6, FIGURE_NUMBER},
        {"3到5万", 3e4, 5e4, FIGURE_NUMBER},
        {"EUR 3-5M", 3e6, 5e6, FIGURE_CURRENCY},
        {"2 % to 30 %", 0.02, 0.3, FIGURE_RATIO},
        {"3-5 years", 3, 5, FIGURE_YEARS},
        {"10万至20万元", 1e5, 2e5, FIGURE_CURRENCY},
    };
    struct arena *a = arena_new();
    struct figure *f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        assert_int_equal(figures_scan(a, str_of(ranges[i].text), "en", &f), 1);
        near(f->low, ranges[i].low);
        near(f->high, ranges[i].high);
        near(f->value, (ranges[i].low + ranges[i].high) / 2);
        assert_int_equal(f->unit, ranges[i].unit);
    }
    arena_free(a);
}

static void test_figures__periods_and_timing_are_kept(void **state)
{
    static const struct {
        const char *text, *period;
        int from, to;
        bool at_start;
    } rows[] = {
        {"$1.2m per month", "month", 0, 0, false},
        {"2.1 % a year", "year", 0, 0, false},
        {"每月300万元", "month", 0, 0, false},
        {"30万元/年", "year", 0, 0, false},
        {"FY26 revenue of 3M", "FY26", 0, 0, false},
        {"2026年第三季度营收1.2亿元", "2026Q3", 0, 0, false},
        {"April 2026: EUR 5M", "2026-04", 0, 0, false},
        {"1.05M a year in years 2 to 6", "year", 2, 6, false},
        {"EUR 1.1M a year from the second year", "year", 2, 0, false},
        {"0.9M now", "", 0, 0, true},
    };
    struct arena *a = arena_new();
    struct figure *f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(figures_scan(a, str_of(rows[i].text), "zh", &f), 1);
        assert_string_equal(f->period, rows[i].period);
        assert_int_equal(f->year_from, rows[i].from);
        assert_int_equal(f->year_to, rows[i].to);
        assert_int_equal(f->at_start, rows[i].at_start);
    }
    arena_free(a);
}

static void test_figures__a_header_scales_its_table(void **state)
{
    struct arena *a = arena_new();
    struct figure *f;

    (void)state;
    assert_int_equal(
        figures_scan(a, STR("# amounts in thousands of EUR\nitem,2024,2025\nebitda,2710,2900\n"),
                     "en", &f),
        2);
    near(f[1].value, 2.9e6);
    assert_string_equal(f[1].currency, "EUR");
    assert_string_equal(f[1].period, "2025");
    assert_int_equal(
        figures_scan(a, STR("| part | cost_kchf |\n|---|---|\n| pump | 12.5 |\n"), "en", &f), 1);
    near(f[0].value, 12500);
    assert_string_equal(f[0].currency, "CHF");
    assert_int_equal(
        figures_scan(a, STR("supplier,price_eur,basis\nAcme,240,per dozen\nBolt,19,per unit\n"),
                     "en", &f),
        2);
    near(f[0].value, 20);
    near(f[1].value, 19);
    assert_int_equal(
        figures_scan(a, STR("单位：万元\n方案,第0年,第1年\n合资,-9000,1200\n"), "zh", &f), 2);
    near(f[0].value, -9e7);
    assert_true(f[0].at_start);
    near(f[1].value, 1.2e7);
    assert_int_equal(f[1].year_from, 1);
    arena_free(a);
}

static void test_figures__offsets_are_those_of_the_given_text(void **state)
{
    static const char text[] = "预算为（约）１．５亿元。";
    struct arena *a = arena_new();
    struct figure *f;

    (void)state;
    assert_int_equal(figures_scan(a, str_of(text), "zh", &f), 1);
    assert_memory_equal(text + f->start, "１．５亿元", f->end - f->start);
    arena_free(a);
}

static void test_figures__bytes_that_are_not_utf8_are_refused(void **state)
{
    struct arena *a = arena_new();
    cJSON *out = NULL;

    (void)state;
    assert_int_equal(figures_read(STR("5 \xFF\xFE million"), "en", a, &out), ERR_INVALID);
    assert_int_equal(figures_read(STR(""), "en", a, &out), 0);
    assert_int_equal(cJSON_GetArraySize(out), 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures__reads_value_unit_and_currency),
        cmocka_unit_test(test_figures__dates_versions_and_ids_are_no_figures),
        cmocka_unit_test(test_figures__ranges_have_low_high_and_midpoint),
        cmocka_unit_test(test_figures__periods_and_timing_are_kept),
        cmocka_unit_test(test_figures__a_header_scales_its_table),
        cmocka_unit_test(test_figures__offsets_are_those_of_the_given_text),
        cmocka_unit_test(test_figures__bytes_that_are_not_utf8_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
