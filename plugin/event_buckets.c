#include "plugin/event_buckets.h"

#include <stdlib.h>

void event_buckets_close(struct event_buckets *buckets)
{
    free(buckets->places);
    *buckets = (struct event_buckets){0};
}

/* Of two that are full. */
static bool is_idler(const struct event_bucket *bucket, const struct event_bucket *than)
{
    if ((bucket->dropped == 0) != (than->dropped == 0))
        return bucket->dropped == 0;
    return bucket->full_at < than->full_at;
}

static struct event_bucket *bucket_in(struct event_bucket set[static EVENT_WAYS], uint32_t owner,
                                      int64_t now)
{
    struct event_bucket *idle = NULL;
    for (struct event_bucket *b = set; b < set + EVENT_WAYS; b++) {
        if (b->owner == owner)
            return b;
        if (b->full_at <= now && (!idle || is_idler(b, idle)))
            idle = b;
    }
    if (!idle)
        return &set[owner % EVENT_WAYS];
    *idle = (struct event_bucket){.owner = owner};
    return idle;
}

/* NULL for want of memory. */
static struct event_bucket *bucket_of(struct event_buckets *buckets, uint64_t hash, int64_t now)
{
    if (!buckets->places)
        buckets->places = calloc((size_t)EVENT_SETS * EVENT_WAYS, sizeof *buckets->places);
    if (!buckets->places)
        return NULL;
    return bucket_in(&buckets->places[hash % EVENT_SETS * EVENT_WAYS], (uint32_t)(hash >> 32), now);
}

bool event_buckets_take(struct event_buckets *buckets, uint64_t hash, int64_t now,
                        uint32_t *dropped)
{
    struct event_bucket *bucket = bucket_of(buckets, hash, now);
    if (!bucket)
        return false;
    int64_t full_at = (bucket->full_at > now ? bucket->full_at : now) + EVENT_TOKEN_MS;
    if (full_at > now + (int64_t)EVENT_BURST * EVENT_TOKEN_MS) {
        bucket->dropped += bucket->dropped < UINT32_MAX;
        return false;
    }
    bucket->full_at = full_at;
    *dropped = bucket->dropped;
    bucket->dropped = 0;
    return true;
}
