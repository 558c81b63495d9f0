/* quarantine.h - devices that the broker refuses because two networks took a connection from each
 * other again and again: somebody has a copy of the key.
 *
 * Kept in the presence store, beside what is noted of the device, under 'q' and its id: the broker
 * never writes the registry. It holds for the device's record as it was then. Whatever `devreg`
 * changes of it gives it a higher version, or a removed one another generation, and so ends it.
 */
#ifndef DEVREG_REGISTRY_QUARANTINE_H
#define DEVREG_REGISTRY_QUARANTINE_H

#include "registry/presence_store.h"

/* Plain data. */
struct quarantine {
    uint64_t generation, version; /* of the device, when it began */
    int64_t since;
    char addresses[2][PRESENCE_ADDRESS_MAX + 1]; /* who took it last, and from whom */
};

/* ERR_NOT_FOUND where there is none; ERR_DAMAGED. One that is there may have ended. */
MUST_CHECK enum err quarantine_get(struct txn *txn, const char *device,
                                   struct quarantine *quarantine);
/* The one that follows the device `after` ("" for the first). ERR_NOT_FOUND at the end. `device` is
 * also set with ERR_DAMAGED. `device` may be `after`. What stands under a name that no device can
 * have is passed over. */
MUST_CHECK enum err quarantine_next(struct txn *txn, const char *after,
                                    char device[static DEVICE_ID_MAX + 1],
                                    struct quarantine *quarantine);

/* Does it still hold? */
static inline bool quarantine_holds(const struct quarantine *quarantine, uint64_t generation,
                                    uint64_t version)
{
    return quarantine->generation == generation && quarantine->version == version;
}

/* The record: `pack` may fail; ERR_DAMAGED where the bytes are none. */
void quarantine_encode(struct pack *pack, const struct quarantine *quarantine);
MUST_CHECK enum err quarantine_decode(struct quarantine *quarantine, struct bytes bytes);

/* These keep their failure in the scope. */
void quarantine_put(struct txn *txn, const char *device, struct bytes record);
void quarantine_delete(struct txn *txn, const char *device);

#endif
