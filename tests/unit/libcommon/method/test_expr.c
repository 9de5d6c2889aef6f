/* test_expr.c: the expression language at its edges. */
#include "libcommon/base/compat.h"
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/buf.h"
#include "libcommon/method/expr.h"

static const char *const names[] = {"x", "y", "zero", "t"};
static const double values[] = {3, 4, 0, 7};

/* "" or the reason of the fault. */
static const char *evaluate(const char *text, double *out)
{
    struct arena *a = arena_new();
    struct expr_fault f = {.reason = ""};
    struct expr *e;

    if (expr_parse(a, str_of(text), &(struct expr_names){names, 4}, &e, &f) == 0 &&
        expr_eval(e, values, out, &f) == 0)
        assert_string_equal(f.reason, "");
    else
        assert_true(strstr(f.message, "at character") != NULL);
    arena_free(a);
    return f.reason;
}

static void gives(const char *text, double want)
{
    double got = NAN;
    const char *reason = evaluate(text, &got);

    if (reason[0] != '\0')
        fail_msg("%s: %s", text, reason);
    if (!(fabs(got - want) <= 1e-12 * fmax(1, fabs(want))))
        fail_msg("%s is %.17g, not %.17g", text, got, want);
}

static void faults(const char *text, const char *want)
{
    double got;
    const char *reason = evaluate(text, &got);

    if (strcmp(reason, want) != 0)
        fail_msg("%.60s: \"%s\", not %s", text, reason, want);
}

static void test_expr__powers_bind_tighter_than_signs_and_to_the_right(void **state UNUSED)
{
    gives("-2^2", -4);
    gives("2^3^2", 512);
    gives("2^-1", 0.5);
    gives("2*-3", -6);
    gives("--2", 2);
    gives("-x^2", -9);
    gives("(-2)^2", 4);
}

static void test_expr__operators_follow_the_grammar(void **state UNUSED)
{
    gives("1+2*3", 7);
    gives("8/4/2", 1);
    gives("7-2-1", 4);
    gives("7%4*2", 6);
    gives("-7%3", -1);
    gives("1+1<3", 1);
    gives("2>=2", 1);
    gives("1!=1", 0);
    gives("!0", 1);
    gives("!x", 0);
    gives("!!x", 1);
    gives("!x == 0", 1);
    gives("1 || 0 && 0", 1);
    gives("2 && 3", 1);
    gives("0 || 5", 1);
    gives(" \t\n x \r+ y ", 7);
    gives(".5 + 5.", 5.5);
    gives("1e3 + 1E-3", 1000.001);
    gives("t*2", 14);
}

static void test_expr__functions(void **state UNUSED)
{
    gives("min(3,1,2)", 1);
    gives("max(3)", 3);
    gives("min(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,0)", 0);
    gives("abs(-2)", 2);
    gives("floor(-1.5)", -2);
    gives("ceil(-1.5)", -1);
    gives("round(2.5)", 3);
    gives("round(-2.5)", -3);
    gives("sqrt(16)", 4);
    gives("exp(0)", 1);
    gives("log(exp(2))", 2);
    gives("log10(1000)", 3);
    gives("pow(2,10)", 1024);
    gives("clamp(5,0,3)", 3);
    gives("clamp(-5,0,3)", 0);
    gives("npv(0.1,-100,60,60)", -100 + 60 / 1.1 + 60 / 1.21);
    gives("annuity(0.1,5)", 3.790786769408448);
    gives("annuity(0,5)", 5);
}

static void test_expr__if_evaluates_one_branch_only(void **state UNUSED)
{
    gives("if(zero == 0, 1, 1/zero)", 1);
    gives("if(zero, 1/zero, 2)", 2);
    gives("if(1, if(0, 1/0, 5), sqrt(-1))", 5);
    gives("if(t == 7, 1, 2) + if(t == 6, 10, 20)", 21);
    faults("if(1, 1/zero, 2)", "expression_not_finite");
}

static void test_expr__logic_stops_when_the_answer_is_known(void **state UNUSED)
{
    gives("zero != 0 && 1/zero > 1", 0);
    gives("zero == 0 || 1/zero > 1", 1);
    gives("0 && 1/0 || 2", 1);
}

static void test_expr__infinity_never_travels_on(void **state UNUSED)
{
    faults("1/zero", "expression_not_finite");
    faults("1/zero > 5", "expression_not_finite");
    faults("min(1/zero, 5)", "expression_not_finite");
    faults("exp(1000)", "expression_not_finite");
    faults("sqrt(-1)", "expression_not_finite");
    faults("log(0)", "expression_not_finite");
    faults("x % zero", "expression_not_finite");
    faults("(-8)^(1/3)", "expression_not_finite");
    faults("npv(-1, 5)", "expression_not_finite");
    faults("clamp(1, 3, 2)", "expression_not_finite");
    faults("1e999", "expression_not_finite");
}

static void test_expr__what_is_not_in_the_grammar_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "",      " ",         "1 +",     "+1",       "1 2",          "x y",        "(1",     "1)",
        "()",    "1 < 2 < 3", "1 = 2",   "1 & 2",    "1 | 2",        "a.b",        "\"x\"",  "x;",
        "min()", "min(1,)",   "if(1,2)", "abs(1,2)", "pow(2)",       "annuity(1)", "npv(1)", "1e",
        "0x10",  "1_000",     "2(3)",    "x[0]",     "\xe4\xb8\xad", "1..2",       "^2",     "*2",
        "1 /",   "if",        "1,2",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        double got;
        const char *reason = evaluate(bad[i], &got);

        if (strcmp(reason, "expression_syntax") != 0 && strcmp(reason, "unknown_name") != 0)
            fail_msg("%s: \"%s\"", bad[i], reason);
    }
    faults("min(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)", "expression_syntax");
}

static void test_expr__a_name_must_be_known_even_where_it_is_not_used(void **state UNUSED)
{
    faults("q", "unknown_name");
    faults("if(1, 2, q)", "unknown_name");
    faults("sin(1)", "unknown_name");
    faults("X", "unknown_name");
    faults("x(1)", "unknown_name");
}

static void repeat(struct buf *b, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        buf_puts(b, text);
}

/* text of before * n, "1", after * n */
static void bomb(const char *before, int n, const char *after, const char *reason)
{
    struct buf b;
    double got;

    buf_init(&b, 1 << 16);
    repeat(&b, before, n);
    buf_puts(&b, "1");
    repeat(&b, after, n);
    if (strcmp(evaluate(b.p, &got), reason) != 0)
        fail_msg("%d of %s", n, before);
    buf_done(&b);
}

static void test_expr__depth_size_and_length_are_bounded(void **state UNUSED)
{
    bomb("(", 64, ")", "");
    bomb("(", 65, ")", "expression_too_large");
    bomb("(", 900, "", "expression_too_large");
    bomb("-", 64, "", "");
    bomb("-", 1900, "", "expression_too_large");
    bomb("1^", 64, "", "");
    bomb("1^", 900, "", "expression_too_large");
    bomb("abs(", 65, ")", "expression_too_large");
    bomb("", 249, "+1", "");
    bomb("", 250, "+1", "expression_too_large");
    bomb("", 2000, " ", "expression_too_large");
    bomb("if(1,1,", 40, ")", "");
    bomb("1&&", 300, "", "expression_too_large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr__powers_bind_tighter_than_signs_and_to_the_right),
        cmocka_unit_test(test_expr__operators_follow_the_grammar),
        cmocka_unit_test(test_expr__functions),
        cmocka_unit_test(test_expr__if_evaluates_one_branch_only),
        cmocka_unit_test(test_expr__logic_stops_when_the_answer_is_known),
        cmocka_unit_test(test_expr__infinity_never_travels_on),
        cmocka_unit_test(test_expr__what_is_not_in_the_grammar_is_refused),
        cmocka_unit_test(test_expr__a_name_must_be_known_even_where_it_is_not_used),
        cmocka_unit_test(test_expr__depth_size_and_length_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
