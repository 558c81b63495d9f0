/* hash_set.h - a set of things of which only the hashes are kept: 16 bytes for each at the most. It
 * only grows.
 *
 * Two things with one hash are taken for one. Whoever asks has to be on the safe side then: 64 bits
 * meet by chance once in 2^64, but a stranger may make two usernames meet.
 */
#ifndef DEVREG_PLUGIN_HASH_SET_H
#define DEVREG_PLUGIN_HASH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {0} is an empty one; end it with hash_set_clear. */
struct hash_set {
    uint64_t *hashes; /* open addressing; 0 is an empty place */
    size_t room, count;
};

void hash_set_clear(struct hash_set *set);

/* False for want of memory: then it is not in. It may be there already. */
bool hash_set_add(struct hash_set *set, uint64_t hash);
bool hash_set_has(const struct hash_set *set, uint64_t hash);

#endif
