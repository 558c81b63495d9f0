/* presence_walk.h - the walk over all records, at start and after a change that names no device;
 * and what is asked of the store. See presence.h. */
#ifndef DEVREG_PLUGIN_PRESENCE_WALK_H
#define DEVREG_PLUGIN_PRESENCE_WALK_H

#include "plugin/presence.h"

/* Goes on for a few records. */
void presence_walk_on(struct presences *presences, int64_t now);

/* These are presence.c's, for the walk and for presence_jobs.c. */

/* The last run left the device online, and it has not come back yet. */
void presence_restarted(struct presences *presences, const char *device, int64_t now);
/* The entry of a device that is online, or of which something is on its way: its record is ahead of
 * the disk. NULL for any other. */
struct presence_entry *presence_find(const struct presences *presences, const char *device);
/* Publishes its state once more. */
void presence_again(struct presences *presences, struct presence_entry *entry);
/* Frees an entry that nothing needs any more. */
void presence_settle(struct presences *presences, struct presence_entry *entry);

#endif
