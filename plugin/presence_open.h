/* presence_open.h - the store that presence is kept in: at start, and another one while the broker
 * runs.
 *
 * Somebody may move it, delete it, put another one in its place, cut it short. Then this follows,
 * as the cache follows the registry: about once a second it is asked whether what is open still
 * lies there. What lies there instead is used from then on, as at a start, but that all that is
 * known of connected devices is recorded there. Where nothing lies there, a new one is made, by the
 * writer's thread; where that fails, what was open serves on. One that is damaged is put aside.
 */
#ifndef DEVREG_PLUGIN_PRESENCE_OPEN_H
#define DEVREG_PLUGIN_PRESENCE_OPEN_H

#include "plugin/presence.h"

enum { PRESENCE_LOOK_MS = 1000 };

/* Begins a read scope of the store. ERR_REPLACED while none is open. */
MUST_CHECK static inline enum err presence_read(const struct presences *presences)
{
    return presences->reader ? txn_renew(presences->reader) : ERR_REPLACED;
}

/* Looks whether it is time to, and follows. `steady`: now. False while nothing may be handed to the
 * writer. */
bool presence_look(struct presences *presences, int64_t steady);
static inline bool presence_follow(struct presences *presences, int64_t steady)
{
    bool due = presences->making || presences->turning ||
               steady - presences->looked_at >= PRESENCE_LOOK_MS;
    return due ? presence_look(presences, steady) : presences->store != NULL;
}

#endif
