/* crypto.h - the only user of libsodium: randomness, hashes, wiping.
 *
 * crypto_init comes first, once in a process. Lengths stand in the prototypes.
 */
#ifndef DEVREG_REGISTRY_CRYPTO_H
#define DEVREG_REGISTRY_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/error.h"

enum {
    CRYPTO_HASH_SIZE = 32, /* BLAKE2b-256 (RFC 7693) */
    CRYPTO_KEY_SIZE = 32,  /* its key */
    CRYPTO_MAC_SIZE = 16,  /* SipHash-2-4-128 */
    CRYPTO_MAC_KEY_SIZE = 16,
    CRYPTO_SHA512_SIZE = 64,
    CRYPTO_PASSWORD_MAX = 127 /* an Argon2id string, "$argon2id$v=19$m=..." (RFC 9106) */
};

/* ERR_RANDOM where libsodium cannot start. May be repeated. */
MUST_CHECK enum err crypto_init(void);

/* Random bytes for secrets and for what is stored. ERR_RANDOM. */
MUST_CHECK enum err crypto_draw(void *out, size_t size);

/* The same by libsodium, which ends the process where there are none: for what cannot fail, right
 * after crypto_init. */
void crypto_random(void *out, size_t size);

/* A fair number below `limit`. */
uint32_t crypto_random_below(uint32_t limit);

/* Overwrites with zeros, and is not optimised away. */
void crypto_wipe(void *secret, size_t size);

/* Compares in constant time. */
bool crypto_equal(const void *a, const void *b, size_t size);

/* BLAKE2b-256. */
void crypto_plain_hash(uint8_t out[static CRYPTO_HASH_SIZE], const void *data, size_t size);

/* One piece of a hash's input. */
struct crypto_part {
    const void *data;
    size_t size;
};

/* BLAKE2b-256 of the parts one after the other, keyed. */
void crypto_keyed_hash(uint8_t out[static CRYPTO_HASH_SIZE],
                       const uint8_t key[static CRYPTO_KEY_SIZE], const struct crypto_part *parts,
                       size_t count);

/* SipHash-2-4-128: a checksum that only who has the key can make. */
void crypto_mac(uint8_t out[static CRYPTO_MAC_SIZE], const void *data, size_t size,
                const uint8_t key[static CRYPTO_MAC_KEY_SIZE]);

/* A short keyed hash for tables in memory (SipHash-2-4). */
uint64_t crypto_table_hash(const void *data, size_t size,
                           const uint8_t key[static CRYPTO_MAC_KEY_SIZE]);

/* Hashes a person's password with Argon2id (2 passes, 19 MiB: the OWASP figure; about 30 ms).
 * Never on the broker's thread. */
MUST_CHECK enum err crypto_password_hash(char out[static CRYPTO_PASSWORD_MAX + 1],
                                         const char *password);

/* Is `password` the one behind `hash`, an Argon2id string of ours or another's? As slow as making
 * it. Never on the broker's thread. */
bool crypto_password_verify(const char *hash, const char *password);

/* SHA-512 (FIPS 180-4) of the parts one after the other. */
void crypto_sha512(uint8_t out[static CRYPTO_SHA512_SIZE], const struct crypto_part *parts,
                   size_t count);

/* The first block of PBKDF2-HMAC-SHA512 (RFC 8018, section 5.2), which is all of it where 64 bytes
 * are wanted. `iterations` is at least 1. */
void crypto_pbkdf2_sha512(uint8_t out[static CRYPTO_SHA512_SIZE], const char *password,
                          const uint8_t *salt, size_t salt_size, uint32_t iterations);

/* Reads Base64 with padding (RFC 4648, section 4), `length` characters and nothing else, into `out`
 * of `max` bytes. */
bool crypto_base64_parse(uint8_t *out, size_t max, size_t *size, const char *text, size_t length);

#endif
