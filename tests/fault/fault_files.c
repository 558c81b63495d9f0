/* Calls that have to do with files. */
#undef _FILE_OFFSET_BITS /* open and open64 are two here */
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/fault/fault_internal.h"

#define FILES(type, bad, name, parameters, arguments)                                              \
    FAULTY(FAULT_FILES, type, bad, name, parameters, arguments)

/* Of those that need room on the disk, both kinds in turn. */
#define NEEDS_ROOM(name) (fault_hits(FAULT_FILES, name) || fault_hits(FAULT_DISK, name))
#define ROOM(type, bad, name, parameters, arguments)                                               \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        FIND_REAL(name);                                                                           \
        return NEEDS_ROOM(#name) ? (bad) : real_##name arguments;                                  \
    }

static bool makes_one(int flags)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

static mode_t mode_of(int flags, va_list rest)
{
    return makes_one(flags) ? va_arg(rest, mode_t) : 0;
}

static bool open_fails(const char *name, int flags)
{
    return fault_hits(FAULT_FILES, name) || (makes_one(flags) && fault_hits(FAULT_DISK, name));
}

#define OPEN(name, parameters, ...)                                                                \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = mode_of(flags, rest);                                                        \
        va_end(rest);                                                                              \
        FIND_REAL(name);                                                                           \
        return open_fails(#name, flags) ? -1 : real_##name(__VA_ARGS__, mode);                     \
    }

OPEN(open, (const char *path, int flags, ...), path, flags)
OPEN(open64, (const char *path, int flags, ...), path, flags)
OPEN(openat, (int dir, const char *path, int flags, ...), dir, path, flags)
OPEN(openat64, (int dir, const char *path, int flags, ...), dir, path, flags)

#define FCNTL(name)                                                                                \
    EXPORT int name(int file, int command, ...)                                                    \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, command);                                                                   \
        void *argument = va_arg(rest, void *);                                                     \
        va_end(rest);                                                                              \
        FIND_REAL(name);                                                                           \
        return command != F_GETFD && fault_hits(FAULT_FILES, #name)                                \
                   ? -1                                                                            \
                   : real_##name(file, command, argument);                                         \
    }

FCNTL(fcntl)
FCNTL(fcntl64)

FILES(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
FILES(FILE *, NULL, fopen64, (const char *path, const char *mode), (path, mode))
FILES(FILE *, NULL, fdopen, (int file, const char *mode), (file, mode))
FILES(DIR *, NULL, opendir, (const char *path), (path))
FILES(struct dirent *, NULL, readdir, (DIR * dir), (dir))
FILES(struct dirent64 *, NULL, readdir64, (DIR * dir), (dir))
FILES(ssize_t, -1, read, (int file, void *data, size_t size), (file, data, size))
FILES(ssize_t, -1, pread, (int file, void *data, size_t size, off_t at), (file, data, size, at))
FILES(ssize_t, -1, pread64, (int file, void *data, size_t size, off64_t at), (file, data, size, at))
FILES(off_t, -1, lseek, (int file, off_t at, int from), (file, at, from))
FILES(void *, MAP_FAILED, mmap,
      (void *at, size_t size, int protection, int flags, int file, off_t from),
      (at, size, protection, flags, file, from))
FILES(int, -1, fstat, (int file, struct stat *info), (file, info))
FILES(int, -1, fstat64, (int file, struct stat64 *info), (file, info))
FILES(int, -1, stat64, (const char *path, struct stat64 *info), (path, info))
FILES(int, -1, lstat64, (const char *path, struct stat64 *info), (path, info))
FILES(int, -1, fstatat64, (int dir, const char *path, struct stat64 *info, int flags),
      (dir, path, info, flags))
FILES(int, -1, fstatfs, (int file, struct statfs *info), (file, info))
FILES(int, -1, fstatfs64, (int file, struct statfs64 *info), (file, info))
FILES(int, -1, fstatvfs64, (int file, struct statvfs64 *info), (file, info))
FILES(int, -1, flock, (int file, int operation), (file, operation))
FILES(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
FILES(int, -1, fchmod, (int file, mode_t mode), (file, mode))
FILES(int, -1, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
FILES(int, -1, fchown, (int file, uid_t uid, gid_t gid), (file, uid, gid))
FILES(int, -1, access, (const char *path, int mode), (path, mode))
FILES(int, -1, faccessat, (int dir, const char *path, int mode, int flags),
      (dir, path, mode, flags))
FILES(char *, NULL, realpath, (const char *path, char *resolved), (path, resolved))
FILES(char *, NULL, getcwd, (char *path, size_t size), (path, size))
FILES(int, -1, unlink, (const char *path), (path))
FILES(int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
FILES(int, -1, rmdir, (const char *path), (path))

ROOM(int, -1, link, (const char *from, const char *to), (from, to))
ROOM(int, -1, linkat, (int from, const char *name, int to, const char *as, int flags),
     (from, name, to, as, flags))
ROOM(int, -1, renameat, (int from, const char *name, int to, const char *as), (from, name, to, as))
ROOM(int, -1, renameat2, (int from, const char *name, int to, const char *as, unsigned flags),
     (from, name, to, as, flags))
ROOM(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
ROOM(char *, NULL, mkdtemp, (char *path), (path))
ROOM(int, -1, mkostemp64, (char *path, int flags), (path, flags))
ROOM(int, -1, ftruncate, (int file, off_t size), (file, size))
ROOM(int, -1, fallocate64, (int file, int mode, off64_t from, off64_t size),
     (file, mode, from, size))
ROOM(int, -1, fsync, (int file), (file))
ROOM(int, -1, fdatasync, (int file), (file))

/* The last write on a disk that fills up takes a part of the data. */
#define WRITE(name, parameters, arguments, arguments_half)                                         \
    EXPORT ssize_t name parameters                                                                 \
    {                                                                                              \
        FIND_REAL(name);                                                                           \
        if (fault_hits(FAULT_FILES, #name))                                                        \
            return -1;                                                                             \
        if (!fault_hits(FAULT_DISK, #name))                                                        \
            return real_##name arguments;                                                          \
        if (fault_report->failed > 1 || size < 2)                                                  \
            return -1;                                                                             \
        return real_##name arguments_half;                                                         \
    }

WRITE(write, (int file, const void *data, size_t size), (file, data, size), (file, data, size / 2))
WRITE(pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at),
      (file, data, size / 2, at))
ROOM(ssize_t, -1, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
ROOM(ssize_t, -1, pwritev, (int file, const struct iovec *parts, int count, off_t at),
     (file, parts, count, at))

/* The file is closed all the same. */
EXPORT int close(int file)
{
    FIND_REAL(close);
    int code = real_close(file);
    return fault_hits(FAULT_FILES, "close") ? -1 : code;
}

EXPORT int closedir(DIR *dir)
{
    FIND_REAL(closedir);
    int code = real_closedir(dir);
    return fault_hits(FAULT_FILES, "closedir") ? -1 : code;
}

/* A stream whose descriptor cannot be used, for one call: -1 where it is sound. */
static int break_stream(FILE *stream, bool hits, const char *stand_in, int flags)
{
    int file = hits ? fileno(stream) : -1;
    if (file < 0)
        return -1;
    int kept = dup(file), bad = open(stand_in, flags);
    if (kept < 0 || bad < 0 || dup2(bad, file) < 0)
        abort();
    (void)close(bad);
    return kept;
}

static void mend_stream(FILE *stream, int kept)
{
    int code = errno;
    if (kept >= 0) {
        (void)dup2(kept, fileno(stream));
        (void)close(kept);
    }
    errno = code;
}

static int break_output(FILE *stream, const char *name)
{
    return break_stream(stream, stream && NEEDS_ROOM(name), "/dev/full", O_WRONLY);
}

/* To read at the beginning of a process's memory is EIO. */
static int break_input(FILE *stream, const char *name)
{
    return break_stream(stream, fault_hits(FAULT_FILES, name), "/proc/self/mem", O_RDONLY);
}

EXPORT int fflush(FILE *stream)
{
    FIND_REAL(fflush);
    int kept = break_output(stream, "fflush");
    int code = real_fflush(stream);
    mend_stream(stream, kept);
    return code;
}

EXPORT int fclose(FILE *stream)
{
    FIND_REAL(fclose);
    int kept = break_output(stream, "fclose");
    int code = real_fclose(stream);
    if (kept >= 0)
        (void)close(kept);
    return code;
}

EXPORT char *fgets(char *line, int size, FILE *stream)
{
    FIND_REAL(fgets);
    int kept = break_input(stream, "fgets");
    char *got = real_fgets(line, size, stream);
    mend_stream(stream, kept);
    return got;
}

EXPORT ssize_t getline(char **line, size_t *size, FILE *stream)
{
    FIND_REAL(getline);
    int kept = break_input(stream, "getline");
    ssize_t got = real_getline(line, size, stream);
    mend_stream(stream, kept);
    return got;
}

EXPORT size_t fread(void *data, size_t size, size_t count, FILE *stream)
{
    FIND_REAL(fread);
    int kept = break_input(stream, "fread");
    size_t got = real_fread(data, size, count, stream);
    mend_stream(stream, kept);
    return got;
}
