/* presence_walk.h - the walk over all records, at start and after a change that names no device;
 * and what is asked of the store. See presence.h. */
#ifndef DEVREG_PLUGIN_PRESENCE_WALK_H
#define DEVREG_PLUGIN_PRESENCE_WALK_H

#include "plugin/presence.h"

/* Begins it, as at start: states are published. */
void presence_walk_begin(struct presences *presences);

/* Goes on for a few records. */
void presence_walk_on(struct presences *presences, int64_t now);

/* Notes, once all that a walk found is recorded, that the store was walked. */
void presence_walk_end(struct presences *presences);

/* The broker stops, and saves what stands in it: notes that the store is new no longer, if its walk
 * is done. */
void presence_walk_close(struct presences *presences);

#endif
