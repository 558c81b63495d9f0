#include "registry/registry_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "registry/presence_store.h"
#include "registry/record.h"
#include "registry/registry_internal.h"
#include "registry/store_dir.h"

enum { PATH_SIZE = 4096 };

static enum err file_make(struct replacement *replacement)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/data.mdb", replacement->part);
    if (length < 0 || (size_t)length >= sizeof path)
        return ERR_INVALID;
    replacement->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return replacement->file < 0 ? err_from_errno(errno) : ERR_OK;
}

enum err replacement_begin(struct replacement *replacement, const char *dir)
{
    struct store_dir place;
    *replacement = (struct replacement){.dir = dir, .file = -1, .old_lock = -1};
    enum err e = store_dir_begin(&place, dir, true);
    if (e)
        return e;
    e = store_dir_part(dir, &replacement->part);
    if (!e)
        e = file_make(replacement);
    return store_dir_end(&place, e);
}

enum err replacement_open(struct replacement *replacement)
{
    int code = fsync(replacement->file) == 0 ? 0 : errno;
    if (close(replacement->file) != 0 && !code)
        code = errno;
    replacement->file = -1;
    return code ? err_from_errno(code)
                : registry_open(&replacement->copy, replacement->part, STORE_WRITE);
}

/* The registry that is in place, held for writing; NULL where there is none, or none that can be
 * written any more. */
static enum err hold_old(struct registry **old, const char *dir,
                         const struct replacement_note *note)
{
    *old = NULL;
    enum err e = registry_open(old, dir, STORE_WRITE);
    if (!e) {
        e = registry_write(*old, note->who, note->now);
        if (e)
            registry_close(*old);
    }
    if (!e)
        return ERR_OK;
    *old = NULL;
    bool lost = e == ERR_NO_REGISTRY || e == ERR_DAMAGED || e == ERR_BROKEN || e == ERR_TOO_NEW;
    return lost ? ERR_OK : e;
}

/* Of what is not there, or damaged, nothing is known. Any other error may hide what is. */
static bool says_nothing(enum err e)
{
    return e == ERR_NOT_FOUND || e == ERR_NO_REGISTRY || e == ERR_DAMAGED || e == ERR_BROKEN ||
           e == ERR_TOO_NEW || e == ERR_OTHER_STORE || e == ERR_PERMISSION || e == ERR_FILESYSTEM;
}

static enum err raise_generation(struct registry *copy, uint64_t to)
{
    uint64_t generation;
    enum err e = generation_read(copy, &generation);
    if (!e && to > generation)
        generation_write(copy, to);
    return e == ERR_DAMAGED ? ERR_OK : e; /* that is for `devreg check` */
}

/* The highest id of a credential that the plugin knows of the device. */
static uint32_t highest_credential(const struct presence *seen)
{
    uint32_t highest = seen->credential;
    for (size_t i = 0; i < seen->used_count; i++)
        highest = seen->used[i].credential > highest ? seen->used[i].credential : highest;
    return highest;
}

static enum err raise_credential(struct registry *copy, const char *id, const struct presence *seen)
{
    const struct key_text key = key_of_name(KIND_DEVICE, id);
    const uint32_t highest = highest_credential(seen);
    struct pack pack = {0};
    struct device device;
    enum err e = registry_get_device(copy, id, &device);
    if (e)
        return says_nothing(e) ? ERR_OK : e;
    if (device.generation == seen->generation && device.next_credential <= highest &&
        highest < UINT32_MAX) {
        device.next_credential = highest + 1;
        device_encode(&pack, &device);
        put_packed(copy->txn, &key, &pack);
    }
    device_clear(&device);
    return ERR_OK;
}

/* One that is lost knows nothing. */
static enum err heed_presence(struct registry *copy, const char *dir)
{
    struct store *store;
    struct txn *txn = NULL;
    struct presence seen;
    char device[DEVICE_ID_MAX + 1] = "";
    uint64_t generation = 0;
    enum err e = store_open(&store, dir, STORE_PRESENCE, STORE_READ);
    if (e)
        return says_nothing(e) ? ERR_OK : e;
    e = txn_reader(&txn, store);
    if (!e)
        e = txn_renew(txn);
    while (!e || e == ERR_DAMAGED) {
        e = presence_next(txn, device, device, &seen);
        if (e)
            continue;
        generation = seen.generation > generation ? seen.generation : generation;
        e = raise_credential(copy, device, &seen);
    }
    txn_close(txn);
    store_close(store);
    return says_nothing(e) ? raise_generation(copy, generation) : e;
}

/* Notes it in the copy's log, and which numbers were given out. */
static enum err mark(struct replacement *replacement, struct registry *old, const char *presence,
                     const struct replacement_note *note)
{
    uint64_t before = 0;
    struct registry *copy = replacement->copy;
    enum err e = old ? generation_read(old, &before) : ERR_OK;
    if (e && !says_nothing(e))
        return e;
    e = registry_write(copy, note->who, note->now);
    if (e)
        return e;
    e = raise_generation(copy, before);
    if (!e)
        e = heed_presence(copy, presence);
    registry_log(copy, LOG_RESTORE, LOG_BULK, "", note->detail);
    if (!e)
        return registry_commit(copy);
    registry_end(copy);
    return e;
}

static enum err switch_files(struct replacement *replacement, const struct store_files *files)
{
    struct store_dir place;
    enum err e = store_dir_begin(&place, replacement->dir, true);
    if (e)
        return e;
    replacement->old_lock = openat(place.fd, "lock.mdb", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    e = store_dir_replace(&place, replacement->part, files, &replacement->synced);
    return store_dir_end(&place, e);
}

enum err replacement_finish(struct replacement *replacement, const struct store_files *files,
                            const char *presence, const struct replacement_note *note)
{
    struct registry *old;
    enum err e = hold_old(&old, replacement->dir, note);
    if (e)
        return e;
    e = mark(replacement, old, presence, note);
    registry_close(replacement->copy);
    replacement->copy = NULL;
    if (!e)
        e = switch_files(replacement, files);
    if (!e && old) {
        registry_log(old, LOG_RESTORE, LOG_BULK, "", note->detail);
        enum err told = registry_commit(old);
        (void)told; /* ERR_REPLACED, or nobody is told, and finds out a little later */
    }
    registry_close(old);
    return e;
}

/* LMDB holds a shared lock on the first byte of the lock file while it has it open. */
bool replacement_held(const struct replacement *replacement, pid_t *pid)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (replacement->old_lock < 0 || fcntl(replacement->old_lock, F_GETLK, &lock) != 0 ||
        lock.l_type == F_UNLCK)
        return false;
    *pid = lock.l_pid > 0 ? lock.l_pid : 0;
    return true;
}

void replacement_end(struct replacement *replacement)
{
    registry_close(replacement->copy);
    if (replacement->part) {
        if (replacement->file >= 0)
            (void)close(replacement->file); /* given up */
        struct store_dir place; /* root puts its privilege aside where the folder is not root's */
        enum err e = store_dir_begin(&place, replacement->dir, false);
        store_dir_drop_part(replacement->part);
        if (!e)
            e = store_dir_end(&place, ERR_OK);
        (void)e; /* it is removed all the same */
        if (replacement->old_lock >= 0)
            (void)close(replacement->old_lock); /* only asked about */
    }
    *replacement = (struct replacement){.file = -1, .old_lock = -1};
}
