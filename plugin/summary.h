/* summary.h - how many devices are online, as a retained message on devreg/summary:
 *
 *   {"v":1,"ts":1700000000000,"online":3,"offline":1,"never_seen":1,"total":5}
 *
 * At most once a second, and only when a number is another one.
 */
#ifndef DEVREG_PLUGIN_SUMMARY_H
#define DEVREG_PLUGIN_SUMMARY_H

#include "plugin/cache.h"
#include "registry/presence_feed.h"

#define SUMMARY_TOPIC RESERVED_TOPIC "/summary"

struct summary_numbers {
    uint64_t online, offline, never_seen, total;
};

/* {0} in: nothing was published yet. */
struct summary {
    bool changed;   /* there may be something new */
    bool published; /* and this was: */
    struct summary_numbers last;
    uint64_t snapshot; /* of the registry, then */
    int64_t at;        /* steady clock: when it was looked at last */
};

/* Something of presence was recorded. */
static inline void summary_changed(struct summary *summary)
{
    summary->changed = true;
}

/* Publishes it, if it is time and a number is another one. `reader` is of the presence store, no
 * scope open. The error of reading there. */
MUST_CHECK enum err summary_tick(struct summary *summary, struct cache *cache, struct txn *reader,
                                 int64_t now);

#endif
