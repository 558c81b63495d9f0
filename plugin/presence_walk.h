/* presence_walk.h - the walk over all records, at start and after a change that names no device;
 * and what is asked of the store. See presence.h. */
#ifndef DEVREG_PLUGIN_PRESENCE_WALK_H
#define DEVREG_PLUGIN_PRESENCE_WALK_H

#include "plugin/presence.h"

/* Goes on for a few records. */
void presence_walk_on(struct presences *presences, int64_t now);

/* These are presence.c's, for the walk. */
bool presence_submit_delete(struct presences *presences, const char *device);
bool presence_submit_topic(struct presences *presences, const char *topic);
/* The last run left the device online, and it has not come back yet. */
void presence_restarted(struct presences *presences, const char *device, int64_t now);
/* The record of a device that is online, or whose state is on its way: it is ahead of the disk.
 * False, and `record` untouched, for any other. */
bool presence_now(const struct presences *presences, const char *device, struct presence *record);

#endif
