/* test_special.c: distribution functions, quantiles, roots and the random stream, against values
 * computed with 30 digits. */
#include "libcommon/base/compat.h"
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/method/matrix.h"
#include "libcommon/method/prng.h"
#include "libcommon/method/root.h"
#include "libcommon/method/special.h"
#include "libcommon/method/stat.h"
#include "libcommon/method/sum.h"

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g is not %.17g", got, want);
}

static void test_special__normal_inverse(void **state UNUSED)
{
    near(normal_inv(0.975), 1.959963984540054, 1e-15);
    near(normal_inv(0.3), -0.5244005127080408, 1e-15);
    near(normal_inv(0.5), 0, 0);
    near(normal_inv(1e-300), -37.0470962993612, 1e-9);
    assert_true(isnan(normal_inv(0)) && isnan(normal_inv(1)) && isnan(normal_inv(NAN)));
    for (double p = 0.001; p < 1; p += 0.013)
        near(normal_cdf(normal_inv(p)), p, 1e-14);
}

static void test_special__incomplete_beta_and_its_inverse(void **state UNUSED)
{
    static const double shapes[][2] = {{1, 1}, {1.8, 4.2}, {5, 1}, {1, 5}, {300, 200}, {2.5, 2.5}};
    struct beta_inv t;

    near(beta_inc(2, 3, 0.4), 0.5248, 1e-15);
    near(beta_inc(1.5, 0.5, 0.999), 0.959743341884968, 1e-14);
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        beta_inv_init(&t, shapes[i][0], shapes[i][1]);
        for (double p = 0.0005; p < 1; p += 0.0173)
            near(beta_inc(shapes[i][0], shapes[i][1], beta_inv_at(&t, p)), p, 2e-11);
    }
    beta_inv_init(&t, 3, 2);
    near(beta_inv_at(&t, 0.5), 0.614272431867610, 1e-12);
}

static void test_special__student_p(void **state UNUSED)
{
    near(student_p(2.5, 9), 0.0338618276829857, 1e-15);
    near(student_p(-2.5, 9), 0.0338618276829857, 1e-15);
    near(student_p(0, 3), 1, 1e-15);
    assert_true(isnan(student_p(1, 0)));
}

static void test_prng__splitmix_and_uniform(void **state UNUSED)
{
    uint64_t state64 = 1234567;
    struct prng g;

    assert_true(splitmix64(&state64) == 6457827717110365317u);
    assert_true(splitmix64(&state64) == 3203168211198807973u);
    prng_seed(&g, 42);
    for (int i = 0; i < 10000; i++) {
        double u = prng_uniform(&g);

        assert_true(u > 0 && u < 1);
    }
}

static void test_sum__keeps_what_a_plain_sum_loses(void **state UNUSED)
{
    const double x[] = {1, 1e100, 1, -1e100};

    near(sum_of(x, 4), 2, 0);
    near(sum_of(x, 0), 0, 0);
}

static void test_stat__quantiles_ranks_and_correlation(void **state UNUSED)
{
    const double sorted[] = {1, 2, 3, 4, 10}, x[] = {3, 1, 3, 2}, flat[] = {5, 5, 5, 5};
    struct stat_pair order[4];
    double ranks[4];

    near(stat_quantile(sorted, 5, 0.25), 2, 0);
    near(stat_quantile(sorted, 5, 0.9), 7.6, 1e-12);
    near(stat_quantile(sorted, 5, 1), 10, 0);
    near(stat_quantile(sorted, 5, 0), 1, 0);
    assert_true(isnan(stat_quantile(sorted, 0, 0.5)));
    stat_ranks(x, 4, order, ranks);
    near(ranks[0], 3.5, 0);
    near(ranks[1], 1, 0);
    near(ranks[2], 3.5, 0);
    near(stat_sd(sorted, 5), 3.5355339059327378, 1e-14);
    assert_true(isnan(stat_sd(x, 1)));
    assert_true(isnan(stat_correlation(x, flat, 4)));
    near(stat_correlation(x, x, 4), 1, 1e-15);
}

static double cubic(double x, void *arg UNUSED)
{
    return x * x * x - 2 * x - 5;
}

static void test_root__brent_finds_the_zero(void **state UNUSED)
{
    near(root_brent(cubic, NULL, 2, cubic(2, NULL), 3, cubic(3, NULL), 1e-12), 2.0945514815423265,
         1e-11);
    near(root_brent(cubic, NULL, 3, cubic(3, NULL), 2, cubic(2, NULL), 1e-12), 2.0945514815423265,
         1e-11);
}

static void test_matrix__cholesky_and_eigenvalues(void **state UNUSED)
{
    double a[9] = {4, 2, 0, 2, 5, 3, 0, 3, 6}, l[9], b[4] = {1, 2, 2, 1};

    assert_true(matrix_cholesky(a, 3, l));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            near(sum_dot(l + 3 * i, l + 3 * j, 3), a[3 * i + j], 1e-14);
    assert_false(matrix_cholesky(b, 2, l));
    near(matrix_smallest_eigenvalue(b, 2), -1, 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special__normal_inverse),
        cmocka_unit_test(test_special__incomplete_beta_and_its_inverse),
        cmocka_unit_test(test_special__student_p),
        cmocka_unit_test(test_prng__splitmix_and_uniform),
        cmocka_unit_test(test_sum__keeps_what_a_plain_sum_loses),
        cmocka_unit_test(test_stat__quantiles_ranks_and_correlation),
        cmocka_unit_test(test_root__brent_finds_the_zero),
        cmocka_unit_test(test_matrix__cholesky_and_eigenvalues),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
