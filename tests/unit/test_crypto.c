/* test_crypto.c - the hashes against published and independent answers, passwords there and back.
 *
 * SipHash: the vectors of the paper (Aumasson, Bernstein 2012) and of its reference code.
 * BLAKE2b-256: another implementation (Python's hashlib). */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/crypto.h"

static void count_up(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)i;
}

static void a_mac_is_the_reference_codes(void **state)
{
    static const uint8_t known[3][CRYPTO_MAC_SIZE] = {
        {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
         0x93},
        {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
         0x45},
        {0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7, 0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff,
         0xe4}};
    uint8_t key[CRYPTO_MAC_KEY_SIZE], data[3], mac[CRYPTO_MAC_SIZE];
    (void)state;
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    for (size_t size = 0; size < COUNT(known); size++) {
        crypto_mac(mac, data, size, key);
        assert_memory_equal(mac, known[size], sizeof mac);
    }
}

static void a_short_hash_is_the_papers(void **state)
{
    static const uint8_t known[8] = {0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1};
    uint8_t key[CRYPTO_MAC_KEY_SIZE], data[15];
    (void)state;
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    uint64_t hash = crypto_table_hash(data, sizeof data, key);
    assert_memory_equal(&hash, known, sizeof hash);
}

static void a_hash_is_keyed_blake2b(void **state)
{
    static const uint8_t of_abc[CRYPTO_HASH_SIZE] = {
        0xd6, 0x3a, 0x32, 0xd3, 0xe4, 0x47, 0x38, 0xd7, 0x90, 0x7f, 0x96,
        0x43, 0x16, 0xc2, 0x41, 0xad, 0xab, 0xa0, 0xab, 0xfe, 0xab, 0xc3,
        0x23, 0x49, 0x67, 0x75, 0x78, 0xa1, 0x5a, 0x20, 0x3f, 0x7f};
    static const uint8_t of_nothing[CRYPTO_HASH_SIZE] = {
        0x4e, 0x51, 0xe7, 0xa9, 0x13, 0xfc, 0x80, 0x13, 0x7d, 0xa5, 0x28,
        0x80, 0xfe, 0xcc, 0xa1, 0x75, 0xbf, 0x81, 0xe1, 0x17, 0xd5, 0xc6,
        0x81, 0x26, 0xdc, 0x27, 0x74, 0x03, 0x35, 0x17, 0xea, 0x0d};
    uint8_t key[CRYPTO_KEY_SIZE], hash[CRYPTO_HASH_SIZE];
    (void)state;
    count_up(key, sizeof key);
    crypto_keyed_hash(hash, key, &(struct crypto_part){"abc", 3}, 1);
    assert_memory_equal(hash, of_abc, sizeof hash);
    crypto_keyed_hash(hash, key, &(struct crypto_part){"", 0}, 1);
    assert_memory_equal(hash, of_nothing, sizeof hash);
    crypto_keyed_hash(hash, key, NULL, 0);
    assert_memory_equal(hash, of_nothing, sizeof hash);
}

static void parts_are_hashed_as_one(void **state)
{
    const struct crypto_part parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
    uint8_t key[CRYPTO_KEY_SIZE], split[CRYPTO_HASH_SIZE], whole[CRYPTO_HASH_SIZE];
    (void)state;
    count_up(key, sizeof key);
    crypto_keyed_hash(split, key, parts, COUNT(parts));
    crypto_keyed_hash(whole, key, &(struct crypto_part){"abc", 3}, 1);
    assert_memory_equal(split, whole, sizeof whole);
}

static void a_password_opens_its_own_hash_only(void **state)
{
    char hash[CRYPTO_PASSWORD_MAX + 1], again[CRYPTO_PASSWORD_MAX + 1];
    (void)state;
    assert_int_equal(crypto_password_hash(hash, "correct horse"), ERR_OK);
    assert_int_equal(crypto_password_hash(again, "correct horse"), ERR_OK);
    assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_string_not_equal(hash, again);
    assert_true(crypto_password_verify(hash, "correct horse"));
    assert_true(crypto_password_verify(again, "correct horse"));
    assert_false(crypto_password_verify(hash, "correct horsf"));
    assert_false(crypto_password_verify(hash, ""));
}

static void what_is_no_password_hash_opens_nothing(void **state)
{
    (void)state;
    assert_false(crypto_password_verify("", ""));
    assert_false(crypto_password_verify("plain", "plain"));
    assert_false(crypto_password_verify("$argon2id$v=19$m=19456,t=2,p=1$", "x"));
}

static void equal_bytes_are_equal(void **state)
{
    (void)state;
    assert_true(crypto_equal("abc", "abc", 3));
    assert_false(crypto_equal("abc", "abd", 3));
    assert_false(crypto_equal("abc", "bbc", 3));
    assert_true(crypto_equal("abc", "abd", 2));
    assert_true(crypto_equal("a", "b", 0));
}

static void wiping_leaves_zeros(void **state)
{
    uint8_t bytes[4] = {1, 2, 3, 4};
    (void)state;
    crypto_wipe(bytes, 3);
    assert_memory_equal(bytes, "\0\0\0\4", 4);
}

static void random_numbers_stay_below_the_limit_and_reach_all_below_it(void **state)
{
    bool seen[62] = {false};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint32_t number = crypto_random_below(COUNT(seen));
        assert_true(number < COUNT(seen));
        seen[number] = true;
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        assert_true(seen[i]);
    assert_int_equal(crypto_random_below(1), 0);
}

static void random_bytes_differ_and_stay_in_their_bounds(void **state)
{
    uint8_t a[40] = {0}, b[40] = {0}, zeros[8] = {0};
    (void)state;
    crypto_random(a, 32);
    crypto_random(b, 32);
    assert_memory_not_equal(a, b, 32);
    assert_memory_equal(a + 32, zeros, 8);
}

static int start(void **state)
{
    (void)state;
    return crypto_init() == ERR_OK && crypto_init() == ERR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mac_is_the_reference_codes),
        cmocka_unit_test(a_short_hash_is_the_papers),
        cmocka_unit_test(a_hash_is_keyed_blake2b),
        cmocka_unit_test(parts_are_hashed_as_one),
        cmocka_unit_test(a_password_opens_its_own_hash_only),
        cmocka_unit_test(what_is_no_password_hash_opens_nothing),
        cmocka_unit_test(equal_bytes_are_equal),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(random_numbers_stay_below_the_limit_and_reach_all_below_it),
        cmocka_unit_test(random_bytes_differ_and_stay_in_their_bounds),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
