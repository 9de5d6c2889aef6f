#include "libcommon/base/compat.h"
#include "libcommon/base/map.h"
#include <setjmp.h>
#include <cmocka.h>

static struct str key_of(int i, char room[16])
{
    snprintf(room, 16, "key-%d", i);
    return str_of(room);
}

static void test_map__sets_gets_and_replaces(void **state)
{
    struct map *m = map_new();
    int a, b;

    (void)state;
    assert_null(map_get(m, STR("x")));
    assert_null(map_del(m, STR("x")));
    assert_null(map_set(m, STR("x"), &a));
    assert_ptr_equal(map_set(m, STR("x"), &b), &a);
    assert_ptr_equal(map_get(m, STR("x")), &b);
    assert_null(map_get(m, STR("X")));
    assert_null(map_set(m, STR(""), &a));
    assert_ptr_equal(map_get(m, (struct str){NULL, 0}), &a);
    assert_null(map_set(m, (struct str){"a\0b", 3}, &a));
    assert_null(map_get(m, (struct str){"a\0c", 3}));
    assert_int_equal(map_count(m), 3);
    assert_ptr_equal(map_del(m, STR("x")), &b);
    assert_null(map_get(m, STR("x")));
    map_free(m);
    map_free(NULL);
}

/* Against a plain array as the model, with removals all over the probe sequences. */
static void test_map__holds_what_a_model_holds(void **state)
{
    enum { KEYS = 500 };
    static int values[KEYS];
    bool there[KEYS] = {false};
    struct map *m = map_new();
    unsigned seed = 1;
    char room[16];

    (void)state;
    for (int step = 0; step < 20000; step++) {
        int i;

        seed = seed * 1103515245 + 12345;
        i = (int)(seed >> 16) % KEYS;
        if (seed >> 8 & 1) {
            assert_ptr_equal(map_set(m, key_of(i, room), &values[i]), there[i] ? &values[i] : NULL);
            there[i] = true;
        } else {
            assert_ptr_equal(map_del(m, key_of(i, room)), there[i] ? &values[i] : NULL);
            there[i] = false;
        }
    }
    for (int i = 0; i < KEYS; i++)
        assert_ptr_equal(map_get(m, key_of(i, room)), there[i] ? &values[i] : NULL);
    map_free(m);
}

static void test_map__walk_sees_each_entry_once(void **state)
{
    struct map *m = map_new();
    bool seen[100] = {false};
    static int values[100];
    struct str key;
    void *value;
    size_t pos = 0;
    char room[16];

    (void)state;
    assert_false(map_next(m, &pos, &key, &value));
    for (int i = 0; i < 100; i++)
        map_set(m, key_of(i, room), &values[i]);
    pos = 0;
    while (map_next(m, &pos, &key, &value)) {
        int i = (int)((int *)value - values);

        assert_false(seen[i]);
        seen[i] = true;
        assert_true(str_eq(key, key_of(i, room)));
    }
    for (int i = 0; i < 100; i++)
        assert_true(seen[i]);
    map_free(m);
}

static void test_map__hash_depends_on_every_byte(void **state)
{
    char text[24] = {0};
    uint64_t base = map_hash((struct str){text, sizeof text});

    (void)state;
    assert_true(base == map_hash((struct str){text, sizeof text}));
    assert_true(base != map_hash((struct str){text, sizeof text - 1}));
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = 1;
        assert_true(base != map_hash((struct str){text, sizeof text}));
        text[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map__sets_gets_and_replaces),
        cmocka_unit_test(test_map__holds_what_a_model_holds),
        cmocka_unit_test(test_map__walk_sees_each_entry_once),
        cmocka_unit_test(test_map__hash_depends_on_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
