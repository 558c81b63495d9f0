#include "plugin/duplicate.h"

#include <stdlib.h>
#include <string.h>

/* Where that hash is remembered, in place of what was used longest ago if it is new. NULL for want
 * of memory. */
static struct takeovers *place_of(struct duplicates *duplicates, uint64_t hash, int64_t now)
{
    if (!duplicates->sets)
        duplicates->sets =
            calloc((size_t)DUPLICATE_SETS * DUPLICATE_WAYS, sizeof *duplicates->sets);
    if (!duplicates->sets)
        return NULL;
    struct takeovers *set = &duplicates->sets[hash % DUPLICATE_SETS * DUPLICATE_WAYS];
    struct takeovers *place = set;
    for (struct takeovers *t = set; t < set + DUPLICATE_WAYS; t++) {
        if (t->hash == hash) {
            place = t;
            break;
        }
        if (t->used_at < place->used_at)
            place = t;
    }
    if (place->hash != hash)
        *place = (struct takeovers){.hash = hash};
    place->used_at = now;
    return place;
}

static bool network_of_connection(struct network *network, const struct connection *connection)
{
    return connection->peer && network_parse(network, connection->address);
}

/* Notes the take-over. Are there enough of them? */
static bool note(struct takeovers *takeovers, uint64_t generation, const struct network *from,
                 const struct network *by, int64_t now)
{
    int64_t *times = takeovers->times;
    bool goes_on = takeovers->generation == generation && network_same(&takeovers->holder, from) &&
                   network_same(&takeovers->loser, by);
    if (!goes_on)
        memset(times, 0, sizeof takeovers->times);
    memmove(times + 1, times, sizeof takeovers->times - sizeof *times);
    times[0] = now;
    takeovers->generation = generation;
    takeovers->holder = *by;
    takeovers->loser = *from;
    const int64_t first = times[DUPLICATE_TAKEOVERS - 1];
    bool enough = first && now - first <= DUPLICATE_WINDOW_MS;
    if (enough)
        memset(times, 0, sizeof takeovers->times);
    return enough;
}

void duplicates_close(struct duplicates *duplicates)
{
    free(duplicates->sets);
    *duplicates = (struct duplicates){0};
}

bool duplicates_note(struct duplicates *duplicates, const struct connection *from,
                     const struct connection *by, int64_t now)
{
    struct network lost, won;
    if (!network_of_connection(&lost, from) || !network_of_connection(&won, by) ||
        network_same(&lost, &won))
        return false;
    struct takeovers *takeovers = place_of(duplicates, by->by_client.hash, now);
    return takeovers && note(takeovers, by->generation, &lost, &won, now);
}

bool duplicates_may_tell(struct duplicates *duplicates, const struct cached_device *device,
                         int64_t now)
{
    struct takeovers *place = place_of(duplicates, device->node.hash, now);
    if (!place || (place->told_at && now - place->told_at < DUPLICATE_AGAIN_MS))
        return false;
    place->told_at = now;
    return true;
}
