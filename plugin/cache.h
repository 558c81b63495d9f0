/* cache.h - devices and roles as the broker's thread last read them, never older than a change
 * that `devreg` has reported.
 *
 *   callback --> cache_sync --> has any process committed since?   (one read of shared memory)
 *                    | yes
 *                    v
 *                read the change log since the last look: forget exactly what it names, or, after
 *                a bulk change, a gap or more than a thousand entries, look at everything afresh
 *
 * What was read is tagged with the snapshot that it was read in, not with the number that said
 * "something changed": while a commit syncs, that one runs ahead of what a new reader sees.
 *
 * Devices are found by username, never by the broker's pointer. One with connections stays; of the
 * others (offline sessions, names that are no device) the latest thousand are kept. Roles are
 * compiled once and shared.
 */
#ifndef DEVREG_PLUGIN_CACHE_H
#define DEVREG_PLUGIN_CACHE_H

#include "plugin/journal.h"
#include "plugin/limits.h"
#include "plugin/table.h"
#include "registry/access.h"
#include "registry/registry.h"

enum { CACHE_IDLE_MAX = 1000, CACHE_ENTRIES_MAX = 1000 /* of the log, in one look */ };

struct cached_role {
    struct table_node node;
    char name[ROLE_NAME_MAX + 1];
    struct policy *policy; /* NULL until it is compiled, and where the role cannot be read */
    bool fresh;
    bool limited;         /* are there `limits`? */
    struct limits limits; /* while it is fresh */
    unsigned users;
};

/* Until when a credential of the device opens the door. */
struct cached_credential {
    uint32_t id, ended_by;
    int64_t expires;
};

struct connection;

struct cached_device {
    struct table_node node;
    struct cached_device *idle_next, *idle_previous; /* in the list of those without connections */
    bool exists;
    bool changed;    /* in the list of those whose connections are to be looked at */
    bool complained; /* the journal was told that it cannot be read */
    uint64_t look;   /* of the cache, when it was read; 0: it has to be read */
    uint64_t epoch;  /* of the cache, when its policies were filled in too; 0: anew */
    uint64_t loads;  /* how often it or its roles were read: connections are judged anew */
    struct connection *connections; /* those that were let in with it: see connections.h */
    struct limiter *limiter;        /* NULL without limits; as of `epoch`, as policies are */
    struct cached_device *changed_next;

    /* The rest only where it exists; what the pointers lead to is one block: see `inside`. */
    uint64_t generation;
    struct access access; /* its policies: the device's own, then those of its roles */
    const struct policy **policies;
    struct cached_role **roles;
    struct cached_credential *credentials;
    struct policy *own; /* NULL without rules of its own */
    uint8_t role_count, credential_count;
    uint32_t room; /* in `inside` for the block, in bytes */
    void *outside; /* the block, where it has grown out of that; else NULL */
    char *id;      /* a username, which may be no device; behind `room` */
    char inside[];
};

struct cache {
    struct registry *registry;  /* lent */
    struct journal *journal;    /* lent */
    const char *presence_topic; /* lent: as in struct access */
    uint64_t seen;              /* the snapshot of the last look */
    uint64_t entry;             /* the newest log entry of then */
    uint64_t look;              /* one more each time that everything is to be looked at afresh */
    uint64_t epoch;             /* one more each time that `look` is, or a role changed */
    struct table devices, roles;
    struct cached_role *last_role;                /* the one looked up last; NULL for none */
    struct cached_device *idle_first, *idle_last; /* the latest, the oldest */
    size_t idle_count;
    struct cached_device *changed; /* have connections, and were named by the log */
    bool all_changed;              /* all connections are to be looked at */
    int64_t tried_at;              /* steady clock: when a replaced registry was opened last */
    enum err reopened;             /* what came of it */
    bool waits; /* another registry lies in place, and cannot be opened at once: this one holds */
    int64_t busy_at; /* steady clock: since when others held it; 0 for not */
    enum err said;   /* what the journal was told of reading the change log last */
    /* Called for each entry of the log that names a device; outside of any scope's use. */
    void (*followed)(void *context, const struct log_entry *entry);
    void *context;
};

/* Begins with the newest log entry: nothing is cached yet. `cache` holds {0} but for the pointers
 * that the caller has set. */
MUST_CHECK enum err cache_open(struct cache *cache);
void cache_close(struct cache *cache);

/* Forgets what has changed. After an error everything is forgotten, and nothing can be read. */
void cache_sync(struct cache *cache);

/* Another registry may lie in the place of the one that is open (`devreg restore`): then that one
 * is opened. cache_sync finds out by itself where the old one was told; this also where it was not.
 * Some system calls. */
void cache_look_again(struct cache *cache);

/* Does what is known of the device hold as of now, all of it? One read of shared memory. */
static inline bool cache_is_current(const struct cache *cache, const struct cached_device *device)
{
    return registry_last_commit(cache->registry) == cache->seen && device->epoch == cache->epoch;
}

/* Has nothing named the device since it was read, as far as the log was followed? */
static inline bool cache_has_read(const struct cache *cache, const struct cached_device *device)
{
    return device->exists && device->look == cache->look;
}

/* Follows the log up to the scope that was just opened, which may see more than the last look did:
 * what is cached and what is read in it are of one snapshot then. After an error deny. */
MUST_CHECK enum err cache_catch_up(struct cache *cache);

/* What is known of a username, as of now: cache_sync included. ERR_OK also where it is no device
 * (`exists`); ERR_INVALID where it can be none; any other error means deny. The pointer stays good
 * while the device has connections, and otherwise until the next call. */
MUST_CHECK enum err cache_find(struct cache *cache, const char *username,
                               struct cached_device **device);

/* The same for one that was found before and has connections. */
MUST_CHECK enum err cache_renew(struct cache *cache, struct cached_device *device);

/* What was known of it when it was read last, however long ago; NULL for nothing. For its
 * connections, which are always those of now. */
const struct cached_device *cache_peek(const struct cache *cache, const char *username);

/* The generation of the device as it is registered now, past what is cached, in a scope of its own;
 * ERR_NOT_FOUND for none. */
MUST_CHECK enum err cache_generation(struct cache *cache, const char *id, uint64_t *generation);

/* The device as it is registered now, in a scope of its own; ERR_NOT_FOUND. The caller ends it with
 * device_clear. */
MUST_CHECK enum err cache_read(struct cache *cache, const char *id, struct device *device);

/* The id of the device that follows the id `after` ("" for the first), in a scope of its own, past
 * what is damaged. ERR_NOT_FOUND at the end. `id` may be `after`. */
MUST_CHECK enum err cache_next(struct cache *cache, const char *after,
                               char id[static DEVICE_ID_MAX + 1]);

/* How many devices are registered now, in a scope of its own. */
MUST_CHECK enum err cache_device_count(struct cache *cache, uint64_t *count);

/* Takes a device that was just read in the scope that is open, as cache_find would have. */
MUST_CHECK enum err cache_take(struct cache *cache, const struct device *read,
                               struct cached_device **device);

/* Is it known, after cache_take, that nothing limits the device? */
static inline bool cache_unlimited(const struct cached_device *device)
{
    bool limited = device->limiter;
    for (size_t i = 0; i < device->role_count; i++)
        limited = limited || !device->roles[i]->fresh || device->roles[i]->limited;
    return !limited;
}
/* Brings the device's limiter up to date, in the open scope; none is needed where its roles are
 * fresh, as after cache_find. */
MUST_CHECK enum err cache_limits(struct cache *cache, struct cached_device *device);

/* To be told when a device gets its first connection and loses its last. */
void cache_hold(struct cache *cache, struct cached_device *device);
void cache_release(struct cache *cache, struct cached_device *device);

/* Takes one device out of `changed`; NULL when there is none. It still has connections. */
struct cached_device *cache_next_changed(struct cache *cache);

/* The rules of a role by itself (for clients without a username). ERR_NOT_FOUND. Lends it until the
 * next cache_sync. */
MUST_CHECK enum err cache_role(struct cache *cache, const char *name, const struct policy **policy);

/* May connections go on that were made with that credential, as of `now`? `why` is told if not. */
enum ended { ENDED_NO, ENDED_REMOVED, ENDED_DISABLED, ENDED_REVOKED, ENDED_EXPIRED };
enum ended cached_device_ended(const struct cached_device *device, uint64_t generation,
                               uint32_t credential, int64_t now);

/* Does the first use of `by` end the credential `id` of the device? */
bool cached_device_ended_by(const struct cached_device *device, uint32_t id, uint32_t by);

/* Does the first use of the credential `by` end any other of the device? */
bool cached_device_replaces(const struct cached_device *device, uint32_t by);

/* The first moment at which cached_device_ended may change its answer by itself; 0 for never. */
int64_t cached_device_ends(const struct cached_device *device, uint32_t credential);

#endif
