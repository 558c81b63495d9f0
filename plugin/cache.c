#include "plugin/cache.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/clock.h"
#include "plugin/mosq.h"
#include "registry/text.h"

enum { REOPEN_MS = 10, BUSY_MS = 2000 };

/* From the newest entry of the log on. */
static enum err begin_reading(struct cache *cache)
{
    enum err e = registry_read(cache->registry);
    if (e)
        return e;
    e = registry_last_entry(cache->registry, &cache->entry);
    cache->seen = e ? 0 : registry_snapshot(cache->registry);
    registry_end(cache->registry);
    return e;
}

enum err cache_open(struct cache *cache)
{
    cache->look = cache->epoch = 1; /* 0 is what nothing was ever read in */
    cache->tried_at = INT64_MIN / 2;
    return begin_reading(cache);
}

static struct cached_role *role_lookup(struct cache *cache, const char *name)
{
    if (cache->last_role && strcmp(cache->last_role->name, name) == 0)
        return cache->last_role; /* a fleet shares one */
    struct table_node *n = table_find(&cache->roles, table_hash_name(name));
    for (; n; n = table_again(n)) {
        struct cached_role *role = AROUND(n, struct cached_role, node);
        if (strcmp(role->name, name) == 0)
            return cache->last_role = role;
    }
    return NULL;
}

static void role_release(struct cache *cache, struct cached_role *role)
{
    if (--role->users)
        return;
    if (cache->last_role == role)
        cache->last_role = NULL;
    table_remove(&cache->roles, &role->node);
    policy_free(role->policy);
    free(role);
}

static struct cached_role *role_hold(struct cache *cache, const char *name)
{
    struct cached_role *role = role_lookup(cache, name);
    if (!role) {
        role = calloc(1, sizeof *role);
        if (!role)
            return NULL;
        (void)text_copy(role->name, ROLE_NAME_MAX, name);
        if (!table_add(&cache->roles, &role->node, table_hash_name(name))) {
            free(role);
            return NULL;
        }
    }
    role->users++;
    return role;
}

/* Compiles the role anew, in the open scope. */
static enum err role_load(struct cache *cache, struct cached_role *role)
{
    struct role read;
    struct policy *policy;
    enum err e = registry_get_role(cache->registry, role->name, &read);
    if (e)
        return e;
    e = policy_compile(&policy, &read.rules);
    const struct limits limits = read.limits;
    role_clear(&read);
    if (e)
        return e;
    policy_free(role->policy);
    role->policy = policy;
    role->fresh = true;
    role->limits = limits;
    role->limited = limits_any(&limits);
    return ERR_OK;
}

static struct cached_device *device_lookup(const struct cache *cache, const char *id, uint64_t hash)
{
    struct table_node *n = table_find(&cache->devices, hash);
    for (; n; n = table_again(n)) {
        struct cached_device *device = AROUND(n, struct cached_device, node);
        if (strcmp(device->id, id) == 0)
            return device;
    }
    return NULL;
}

const struct cached_device *cache_peek(const struct cache *cache, const char *username)
{
    return device_lookup(cache, username, table_hash_name(username));
}

static void idle_remove(struct cache *cache, struct cached_device *device)
{
    *(device->idle_previous ? &device->idle_previous->idle_next : &cache->idle_first) =
        device->idle_next;
    *(device->idle_next ? &device->idle_next->idle_previous : &cache->idle_last) =
        device->idle_previous;
    device->idle_next = device->idle_previous = NULL;
    cache->idle_count--;
}

static void idle_add(struct cache *cache, struct cached_device *device)
{
    device->idle_next = cache->idle_first;
    device->idle_previous = NULL;
    *(cache->idle_first ? &cache->idle_first->idle_previous : &cache->idle_last) = device;
    cache->idle_first = device;
    cache->idle_count++;
}

/* Makes it a name of which nothing is known. */
static void device_unload(struct cache *cache, struct cached_device *device)
{
    device->loads++;
    for (size_t i = 0; i < device->role_count; i++)
        role_release(cache, device->roles[i]);
    policy_free(device->own);
    free(device->outside);
    device->own = NULL;
    device->outside = NULL;
    device->role_count = device->credential_count = 0;
    device->exists = false;
    device->look = device->epoch = 0;
    device->access = (struct access){.state = DEVICE_DISABLED};
}

/* One that has no connections. */
static void device_free(struct cache *cache, struct cached_device *device)
{
    idle_remove(cache, device);
    table_remove(&cache->devices, &device->node);
    device_unload(cache, device);
    if (device->limiter)
        limiter_free(device);
    free(device);
}

/* Bytes that the parts of a device take, in the order of alignment. */
struct parts {
    size_t credentials, policies, roles, attributes;
};

static struct parts parts_of(const struct device *read)
{
    /* NOLINTBEGIN(bugprone-sizeof-expression): pointers are meant */
    return (struct parts){.credentials = read->credential_count * sizeof(struct cached_credential),
                          .policies = (1 + read->role_count) * sizeof(const struct policy *),
                          .roles = read->role_count * sizeof(struct cached_role *),
                          .attributes = read->attribute_count * sizeof(struct attribute)};
    /* NOLINTEND(bugprone-sizeof-expression) */
}

static size_t parts_size(const struct parts *parts)
{
    return parts->credentials + parts->policies + parts->roles + parts->attributes;
}

/* A new name, idle at first, with `room` bytes for its parts; the oldest idle one makes room. */
static struct cached_device *device_new(struct cache *cache, const char *id, uint64_t hash,
                                        size_t room)
{
    const size_t length = strlen(id);
    struct cached_device *device = malloc(sizeof *device + room + length + 1);
    if (!device)
        return NULL;
    *device = (struct cached_device){.room = (uint32_t)room};
    device->id = memcpy(device->inside + room, id, length + 1);
    if (!table_add(&cache->devices, &device->node, hash)) {
        free(device);
        return NULL;
    }
    if (cache->idle_count >= CACHE_IDLE_MAX)
        device_free(cache, cache->idle_last);
    idle_add(cache, device);
    return device;
}

/* One block for all that has no fixed number: in the device where it fits. The attributes are in
 * it; the rest is filled in as its count grows. */
static bool parts_make(struct cached_device *device, const struct device *read)
{
    const struct parts parts = parts_of(read);
    const size_t size = parts_size(&parts);
    if (size > device->room && !(device->outside = malloc(size)))
        return false;
    char *at = device->outside ? device->outside : device->inside;
    device->credentials = (void *)at;
    device->policies = (void *)(at += parts.credentials);
    device->roles = (void *)(at += parts.policies);
    struct attribute *copy = (void *)(at + parts.roles);
    memcpy(copy, read->attributes, parts.attributes);
    device->access.subject = (struct subject){device->id, copy, read->attribute_count};
    device->access.policies = device->policies;
    return true;
}

static enum err roles_hold(struct cache *cache, struct cached_device *device,
                           const struct device *read)
{
    for (size_t i = 0; i < read->role_count; i++) {
        device->roles[i] = role_hold(cache, read->roles[i]);
        if (!device->roles[i])
            return ERR_NO_MEMORY;
        device->role_count++;
    }
    return ERR_OK;
}

static void credentials_copy(struct cached_device *device, const struct device *read)
{
    for (size_t i = 0; i < read->credential_count; i++)
        device->credentials[i] =
            (struct cached_credential){.id = read->credentials[i].id,
                                       .ended_by = read->credentials[i].ended_by,
                                       .expires = read->credentials[i].expires};
    device->credential_count = (uint8_t)read->credential_count;
}

static enum err device_load(struct cache *cache, struct cached_device *device,
                            const struct device *read)
{
    if (device->exists)
        device_unload(cache, device);
    device->loads++;
    enum err e = parts_make(device, read) ? ERR_OK : ERR_NO_MEMORY;
    if (!e)
        e = roles_hold(cache, device, read);
    if (!e && read->rules.count)
        e = policy_compile(&device->own, &read->rules);
    bool limited = device->limiter || limits_any(&read->limits);
    if (!e && limited && !limiter_set_own(device, &read->limits))
        e = ERR_NO_MEMORY;
    if (e) {
        device_unload(cache, device);
        return e;
    }
    credentials_copy(device, read);
    device->generation = read->generation;
    device->access.state = read->state;
    device->access.expires = read->expires;
    device->access.presence_topic = cache->presence_topic;
    device->exists = true;
    device->look = cache->look;
    return ERR_OK;
}

static void forget_all(struct cache *cache)
{
    cache->look++;
    cache->epoch++;
    for (struct table_node *n = table_next(&cache->roles, NULL); n;
         n = table_next(&cache->roles, n))
        AROUND(n, struct cached_role, node)->fresh = false;
    cache->all_changed = true;
}

static void device_changed(struct cache *cache, const struct log_entry *entry)
{
    struct cached_device *device =
        device_lookup(cache, entry->subject, table_hash_name(entry->subject));
    cache->followed(cache->context, entry);
    if (!device)
        return;
    device->look = device->epoch = 0;
    if (device->connections && !device->changed) {
        device->changed = true;
        device->changed_next = cache->changed;
        cache->changed = device;
    }
}

static void role_changed(struct cache *cache, const char *name)
{
    struct cached_role *role = role_lookup(cache, name);
    if (role)
        role->fresh = false;
    cache->epoch++;
}

/* Follows one entry. False when it is better to look at everything afresh. */
static bool follow(struct cache *cache, const struct log_entry *entry)
{
    if (entry->seq != cache->entry + 1 || entry->kind == LOG_BULK)
        return false;
    cache->entry = entry->seq;
    if (entry->kind == LOG_DEVICE)
        device_changed(cache, entry);
    else if (entry->kind == LOG_ROLE)
        role_changed(cache, entry->subject);
    return true;
}

/* Follows the log as far as it is worth it. ERR_NOT_FOUND when nothing is left. */
static enum err follow_some(struct cache *cache)
{
    struct log_entry entry;
    for (unsigned i = 0; i < CACHE_ENTRIES_MAX; i++) {
        enum err e = registry_next_entry(cache->registry, cache->entry, &entry);
        if (e)
            return e;
        if (!follow(cache, &entry))
            break;
    }
    return ERR_OK;
}

/* Reads the log since the last look, in the open scope. A log whose newest entry is not the one
 * that was followed last was put back, and tells nothing. The last entry of a registry that was
 * replaced makes everything be looked at afresh, so that is where to look for its place. */
static enum err follow_all(struct cache *cache)
{
    uint64_t last;
    enum err e = follow_some(cache);
    enum err newest = registry_last_entry(cache->registry, &last);
    if (newest)
        return newest;
    if (e == ERR_NOT_FOUND && last == cache->entry)
        return ERR_OK;
    if (!registry_in_place(cache->registry))
        return ERR_REPLACED;
    forget_all(cache);
    cache->entry = last;
    enum err refreshed = registry_refresh_secret(cache->registry);
    return e && e != ERR_NOT_FOUND ? e : refreshed;
}

enum err cache_catch_up(struct cache *cache)
{
    uint64_t snapshot = registry_snapshot(cache->registry);
    if (snapshot == cache->seen || cache->waits)
        return ERR_OK;
    enum err e = follow_all(cache);
    if (!e)
        cache->seen = snapshot;
    else /* `seen` stays, so the next call tries again */
        forget_all(cache);
    return e;
}

enum err cache_limits(struct cache *cache, struct cached_device *device)
{
    bool limited = device->limiter;
    for (size_t i = 0; i < device->role_count; i++) {
        struct cached_role *role = device->roles[i];
        enum err e = role->fresh ? ERR_OK : role_load(cache, role);
        if (e)
            return e == ERR_NOT_FOUND ? ERR_DAMAGED : e; /* the registry keeps roles in use */
        limited |= role->limited;
    }
    return !limited || limiter_merge(device) ? ERR_OK : ERR_NO_MEMORY;
}

/* Fills `policies` from the roles, compiling those that changed, in the open scope. */
static enum err policies_load(struct cache *cache, struct cached_device *device)
{
    enum err e = cache_limits(cache, device);
    if (e)
        return e;
    device->policies[0] = device->own;
    for (size_t i = 0; i < device->role_count; i++)
        device->policies[1 + i] = device->roles[i]->policy;
    device->access.policy_count = 1u + device->role_count;
    device->loads++;
    return ERR_OK;
}

/* Reads the device in the open scope. */
static enum err device_read(struct cache *cache, struct cached_device *device)
{
    struct device read;
    enum err e = registry_get_device(cache->registry, device->id, &read);
    if (e == ERR_NOT_FOUND) {
        device_unload(cache, device);
        device->look = cache->look;
        return ERR_OK;
    }
    if (e)
        return e;
    e = device_load(cache, device, &read);
    device_clear(&read);
    return e;
}

/* Each trouble once, however often it is met, and its end. */
static void note_reading(struct cache *cache, enum err e)
{
    if (e == cache->said)
        return;
    if (e)
        journal_add(cache->journal, MOSQ_LOG_ERR,
                    "cannot read the registry: %s; every device is denied until that is mended: "
                    "run 'devreg check'",
                    err_text(e));
    else
        journal_add(cache->journal, MOSQ_LOG_NOTICE, "the registry can be read again");
    cache->said = e;
}

/* Once, until it can be read again: it may be asked for a thousand times a second. */
static void complain(struct cache *cache, struct cached_device *device, enum err e)
{
    char name[DEVICE_ID_MAX + 4];
    if (!device->complained)
        journal_add(cache->journal, MOSQ_LOG_ERR,
                    "cannot read device %s: %s; it is denied everything: run 'devreg check'",
                    text_escape(name, sizeof name, device->id), err_text(e));
    device->complained = true;
}

static enum err device_refresh(struct cache *cache, struct cached_device *device)
{
    enum err e = registry_read(cache->registry);
    if (!e)
        e = cache_catch_up(cache);
    if (e != ERR_REPLACED) /* cache_sync follows that */
        note_reading(cache, e);
    const bool can_read = !e;
    if (!e && device->look != cache->look)
        e = device_read(cache, device);
    if (!e && device->exists)
        e = policies_load(cache, device);
    registry_end(cache->registry);
    device->epoch = e ? 0 : cache->epoch;
    if (e)
        device->look = 0;
    if (e && can_read)
        complain(cache, device, e);
    else if (!e)
        device->complained = false;
    return e;
}

enum err cache_renew(struct cache *cache, struct cached_device *device)
{
    cache_sync(cache);
    return device->epoch == cache->epoch ? ERR_OK : device_refresh(cache, device);
}

enum err cache_find(struct cache *cache, const char *username, struct cached_device **out)
{
    const uint64_t hash = table_hash_name(username);
    struct cached_device *device = device_lookup(cache, username, hash);
    if (!device) {
        if (!device_id_valid(username))
            return ERR_INVALID;
        device = device_new(cache, username, hash, 0);
        if (!device)
            return ERR_NO_MEMORY;
    }
    *out = device;
    return cache_renew(cache, device);
}

enum err cache_take(struct cache *cache, const struct device *read, struct cached_device **out)
{
    const uint64_t hash = table_hash_name(read->id);
    const struct parts parts = parts_of(read);
    struct cached_device *device = device_lookup(cache, read->id, hash);
    if (!device)
        device = device_new(cache, read->id, hash, parts_size(&parts));
    if (!device)
        return ERR_NO_MEMORY;
    enum err e =
        device->look == cache->look && device->exists ? ERR_OK : device_load(cache, device, read);
    if (!e)
        *out = device;
    return e;
}

void cache_hold(struct cache *cache, struct cached_device *device)
{
    idle_remove(cache, device);
}

static void changed_remove(struct cache *cache, struct cached_device *device)
{
    struct cached_device **link = &cache->changed;
    while (*link != device)
        link = &(*link)->changed_next;
    *link = device->changed_next;
    device->changed = false;
}

void cache_release(struct cache *cache, struct cached_device *device)
{
    if (device->changed)
        changed_remove(cache, device);
    idle_add(cache, device);
    if (cache->idle_count > CACHE_IDLE_MAX)
        device_free(cache, cache->idle_last);
}

struct cached_device *cache_next_changed(struct cache *cache)
{
    struct cached_device *device = cache->changed;
    if (device)
        changed_remove(cache, device);
    return device;
}

enum err cache_role(struct cache *cache, const char *name, const struct policy **policy)
{
    cache_sync(cache);
    struct cached_role *role = role_lookup(cache, name);
    if (!role)
        role = role_hold(cache, name); /* once, and kept: there is one such role */
    if (!role)
        return ERR_NO_MEMORY;
    if (!role->fresh) {
        enum err e = registry_read(cache->registry);
        if (e)
            return e;
        e = role_load(cache, role);
        registry_end(cache->registry);
        if (e)
            return e;
    }
    *policy = role->policy;
    return ERR_OK;
}

/* Nobody opens or closes it for that long: no place for a reader may be left. */
static bool is_long_busy(struct cache *cache)
{
    const int64_t now = clock_steady();
    if (!cache->busy_at)
        cache->busy_at = now;
    return now - cache->busy_at >= BUSY_MS;
}

/* Opens the registry that lies there now. While somebody else is just opening or closing it, the
 * one that is open holds: `devreg restore` has not returned before it is let go of. If it cannot be
 * opened nothing can be read, so everything is denied. */
static void reopen(struct cache *cache)
{
    enum err e = registry_reopen(cache->registry);
    cache->waits = e == ERR_BUSY && registry_store(cache->registry);
    if (cache->waits)
        return; /* the next callback tries again */
    forget_all(cache);
    if (!e)
        e = begin_reading(cache);
    const bool at_once = !e || (e == ERR_BUSY && registry_store(cache->registry));
    cache->tried_at = at_once ? 0 : clock_steady(); /* not again and again what fails */
    if (e == ERR_BUSY && cache->reopened && !is_long_busy(cache))
        return;
    cache->busy_at = e == ERR_BUSY ? cache->busy_at : 0;
    if (e && e != cache->reopened)
        journal_add(cache->journal, MOSQ_LOG_ERR,
                    "the registry was replaced, and what lies there now cannot be opened: %s; "
                    "every device is denied: run 'devreg check' or 'devreg restore'",
                    err_text(e));
    else if (!e)
        journal_add(cache->journal, MOSQ_LOG_NOTICE,
                    "the registry was replaced: everything is looked at afresh");
    cache->reopened = e;
}

void cache_look_again(struct cache *cache)
{
    if (!registry_in_place(cache->registry))
        reopen(cache);
}

/* A commit that syncs is one ahead of what a new reader sees. A file that is further ahead, or
 * behind that, was written past LMDB (`cp` over it), and what a reader sees of it is a mixture. */
static enum err catch_up_afresh(struct cache *cache)
{
    const uint64_t last = registry_last_commit(cache->registry);
    enum err e = registry_read(cache->registry);
    if (e)
        return e;
    const uint64_t snapshot = registry_snapshot(cache->registry);
    bool mixed = last > snapshot + 1 || registry_last_commit(cache->registry) < snapshot;
    e = mixed ? ERR_REPLACED : cache_catch_up(cache);
    registry_end(cache->registry);
    if (mixed)
        store_distrust(registry_store(cache->registry));
    return e;
}

void cache_sync(struct cache *cache)
{
    if (registry_last_commit(cache->registry) == cache->seen)
        return;
    if (cache->waits)
        reopen(cache);
    enum err e = catch_up_afresh(cache);
    if (e)
        forget_all(cache); /* by cache_catch_up as well */
    if (e && (e == ERR_REPLACED || !registry_in_place(cache->registry))) {
        if (!cache->waits && clock_steady() - cache->tried_at >= REOPEN_MS)
            reopen(cache);
        return;
    }
    note_reading(cache, e);
}

void cache_close(struct cache *cache)
{
    for (struct table_node *n = table_next(&cache->devices, NULL), *next; n; n = next) {
        struct cached_device *device = AROUND(n, struct cached_device, node);
        next = table_next(&cache->devices, n);
        device_unload(cache, device);
        limiter_free(device);
        free(device);
    }
    table_clear(&cache->devices);
    for (struct table_node *n = table_next(&cache->roles, NULL), *next; n; n = next) {
        struct cached_role *role = AROUND(n, struct cached_role, node);
        next = table_next(&cache->roles, n);
        policy_free(role->policy);
        free(role);
    }
    table_clear(&cache->roles);
}
