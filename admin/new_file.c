#include "admin/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/json.h"
#include "admin/leftover.h"
#include "admin/renameat2.h"

static const char part_suffix[] = ".part-XXXXXX";

static void remove_part(const char *part)
{
    (void)unlink(part);
}

/* Opens the directory that `path` lies in, or a file without a name there; -1 with errno. */
static int open_beside(const char *path, int flags)
{
    size_t size = strlen(path) + 1;
    char *copy = memory_get(size);
    memcpy(copy, path, size);
    int file = open(dirname(copy), flags | O_CLOEXEC, 0600);
    int code = errno;
    free(copy);
    errno = code;
    return file;
}

/* 0 where nothing of that name is there, and might be. */
static int check_free(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0)
        return EEXIST;
    return errno == ENOENT ? 0 : errno;
}

/* Is there a /proc to name it by? */
static bool can_be_named(struct new_file *new_file)
{
    return access(new_file_name(new_file), F_OK) == 0;
}

int new_file_open(struct new_file *new_file, const char *path)
{
    *new_file = (struct new_file){.path = path, .file = -1};
    int code = check_free(path);
    if (code)
        return code;
    new_file->file = open_beside(path, O_RDWR | O_TMPFILE);
    if (new_file->file >= 0 && can_be_named(new_file))
        return 0;
    if (new_file->file >= 0)
        new_file_end(new_file);
    else if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return errno;
    return new_file_open_named(new_file, path);
}

int new_file_open_named(struct new_file *new_file, const char *path)
{
    size_t size = strlen(path);
    *new_file = (struct new_file){.path = path, .file = -1};
    int code = check_free(path);
    if (code)
        return code;
    new_file->part = memory_get(size + sizeof part_suffix);
    memcpy(new_file->part, path, size);
    memcpy(new_file->part + size, part_suffix, sizeof part_suffix);
    leftover_hold(true);
    new_file->file = mkostemp(new_file->part, O_CLOEXEC); /* 0600 */
    code = new_file->file < 0 ? errno : 0;
    if (!code)
        leftover_begin(new_file->part, remove_part);
    leftover_hold(false);
    if (code) {
        free(new_file->part);
        new_file->part = NULL;
    }
    return code;
}

const char *new_file_name(struct new_file *new_file)
{
    if (new_file->part)
        return new_file->part;
    snprintf(new_file->name, sizeof new_file->name, "/proc/self/fd/%d", new_file->file);
    return new_file->name;
}

/* Never over a file that came meanwhile. */
static int give_name(struct new_file *new_file)
{
    if (!new_file->part)
        return linkat(AT_FDCWD, new_file_name(new_file), AT_FDCWD, new_file->path,
                      AT_SYMLINK_FOLLOW) == 0
                   ? 0
                   : errno;
    if (renameat2(AT_FDCWD, new_file->part, AT_FDCWD, new_file->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(new_file->part, new_file->path) != 0)
        return errno;
    return unlink(new_file->part) == 0 ? 0 : errno;
}

/* Its name is on the disk too. One may write in a directory that one may not list: then `directory`
 * is -1. */
static int sync_directory(int directory)
{
    return directory < 0 || fsync(directory) == 0 || errno == EINVAL ? 0 : errno;
}

static int name_and_sync(struct new_file *new_file, int directory)
{
    int code = give_name(new_file);
    if (code)
        return code;
    if (new_file->part) {
        leftover_end();
        free(new_file->part);
        new_file->part = NULL;
    }
    code = sync_directory(directory);
    if (code)
        (void)unlink(new_file->path); /* it might not outlive a power cut */
    return code;
}

int new_file_keep(struct new_file *new_file)
{
    if (fsync(new_file->file) != 0)
        return errno;
    int directory = open_beside(new_file->path, O_RDONLY | O_DIRECTORY); /* it takes memory */
    if (directory < 0 && errno != EACCES)
        return errno;
    int code = name_and_sync(new_file, directory);
    if (directory >= 0)
        (void)close(directory); /* synced */
    if (!code)
        memory_out_later("the file itself was made");
    return code;
}

void new_file_end(struct new_file *new_file)
{
    if (new_file->part) {
        (void)unlink(new_file->part);
        leftover_end();
        free(new_file->part);
    }
    if (new_file->file >= 0)
        (void)close(new_file->file); /* synced, or given up */
    *new_file = (struct new_file){.file = -1};
}
