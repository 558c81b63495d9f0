/* credential.h - what a device proves itself with.
 *
 * A device has several, so a key can be changed without a moment in which none works. A kind
 * that this version does not know is kept as it is and opens nothing.
 */
#ifndef DEVREG_REGISTRY_CREDENTIAL_H
#define DEVREG_REGISTRY_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/crypto.h"

enum { CREDENTIALS_MAX = 8, CREDENTIAL_LABEL_MAX = 32, CREDENTIAL_SECRET_MAX = 255 };

enum credential_kind {
    CREDENTIAL_KEY = 1,      /* secret: the hash of key.h, KEY_HASH_SIZE bytes */
    CREDENTIAL_PASSWORD = 2, /* secret: an Argon2id string without NUL */
    CREDENTIAL_IMPORTED = 3, /* secret: another's hash of a password (password_hash.h), no NUL */
};

struct credential {
    uint8_t kind; /* enum credential_kind, or one of a later version */
    uint32_t id;  /* 1 and up, never used twice in the life of a device's generation */
    char label[CREDENTIAL_LABEL_MAX + 1];
    int64_t created, not_before, expires;
    uint32_t ended_by; /* the id of one whose first use ends this one; 0 for none */
    size_t secret_size;
    uint8_t secret[CREDENTIAL_SECRET_MAX + 1]; /* one more for a NUL after a password's hash */
};

/* May it be used at `now`? */
bool credential_live(const struct credential *credential, int64_t now);

/* "key", "password", "imported", or "other". */
const char *credential_kind_name(const struct credential *credential);

struct device;

/* The live key of `device` that `text` is, or NULL. `device` may be NULL (nobody of that name).
 * The work, one hash and one comparison for each of the device's keys and at least one, is the
 * same for a wrong key and for nobody. Whether the device is enabled is not asked here. Lends. */
const struct credential *credential_of_key(const struct device *device, const char *text,
                                           const uint8_t secret[static CRYPTO_KEY_SIZE],
                                           int64_t now);

/* Is it a password, of either kind? Then its secret is a text. */
bool credential_is_password(const struct credential *credential);

/* The first live password of `device`, imported ones included, or NULL. Lends. */
const struct credential *credential_password(const struct device *device, int64_t now);

#endif
