/* duplicate.h - one identity in two places: a device whose connection two networks take from each
 * other again and again.
 *
 *   client id      pump-7   pump-7   pump-7   pump-7   pump-7
 *   from           A        B        A        B        A
 *   take-overs              1        2        3        4  -> told, with both addresses
 *
 * DUPLICATE_TAKEOVERS of them in a row, to and fro between the same two networks (network.h),
 * within DUPLICATE_WINDOW_MS. A device that moves from one network to another, or to another and
 * back, takes its connection over once or twice, as one does that has two uplinks. A third network
 * begins anew, and what has no network, a Unix socket or a websocket, does not count.
 *
 * What is remembered is in a table of fixed size, by a keyed hash of the client id, made with the
 * first take-over from another network. The oldest goes first.
 */
#ifndef DEVREG_PLUGIN_DUPLICATE_H
#define DEVREG_PLUGIN_DUPLICATE_H

#include "plugin/connections.h"
#include "plugin/network.h"

enum {
    DUPLICATE_TAKEOVERS = 4,
    DUPLICATE_WINDOW_MS = 600000,
    DUPLICATE_AGAIN_MS = 600000, /* until a device is told of again */
    DUPLICATE_SETS = 512,
    DUPLICATE_WAYS = 4
};

struct takeovers {
    uint64_t hash;                      /* of the client id, or of the device; 0: nobody's */
    uint64_t generation;                /* of the device */
    struct network holder, loser;       /* of the latest one */
    int64_t times[DUPLICATE_TAKEOVERS]; /* steady clock, the latest first; 0 for none */
    int64_t told_at;                    /* steady clock; of a device; 0 for never */
    int64_t used_at;                    /* steady clock */
};

/* {0} is an empty one. */
struct duplicates {
    struct takeovers *sets; /* NULL until the first */
};

void duplicates_close(struct duplicates *duplicates);

/* `by` takes the client id of `from` over, of the same device. Is that once too often? Then they
 * are counted anew. For want of memory it is not. `now`: steady clock. */
bool duplicates_note(struct duplicates *duplicates, const struct connection *from,
                     const struct connection *by, int64_t now);

/* Is it time to tell of the device? Then it is not for DUPLICATE_AGAIN_MS. */
bool duplicates_may_tell(struct duplicates *duplicates, const struct cached_device *device,
                         int64_t now);

#endif
