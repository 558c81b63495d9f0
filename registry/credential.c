#include "registry/credential.h"

#include <string.h>

#include "registry/device.h"
#include "registry/key.h"

bool credential_live(const struct credential *credential, int64_t now)
{
    return now >= credential->not_before && (credential->expires == 0 || now < credential->expires);
}

const char *credential_kind_name(const struct credential *credential)
{
    switch (credential->kind) {
    case CREDENTIAL_KEY:
        return "key";
    case CREDENTIAL_PASSWORD:
        return "password";
    case CREDENTIAL_IMPORTED:
        return "imported";
    default:
        return "other";
    }
}

static bool key_is(const struct credential *kept, const char *device, const char *text,
                   const uint8_t secret[static CRYPTO_KEY_SIZE])
{
    uint8_t hash[KEY_HASH_SIZE];
    key_hash(hash, text, device, kept->id, secret);
    /* It is no secret: where it is the right one, it stands in the record. */
    return kept->secret_size == KEY_HASH_SIZE && crypto_equal(hash, kept->secret, KEY_HASH_SIZE);
}

const struct credential *credential_of_key(const struct device *device, const char *text,
                                           const uint8_t secret[static CRYPTO_KEY_SIZE],
                                           int64_t now)
{
    static const struct credential nobody = {.kind = CREDENTIAL_KEY, .secret_size = KEY_HASH_SIZE};
    const struct credential *found = NULL;
    size_t compared = 0;
    if (strnlen(text, KEY_TEXT_SIZE + 1) != KEY_TEXT_SIZE)
        return NULL;
    for (size_t i = 0; device && i < device->credential_count; i++) {
        const struct credential *kept = &device->credentials[i];
        if (kept->kind != CREDENTIAL_KEY)
            continue;
        compared++;
        if (key_is(kept, device->id, text, secret) && credential_live(kept, now))
            found = kept;
    }
    if (!compared)
        (void)key_is(&nobody, "nobody", text, secret);
    return found;
}

bool credential_is_password(const struct credential *credential)
{
    return credential->kind == CREDENTIAL_PASSWORD || credential->kind == CREDENTIAL_IMPORTED;
}

const struct credential *credential_password(const struct device *device, int64_t now)
{
    for (size_t i = 0; i < device->credential_count; i++) {
        const struct credential *kept = &device->credentials[i];
        if (credential_is_password(kept) && credential_live(kept, now))
            return kept;
    }
    return NULL;
}
