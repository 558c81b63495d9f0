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
#include "registry/text.h"

struct bulk_role {
    char name[ROLE_NAME_MAX + 1];
    int64_t holders; /* more, or fewer */
};

struct registry_bulk {
    struct registry *registry;
    uint64_t generation, first_generation;
    struct bulk_role *roles;
    size_t role_count, role_room;
    struct pack pack; /* used for each record again */
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

/* Where the role stands, or would stand. */
static size_t role_place(const struct registry_bulk *bulk, const char *name)
{
    size_t low = 0, high = bulk->role_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(bulk->roles[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum err role_insert(struct registry_bulk *bulk, size_t at, const char *name)
{
    struct role role;
    enum err e = registry_get_role(bulk->registry, name, &role);
    if (e)
        return e;
    role_clear(&role);
    if (bulk->role_count == bulk->role_room) {
        size_t room = 2 * bulk->role_room + 8;
        struct bulk_role *roles = realloc(bulk->roles, room * sizeof *roles);
        if (!roles)
            return ERR_NO_MEMORY;
        bulk->roles = roles;
        bulk->role_room = room;
    }
    memmove(&bulk->roles[at + 1], &bulk->roles[at], (bulk->role_count - at) * sizeof *bulk->roles);
    bulk->role_count++;
    bulk->roles[at].holders = 0;
    (void)text_copy(bulk->roles[at].name, ROLE_NAME_MAX, name); /* it was found, so it fits */
    return ERR_OK;
}

/* Is the role there? Then it is in the table. */
static enum err role_find(struct registry_bulk *bulk, const char *name, size_t *at)
{
    *at = role_place(bulk, name);
    if (*at < bulk->role_count && strcmp(bulk->roles[*at].name, name) == 0)
        return ERR_OK;
    return role_insert(bulk, *at, name);
}

static enum err roles_find(struct registry_bulk *bulk, const struct device *device)
{
    enum err e = ERR_OK;
    size_t at;
    for (size_t i = 0; i < device->role_count && !e; i++)
        e = role_find(bulk, device->roles[i], &at);
    return e;
}

static void roles_count(struct registry_bulk *bulk, const struct device *device)
{
    for (size_t i = 0; i < device->role_count; i++)
        bulk->roles[role_place(bulk, device->roles[i])].holders++;
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
    size_t at;
    for (size_t i = 0; i < list->count; i++) {
        if (is_among(other, list->names[i]))
            continue;
        enum err e = role_find(bulk, list->names[i], &at);
        if (e)
            return e;
        bulk->roles[at].holders += change;
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
    for (size_t i = 0; i < bulk->role_count && !e; i++)
        e = holders_add(registry, bulk->roles[i].name, bulk->roles[i].holders);
    pack_free(&bulk->pack);
    free(bulk->roles);
    free(bulk);
    return keep(registry, e);
}
