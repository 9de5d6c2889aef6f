/* test_fuse.c: two ranked lists become one. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/knowledge/search.h"

static struct knowledge_rank rank(uint8_t id, double score)
{
    return (struct knowledge_rank){.id = {{id}}, .score = score};
}

static int fuse(struct arena *a, const struct knowledge_rank *t, int tn,
                const struct knowledge_rank *v, int vn, struct knowledge_rank *out)
{
    return knowledge_fuse(a, t, tn, v, vn, 0.7, out, 10);
}

static void test_fuse__scores_of_both_lists_are_stretched_and_weighed(void **state)
{
    struct arena *a = arena_new();
    struct knowledge_rank text[] = {rank(1, 0.8), rank(2, 0.4), rank(3, 0.2)};
    struct knowledge_rank near[] = {rank(2, 0.88), rank(4, 0.80)}, out[10];

    (void)state;
    assert_int_equal(fuse(a, text, 3, near, 2, out), 4);
    assert_int_equal(out[0].id.b[0], 2); /* 0.3 * 0.5 + 0.7 */
    assert_float_equal(out[0].score, 0.85, 1e-9);
    assert_int_equal(out[1].id.b[0], 1);
    assert_float_equal(out[1].score, 0.3, 1e-9);
    assert_int_equal(out[2].id.b[0], 3); /* a quarter of the best text */
    assert_float_equal(out[2].score, 0.075, 1e-9);
    assert_int_equal(out[3].id.b[0], 4); /* the farthest vector */
    assert_float_equal(out[3].score, 0, 1e-9);
    arena_free(a);
}

static void test_fuse__one_list_alone_keeps_its_order(void **state)
{
    struct arena *a = arena_new();
    struct knowledge_rank text[] = {rank(9, 0.4), rank(1, 0.3), rank(5, 0.2)}, out[10];

    (void)state;
    assert_int_equal(fuse(a, text, 3, NULL, 0, out), 3);
    assert_int_equal(out[0].id.b[0], 9);
    assert_int_equal(out[2].id.b[0], 5);
    assert_int_equal(fuse(a, NULL, 0, NULL, 0, out), 0);
    arena_free(a);
}

static void test_fuse__equal_scores_are_ones_and_the_limit_holds(void **state)
{
    struct arena *a = arena_new();
    struct knowledge_rank near[] = {rank(3, 0.8), rank(2, 0.8)}, out[10];

    (void)state;
    assert_int_equal(knowledge_fuse(a, NULL, 0, near, 2, 0.7, out, 1), 1);
    assert_int_equal(out[0].id.b[0], 2);
    assert_float_equal(out[0].score, 0.7, 1e-9);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fuse__scores_of_both_lists_are_stretched_and_weighed),
        cmocka_unit_test(test_fuse__one_list_alone_keeps_its_order),
        cmocka_unit_test(test_fuse__equal_scores_are_ones_and_the_limit_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
