/* crash_calls.c - a library to preload: notes what is done to files, and kills at a counted call.
 * See crash_calls.h. For machines whose off_t has 64 bits anyway: both names of a call are wanted.
 */
#undef _FILE_OFFSET_BITS
#include "tests/store/crash_calls.h"

#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* The function of that name behind this one. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (!real)                                                                                     \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

enum { PATH_SIZE = 4096 };
static_assert(sizeof(off_t) == 8, "both names of a call take the same");

static const char *root;
static int trace = -1;
static long kill_at;
static atomic_long calls;

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("CRASH_TRACE"), *at = getenv("CRASH_AT");
    root = getenv("CRASH_ROOT");
    kill_at = at ? strtol(at, NULL, 10) : 0;
    if (root && file)
        trace = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

static void point(void)
{
    if (kill_at && atomic_fetch_add(&calls, 1) + 1 == kill_at)
        (void)kill(getpid(), SIGKILL); /* it has taken effect when this returns */
}

/* Will the next call be the last? */
static bool is_last(void)
{
    return kill_at && atomic_load(&calls) + 1 == kill_at;
}

static bool below_root(const char *path)
{
    size_t size = root ? strlen(root) : 0;
    return size && strncmp(path, root, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* The path of what is open; false where that is not below the root. */
static bool path_of(int fd, char path[static PATH_SIZE])
{
    char link[64];
    if (trace < 0 || fd == trace)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_SIZE - 1);
    path[size < 0 ? 0 : size] = '\0';
    return below_root(path);
}

static bool path_at(int dir, const char *name, char path[static PATH_SIZE])
{
    char base[PATH_SIZE];
    if (trace < 0)
        return false;
    if (*name == '/') {
        snprintf(path, PATH_SIZE, "%s", name);
        return below_root(path);
    }
    ssize_t size;
    if (dir == AT_FDCWD)
        size = getcwd(base, sizeof base) ? (ssize_t)strlen(base) : 0;
    else
        size = path_of(dir, base) ? (ssize_t)strlen(base) : 0;
    int length = size > 0 ? snprintf(path, PATH_SIZE, "%s/%s", base, name) : -1;
    return length > 0 && length < PATH_SIZE && below_root(path);
}

static uint64_t inode_at(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_ino : 0;
}

static uint64_t inode_of(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

/* One write, so that what two threads note does not mix. */
static void note(struct crash_note head, const char *path, const char *to,
                 const struct iovec *bytes, int count)
{
    struct iovec all[64] = {{&head, sizeof head}};
    int used = 1, code = 0;
    head.path_size = (uint32_t)strlen(path);
    head.to_size = (uint32_t)strlen(to);
    all[used++] = (struct iovec){(void *)path, head.path_size};
    all[used++] = (struct iovec){(void *)to, head.to_size};
    for (int i = 0; i<count; i++, code |= used> 63)
        all[used++ & 63] = bytes[i];
    REAL(writev);
    if (code || real(trace, all, used) < 0)
        abort();
}

/* ---- bytes */

static void note_write(int fd, const struct iovec *bytes, int count, off_t at, ssize_t written)
{
    char path[PATH_SIZE];
    struct iovec one[60];
    int used = 0, flags = fcntl(fd, F_GETFL);
    size_t left = written > 0 ? (size_t)written : 0;
    if (!left || !path_of(fd, path))
        return;
    for (; left && used < count && used < 60; used++) {
        one[used] = bytes[used];
        if (one[used].iov_len > left)
            one[used].iov_len = left;
        left -= one[used].iov_len;
    }
    if (left)
        abort();
    note((struct crash_note){.kind = flags & O_DSYNC ? CRASH_WRITE_SYNC : CRASH_WRITE,
                             .file = inode_of(fd),
                             .at = (uint64_t)at,
                             .size = (uint64_t)written},
         path, "", one, used);
}

/* Where a write that names no place began. */
static off_t began(int fd, ssize_t written)
{
    off_t now = lseek(fd, 0, SEEK_CUR);
    return written > 0 && now >= written ? now - written : 0;
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    REAL(pwrite);
    point();
    if (is_last())
        (void)real(fd, bytes, size / 2, at);
    point();
    ssize_t written = real(fd, bytes, size, at);
    note_write(fd, &(struct iovec){(void *)bytes, size}, 1, at, written);
    return written;
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    return pwrite(fd, bytes, size, at);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *bytes, int count, off_t at)
{
    REAL(pwritev);
    point();
    if (is_last())
        (void)real(fd, bytes, count / 2, at);
    point();
    ssize_t written = real(fd, bytes, count, at);
    note_write(fd, bytes, count, at, written);
    return written;
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *bytes, int count, off64_t at)
{
    return pwritev(fd, bytes, count, at);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
    REAL(write);
    point();
    if (is_last())
        (void)real(fd, bytes, size / 2);
    point();
    ssize_t written = real(fd, bytes, size);
    if (trace >= 0 && fd != trace)
        note_write(fd, &(struct iovec){(void *)bytes, size}, 1, began(fd, written), written);
    return written;
}

EXPORT ssize_t writev(int fd, const struct iovec *bytes, int count)
{
    REAL(writev);
    point();
    if (is_last())
        (void)real(fd, bytes, count / 2);
    point();
    ssize_t written = real(fd, bytes, count);
    if (trace >= 0 && fd != trace)
        note_write(fd, bytes, count, began(fd, written), written);
    return written;
}

EXPORT int ftruncate(int fd, off_t size)
{
    char path[PATH_SIZE];
    REAL(ftruncate);
    point();
    int result = real(fd, size);
    if (result == 0 && path_of(fd, path))
        note((struct crash_note){CRASH_SIZE, .file = inode_of(fd), .at = (uint64_t)size}, path, "",
             NULL, 0);
    return result;
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

static int noted_sync(int fd, int result)
{
    char path[PATH_SIZE];
    if (result == 0 && path_of(fd, path))
        note((struct crash_note){CRASH_SYNC, .file = inode_of(fd)}, path, "", NULL, 0);
    return result;
}

EXPORT int fsync(int fd)
{
    REAL(fsync);
    point();
    return noted_sync(fd, real(fd));
}

EXPORT int fdatasync(int fd)
{
    REAL(fdatasync);
    point();
    return noted_sync(fd, real(fd));
}

/* ---- names */

/* One name came or went, or changed to `to`. */
static int noted_name(enum crash_kind kind, int result, int dir, const char *name, int to_dir,
                      const char *to)
{
    char path[PATH_SIZE], to_path[PATH_SIZE] = "";
    bool below = result >= 0 && path_at(dir, name, path);
    if (below && to)
        below = path_at(to_dir, to, to_path);
    if (below)
        note((struct crash_note){(uint32_t)kind,
                                 .file = inode_at(kind == CRASH_RENAME ? to_path : path)},
             path, to_path, NULL, 0);
    return result;
}

static int opened(int fd, bool there, int flags)
{
    char path[PATH_SIZE];
    if (fd < 0 || !(flags & (O_CREAT | O_TMPFILE | O_TRUNC)) || !path_of(fd, path))
        return fd;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        note((struct crash_note){CRASH_CREATE, .file = inode_of(fd)}, "", "", NULL, 0);
    else if (flags & O_CREAT && !there)
        note((struct crash_note){CRASH_CREATE, .file = inode_of(fd)}, path, "", NULL, 0);
    else if (flags & O_TRUNC)
        note((struct crash_note){CRASH_SIZE, .file = inode_of(fd)}, path, "", NULL, 0);
    return fd;
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    REAL(openat);
    bool there = flags & O_CREAT && faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (flags & O_CREAT)
        point();
    return opened(real(dir, path, flags, mode), there, flags);
}

/* An argument that nobody gave is not looked at. */
#define OPEN(...)                                                                                  \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                    \
        va_end(rest);                                                                              \
        return openat(__VA_ARGS__, flags, mode);                                                   \
    }

EXPORT int openat64(int dir, const char *path, int flags, ...) OPEN(dir, path) EXPORT
    int open(const char *path, int flags, ...) OPEN(AT_FDCWD, path) EXPORT
    int open64(const char *path, int flags, ...) OPEN(AT_FDCWD, path)

        EXPORT int mkostemp(char *path, int flags)
{
    REAL(mkostemp);
    point();
    return opened(real(path, flags), false, O_CREAT);
}

EXPORT int mkostemp64(char *path, int flags)
{
    return mkostemp(path, flags);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    point();
    return noted_name(CRASH_MKDIR, real(path, mode), AT_FDCWD, path, 0, NULL);
}

EXPORT char *mkdtemp(char *path)
{
    REAL(mkdtemp);
    point();
    char *made = real(path);
    (void)noted_name(CRASH_MKDIR, made ? 0 : -1, AT_FDCWD, path, 0, NULL);
    return made;
}

EXPORT int unlinkat(int dir, const char *path, int flags)
{
    REAL(unlinkat);
    point();
    return noted_name(CRASH_UNLINK, real(dir, path, flags), dir, path, 0, NULL);
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    REAL(linkat);
    point();
    return noted_name(CRASH_LINK, real(from_dir, from, to_dir, to, flags), to_dir, to, 0, NULL);
}

EXPORT int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    REAL(renameat2);
    point();
    return noted_name(CRASH_RENAME, real(from_dir, from, to_dir, to, flags), from_dir, from, to_dir,
                      to);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

EXPORT int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- only counted */

EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_lock);
    point();
    return real(mutex);
}

EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_unlock);
    point();
    return real(mutex);
}

EXPORT int flock(int fd, int operation)
{
    REAL(flock);
    point();
    return real(fd, operation);
}

EXPORT int fchmod(int fd, mode_t mode)
{
    REAL(fchmod);
    point();
    return real(fd, mode);
}
