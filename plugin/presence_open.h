/* presence_open.h - the store that presence is kept in: at start, and another one while the broker
 * runs.
 *
 * Somebody may move it, delete it, put another one in its place, cut it short. Then this follows,
 * as the cache follows the registry: about once a second it is asked whether what is open still
 * lies there. What lies there instead is used from then on, as at a start, but that all that is
 * known of connected devices is recorded there. Where nothing lies there, a new one is made, by the
 * writer's thread; where that fails, what was open serves on. One that is damaged is put aside.
 *
 * Damage may also show where a page is read or changed: then the store is opened again at the next
 * tick, since somebody may have been writing over it, and put aside if that happens once more
 * within the hour. The walk that follows sees to it that it is soon.
 */
#ifndef DEVREG_PLUGIN_PRESENCE_OPEN_H
#define DEVREG_PLUGIN_PRESENCE_OPEN_H

#include "plugin/presence.h"

enum { PRESENCE_LOOK_MS = 1000, PRESENCE_BROKEN_AGAIN_MS = 3600 * 1000 };

/* Something of the store could not be read, or written: it ended with `e`. If that is the store's
 * structure nothing of it is believed any more, and it is opened again. */
void presence_doubt(struct presences *presences, enum err e);

/* Begins a read scope of the store. ERR_REPLACED while none is open. */
MUST_CHECK static inline enum err presence_read(struct presences *presences)
{
    enum err e = presences->reader ? txn_renew(presences->reader) : ERR_REPLACED;
    if (e == ERR_BROKEN)
        presence_doubt(presences, e);
    return e;
}

/* Ends the scope that presence_read began, in which reading ended with `e`, and returns that. */
MUST_CHECK static inline enum err presence_read_end(struct presences *presences, enum err e)
{
    txn_reset(presences->reader);
    if (e == ERR_BROKEN)
        presence_doubt(presences, e);
    return e;
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
