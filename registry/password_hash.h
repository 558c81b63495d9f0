/* password_hash.h - hashes of passwords: those that devreg makes, and those of Mosquitto's that it
 * takes over as they are.
 *
 *   $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH   Argon2id, RFC 9106: devreg, Mosquitto 2.1
 *   $7$101$SALT$HASH                           PBKDF2-HMAC-SHA512: Mosquitto, 101 or 1000 rounds
 *   $6$SALT$HASH                               SHA-512 of password and salt: Mosquitto before 2.0
 *
 * SALT and HASH are Base64; for the latter two a salt of 12 (2.0) or 64 bytes (2.1) and 64 bytes of
 * hash. What opens a login slowly is asked for by everybody who knocks, so a cost is capped when a
 * hash is imported.
 */
#ifndef DEVREG_REGISTRY_PASSWORD_HASH_H
#define DEVREG_REGISTRY_PASSWORD_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/crypto.h"

enum {
    PASSWORD_HASH_MAX = 255,           /* as a credential's secret */
    PASSWORD_ROUNDS_MAX = 100000,      /* of $7$: some 0.2 s */
    PASSWORD_MEMORY_MAX = 64 * 1024,   /* of Argon2id, in KiB; */
    PASSWORD_WORK_MAX = 4 * 64 * 1024, /* times its passes: some 0.3 s */
    PASSWORD_SALT_MAX = 64,
    PASSWORD_SCHEME_MAX = 47
};

enum password_scheme { SCHEME_NONE = 0, SCHEME_SHA512, SCHEME_PBKDF2, SCHEME_ARGON2ID };

struct password_hash {
    enum password_scheme scheme;
    uint32_t rounds;  /* of PBKDF2, 1 and up; or the passes of Argon2id */
    uint32_t memory;  /* of Argon2id, in KiB */
    size_t salt_size; /* the rest of SHA-512 and PBKDF2 alone: Argon2id is its own text */
    uint8_t salt[PASSWORD_SALT_MAX];
    uint8_t hash[CRYPTO_SHA512_SIZE];
};

/* Reads `text`, exactly. NULL where it is one of those above, whatever its cost; else a phrase that
 * says what is wrong. */
const char *password_hash_parse(struct password_hash *hash, const char *text);

/* Does checking it cost more than an imported one may? */
bool password_hash_too_slow(const struct password_hash *hash);

/* "$7$, 101 rounds", and NUL. */
void password_hash_describe(char text[static PASSWORD_SCHEME_MAX + 1],
                            const struct password_hash *hash);

/* Is `password` the one behind the hash that `text` is? False too where it is none. */
bool password_hash_verify(const char *text, const char *password);

#endif
