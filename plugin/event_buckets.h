/* event_buckets.h - how many events a device has: EVENT_BURST at once, and one more a second.
 *
 * A token bucket is kept as the moment at which it is full again; each event moves that on by the
 * time that a token takes:
 *
 *      now                                 full_at
 *       |-- token --|-- token --|-- token --|          three of EVENT_BURST are out
 *
 * One that is full says no more than none. So a table of fixed size has room for all that had
 * events lately, and a storm costs no memory:
 *
 *      set 0   d7   d9   -   d2   ...                  EVENT_WAYS places, found by hash
 *      set 1   -    d4   -   -
 *
 * A new one takes the place of the one that has been full for the longest time. Only where none of
 * the set is full it shares with another, and may then lose events to a busier device: where 10,000
 * are not full one new one in 24,000 does, where 30,000 are not one in 30.
 */
#ifndef DEVREG_PLUGIN_EVENT_BUCKETS_H
#define DEVREG_PLUGIN_EVENT_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

enum { EVENT_SETS = 8192, EVENT_WAYS = 8, EVENT_BURST = 10, EVENT_TOKEN_MS = 1000 };

/* {0} is an empty place. */
struct event_bucket {
    int64_t full_at;  /* steady clock */
    uint32_t owner;   /* the half of the hash that does not choose the set */
    uint32_t dropped; /* since the last event that went out */
};

/* {0} has no memory yet. */
struct event_buckets {
    struct event_bucket *places; /* NULL until the first event */
};

void event_buckets_close(struct event_buckets *buckets);

/* Takes a token of the bucket with that hash. True where there was one; then `dropped` is how many
 * were asked for since the one before, and not there. False for want of memory, too. How many that
 * were is forgotten where the bucket was idle and another one needed its place; those are taken
 * last. `now`: ms of a clock that never goes back. */
bool event_buckets_take(struct event_buckets *buckets, uint64_t hash, int64_t now,
                        uint32_t *dropped);

#endif
