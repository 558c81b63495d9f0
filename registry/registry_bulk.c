/* Adding, changing and removing many devices at once.
 *
 * A device costs one descent of the tree, which finds a twin and makes the place in one. All else
 * that registry_add_device looks up and writes for each device is kept here:
 *
 *   generation   the last one given out
 *   roles        sorted by name; each was found in the registry, and how many more holders it has
 */
#include <stdlib.h>
#include <string.h>

#include "registry/record.h"
#include "registry/registry_internal.h"
#include "registry/role_counts.h"

struct registry_bulk {
    struct registry *registry;
    uint64_t generation, first_generation;
    struct role_counts roles; /* more holders, or fewer */
    struct pack pack;         /* used for each record again */
    uint64_t added, removed;
    struct key_text fence; /* behind the last device's; size 0 for none */
};

/* Enough devices that the page before the fence is not merged with it again. */
enum { FENCE_AFTER = 100 };

enum err registry_bulk_begin(struct registry_bulk **out, struct registry *registry,
                             const char *last)
{
    struct registry_bulk *bulk = calloc(1, sizeof *bulk);
    if (!bulk)
        return keep(registry, ERR_NO_MEMORY);
    bulk->registry = registry;
    enum err e = generation_read(registry, &bulk->generation);
    if (e) {
        free(bulk);
        return keep(registry, e);
    }
    bulk->first_generation = bulk->generation;
    if (last && strlen(last) < DEVICE_ID_MAX) {
        bulk->fence = key_of_name(KIND_DEVICE, last);
        bulk->fence.data[bulk->fence.size++] = 1; /* before what an id may go on with */
    }
    *out = bulk;
    return ERR_OK;
}

/* Is the role there? Then it is in the table. */
static enum err role_find(struct registry_bulk *bulk, const char *name, struct role_count **found)
{
    struct role role;
    *found = role_counts_find(&bulk->roles, name);
    if (*found)
        return ERR_OK;
    enum err e = registry_get_role(bulk->registry, name, &role);
    if (e)
        return e;
    role_clear(&role);
    *found = role_counts_insert(&bulk->roles, name);
    return *found ? ERR_OK : ERR_NO_MEMORY;
}

static enum err roles_find(struct registry_bulk *bulk, const struct device *device)
{
    enum err e = ERR_OK;
    struct role_count *role;
    for (size_t i = 0; i < device->role_count && !e; i++)
        e = role_find(bulk, device->roles[i], &role);
    return e;
}

/* They were found. */
static void roles_count(struct registry_bulk *bulk, const struct device *device)
{
    for (size_t i = 0; i < device->role_count; i++)
        role_counts_find(&bulk->roles, device->roles[i])->count++;
}

/* The device's record, lent until the next one. */
static enum err record_make(struct registry_bulk *bulk, const struct device *device,
                            struct bytes *record)
{
    bulk->pack.size = 0;
    device_encode(&bulk->pack, device);
    if (bulk->pack.failed)
        return ERR_NO_MEMORY;
    *record = (struct bytes){bulk->pack.data, bulk->pack.size};
    return ERR_OK;
}

/* A new device, whose roles were found. */
static enum err device_insert(struct registry_bulk *bulk, const struct device *device)
{
    const struct key_text key = key_of_name(KIND_DEVICE, device->id);
    struct bytes record;
    enum err e = record_make(bulk, device, &record);
    if (!e)
        e = txn_insert(bulk->registry->txn, key_bytes(&key), record);
    if (e)
        return e;
    roles_count(bulk, device);
    if (++bulk->added == FENCE_AFTER && bulk->fence.size)
        txn_fence(bulk->registry->txn, key_bytes(&bulk->fence));
    return ERR_OK;
}

enum err registry_bulk_add(struct registry_bulk *bulk, struct device *device)
{
    struct registry *registry = bulk->registry;
    enum err e = roles_find(bulk, device);
    if (e)
        return keep(registry, e);
    device->generation = bulk->generation + 1;
    device->version = 1;
    device->created = device->changed = registry->now;
    e = device_insert(bulk, device);
    if (!e)
        bulk->generation++;
    return keep(registry, e);
}

enum err registry_bulk_restore(struct registry_bulk *bulk, const struct device *device)
{
    enum err e = roles_find(bulk, device);
    if (!e)
        e = device_insert(bulk, device);
    if (!e && device->generation > bulk->generation)
        bulk->generation = device->generation;
    return keep(bulk->registry, e);
}

static const struct roles_held none = {.count = 0};

void roles_held_by(struct roles_held *held, const struct device *device)
{
    held->count = device->role_count;
    memcpy(held->names, device->roles, device->role_count * sizeof *device->roles);
}

static bool is_among(const struct roles_held *list, const char *name)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->names[i], name) != 0)
        i++;
    return i < list->count;
}

/* Finds each role that `list` has and `other` has not, and counts `change` more holders of it. Most
 * changes leave all roles alone. */
static enum err roles_follow(struct registry_bulk *bulk, const struct roles_held *list,
                             const struct roles_held *other, int change)
{
    struct role_count *role;
    for (size_t i = 0; i < list->count; i++) {
        if (is_among(other, list->names[i]))
            continue;
        enum err e = role_find(bulk, list->names[i], &role);
        if (e)
            return e;
        role->count += change;
    }
    return ERR_OK;
}

/* All are looked for before any is counted, so that an answer changes nothing. */
static enum err roles_change(struct registry_bulk *bulk, const struct roles_held *before,
                             const struct roles_held *after)
{
    enum err e = roles_follow(bulk, after, before, 0);
    if (!e)
        e = roles_follow(bulk, before, after, 0) == ERR_OK ? ERR_OK : ERR_DAMAGED;
    if (!e)
        e = roles_follow(bulk, after, before, 1);
    return e ? e : roles_follow(bulk, before, after, -1);
}

enum err registry_bulk_put(struct registry_bulk *bulk, struct device *device,
                           const struct roles_held *before)
{
    struct registry *registry = bulk->registry;
    const struct key_text key = key_of_name(KIND_DEVICE, device->id);
    struct bytes record;
    struct roles_held after; /* not zeroed: 1 KB */
    roles_held_by(&after, device);
    enum err e = roles_change(bulk, before, &after);
    if (e)
        return keep(registry, e);
    device->version++;
    device->changed = registry->now;
    e = record_make(bulk, device, &record);
    if (!e)
        txn_put(registry->txn, key_bytes(&key), record);
    return keep(registry, e);
}

enum err registry_bulk_remove(struct registry_bulk *bulk, const struct device *device)
{
    const struct key_text key = key_of_name(KIND_DEVICE, device->id);
    struct roles_held before;
    roles_held_by(&before, device);
    enum err e = roles_change(bulk, &before, &none);
    if (e)
        return keep(bulk->registry, e);
    txn_delete(bulk->registry->txn, key_bytes(&key));
    bulk->removed++;
    return ERR_OK;
}

enum err registry_bulk_end(struct registry_bulk *bulk)
{
    struct registry *registry = bulk->registry;
    if (bulk->added >= FENCE_AFTER && bulk->fence.size)
        txn_unfence(registry->txn, key_bytes(&bulk->fence));
    if (bulk->generation != bulk->first_generation)
        generation_write(registry, bulk->generation);
    enum err e = devices_add(registry, (int64_t)bulk->added - (int64_t)bulk->removed);
    for (size_t i = 0; i < bulk->roles.used && !e; i++)
        e = holders_add(registry, bulk->roles.list[i].role, bulk->roles.list[i].count);
    pack_free(&bulk->pack);
    role_counts_clear(&bulk->roles);
    free(bulk);
    return keep(registry, e);
}
