/* test_key.c - the form of a key, the typos that it catches, and its hash.
 *
 * Known answers: CRC-32 by zlib, BLAKE2b-256 by another implementation (Python's hashlib). */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/key.h"

static const char known_key[] = "devreg_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd35xnja";
static const char printable[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "_-+/=. \n";

static void keys_with_the_crc_of_zlib_are_well_formed(void **state)
{
    (void)state;
    assert_true(key_well_formed(known_key));
    assert_true(key_well_formed("devreg_0000000000000000000000000000002DlIv4"));
    assert_true(key_well_formed("devreg_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4BAQ9l"));
    assert_false(key_well_formed("devreg_0000000000000000000000000000002DlIv5"));
}

static void a_generated_key_is_well_formed_and_43_characters_long(void **state)
{
    char text[KEY_TEXT_SIZE + 1];
    (void)state;
    for (int i = 0; i < 200; i++) {
        key_generate(text);
        assert_int_equal(strlen(text), KEY_TEXT_SIZE);
        assert_memory_equal(text, "devreg_", 7);
        assert_true(key_well_formed(text));
    }
}

static void generated_keys_use_every_character_and_differ(void **state)
{
    char last[KEY_TEXT_SIZE + 1] = "", text[KEY_TEXT_SIZE + 1];
    bool seen[256] = {false};
    (void)state;
    for (int i = 0; i < 200; i++) {
        key_generate(text);
        assert_string_not_equal(text, last);
        strcpy(last, text);
        for (size_t at = 7; at < 37; at++)
            seen[(unsigned char)text[at]] = true;
    }
    for (size_t i = 0; i < 62; i++) /* one is missed once in 10^42 runs */
        assert_true(seen[(unsigned char)printable[i]]);
}

/* 90,000 draws: each of 62 digits comes 1,452 times, give or take 38. One that were twice as likely
 * would come 1,400 times more often; 300 times more come by chance once in 10^14 runs. */
static void each_character_is_as_likely_as_any_other(void **state)
{
    unsigned seen[256] = {0};
    char text[KEY_TEXT_SIZE + 1];
    (void)state;
    for (int i = 0; i < 3000; i++) {
        key_generate(text);
        for (size_t at = 7; at < 37; at++)
            seen[(unsigned char)text[at]]++;
    }
    for (size_t i = 0; i < 62; i++)
        assert_in_range(seen[(unsigned char)printable[i]], 1452 - 300, 1452 + 300);
}

static void every_substitution_of_one_character_is_caught(void **state)
{
    char text[KEY_TEXT_SIZE + 1];
    (void)state;
    for (size_t at = 0; at < KEY_TEXT_SIZE; at++) {
        for (const char *other = printable; *other; other++) {
            strcpy(text, known_key);
            if (text[at] == *other)
                continue;
            text[at] = *other;
            assert_false(key_well_formed(text));
        }
    }
}

static void every_transposition_of_neighbours_is_caught(void **state)
{
    char text[KEY_TEXT_SIZE + 1];
    (void)state;
    for (int round = 0; round < 100; round++) {
        key_generate(text);
        for (size_t at = 0; at + 1 < KEY_TEXT_SIZE; at++) {
            char swapped[KEY_TEXT_SIZE + 1];
            strcpy(swapped, text);
            swapped[at] = text[at + 1];
            swapped[at + 1] = text[at];
            if (swapped[at] != text[at])
                assert_false(key_well_formed(swapped));
        }
    }
}

static void what_is_too_short_or_too_long_is_no_key(void **state)
{
    char text[KEY_TEXT_SIZE + 2] = {0};
    (void)state;
    for (size_t size = 0; size < KEY_TEXT_SIZE; size++) {
        memcpy(text, known_key, size);
        text[size] = '\0';
        assert_false(key_well_formed(text));
    }
    memcpy(text, known_key, KEY_TEXT_SIZE);
    text[KEY_TEXT_SIZE] = 'a';
    assert_false(key_well_formed(text));
    assert_false(key_well_formed("DEVREG_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd35xnja"));
}

static void assert_hidden(const char *text, const char *expected)
{
    char shown[200];
    strcpy(shown, text);
    key_hide(shown);
    assert_string_equal(shown, expected);
}

#define KEY   "devreg_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd35xnja"
#define STARS "devreg_************************************"

static void every_key_in_a_text_is_hidden(void **state)
{
    (void)state;
    assert_hidden("a " KEY ", b", "a " STARS ", b");
    assert_hidden(KEY KEY, STARS STARS);
    assert_hidden(KEY "and more", STARS "and more");
    assert_hidden("devreg_ABC" KEY, "devreg_ABC" STARS);
    assert_hidden("devreg_ABCDEFGHIJKLMNOPQ" KEY, "devreg_*****************" STARS);
    assert_hidden("devreg_devreg_" KEY, "devreg_devreg_" STARS);
    assert_hidden("/srv/devreg_data/keys", "/srv/devreg_data/keys");
    assert_hidden("", "");
}

static void a_key_is_found_anywhere_in_a_text(void **state)
{
    (void)state;
    assert_true(key_is_within(KEY));
    assert_true(key_is_within("key: " KEY "."));
    assert_true(key_is_within("devreg_" KEY));
    assert_true(key_is_within("devreg_ABCD" KEY "ABC"));
    assert_false(key_is_within(""));
    assert_false(key_is_within("devreg_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd35xnj"));
    assert_false(key_is_within("devreg_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd35xnjb"));
}

static void secret_fill(uint8_t secret[static CRYPTO_KEY_SIZE])
{
    for (uint8_t i = 0; i < CRYPTO_KEY_SIZE; i++)
        secret[i] = i;
}

static void a_hash_is_the_known_one(void **state)
{
    static const uint8_t first[KEY_HASH_SIZE] = {0x2b, 0xbb, 0xd1, 0x7b, 0x0d, 0x3f, 0x49, 0x10,
                                                 0x13, 0xf6, 0x1a, 0xdd, 0x1f, 0x86, 0xdc, 0xa7,
                                                 0x55, 0x42, 0x6c, 0x71, 0x8c, 0xa2, 0x39, 0x17,
                                                 0x36, 0xf8, 0x5f, 0x47, 0x98, 0x74, 0x2b, 0xc5};
    static const uint8_t later[KEY_HASH_SIZE] = {0x7d, 0x95, 0x6a, 0x51, 0xe1, 0x39, 0x01, 0xd9,
                                                 0xc8, 0x38, 0xc5, 0x0b, 0xe8, 0x12, 0x0a, 0xd1,
                                                 0xc3, 0xb6, 0xb6, 0x07, 0xdd, 0x35, 0x57, 0xb8,
                                                 0xe1, 0x43, 0x81, 0xcd, 0x53, 0x59, 0x72, 0x5e};
    uint8_t secret[CRYPTO_KEY_SIZE], hash[KEY_HASH_SIZE];
    (void)state;
    secret_fill(secret);
    key_hash(hash, known_key, "pump-7", 1, secret);
    assert_memory_equal(hash, first, sizeof hash);
    key_hash(hash, known_key, "pump-7", 0x01020304, secret);
    assert_memory_equal(hash, later, sizeof hash);
}

static void a_hash_is_bound_to_key_device_number_and_secret(void **state)
{
    uint8_t secret[CRYPTO_KEY_SIZE], base[KEY_HASH_SIZE], hash[KEY_HASH_SIZE];
    (void)state;
    secret_fill(secret);
    key_hash(base, known_key, "pump-7", 1, secret);
    key_hash(hash, "devreg_0000000000000000000000000000002DlIv4", "pump-7", 1, secret);
    assert_memory_not_equal(hash, base, sizeof hash);
    key_hash(hash, known_key, "pump-8", 1, secret);
    assert_memory_not_equal(hash, base, sizeof hash);
    key_hash(hash, known_key, "pump-", 1, secret);
    assert_memory_not_equal(hash, base, sizeof hash);
    static const uint32_t others[] = {0, 2, 0x100, 0x10000, 0x1000000, 0x01000001};
    for (size_t i = 0; i < COUNT(others); i++) {
        key_hash(hash, known_key, "pump-7", others[i], secret);
        assert_memory_not_equal(hash, base, sizeof hash);
    }
    secret[31] ^= 1;
    key_hash(hash, known_key, "pump-7", 1, secret);
    assert_memory_not_equal(hash, base, sizeof hash);
}

static int start(void **state)
{
    (void)state;
    return crypto_init() == ERR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_with_the_crc_of_zlib_are_well_formed),
        cmocka_unit_test(a_generated_key_is_well_formed_and_43_characters_long),
        cmocka_unit_test(generated_keys_use_every_character_and_differ),
        cmocka_unit_test(each_character_is_as_likely_as_any_other),
        cmocka_unit_test(every_substitution_of_one_character_is_caught),
        cmocka_unit_test(every_transposition_of_neighbours_is_caught),
        cmocka_unit_test(what_is_too_short_or_too_long_is_no_key),
        cmocka_unit_test(every_key_in_a_text_is_hidden),
        cmocka_unit_test(a_key_is_found_anywhere_in_a_text),
        cmocka_unit_test(a_hash_is_the_known_one),
        cmocka_unit_test(a_hash_is_bound_to_key_device_number_and_secret),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
