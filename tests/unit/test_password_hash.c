/* test_password_hash.c - hashes that others made of the password "correct horse", and what is none.
 *
 * PBKDF2 and SHA-512: Python's hashlib. Argon2id: the reference library (libargon2), with Mosquitto
 * 2.1's parameters. The salts count up from 0. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "registry/credential.h"
#include "registry/password_hash.h"

#define PASSWORD "correct horse"
#define SALT_12  "AAECAwQFBgcICQoL"
#define SALT_64                                                                                    \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw"
#define HASH_101                                                                                   \
    "lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg=="
#define PBKDF2   "$7$%u$" SALT_12 "$" HASH_101
#define ARGON2ID "$argon2id$v=19$m=%u,t=%u,p=1$" SALT_64 "$AAAA"
#define HASH_1000                                                                                  \
    "53KiEygVzVVEVUVTe4h79yMtYp0OxxoKFip82vf7OCrEbcm4/E88oGkCyN0NhQ7fLOSBIpiITuELG/0ldDPFMQ=="

static const char *const good[] = {
    "$7$1$" SALT_12 "$CYfNG9gXTtMjRdqwXMqr1YhW73fSe+XbZq8ppCdFyJ9eyAL+sEilQGrc+a4l4SUjcJll7hpdFanmb"
    "V0dYFlRkA==",
    "$7$2$" SALT_12 "$yqJzV8DePK0lwcUfd7gnRX+ddNF+uOhUA+jtZ0FE8Z05Rf/r7w89psYa60I+jqbs3QPNFb4Vf4NCv"
    "PLViVkWWg==",
    "$7$101$" SALT_12 "$" HASH_101,
    "$7$1000$" SALT_64 "==$" HASH_1000,
    "$6$" SALT_12 "$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/"
    "1QZ0zZg==",
    "$6$" SALT_64 "==$29QtyxbW0Qth2GH5GN0ihmagtB/755oiG+oG0UjEg6L9UK/JDvWsZp5ejiy5IkbcHEawwhh/SPu9Z"
    "HDfEL2J9A==",
    "$argon2id$v=19$m=64,t=1,p=1$" SALT_64
    "$jAZxiP8ws5uNPNrsuBClHBhMbw2IstINCcsKzL3Kkf+OHMmZ+gSEfbCcxuHRcCrcOE5DW6d5oHCORDKvRnZ20Q",
    "$argon2id$v=19$m=64,t=1,p=2$" SALT_64
    "$7GD5a0EhlPmL8NbHa/d6CE/NGqBEz8cCows9mFDWk9F4lgjPVfn90MLbPVr790ABvgzdhKiJOJM+NOP05oO28Q",
    "$argon2id$v=19$m=47104,t=1,p=1$" SALT_64
    "$aVo1St5PsxylF7NjjIPOOE5jxNbeUNweT/LEl8ONyxYqiqflWO7BotCdzcmTPqR4fg0oMZSzDQFY9PDfbH+biw"};

static void a_password_opens_what_another_program_made_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct password_hash hash;
        assert_null(password_hash_parse(&hash, good[i]));
        assert_false(password_hash_too_slow(&hash));
        assert_true(password_hash_verify(good[i], PASSWORD));
        assert_false(password_hash_verify(good[i], "correct hors"));
        assert_false(password_hash_verify(good[i], "correct horse "));
        assert_false(password_hash_verify(good[i], ""));
    }
}

static void a_hash_of_our_own_is_one(void **state)
{
    char text[CRYPTO_PASSWORD_MAX + 1];
    struct password_hash hash;
    (void)state;
    assert_int_equal(crypto_password_hash(text, PASSWORD), ERR_OK);
    assert_null(password_hash_parse(&hash, text));
    assert_false(password_hash_too_slow(&hash));
    assert_true(password_hash_verify(text, PASSWORD));
    assert_false(password_hash_verify(text, "correct hors"));
}

/* Each character of a hash counts: one that is changed is another hash, or none. */
static void a_changed_hash_opens_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < COUNT(good); i++) {
        char text[PASSWORD_HASH_MAX + 1];
        size_t length = strlen(good[i]);
        memcpy(text, good[i], length + 1);
        for (size_t at = 0; at < length; at++) {
            text[at] = text[at] == 'A' ? 'B' : 'A';
            assert_false(password_hash_verify(text, PASSWORD));
            text[at] = good[i][at];
            if (strchr("$=,", text[at])) /* what parts it */
                continue;
            text[at] = text[at] == '2' ? '3' : '2';
            assert_false(password_hash_verify(text, PASSWORD));
            text[at] = good[i][at];
        }
        assert_true(password_hash_verify(text, PASSWORD));
        for (size_t cut = 0; cut < length; cut++) {
            text[cut] = '\0';
            assert_false(password_hash_verify(text, PASSWORD));
            text[cut] = good[i][cut];
        }
        memcpy(text + length, "A", 2);
        assert_false(password_hash_verify(text, PASSWORD));
    }
}

static void what_is_no_hash_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *problem;
    } bad[] = {
        {"", "it is none of $6$, $7$ and $argon2id$"},
        {"secret", "it is none of $6$, $7$ and $argon2id$"},
        {"$2b$10$abcdefghijklmnopqrstuv", "it is none of $6$, $7$ and $argon2id$"},
        {"$argon2i$v=19$m=64,t=1,p=1$" SALT_64 "$AAAA", "it is none of $6$, $7$ and $argon2id$"},
        {"$7$", "its number of rounds is none"},
        {"$7$0$" SALT_12 "$" HASH_101, "its number of rounds is none"},
        {"$7$-1$" SALT_12 "$" HASH_101, "its number of rounds is none"},
        {"$7$0101$" SALT_12 "$" HASH_101, "its number of rounds is none"},
        {"$7$4294967296$" SALT_12 "$" HASH_101, "its number of rounds is none"},
        {"$7$99999999999999999999999$" SALT_12 "$" HASH_101, "its number of rounds is none"},
        {"$7$101", "its number of rounds is none"},
        {"$7$101$", "the hash is cut short or damaged"},
        {"$7$101$" SALT_12, "the hash is cut short or damaged"},
        {"$7$101$" SALT_12 "$", "the hash is cut short or damaged"},
        {"$7$101$" SALT_12 "$" HASH_101 "AAAA", "the hash is cut short or damaged"},
        {"$7$101$" SALT_12 "$" HASH_101 "$", "the hash is cut short or damaged"},
        {"$7$101$AAEC AwQFBgcICQoL$" HASH_101, "the hash is cut short or damaged"},
        {"$7$101$AAECAwQFBgcICQ==$" HASH_101, "its salt has neither 12 nor 64 bytes"},
        {"$7$101$$" HASH_101, "its salt has neither 12 nor 64 bytes"},
        {"$6$" SALT_12, "the hash is cut short or damaged"},
        {"$argon2id$v=16$m=64,t=1,p=1$" SALT_64 "$AAAA", "its version of Argon2 is not 19"},
        {"$argon2id$v=19$m=64,t=1$" SALT_64 "$AAAA", "the hash is cut short or damaged"},
        {"$argon2id$v=19$m=8,t=1,p=2$" SALT_64 "$AAAA", "the hash is cut short or damaged"},
        {"$argon2id$v=19$m=64,t=0,p=1$" SALT_64 "$AAAA", "the hash is cut short or damaged"},
        {"$argon2id$v=19$m=64,t=1,p=1$" SALT_64, "the hash is cut short or damaged"},
        {"$argon2id$v=19$m=64,t=1,p=1$" SALT_64 "$AA$A", "the hash is cut short or damaged"},
    };
    struct password_hash hash;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *problem = password_hash_parse(&hash, bad[i].text);
        assert_non_null(problem);
        assert_string_equal(problem, bad[i].problem);
        assert_false(password_hash_verify(bad[i].text, PASSWORD));
    }
}

static void a_hash_that_no_credential_holds_is_refused(void **state)
{
    char text[PASSWORD_HASH_MAX + 2];
    struct password_hash hash;
    (void)state;
    assert_int_equal(PASSWORD_HASH_MAX, CREDENTIAL_SECRET_MAX);
    memset(text, 'A', sizeof text);
    memcpy(text, "$argon2id$v=19$m=64,t=1,p=1$AAAA$", 33);
    text[PASSWORD_HASH_MAX] = '\0';
    assert_null(password_hash_parse(&hash, text));
    text[PASSWORD_HASH_MAX] = 'A';
    text[PASSWORD_HASH_MAX + 1] = '\0';
    assert_string_equal(password_hash_parse(&hash, text), "the hash is longer than 255 bytes");
}

__attribute__((format(printf, 1, 2))) static bool slow(const char *format, ...)
{
    char text[PASSWORD_HASH_MAX + 1];
    struct password_hash hash;
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    assert_null(password_hash_parse(&hash, text));
    return password_hash_too_slow(&hash);
}

static void what_takes_too_long_is_known_without_doing_it(void **state)
{
    (void)state;
    assert_false(slow(PBKDF2, 100000u));
    assert_true(slow(PBKDF2, 100001u));
    assert_true(slow(PBKDF2, UINT32_MAX));
    assert_false(slow(ARGON2ID, 65536u, 1u));
    assert_true(slow(ARGON2ID, 65537u, 1u));
    assert_false(slow(ARGON2ID, 65536u, 4u));
    assert_true(slow(ARGON2ID, 65536u, 5u));
    assert_false(slow(ARGON2ID, 8u, 32768u));
    assert_true(slow(ARGON2ID, 8u, UINT32_MAX));
    assert_true(slow(ARGON2ID, UINT32_MAX, UINT32_MAX));
}

static void a_hash_is_described_without_itself(void **state)
{
    static const char *const names[] = {"$7$, 1 rounds",
                                        "$7$, 2 rounds",
                                        "$7$, 101 rounds",
                                        "$7$, 1000 rounds",
                                        "$6$",
                                        "$6$",
                                        "$argon2id$, m=64 t=1",
                                        "$argon2id$, m=64 t=1",
                                        "$argon2id$, m=47104 t=1"};
    char text[PASSWORD_SCHEME_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct password_hash hash;
        assert_null(password_hash_parse(&hash, good[i]));
        password_hash_describe(text, &hash);
        assert_string_equal(text, names[i]);
    }
}

static int begin(void **state)
{
    (void)state;
    return crypto_init() == ERR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_opens_what_another_program_made_of_it),
        cmocka_unit_test(a_hash_of_our_own_is_one),
        cmocka_unit_test(a_changed_hash_opens_nothing),
        cmocka_unit_test(what_is_no_hash_is_refused_with_a_reason),
        cmocka_unit_test(a_hash_that_no_credential_holds_is_refused),
        cmocka_unit_test(what_takes_too_long_is_known_without_doing_it),
        cmocka_unit_test(a_hash_is_described_without_itself),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
