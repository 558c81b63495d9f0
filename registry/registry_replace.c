#include "registry/registry_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

/* Notes it in the copy's log, and which generations were given out. */
static enum err mark(struct replacement *replacement, struct registry *old,
                     const struct replacement_note *note)
{
    uint64_t before = 0, generation = 0;
    struct registry *copy = replacement->copy;
    if (old && generation_read(old, &before) != ERR_OK)
        before = 0; /* it is damaged there */
    enum err e = registry_write(copy, note->who, note->now);
    if (e)
        return e;
    e = generation_read(copy, &generation);
    if (!e && before > generation)
        generation_write(copy, before);
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
    e = store_dir_replace(&place, replacement->part, files);
    return store_dir_end(&place, e);
}

enum err replacement_finish(struct replacement *replacement, const struct store_files *files,
                            const struct replacement_note *note)
{
    struct registry *old;
    enum err e = hold_old(&old, replacement->dir, note);
    if (e)
        return e;
    e = mark(replacement, old, note);
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
        store_dir_drop_part(replacement->part);
        if (replacement->old_lock >= 0)
            (void)close(replacement->old_lock); /* only asked about */
    }
    *replacement = (struct replacement){.file = -1, .old_lock = -1};
}
