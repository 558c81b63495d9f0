/* newer_store.h - makes a store's file one of the next format. */
#ifndef DEVREG_TESTS_NEWER_STORE_H
#define DEVREG_TESTS_NEWER_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "registry/crypto.h"
#include "registry/store.h"

/* The store's first record, sealed as registry/store.c does it. */
static inline void newer_seal(uint8_t seal[static CRYPTO_MAC_SIZE], const uint8_t *record,
                              size_t size)
{
    static const uint8_t zeros[CRYPTO_MAC_KEY_SIZE];
    crypto_mac(seal, record, size, zeros);
}

/* Is there a sealed record of a store of this format whose format's number stands at `format`?
 * Then it is made one of the next format. */
static inline bool newer_record(uint8_t *format, const uint8_t *begin, const uint8_t *end)
{
    uint8_t seal[CRYPTO_MAC_SIZE];
    for (uint8_t *at = format - 1; at >= begin && at > format - 32; at--) {
        for (uint8_t *to = format + 1; to + sizeof seal <= end && to < format + 64; to++) {
            newer_seal(seal, at, (size_t)(to - at));
            if (memcmp(seal, to, sizeof seal) != 0)
                continue;
            *format = STORE_FORMAT + 1;
            newer_seal(seal, at, (size_t)(to - at));
            memcpy(to, seal, sizeof seal);
            return true;
        }
    }
    return false;
}

/* All of the file's bytes. False where no such record is in it. */
static inline bool newer_store(uint8_t *bytes, size_t size)
{
    size_t found = 0;
    for (size_t i = 32; i < size; i++)
        if (bytes[i] == STORE_FORMAT && bytes[i - 1] >= 'a' && bytes[i - 1] <= 'z')
            found += newer_record(bytes + i, bytes, bytes + size);
    return found > 0;
}

#endif
