/* What cannot be read is taken away, and what is only counted is counted anew. */
#include <stdio.h>
#include <string.h>

#include "registry/record.h"
#include "registry/registry_internal.h"
#include "registry/role_counts.h"
#include "registry/text.h"

struct census {
    struct role_counts holders;
    uint64_t devices, generation;
};

/* All devices, as far as they can be read. */
static enum err count_all(struct registry *registry, struct census *census)
{
    char after[DEVICE_ID_MAX + 1] = "";
    struct device device;
    for (;;) {
        enum err e = registry_next_device(registry, after, &device);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e && e != ERR_DAMAGED)
            return e;
        census->devices++;
        (void)text_copy(after, DEVICE_ID_MAX, device.id); /* an id fits */
        if (e)
            continue;
        if (device.generation > census->generation)
            census->generation = device.generation;
        e = role_counts_add(&census->holders, &device);
        device_clear(&device);
        if (e)
            return e;
    }
}

/* Each role has a count, also one that cannot be read. */
static enum err write_counts(struct registry *registry, const struct role_counts *counts)
{
    char after[ROLE_NAME_MAX + 1] = "";
    struct role role;
    for (;;) {
        enum err e = registry_next_role(registry, after, &role);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e && e != ERR_DAMAGED)
            return e;
        (void)text_copy(after, ROLE_NAME_MAX, role.name); /* a name fits */
        const struct key_text key = key_of_name(KIND_HOLDERS, after);
        number_put(registry->txn, &key, role_counts_get(counts, after));
        if (!e)
            role_clear(&role);
    }
}

/* Counts of roles that are not there. */
static enum err drop_counts(struct registry *registry)
{
    struct key_text at = {.size = 0};
    struct bytes key, record, role;
    for (;;) {
        enum err e = txn_next(registry->txn, KIND_HOLDERS, key_bytes(&at), &key, &record);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e && e != ERR_DAMAGED)
            return e;
        if (key.size > KEY_MAX)
            return ERR_BROKEN;
        at = (struct key_text){.size = key.size};
        memcpy(at.data, key.data, key.size);
        struct key_text of = at;
        of.data[0] = KIND_ROLE;
        e = txn_get(registry->txn, key_bytes(&of), &role);
        if (e == ERR_NOT_FOUND)
            txn_delete(registry->txn, key_bytes(&at));
        else if (e && e != ERR_DAMAGED)
            return e;
    }
}

/* One that is damaged, or too low, is the highest of any device: the next one is above it. */
static enum err mend_generation(struct registry *registry, uint64_t highest)
{
    uint64_t generation;
    enum err e = generation_read(registry, &generation);
    if (e && e != ERR_DAMAGED)
        return e;
    if (e || generation < highest)
        generation_write(registry, highest);
    return ERR_OK;
}

enum err registry_recount(struct registry *registry)
{
    const struct key_text key = key_of_name(KIND_COUNT, "");
    struct census census = {.devices = 0};
    enum err e = count_all(registry, &census);
    if (!e)
        e = write_counts(registry, &census.holders);
    if (!e)
        e = drop_counts(registry);
    if (!e) {
        number_put(registry->txn, &key, census.devices);
        e = mend_generation(registry, census.generation);
    }
    role_counts_clear(&census.holders);
    return keep(registry, e);
}

enum err registry_remove_damaged(struct registry *registry, const char *id)
{
    const struct key_text key = key_of_name(KIND_DEVICE, id);
    struct device device;
    struct bytes record;
    enum err e = txn_get(registry->txn, key_bytes(&key), &record);
    if (!e)
        e = device_decode(&device, record);
    if (!e) {
        device_clear(&device);
        return ERR_EXISTS;
    }
    if (e != ERR_DAMAGED)
        return keep(registry, e);
    txn_delete(registry->txn, key_bytes(&key));
    return registry_recount(registry);
}

enum err registry_renew_role(struct registry *registry, struct role *role)
{
    const struct key_text key = key_of_name(KIND_ROLE, role->name);
    struct pack pack = {0};
    struct role there;
    struct bytes record;
    enum err e = txn_get(registry->txn, key_bytes(&key), &record);
    if (!e)
        e = role_decode(&there, record);
    if (!e) {
        role_clear(&there);
        return ERR_EXISTS;
    }
    if (e != ERR_DAMAGED)
        return keep(registry, e);
    role->version = 1;
    role->created = role->changed = registry->now;
    role_encode(&pack, role);
    put_packed(registry->txn, &key, &pack);
    return registry_recount(registry);
}
