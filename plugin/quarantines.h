/* quarantines.h - devices that are refused until their record changes: plugin_opt_duplicate_use
 * quarantine. See registry/quarantine.h for what is kept of them on the disk.
 *
 * All of them are in memory, which are few: so who has nothing to do with it pays one load.
 */
#ifndef DEVREG_PLUGIN_QUARANTINES_H
#define DEVREG_PLUGIN_QUARANTINES_H

#include "plugin/presence.h"
#include "registry/quarantine.h"

struct quarantines {
    struct table table;          /* by device id: table_hash_name */
    struct presences *presences; /* lent: its cache, its writer */
    bool unrecorded;             /* one could not be handed to the writer yet */
};

/* Takes what is recorded and still holds. `presences` is open. */
MUST_CHECK enum err quarantines_open(struct quarantines *quarantines, struct presences *presences);
/* Another store took the place of the one that was open: takes what is recorded there, too, and has
 * all recorded there. */
void quarantines_record_again(struct quarantines *quarantines);
void quarantines_close(struct quarantines *quarantines);

/* Begins one for the device that `connection` was let in for, unless it is there; `taken_from` is
 * the other address. False for want of memory: then nothing has changed. */
bool quarantines_begin(struct quarantines *quarantines, const struct connection *connection,
                       const char *taken_from, int64_t now);

/* Is the device, as it was just read, refused? One whose record has changed no longer is. */
bool quarantines_refuse_anew(struct quarantines *quarantines, const struct device *device);
static inline bool quarantines_refuse(struct quarantines *quarantines, const struct device *device)
{
    return quarantines->table.count && quarantines_refuse_anew(quarantines, device);
}

/* Was the connection let in before its device's quarantine began? */
bool quarantines_found(const struct quarantines *quarantines, const struct connection *connection);
static inline bool quarantines_hold(const struct quarantines *quarantines,
                                    const struct connection *connection)
{
    return quarantines->table.count && quarantines_found(quarantines, connection);
}

/* Once a turn: hands over what could not be handed over before. */
void quarantines_tick(struct quarantines *quarantines);

#endif
