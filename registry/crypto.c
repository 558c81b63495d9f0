#include "registry/crypto.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static_assert(CRYPTO_HASH_SIZE == crypto_generichash_BYTES, "BLAKE2b-256");
static_assert(CRYPTO_KEY_SIZE == crypto_generichash_KEYBYTES, "BLAKE2b's key");
static_assert(CRYPTO_MAC_SIZE == crypto_shorthash_siphashx24_BYTES, "SipHash-128");
static_assert(CRYPTO_MAC_KEY_SIZE == crypto_shorthash_siphashx24_KEYBYTES, "SipHash's key");
static_assert(CRYPTO_SHA512_SIZE == crypto_hash_sha512_BYTES, "SHA-512");
static_assert(CRYPTO_SHA512_SIZE == crypto_auth_hmacsha512_BYTES, "HMAC-SHA512");
static_assert(CRYPTO_PASSWORD_MAX + 1 >= crypto_pwhash_STRBYTES - 1, "an Argon2id string");

enum { PASSWORD_PASSES = 2, PASSWORD_MEMORY = 19 << 20 };

/* libsodium ends the process where it can draw nothing, so it is tried before. */
enum err crypto_init(void)
{
    uint8_t drawn;
    enum err e = crypto_draw(&drawn, sizeof drawn);
    return !e && sodium_init() < 0 ? ERR_RANDOM : e;
}

enum err crypto_draw(void *out, size_t size)
{
    uint8_t *at = out;
    while (size) {
        ssize_t drawn = getrandom(at, size, 0);
        if (drawn < 0 && errno != EINTR)
            return ERR_RANDOM;
        at += drawn > 0 ? drawn : 0;
        size -= drawn > 0 ? (size_t)drawn : 0;
    }
    return ERR_OK;
}

void crypto_random(void *out, size_t size)
{
    randombytes_buf(out, size);
}

uint32_t crypto_random_below(uint32_t limit)
{
    return randombytes_uniform(limit);
}

void crypto_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
    static_assert(CRYPTO_HASH_SIZE == crypto_verify_32_BYTES, "a hash");
    return size == CRYPTO_HASH_SIZE ? crypto_verify_32(a, b) == 0 : sodium_memcmp(a, b, size) == 0;
}

void crypto_plain_hash(uint8_t out[static CRYPTO_HASH_SIZE], const void *data, size_t size)
{
    /* Fails only for sizes that are constants here. */
    int failed = crypto_generichash(out, CRYPTO_HASH_SIZE, data, size, NULL, 0);
    assert(!failed);
    (void)failed;
}

void crypto_keyed_hash(uint8_t out[static CRYPTO_HASH_SIZE],
                       const uint8_t key[static CRYPTO_KEY_SIZE], const struct crypto_part *parts,
                       size_t count)
{
    crypto_generichash_state state;
    /* These fail only for sizes that are constants here. */
    int failed = crypto_generichash_init(&state, key, CRYPTO_KEY_SIZE, CRYPTO_HASH_SIZE);
    for (size_t i = 0; i < count; i++)
        failed |= crypto_generichash_update(&state, parts[i].data, parts[i].size);
    failed |= crypto_generichash_final(&state, out, CRYPTO_HASH_SIZE);
    assert(!failed);
    (void)failed;
    sodium_memzero(&state, sizeof state);
}

void crypto_mac(uint8_t out[static CRYPTO_MAC_SIZE], const void *data, size_t size,
                const uint8_t key[static CRYPTO_MAC_KEY_SIZE])
{
    (void)crypto_shorthash_siphashx24(out, data, size, key); /* always 0 */
}

uint64_t crypto_table_hash(const void *data, size_t size,
                           const uint8_t key[static CRYPTO_MAC_KEY_SIZE])
{
    uint64_t hash;
    static_assert(sizeof hash == crypto_shorthash_siphash24_BYTES, "SipHash-64");
    (void)crypto_shorthash_siphash24((unsigned char *)&hash, data, size, key); /* always 0 */
    return hash;
}

static void base64(char *out, size_t size, const uint8_t *data, size_t count)
{
    (void)sodium_bin2base64(out, size, data, count, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* As crypto_pwhash_str writes it, which would draw the salt by itself, and end the process where it
 * cannot. */
enum err crypto_password_hash(char out[static CRYPTO_PASSWORD_MAX + 1], const char *password)
{
    enum { HASH_SIZE = 32, TEXT_MAX = 44 };
    uint8_t salt[crypto_pwhash_argon2id_SALTBYTES], hash[HASH_SIZE];
    char salt_text[TEXT_MAX], hash_text[TEXT_MAX];
    enum err e = crypto_draw(salt, sizeof salt);
    if (!e && crypto_pwhash(hash, sizeof hash, password, strlen(password), salt, PASSWORD_PASSES,
                            PASSWORD_MEMORY, crypto_pwhash_ALG_ARGON2ID13) != 0)
        e = ERR_NO_MEMORY;
    if (!e) {
        base64(salt_text, sizeof salt_text, salt, sizeof salt);
        base64(hash_text, sizeof hash_text, hash, sizeof hash);
        snprintf(out, CRYPTO_PASSWORD_MAX + 1, "$argon2id$v=19$m=%d,t=%d,p=1$%s$%s",
                 PASSWORD_MEMORY / 1024, PASSWORD_PASSES, salt_text, hash_text);
    }
    sodium_memzero(hash, sizeof hash);
    sodium_memzero(hash_text, sizeof hash_text);
    return e;
}

bool crypto_password_verify(const char *hash, const char *password)
{
    return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

void crypto_sha512(uint8_t out[static CRYPTO_SHA512_SIZE], const struct crypto_part *parts,
                   size_t count)
{
    crypto_hash_sha512_state state;
    /* All three return 0, always. */
    (void)crypto_hash_sha512_init(&state);
    for (size_t i = 0; i < count; i++)
        (void)crypto_hash_sha512_update(&state, parts[i].data, parts[i].size);
    (void)crypto_hash_sha512_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

void crypto_pbkdf2_sha512(uint8_t out[static CRYPTO_SHA512_SIZE], const char *password,
                          const uint8_t *salt, size_t salt_size, uint32_t iterations)
{
    static const uint8_t first_block[] = {0, 0, 0, 1};
    crypto_auth_hmacsha512_state keyed, state;
    uint8_t round[CRYPTO_SHA512_SIZE];
    /* HMAC returns 0, always. It is keyed once: that is half of its work. */
    (void)crypto_auth_hmacsha512_init(&keyed, (const uint8_t *)password, strlen(password));
    state = keyed;
    (void)crypto_auth_hmacsha512_update(&state, salt, salt_size);
    (void)crypto_auth_hmacsha512_update(&state, first_block, sizeof first_block);
    (void)crypto_auth_hmacsha512_final(&state, round);
    memcpy(out, round, sizeof round);
    for (uint32_t i = 1; i < iterations; i++) {
        state = keyed;
        (void)crypto_auth_hmacsha512_update(&state, round, sizeof round);
        (void)crypto_auth_hmacsha512_final(&state, round);
        for (size_t byte = 0; byte < sizeof round; byte++)
            out[byte] ^= round[byte];
    }
    sodium_memzero(&keyed, sizeof keyed);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(round, sizeof round);
}

bool crypto_base64_parse(uint8_t *out, size_t max, size_t *size, const char *text, size_t length)
{
    /* Without an `end`, anything behind the last character is an error. */
    return sodium_base642bin(out, max, text, length, NULL, size, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}
