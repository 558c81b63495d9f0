#include "registry/quarantine.h"

#include <string.h>

enum { FORMAT = 1, KEY_MAX = 1 + DEVICE_ID_MAX };

/* The device's key, in `storage`. */
static struct bytes key_of(uint8_t storage[static KEY_MAX], const char *device)
{
    size_t size = strnlen(device, DEVICE_ID_MAX);
    storage[0] = 'q';
    memcpy(storage + 1, device, size);
    return (struct bytes){storage, 1 + size};
}

void quarantine_encode(struct pack *pack, const struct quarantine *quarantine)
{
    pack_number(pack, FORMAT);
    pack_number(pack, quarantine->generation);
    pack_number(pack, quarantine->version);
    pack_time(pack, quarantine->since);
    pack_text(pack, quarantine->addresses[0]);
    pack_text(pack, quarantine->addresses[1]);
}

enum err quarantine_decode(struct quarantine *quarantine, struct bytes bytes)
{
    struct unpack u = unpack_of(bytes);
    struct quarantine q = {0};
    if (unpack_number(&u, UINT64_MAX) != FORMAT)
        return ERR_DAMAGED;
    q.generation = unpack_number(&u, UINT64_MAX);
    q.version = unpack_number(&u, UINT64_MAX);
    q.since = unpack_time(&u);
    unpack_text(&u, q.addresses[0], PRESENCE_ADDRESS_MAX);
    unpack_text(&u, q.addresses[1], PRESENCE_ADDRESS_MAX);
    if (!unpack_done(&u))
        return ERR_DAMAGED;
    *quarantine = q;
    return ERR_OK;
}

enum err quarantine_get(struct txn *txn, const char *device, struct quarantine *quarantine)
{
    uint8_t storage[KEY_MAX];
    struct bytes record;
    enum err e = txn_get(txn, key_of(storage, device), &record);
    return e ? e : quarantine_decode(quarantine, record);
}

/* Could it be that of a device? A walk could not go on from any other. */
static bool names_device(struct bytes key)
{
    return key.size <= KEY_MAX && !memchr(key.data, '\0', key.size);
}

enum err quarantine_next(struct txn *txn, const char *after, char device[static DEVICE_ID_MAX + 1],
                         struct quarantine *quarantine)
{
    uint8_t storage[KEY_MAX];
    struct bytes key = key_of(storage, after), record;
    enum err e;
    do {
        e = txn_next(txn, 'q', key, &key, &record);
        if (e && e != ERR_DAMAGED)
            return e;
    } while (!names_device(key));
    memcpy(device, key.data + 1, key.size - 1);
    device[key.size - 1] = '\0';
    return e ? e : quarantine_decode(quarantine, record);
}

void quarantine_put(struct txn *txn, const char *device, struct bytes record)
{
    uint8_t storage[KEY_MAX];
    txn_put(txn, key_of(storage, device), record);
}

void quarantine_delete(struct txn *txn, const char *device)
{
    uint8_t storage[KEY_MAX];
    txn_delete(txn, key_of(storage, device));
}
