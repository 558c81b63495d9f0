/* registry.h - devices, roles and the change log, over a store.
 *
 *   DIR/                root:mosquitto 0750
 *     data.mdb          root:mosquitto 0640   written by `devreg` alone
 *     lock.mdb          root:mosquitto 0660
 *     presence/         mosquitto:mosquitto 0750, a store of its own (presence_store.h)
 *
 *   key                     record
 *   'd' folded id           device      the id in lower case, so that a twin is found by the
 *   'r' folded name         role        look-up itself
 *   'h' folded role name    how many devices hold the role
 *   'l' seq, 8 bytes BE     log entry
 *   's'                     settings: the secret that keys are hashed under
 *   'n'                     the last generation given out
 *
 * Everything below works in a scope: registry_read or registry_write, ended by registry_end or
 * registry_commit. What is lent dies with the scope.
 */
#ifndef DEVREG_REGISTRY_REGISTRY_H
#define DEVREG_REGISTRY_REGISTRY_H

#include "registry/crypto.h"
#include "registry/device.h"
#include "registry/error.h"
#include "registry/log_entry.h"
#include "registry/role.h"
#include "registry/store.h"

#define REGISTRY_DIR    "/var/lib/devreg"
#define PRESENCE_SUBDIR "presence"
#define DEFAULT_ROLE    "device" /* given to a new device unless others are named */

struct registry;

/* Opens the registry in `dir`; errors as store_open. */
MUST_CHECK enum err registry_open(struct registry **registry, const char *dir,
                                  enum store_mode mode);
void registry_close(struct registry *registry); /* NULL is fine */

/* Opens a copy that store_copy wrote, to be read. */
MUST_CHECK enum err registry_open_copy(struct registry **registry, const char *file);

/* See store_in_place: `devreg restore` puts another registry in the place of one that others have
 * open. */
bool registry_in_place(const struct registry *registry);

/* Closes what is open, and opens what lies in its place now, without waiting. ERR_BUSY where others
 * are just opening or closing it: what was open is (registry_store), unless the table of readers is
 * full. After any other error nothing is open: every scope says ERR_REPLACED, until this is called
 * again and succeeds. Not within a scope. */
MUST_CHECK enum err registry_reopen(struct registry *registry);

/* Makes a registry in `dir` (created where it is missing), readable for the broker that runs as
 * `broker_uid`, with its presence store and the role DEFAULT_ROLE: "allow all devices/%u/#".
 * `who` as registry_write. ERR_EXISTS where one is there; a
 * presence store that was lost is made again all the same. */
MUST_CHECK enum err registry_create(const char *dir, uid_t broker_uid, gid_t broker_gid,
                                    const char *who, int64_t now);

/* Only the directories, and the presence store, that registry_create makes. */
MUST_CHECK enum err registry_make_places(const char *dir, uid_t broker_uid, gid_t broker_gid);

/* See store_last_commit and store_on_overlay; 0 where nothing is open. */
uint64_t registry_last_commit(const struct registry *registry);
struct store *registry_store(struct registry *registry); /* lent */

/* The secret that keys are hashed under. Lent for the life of the handle; wiped by close. */
const uint8_t *registry_secret(const struct registry *registry);

/* Reads the secret again, in the open scope: an import may have replaced it. */
MUST_CHECK enum err registry_refresh_secret(struct registry *registry);

/* Begins a read scope. */
MUST_CHECK enum err registry_read(struct registry *registry);
/* The commit that the open scope sees; of a write scope the one that it will be. */
uint64_t registry_snapshot(const struct registry *registry);
/* Does the open write scope see exactly what a read scope with that snapshot saw? */
bool registry_is_still(const struct registry *registry, uint64_t snapshot);

/* Begins a write scope, waiting for other writers. `who` stands in the log (cut to LOG_WHO_MAX).
 * ERR_REPLACED where the secret is no longer that of registry_secret: what was hashed under it has
 * to be made anew, after registry_refresh_secret; and where another registry took its place. */
MUST_CHECK enum err registry_write(struct registry *registry, const char *who, int64_t now);
/* Ends it and makes it so; ERR_OK when it is on the disk, and that is still the registry. */
MUST_CHECK enum err registry_commit(struct registry *registry);

/* Ends either scope; undoes a write scope. Fine without one. */
void registry_end(struct registry *registry);

/* Fills `device`, which device_clear then ends. ERR_NOT_FOUND also for an id that is not valid, and
 * for one that differs from the stored one in case. */
MUST_CHECK enum err registry_get_device(struct registry *registry, const char *id,
                                        struct device *device);
/* ERR_OK and the exact id where there is a device whose id equals `id` or differs only in case. */
MUST_CHECK enum err registry_find_twin(struct registry *registry, const char *id,
                                       char twin[static DEVICE_ID_MAX + 1]);
/* Is there a device of exactly that id? No for any error but ERR_OK and ERR_NOT_FOUND as well: then
 * `*error` says which. */
bool registry_has_device(struct registry *registry, const char *id, enum err *error);

/* How many devices there are, from a record that says so: no walk. */
MUST_CHECK enum err registry_device_count(struct registry *registry, uint64_t *count);

MUST_CHECK enum err registry_get_role(struct registry *registry, const char *name,
                                      struct role *role);
/* How many devices hold the role. */
MUST_CHECK enum err registry_role_holders(struct registry *registry, const char *name,
                                          uint64_t *count);

/* The device or role that follows `after` in the order of folded names ("" for the first).
 * ERR_NOT_FOUND at the end. After ERR_DAMAGED `device->id` (`role->name`) holds the folded name, so
 * the walk can go on behind it; the rest is untouched and needs no clear. */
MUST_CHECK enum err registry_next_device(struct registry *registry, const char *after,
                                         struct device *device);
MUST_CHECK enum err registry_next_role(struct registry *registry, const char *after,
                                       struct role *role);

/* The entry that follows `after` (0 for the oldest). ERR_NOT_FOUND at the end. After ERR_DAMAGED
 * `entry->seq` is set, so that a walk can go on behind it. */
MUST_CHECK enum err registry_next_entry(struct registry *registry, uint64_t after,
                                        struct log_entry *entry);
/* The seq of the newest entry, 0 for an empty log. */
MUST_CHECK enum err registry_last_entry(struct registry *registry, uint64_t *seq);

/* The log's oldest entries, up to the first that is neither from before `before` nor older than the
 * newest `keep`: how many, and the number and time of the last of them; 0 for none. */
struct log_old {
    uint64_t count, last;
    int64_t until;
};
MUST_CHECK enum err registry_log_old(struct registry *registry, int64_t before, uint64_t keep,
                                     struct log_old *old);

/* The rest is for write scopes. Each but registry_log changes one thing and does not log: the
 * caller appends one entry for what the user did. A failure is also kept in the scope (store.h). */

/* Stores a new device: sets generation, version 1, created and changed. ERR_EXISTS, ERR_TWIN;
 * ERR_NOT_FOUND where a role of its is missing. */
MUST_CHECK enum err registry_add_device(struct registry *registry, struct device *device);
/* Adds, changes and removes many devices in one write scope. What they share (roles, the numbers of
 * their holders, the generation) is looked at once and kept in memory until registry_bulk_end:
 * meanwhile the scope may change nothing else. Any order of devices will do, but in the order of
 * folded ids it is fast, and the file a third smaller if `last` names the last one that is added;
 * NULL where it is not known.
 * registry_bulk_add and registry_bulk_restore do as registry_add_device and
 * registry_restore_device, and say ERR_EXISTS for a twin too.
 * registry_bulk_put and registry_bulk_remove take a device that was read in this scope, and was
 * there: what it was is not looked at again, so the caller says which roles it held.
 * registry_bulk_end frees; it has to be called also where the scope is given up. */
struct roles_held {
    size_t count;
    char names[ROLES_MAX][ROLE_NAME_MAX + 1];
};
void roles_held_by(struct roles_held *held, const struct device *device);
struct registry_bulk;
MUST_CHECK enum err registry_bulk_begin(struct registry_bulk **bulk, struct registry *registry,
                                        const char *last);
MUST_CHECK enum err registry_bulk_add(struct registry_bulk *bulk, struct device *device);
MUST_CHECK enum err registry_bulk_restore(struct registry_bulk *bulk, const struct device *device);
MUST_CHECK enum err registry_bulk_put(struct registry_bulk *bulk, struct device *device,
                                      const struct roles_held *before);
MUST_CHECK enum err registry_bulk_remove(struct registry_bulk *bulk, const struct device *device);
MUST_CHECK enum err registry_bulk_end(struct registry_bulk *bulk);

/* Stores a device that registry_get_device gave: version + 1, changed. ERR_NOT_FOUND as above. */
MUST_CHECK enum err registry_put_device(struct registry *registry, struct device *device);
MUST_CHECK enum err registry_remove_device(struct registry *registry, const char *id);

/* Stores a new role or a changed one, by its version (0: new). ERR_EXISTS, ERR_TWIN. */
MUST_CHECK enum err registry_put_role(struct registry *registry, struct role *role);
/* ERR_IN_USE while devices hold it. */
MUST_CHECK enum err registry_remove_role(struct registry *registry, const char *name);

/* Removes the device of that id, in any spelling, whose record is damaged; ERR_EXISTS where it is
 * not, ERR_NOT_FOUND. What it held is not known, so everything is counted anew. */
MUST_CHECK enum err registry_remove_damaged(struct registry *registry, const char *id);
/* Stores a role in the place of one whose record is damaged; errors as above. */
MUST_CHECK enum err registry_renew_role(struct registry *registry, struct role *role);
/* Counts devices, and the holders of roles, anew: a walk. */
MUST_CHECK enum err registry_recount(struct registry *registry);

/* Appends to the change log. `subject` "" with LOG_BULK. `detail` is cut to LOG_DETAIL_MAX. */
void registry_log(struct registry *registry, enum log_verb verb, enum log_kind kind,
                  const char *subject, const char *detail);

/* Removes the log's oldest entries, up to the one of that number; not the newest, or numbers would
 * begin again. A failure is kept in the scope. */
void registry_log_cut(struct registry *registry, uint64_t last);

/* For import. These store exactly what is given, versions and times included, where nothing of that
 * name is yet: ERR_EXISTS, ERR_TWIN; ERR_NOT_FOUND for a missing role. */
MUST_CHECK enum err registry_restore_device(struct registry *registry, const struct device *device);
MUST_CHECK enum err registry_restore_role(struct registry *registry, const struct role *role);
/* Replaces the secret, on which all stored keys depend, of a registry without devices; ERR_IN_USE
 * where there is one. */
MUST_CHECK enum err registry_replace_secret(struct registry *registry,
                                            const uint8_t secret[static CRYPTO_KEY_SIZE]);

/* One walk over all of it, for `devreg check`. Calls `report` with one line per finding (key in
 * readable form, what is wrong). Counts what was read. */
struct registry_check {
    uint64_t devices, roles, entries, findings;
};
MUST_CHECK enum err
registry_check(struct registry *registry, struct registry_check *result,
               void (*report)(void *context, const char *what, const char *problem), void *context);

#endif
