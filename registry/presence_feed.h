/* presence_feed.h - what happened to devices, for whoever watches the presence store.
 *
 * Each write of the plugin that told a state, counted a failure or forgot a device leaves one piece
 * in the store: the counts as of then, and a few bytes for each device. The latest FEED_KEPT pieces
 * are kept, so a follower who falls behind more than that has to look at all records once.
 */
#ifndef DEVREG_REGISTRY_PRESENCE_FEED_H
#define DEVREG_REGISTRY_PRESENCE_FEED_H

#include "registry/presence_store.h"

enum { FEED_KEPT = 1000 };

struct presence_counts {
    uint64_t seen;   /* devices that ever connected */
    uint64_t online; /* those of them that are, as recorded */
    uint64_t seq;    /* the highest that was ever given to any device */
};

/* The counts in the newest piece, zeros before the first; and how to find them without it, by a
 * walk over all records. ERR_DAMAGED. */
MUST_CHECK enum err presence_counts_get(struct txn *txn, struct presence_counts *counts);
MUST_CHECK enum err presence_counts_find(struct txn *txn, struct presence_counts *counts);

enum feed_kind { FEED_ONLINE, FEED_OFFLINE, FEED_FAILED, FEED_DENIED, FEED_REMOVED, FEED_KINDS };

/* One thing that happened to a device. */
struct feed_item {
    char device[DEVICE_ID_MAX + 1];
    enum feed_kind kind;
    enum reason reason; /* FEED_OFFLINE */
    uint64_t conn;      /* FEED_ONLINE, FEED_OFFLINE */
    int64_t time;       /* ms since 1970 */
};

/* The number of the newest piece; 0 for none yet. */
MUST_CHECK enum err feed_last(struct txn *txn, uint64_t *number);

/* The piece that follows number `after`: its number, and its items for feed_item_next, which are
 * lent until the scope ends. ERR_NOT_FOUND at the end; `number` is also set with ERR_DAMAGED. */
MUST_CHECK enum err feed_next(struct txn *txn, uint64_t after, uint64_t *number,
                              struct bytes *items);

/* Takes the first item. False at the end, and where the bytes are no item. */
bool feed_item_next(struct bytes *items, struct feed_item *item);

/* Adds an item to a piece that is being made. */
void feed_item_add(struct pack *items, const struct feed_item *item);

/* Writes piece `number`, one more than the last, and drops the one that is too old. Keeps its
 * failure in the scope. */
void feed_put(struct txn *txn, uint64_t number, const struct presence_counts *counts,
              const struct pack *items);

#endif
