#include "libcommon/base/compat.h"
#include "libcommon/base/arena.h"
#include <setjmp.h>
#include <cmocka.h>

static char order[16];

static void note(void *p)
{
    size_t n = strlen(order);

    order[n] = *(char *)p;
    order[n + 1] = '\0';
}

static void test_arena__memory_is_zeroed_and_aligned(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(a, n);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, n); /* must not reach the next one */
    }
    arena_reset(a);
    for (int i = 0; i < 100; i++)
        assert_int_equal(*(unsigned char *)arena_alloc(a, 64), 0);
    arena_free(a);
}

static void test_arena__large_parts_do_not_waste_the_chunk(void **state)
{
    struct arena *a = arena_new();
    char *small, *next;

    (void)state;
    small = arena_alloc(a, 16);
    memset(arena_alloc(a, 1 << 20), 1, 1 << 20);
    next = arena_alloc(a, 16);
    assert_true(next > small && next - small < 1024);
    assert_int_equal(arena_used(a), (1 << 20) + 32);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    arena_free(a);
}

static void test_arena__copies(void **state)
{
    struct arena *a = arena_new();
    struct str s = arena_str(a, (struct str){"xyz", 2});

    (void)state;
    assert_string_equal(s.p, "xy");
    assert_string_equal(arena_strdup(a, "abc"), "abc");
    assert_null(arena_strdup(a, NULL));
    assert_string_equal(arena_strndup(a, "abc", 2), "ab");
    assert_string_equal(arena_strndup(a, "abc", 9), "abc");
    assert_memory_equal(arena_memdup(a, "abc", 3), "abc", 3);
    assert_string_equal(arena_printf(a, "%s-%d", "n", 5), "n-5");
    assert_int_equal(arena_str(a, (struct str){NULL, 0}).p[0], '\0');
    arena_free(a);
}

static void test_arena__reset_runs_callbacks_in_reverse(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    order[0] = '\0';
    arena_on_reset(a, note, "1");
    arena_on_reset(a, note, "2");
    arena_on_reset(a, note, "3");
    arena_reset(a);
    assert_string_equal(order, "321");
    arena_reset(a);
    assert_string_equal(order, "321");
    arena_on_reset(a, note, "4");
    arena_free(a);
    assert_string_equal(order, "3214");
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__memory_is_zeroed_and_aligned),
        cmocka_unit_test(test_arena__large_parts_do_not_waste_the_chunk),
        cmocka_unit_test(test_arena__copies),
        cmocka_unit_test(test_arena__reset_runs_callbacks_in_reverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
