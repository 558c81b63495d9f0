/* names.h - a set of names that only grows: 16 bytes for each at the most.
 *
 * Kept as 64-bit hashes under a random key. Two names share one by chance once in 2^64.
 */
#ifndef DEVREG_PLUGIN_NAMES_H
#define DEVREG_PLUGIN_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/crypto.h"

/* Begin with names_init, end with names_clear. */
struct names {
    uint64_t *hashes; /* open addressing; 0 is an empty place */
    size_t room, count;
    uint8_t key[CRYPTO_MAC_KEY_SIZE];
};

void names_init(struct names *names);
void names_clear(struct names *names);

/* False for want of memory: then it is not in. */
bool names_add(struct names *names, const char *name);
bool names_has(const struct names *names, const char *name);

#endif
