#include "plugin/hash_set.h"

#include <stdlib.h>

enum { FIRST_ROOM = 1024 };

void hash_set_clear(struct hash_set *set)
{
    free(set->hashes);
    *set = (struct hash_set){0};
}

static uint64_t not_zero(uint64_t hash)
{
    return hash ? hash : 1;
}

/* Where the hash is, or the empty place where it belongs. */
static uint64_t *place_of(uint64_t *hashes, size_t room, uint64_t hash)
{
    size_t at = (size_t)hash & (room - 1);
    while (hashes[at] && hashes[at] != hash)
        at = (at + 1) & (room - 1);
    return &hashes[at];
}

static bool grow(struct hash_set *set)
{
    size_t room = set->room ? set->room * 2 : FIRST_ROOM;
    uint64_t *hashes = calloc(room, sizeof *hashes);
    if (!hashes)
        return false;
    for (size_t i = 0; i < set->room; i++) {
        if (set->hashes[i])
            *place_of(hashes, room, set->hashes[i]) = set->hashes[i];
    }
    free(set->hashes);
    set->hashes = hashes;
    set->room = room;
    return true;
}

bool hash_set_add(struct hash_set *set, uint64_t hash)
{
    if (set->count * 2 >= set->room && !grow(set))
        return false;
    uint64_t *place = place_of(set->hashes, set->room, not_zero(hash));
    set->count += *place == 0;
    *place = not_zero(hash);
    return true;
}

bool hash_set_has(const struct hash_set *set, uint64_t hash)
{
    return set->room && *place_of(set->hashes, set->room, not_zero(hash));
}
