#include "plugin/names.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 256 };

void names_init(struct names *names)
{
    *names = (struct names){0};
    crypto_random(names->key, sizeof names->key);
}

void names_clear(struct names *names)
{
    free(names->hashes);
    *names = (struct names){0};
}

static uint64_t hash_of(const struct names *names, const char *name)
{
    uint64_t hash = crypto_table_hash(name, strlen(name), names->key);
    return hash ? hash : 1;
}

/* Where the hash is, or the empty place where it belongs. */
static uint64_t *place_of(uint64_t *hashes, size_t room, uint64_t hash)
{
    size_t at = hash & (room - 1);
    while (hashes[at] && hashes[at] != hash)
        at = (at + 1) & (room - 1);
    return &hashes[at];
}

static bool grow(struct names *names)
{
    size_t room = names->room ? names->room * 2 : FIRST_ROOM;
    uint64_t *hashes = calloc(room, sizeof *hashes);
    if (!hashes)
        return false;
    for (size_t i = 0; i < names->room; i++) {
        if (names->hashes[i])
            *place_of(hashes, room, names->hashes[i]) = names->hashes[i];
    }
    free(names->hashes);
    names->hashes = hashes;
    names->room = room;
    return true;
}

bool names_add(struct names *names, const char *name)
{
    uint64_t hash = hash_of(names, name);
    if (names->count * 2 >= names->room && !grow(names))
        return false;
    uint64_t *place = place_of(names->hashes, names->room, hash);
    names->count += *place == 0;
    *place = hash;
    return true;
}

bool names_has(const struct names *names, const char *name)
{
    return names->room && *place_of(names->hashes, names->room, hash_of(names, name));
}
