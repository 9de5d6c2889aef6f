/* test_embeddings.c: what servers answer, and what is no answer. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/llm/embeddings.h"

static int take(struct arena *a, const char *body, int n, const float ***v, int *dimension)
{
    struct err err;

    return embeddings_read(str_of(body), n, a, v, dimension, &err);
}

static void test_embeddings__vectors_come_in_the_order_of_the_texts(void **state)
{
    struct arena *a = arena_new();
    const float **v;
    int dimension;

    (void)state;
    assert_int_equal(
        take(a,
             "{\"object\":\"list\",\"data\":["
             "{\"index\":1,\"embedding\":[3,4.5]},{\"index\":0,\"embedding\":[1,-2]}]}",
             2, &v, &dimension),
        0);
    assert_int_equal(dimension, 2);
    assert_true(v[0][0] == 1 && v[0][1] == -2 && v[1][1] == 4.5f);
    assert_int_equal(
        take(a, "{\"data\":[{\"embedding\":[7]},{\"embedding\":[8]}]}", 2, &v, &dimension), 0);
    assert_true(v[1][0] == 8);
    arena_free(a);
}

static void test_embeddings__base64_is_read_too(void **state)
{
    struct arena *a = arena_new();
    const float **v;
    int dimension;

    (void)state;
    assert_int_equal(
        take(a, "{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAAAMA=\"}]}", 1, &v, &dimension), 0);
    assert_int_equal(dimension, 2);
    assert_true(v[0][0] == 1 && v[0][1] == -2);
    arena_free(a);
}

static void test_embeddings__what_is_no_answer_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"data\":{}}",
        "{\"data\":[]}",
        "{\"data\":[1]}",
        "{\"data\":[{\"embedding\":[]}]}",
        "{\"data\":[{\"embedding\":[\"1\"]}]}",
        "{\"data\":[{\"embedding\":[1e300]}]}",
        "{\"data\":[{\"embedding\":\"AACAPw\"}]}",
        "{\"data\":[{\"embedding\":\"AADAfw==\"}]}", /* not a number */
        "{\"data\":[{\"embedding\":\"!!!!!!!!\"}]}",
        "{\"data\":[{\"index\":1,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":-1,\"embedding\":[1]}]}",
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":[1]}]}",
    };
    struct arena *a = arena_new();
    const float **v;
    int dimension;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (take(a, bad[i], 1, &v, &dimension) != ERR_PROTOCOL)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(take(a,
                          "{\"data\":[{\"index\":0,\"embedding\":[1]},"
                          "{\"index\":0,\"embedding\":[1]}]}",
                          2, &v, &dimension),
                     ERR_PROTOCOL);
    assert_int_equal(
        take(a, "{\"data\":[{\"embedding\":[1]},{\"embedding\":[1,2]}]}", 2, &v, &dimension),
        ERR_PROTOCOL);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embeddings__vectors_come_in_the_order_of_the_texts),
        cmocka_unit_test(test_embeddings__base64_is_read_too),
        cmocka_unit_test(test_embeddings__what_is_no_answer_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
