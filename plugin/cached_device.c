/* How long what a connection was let in with holds. */
#include "plugin/cache.h"

static const struct cached_credential *credential_find(const struct cached_device *device,
                                                       uint32_t id)
{
    for (size_t i = 0; i < device->credential_count; i++) {
        if (device->credentials[i].id == id)
            return &device->credentials[i];
    }
    return NULL;
}

enum ended cached_device_ended(const struct cached_device *device, uint64_t generation,
                               uint32_t credential, int64_t now)
{
    if (!device->exists || device->generation != generation)
        return ENDED_REMOVED;
    if (device->access.state != DEVICE_ENABLED)
        return device->access.state == DEVICE_REVOKED ? ENDED_REVOKED : ENDED_DISABLED;
    const struct cached_credential *used = credential_find(device, credential);
    bool expired = device->access.expires && now >= device->access.expires;
    if (expired || !used || (used->expires && now >= used->expires))
        return ENDED_EXPIRED;
    return ENDED_NO;
}

bool cached_device_ended_by(const struct cached_device *device, uint32_t id, uint32_t by)
{
    const struct cached_credential *used = credential_find(device, id);
    return used && used->ended_by == by && by != 0;
}

bool cached_device_replaces(const struct cached_device *device, uint32_t by)
{
    for (size_t i = 0; i < device->credential_count; i++) {
        if (cached_device_ended_by(device, device->credentials[i].id, by))
            return true;
    }
    return false;
}

int64_t cached_device_ends(const struct cached_device *device, uint32_t credential)
{
    const struct cached_credential *used = credential_find(device, credential);
    int64_t ends = device->access.expires;
    if (used && used->expires && (!ends || used->expires < ends))
        ends = used->expires;
    return ends;
}
