/* Changes: each in a write scope, none logged here but by registry_log. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "registry/record.h"
#include "registry/registry_internal.h"
#include "registry/text.h"

/* Errors that are answers, and after which the scope can go on. */
static bool is_answer(enum err e)
{
    return e == ERR_OK || e == ERR_NOT_FOUND || e == ERR_EXISTS || e == ERR_TWIN || e == ERR_IN_USE;
}

enum err keep(struct registry *registry, enum err e)
{
    if (!is_answer(e))
        txn_fail(registry->txn, e);
    return e;
}

static void device_write(struct registry *registry, const struct device *device)
{
    const struct key_text key = key_of_name(KIND_DEVICE, device->id);
    struct pack pack = {0};
    device_encode(&pack, device);
    put_packed(registry->txn, &key, &pack);
}

static bool holds(const struct device *device, const char *role)
{
    for (size_t i = 0; i < device->role_count; i++) {
        if (strcmp(device->roles[i], role) == 0)
            return true;
    }
    return false;
}

/* Are all roles of `device` there, exactly so spelled? */
static enum err roles_exist(struct registry *registry, const struct device *device)
{
    for (size_t i = 0; i < device->role_count; i++) {
        struct role role;
        enum err e = registry_get_role(registry, device->roles[i], &role);
        if (e)
            return e;
        role_clear(&role);
    }
    return ERR_OK;
}

/* A count that is there from the beginning. */
static enum err count_add(struct registry *registry, const struct key_text *key, int64_t change)
{
    uint64_t count;
    enum err e = number_get(registry->txn, key, &count);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_DAMAGED : e;
    if (change < 0 && count < (uint64_t)-change)
        return ERR_DAMAGED;
    number_put(registry->txn, key, count + (uint64_t)change);
    return ERR_OK;
}

enum err holders_add(struct registry *registry, const char *role, int64_t change)
{
    const struct key_text key = key_of_name(KIND_HOLDERS, role);
    return count_add(registry, &key, change);
}

enum err devices_add(struct registry *registry, int64_t change)
{
    const struct key_text key = key_of_name(KIND_COUNT, "");
    return count_add(registry, &key, change);
}

/* Counts the roles that `to` holds and `from` does not. Either may be NULL for none. */
static enum err holders_follow(struct registry *registry, const struct device *from,
                               const struct device *to, int change)
{
    for (size_t i = 0; to && i < to->role_count; i++) {
        if (from && holds(from, to->roles[i]))
            continue;
        enum err e = holders_add(registry, to->roles[i], change);
        if (e)
            return e;
    }
    return ERR_OK;
}

static enum err roles_change(struct registry *registry, const struct device *from,
                             const struct device *to)
{
    enum err e = holders_follow(registry, from, to, 1);
    return e ? e : holders_follow(registry, to, from, -1);
}

/* Nothing of that name, in any spelling? */
static enum err device_absent(struct registry *registry, const char *id)
{
    char twin[DEVICE_ID_MAX + 1];
    enum err e = registry_find_twin(registry, id, twin);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e)
        return e;
    return strcmp(twin, id) == 0 ? ERR_EXISTS : ERR_TWIN;
}

static enum err device_insert(struct registry *registry, const struct device *device)
{
    enum err e = roles_change(registry, NULL, device);
    if (!e)
        e = devices_add(registry, 1);
    if (!e)
        device_write(registry, device);
    return e;
}

enum err generation_read(struct registry *registry, uint64_t *generation)
{
    const struct key_text key = key_of_name(KIND_GENERATION, "");
    *generation = 0;
    enum err e = number_get(registry->txn, &key, generation);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* May the device be stored as a new one, and which generation was the last? */
static enum err may_insert(struct registry *registry, const struct device *device,
                           uint64_t *generation)
{
    enum err e = device_absent(registry, device->id);
    if (!e)
        e = roles_exist(registry, device);
    return e ? e : generation_read(registry, generation);
}

void generation_write(struct registry *registry, uint64_t generation)
{
    const struct key_text key = key_of_name(KIND_GENERATION, "");
    number_put(registry->txn, &key, generation);
}

enum err registry_add_device(struct registry *registry, struct device *device)
{
    uint64_t generation;
    enum err e = may_insert(registry, device, &generation);
    if (e)
        return keep(registry, e);
    device->generation = generation + 1;
    device->version = 1;
    device->created = device->changed = registry->now;
    generation_write(registry, device->generation);
    return keep(registry, device_insert(registry, device));
}

enum err registry_restore_device(struct registry *registry, const struct device *device)
{
    uint64_t generation;
    enum err e = may_insert(registry, device, &generation);
    if (e)
        return keep(registry, e);
    if (device->generation > generation)
        generation_write(registry, device->generation);
    return keep(registry, device_insert(registry, device));
}

enum err registry_put_device(struct registry *registry, struct device *device)
{
    struct device before;
    enum err e = registry_get_device(registry, device->id, &before);
    if (e)
        return keep(registry, e);
    e = roles_exist(registry, device);
    if (!e)
        e = roles_change(registry, &before, device);
    device_clear(&before);
    if (e)
        return keep(registry, e);
    device->version++;
    device->changed = registry->now;
    device_write(registry, device);
    return ERR_OK;
}

enum err registry_remove_device(struct registry *registry, const char *id)
{
    const struct key_text key = key_of_name(KIND_DEVICE, id);
    struct device before;
    enum err e = registry_get_device(registry, id, &before);
    if (e)
        return keep(registry, e);
    e = roles_change(registry, &before, NULL);
    device_clear(&before);
    if (!e)
        e = devices_add(registry, -1);
    if (!e)
        txn_delete(registry->txn, key_bytes(&key));
    return keep(registry, e);
}

static void role_write(struct txn *txn, const struct role *role)
{
    const struct key_text key = key_of_name(KIND_ROLE, role->name);
    struct pack pack = {0};
    role_encode(&pack, role);
    put_packed(txn, &key, &pack);
}

static void role_insert(struct txn *txn, const struct role *role)
{
    const struct key_text holders = key_of_name(KIND_HOLDERS, role->name);
    role_write(txn, role);
    number_put(txn, &holders, 0);
}

/* Nothing of that name, in any spelling? */
static enum err role_absent(struct registry *registry, const char *name)
{
    const struct key_text key = key_of_name(KIND_ROLE, name);
    struct bytes record;
    struct role role;
    enum err e = txn_get(registry->txn, key_bytes(&key), &record);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    e = role_decode(&role, record);
    if (e)
        return e;
    e = strcmp(role.name, name) == 0 ? ERR_EXISTS : ERR_TWIN;
    role_clear(&role);
    return e;
}

enum err registry_put_role(struct registry *registry, struct role *role)
{
    bool new = role->version == 0;
    enum err e = role_absent(registry, role->name);
    if (!new)
        e = e == ERR_EXISTS ? ERR_OK : e == ERR_OK ? ERR_NOT_FOUND : e;
    if (e)
        return keep(registry, e);
    role->version++;
    role->changed = registry->now;
    if (new) {
        role->created = registry->now;
        role_insert(registry->txn, role);
    } else {
        role_write(registry->txn, role);
    }
    return ERR_OK;
}

enum err registry_restore_role(struct registry *registry, const struct role *role)
{
    enum err e = role_absent(registry, role->name);
    if (!e)
        role_insert(registry->txn, role);
    return keep(registry, e);
}

enum err registry_remove_role(struct registry *registry, const char *name)
{
    const struct key_text key = key_of_name(KIND_ROLE, name);
    const struct key_text holders = key_of_name(KIND_HOLDERS, name);
    uint64_t count = 0;
    enum err e = role_absent(registry, name);
    e = e == ERR_EXISTS ? ERR_OK : e == ERR_OK || e == ERR_TWIN ? ERR_NOT_FOUND : e;
    if (!e)
        e = number_get(registry->txn, &holders, &count);
    if (!e && count)
        e = ERR_IN_USE;
    if (e)
        return keep(registry, e);
    txn_delete(registry->txn, key_bytes(&key));
    txn_delete(registry->txn, key_bytes(&holders));
    return ERR_OK;
}

static void entry_put(struct txn *txn, const struct log_entry *entry)
{
    const struct key_text key = key_of_entry(entry->seq);
    struct pack pack = {0};
    entry_encode(&pack, entry);
    put_packed(txn, &key, &pack);
}

void registry_log(struct registry *registry, enum log_verb verb, enum log_kind kind,
                  const char *subject, const char *detail)
{
    struct log_entry entry = {.time = registry->now, .verb = verb, .kind = kind};
    uint64_t last;
    enum err e = registry_last_entry(registry, &last);
    if (e) {
        txn_fail(registry->txn, e);
        return;
    }
    entry.seq = last + 1;
    snprintf(entry.who, sizeof entry.who, "%s", registry->who);
    snprintf(entry.subject, sizeof entry.subject, "%s", subject);
    snprintf(entry.detail, sizeof entry.detail, "%s", detail);
    entry_put(registry->txn, &entry);
}

static void secret_put(struct txn *txn, const uint8_t secret[static CRYPTO_KEY_SIZE])
{
    const struct key_text key = key_of_name(KIND_SETTINGS, "");
    struct pack pack = {0};
    pack_blob(&pack, secret, CRYPTO_KEY_SIZE);
    put_packed(txn, &key, &pack);
}

enum err registry_replace_secret(struct registry *registry,
                                 const uint8_t secret[static CRYPTO_KEY_SIZE])
{
    const struct key_text first = {.size = 0};
    struct bytes key, record;
    enum err e = txn_next(registry->txn, KIND_DEVICE, key_bytes(&first), &key, &record);
    if (e != ERR_NOT_FOUND)
        return keep(registry, e == ERR_OK ? ERR_IN_USE : e);
    secret_put(registry->txn, secret);
    memcpy(registry->next_secret, secret, CRYPTO_KEY_SIZE);
    registry->secret_replaced = true;
    return ERR_OK;
}

enum err registry_first_records(struct txn *txn, void *context)
{
    const struct first_records *first = context;
    const struct key_text count = key_of_name(KIND_COUNT, "");
    uint8_t secret[CRYPTO_KEY_SIZE];
    struct role role;
    struct log_entry entry = {.seq = 1, .time = first->now, .verb = LOG_INIT, .kind = LOG_BULK};
    enum err e = crypto_draw(secret, sizeof secret);
    if (e)
        return e;
    secret_put(txn, secret);
    crypto_wipe(secret, sizeof secret);
    number_put(txn, &count, 0);
    role_init(&role, DEFAULT_ROLE);
    role.version = 1;
    role.created = role.changed = first->now;
    e = rules_set(&role.rules, EFFECT_ALLOW, ACTION_ALL, "devices/%u/#", NULL);
    if (!e)
        role_insert(txn, &role);
    role_clear(&role);
    snprintf(entry.who, sizeof entry.who, "%s", first->who);
    entry_put(txn, &entry);
    return e;
}
