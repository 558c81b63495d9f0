#include "registry/registry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/record.h"
#include "registry/registry_internal.h"
#include "registry/text.h"

struct key_text key_of_name(enum record_kind kind, const char *name)
{
    struct key_text key;
    size_t size = 0;
    key.data[size++] = (uint8_t)kind;
    for (; *name && size < KEY_MAX; name++)
        key.data[size++] = text_fold(*name);
    key.size = *name ? 0 : size;
    return key;
}

struct key_text key_of_entry(uint64_t seq)
{
    struct key_text key = {.size = LOG_KEY_SIZE};
    key.data[0] = KIND_LOG;
    for (unsigned i = 0; i < 8; i++)
        key.data[1 + i] = (uint8_t)(seq >> (56 - 8 * i));
    return key;
}

uint64_t entry_of_key(struct bytes key)
{
    uint64_t seq = 0;
    for (size_t i = 1; i < key.size; i++)
        seq = seq << 8 | key.data[i];
    return seq;
}

struct bytes key_bytes(const struct key_text *key)
{
    return (struct bytes){key->data, key->size};
}

enum err number_get(struct txn *txn, const struct key_text *key, uint64_t *value)
{
    struct bytes record;
    enum err e = txn_get(txn, key_bytes(key), &record);
    if (e)
        return e;
    struct unpack u = unpack_of(record);
    uint64_t read = unpack_number(&u, UINT64_MAX);
    if (!unpack_done(&u))
        return ERR_DAMAGED;
    *value = read;
    return ERR_OK;
}

void put_packed(struct txn *txn, const struct key_text *key, struct pack *pack)
{
    if (pack->failed)
        txn_fail(txn, ERR_NO_MEMORY);
    else
        txn_put(txn, key_bytes(key), (struct bytes){pack->data, pack->size});
    pack_free(pack);
}

void number_put(struct txn *txn, const struct key_text *key, uint64_t value)
{
    struct pack pack = {0};
    pack_number(&pack, value);
    put_packed(txn, key, &pack);
}

/* The secret in the open scope; lent. */
static enum err secret_find(struct registry *registry, struct bytes *secret)
{
    const struct key_text key = key_of_name(KIND_SETTINGS, "");
    struct bytes record;
    enum err e = txn_get(registry->txn, key_bytes(&key), &record);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_DAMAGED : e;
    struct unpack u = unpack_of(record);
    struct bytes found = unpack_blob(&u, CRYPTO_KEY_SIZE);
    if (!unpack_done(&u) || found.size != CRYPTO_KEY_SIZE)
        return ERR_DAMAGED;
    *secret = found;
    return ERR_OK;
}

enum err registry_refresh_secret(struct registry *registry)
{
    struct bytes secret;
    enum err e = secret_find(registry, &secret);
    if (!e)
        memcpy(registry->secret, secret.data, CRYPTO_KEY_SIZE);
    return e;
}

/* What was hashed under a secret that is gone would open nothing. */
static enum err secret_check(struct registry *registry)
{
    struct bytes secret;
    enum err e = secret_find(registry, &secret);
    if (!e && memcmp(registry->secret, secret.data, CRYPTO_KEY_SIZE) != 0)
        e = ERR_REPLACED;
    return e;
}

/* Begins to read the store that was just opened. */
static enum err reader_begin(struct registry *registry)
{
    enum err e = txn_reader(&registry->reader, registry->store);
    if (!e)
        e = registry_read(registry);
    if (!e) {
        e = registry_refresh_secret(registry);
        registry_end(registry);
    }
    return e;
}

static void store_end(struct registry *registry)
{
    txn_close(registry->reader);
    store_close(registry->store);
    registry->reader = NULL;
    registry->store = NULL;
}

static struct registry *registry_new(const char *dir, enum store_mode mode)
{
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return NULL;
    registry->mode = mode;
    registry->dir = strdup(dir);
    if (!registry->dir) {
        free(registry);
        return NULL;
    }
    return registry;
}

/* `opened` is what came of opening its store. */
static enum err begin_or_close(struct registry **out, struct registry *registry, enum err opened)
{
    enum err e = opened ? opened : reader_begin(registry);
    if (e)
        registry_close(registry);
    else
        *out = registry;
    return e;
}

enum err registry_open(struct registry **out, const char *dir, enum store_mode mode)
{
    struct registry *registry = registry_new(dir, mode);
    if (!registry)
        return ERR_NO_MEMORY;
    enum err e = crypto_init();
    if (!e)
        e = store_open(&registry->store, dir, STORE_REGISTRY, mode);
    return begin_or_close(out, registry, e);
}

enum err registry_open_copy(struct registry **out, const char *file)
{
    struct registry *registry = registry_new(file, STORE_READ);
    if (!registry)
        return ERR_NO_MEMORY;
    enum err e = crypto_init();
    if (!e)
        e = store_open_copy(&registry->store, file, STORE_REGISTRY);
    return begin_or_close(out, registry, e);
}

bool registry_in_place(const struct registry *registry)
{
    return registry->store && store_in_place(registry->store);
}

enum err registry_reopen(struct registry *registry)
{
    assert(!registry->txn);
    txn_close(registry->reader);
    registry->reader = NULL;
    enum err e = store_reopen(&registry->store, registry->dir, STORE_REGISTRY, registry->mode);
    enum err begun = registry->store ? reader_begin(registry) : e;
    if (begun)
        store_end(registry);
    return begun ? begun : e;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    registry_end(registry);
    store_end(registry);
    free(registry->dir);
    crypto_wipe(registry, sizeof *registry);
    free(registry);
}

uint64_t registry_last_commit(const struct registry *registry)
{
    return registry->store ? store_last_commit(registry->store) : 0;
}

struct store *registry_store(struct registry *registry)
{
    return registry->store;
}

const uint8_t *registry_secret(const struct registry *registry)
{
    return registry->secret;
}

enum err registry_read(struct registry *registry)
{
    assert(!registry->txn);
    enum err e = registry->store ? txn_renew(registry->reader) : ERR_REPLACED;
    if (!e)
        registry->txn = registry->reader;
    return e;
}

uint64_t registry_snapshot(const struct registry *registry)
{
    return txn_id(registry->txn);
}

bool registry_is_still(const struct registry *registry, uint64_t snapshot)
{
    assert(registry->writes);
    return txn_id(registry->txn) == snapshot + 1;
}

enum err registry_write(struct registry *registry, const char *who, int64_t now)
{
    assert(!registry->txn);
    enum err e = registry->store ? txn_write(&registry->txn, registry->store) : ERR_REPLACED;
    if (e)
        return e;
    registry->writes = true;
    registry->now = now;
    snprintf(registry->who, sizeof registry->who, "%s", who);
    e = registry_in_place(registry) ? secret_check(registry) : ERR_REPLACED;
    if (e)
        registry_end(registry);
    return e;
}

enum err registry_commit(struct registry *registry)
{
    assert(registry->txn && registry->writes);
    struct txn *txn = registry->txn;
    registry->txn = NULL;
    registry->writes = false;
    enum err e = txn_commit(txn);
    if (!e && registry->secret_replaced)
        memcpy(registry->secret, registry->next_secret, CRYPTO_KEY_SIZE);
    registry->secret_replaced = false;
    return e || registry_in_place(registry) ? e : ERR_REPLACED;
}

void registry_end(struct registry *registry)
{
    if (registry->txn && registry->writes)
        txn_abort(registry->txn);
    else if (registry->txn)
        txn_reset(registry->txn);
    registry->txn = NULL;
    registry->writes = registry->secret_replaced = false;
}

/* The device under the folded `id`, whatever its spelling. */
static enum err device_read(struct registry *registry, const char *id, struct device *device)
{
    const struct key_text key = key_of_name(KIND_DEVICE, id);
    struct bytes record;
    enum err e = txn_get(registry->txn, key_bytes(&key), &record);
    return e ? e : device_decode(device, record);
}

enum err registry_get_device(struct registry *registry, const char *id, struct device *device)
{
    enum err e = device_read(registry, id, device);
    if (!e && strcmp(device->id, id) != 0) {
        device_clear(device);
        e = ERR_NOT_FOUND;
    }
    return e;
}

enum err registry_find_twin(struct registry *registry, const char *id,
                            char twin[static DEVICE_ID_MAX + 1])
{
    struct device device;
    if (!device_id_valid(id))
        return ERR_NOT_FOUND;
    enum err e = device_read(registry, id, &device);
    if (e)
        return e;
    (void)text_copy(twin, DEVICE_ID_MAX, device.id);
    device_clear(&device);
    return ERR_OK;
}

bool registry_has_device(struct registry *registry, const char *id, enum err *error)
{
    struct device device;
    enum err e = registry_get_device(registry, id, &device);
    if (!e)
        device_clear(&device);
    *error = e;
    return !e;
}

static enum err role_read(struct registry *registry, const char *name, struct role *role)
{
    const struct key_text key = key_of_name(KIND_ROLE, name);
    struct bytes record;
    enum err e = txn_error(registry->txn); /* after which one that was put is missing */
    if (!e)
        e = txn_get(registry->txn, key_bytes(&key), &record);
    return e ? e : role_decode(role, record);
}

enum err registry_get_role(struct registry *registry, const char *name, struct role *role)
{
    struct role read;
    if (!role_name_valid(name))
        return ERR_NOT_FOUND;
    enum err e = role_read(registry, name, &read);
    if (!e && strcmp(read.name, name) != 0) {
        role_clear(&read);
        e = ERR_NOT_FOUND;
    }
    if (!e)
        *role = read;
    return e;
}

enum err registry_role_holders(struct registry *registry, const char *name, uint64_t *count)
{
    const struct key_text key = key_of_name(KIND_HOLDERS, name);
    return number_get(registry->txn, &key, count);
}

enum err registry_device_count(struct registry *registry, uint64_t *count)
{
    const struct key_text key = key_of_name(KIND_COUNT, "");
    enum err e = number_get(registry->txn, &key, count);
    return e == ERR_NOT_FOUND ? ERR_DAMAGED : e;
}

/* The next record of a kind whose keys are folded names. `name` gets the folded name. A key that
 * can be no name is passed over, since no walk could go on from it: `devreg check` names it. */
static enum err next_named(struct registry *registry, enum record_kind kind, const char *after,
                           char *name, size_t max, struct bytes *record)
{
    const struct key_text from = key_of_name(kind, after);
    struct bytes key = key_bytes(&from);
    enum err e;
    do {
        e = txn_next(registry->txn, (uint8_t)kind, key, &key, record);
        if (e && e != ERR_DAMAGED)
            return e;
    } while (key.size > 1 + max || memchr(key.data, '\0', key.size));
    memcpy(name, key.data + 1, key.size - 1);
    name[key.size - 1] = '\0';
    return e;
}

enum err registry_next_device(struct registry *registry, const char *after, struct device *device)
{
    char name[KEY_MAX];
    struct bytes record;
    enum err e = next_named(registry, KIND_DEVICE, after, name, DEVICE_ID_MAX, &record);
    if (!e)
        e = device_decode(device, record);
    if (e == ERR_DAMAGED || e == ERR_TOO_NEW) {
        (void)text_copy(device->id, DEVICE_ID_MAX, name);
        return ERR_DAMAGED;
    }
    return e;
}

enum err registry_next_role(struct registry *registry, const char *after, struct role *role)
{
    char name[KEY_MAX];
    struct bytes record;
    enum err e = next_named(registry, KIND_ROLE, after, name, ROLE_NAME_MAX, &record);
    if (!e)
        e = role_decode(role, record);
    if (e == ERR_DAMAGED || e == ERR_TOO_NEW) {
        (void)text_copy(role->name, ROLE_NAME_MAX, name);
        return ERR_DAMAGED;
    }
    return e;
}

enum err registry_next_entry(struct registry *registry, uint64_t after, struct log_entry *entry)
{
    const struct key_text from = key_of_entry(after);
    struct bytes key = key_bytes(&from), record;
    enum err e;
    do { /* past what can be no entry: `devreg check` names it */
        e = txn_next(registry->txn, KIND_LOG, key, &key, &record);
        if (e && e != ERR_DAMAGED)
            return e;
    } while (key.size != LOG_KEY_SIZE);
    uint64_t seq = entry_of_key(key);
    if (!e)
        e = entry_decode(entry, record);
    entry->seq = seq;
    return e == ERR_TOO_NEW ? ERR_DAMAGED : e;
}

enum err registry_last_entry(struct registry *registry, uint64_t *seq)
{
    struct bytes key, record;
    enum err e = txn_last(registry->txn, KIND_LOG, &key, &record);
    if (e == ERR_OK)
        *seq = entry_of_key(key);
    else if (e == ERR_NOT_FOUND)
        *seq = 0;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
