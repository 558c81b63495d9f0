#include "registry/store_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 500 /* of 10 ms each */, SMALLEST_FILE = 2 * 4096 };

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
        return ERR_FULL;
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

static enum err lock_directory(int fd)
{
    const struct timespec pause = {0, 10 * 1000000L};
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_from_errno(errno);
        if (tries == LOCK_TRIES)
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

static enum err privilege_drop(struct store_dir *place)
{
    struct stat owner;
    if (fstat(place->fd, &owner) != 0)
        return err_from_errno(errno);
    if (geteuid() != 0 || owner.st_uid == 0)
        return ERR_OK;
    if (setegid(owner.st_gid) != 0)
        return ERR_PERMISSION;
    if (seteuid(owner.st_uid) != 0)
        return setegid(getgid()) == 0 ? ERR_PERMISSION : ERR_IO;
    place->privilege = true;
    return ERR_OK;
}

enum err store_dir_end(struct store_dir *place, enum err e)
{
    if (place->privilege && (seteuid(0) != 0 || setegid(getgid()) != 0) && !e)
        e = ERR_PERMISSION;
    (void)close(place->fd); /* gives the lock back */
    return e;
}

enum err store_dir_begin(struct store_dir *place, const char *dir)
{
    *place = (struct store_dir){.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (place->fd < 0)
        return err_from_errno(errno);
    enum err e = privilege_drop(place);
    if (!e)
        e = lock_directory(place->fd);
    if (!e)
        e = check_file_system(place->fd, &place->overlay);
    return e ? store_dir_end(place, e) : ERR_OK;
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

enum err store_dir_files(const struct store_dir *place, struct stat *data)
{
    struct stat lock;
    if (fstatat(place->fd, "data.mdb", data, AT_SYMLINK_NOFOLLOW) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(data->st_mode) || data->st_size < SMALLEST_FILE)
        return ERR_DAMAGED;
    if (fstatat(place->fd, "lock.mdb", &lock, AT_SYMLINK_NOFOLLOW) == 0)
        return S_ISREG(lock.st_mode) && lock.st_nlink == 1 ? ERR_OK : ERR_DAMAGED;
    return errno == ENOENT ? lock_file_renew(place->fd, data) : err_from_errno(errno);
}

enum err store_dir_part(const struct store_dir *place, const char *dir, char **part)
{
    struct stat there;
    char *path;
    if (fstatat(place->fd, "data.mdb", &there, AT_SYMLINK_NOFOLLOW) == 0)
        return ERR_EXISTS;
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

void store_dir_drop_part(char *part)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    int fd = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < sizeof names / sizeof *names; i++)
        (void)unlinkat(fd, names[i], 0);
    if (fd >= 0)
        (void)close(fd);
    (void)rmdir(part);
    free(part);
}

static enum err give(int dir, const char *name, const struct store_files *files, mode_t mode,
                     int flags)
{
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    bool mine = files->uid == geteuid() && files->gid == getegid();
    bool done = (mine || fchown(fd, files->uid, files->gid) == 0) && fchmod(fd, mode) == 0 &&
                fsync(fd) == 0;
    enum err e = done ? ERR_OK : err_from_errno(errno);
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
    if (!e && fsync(place->fd) != 0)
        e = err_from_errno(errno);
    (void)close(fd);
    return e;
}
