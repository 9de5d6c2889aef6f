/* test_crypt.c: published vectors for the primitives; for the envelope what an operator and an
 * attacker do to it. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/id.h"
#include "libcommon/sec/crypt.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

static struct keyring *ring(const char *key, const char *old)
{
    struct keyring *k;
    struct err err;

    assert_int_equal(keyring_new(key, old, &k, &err), 0);
    return k;
}

static struct str hex(struct arena *a, const char *text)
{
    size_t n = strlen(text) / 2;
    char *p = arena_alloc(a, n + 1);

    assert_int_equal(hex_decode(str_of(text), p, n), 0);
    return (struct str){p, n};
}

static void expect_hex(const uint8_t *got, size_t n, const char *want)
{
    char text[2 * 128 + 1];

    assert_string_equal(hex_encode(got, n, text), want);
}

static void test_crypt__sha256_matches_fips_180(void **state)
{
    const struct sha256_part parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
    uint8_t d[32];

    (void)state;
    sha256("abc", 3, d);
    expect_hex(d, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_parts(parts, 3, d);
    expect_hex(d, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(NULL, 0, d);
    expect_hex(d, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_crypt__hmac_matches_rfc_4231(void **state)
{
    static const struct {
        const char *key, *data, *mac;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    struct arena *a = arena_new();
    uint8_t d[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        hmac_sha256(hex(a, cases[i].key), hex(a, cases[i].data), d);
        expect_hex(d, 32, cases[i].mac);
    }
    arena_free(a);
}

static void test_crypt__hkdf_matches_rfc_5869(void **state)
{
    static const struct {
        const char *ikm, *salt, *info, *okm;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
         "f0f1f2f3f4f5f6f7f8f9",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    };
    struct arena *a = arena_new();
    uint8_t out[42];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        hkdf_sha256(hex(a, cases[i].ikm), hex(a, cases[i].salt), hex(a, cases[i].info), out, 42);
        expect_hex(out, 42, cases[i].okm);
    }
    arena_free(a);
}

/* McGrew and Viega, test case 16 of "The Galois/Counter Mode of Operation" (AES-256, with AAD). */
static const char *const nonce_of_case_16 = "cafebabefacedbaddecaf888";

static void fixed_nonce(void *p, size_t n)
{
    assert_int_equal(hex_decode(str_of(nonce_of_case_16), p, n), 0);
}

static void test_crypt__envelope_holds_the_published_gcm_ciphertext(void **state)
{
    struct arena *a = arena_new();
    struct keyring *k = ring("/v/pkoZlcxxtao+UZzCDCP7/6ZKGZXMcbWqPlGcwgwg=", NULL);
    struct str s;

    (void)state;
    random_replace(fixed_nonce);
    s = seal(k, a,
             hex(a, "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809"
                    "532fcf0e2449a6b525b16aedf5aa0de657ba637b39"),
             hex(a, "feedfacedeadbeeffeedfacedeadbeefabaddad2"));
    random_replace(NULL);
    assert_int_equal(s.n, 1 + 8 + 12 + 60 + 16);
    expect_hex((const uint8_t *)s.p + 9, 12, nonce_of_case_16);
    expect_hex(
        (const uint8_t *)s.p + 21, 76,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b0"
        "8b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b");
    keyring_free(k);
    arena_free(a);
}

static void test_crypt__what_was_sealed_is_read_back(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 100000};
    struct arena *a = arena_new();
    struct keyring *k = ring(KEY_A, NULL);
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct str plain = {arena_alloc(a, sizes[i] + 1), sizes[i]}, back;

        random_bytes((void *)(uintptr_t)plain.p, plain.n);
        assert_int_equal(unseal(k, a, seal(k, a, plain, STR("place")), STR("place"), &back, &err),
                         0);
        assert_true(str_eq(plain, back));
    }
    keyring_free(k);
    arena_free(a);
}

static void test_crypt__each_altered_byte_is_noticed(void **state)
{
    struct arena *a = arena_new();
    struct keyring *k = ring(KEY_A, NULL);
    struct str s = seal(k, a, STR("secret"), STR("place")), out;
    char *p = (char *)(uintptr_t)s.p;
    struct err err;

    (void)state;
    for (size_t i = 0; i < s.n; i++) {
        int rc;

        p[i] ^= 1;
        rc = unseal(k, a, s, STR("place"), &out, &err);
        assert_int_equal(rc, i >= 1 && i < 9 ? ERR_NOTFOUND : ERR_INVALID);
        p[i] ^= 1;
        assert_int_equal(unseal(k, a, (struct str){s.p, i}, STR("place"), &out, &err), ERR_INVALID);
    }
    assert_int_equal(unseal(k, a, s, STR("place"), &out, &err), 0);
    keyring_free(k);
    arena_free(a);
}

static void test_crypt__a_value_moved_to_another_row_is_refused(void **state)
{
    struct arena *a = arena_new();
    struct keyring *k = ring(KEY_A, NULL);
    struct str s = seal(k, a, STR("secret"), STR("decisions:1")), out;
    struct err err;

    (void)state;
    assert_int_equal(unseal(k, a, s, STR("decisions:2"), &out, &err), ERR_INVALID);
    keyring_free(k);
    arena_free(a);
}

static void test_crypt__rotation_reads_old_values_and_writes_with_the_new_key(void **state)
{
    struct arena *a = arena_new();
    struct keyring *before = ring(KEY_A, NULL), *during = ring(KEY_B, " " KEY_A " , "),
                   *after = ring(KEY_B, NULL);
    struct str old = seal(before, a, STR("x"), STR("p")),
               fresh = seal(during, a, STR("x"), STR("p")), out;
    uint8_t id[8];
    struct err err;

    (void)state;
    assert_int_equal(unseal(during, a, old, STR("p"), &out, &err), 0);
    assert_int_equal(unseal(during, a, fresh, STR("p"), &out, &err), 0);
    assert_int_equal(unseal(after, a, fresh, STR("p"), &out, &err), 0);
    assert_int_equal(unseal(after, a, old, STR("p"), &out, &err), ERR_NOTFOUND);
    keyring_current_id(during, id);
    assert_memory_equal(fresh.p + 1, id, 8);
    keyring_free(before);
    keyring_free(during);
    keyring_free(after);
    arena_free(a);
}

static void test_crypt__bad_keys_are_refused_without_being_shown(void **state)
{
    static const struct {
        const char *key, *old;
    } cases[] = {{NULL, NULL},         {"", NULL},
                 {"c2hvcnQ=", NULL},   {"not base64 at all", NULL},
                 {KEY_A "AAAA", NULL}, {KEY_A, "c2hvcnQ="}};
    struct keyring *k;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(keyring_new(cases[i].key, cases[i].old, &k, &err), ERR_INVALID);
        assert_null(strstr(err.msg, "c2hv"));
    }
}

static void test_crypt__comparison_sees_every_byte(void **state)
{
    (void)state;
    assert_true(equal_constant_time("abc", "abc", 3));
    assert_false(equal_constant_time("abc", "abd", 3));
    assert_true(equal_constant_time("", "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crypt__sha256_matches_fips_180),
        cmocka_unit_test(test_crypt__hmac_matches_rfc_4231),
        cmocka_unit_test(test_crypt__hkdf_matches_rfc_5869),
        cmocka_unit_test(test_crypt__envelope_holds_the_published_gcm_ciphertext),
        cmocka_unit_test(test_crypt__what_was_sealed_is_read_back),
        cmocka_unit_test(test_crypt__each_altered_byte_is_noticed),
        cmocka_unit_test(test_crypt__a_value_moved_to_another_row_is_refused),
        cmocka_unit_test(test_crypt__rotation_reads_old_values_and_writes_with_the_new_key),
        cmocka_unit_test(test_crypt__bad_keys_are_refused_without_being_shown),
        cmocka_unit_test(test_crypt__comparison_sees_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
