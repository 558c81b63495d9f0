#include "registry/store_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum {
    LOCK_TRIES = 500,       /* of 10 ms each */
    LOCK_FILE_SIZE = 16384, /* of LMDB's for 254 readers, as store.c has them */
    SMALLEST_FILE = 2 * 4096,
    DIR_PATH_MAX = 4096
};

enum err err_from_errno(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NO_REGISTRY;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* a limit on the size of files */
        return ERR_FULL;
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

static enum err lock_directory(int fd, bool wait)
{
    const struct timespec pause = {0, 10 * 1000000L};
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_from_errno(errno);
        if (!wait || tries == LOCK_TRIES)
            return ERR_BUSY;
        (void)nanosleep(&pause, NULL);
    }
    return ERR_OK;
}

static enum err check_file_system(int fd, bool *overlay)
{
    enum { CIFS = (int)0xff534d42, SMB2 = (int)0xfe534d42, FUSE = 0x65735546 };
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0)
        return err_from_errno(errno);
    *overlay = fs.f_type == OVERLAYFS_SUPER_MAGIC;
    switch ((int)fs.f_type) {
    case NFS_SUPER_MAGIC:
    case V9FS_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS:
    case SMB2:
    case FUSE:
        return ERR_FILESYSTEM;
    default:
        return ERR_OK;
    }
}

/* Neither call says whether it failed, but the next one tells what is. */
static bool act_as(uid_t uid, gid_t gid)
{
    (void)setfsgid(gid);
    (void)setfsuid(uid);
    return setfsuid((uid_t)-1) == (int)uid && setfsgid((gid_t)-1) == (int)gid;
}

/* For files alone, and in this thread alone: a broker that runs as root goes on as root in its
 * others. */
static enum err privilege_drop(struct store_dir *place)
{
    struct stat owner;
    if (fstat(place->fd, &owner) != 0)
        return err_from_errno(errno);
    if (geteuid() != 0 || owner.st_uid == 0)
        return ERR_OK;
    if (!act_as(owner.st_uid, owner.st_gid))
        return act_as(0, getegid()) ? ERR_PERMISSION : ERR_IO;
    place->privilege = true;
    return ERR_OK;
}

enum err store_dir_end(struct store_dir *place, enum err e)
{
    if (place->privilege && !act_as(0, getegid()) && !e)
        e = ERR_PERMISSION;
    (void)close(place->fd); /* gives the lock back */
    return e;
}

enum err store_dir_begin(struct store_dir *place, const char *dir, bool wait)
{
    *place = (struct store_dir){.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (place->fd < 0)
        return err_from_errno(errno);
    enum err e = privilege_drop(place);
    if (!e)
        e = lock_directory(place->fd, wait);
    if (!e)
        e = check_file_system(place->fd, &place->overlay);
    return e ? store_dir_end(place, e) : ERR_OK;
}

/* LMDB leaves holes in its lock file, and writes there through memory, which on a full disk is
 * SIGBUS. So the holes get their blocks before. Where the file system cannot do that, they stay;
 * where there is no room for them, that is said. */
static enum err lock_file_fill(int fd)
{
    bool filled = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOCK_FILE_SIZE) == 0;
    enum err e = filled ? ERR_OK : err_from_errno(errno);
    return e == ERR_FULL ? e : ERR_OK;
}

static enum err lock_file_renew(int dir, const struct stat *data)
{
    int fd = openat(dir, "lock.mdb", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    bool owned = data->st_gid == getegid() || fchown(fd, (uid_t)-1, data->st_gid) == 0;
    enum err e = owned && fchmod(fd, 0660) == 0 ? ERR_OK : err_from_errno(errno);
    (void)close(fd);
    return e;
}

/* lock.mdb, which has to be a file of its own. */
static enum err lock_file_look(int dir, struct stat *lock)
{
    if (fstatat(dir, "lock.mdb", lock, AT_SYMLINK_NOFOLLOW) != 0)
        return err_from_errno(errno);
    return S_ISREG(lock->st_mode) && lock->st_nlink == 1 ? ERR_OK : ERR_DAMAGED;
}

enum err store_dir_files(const struct store_dir *place, struct store_marks *marks)
{
    struct stat data, lock;
    if (fstatat(place->fd, "data.mdb", &data, AT_SYMLINK_NOFOLLOW) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(data.st_mode) || data.st_size < SMALLEST_FILE)
        return ERR_DAMAGED;
    enum err e = lock_file_look(place->fd, &lock);
    if (e == ERR_NO_REGISTRY) {
        e = lock_file_renew(place->fd, &data);
        if (!e)
            e = lock_file_look(place->fd, &lock);
    }
    if (!e)
        *marks = (struct store_marks){data.st_dev, lock.st_dev, data.st_ino, lock.st_ino};
    return e;
}

enum err store_dir_fill_lock(const struct store_dir *place)
{
    struct stat lock;
    if (lock_file_look(place->fd, &lock) == ERR_OK && lock.st_blocks * 512 >= LOCK_FILE_SIZE)
        return ERR_OK;
    int fd = openat(place->fd, "lock.mdb", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return ERR_OK; /* LMDB will say why, if it needs it */
    enum err e = lock_file_fill(fd);
    (void)close(fd);
    return e;
}

/* Is the file in `dir` another one than that? */
static bool is_another(const char *dir, const char *name, dev_t device, ino_t inode, bool *missing)
{
    char path[DIR_PATH_MAX];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s", dir, name);
    *missing = false;
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    if (lstat(path, &info) == 0)
        return info.st_dev != device || info.st_ino != inode;
    *missing = errno == ENOENT || errno == ENOTDIR;
    return false;
}

bool store_dir_has(const char *dir, const struct store_marks *marks)
{
    bool missing;
    if (is_another(dir, "data.mdb", marks->data_device, marks->data, &missing) || missing)
        return false;
    return !is_another(dir, "lock.mdb", marks->lock_device, marks->lock, &missing);
}

enum err store_dir_part(const char *dir, char **part)
{
    char *path;
    if (asprintf(&path, "%s/.new-XXXXXX", dir) < 0)
        return ERR_NO_MEMORY;
    if (!mkdtemp(path)) {
        enum err e = err_from_errno(errno);
        free(path);
        return e;
    }
    *part = path;
    return ERR_OK;
}

void store_dir_empty_part(const char *part)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    int fd = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < sizeof names / sizeof *names; i++)
        (void)unlinkat(fd, names[i], 0);
    if (fd >= 0)
        (void)close(fd);
    (void)rmdir(part);
}

void store_dir_drop_part(char *part)
{
    store_dir_empty_part(part);
    free(part);
}

/* Only the lock file may be a new one. */
static enum err give(int dir, const char *name, const struct store_files *files, mode_t mode,
                     int flags)
{
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    bool mine = files->uid == geteuid() && files->gid == getegid();
    bool done = (mine || fchown(fd, files->uid, files->gid) == 0) && fchmod(fd, mode) == 0;
    enum err e = done ? ERR_OK : err_from_errno(errno);
    if (!e && flags & O_CREAT)
        e = lock_file_fill(fd);
    if (!e && fsync(fd) != 0)
        e = err_from_errno(errno);
    (void)close(fd);
    return e;
}

/* A lock.mdb that is there belongs to a store that is gone, and says how far that one was. Whoever
 * still has it open keeps it; the new store may not share it. */
static enum err lock_file_drop(const struct store_dir *place)
{
    if (unlinkat(place->fd, "lock.mdb", 0) != 0 && errno != ENOENT)
        return err_from_errno(errno);
    return ERR_OK;
}

enum err store_dir_adopt(const struct store_dir *place, const char *part,
                         const struct store_files *files)
{
    int fd = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err e = give(fd, "data.mdb", files, files->data_mode, 0);
    if (!e)
        e = lock_file_drop(place);
    if (!e)
        e = give(place->fd, "lock.mdb", files, files->lock_mode, O_CREAT | O_EXCL);
    if (!e && linkat(fd, "data.mdb", place->fd, "data.mdb", 0) != 0)
        e = errno == EEXIST ? ERR_EXISTS : err_from_errno(errno);
    if (!e && fsync(place->fd) != 0) {
        e = err_from_errno(errno);
        (void)unlinkat(place->fd, "data.mdb", 0); /* it might not outlive a power cut */
    }
    (void)close(fd);
    return e;
}

/* The lock file first: were it the other way round, somebody who opens the store after this process
 * was killed in between would take the numbers of the old one's last commit for the new one's. As
 * it is, he finds the old store, and whoever had it open finds out by its lock file. */
static enum err move_both(int from, int to)
{
    bool moved = renameat(from, "lock.mdb", to, "lock.mdb") == 0 &&
                 renameat(from, "data.mdb", to, "data.mdb") == 0;
    return moved ? ERR_OK : err_from_errno(errno);
}

enum err store_dir_replace(const struct store_dir *place, const char *part,
                           const struct store_files *files, bool *synced)
{
    int fd = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err e = give(fd, "data.mdb", files, files->data_mode, 0);
    if (!e)
        e = give(fd, "lock.mdb", files, files->lock_mode, O_CREAT);
    if (!e)
        e = move_both(fd, place->fd);
    if (!e)
        *synced = fsync(place->fd) == 0;
    (void)close(fd);
    return e;
}
